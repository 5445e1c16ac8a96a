"""The one place of the inbox that touches the world: a listening socket in a thread of its own, and a file
with the CA.

A hidden thread is against the custom of this house. It is made here since a test that sends and then looks
at what arrived has only one thread itself.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from mailwright.drivers.serving import serve
from mailwright.drivers.watching import WatchingLoop
from mailwright.steps import Write

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailwright.drivers.serving import Guest
    from mailwright.steps import Plan

LOOPBACK = "127.0.0.1"
CONNECTIONS = 100  # at once
_STOP_TIMEOUT = 10.0  # seconds to wait for the thread; it needs milliseconds


class Listener:
    """Serves `plan_for(peer)` to each client that connects, until `stop`. At most `CONNECTIONS` at once,
    others hear 421.
    """

    def __init__(self, plan_for: Callable[[str], Plan[None]]) -> None:
        self._plan_for = plan_for
        self._served = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    def start(self, port: int = 0) -> int:
        """Listen on the loopback interface and give the port. Raises `OSError` when it is taken."""
        ready: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=(port, ready), name="mailwright inbox", daemon=True)
        self._thread.start()
        return ready.result()

    def stop(self) -> None:
        """Listen no more, close all connections, end the thread. May be called again."""
        loop, stopping, thread = self._loop, self._stopping, self._thread
        self._loop = self._stopping = self._thread = None
        if loop is not None and stopping is not None:
            loop.call_soon_threadsafe(stopping.set)
        if thread is not None:
            thread.join(_STOP_TIMEOUT)

    def _run(self, port: int, ready: Future[int]) -> None:
        with asyncio.Runner(loop_factory=WatchingLoop) as runner:
            runner.run(self._listen(port, ready))

    async def _listen(self, port: int, ready: Future[int]) -> None:
        stopping = self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        try:
            door = await serve(self._serve_client, LOOPBACK, port)
        except (OSError, OverflowError) as problem:  # a port above 65535 is an OverflowError
            self._loop = self._stopping = None
            ready.set_exception(problem)
            return
        ready.set_result(door.sockets[0].getsockname()[1])
        await stopping.wait()
        door.close()
        # What still runs is cancelled when the runner closes.

    async def _serve_client(self, guest: Guest, peer: str) -> None:
        if self._served >= CONNECTIONS:
            await Write(b"421 4.3.2 Too many connections, try again later\r\n", 5.0)
            return
        self._served += 1
        try:
            await self._plan_for(peer)
        finally:
            self._served -= 1


class PrivateFile:
    """A temporary file with `content` that only this user can read, until `remove`."""

    def __init__(self, content: bytes, suffix: str) -> None:
        handle, self.path = tempfile.mkstemp(prefix="mailwright-", suffix=suffix)  # mode 0600
        with os.fdopen(handle, "wb") as file:
            file.write(content)

    def remove(self) -> None:
        """Remove it; no error if it is gone."""
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass
