"""The drivers perform steps alike: one list of cases over the blocking, the asyncio and the Trio driver, and the memory
driver's proofs.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trio
import trio.testing
import trustme

from mailwright.drivers import aio, memory
from mailwright.drivers import trio as trio_driver
from mailwright.steps import Ask, Clock, Close, Connect, Exchange, Outgoing, Read, Sleep, StartTLS, Together, Write
from mailwright.words.errors import ConnectError, TLSError
from mailwright.words.server import TLS
from tests.unit.drivers.driving import LIBRARIES, drive, each_driver, each_library, pause, run_in, serving


@pytest.fixture
def port() -> Iterator[int]:
    """A server that answers what it hears in capitals, on several connections."""

    def echo(sock: socket.socket) -> None:
        while data := sock.recv(65536):
            sock.sendall(data.upper())

    with serving(echo) as port:
        yield port


@each_driver
def test_steps(driver: str, port: int) -> None:
    async def plan() -> list[Any]:
        peer = await Connect("localhost", port, 5)
        with pytest.raises(TimeoutError):
            await Read(0)
        with pytest.raises(TimeoutError):
            await Read(0.01)
        await Write(b"hello", 5)
        heard = await Read(5)
        before = await Clock()
        await Sleep(0.02)
        after = await Clock()
        answer = await Ask(lambda: 42)
        await Close()
        with pytest.raises(ConnectionError):
            await Read(1)
        return [peer.address, peer.local, heard, after - before >= 0.015, answer]

    assert drive(driver, plan()) == ["127.0.0.1", "127.0.0.1", b"HELLO", True, 42]


@each_driver
def test_exchange_can_not_lock_up(driver: str, port: int) -> None:
    """Far more than the buffers of both sides hold, to a server that answers every octet."""
    octets = b"abcdefgh" * 8192 * 40

    async def plan() -> bytes:
        await Connect("127.0.0.1", port, 5)
        outgoing = Outgoing(octets[i : i + 65536] for i in range(0, len(octets), 65536))
        heard = bytearray()
        while not outgoing.done:
            heard += await Exchange(outgoing, 5) or b""
        while len(heard) < len(octets):
            heard += await Read(5)
        assert outgoing.handed == len(octets)
        return bytes(heard)

    assert drive(driver, plan()) == octets.upper()


@each_driver
def test_together_runs_side_by_side(driver: str, port: int) -> None:
    async def one(word: bytes, wait: float) -> bytes:
        await Connect("127.0.0.1", port, 5)
        await Write(word, 5)
        await Sleep(wait)
        return await Read(5)

    async def broken() -> None:
        raise ValueError("on purpose")

    async def plan() -> list[Any]:
        begin = await Clock()
        results = await Together((one(b"a", 0.2), one(b"b", 0.2), one(b"c", 0.2), broken()))
        return [*results[:3], repr(results[3]), (await Clock()) - begin < 0.5]

    assert drive(driver, plan()) == [b"A", b"B", b"C", "ValueError('on purpose')", True]


@each_driver
def test_a_plan_may_await_steps_only(driver: str) -> None:
    async def plan() -> None:
        await asyncio.sleep(0)

    with pytest.raises(TypeError, match="a plan may await steps only"):
        drive(driver, plan())


@each_driver
def test_connect_says_why_for_each_address(driver: str) -> None:
    async def plan() -> None:
        await Connect("localhost", 1, 5)

    with pytest.raises(ConnectError, match="connection refused"):
        drive(driver, plan())

    async def nowhere() -> None:
        await Connect("no-such-host.invalid", 25, 5)

    with pytest.raises(ConnectError, match="no such host name|looked up"):
        drive(driver, nowhere())

    async def impossible() -> list[Any]:
        return await Together((unsayable("x" * 64 + ".example"), unsayable("a..example")))

    async def unsayable(host: str) -> None:
        await Connect(host, 25, 5)

    for problem in drive(driver, impossible()):
        assert isinstance(problem, ConnectError) and "no such host name" in str(problem)


@each_driver
def test_the_race_goes_on_when_one_address_is_silent(driver: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first address never answers (a full backlog); the second is reached within the delay of RFC 8305."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.2", 0))
        silent.listen(0)
        quiet = silent.getsockname()
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(quiet)
            fillers.append(filler)
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", quiet),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: found)

        async def plan() -> str:
            begin = await Clock()
            peer = await Connect("two.example", port, 5)
            assert 0.2 <= (await Clock()) - begin < 4
            return peer.address

        assert drive(driver, plan()) == "127.0.0.1"
        for filler in fillers:
            filler.close()


@each_driver
def test_an_act_that_takes_long_may_be_plain_or_awaitable(driver: str) -> None:
    """The asynchronous drivers call a plain one in a thread; what it returns may still have to be awaited."""

    async def later() -> str:
        await pause(driver, 0.001)
        return "awaited"

    async def plan() -> list[Any]:
        plain = await Ask(threading.get_ident, blocking=True)
        with pytest.raises(KeyError):
            await Ask(lambda: {}["nothing"], blocking=True)
        return [plain] if driver == "sync" else [plain, await Ask(later, blocking=True), await Ask(lambda: later())]

    here = threading.get_ident()
    if driver == "sync":
        assert drive(driver, plan()) == [here]
    else:
        thread, *awaited = drive(driver, plan())
        assert thread != here and awaited == ["awaited", "awaited"]


@each_library
def test_a_long_upload_leaves_others_their_turn(library: str) -> None:
    """The kernel takes every chunk at once, so that writing never has to wait for it."""
    driver = LIBRARIES[library]
    turns: list[bool] = []
    outgoing = Outgoing(b"x" * 100 for _ in range(50))

    async def exchange() -> None:
        await Connect("127.0.0.1", listener.getsockname()[1], 5)
        assert await Exchange(outgoing, 5) is None

    async def upload() -> None:
        link = driver.Link()
        await driver.run(exchange(), link)
        link.close()

    async def other() -> None:
        while not outgoing.done:
            turns.append(outgoing.handed > 0)
            await pause(library, 0)

    async def with_asyncio() -> None:
        await asyncio.gather(upload(), other())

    async def with_trio() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(upload)
            nursery.start_soon(other)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        run_in(library, with_asyncio if library == "asyncio" else with_trio)
    assert sum(turns) >= 40


def test_trio_sleeps_by_its_own_clock() -> None:
    async def day() -> float:
        before = await Clock()
        await Sleep(86400)
        return (await Clock()) - before

    async def main() -> float:
        return await trio_driver.run(day(), trio_driver.Link())

    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)) == 86400


def test_trio_lets_a_cancellation_through_as_itself(port: int) -> None:
    """Not in a group, though several tasks wait for it."""
    caught: list[BaseException] = []

    async def silent() -> None:
        await Connect("127.0.0.1", port, 5)
        await Read(60)

    async def several() -> None:
        await Together((silent(), silent()))

    async def full() -> None:
        await Connect("127.0.0.1", deaf.getsockname()[1], 5)
        await Exchange(Outgoing([b"x" * 50_000_000]), 60)

    async def main() -> None:
        for plan in (silent(), several(), full()):
            link = trio_driver.Link()
            with trio.move_on_after(0.05):
                try:
                    await trio_driver.run(plan, link)
                except BaseException as problem:
                    caught.append(problem)
                    raise
            link.close()

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        trio.run(main)
    assert [type(problem) for problem in caught] == [trio.Cancelled] * 3


@each_library
def test_closing_a_link_wakes_who_waits_for_it(library: str, port: int) -> None:
    driver = LIBRARIES[library]
    connected: list[bool] = []

    async def silent() -> None:
        await Connect("127.0.0.1", port, 5)
        connected.append(True)
        await Read(60)

    async def reader(link: Any) -> None:
        with pytest.raises(ConnectionAbortedError):
            await driver.run(silent(), link)

    async def closer(link: Any) -> None:
        while not connected:
            await pause(library, 0.001)
        link.close()

    async def with_asyncio() -> None:
        link = aio.Link()
        await asyncio.gather(reader(link), closer(link))

    async def with_trio() -> None:
        link = trio_driver.Link()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reader, link)
            nursery.start_soon(closer, link)

    run_in(library, with_asyncio if library == "asyncio" else with_trio)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(issued: trustme.LeafCert, maximum: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A server's context with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    if maximum is not None:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = maximum
    return context


def handshake(context: ssl.SSLContext, tls: TLS, host: str = "mx.example.org", segment: int = 0) -> Any:
    """A real TLS handshake in memory, and a word in each direction."""
    clock = memory.Time()
    ours, theirs = memory.pair(clock, segment)

    async def client() -> Any:
        facts = await StartTLS(tls, host, 10)
        await Write(b"ping", 10)
        heard = b""
        while len(heard) < 4:
            heard += await Read(10)
        return facts, heard

    async def server() -> None:
        await StartTLS(TLS(context=context), "", 10, server_side=True)
        heard = b""
        while len(heard) < 4:
            heard += await Read(10)
        await Write(heard.upper(), 10)
        await Read(10)

    result, _ = memory.converse((client(), ours), (server(), theirs), time=clock)
    return result


@pytest.mark.parametrize("segment", [0, 1, 100])
def test_tls_in_memory(authority: trustme.CA, tmp_path: Any, segment: int) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued = authority.issue_cert("mx.example.org")
    facts, heard = handshake(server_context(issued), TLS(ca_file=str(tmp_path / "ca.pem")), segment=segment)
    assert heard == b"PING" and facts.version == "TLSv1.3" and facts.verified


@pytest.mark.parametrize(
    ("names", "host", "accepted"),
    [
        (["mx.example.org"], "mx.example.org", True),
        (["mx.example.org"], "MX.example.org", True),
        (["*.example.org"], "mx.example.org", True),
        (["*.example.org"], "a.mx.example.org", False),
        (["*.example.org"], "example.org", False),
        (["other.example.org"], "mx.example.org", False),
        (["127.0.0.1"], "127.0.0.1", True),
        (["localhost"], "127.0.0.1", False),
        (["::1"], "::1", True),
    ],
)
def test_the_name_must_match(authority: trustme.CA, tmp_path: Any, names: list[str], host: str, accepted: bool) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    result = handshake(server_context(authority.issue_cert(*names)), TLS(ca_file=str(tmp_path / "ca.pem")), host)
    if accepted:
        assert result[1] == b"PING"
    else:
        assert isinstance(result, TLSError) and "not for" in str(result)


def test_a_common_name_alone_does_not_count(authority: trustme.CA, tmp_path: Any) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued = authority.issue_cert("other.example.org", common_name="mx.example.org")
    result = handshake(server_context(issued), TLS(ca_file=str(tmp_path / "ca.pem")))
    assert isinstance(result, TLSError)


def test_an_expired_certificate_says_so(authority: trustme.CA, tmp_path: Any) -> None:
    import datetime

    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)  # noqa: UP017 - 3.11 spelling kept readable
    result = handshake(
        server_context(authority.issue_cert("mx.example.org", not_after=past)), TLS(ca_file=str(tmp_path / "ca.pem"))
    )
    assert isinstance(result, TLSError) and "expired" in str(result)


def test_an_unknown_ca_is_refused_and_a_pin_replaces_it(authority: trustme.CA) -> None:
    import hashlib

    issued = authority.issue_cert("somebody.else")
    context = server_context(issued)
    result = handshake(context, TLS())
    assert isinstance(result, TLSError) and "not from a CA" in str(result)
    assert "unverified" not in str(result) and "verify" not in str(result)
    der = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
    assert handshake(context, TLS(pin=hashlib.sha256(der).hexdigest()))[1] == b"PING"
    assert "not the pinned one" in str(handshake(context, TLS(pin="ab" * 32)))


def test_the_public_key_can_be_pinned(authority: trustme.CA) -> None:
    import hashlib

    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    issued = authority.issue_cert("somebody.else")
    key = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes()).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    assert handshake(server_context(issued), TLS(pin=digest))[1] == b"PING"


def test_old_tls_is_refused(authority: trustme.CA, tmp_path: Any) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with pytest.warns(DeprecationWarning):
        context = server_context(authority.issue_cert("mx.example.org"), ssl.TLSVersion.TLSv1_1)
    context.set_ciphers("ALL:@SECLEVEL=0")
    assert isinstance(handshake(context, TLS(ca_file=str(tmp_path / "ca.pem"))), TLSError)


def test_exchange_in_memory_with_small_buffers() -> None:
    """Both sides write more than the pipes hold before they read: with Exchange nobody waits for ever."""
    clock = memory.Time()
    ours, theirs = memory.pair(clock, capacity=100)

    async def side() -> int:
        outgoing = Outgoing([b"x" * 5000])
        heard = 0
        while not outgoing.done:
            heard += len(await Exchange(outgoing, 10) or b"")
        while heard < 5000:
            heard += len(await Read(10))
        return heard

    assert memory.converse((side(), ours), (side(), theirs), time=clock) == [5000, 5000]


def test_virtual_time_costs_none() -> None:
    clock = memory.Time()
    ours, _ = memory.pair(clock)

    async def patient() -> float:
        await Sleep(86400)
        return await Clock()

    begin = time.monotonic()
    assert memory.alone(patient(), ours) == 86400
    assert time.monotonic() - begin < 60  # a day passed in less than a minute of ours
