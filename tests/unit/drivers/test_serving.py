"""The server's side of asyncio: what a plan asks for, and clients that do not read, do not wait, or leave."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from mailwright.drivers.serving import Door, Guest, serve
from mailwright.drivers.watching import WatchingLoop
from mailwright.steps import Ask, Attend, Clock, Close, Read, Sleep, Write

MUCH = bytes(range(256)) * 65536  # 16 MB: more than the kernel takes at once
HERE = "127.0.0.1"

Served = Callable[[Guest, str], Coroutine[Any, Any, None]]

new_loop: Callable[[], asyncio.AbstractEventLoop] = WatchingLoop


@pytest.fixture(autouse=True, params=[WatchingLoop, asyncio.SelectorEventLoop], ids=["ours", "of asyncio"])
def each_loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A door is in any event loop that has `add_reader`."""
    monkeypatch.setattr(sys.modules[__name__], "new_loop", request.param)


def visited(plan_for: Served, client: Callable[[int], Coroutine[Any, Any, None]]) -> list[dict[str, Any]]:
    """Serve `plan_for` to what `client` does with the port; gives what the event loop was told of."""
    told: list[dict[str, Any]] = []

    async def play() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        door = await serve(plan_for, HERE, 0)
        try:
            async with asyncio.timeout(30):
                await client(port_of(door))
        finally:
            door.close()
            door.close()

    run(play())
    return told


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main)


def port_of(door: Door) -> int:
    port: int = door.sockets[0].getsockname()[1]
    return port


async def heard(port: int, said: bytes = b"") -> bytes:
    """All that the server says to a client who says this and then waits for the end."""
    reader, writer = await asyncio.open_connection(HERE, port)
    writer.write(said)
    octets = await reader.read(-1)
    writer.close()
    await writer.wait_closed()
    return octets


def test_every_step_that_a_server_asks_for() -> None:
    async def slowly() -> str:
        await asyncio.sleep(0)
        return "later"

    async def plan(_: Guest, peer: str) -> None:
        begin = await Clock()
        with pytest.raises(TimeoutError):
            await Read(0)
        with pytest.raises(TimeoutError):
            await Read(0.01)
        await Sleep(0.01)
        assert await Clock() - begin >= 0.02
        answers = [await Ask(lambda: "at once"), await Ask(slowly), await Ask(threading.get_ident, blocking=True)]
        assert answers[:2] == ["at once", "later"] and answers[2] != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await Ask(lambda: 1 / 0)
        with pytest.raises(TypeError, match="does not know the step Attend"):
            await Attend(slowly, 1.0)
        await Write(peer.encode(), 1.0)
        await Close("end")
        assert await Read(5.0) == b"" and await Read(5.0) == b""
        await Write(b"", 1.0)

    async def client(port: int) -> None:
        assert await heard(port) == b"127.0.0.1"

    assert visited(plan, client) == []


def test_much_is_written_as_fast_as_it_is_read() -> None:
    async def plan(_: Guest, peer: str) -> None:
        await Write(MUCH, 20.0)

    async def client(port: int) -> None:
        assert await heard(port) == MUCH

    assert visited(plan, client) == []


def test_who_was_written_to_slowly_is_heard_again() -> None:
    async def plan(_: Guest, peer: str) -> None:
        while (words := await Read(5.0)) != b"enough":
            await Write(MUCH, 20.0)
            await Write(words, 5.0)
        await Write(b"goodbye", 5.0)

    async def client(port: int) -> None:
        reader, writer = await asyncio.open_connection(HERE, port)
        for words in (b"once", b"more"):
            writer.write(words)
            assert await reader.readexactly(len(MUCH) + 4) == MUCH + words
        writer.write(b"enough")
        assert await reader.read(-1) == b"goodbye"
        writer.close()

    assert visited(plan, client) == []


def test_who_does_not_read_is_cut_off() -> None:
    ends: list[str] = []

    async def plan(_: Guest, peer: str) -> None:
        try:
            await Write(MUCH, 0.2)
        except TimeoutError:
            ends.append("too late")
        with pytest.raises(ConnectionAbortedError):
            await Write(b"more", 0.2)
        assert await Read(1.0) == b""

    async def client(port: int) -> None:
        reader, writer = await asyncio.open_connection(HERE, port, limit=1000)
        while not ends:
            await asyncio.sleep(0.01)
        with pytest.raises(ConnectionResetError):
            while await reader.read(1 << 20):
                pass
        writer.close()

    assert visited(plan, client) == [] and ends == ["too late"]


def test_nothing_is_read_that_was_not_asked_for() -> None:
    """Whoever sends faster than he is heard is held back, and what he sent is there when it is asked for."""
    arrived: list[int] = []

    async def plan(_: Guest, peer: str) -> None:
        assert await Read(5.0)
        await Ask(lambda: asyncio.sleep(0.3))
        while octets := await Read(5.0):
            arrived.append(len(octets))
        await Write(b"done", 5.0)

    async def client(port: int) -> None:
        reader, writer = await asyncio.open_connection(HERE, port)
        writer.write(b"x")
        await asyncio.sleep(0.05)
        writer.write(MUCH)
        await asyncio.sleep(0.1)
        assert arrived == [] and writer.transport.get_write_buffer_size() > 0
        writer.write_eof()
        assert await reader.read(-1) == b"done"
        assert sum(arrived) == len(MUCH)
        writer.close()

    assert visited(plan, client) == []


def test_the_last_words_arrive_though_something_was_not_read() -> None:
    async def plan(_: Guest, peer: str) -> None:
        await Ask(lambda: asyncio.sleep(0.05))
        await Write(b"421 goodbye", 5.0)

    async def client(port: int) -> None:
        for _ in range(20):
            assert await heard(port, b"x" * 100_000) == b"421 goodbye"

    assert visited(plan, client) == []


@pytest.mark.parametrize("how", ["close", "reset"])
def test_after_its_end_nothing_is_said_or_heard(how: Any) -> None:
    async def plan(_: Guest, peer: str) -> None:
        await Read(5.0)
        await Close(how)
        assert await Read(5.0) == b""
        with pytest.raises(ConnectionAbortedError):
            await Write(b"x", 5.0)

    async def client(port: int) -> None:
        if how == "reset":
            with pytest.raises(ConnectionResetError):
                await heard(port, b"x")
        else:
            assert await heard(port, b"x") == b""

    assert visited(plan, client) == []


def test_a_plan_that_fails_is_told_of_and_harms_no_other() -> None:
    async def plan(_: Guest, peer: str) -> None:
        if await Read(5.0) == b"x":
            raise ValueError("a mistake")
        await Write(b"fine", 5.0)

    async def client(port: int) -> None:
        assert await heard(port, b"x") == b"" and await heard(port, b"y") == b"fine"

    (told,) = visited(plan, client)
    assert str(told["exception"]) == "a mistake"


def test_a_door_that_closes_leaves_nothing_open(recwarn: pytest.WarningsRecorder) -> None:
    """Whatever each connection is doing at that moment: half accepted, waiting, writing, asking, or leaving."""
    ended: list[str] = []

    async def plan(_: Guest, peer: str) -> None:
        try:
            kind = await Read(30.0)
            if kind == b"w":
                await Write(MUCH, 30.0)
            elif kind == b"a":
                await Ask(lambda: asyncio.sleep(30))
            elif kind == b"s":
                await Sleep(30)
            await Read(30.0)
        finally:
            ended.append("")

    async def play() -> None:
        door = await serve(plan, HERE, 0)
        clients = [socket.create_connection((HERE, port_of(door))) for _ in range(40)]
        for number, sock in enumerate(clients[:30]):
            sock.send(b"waslx"[number % 5 :][:1])
        await asyncio.sleep(0.05)
        clients += [socket.create_connection((HERE, port_of(door))) for _ in range(20)]
        door.close()
        for sock in clients:
            sock.settimeout(5)
            try:
                while sock.recv(1 << 20):
                    pass
            except ConnectionResetError:
                pass
            sock.close()

    run(play())
    gc.collect()
    assert [str(one.message) for one in recwarn] == [] and len(ended) == 40
