"""TLS sessions are resumed across the connections of one mailer, and only where that is right."""

from __future__ import annotations

import datetime
import hashlib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from mailwright import AsyncMailer, Inbox, Login, Mailer, Server
from mailwright.drivers import memory
from mailwright.drivers.tickets import Tickets
from mailwright.errors import TLSError
from mailwright.mailer.pool import Pool
from mailwright.options import TLS, Limits
from mailwright.smtp.session import Session
from mailwright.steps import BindChannel, Close, NotResumed, Read, StartTLS, Write
from tests.unit.drivers.driving import MESSAGE, each_driver, run_in, serving

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
#: A fatal alert: internal_error, which is what OpenSSL says when it can't resume a session.
ALERT = bytes.fromhex("15 03 03 00 02 02 50")

ANSWERS = {b"EHLO": b"250-mail.example.org\r\n250 AUTH PLAIN\r\n", b"AUTH": b"235 welcome\r\n"}
EACH_ITS_OWN = Limits(size=1, messages=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(made / "ca.pem"))
    authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(
        str(made / "server.pem")
    )
    authority.issue_cert("ada@example.org").private_key_and_cert_chain_pem.write_to_path(str(made / "client.pem"))
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=600)
    brief = authority.issue_cert("127.0.0.1", not_after=soon)
    brief.private_key_and_cert_chain_pem.write_to_path(str(made / "brief.pem"))
    return made


def server_context(folder: Path, version: ssl.TLSVersion = V13, certificate: str = "server.pem") -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / certificate)
    made.minimum_version = made.maximum_version = version
    return made


def wants_to_resume(hello: bytes) -> bool:
    """Whether a ClientHello ends with the extension pre_shared_key (RFC 8446 §4.2.11: it must be the last)."""
    at = 5 + 4 + 2 + 32  # record, handshake, version, random
    at += 1 + hello[at]  # session id
    at += 2 + int.from_bytes(hello[at : at + 2])  # ciphers
    at += 1 + hello[at]  # compression
    at += 2
    found = []
    while at < len(hello):
        found.append(int.from_bytes(hello[at : at + 2]))
        at += 4 + int.from_bytes(hello[at + 2 : at + 4])
    return bool(found) and found[-1] == 41


class Street:
    """A mail server with TLS from the first byte. `seen` tells of each connection whether it was resumed, `asked`
    whether that was asked for; `refusing` is what those hear who ask, instead of a handshake.
    """

    def __init__(self, context: Callable[[], ssl.SSLContext]) -> None:
        self._context = context
        self.seen: list[bool] = []
        self.asked: list[bool] = []
        self.refusing: bytes | None = None

    def serve(self, sock: socket.socket) -> None:
        hello = sock.recv(65536, socket.MSG_PEEK)
        self.asked.append(wants_to_resume(hello))
        if self.asked[-1] and self.refusing is not None:
            sock.recv(65536)
            sock.sendall(self.refusing)
            return
        with self._context().wrap_socket(sock, server_side=True) as talk:
            self.seen.append(bool(talk.session_reused))
            talk.sendall(b"220 mail.example.org\r\n")
            while heard := talk.recv(65536):
                if heard.startswith(b"DATA"):
                    talk.sendall(b"354 go\r\n")
                    while not heard.endswith(b"\r\n.\r\n"):
                        heard += talk.recv(65536)
                talk.sendall(ANSWERS.get(heard[:4], b"250 fine\r\n"))


@contextmanager
def street(folder: Path, *contexts: ssl.SSLContext, **tls: Any) -> Iterator[tuple[Street, Server]]:
    """A server that has these contexts one after another, the last for good; and our settings for it."""
    waiting = list(contexts)
    made = Street(lambda: waiting.pop(0) if len(waiting) > 1 else waiting[0])
    with serving(made.serve) as port:
        settings = tls or {"ca_file": str(folder / "ca.pem")}
        yield made, Server("127.0.0.1", port, "tls", tls=TLS(**settings))


def send(driver: str, server: Server, times: int, limits: Limits = EACH_ITS_OWN) -> list[Any]:
    """So many messages through one mailer, each over a connection of its own."""

    async def main() -> list[Any]:
        async with AsyncMailer(server, limits=limits) as mailer:
            return [await mailer.send(MESSAGE) for _ in range(times)]

    if driver == "sync":
        with Mailer(server, limits=limits) as mailer:
            return [mailer.send(MESSAGE) for _ in range(times)]
    found: list[Any] = run_in(driver, main)
    return found


@each_driver
def test_the_second_connection_resumes_the_first(driver: str, folder: Path) -> None:
    with street(folder, server_context(folder)) as (made, server):
        receipts = send(driver, server, 4)
    assert made.seen == [False, True, True, True]
    assert all(receipt.complete for receipt in receipts)
    facts = {receipt.tls and (receipt.tls.verified, receipt.tls.certificate_sha256) for receipt in receipts}
    assert len(facts) == 1 and len({receipt.tls.expires for receipt in receipts}) == 1
    assert receipts[0].tls.verified and receipts[0].tls.certificate_sha256


def test_a_batch_resumes_too(folder: Path) -> None:
    with street(folder, server_context(folder)) as (made, server):
        with Mailer(server, limits=Limits(size=1, messages=5)) as mailer:
            assert all(receipt.complete for receipt in mailer.send_many([MESSAGE] * 20))
    assert made.seen == [False, True, True, True]


@each_driver
def test_two_mailers_share_nothing(driver: str, folder: Path) -> None:
    with street(folder, server_context(folder)) as (made, server):
        send(driver, server, 2)
        send(driver, server, 1)
    assert made.asked == [False, True, False]


def test_not_before_tls_1_3(folder: Path) -> None:
    with street(folder, server_context(folder, V12)) as (made, server):
        assert {receipt.tls.version for receipt in send("sync", server, 3)} == {"TLSv1.2"}
    assert made.seen == [False] * 3


def test_not_with_a_pin_a_client_certificate_or_a_context_of_somebody_else(folder: Path) -> None:
    ca = str(folder / "ca.pem")
    own = ssl.create_default_context(cafile=ca)
    for tls in (
        {"pin": fingerprint(folder)},
        {"ca_file": ca, "certificate": str(folder / "client.pem")},
        {"context": own},
    ):
        with street(folder, server_context(folder), **tls) as (made, server):
            send("sync", server, 3)
        assert made.asked == [False] * 3


def test_not_where_nobody_is_verified(folder: Path) -> None:
    with street(folder, server_context(folder), unverified=True) as (made, server):
        with pytest.warns(RuntimeWarning, match="unverified"):
            send("sync", server, 2)
    assert made.asked == [False] * 2


def fingerprint(folder: Path) -> str:
    """The SHA-256 of the server's certificate."""
    pem = (folder / "server.pem").read_text()
    begin = pem.index("-----BEGIN CERTIFICATE-----")
    end = pem.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem[begin:end])).hexdigest()


@each_driver
def test_a_server_that_has_forgotten_gets_a_whole_handshake(driver: str, folder: Path) -> None:
    with street(folder, *(server_context(folder) for _ in range(3))) as (made, server):
        assert all(receipt.complete for receipt in send(driver, server, 4))
    assert made.asked == [False, True, True, True]
    assert made.seen == [False, False, False, True]


def test_who_forgot_must_prove_itself_again(folder: Path, tmp_path: Path) -> None:
    """In the place of the server stands another, whose certificate nobody trusts."""
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    with street(folder, server_context(folder), server_context(tmp_path)) as (made, server):
        with Mailer(server, limits=EACH_ITS_OWN) as mailer:
            mailer.send(MESSAGE)
            with pytest.raises(TLSError, match="not from a CA that this machine trusts"):
                mailer.send(MESSAGE)
    assert made.asked == [False, True, False]  # and the verdict is that of a whole handshake


@each_driver
def test_a_server_that_can_not_resume_is_not_asked_again(driver: str, folder: Path) -> None:
    with street(folder, server_context(folder)) as (made, server):
        made.refusing = ALERT
        receipts = send(driver, server, 4)
    assert all(receipt.complete for receipt in receipts)
    assert made.asked == [False, True, False, False, False]
    assert "the earlier TLS session was not resumed; beginning anew" in str(receipts[1].transcript)


def test_a_connection_that_ends_during_resumption_is_made_again(folder: Path) -> None:
    with street(folder, server_context(folder)) as (made, server):
        made.refusing = b""
        assert all(receipt.complete for receipt in send("sync", server, 2))
    assert made.asked == [False, True, False]


@each_driver
def test_a_login_is_bound_to_a_resumed_connection(driver: str) -> None:
    login = Login("ada", "correct horse", mechanism="SCRAM-SHA-256-PLUS")
    with Inbox(login, tls=True, security="tls") as inbox:
        receipts = send(driver, inbox.server, 3)
        assert len(inbox.messages) == 3
    assert all("AUTH SCRAM-SHA-256-PLUS" in str(receipt.transcript) for receipt in receipts)


def test_the_binding_of_a_resumed_connection_is_the_certificate_of_the_first(folder: Path) -> None:
    tickets = Tickets()
    bindings, resumed = [], []
    context = server_context(folder)
    for _ in range(2):
        binding, layer = handshake(folder, tickets, memory.Time(), context)
        bindings.append(binding)
        resumed.append(layer.resumed)
    assert resumed == [False, True]
    assert bindings[0] is not None and bindings[0] == bindings[1]


def handshake(
    folder: Path, tickets: Tickets, time: memory.Time, context: ssl.SSLContext, name: str = "127.0.0.1"
) -> tuple[bytes | None, Any]:
    """One connection up to the server's first word; gives its channel binding, and its TLS layer."""
    near, far = memory.pair(time)
    near.secured.tickets = tickets
    kept: list[Any] = []

    async def client() -> bytes | None:
        await StartTLS(TLS(ca_file=str(folder / "ca.pem")), name, 10)
        assert await Read(10) == b"220 hello\r\n"
        kept.append(near.secured.layer)
        binding = await BindChannel("tls-server-end-point")
        await Close()
        return binding

    async def other() -> None:
        await StartTLS(TLS(context=context), "", 10, server_side=True)
        await Write(b"220 hello\r\n", 10)

    binding, problem = memory.converse((client(), near), (other(), far), time=time)
    assert problem is None
    return binding, kept[0]


def test_only_under_the_same_name(folder: Path) -> None:
    tickets, time, context = Tickets(), memory.Time(), server_context(folder)
    names = ["127.0.0.1", "localhost", "localhost", "127.0.0.1"]
    assert [handshake(folder, tickets, time, context, name)[1].resumed for name in names] == [False, False, True, True]


def test_after_an_hour_the_certificate_is_looked_at_again(folder: Path) -> None:
    tickets, time, context = Tickets(), memory.Time(), server_context(folder)
    found = []
    for at in (0.0, 1800.0, 3599.0, 3601.0, 3700.0, 7200.0, 7202.0):
        time.now = at
        found.append(handshake(folder, tickets, time, context)[1].resumed)
    assert found == [False, True, True, False, True, True, False]


def test_nothing_is_resumed_beyond_the_end_of_the_certificate(folder: Path) -> None:
    tickets, time, context = Tickets(), memory.Time(), server_context(folder, certificate="brief.pem")
    found = []
    for at in (0.0, 500.0, 601.0):
        time.now = at
        found.append(handshake(folder, tickets, time, context)[1].offered)
    assert found == [False, True, False]


def test_what_a_plan_hears_of_it(folder: Path) -> None:
    """The other side hangs up on whoever wants to resume: `NotResumed`, which is a `ConnectionError`."""
    tickets, time = Tickets(), memory.Time()
    handshake(folder, tickets, time, server_context(folder))
    near, far = memory.pair(time)
    near.secured.tickets = tickets

    async def client() -> None:
        await StartTLS(TLS(ca_file=str(folder / "ca.pem")), "127.0.0.1", 10)

    async def other() -> None:
        await Read(10)

    problem, _ = memory.converse((client(), near), (other(), far), time=time)
    assert isinstance(problem, NotResumed) and isinstance(problem, ConnectionError)


def test_a_pool_resumes_for_one_server_and_one_login_and_forgets_at_a_fork() -> None:
    class Link:
        def __init__(self) -> None:
            self.secured = memory.Secured()

    def tickets(server: Server) -> Any:
        link = Link()
        pool.new(link, Session(server), 0.0)
        return link.secured.tickets

    pool = Pool(Limits())
    ada = Server("mail.example.org", login=Login("ada", "one"))
    again = Server("mail.example.org", login=Login("ada", "one"))
    first = tickets(ada)
    assert first is not None and tickets(again) is first
    for other in (
        Server("mail.example.org", login=Login("bob", "one")),
        Server("mail.example.org", login=Login("ada", "two")),
        Server("mail.example.org"),
        Server("mx.example.org", login=Login("ada", "one")),
        Server("mail.example.org", login=Login("ada", "one"), tls=TLS(name="mx.example.org")),
    ):
        assert tickets(other) is not first
        first = tickets(ada)
    assert tickets(Server("localhost", security="none")) is None
    pool.forget()
    assert tickets(ada) is not first
