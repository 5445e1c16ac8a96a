"""What only shows now and then: octets that wait in the kernel, a trickle under TLS, a resolver that is slow, signals,
and what is left behind when something goes wrong.
"""

from __future__ import annotations

import asyncio
import gc
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from mailwright import AsyncMailer, Message, Server
from mailwright.options import TLS, Timeouts
from mailwright.steps import Ask, Connect, Exchange, Outgoing, Read, Sleep, StartTLS, Write
from mailwright.words.errors import ConnectError, DeliveryError
from tests.unit.drivers.driving import (
    LIBRARIES,
    MESSAGE,
    deliver,
    drive,
    each_driver,
    each_library,
    run_in,
    serving,
)

OPENED = (b"220 a\r\n", b"250 a\r\n", b"250 b\r\n", b"250 c\r\n", b"354 go\r\n")
BIG = Message("ada@example.org", "bob@example.org", "Hi", "line\n" * 4_000_000)


def until_content(sock: socket.socket) -> None:
    """The server's side of a talk, up to the content."""
    for said in OPENED:
        sock.sendall(said)
        sock.recv(65536)


# What is there and what is not.


@each_driver
def test_a_look_sees_what_the_kernel_has(driver: str) -> None:
    """`Read(0)` decides whether a kept connection is used, and whether somebody spoke before the TLS handshake."""
    said = threading.Event()

    def serve(sock: socket.socket) -> None:
        sock.recv(10)
        sock.sendall(b"421 closing")
        said.set()
        sock.recv(10)

    async def plan() -> bytes:
        await Connect("127.0.0.1", port, 5)
        await Write(b"hello", 5)
        await Ask(lambda: said.wait(10))
        return await Read(0)

    with serving(serve) as port:
        for _ in range(20):
            said.clear()
            assert drive(driver, plan()) == b"421 closing"


@each_driver
def test_a_socket_that_takes_no_more_connections(driver: str, tmp_path: Path) -> None:
    """A Unix socket whose backlog is full says so at once; that is no connection."""
    path = str(tmp_path / "lmtp")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        waiting = []
        for _ in range(3):
            one = socket.socket(socket.AF_UNIX)
            one.setblocking(False)
            one.connect_ex(path)
            waiting.append(one)
        error = deliver(driver, Server("localhost", path=path, timeouts=Timeouts(reply=5.0)))
        for one in waiting:
            one.close()
    assert isinstance(error, ConnectError) and error.temporary and "temporarily unavailable" in str(error)


def test_a_name_that_took_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocking driver can't stop the resolver; when it comes back too late nothing is connected any more."""
    look_up = socket.getaddrinfo

    def slowly(*arguments: Any, **named: Any) -> Any:
        time.sleep(0.2)
        return look_up(*arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    error = deliver("sync", Server("127.0.0.1", 1, "none", timeouts=Timeouts(connect=0.1)))
    assert isinstance(error, ConnectError) and error.temporary and "no answer in time" in str(error)


@each_driver
@pytest.mark.parametrize("code", [socket.EAI_FAIL, socket.EAI_MEMORY])
def test_a_resolver_in_trouble_says_nothing_of_the_name(
    driver: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise socket.gaierror(code, "of the resolver")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    error = deliver(driver, Server("mail.example.org", 587))
    assert isinstance(error, ConnectError) and error.temporary and "can't be looked up at the moment" in str(error)


@each_library
def test_a_task_that_waits_for_a_name_is_cancelled_at_once(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, release = threading.Event(), threading.Event()

    def wait(*given: Any, **_: Any) -> list[Any]:
        if len(given) > 5 and given[5] & socket.AI_NUMERICHOST:  # Trio asks first whether it is a number
            raise socket.gaierror(socket.EAI_NONAME, "not a number")
        asked.set()
        release.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    server = Server("mail.example.org", 587)

    async def with_asyncio() -> bool:
        async with AsyncMailer(server) as mailer:
            task = asyncio.create_task(mailer.send(MESSAGE))
            while not asked.is_set():
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait([task])
        return task.cancelled() and not release.is_set()

    async def with_trio() -> bool:
        async with AsyncMailer(server) as mailer, trio.open_nursery() as nursery:
            nursery.start_soon(mailer.send, MESSAGE)
            while not asked.is_set():
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        return not release.is_set()

    async def main() -> bool:
        try:
            return await (with_asyncio() if library == "asyncio" else with_trio())
        finally:
            release.set()  # at its end asyncio waits for its threads

    assert run_in(library, main)


# Where we come from.


@each_driver
@pytest.mark.parametrize(
    "source", ["127.0.0.1", "fe80::1%lo", "::1%no-such-interface", "localhost", "\udcff"], ids=ascii
)
def test_an_address_that_we_can_not_come_from_is_not_the_name_s_fault(
    driver: str, source: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(100)  # half a character in a log can't be told from one process of the tests to another
    error = deliver(driver, Server("::1", 1, "none", source_address=source))
    assert isinstance(error, ConnectError) and error.temporary and "host name" not in str(error)


@each_driver
def test_a_source_address_with_its_zone(driver: str) -> None:
    """Nothing listens there, and that is all that is wrong."""
    loopback = socket.if_indextoname(1)
    error = deliver(driver, Server("::1", 1, "none", source_address=f"::1%{loopback}"))
    assert isinstance(error, ConnectError)
    assert "can't come from" not in str(error) and "invalid argument" not in str(error)


# A trickle.


@each_driver
def test_a_trickle_under_tls_is_no_progress(driver: str) -> None:
    """A server that takes nothing, and says one octet of a TLS record now and then, is not waited for without end."""
    authority, stop = trustme.CA(), threading.Event()
    server_side, client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    authority.configure_trust(client_side)

    def serve(sock: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        talk = server_side.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                talk.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))
        sock.sendall(outgoing.read() + b"\x17\x03\x03\x40\x00")  # and the beginning of a record
        for _ in range(200):
            if stop.wait(0.05):
                return
            sock.sendall(b"x")

    async def plan() -> None:
        await Connect("127.0.0.1", port, 5)
        await StartTLS(TLS(context=client_side), "127.0.0.1", 5)
        outgoing = Outgoing(b"x" * 65536 for _ in range(2000))
        while not outgoing.done:
            await Exchange(outgoing, 0.5)

    with serving(serve) as port:
        try:
            with pytest.raises(TimeoutError):
                drive(driver, plan())
        finally:
            stop.set()


# Signals, and systems that have no poll().


@pytest.mark.skipif(not hasattr(socket, "MSG_NOSIGNAL"), reason="this system has no way to do without the signal")
def test_a_program_that_ends_on_a_broken_pipe_means_its_own_output() -> None:
    program = """
import signal, socket, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
from mailwright.drivers import sync
from mailwright.steps import Write
ours, theirs = socket.socketpair()
theirs.close()
async def plan():
    for _ in range(3):
        await Write(b"QUIT", 5)
try:
    sync.run(plan(), sync.Link(ours))
except ConnectionError:
    print("told")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (0, "told\n"), ran.stderr


def test_without_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "poll")

    def greet(sock: socket.socket) -> None:
        sock.sendall(b"220 a")
        sock.recv(10)

    async def plan() -> bytes:
        await Connect("127.0.0.1", port, 5)
        await Sleep(0.01)
        with pytest.raises(ConnectError):
            await Connect("127.0.0.1", 1, 5)
        await Connect("127.0.0.1", port, 5)
        return await Read(5)

    with serving(greet) as port:
        assert drive("sync", plan()) == b"220 a"


# What is left behind.


def stall(sock: socket.socket, over: threading.Event) -> None:
    """Say nothing and take nothing."""
    until_content(sock)
    over.wait(20)


def reset(sock: socket.socket, over: threading.Event) -> None:
    """End the connection in the middle."""
    until_content(sock)
    sock.recv(100_000)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(sock: socket.socket, over: threading.Event) -> None:
    """Say no more."""
    until_content(sock)
    sock.shutdown(socket.SHUT_WR)
    over.wait(20)


def refuse(sock: socket.socket, over: threading.Event) -> None:
    """A no in the middle."""
    until_content(sock)
    sock.sendall(b"552 too big\r\n")
    over.wait(20)


ENDS: dict[str, tuple[Callable[[socket.socket, threading.Event], None], Timeouts]] = {
    "the step's time": (stall, Timeouts(block=0.3)),
    "the whole deadline": (stall, Timeouts(total=1.0)),
    "a reset": (reset, Timeouts()),
    "an end": (hang_up, Timeouts()),
    "a refusal": (refuse, Timeouts()),
}


@contextmanager
def nothing_left() -> Iterator[None]:
    """Nothing is left in this block that the interpreter has to close."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert [str(one.message) for one in warned] == []


@pytest.mark.parametrize("end", ENDS)
@each_driver
def test_an_upload_that_ends_early_leaves_nothing_open(driver: str, end: str) -> None:
    serve, timeouts = ENDS[end]
    over = threading.Event()
    with serving(lambda sock: serve(sock, over)) as port, nothing_left():
        error = deliver(driver, Server("127.0.0.1", port, "none", timeouts=timeouts), BIG)
        over.set()
    assert isinstance(error, DeliveryError)


@each_library
def test_a_cancelled_upload_leaves_nothing_open(library: str) -> None:
    begun, over = threading.Event(), threading.Event()

    def serve(sock: socket.socket) -> None:
        until_content(sock)
        begun.set()
        over.wait(20)

    async def main() -> None:
        async with AsyncMailer(Server("127.0.0.1", port, "none")) as mailer:
            if library == "asyncio":
                task = asyncio.create_task(mailer.send(BIG))
                while not begun.is_set():
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.1)
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled()
            else:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(mailer.send, BIG)
                    while not begun.is_set():
                        await trio.sleep(0.01)
                    await trio.sleep(0.1)
                    nursery.cancel_scope.cancel()

    with serving(serve) as port, nothing_left():
        run_in(library, main)
        over.set()


@each_driver
def test_a_race_leaves_no_socket_behind(driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten addresses of which nine are refused, and ten that are all refused."""

    def greet(sock: socket.socket) -> None:
        sock.sendall(b"220 a")
        sock.recv(10)

    def places(port: int) -> list[Any]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{n + 1}", port if n == 0 else 1)) for n in range(10)
        ]

    async def plan(port: int) -> bytes:
        await Connect("mail.example.org", port, 5)
        return await Read(5)

    with serving(greet) as port, nothing_left():
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: places(port)[::-1])
        assert drive(driver, plan(port)) == b"220 a"
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: places(1))
        with pytest.raises(ConnectError):
            drive(driver, plan(1))


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_act_that_raises_stop_iteration_is_not_waited_for_without_end(library: str) -> None:
    """A future of asyncio can't carry it."""
    empty: Any = iter(())

    async def plan() -> None:
        await Ask(lambda: next(empty), blocking=True)

    with pytest.raises(RuntimeError):
        drive(library, plan())
