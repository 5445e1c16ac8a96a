"""A relay on loopback that makes the way to a server long: every piece arrives half a round trip later, both ways.

    with delay.delayed(place, round_trip=0.05) as far_away: …        or        python -m bench.delay HOST PORT SECONDS

Pieces keep their order, and nothing limits how many are under way: a long line, but a wide one. A connection takes its
time, too: the greeting comes two round trips after the client began to connect, as over a real line (SYN, SYN-ACK, ACK,
greeting). Slow start and loss are not modelled. The clock of the event loop adds up to a millisecond each way.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bench.place import Place

SLACK = 0.0002  # seconds by which a piece may leave early, so that pieces read together leave together


class Side(asyncio.Protocol):
    """One end of the relay: what it reads leaves at the other end `delay` seconds later. `None` stands for the end."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.other: Side | None = None
        self.transport: asyncio.WriteTransport | None = None
        self._pieces: deque[tuple[float, bytes | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it, and send small pieces at once."""
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """A piece begins its way."""
        self._put(data)

    def eof_received(self) -> bool:
        """So does the end."""
        self._put(None)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """And an end by force."""
        self._put(None)

    def _put(self, piece: bytes | None) -> None:
        loop = asyncio.get_running_loop()
        self._pieces.append((loop.time() + self.delay, piece))
        if self._timer is None:
            self._timer = loop.call_at(self._pieces[0][0], self._arrive)

    def _arrive(self) -> None:
        loop, pieces = asyncio.get_running_loop(), self._pieces
        due: list[bytes] = []
        ended = False
        while pieces and pieces[0][0] <= loop.time() + SLACK:
            piece = pieces.popleft()[1]
            if piece is None:
                ended = True
            else:
                due.append(piece)
        target = self.other.transport if self.other else None
        if due and target:
            target.write(b"".join(due))
        if ended and target:
            target.close()
        self._timer = loop.call_at(pieces[0][0], self._arrive) if pieces else None


async def relay(host: str, port: int, delay: float) -> None:
    """Listen, say on standard output where, and pass on what comes, for ever."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    class Front(Side):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            task = loop.create_task(self.connect())
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        async def connect(self) -> None:
            await asyncio.sleep(3 * delay)
            back = Side(delay)
            back.other = self
            await loop.create_connection(lambda: back, host, port)
            self.other = back

    server = await loop.create_server(lambda: Front(delay), "127.0.0.1", 0, backlog=512)
    sys.stdout.write(f"PORT {server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


@dataclass(frozen=True)
class Relay:
    """A running relay: where it is reached, and its process."""

    place: Place
    process: int


@contextmanager
def delayed(place: Place, round_trip: float) -> Iterator[Relay]:
    """The same server, which is on loopback, so many seconds of round trip away."""
    command = [sys.executable, "-m", "bench.delay", place.host, str(place.port), str(round_trip / 2)]
    root = __file__.rpartition("bench")[0] or "."
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().split()[1])
            yield Relay(replace(place, port=port), process.pid)
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(relay(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
