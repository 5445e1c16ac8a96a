"""The event loop that calls for sockets itself: it leaves nothing of asyncio's waiting, and outlives what it calls."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from mailwright.drivers.watching import WatchingLoop


def in_loop(play: Callable[[WatchingLoop, socket.socket, socket.socket], Awaitable[None]]) -> None:
    """Run it with the two ends of a connection."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WatchingLoop)
        async with asyncio.timeout(20):
            await play(loop, here, there)

    here, there = socket.socketpair()
    with here, there, asyncio.Runner(loop_factory=WatchingLoop) as runner:
        here.setblocking(False)
        runner.run(main())


def test_what_can_be_read_is_told_of_until_it_is_watched_no_more() -> None:
    async def play(loop: WatchingLoop, here: socket.socket, there: socket.socket) -> None:
        heard: list[bytes] = []
        told = asyncio.Event()

        def call() -> None:
            heard.append(here.recv(1))
            if len(heard) == 3:
                loop.unwatch(here)
                told.set()

        loop.watch(here, call)
        there.send(b"abcd")
        await told.wait()
        await asyncio.sleep(0.01)
        assert heard == [b"a", b"b", b"c"]
        assert await loop.sock_recv(here, 10) == b"d"  # now it is asyncio's again
        loop.watch(here, call)
        there.close()
        while heard[-1]:
            await asyncio.sleep(0.001)
        loop.unwatch(here)

    in_loop(play)


def test_what_a_call_puts_off_is_done_though_nobody_else_speaks() -> None:
    async def play(loop: WatchingLoop, here: socket.socket, there: socket.socket) -> None:
        done: list[asyncio.Event] = []

        def call() -> None:
            if here.recv(1) == b"s":
                loop.call_soon(done[-1].set)
            else:
                loop.call_later(0.001, done[-1].set)

        loop.watch(here, call)
        for octet in (b"s", b"l", b"l", b"s"):
            done.append(asyncio.Event())
            there.send(octet)
            await done[-1].wait()
        loop.unwatch(here)

    in_loop(play)


def test_who_never_stops_talking_keeps_nobody_waiting() -> None:
    async def play(loop: WatchingLoop, here: socket.socket, there: socket.socket) -> None:
        count = 0

        def call() -> None:
            nonlocal count
            count += 1
            there.send(here.recv(1))

        loop.watch(here, call)
        there.send(b"x")
        await asyncio.sleep(0.01)  # a timer
        await asyncio.to_thread(lambda: None)  # a thread that calls back
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b""  # other sockets
        writer.close()
        server.close()
        before = count
        while count == before:
            await asyncio.sleep(0)
        loop.unwatch(here)

    in_loop(play)


def test_a_call_that_fails_is_told_of_and_ends_nothing() -> None:
    async def play(loop: WatchingLoop, here: socket.socket, there: socket.socket) -> None:
        told: list[object] = []
        loop.set_exception_handler(lambda _, context: told.append(context["exception"]))

        def call() -> None:
            raise ValueError(here.recv(1))

        loop.watch(here, call)
        for octet in (b"a", b"b"):
            there.send(octet)
            before = len(told)
            while len(told) == before:
                await asyncio.sleep(0.001)
        loop.unwatch(here)
        assert [str(one) for one in told] == ["b'a'", "b'b'"]

    in_loop(play)
