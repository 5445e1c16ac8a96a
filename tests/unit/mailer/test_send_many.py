"""`send_many`: many messages in flight, a true receipt for each, whichever door it goes through."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest
import trio

from mailwright import AsyncMailer, Inbox, Login, Mailer, Message
from mailwright.errors import ConnectError, LoginError, MessageError
from mailwright.message.content import Content
from mailwright.options import Envelope, Limits
from mailwright.smtp.receiving import Rules
from mailwright.words.reply import Reply
from mailwright.words.server import Server
from mailwright.words.value import replace

Door = Callable[..., list[Any]]


def blocking(server: Any, messages: Iterable[Any], **options: Any) -> list[Any]:
    limits = options.pop("limits", None)
    with Mailer(server, limits=limits, sender="ada@example.org") as mailer:
        return list(mailer.send_many(messages, **options))


async def _gathered(server: Any, messages: Any, options: dict[str, Any]) -> list[Any]:
    limits = options.pop("limits", None)
    async with AsyncMailer(server, limits=limits, sender="ada@example.org") as mailer:
        return [receipt async for receipt in mailer.send_many(messages, **options)]


def in_asyncio(server: Any, messages: Iterable[Any], **options: Any) -> list[Any]:
    return asyncio.run(_gathered(server, messages, options))


def in_trio(server: Any, messages: Iterable[Any], **options: Any) -> list[Any]:
    return trio.run(_gathered, server, messages, options)


async def _later(messages: Iterable[Any]) -> AsyncIterator[Any]:
    for message in messages:
        yield message


def from_async_source(server: Any, messages: Iterable[Any], **options: Any) -> list[Any]:
    return asyncio.run(_gathered(server, _later(messages), options))


def from_async_source_in_trio(server: Any, messages: Iterable[Any], **options: Any) -> list[Any]:
    return trio.run(_gathered, server, _later(messages), options)


DOORS = [blocking, in_asyncio, in_trio, from_async_source, from_async_source_in_trio]


@pytest.fixture(params=DOORS, ids=lambda door: door.__name__)
def send_many(request: pytest.FixtureRequest) -> Door:
    door: Door = request.param
    return door


def letters(count: int) -> Iterator[Message]:
    return (Message("ada@example.org", f"r{n}@example.net", f"Number {n}", f"Text {n}\n") for n in range(count))


@pytest.mark.parametrize("extensions", [("PIPELINING", "CHUNKING"), ("PIPELINING",), ("CHUNKING",), ()])
@pytest.mark.parametrize("size", [1, 3])
def test_all_arrive_once_and_the_receipts_come_in_order(
    send_many: Door, extensions: tuple[str, ...], size: int
) -> None:
    with Inbox(tls=False, rules=Rules(extensions=(*extensions, "8BITMIME", "SIZE"))) as inbox:
        receipts = send_many(inbox.server, letters(100), limits=Limits(size=size))
        arrived = sorted(int(received.subject.split()[1]) for received in inbox.messages)
    assert arrived == list(range(100))
    assert [receipt.number for receipt in receipts] == list(range(100))
    assert all(receipt.complete and receipt.error is None for receipt in receipts)
    assert [receipt.outcomes[0].recipient.spec for receipt in receipts] == [f"r{n}@example.net" for n in range(100)]
    assert len({receipt.message_id for receipt in receipts}) == 100


def test_what_arrives_is_what_was_given(send_many: Door) -> None:
    given = [
        b"Message-ID: <%d@x.example>\r\nSubject: %d\r\n\r\n.\r\n..\r\n%b\r\n" % (n, n, b"x" * n * 700)
        for n in range(60)
    ]
    envelope = Envelope.of("ada@example.org", ["grace@example.net"])
    with Inbox(tls=False) as inbox:
        receipts = send_many(inbox.server, ((envelope, Content.of(octets)) for octets in given), limits=Limits(size=1))
        assert [received.content for received in inbox.messages] == given
    assert all(receipt.size == len(octets) for receipt, octets in zip(receipts, given, strict=True))


def test_one_bad_message_has_its_error_and_the_others_go(send_many: Door) -> None:
    given = [*letters(3), b"no header fields at all, and nobody to send it to", *letters(2)]
    with Inbox(tls=False) as inbox:
        receipts = send_many(inbox.server, given)
        assert len(inbox.messages) == 5
    assert isinstance(receipts[3].error, MessageError) and receipts[3].outcomes == ()
    assert [receipt.complete and not receipt.error for receipt in receipts] == [True] * 3 + [False] + [True] * 2


def test_refusals_are_told_recipient_by_recipient(send_many: Door) -> None:
    given = [
        Message("ada@example.org", ["one@example.net", f"{who}@example.net"], str(n), "x\n")
        for n, who in enumerate(["two", "nobody", "busy", "two"] * 5)
    ]
    given.append(Message("ada@example.org", "nobody@example.net", "alone", "x\n"))
    refuse = {"nobody@example.net": "550 5.1.1 no such mailbox", "busy@example.net": "450 4.2.1 later"}
    with Inbox(tls=False, refuse=refuse) as inbox:
        receipts = send_many(inbox.server, given, limits=Limits(size=1))
        assert len(inbox.messages) == 20
    fates = [tuple(outcome.fate for outcome in receipt.outcomes) for receipt in receipts]
    yes = ("accepted", "accepted")
    assert fates == [yes, ("accepted", "refused"), ("accepted", "deferred"), yes] * 5 + [("refused",)]
    assert receipts[1].transcript is not None and "550 5.1.1" in str(receipts[1].transcript)
    assert receipts[1].remaining == () and receipts[2].remaining[0].spec == "busy@example.net"


def test_a_refused_content_is_told_and_does_not_touch_its_neighbours(send_many: Door) -> None:
    def answer(received: Any) -> Reply | None:
        return Reply(554, ("5.7.1 not this one",)) if received.subject.endswith("7") else None

    with Inbox(tls=False, answer=answer) as inbox:
        receipts = send_many(inbox.server, letters(30))
    assert [receipt.number for receipt in receipts if receipt.error is not None] == [7, 17, 27]
    assert all(receipt.error.reply.code == 554 for receipt in receipts if receipt.error is not None)
    assert sum(receipt.complete for receipt in receipts) == 27


def test_the_source_is_held_back(send_many: Door) -> None:
    taken = 0
    most = 0

    def source() -> Iterator[Message]:
        nonlocal taken
        for message in letters(600):
            taken += 1
            yield message

    def seen(progress: Any) -> None:
        nonlocal most
        most = max(most, taken - progress.done)

    with Inbox(tls=False) as inbox:
        receipts = send_many(inbox.server, source(), limits=Limits(size=1, window=8, messages=10_000), progress=seen)
        assert len(inbox.messages) == len(receipts) == 600
    assert 0 < most <= 8 + 64 + 4 + 2  # the window, an asynchronous source's own lead, and who was asked for first


def test_what_the_source_raises_is_raised_when_the_rest_was_told(send_many: Door) -> None:
    def source() -> Iterator[Message]:
        yield from letters(10)
        raise RuntimeError("the database went away")

    got: list[Any] = []
    with Inbox(tls=False) as inbox:
        with pytest.raises(RuntimeError, match="the database went away"):
            send_many(inbox.server, source(), progress=lambda progress: got.append(progress))
        assert len(inbox.messages) == 10
    assert got[-1].done == got[-1].accepted == 10


def test_the_login_is_no_matter_of_one_message(send_many: Door) -> None:
    with Inbox(tls=False, login=("ada", "right")) as inbox:
        server = replace(inbox.server, login=Login("ada", "wrong"))
        with pytest.raises(LoginError):
            send_many(server, letters(5))
        assert not inbox.messages


def test_nobody_there(send_many: Door) -> None:
    with pytest.raises(ConnectError):
        send_many(Server("127.0.0.1", 1, "none"), letters(5))


def test_nothing_to_send_connects_nowhere(send_many: Door) -> None:
    assert send_many(Server("127.0.0.1", 1, "none"), []) == []


def test_a_connection_carries_only_so_many(send_many: Door) -> None:
    with Inbox(tls=False) as inbox:
        receipts = send_many(inbox.server, letters(25), limits=Limits(size=1, messages=10))
        assert len(inbox.messages) == 25
    assert all(receipt.complete for receipt in receipts)


def test_more_recipients_than_the_server_takes(send_many: Door) -> None:
    many = [f"r{n}@example.net" for n in range(25)]
    with Inbox(tls=False, rules=Rules(recipients=10)) as inbox:
        (receipt, small) = send_many(
            inbox.server, [Message("ada@example.org", many, "Many", "x\n"), *letters(1)], limits=Limits(size=1)
        )
        got = [r.spec for received in inbox.messages if received.subject == "Many" for r in received.recipients]
    assert sorted(got) == sorted(many) and len(inbox.messages) >= 4
    assert receipt.complete and small.complete
    assert sorted(outcome.recipient.spec for outcome in receipt.outcomes) == sorted(many)


def test_caught(send_many: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    with Inbox(tls=False) as inbox:
        monkeypatch.setenv("MAILWRIGHT_CATCH", inbox.url)
        server = Server("smtp.example.org", 465, "tls", login=Login("ada", "secret"))
        receipts = send_many(server, letters(5))
        assert len(inbox.messages) == 5
    assert all(receipt.diverted == "smtp.example.org:465" for receipt in receipts)


def test_who_stops_early_ends_the_connections() -> None:
    with Inbox(tls=False) as inbox, Mailer(inbox.server, limits=Limits(size=2)) as mailer:
        with contextlib.closing(mailer.send_many(letters(500))) as receipts:
            assert next(iter(receipts)).complete
        assert mailer.send(next(letters(1))).complete  # a new connection: the old ones are in the middle of something
        assert len(inbox.messages) < 502


def test_who_stops_early_ends_the_connections_of_asyncio() -> None:
    async def main(server: Server) -> None:
        async with AsyncMailer(server, limits=Limits(size=2)) as mailer:
            async with contextlib.aclosing(mailer.send_many(letters(500))) as receipts:
                async for receipt in receipts:
                    assert receipt.complete
                    break
            assert (await mailer.send(next(letters(1)))).complete

    with Inbox(tls=False) as inbox:
        asyncio.run(main(inbox.server))
        trio.run(main, inbox.server)


def test_as_they_are_known(send_many: Door) -> None:
    with Inbox(tls=False) as inbox:
        receipts = send_many(inbox.server, letters(40), ordered=False, limits=Limits(size=3))
    assert sorted(receipt.number for receipt in receipts) == list(range(40))


def test_with_tls_and_a_login(send_many: Door) -> None:
    with Inbox(login=("ada", "correct horse")) as inbox:
        receipts = send_many(inbox.server, letters(50), limits=Limits(size=2))
        assert len(inbox.messages) == 50
    assert all(receipt.tls is not None and receipt.login == "ada" for receipt in receipts)
