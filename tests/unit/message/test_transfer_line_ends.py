"""Quoted-printable of data with CRLF inside: the soft breaks are CRLF and nothing else."""

from __future__ import annotations

import quopri

import pytest

from mailwright import Message
from mailwright.message.transfer import encoded


@pytest.mark.parametrize(
    "data", [b"a;b\r\n" + b"x" * 1100 + b"\r\n", b"a\n" + b"y" * 900 + b"\r\n", b"z" * 1200 + b"\rq\n"]
)
def test_no_bare_carriage_return(data: bytes) -> None:
    octets = bytes(Message("a@example.org", "b@example.org", attachments={"a.csv": data}).render())
    assert octets.count(b"\r\n") == octets.count(b"\r") == octets.count(b"\n")
    encoding, body = encoded(data, b"")
    assert encoding == "quoted-printable"
    assert body.count(b"\r\n") == body.count(b"\r") == body.count(b"\n")
    assert quopri.decodestring(body.replace(b"\r\n", b"\n")) == data


def test_what_was_shown_is_what_is_sent() -> None:
    from mailwright.mailer.outgoing import outgoing_mail

    message = Message("ada@example.org", "bob@example.org", "Hi", "there")
    shown = bytes(message)
    assert bytes(outgoing_mail(message, None, None).content_for(False)) == shown
