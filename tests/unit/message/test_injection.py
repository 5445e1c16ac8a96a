"""No text that a caller gives can add a header, a recipient or a command: it is refused where it enters, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.message.attachment import Attachment
from mailwright.message.message import Message
from mailwright.words.errors import AddressError, HeaderError, MessageError
from mailwright.words.value import fields_of
from tests.unit.message.reading import back

CONTROLS = [chr(number) for number in (*range(0x20), 0x7F, 0x80, 0x85, 0x9F, 0x2028, 0x2029, 0xD800, 0xDFFF)]
EVIL = [*CONTROLS, "\r\n", "\r\nBcc: evil@example.com\r\n", "\n\n<script>", "\r\n.\r\nMAIL FROM:<evil@example.com>\r\n"]

#: Every place of a message that takes text for a header: what the error must call it, and a call that fills it.
FIELDS: dict[str, Callable[[str], Any]] = {
    "sender": lambda evil: Message(f"a{evil}b@example.org"),
    "sender (quoted)": lambda evil: Message(f'"a{evil}b"@example.org'),
    "sender (domain)": lambda evil: Message(f"ada@exa{evil}mple.org"),
    "sender (name)": lambda evil: Message((f"A{evil}da", "ada@example.org")),
    "sender (name in text)": lambda evil: Message(f'"A{evil}da" <ada@example.org>'),
    "to": lambda evil: Message(to=["bob@example.net", f"a{evil}b@example.org"]),
    "to (name)": lambda evil: Message(to=[(f"A{evil}da", "ada@example.org")]),
    "cc": lambda evil: Message(cc=f"Ada{evil} <ada@example.org>"),
    "bcc": lambda evil: Message(bcc=f"ada@example.org{evil}"),
    "reply_to": lambda evil: Message(reply_to=f"{evil}ada@example.org"),
    "subject": lambda evil: Message(subject=f"a{evil}b"),
    "X-Value": lambda evil: Message(headers={"X-Value": f"a{evil}b"}),
    "List-Unsubscribe": lambda evil: Message(headers={"List-Unsubscribe": f"<https://example.org/{evil}>"}),
    "Sender": lambda evil: Message(headers={"Sender": f"Ada{evil} <ada@example.org>"}),
    "header name": lambda evil: Message(headers={f"X-{evil}Name": "a"}),
    "message_id": lambda evil: Message(message_id=f"<a{evil}@b>"),
    "in_reply_to": lambda evil: Message(in_reply_to=f"<a{evil}@b>"),
    "references": lambda evil: Message(references=["<a@b>", f"<a{evil}@b>"]),
    "date": lambda evil: Message(date=f"Mon, 03 Feb 2025 10:00:00 +0000{evil}"),
    "file name": lambda evil: Message(attachments={f"a{evil}b.txt": b""}),
    "file name (given)": lambda evil: Attachment(b"", f"a{evil}b.txt"),
    "type": lambda evil: Attachment(b"", "a.txt", f"text/{evil}plain"),
    "type (parameter)": lambda evil: Attachment(b"", "a.txt", f"text/plain; charset=utf{evil}-8"),
    "type (quoted)": lambda evil: Attachment(b"", "a.txt", f'text/plain; x="{evil}"'),
    "cid": lambda evil: Message(html="", inline={f"a{evil}b": b""}),
}


@pytest.mark.parametrize("evil", EVIL, ids=[ascii(one) for one in EVIL])
@pytest.mark.parametrize("field", FIELDS)
def test_every_field_refuses_every_control_character(field: str, evil: str) -> None:
    with pytest.raises((HeaderError, AddressError)) as caught:
        FIELDS[field](evil)
    name = field.partition(" (")[0]
    assert name in str(caught.value)
    assert str(caught.value).isprintable()
    if isinstance(caught.value, HeaderError):
        assert caught.value.field == name


@given(st.sampled_from(sorted(FIELDS)), st.text(max_size=12))
def test_what_is_let_in_adds_no_field(field: str, text: str) -> None:
    try:
        made = FIELDS[field](text)
    except (MessageError, ValueError):
        return
    if isinstance(made, Attachment):
        made = Message(attachments=made)
    found = back(Message(**{**_given(made), "sender": made.sender or "ada@example.org"}))
    known = {"Date", "From", "To", "Cc", "Reply-To", "Subject", "Message-ID", "In-Reply-To", "References", "Sender"}
    known |= {"MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "List-Unsubscribe"}
    assert {name for name in found.keys() if not name.startswith("X-")} <= known


def _given(message: Message) -> dict[str, Any]:
    return {name: getattr(message, name) for name in fields_of(message)}


@pytest.mark.parametrize(
    "body", ["\r\n.\r\nMAIL FROM:<evil@example.com>\r\n", "\n.\n", "\r.\r", "\n.\r\n", "\r\n\0.\r\n"]
)
def test_a_body_holds_line_ends_of_one_kind(body: str) -> None:
    raw = bytes(Message("ada@example.org", "bob@example.net", "x", body))
    assert raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r")
    assert b"\0" not in raw
