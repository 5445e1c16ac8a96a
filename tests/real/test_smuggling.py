"""SMTP smuggling: what some server takes for the end of a message, sent through every way into ours to real servers.

Servers differ in what ends the content: RFC 5321 says CRLF.CRLF, and many take less. Whatever stands in a message of
ours must therefore arrive as one message, or not leave at all. Debian's Postfix 3.7 takes a bare LF for a line end by
default: the first test shows that it would see two messages, so one message there means that we sent none of these.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mailwright import Attachment, Inbox, Mailer, Message
from mailwright.drivers import sync
from mailwright.errors import MessageError
from mailwright.mailer.delivering import deliver
from mailwright.mailer.outgoing import outgoing_mail
from mailwright.options import Envelope
from mailwright.smtp.ledger import Ledger
from mailwright.smtp.opening import open_session
from mailwright.smtp.session import Session, quit_session
from mailwright.words.value import replace
from tests.real.test_delivery import SENDER, marked, reach
from tests.servers import RealServer
from tests.servers.fixtures import real_servers

pytestmark = pytest.mark.real

TO = "b@analytical.test"
ENDINGS = [
    *["\n.\n", "\n.\r\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r\n.\n", "\n.\r", "\r\n.\r\r\n", "\r\r\n.\r\r\n"],
    *["\r\n\0.\r\n", "\r\n.\0\r\n", "\r\n.\r\n", "\r\n..\r\n", "\x85.\x85", "\u2028.\u2028", "\v.\v", "\f.\f"],
]
OCTETS = [b"\r\n\x85.\x85\r\n", b"\r\n\xff.\r\n", b"\r\n.\xc2\x85\r\n"]


def smuggled(mark: str) -> str:
    """What a server obeys that has taken the content for ended: a second message, with the same mark."""
    return (
        f"MAIL FROM:<eve@mail.test>\r\nRCPT TO:<{TO}>\r\nDATA\r\n"
        f"From: eve@mail.test\r\nSubject: smuggled {mark}\r\nMessage-ID: <2.{mark}@mail.test>\r\n\r\n{mark}\r\n.\r\nQUIT\r\n"
    )


def header(mark: str) -> str:
    return (
        f"From: {SENDER}\r\nTo: {TO}\r\nSubject: {mark}\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <1.{mark}@mail.test>\r\n\r\n"
    )


@pytest.fixture(params=[*real_servers(), "inbox"])
def receiver(request: pytest.FixtureRequest) -> Iterator[RealServer]:
    """Each real server in turn, and our own."""
    if request.param != "inbox":
        yield request.getfixturevalue(request.param)
        return
    with Inbox(tls=False) as inbox:
        here = inbox.server
        yield RealServer(
            "inbox", here.host, here.port, "none", lambda: [m.content for m in inbox.messages], frozenset()
        )


def arrived(receiver: RealServer, *marks: str) -> list[int]:
    """How many messages hold each mark, once a message that was sent after them is there and nothing more comes."""
    last = marked()
    with Mailer(reach(receiver)) as mailer:
        mailer.send(Message(SENDER, TO, last, "the last one"))
    receiver.find(last.encode(), 30)
    before = -1
    while len(stored := receiver.mailbox()) != before:
        before = len(stored)
        time.sleep(0.3)
    return [sum(mark.encode() in message for message in stored) for mark in marks]


def test_g102_the_oracle_sees_two_messages_where_there_are_two(postfix: RealServer) -> None:
    """Sent by hand, without our client, so that one message in the tests below means something."""
    mark = marked()
    with socket.create_connection((postfix.host, postfix.port), 10) as sock, sock.makefile("rb") as replies:
        for command in ("", "HELO x.test\r\n", f"MAIL FROM:<{SENDER}>\r\n", f"RCPT TO:<{TO}>\r\n", "DATA\r\n"):
            sock.sendall(command.encode())
            assert replies.readline()[:1] in b"23"
        sock.sendall((header(mark) + "hello" + "\n.\r\n" + smuggled(mark)).encode())
        while replies.readline():
            pass
    assert arrived(postfix, mark) == [2]


def test_g102_the_text_of_a_message(receiver: RealServer) -> None:
    """A `Message` has line ends of one kind, whatever was given, and every dot that begins a line is doubled."""
    marks = [marked() for _ in ENDINGS]
    with Mailer(reach(receiver)) as mailer:
        for mark, ending in zip(marks, ENDINGS, strict=True):
            assert mailer.send(Message(SENDER, TO, "x", f"{mark}{ending}{smuggled(mark)}", html="")).complete
    assert arrived(receiver, *marks) == [1] * len(marks)


def test_g102_html_and_attached_text(receiver: RealServer) -> None:
    marks = [marked() for _ in ENDINGS]
    with Mailer(reach(receiver)) as mailer:
        for mark, ending in zip(marks, ENDINGS, strict=True):
            evil = f"hello{ending}{smuggled(mark)}"
            attached = [Attachment(evil.encode(), "a.txt", "text/plain"), Attachment(evil.encode(), "a.bin")]
            assert mailer.send(Message(SENDER, TO, mark, "x", f"<p>{evil}</p>", attachments=attached)).complete
    assert arrived(receiver, *marks) == [1] * len(marks)


def attempts(mark: str) -> Iterator[Any]:
    """Finished octets with each ending, in every form in which a mailer takes them."""
    for body in [*(ending.encode() for ending in ENDINGS), *OCTETS]:
        octets = header(mark).encode() + b"hello" + body + smuggled(mark).encode()
        yield octets
        yield Envelope.of(SENDER, TO), octets
        yield octets.replace(b"\r\n", b"\n")
        yield octets.replace(b"\r\n", b"\r")


def test_g102_finished_octets(receiver: RealServer) -> None:
    """Sent as they are where every line end is CRLF, made so where all are LF, and refused otherwise."""
    sent, refused, marks = 0, 0, []
    with Mailer(reach(receiver)) as mailer:
        for number in range(len(list(attempts("")))):
            mark = marked()
            given = list(attempts(mark))[number]
            try:
                assert mailer.send(given).complete
            except MessageError as error:
                assert "stand" in str(error) or "CR" in str(error)
                refused += 1
                continue
            sent += 1
            marks.append(mark)
    assert sent and refused
    assert arrived(receiver, *marks) == [1] * sent


def test_g102_with_data_where_bdat_is_offered(receiver: RealServer) -> None:
    """CHUNKING needs no end mark, so a server that offers it would prove little: here DATA is used all the same."""
    marks = [marked() for _ in ENDINGS]
    session = Session(reach(receiver))
    link = sync.Link()

    async def plan() -> None:
        await open_session(session)
        kept = [keyword for keyword in session.features.keywords if keyword[0] != "CHUNKING"]
        session.features = replace(session.features, keywords=tuple(kept))
        for mark, ending in zip(marks, ENDINGS, strict=True):
            mail = outgoing_mail(Message(SENDER, TO, "x", f"{mark}{ending}{smuggled(mark)}"), None, None)
            ledger = Ledger(mail.envelope.recipients)
            receipt = await deliver(session, mail, ledger, "raise", False)
            assert receipt.complete and "C DATA" in str(receipt.transcript)
        await quit_session(session)

    try:
        sync.run(plan(), link)
    finally:
        link.close()
    assert arrived(receiver, *marks) == [1] * len(marks)
