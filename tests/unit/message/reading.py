"""Reading messages back with a reader that is not ours: the standard library's, which the library itself never asks."""

from __future__ import annotations

import email
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP, SMTPUTF8

from hypothesis import strategies as st

from mailwright.message.message import Message

#: Text that a header may hold: all of Unicode but controls and lone surrogates.
header_text = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=300)


def read(raw: bytes) -> EmailMessage:
    """The message as another program sees it; a defect that it finds is an error here."""
    policy = SMTP.clone(raise_on_defect=True) if raw.isascii() else SMTPUTF8
    found = email.message_from_bytes(raw, policy=policy)
    assert isinstance(found, EmailMessage)
    return found


def written(message: Message, **options: bool) -> bytes:
    """The octets of a message, after checking what must be true of every one."""
    content = message.render(**options)
    raw = bytes(content)
    assert len(raw) == content.size == len(content)
    assert b"".join(content.chunks()) == raw
    assert raw.endswith(b"\r\n")
    assert raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    return raw


def back(message: Message, **options: bool) -> EmailMessage:
    """A message of ours as another program reads it."""
    return read(written(message, **options))


def header_lines(raw: bytes) -> list[bytes]:
    """The lines of the header section."""
    return raw.partition(b"\r\n\r\n")[0].split(b"\r\n")


def text_of(part: MIMEPart) -> str:
    """A text body decoded, with LF as line end."""
    body = part.get_payload(decode=True)
    assert isinstance(body, bytes)
    return body.decode(part.get_content_charset("us-ascii")).replace("\r\n", "\n")
