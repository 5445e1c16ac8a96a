"""What a stranger whose text reaches sendmail can't do with it: a second message, other readers, a wait without end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailwright import Inbox
from mailwright.cli.sendmail.dead_letter import keep
from mailwright.cli.sendmail.reading import plain, tidied
from mailwright.cli.sendmail.stdio import Lines
from mailwright.message.fields import first, header_addresses, read_fields
from tests.unit.cli.running import Ran, program, surroundings

ADA, BOB = "ada@example.org", "bob@example.org"
FORGED = b"MAIL FROM:<admin@example.org>\nRCPT TO:<eve@example.com>\nDATA\nFrom: admin@example.org\n\npay\n"


def sent(inbox: Inbox, text: bytes, home: Path, *words: str) -> Ran:
    env = surroundings(home, MAILWRIGHT_URL=inbox.url, SENDER_EMAIL=ADA)
    return program("sendmail", *words, stdin=text, env=env)


# SMTP on standard input


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n\n.\n", b"\n\n.\n", b"\r.\r", b"\r\n\0.\r\n"])
def test_a_line_end_that_the_client_does_not_use_ends_no_message(end: bytes, tmp_path: Path) -> None:
    """Clients such as Symfony's double the dots behind CRLF alone: a text with LF must not become two messages."""
    text = b"Subject: x\r\n\r\nhello" + end.replace(b"\r\n.", b"\r\n..") + FORGED
    talk = b"EHLO a\r\nMAIL FROM:<%b>\r\nRCPT TO:<%b>\r\nDATA\r\nFrom: %b\r\n%b\r\n.\r\nQUIT\r\n"
    with Inbox(tls=False) as inbox:
        ran = sent(inbox, talk % (ADA.encode(), BOB.encode(), ADA.encode(), text), tmp_path, "-bs")
        assert ran.code == 0 and ran.out.endswith("221 2.0.0 Goodbye\r\n") and ran.out.count("\r\n354 ") == 1
        for one in inbox.messages:
            assert [str(address) for address in one.recipients] == [BOB] and b"admin" in one.content
        assert len(inbox.messages) <= 1  # a bare CR is refused


def test_text_with_the_other_line_end_arrives_as_it_was_meant(tmp_path: Path) -> None:
    meant = b"one\n.two\r\n..three\n.\n.\r\n.\n..four\n"
    begin = f"EHLO a\r\nMAIL FROM:<{ADA}>\r\nRCPT TO:<{BOB}>\r\nDATA\r\nFrom: {ADA}\r\n\r\n".encode()
    said = begin + meant.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\nQUIT\r\n"
    with Inbox(tls=False) as inbox:
        sent(inbox, said, tmp_path, "-bs")
        body = inbox.messages[0].content.partition(b"\r\n\r\n")[2]
    assert body == meant.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + b"\r\n"


@pytest.mark.parametrize("pieces", [1, 2, 3, 7])
def test_in_whatever_pieces_it_comes(pieces: int) -> None:
    reading, writing = os.pipe()
    said = b"EHLO a\r\n" + b"x\n.\n.y\r\n.\r\n\r\r\n\n..\r" * 3
    lines = Lines(reading)
    heard = b""
    for start in range(0, len(said), pieces):
        os.write(writing, said[start : start + pieces])
        if said[start : start + pieces] != b"\r":
            heard += lines.read(10)
    os.close(writing)
    while more := lines.read(10):
        heard += more
    os.close(reading)
    assert heard == b"EHLO a\r\n" + b"x\r\n..\r\n..y\r\n.\r\n\r\r\n\r\n...\r" * 3


# A message on standard input


def test_a_progress_bar_without_end_is_read_in_one_pass(tmp_path: Path) -> None:
    """Runs of CR took time in the square of their length: hours for a few megabytes."""
    text = b"Subject: x\n\n" + b"\r" * (4 << 20)
    assert tidied(text).count(b"\r\n") == (4 << 20) + 2
    assert plain(text) == text and plain(b"a\r\r\r\nb\r\n\r\rc") == b"a\nb\n\r\rc"
    assert "was saved" in keep(text, (), {"DEAD": str(tmp_path / "dead")})


@pytest.mark.parametrize("field", [b"Bcc : ", b"bCC\t:", b"Bcc \t :\n "])
def test_a_blank_before_the_colon_does_not_show_the_blind_copy(field: bytes, tmp_path: Path) -> None:
    """RFC 5322 §4.5: old programs write it so, and old readers take it for the field."""
    text = b"From: %b\nTo: %b\n%beve@example.com\nSubject: x\n\nNote : to bob\n" % (ADA.encode(), BOB.encode(), field)
    with Inbox(tls=False) as inbox:
        assert sent(inbox, text, tmp_path, "-t").code == 0
        (received,) = inbox.messages
    assert [one.spec for one in received.recipients] == [BOB, "eve@example.com"]
    assert b"eve" not in received.content and received.content.endswith(b"\r\n\r\nNote : to bob\r\n")


def test_a_text_that_is_no_field_stays_text() -> None:
    assert tidied(b"Subject: Disk\nUsage : 90 %\n") == b"Subject: Disk\r\n\r\nUsage : 90 %\r\n"


@pytest.mark.parametrize(
    "field",
    [
        b"<eve@example.com> <bob@example.org>",
        b"bob@example.org (eve@example.com, <eve@example.com>)",
        b'"eve@example.com, " x <bob@example.org>',
    ],
)
def test_header_and_envelope_name_the_same_people(field: bytes, tmp_path: Path) -> None:
    """What the strict grammar refuses is written anew, so that no reader finds somebody else in it."""
    with Inbox(tls=False) as inbox:
        assert sent(inbox, b"From: %b\nTo: %b\nSubject: x\n\nhi\n" % (ADA.encode(), field), tmp_path, "-t").code == 0
        (received,) = inbox.messages
    to = first(read_fields(received.content.partition(b"\r\n\r\n")[0]), "to")
    assert to is not None and [one.spec for one in header_addresses(to.text)] == [BOB] == [
        one.spec for one in received.recipients
    ]


def test_two_authors_in_one_field(tmp_path: Path) -> None:
    """A From of which one reader takes the first address and another the last."""
    text = b"From: <ceo@example.com> <ada@example.org>\nTo: bob@example.org\nSubject: x\n\nhi\n"
    with Inbox(tls=False) as inbox:
        assert sent(inbox, text, tmp_path, "-t").code == 0
        (received,) = inbox.messages
    assert received.sender is not None and received.sender.spec == ADA
    assert b"<ceo@example.com>" not in received.content.replace(b'"<ceo@example.com>"', b"")
