"""No connection, or one that dies: each reason is told, in time, by every driver. The fault catalogue, A."""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from mailwright import AsyncMailer, DeliveryError, Mailer, Server
from mailwright.options import Timeouts
from mailwright.steps import Clock, Connect, Exchange, Outgoing, Read, Sleep, Write
from mailwright.words.errors import ConnectError, Timeout
from tests.unit.drivers.driving import (
    MESSAGE,
    deliver,
    drive,
    each_driver,
    each_library,
    pause,
    run_in,
    serving,
)

NOWHERE = "mail.example.org"


def found(*places: tuple[str, int]) -> list[Any]:
    """What a resolver says."""
    return [
        (socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))
        for host, port in places
    ]


@contextmanager
def black_hole() -> Iterator[int]:
    """A port that never answers: its backlog is full, so the kernel drops what asks for a connection."""
    fillers = []
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(silent.getsockname())
            fillers.append(filler)
        try:
            yield silent.getsockname()[1]
        finally:
            for filler in fillers:
                filler.close()


# The name


def resolver(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], list[Any]]) -> list[str]:
    """In place of the system's resolver: says what `answer` says; gives the names that it was asked for."""
    asked: list[str] = []

    def look_up(
        host: str | bytes, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        if flags & socket.AI_NUMERICHOST:  # Trio asks first whether it is a number
            raise socket.gaierror(socket.EAI_NONAME, "not a number")
        asked.append(host.decode() if isinstance(host, bytes) else host)
        return answer()

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@each_driver
@pytest.mark.parametrize(
    ("code", "temporary", "words"),
    [
        (socket.EAI_NONAME, False, "no such host name"),
        (socket.EAI_AGAIN, True, "can't be looked up at the moment"),
    ],
)
def test_a1_a2_a_name_that_is_not_found(
    driver: str, monkeypatch: pytest.MonkeyPatch, code: int, temporary: bool, words: str
) -> None:
    """A resolver that is away may be back; a name that does not exist will not. It is asked once."""

    def fail() -> list[Any]:
        raise socket.gaierror(code, "of the resolver")

    asked = resolver(monkeypatch, fail)
    error = deliver(driver, Server(NOWHERE, 587))
    assert isinstance(error, ConnectError) and error.temporary is temporary and error.phase == "connect"
    assert words in str(error) and NOWHERE in str(error) and asked == [NOWHERE]


@each_library
def test_a2_a_resolver_that_says_nothing(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asynchronous code does not wait longer than it wanted to, though the system's resolver can't be called off."""
    release = threading.Event()

    def wait() -> list[Any]:
        release.wait(20)
        return []

    resolver(monkeypatch, wait)
    if library == "asyncio":  # at its end the loop waits for the thread that asks: it is let go when we were answered
        threading.Timer(1.0, release.set).start()
    error = deliver(library, Server(NOWHERE, 587, timeouts=Timeouts(connect=0.2)))
    release.set()
    assert isinstance(error, ConnectError) and error.temporary and "no answer in time" in str(error)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_asyncio_starts_no_thread_for_an_address(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolver(monkeypatch, list)
    error = deliver("asyncio", Server(address, 1, "none"))
    assert isinstance(error, ConnectError) and "connection refused" in str(error) and asked == []


# The addresses


@each_driver
def test_a3_another_address_is_reached_when_the_first_refuses(driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def greet(sock: socket.socket) -> None:
        sock.sendall(b"220 mx\r\n")
        sock.recv(1)

    async def plan() -> bytes:
        await Connect(NOWHERE, port, 5)
        return await Read(5)

    with serving(greet) as port:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: found(("::1", port), ("127.0.0.1", port)))
        assert drive(driver, plan()) == b"220 mx\r\n"


@each_driver
def test_a3_both_reasons_are_told_when_both_fail(driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with black_hole() as port:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: found(("::1", 1), ("127.0.0.1", port)))
        error = deliver(driver, Server(NOWHERE, 587, timeouts=Timeouts(connect=0.4)))
    assert isinstance(error, ConnectError) and error.temporary
    assert "(::1)" in str(error) and "no answer in time (127.0.0.1)" in str(error)


@each_driver
@pytest.mark.parametrize(("port", "advice"), [(587, "465 for 'tls', 587 for 'starttls'"), (25, "use 465")])
def test_a4_nobody_listens(driver: str, port: int, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: found(("127.0.0.1", 1)))
    error = deliver(driver, Server(NOWHERE, port))
    assert isinstance(error, ConnectError) and error.temporary
    assert "connection refused" in str(error) and advice in str(error)


@each_driver
def test_a5_a_port_that_never_answers(driver: str) -> None:
    async def plan() -> float:
        before = await Clock()
        with pytest.raises(ConnectError, match="no answer in time"):
            await Connect("127.0.0.1", port, 0.3)
        return await Clock() - before

    with black_hole() as port:
        assert drive(driver, plan()) >= 0.3
        error = deliver(driver, Server("127.0.0.1", port, "none", timeouts=Timeouts(connect=0.3)))
    assert isinstance(error, ConnectError) and error.temporary and error.phase == "connect"
    assert "A firewall may drop the port" in str(error)


@each_driver
def test_a5_the_whole_deadline_bounds_it_too(driver: str) -> None:
    with black_hole() as port:
        error = deliver(driver, Server("127.0.0.1", port, "none", timeouts=Timeouts(connect=3600.0, total=0.3)))
    assert isinstance(error, DeliveryError) and error.temporary


@each_library
def test_a5_a_task_that_connects_can_be_cancelled(library: str) -> None:
    """At once, and the mailer is as good as before."""

    async def main() -> list[BaseException]:
        caught: list[BaseException] = []
        async with AsyncMailer(server) as mailer:

            async def send() -> None:
                try:
                    await mailer.send(MESSAGE)
                except BaseException as problem:
                    caught.append(problem)
                    raise

            if library == "asyncio":
                task = asyncio.create_task(send())
                await pause(library, 0.05)
                task.cancel()
                await asyncio.wait([task])
            else:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(send)
                    await pause(library, 0.05)
                    nursery.cancel_scope.cancel()
            assert "0 connections in use" in repr(mailer)
        return caught

    with black_hole() as port:
        server = Server("127.0.0.1", port, "none", timeouts=Timeouts(connect=3600.0))
        (cancelled,) = run_in(library, main)
    assert isinstance(cancelled, {"asyncio": asyncio.CancelledError, "trio": trio.Cancelled}[library])
    assert isinstance(cancelled.__cause__, DeliveryError) and not cancelled.__cause__.in_doubt


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Ctrl-C is sent by a timer of POSIX")
def test_a5_ctrl_c_while_connecting() -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        with black_hole() as port:
            mailer = Mailer(Server("127.0.0.1", port, "none", timeouts=Timeouts(connect=3600.0)))
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(KeyboardInterrupt):
                mailer.send(MESSAGE)
            assert "0 connections in use, 0 idle" in repr(mailer)
            mailer.close()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# The handshake that stalls (C43), and what a reset leaves behind (F91)


@each_library
def test_c43_a_cancelled_handshake_frees_its_socket_at_once(library: str) -> None:
    heard, closed = threading.Event(), threading.Event()

    def stall(sock: socket.socket) -> None:
        sock.recv(65536)
        heard.set()
        while sock.recv(65536):
            pass
        closed.set()

    async def main() -> None:
        async with AsyncMailer(Server("127.0.0.1", port, "tls", timeouts=Timeouts(connect=3600.0))) as mailer:

            async def send() -> None:
                await mailer.send(MESSAGE)

            if library == "asyncio":
                task = asyncio.create_task(send())
                while not heard.is_set():
                    await pause(library, 0.01)
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled()
            else:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(send)
                    while not heard.is_set():
                        await pause(library, 0.01)
                    nursery.cancel_scope.cancel()
            for _ in range(1000):  # while the mailer is still open
                if closed.is_set():
                    return
                await pause(library, 0.01)
            pytest.fail("the socket is still open")

    with serving(stall) as port:
        run_in(library, main)


@each_driver
def test_c43_a_handshake_ends_at_its_limit(driver: str) -> None:
    def stall(sock: socket.socket) -> None:
        while sock.recv(65536):
            pass

    with serving(stall) as port:
        error = deliver(driver, Server("127.0.0.1", port, "tls", timeouts=Timeouts(connect=0.3)))
    assert isinstance(error, Timeout) and error.temporary and error.phase == "tls"


@each_driver
@pytest.mark.parametrize("step", ["read", "exchange", "write"])
def test_f91_what_was_said_before_a_reset_is_heard(driver: str, step: str) -> None:
    """The 250 lies in the kernel when the reset comes: it counts."""
    reset = threading.Event()

    def serve(sock: socket.socket) -> None:
        sock.recv(100)
        sock.sendall(b"250 ok\r\n")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        reset.set()

    async def plan() -> bytes | None:
        await Connect("127.0.0.1", port, 5)
        await Write(b"hello", 5)
        reset.wait(10)
        await Sleep(0.05)
        if step == "exchange":
            return await Exchange(Outgoing([b"more"]), 5)
        if step == "write":
            with pytest.raises(ConnectionError):
                for _ in range(3):  # the first may still be taken
                    await Write(b"more", 5)
        return await Read(5)

    with serving(serve) as port:
        assert drive(driver, plan()) == b"250 ok\r\n"
