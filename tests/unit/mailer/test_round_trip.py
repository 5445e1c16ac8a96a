"""What arrives is what was sent, to the last octet, by DATA and by BDAT: bodies that are hard on line ends and dots."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright import Inbox, Mailer, Message
from mailwright.errors import HeaderError, MessageError
from mailwright.message.content import CHUNK
from mailwright.smtp.receiving import rules as receiving
from mailwright.words.value import replace
from tests.unit.message.reading import read, text_of, written

WAYS = {"BDAT": receiving.EXTENSIONS, "DATA": tuple(e for e in receiving.EXTENSIONS if e != "CHUNKING")}
HEAD = (
    b"From: ada@example.org\r\nTo: bob@example.org\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@example.org>\r\n\r\n"
)
BODIES = {
    "empty": b"",
    "an empty line": b"\r\n",
    "empty lines": b"\r\n" * 5,
    "no line end": b"hello",
    "dot": b".",
    "dot line": b".\r\n",
    "dots": b".\r\n..\r\n...\r\n.x\r\nx.\r\n .\r\n",
    "dot at the end": b"hello\r\n.",
    "dot before empty lines": b".\r\n\r\n\r\n",
    "commands": b"QUIT\r\n.\r\nMAIL FROM:<eve@example.org>\r\n",
    "a line of 998": b"x" * 998 + b"\r\n",
    "a dot before 998": b"." + b"x" * 997 + b"\r\n",
    "nul in a line": b"a\x01b\r\n",
    "8-bit": "Grüße\r\n.ü\r\n".encode(),
}


@pytest.fixture(scope="module", params=WAYS)
def inbox(request: pytest.FixtureRequest) -> Iterator[Inbox]:
    """Our own server, with and without CHUNKING."""
    with Inbox(tls=False, rules=replace(receiving.Rules(), extensions=WAYS[request.param])) as inbox:
        yield inbox


@pytest.fixture(scope="module")
def mailer(inbox: Inbox) -> Iterator[Mailer]:
    with Mailer(inbox.server) as mailer:
        yield mailer


def sent(mailer: Mailer, inbox: Inbox, given: Any) -> bytes:
    """What arrived of it."""
    count = len(inbox.messages)
    assert mailer.send(given).complete
    assert len(inbox.messages) == count + 1
    return inbox.messages[-1].content


@pytest.mark.parametrize("body", BODIES)
def test_g103_g104_finished_octets(mailer: Mailer, inbox: Inbox, body: str) -> None:
    """Unchanged; only a last line without its end gets one (RFC 5321 §4.1.1.4)."""
    raw = HEAD + BODIES[body]
    assert sent(mailer, inbox, raw) == raw + (b"" if raw.endswith(b"\r\n") else b"\r\n")


def test_g103_dots_at_every_place_around_the_border_of_a_chunk(mailer: Mailer, inbox: Inbox) -> None:
    for shift in range(6):
        fill = CHUNK - len(HEAD) - shift
        lines = b"".join(b"%0898d\r\n" % n for n in range(fill // 900))
        raw = HEAD + lines + b"y" * (fill - len(lines) - 2) + b"\r\n" + b".\r\n..\r\n.z\r\n"
        assert raw[CHUNK - shift : CHUNK - shift + 2] == b".\r"
        assert sent(mailer, inbox, raw) == raw


@pytest.mark.parametrize("text", ["", "\n", "\n\n\n", "x", ".", ".\n", "\n.", "a\n.\n..\n.b", "\r\n", "\r", "\r\r\n\n"])
def test_g101_g104_the_text_of_a_message(mailer: Mailer, inbox: Inbox, text: str) -> None:
    """Line ends of any kind are line ends; otherwise the text is the same."""
    body = sent(mailer, inbox, Message("ada@example.org", "bob@example.org", "x", text)).partition(b"\r\n\r\n")[2]
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    assert body.decode() == (lines if lines.endswith("\r\n") or not lines else lines + "\r\n")


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=60))
def test_g106_any_text(text: str) -> None:
    """NUL, controls and letters of any script: what can't stand as it is, is encoded."""
    message = Message("ada@example.org", "bob@example.org", "x", text)
    raw = written(message)
    assert raw.isascii() and b"\0" not in raw
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    assert text_of(read(raw)) in (lines, lines + "\n")


@pytest.mark.parametrize("given", [b"", b"\r\n", b"\r\n\r\n", b"hello", b"Subject: x\r\n\r\nhello\r\n"])
def test_g104_what_has_no_sender_or_recipients_is_refused(mailer: Mailer, inbox: Inbox, given: bytes) -> None:
    count = len(inbox.messages)
    with pytest.raises((MessageError, HeaderError)):
        mailer.send(given)
    with pytest.raises(MessageError):
        mailer.send(Message())
    assert len(inbox.messages) == count
