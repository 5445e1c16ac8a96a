"""One plan or one message by each driver, and servers on loopback that do anything at all."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from mailwright import AsyncMailer, Mailer, Message, Server
from mailwright.drivers import aio, sync
from mailwright.drivers import trio as trio_driver

LIBRARIES: dict[str, Any] = {"asyncio": aio, "trio": trio_driver}
DRIVERS = ["sync", *LIBRARIES]
MESSAGE = Message("ada@example.org", "bob@example.org", "Hi", "there")

each_driver = pytest.mark.parametrize("driver", DRIVERS)
each_library = pytest.mark.parametrize("library", LIBRARIES)


def run_in(library: str, main: Callable[[], Any]) -> Any:
    """Run an asynchronous function with that library."""
    return asyncio.run(main()) if library == "asyncio" else trio.run(main)


async def pause(library: str, seconds: float) -> None:
    """Wait, and let others go on."""
    await (asyncio.sleep(seconds) if library == "asyncio" else trio.sleep(seconds))


def drive(driver: str, plan: Any) -> Any:
    """Run one plan with that driver."""
    if driver == "sync":
        link = sync.Link()
        try:
            return sync.run(plan, link)
        finally:
            link.close()

    async def main() -> Any:
        async_link = LIBRARIES[driver].Link()
        try:
            return await LIBRARIES[driver].run(plan, async_link)
        finally:
            async_link.close()

    return run_in(driver, main)


def deliver(driver: str, server: Server, message: Any = MESSAGE, act: Callable[[], None] = lambda: None) -> Any:
    """Send with the mailer of that driver, after `act`; gives what came of it, an error too."""

    async def main() -> Any:
        async with AsyncMailer(server) as mailer:
            act()
            return await mailer.send(message)

    try:
        if driver == "sync":
            with Mailer(server) as mailer:
                act()
                return mailer.send(message)
        return run_in(driver, main)
    except Exception as error:
        return error


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does `serve` with each connection, in a thread for each; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(sock,), daemon=True).start()

        def one(sock: socket.socket) -> None:
            with sock:
                sock.settimeout(20)
                try:
                    serve(sock)
                except OSError:
                    pass  # the client has left

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
