"""Sockets that misbehave: stuck, reset, out of descriptors; and TLS that proves less than it seems to."""

from __future__ import annotations

import errno
import os
import resource
import socket
import ssl
import struct
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import trustme

from mailwright import DeliveryError, Message, Server
from mailwright.drivers import sync
from mailwright.drivers.tls import client_context
from mailwright.options import Timeouts
from mailwright.steps import Connect, Exchange, Outgoing, Read, Sleep, Write
from mailwright.words.errors import ConnectError, ContentRefused, TLSError, Unsupported
from mailwright.words.server import TLS
from tests.dialogue import EHLO, C, Content, S, Secure, hello, raw_mail, send
from tests.unit.drivers.driving import deliver, drive, each_driver, serving


@each_driver
def test_a_refusal_is_heard_though_nobody_reads_on(driver: str) -> None:
    """The server says no in the middle of a long content, keeps the connection, and takes no octet more."""
    done = threading.Event()

    def serve(sock: socket.socket) -> None:
        for said in (b"220 a\r\n", b"250 a\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            sock.sendall(said)
            sock.recv(65536)
        done.wait(0.7)  # until no buffer takes any more
        sock.sendall(b"552 5.3.4 too big\r\n")
        done.wait(20)

    with serving(serve) as port:
        big = Message("ada@example.org", "bob@example.org", "Hi", "line\n" * 4_000_000)
        error = deliver(driver, Server("127.0.0.1", port, "none", timeouts=Timeouts(block=5.0)), big)
        done.set()
    assert isinstance(error, ContentRefused) and error.reply is not None and error.reply.code == 552


@each_driver
def test_what_did_not_leave_in_time_does_not_leave_later(driver: str) -> None:
    """The count of octets that left is the number that the other side can ever get."""
    stuck, got = threading.Event(), bytearray()

    def serve(sock: socket.socket) -> None:
        stuck.wait(20)
        sock.settimeout(10)
        while data := sock.recv(1 << 20):
            got.extend(data)

    outgoing = Outgoing(b"x" * 65536 for _ in range(1000))

    async def plan() -> None:
        await Connect("127.0.0.1", port, 5)
        with pytest.raises(TimeoutError):
            while not outgoing.done:
                await Exchange(outgoing, 0.3)
        stuck.set()
        await Sleep(0.3)

    with serving(serve) as port:
        drive(driver, plan())
    assert len(got) == outgoing.handed < 65_536_000


class Unreachable(socket.socket):
    """A socket whose network goes away after it was connected."""

    gone = False

    def recv(self, *arguments: Any) -> bytes:
        if self.gone:
            raise OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
        return super().recv(*arguments)

    def send(self, *arguments: Any) -> int:
        if self.gone:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        return super().send(*arguments)


def test_a_network_that_goes_away_is_a_lost_connection() -> None:
    ours, theirs = socket.socketpair()
    link = sync.Link(Unreachable(fileno=ours.detach()))
    theirs.sendall(b"220")

    async def plan() -> None:
        assert await Read(5) == b"220"
        link.sock.gone = True  # type: ignore[union-attr]
        theirs.sendall(b" a")
        for step in (Read(5), Write(b"QUIT\r\n", 5), Exchange(Outgoing([b"QUIT\r\n"]), 5)):
            with pytest.raises(ConnectionError):
                await step

    with theirs:
        sync.run(plan(), link)
        link.close()


@each_driver
def test_reset_right_after_the_connection_stands(driver: str) -> None:
    def serve(sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with serving(serve) as port:
        for _ in range(30):
            error = deliver(driver, Server("127.0.0.1", port, "none"))
            assert isinstance(error, DeliveryError) and error.temporary


@each_driver
@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example.org", "ü..example.org"])
def test_a_host_that_is_no_name(driver: str, host: str) -> None:
    assert isinstance(deliver(driver, Server(host, 25, "none")), ConnectError)


@each_driver
@pytest.mark.parametrize("place", ["port", "path"])
def test_no_descriptor_is_left(driver: str, place: str, tmp_path: Path) -> None:
    """Out of file descriptors: an error that says so, of ours, and temporary."""
    path = str(tmp_path / "smtp") if place == "path" else None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    kept: list[int] = []

    def use_up() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, soft), hard))
        while True:
            try:
                kept.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                return

    deliver(driver, Server("127.0.0.1", 1, "none"))  # what is imported late is imported now
    try:
        error = deliver(driver, Server("127.0.0.1", 1, "none", path=path), act=use_up)
    finally:
        for descriptor in kept:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert isinstance(error, ConnectError) and error.temporary and "open files" in str(error)


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's certificate of a CA that nobody trusts."""
    place = tmp_path_factory.mktemp("tls") / "server.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(place))
    return place


def over_tls(certificate: Path, *keywords: str) -> list[Any]:
    """One message over TLS from the first byte."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    begin = [Secure(context), *hello(*keywords), C("MAIL FROM:<ada@example.org>"), S("250 ok")]
    return [*begin, C("RCPT TO:<bob@example.org>"), S("250 ok"), C("DATA"), S("354 go"), Content(), S("250 ok")]


def trusting(check: ssl.VerifyMode = ssl.CERT_NONE) -> ssl.SSLContext:
    """A context of the caller's own that takes any certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = check
    return made


@pytest.mark.parametrize("tls", [TLS(unverified=True), TLS(context=trusting())], ids=["unverified", "context"])
def test_verified_is_said_only_of_what_was_verified(certificate: Path, tls: TLS) -> None:
    server = Server("127.0.0.1", 2525, "tls", tls=tls)
    with pytest.warns(RuntimeWarning, match="not verified") if tls.unverified else nullcontext():
        receipt = send(over_tls(certificate), server=server).result
    assert receipt.complete and not receipt.tls.verified
    assert "NOT VERIFIED" in str(receipt.transcript)


def test_a_name_is_checked_or_the_server_is_not_verified(certificate: Path) -> None:
    context = trusting(ssl.CERT_REQUIRED)
    context.load_verify_locations(certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    receipt = send(over_tls(certificate), server=Server("127.0.0.1", 2525, "tls", tls=TLS(context=context))).result
    assert receipt.complete and not receipt.tls.verified


def test_requiretls_is_not_promised_to_a_server_that_nobody_verified(certificate: Path) -> None:
    from mailwright.message.mail import MailObject
    from mailwright.words.envelope import Envelope

    mail = raw_mail()
    asked = MailObject(
        Envelope(mail.envelope.sender, mail.envelope.recipients, require_tls=True), mail.message_id, mail.form
    )
    server = Server("127.0.0.1", 2525, "tls", tls=TLS(unverified=True))
    turns = over_tls(certificate, "REQUIRETLS")[:4]
    assert turns[2] == C(EHLO)
    with pytest.warns(RuntimeWarning, match="not verified"):
        assert isinstance(send(turns, server=server, mail=asked).error, Unsupported)


def test_a_second_handshake_is_not_allowed() -> None:
    for tls in (TLS(), TLS(pin="0" * 64)):
        assert client_context(tls).options & ssl.OP_NO_RENEGOTIATION
    with pytest.warns(RuntimeWarning):
        assert client_context(TLS(unverified=True)).options & ssl.OP_NO_RENEGOTIATION


def test_a_name_that_can_not_be_one() -> None:
    server = Server("127.0.0.1", 2525, "tls", tls=TLS(name="a\0b"))
    assert isinstance(send([], server=server).error, TLSError)
