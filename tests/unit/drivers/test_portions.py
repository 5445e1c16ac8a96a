"""What arrives is read in portions: into little room, not more than is wanted, and without losing an octet."""

from __future__ import annotations

import asyncio
import hashlib
import random
import socket
import threading
import tracemalloc

import pytest

from mailwright.drivers import aio
from mailwright.steps import Ask, Connect, Exchange, Outgoing, Read, Write
from tests.unit.drivers.driving import drive, each_driver, serving

LARGE = 32 << 20  # octets: more than the buffers of both sides hold
STALLED = 0.5  # seconds in which nothing could be sent


def noise(size: int) -> bytes:
    """Octets no part of which is like another."""
    return random.Random(size).randbytes(size)


@each_driver
def test_a_short_reply_needs_little_room(driver: str) -> None:
    def answer(sock: socket.socket) -> None:
        while sock.recv(64):
            sock.sendall(b"250 OK\r\n")

    async def plan() -> int:
        await Connect("127.0.0.1", port, 5)

        async def talk() -> None:
            for _ in range(20):
                await Write(b"NOOP\r\n", 5)
                assert await Read(5) == b"250 OK\r\n"

        await talk()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            await talk()
            return tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()

    with serving(answer) as port:
        assert drive(driver, plan()) < 160_000


@each_driver
def test_who_floods_is_held_back_and_heard_whole(driver: str) -> None:
    """While the plan is busy elsewhere, the sender stops; afterwards nothing is missing."""
    octets = noise(LARGE)
    taken: list[int] = []
    stopped = threading.Event()

    def flood(sock: socket.socket) -> None:
        rest = memoryview(octets)
        sock.settimeout(STALLED)
        try:
            while rest:
                rest = rest[sock.send(rest) :]
        except TimeoutError:
            pass
        taken.append(LARGE - len(rest))
        stopped.set()
        sock.settimeout(20)
        sock.sendall(rest)

    async def plan() -> str:
        await Connect("127.0.0.1", port, 5)
        await Ask(lambda: stopped.wait(20), blocking=True)
        heard = hashlib.sha256()
        while data := await Read(20):
            heard.update(data)
        return heard.hexdigest()

    with serving(flood) as port:
        assert drive(driver, plan()) == hashlib.sha256(octets).hexdigest()
    assert 0 < taken[0] < LARGE


@each_driver
def test_all_is_heard_before_the_end_and_the_end_before_the_loss(driver: str) -> None:
    """He says more than one portion, says no more, and leaves without having taken what we write."""
    octets = noise(200_000)
    heard_out = threading.Event()

    def leave(sock: socket.socket) -> None:
        sock.sendall(octets)
        sock.shutdown(socket.SHUT_WR)
        assert heard_out.wait(20)

    async def plan() -> bytes:
        await Connect("127.0.0.1", port, 5)
        outgoing = Outgoing(noise(65536) for _ in range(1000))
        heard = b""
        while data := await Exchange(outgoing, 5):
            heard += data
        assert data == b""
        heard_out.set()
        with pytest.raises(ConnectionError):
            while True:
                await Write(bytes(1 << 20), 5)
        return heard

    with serving(leave) as port:
        assert drive(driver, plan()) == octets


class Feeding(asyncio.Transport):
    """A transport that has its own room for what arrives, and hands it on piece by piece, as that of Windows does."""

    def __init__(self, link: aio.Link) -> None:
        super().__init__()
        self._link = link
        self.paused = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is written."""

    def pause_reading(self) -> None:
        """Nothing more, please."""
        self.paused = True

    def resume_reading(self) -> None:
        """More, please."""
        self.paused = False

    def close(self) -> None:
        """There is nothing to close."""

    def feed(self, data: bytes) -> None:
        """Hand on what has arrived already, asked for or not."""
        rest = memoryview(data)
        while rest:
            room = self._link.get_buffer(len(rest))
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            self._link.buffer_updated(count)
            rest = rest[count:]


@pytest.mark.parametrize("portion", [1, 1000, aio.PORTION, aio.PORTION + 1, 3 * aio.PORTION, 10 * aio.PORTION])
def test_what_a_transport_hands_on_of_any_size(portion: int) -> None:
    octets = noise(portion * 10)

    async def heard() -> bytes:
        link = aio.Link()
        transport = Feeding(link)
        link.connection_made(transport)
        for start in range(0, len(octets), portion):
            transport.feed(octets[start : start + portion])
        assert transport.paused == (len(octets) > aio.BUFFER_LIMIT)
        found = await link.read(5)
        assert not transport.paused
        with pytest.raises(TimeoutError):
            await link.read(0)
        link.eof_received()
        assert await link.read(5) == b""
        link.close()
        return found

    assert asyncio.run(heard()) == octets


def test_what_was_read_stays_as_it_is() -> None:
    """The room is used again: what a plan holds is its own."""

    async def main() -> list[bytes]:
        link = aio.Link()
        transport = Feeding(link)
        link.connection_made(transport)
        found = []
        for number in range(3):
            transport.feed(b"reply %d" % number)
            found.append(await link.read(5))
        link.close()
        return found

    assert asyncio.run(main()) == [b"reply 0", b"reply 1", b"reply 2"]


@each_driver
def test_what_was_said_before_the_connection_broke_is_heard(driver: str) -> None:
    """The server says why, closes with octets unread, and so resets the connection: the next write fails."""

    def refuse(sock: socket.socket) -> None:
        sock.recv(10)
        sock.sendall(b"552 too large\r\n")
        sock.close()
        gone.set()

    async def plan() -> bytes:
        await Connect("127.0.0.1", port, 5)
        await Write(b"x" * 1000, 5)
        await Ask(lambda: gone.wait(5))  # in this thread: nothing is read meanwhile
        try:
            for _ in range(3):
                await Write(b"x" * 1000, 5)
        except ConnectionError:
            pass
        return await Read(5)

    gone = threading.Event()
    with serving(refuse) as port:
        assert drive(driver, plan()) == b"552 too large\r\n"
