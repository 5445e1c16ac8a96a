"""`Message`: what it takes, what it keeps, what it says of itself."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
from email.headerregistry import Address as StandardAddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.message.attachment import Attachment
from mailwright.message.message import Message
from mailwright.words.address import Address
from mailwright.words.envelope import DSN
from mailwright.words.errors import AddressError, HeaderError, MessageError
from mailwright.words.value import replace
from tests.unit.message.reading import back, text_of, written

FULL = {
    "sender": "Ada <ada@example.org>",
    "to": ["bob@example.net", ("Carol", "carol@example.net")],
    "subject": "Grüße",
    "text": "Hallo",
    "html": "<p>Hallo</p>",
    "attachments": {"a.pdf": b"x"},
    "inline": {"logo": b"\x89PNG\r\n\x1a\n"},
    "cc": "dan@example.net",
    "bcc": "eve@example.net",
    "reply_to": "office@example.org",
    "headers": {"X-A": "1"},
    "in_reply_to": "<a@b>",
    "references": ["<a@b>"],
    "priority": "high",
    "date": 0,
    "message_id": "<m@example.org>",
    "dsn": DSN(("NEVER",)),
    "require_tls": True,
}


def full() -> Message:
    return Message(**FULL)  # type: ignore[arg-type]


class TestTaking:
    def test_by_position(self) -> None:
        message = Message("ada@example.org", "bob@example.net", "Subject", "text", "<p>html</p>")
        assert (str(message.sender), message.subject, message.text, message.html) == (
            "ada@example.org",
            "Subject",
            "text",
            "<p>html</p>",
        )

    @pytest.mark.parametrize(
        "to",
        [
            "bob@example.net, Carol <carol@example.net>",
            ["bob@example.net", "Carol <carol@example.net>"],
            ("bob@example.net", ("Carol", "carol@example.net")),
            [Address("bob@example.net"), Address("carol@example.net", "Carol")],
            (one for one in ["bob@example.net", "Carol <carol@example.net>"]),
            [StandardAddress(addr_spec="bob@example.net"), StandardAddress("Carol", addr_spec="carol@example.net")],
        ],
        ids=["text", "list", "pairs", "values", "generator", "email package"],
    )
    @pytest.mark.parametrize("field", ["to", "cc", "bcc", "reply_to"])
    def test_addresses_in_any_form(self, field: str, to: object) -> None:
        if hasattr(to, "send"):
            to = list(FULL["to"])  # type: ignore[call-overload]
        message = Message("ada@example.org", **{field: to})  # type: ignore[arg-type]
        assert getattr(message, field) == (Address("bob@example.net"), Address("carol@example.net", "Carol"))

    def test_a_generator_of_addresses(self) -> None:
        assert len(Message("ada@example.org", (f"u{n}@example.net" for n in range(3))).to) == 3

    @pytest.mark.parametrize("field", ["sender", "to", "cc", "bcc", "reply_to"])
    def test_an_error_in_an_address_names_the_field(self, field: str) -> None:
        with pytest.raises(AddressError, match=rf'^{field}: .*no "@", at position 4\.') as caught:
            Message(**{field: "ada"})  # type: ignore[arg-type]
        assert (caught.value.text, caught.value.position) == ("ada", 3)

    def test_html_from_an_object_that_shows_itself(self) -> None:
        class Table:
            def _repr_html_(self) -> str:
                return "<table><tr><td>1</td></tr></table>"

        message = Message("ada@example.org", text="", html=Table())
        assert message.html == "<table><tr><td>1</td></tr></table>"

    @pytest.mark.parametrize("field", ["text", "html", "subject"])
    @pytest.mark.parametrize("given", [b"octets", 42, ["x"]])
    def test_what_is_not_text(self, field: str, given: object) -> None:
        with pytest.raises(MessageError, match=f"{field} is (bytes|int|list), not text"):
            Message("ada@example.org", **{field: given})  # type: ignore[arg-type]

    def test_an_object_that_has_nothing_to_show(self) -> None:
        class Blank:
            def _repr_html_(self) -> None:
                return None

        with pytest.raises(MessageError, match="does not show itself"):
            Message("ada@example.org", html=Blank())

    @pytest.mark.parametrize("field", ["text", "html"])
    def test_half_a_character(self, field: str) -> None:
        with pytest.raises(MessageError, match=f"{field} holds half a character.*position 4"):
            Message("ada@example.org", **{field: "abc\ud83d"})  # type: ignore[arg-type]

    @pytest.mark.parametrize("given", ["urgent", "HIGH", 1, ""])
    def test_an_unknown_priority(self, given: str) -> None:
        with pytest.raises(HeaderError, match="high, normal or low"):
            Message("ada@example.org", priority=given)  # type: ignore[arg-type]

    def test_text_is_derived_from_html_alone(self) -> None:
        html = '<p>See <a href="https://example.org/x">the report</a>.</p>'
        plain = back(Message("ada@example.org", html=html)).get_body(("plain",))
        assert plain is not None
        assert "the report" in text_of(plain) and "https://example.org/x" in text_of(plain)


class TestKeeping:
    @pytest.mark.parametrize("field", ["to", "headers", "attachments", "references"])
    def test_lists_that_change_later_change_nothing(self, field: str) -> None:
        given: list[object] = {
            "to": ["bob@example.net"],
            "headers": [("X-A", "1")],
            "attachments": [Attachment(b"x", "a.txt")],
            "references": ["<a@b>"],
        }[field]  # type: ignore[assignment]
        message = Message("ada@example.org", **{field: given})  # type: ignore[arg-type]
        before = getattr(message, field)
        given.clear()
        assert getattr(message, field) == before and len(before) == 1

    def test_nothing_can_be_set_or_deleted(self) -> None:
        message = full()
        for name in ("subject", "new"):
            with pytest.raises(AttributeError):
                setattr(message, name, "x")
        with pytest.raises(AttributeError):
            del message.subject
        assert message == full()

    def test_equal_messages(self) -> None:
        assert full() == full()
        assert hash(full()) == hash(full())
        assert full() != replace(full(), subject="other")
        assert replace(full(), subject="Grüße") == full()

    def test_replacing_checks_anew(self) -> None:
        with pytest.raises(HeaderError):
            replace(full(), subject="a\nb")

    def test_pickled_and_copied(self) -> None:
        message = full()
        for again in (pickle.loads(pickle.dumps(message)), copy.copy(message), copy.deepcopy(message)):
            assert again == message
            assert bytes(again) == bytes(message)

    def test_sent_by_many_threads_it_is_one_message(self) -> None:
        message = Message("ada@example.org", "bob@example.net", "x", "y", html="z")
        seen: set[bytes] = set()
        gate = threading.Barrier(8)

        def render() -> None:
            gate.wait()
            seen.add(bytes(message))

        threads = [threading.Thread(target=render) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(seen) == 1


class TestSaying:
    def test_repr_shows_what_was_given_and_nothing_else(self) -> None:
        message = Message("Ada <ada@example.org>", "bob@example.net", "Minutes", "Dear Bob")
        assert repr(message) == (
            "Message(sender='Ada <ada@example.org>', to=['bob@example.net'], subject='Minutes', text='Dear Bob')"
        )
        assert repr(Message()) == "Message()"

    def test_repr_stays_short_and_keeps_the_blind_copies(self) -> None:
        message = Message(
            "ada@example.org",
            [f"user{number}@example.net" for number in range(1000)],
            "x" * 1000,
            "y" * 10_000,
            bcc=["eve@example.net", "mallory@example.net"],
        )
        assert len(repr(message)) < 400
        assert "1000 in all" in repr(message)
        assert repr(message).endswith("bcc=<2>)")
        assert "eve" not in repr(message)

    def test_a_notebook_shows_it_and_runs_nothing_of_it(self) -> None:
        message = Message("ada@example.org", subject="<script>1</script>", text="x", html="<script>2</script>")
        shown = message._repr_html_()
        assert "&lt;script&gt;1" in shown
        assert "<script>" not in shown


class TestEnvelope:
    def test_everybody_once(self) -> None:
        message = Message("ada@example.org", "a@x.example", cc="b@x.example, a@x.example", bcc="c@x.example")
        found = [one.spec for one in message.envelope().recipients]
        assert sorted(found) == ["a@x.example", "b@x.example", "c@x.example"]
        assert message.envelope().reverse_path == "ada@example.org"

    def test_what_is_asked_of_the_server(self) -> None:
        envelope = full().envelope()
        assert (envelope.dsn, envelope.require_tls) == (DSN(("NEVER",)), True)

    def test_without_sender_or_recipients(self) -> None:
        with pytest.raises(MessageError, match="no sender"):
            Message(to="bob@example.net").envelope()
        with pytest.raises(MessageError, match="no sender"):
            Message(to="bob@example.net").render()
        with pytest.raises(MessageError, match="no recipients"):
            Message("ada@example.org").envelope()

    def test_ten_thousand_recipients(self) -> None:
        to = [f"User {number} <user{number}@example.net>" for number in range(10_000)]
        message = Message("ada@example.org", to, "x", "y")
        assert len(message.envelope().recipients) == 10_000
        raw = written(message)
        assert raw.count(b"@example.net>") == 10_000
        assert all(len(line) <= 78 for line in raw.split(b"\r\n"))


class TestFields:
    def test_all_of_them_in_their_order(self) -> None:
        found = back(full())
        assert list(found.keys()) == [
            "Date",
            "From",
            "To",
            "Cc",
            "Reply-To",
            "Subject",
            "Message-ID",
            "In-Reply-To",
            "References",
            "X-Priority",
            "Importance",
            "X-A",
            "MIME-Version",
            "Content-Type",
        ]
        assert (found["X-Priority"], found["Importance"]) == ("1", "high")

    @given(st.lists(st.sampled_from(["eve", "mallory", "Trudy"]), min_size=1, max_size=3))
    def test_blind_copies_are_never_in_the_octets(self, people: list[str]) -> None:
        message = Message(
            "ada@example.org",
            "bob@example.net",
            "x",
            "y",
            html="z",
            bcc=[f"{name} <{name}@hidden.example>" for name in people],
            attachments={"a.txt": b"x"},
        )
        raw = written(message)
        assert b"hidden.example" not in raw
        assert not any(line.lower().startswith(b"bcc") for line in raw.split(b"\r\n"))
        assert {one.domain for one in message.envelope().recipients} == {"example.net", "hidden.example"}

    def test_low_and_normal_priority(self) -> None:
        assert back(Message("ada@example.org", priority="low"))["X-Priority"] == "5"
        assert "X-Priority" not in back(Message("ada@example.org", priority="normal"))

    def test_no_subject(self) -> None:
        assert b"\r\nSubject:\r\n" in written(Message("ada@example.org"))


def test_a_plain_message_loads_nothing_that_is_slow() -> None:
    program = (
        "import sys; from mailwright.message.message import Message\n"
        "bytes(Message('Ada <ada@example.org>', 'bob@example.net', 'Grüße', 'Hällo', headers={'X-A': '1'}))\n"
        "print(*sorted(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    slow = {
        "email",
        "re",
        "typing",
        "dataclasses",
        "inspect",
        "enum",
        "datetime",
        "mimetypes",
        "base64",
        "asyncio",
        "ssl",
    }
    slow |= {
        "pathlib",
        "random",
        "secrets",
        "hashlib",
        "socket",
        "logging",
        "idna",
        "tempfile",
        "uuid",
        "quopri",
        "string",
    }
    assert not slow & set(ran.stdout.split())
