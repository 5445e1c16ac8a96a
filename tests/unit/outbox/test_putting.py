"""Putting: what is taken, what is fixed, what is refused, and what a key means."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

import pytest

from mailwright import Address, Message
from mailwright.errors import ConfigError, KeyReused, MessageError
from mailwright.message.content import Content
from mailwright.options import DSN
from mailwright.outbox import Outbox, Put
from mailwright.outbox.rows import EIGHT_BIT, REQUIRE_TLS, UTF8, Claimed
from mailwright.outbox.suppressing import names_on_list, suppress
from mailwright.words.envelope import Envelope
from tests.unit.outbox.steps import claim, message, states, total

RAW = b"From: ada@example.org\r\nTo: bob@example.net\r\nSubject: Raw\r\n\r\nDear Bob\r\n"


def standard() -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "ada@example.org", "bob@example.net", "Standard"
    made.set_content("Dear Bob")
    return made


def only(outbox: Outbox) -> Claimed:
    (row,) = claim(outbox)
    return row


@pytest.mark.parametrize(
    "given",
    [
        message(),
        standard(),
        RAW,
        RAW.decode(),
        (Envelope.of("ada@example.org", "bob@example.net"), RAW),
        (Envelope.of("ada@example.org", "bob@example.net"), Content.of(RAW)),
    ],
    ids=["message", "email", "octets", "text", "envelope and octets", "envelope and content"],
)
def test_whatever_a_mailer_sends_can_be_put(outbox: Outbox, given: object) -> None:
    id = outbox.put(given)  # type: ignore[arg-type]
    row = only(outbox)
    assert (row.sender, row.address, row.domain) == ("ada@example.org", "bob@example.net", "example.net")
    assert b"Dear Bob" in row.head and len(row.head) == row.size == outbox.status(id).size
    assert outbox.status(id).message_id == row.message_id


def test_octets_date_and_message_id_are_fixed_and_without_8_bit(outbox: Outbox) -> None:
    id = outbox.put(message("Grüße", text := "bob@example.net"))
    first = only(outbox)
    assert first.head.isascii() and b"Date: " in first.head
    assert first.message_id.encode() in first.head
    assert outbox.status(id).message_id == f"<{id.replace('-', '')}@example.org>"
    assert text == first.address and first.needs == 0


def test_what_the_message_needs_of_the_server_is_kept(outbox: Outbox) -> None:
    signed = "From: ada@example.org\r\nTo: bob@example.net\r\nDKIM-Signature: v=1\r\n\r\nGrüße\r\n".encode()
    outbox.put(signed)
    assert only(outbox).needs == EIGHT_BIT
    outbox.put(message(), to="größe@example.net")
    assert only(outbox).needs == UTF8
    outbox.put(message(require_tls=True))
    assert only(outbox).needs == REQUIRE_TLS


def test_reports_name_the_message_by_its_id_unless_the_author_does(outbox: Outbox) -> None:
    id = outbox.put(message(dsn=DSN(notify=("FAILURE",), ret="HDRS")))
    assert json.loads(only(outbox).dsn or "") == {"notify": ["FAILURE"], "ret": "HDRS", "envid": id}
    outbox.put(message(dsn=DSN(envid="order-42")))
    assert json.loads(only(outbox).dsn or "")["envid"] == "order-42"
    outbox.put(message())
    assert only(outbox).dsn is None


def test_every_recipient_has_a_row_of_its_own(outbox: Outbox) -> None:
    id = outbox.put(message(to=["bob@example.net", "eve@example.com", Address("bob@EXAMPLE.net")]))  # type: ignore[list-item]
    assert [(one.address, one.destination) for one in outbox.status(id).deliveries] == [
        ("bob@example.net", "example.net"),
        ("eve@example.com", "example.com"),
    ]


def test_sender_and_recipients_of_the_envelope_may_be_given(outbox: Outbox) -> None:
    outbox.put(message(), sender="", to="bob@example.net")
    row = only(outbox)
    assert row.sender == "" and b"From: ada@example.org" in row.head


def test_a_message_over_the_limit_is_refused_with_both_sizes(tmp_path: Path) -> None:
    with Outbox(tmp_path / "mail.db", max_size=500) as outbox:
        with pytest.raises(MessageError, match=r"octets; this outbox takes 500\."):
            outbox.put(Message("ada@example.org", "bob@example.net", text="x" * 500))
        assert total(outbox) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lane": "fast"}, "no lane 'fast'"),
        ({"in_doubt": "maybe"}, "in_doubt"),
        ({"key": ""}, "key=''"),
        ({"key": "a\nb"}, "key="),
        ({"stream": "x" * 256}, "stream="),
        ({"account": "\x1b[2J"}, "account="),
        ({"at": datetime(2026, 11, 21, 12, 0)}, "no time zone"),
        ({"at": "tomorrow"}, "no moment"),
        ({"expires": float("nan")}, "no moment"),
        ({"expires": -1}, "no moment"),
    ],
)
def test_options_that_are_none_are_refused(outbox: Outbox, options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        outbox.put(message(), **options)  # type: ignore[arg-type]
    assert "\x1b" not in str(caught.value)
    assert total(outbox) == 0


def test_what_is_scheduled_or_held_is_not_due(outbox: Outbox) -> None:
    later = outbox.put(message(), at=timedelta(hours=1))
    held = outbox.put(message(), held=True)
    past = outbox.put(message(), at=datetime(2020, 1, 1, tzinfo=UTC), expires=datetime(2099, 1, 1, tzinfo=UTC))
    assert [row.id.hex() for row in claim(outbox)] == [past.replace("-", "")]
    assert states(outbox, later) == ["queued"] and states(outbox, held) == ["held"]
    due = outbox.status(later).deliveries[0].due
    assert due is not None and abs(due - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=5)
    assert outbox.status(past).expires == datetime(2099, 1, 1, tzinfo=UTC)
    assert outbox.status(held).deliveries[0].due is None


def test_what_happens_in_doubt_is_told_for_the_message_its_stream_or_all(tmp_path: Path) -> None:
    def told(outbox: Outbox, **options: object) -> str:
        return outbox.status(outbox.put(message(), **options)).deliveries[0].in_doubt  # type: ignore[arg-type]

    with Outbox(tmp_path / "a.db") as outbox:
        assert (told(outbox), told(outbox, in_doubt="hold")) == ("retry", "hold")
    with Outbox(tmp_path / "a.db", in_doubt="hold") as outbox:
        assert (told(outbox), told(outbox, in_doubt="retry")) == ("hold", "retry")
    with Outbox(tmp_path / "a.db", in_doubt={"invoices": "hold"}) as outbox:
        assert (told(outbox), told(outbox, stream="invoices")) == ("retry", "hold")
        (id,) = outbox.put_many([Put(message(), stream="invoices")])
        assert outbox.status(id).deliveries[0].in_doubt == "hold"
    with pytest.raises(ConfigError, match="in_doubt='maybe'"):
        Outbox(tmp_path / "a.db", in_doubt={"invoices": "maybe"})  # type: ignore[dict-item]


def test_the_suppressed_get_nothing_and_the_others_do(outbox: Outbox) -> None:
    listed = names_on_list(["Eve@Example.com", "@spam.example"])
    outbox.database.write(lambda: suppress(outbox.store, listed, "complained"))
    id = outbox.put(message(to=["bob@example.net", "EVE@example.com", "any@spam.example", "x@sub.spam.example"]))
    found = {one.address: (one.state.name, one.text) for one in outbox.status(id).deliveries}
    assert found == {
        "bob@example.net": ("queued", ""),
        "EVE@example.com": ("suppressed", "complained"),
        "any@spam.example": ("suppressed", "complained"),
        "x@sub.spam.example": ("queued", ""),
    }


# Keys


def fresh() -> list[object]:
    """The same message, each time made anew, in every form that gets something generated."""
    mixed = MIMEMultipart()
    mixed["From"], mixed["To"], mixed["Subject"] = "ada@example.org", "bob@example.net", "Mixed"
    mixed.attach(MIMEText("one"))
    mixed.attach(MIMEText("two"))
    return [message(attachments={"a.txt": b"text"}), standard(), RAW, mixed]


@pytest.mark.parametrize("kind", range(4), ids=["message", "email", "octets", "multipart of email"])
def test_the_same_content_with_the_same_key_is_put_once(outbox: Outbox, kind: int) -> None:
    first = outbox.put(fresh()[kind], key="order-42")  # type: ignore[arg-type]
    assert outbox.put(fresh()[kind], key="order-42") == first  # type: ignore[arg-type]
    assert total(outbox) == 1


def test_a_message_that_was_looked_at_before_is_the_same(outbox: Outbox) -> None:
    first, again = message(), message()
    bytes(again)  # which gives it a Date and a Message-ID
    assert outbox.put(first, key="k") == outbox.put(again, key="k")


@pytest.mark.parametrize(
    "other",
    [
        {"subject": "Other"},
        {"to": "eve@example.com"},
        {"cc": "eve@example.com"},
        {"bcc": "eve@example.com"},
        {"attachments": {"a.txt": b"text"}},
        {"message_id": "<mine@example.org>"},
        {"require_tls": True},
        {"dsn": DSN(notify=("NEVER",))},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_content_with_the_same_key_is_an_error_that_says_which(
    outbox: Outbox, other: dict[str, object]
) -> None:
    first = outbox.put(message(), key="order-42")
    with pytest.raises(KeyReused, match=r"'order-42'") as caught:
        outbox.put(message(**other), key="order-42")  # type: ignore[arg-type]
    assert (caught.value.key, caught.value.id) == ("order-42", first)
    assert isinstance(caught.value, ValueError) and total(outbox) == 1


def test_keys_of_other_streams_are_others(outbox: Outbox) -> None:
    assert outbox.put(message(), key="k") != outbox.put(message("Other"), key="k", stream="news")


def test_fifty_threads_with_one_key_make_one_message(outbox: Outbox) -> None:
    gate, ids = threading.Barrier(50), []

    def put() -> None:
        gate.wait()
        ids.append(outbox.put(message(), key="order-42"))

    threads = [threading.Thread(target=put) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 50 and len(set(ids)) == 1 and total(outbox) == 1


# Many


def test_many_are_put_from_a_generator_in_order(outbox: Outbox) -> None:
    ids = outbox.put_many(message(f"Number {n}") for n in range(2500))
    assert len(set(ids)) == 2500 and ids == sorted(ids)


def test_each_of_many_may_have_options_of_its_own(outbox: Outbox) -> None:
    first, second = outbox.put_many(
        [Put(message(), key="a", lane="urgent", held=True), Put(message(), to="eve@example.com")], stream="news"
    )
    one, two = outbox.status(first), outbox.status(second)
    assert (one.stream, one.key, one.deliveries[0].lane, one.deliveries[0].state.name) == (
        "news",
        "a",
        "urgent",
        "held",
    )
    assert (two.stream, two.key, two.deliveries[0].lane) == ("news", None, "normal")
    assert two.deliveries[0].address == "eve@example.com"


def test_many_that_broke_off_are_resumed_by_their_keys(outbox: Outbox) -> None:
    def some(fail_at: int | None) -> object:
        for n in range(2200):
            if n == fail_at:
                raise OSError("the list can't be read any more")
            yield Put(message(f"Number {n}"), key=f"issue-7/{n}")

    with pytest.raises(OSError, match="any more"):
        outbox.put_many(some(1500))  # type: ignore[arg-type]
    assert total(outbox) == 1000  # the batch before
    assert len(set(outbox.put_many(some(None)))) == 2200  # type: ignore[arg-type]
    assert total(outbox) == 2200


def test_a_batch_is_in_before_the_first_message_of_the_next_is_asked_for(outbox: Outbox) -> None:
    there: list[int] = []

    def some() -> Iterator[Message]:
        for n in range(3001):
            if n % 1000 == 0:
                there.append(total(outbox))
            yield message(f"Number {n}")

    outbox.put_many(some())
    assert there == [0, 1000, 2000, 3000] and total(outbox) == 3001


def test_the_log_is_no_longer_after_many_batches_than_after_few(outbox: Outbox) -> None:
    log = Path(f"{outbox.database.place}-wal")
    outbox.put_many(message(f"Number {n}") for n in range(2000))
    after_few = log.stat().st_size
    outbox.put_many(message(f"Number {n}") for n in range(10_000))
    assert log.stat().st_size < 2 * after_few


def test_a_key_twice_in_one_batch_is_one_message_or_an_error(outbox: Outbox) -> None:
    first, second = outbox.put_many([Put(message(), key="a"), Put(message(), key="a")])
    assert first == second
    with pytest.raises(KeyReused):
        outbox.put_many([Put(message("1"), key="b"), Put(message("2"), key="b"), Put(message("3"), key="c")])
    assert {one.key for one in map(outbox.status, {one.id for one in outbox.find()})} == {"a", "b", "c"}


# Long ones


def test_a_long_message_comes_out_as_it_went_in(tmp_path: Path) -> None:
    big = tmp_path / "big.bin"
    big.write_bytes(bytes(range(256)) * 4 * 9000)  # 9 MB, so that it takes many transactions
    with Outbox(tmp_path / "mail.db", max_size=1 << 30) as outbox:
        given = message(attachments=str(big), date=0, message_id="<x@example.org>")
        id = outbox.put(given, key="k")
        row = only(outbox)
        octets, place = row.head, 0
        while piece := outbox.database.read(lambda place=place: outbox.store.chunk(row.id, place)):  # type: ignore[misc]
            octets, place = octets + piece, place + 1
        assert octets == bytes(given) and len(octets) == row.size
        assert outbox.put(given, key="k") == id
        with pytest.raises(KeyReused):
            outbox.put(message(attachments=str(big)), key="k")


def test_a_file_that_changes_while_it_is_put_is_noticed(tmp_path: Path) -> None:
    big = tmp_path / "big.bin"
    big.write_bytes(b"a" * (9 << 20))
    given = message(attachments=str(big))
    big.write_bytes(b"a" * (9 << 20) + b"b")
    with Outbox(tmp_path / "mail.db") as outbox:
        with pytest.raises(MessageError):
            outbox.put(given)
        assert total(outbox) == 0
