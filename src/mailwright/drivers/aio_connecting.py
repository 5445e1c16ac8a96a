"""Sockets, connected under asyncio: what `mailwright.drivers.connecting` does, on every event loop that asyncio has.

Windows' event loop can't wait for a socket to become writable, as the blocking driver and Trio do: it connects itself.
"""

from __future__ import annotations

import asyncio
import socket

from mailwright.drivers.connecting import come_from, connect_path
from mailwright.drivers.host_names import ascii_name
from mailwright.drivers.racing import Attempts, in_turn, unreachable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mailwright.steps import Connect


async def connected_socket(step: Connect, timeout: float) -> socket.socket:
    """A connected socket, made within `timeout` seconds. Raises `ConnectError`."""
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout
    if step.path is not None:
        return connect_path(step.path)[0]
    try:
        async with asyncio.timeout(timeout):
            found = _literal(step) or await loop.getaddrinfo(ascii_name(step.host), step.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as problem:
        raise unreachable(step, [(step.host, problem)]) from problem
    return await _race(step, Attempts(in_turn(found)), until)


def _literal(step: Connect) -> list[Any]:
    """What a resolver says of a host that is an IP address, for whom a thread would be started; empty for a name."""
    for family, zone in ((socket.AF_INET, ()), (socket.AF_INET6, (0, 0))):
        try:
            socket.inet_pton(family, step.host)
        except (OSError, ValueError):
            continue
        return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (step.host, step.port, *zone))]
    return []


async def _race(step: Connect, attempts: Attempts, until: float) -> socket.socket:
    """Happy eyeballs (RFC 8305), the same decisions as in the blocking driver."""
    loop = asyncio.get_running_loop()
    pending: dict[asyncio.Task[socket.socket], Any] = {}
    try:
        while True:
            now = loop.time()
            if now >= until:
                raise unreachable(step, attempts.failed_with(TimeoutError(), pending.values()))
            if attempts.due(now, bool(pending)) and (address := attempts.next(now)) is not None:
                pending[loop.create_task(_attempt(address, step.source_address))] = address
                continue
            if not pending:
                raise unreachable(step, attempts.failures)
            wait = min(until, attempts.next_due) - now
            done, _ = await asyncio.wait(pending, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                address = pending.pop(task)
                problem = task.exception()
                if problem is None:
                    return task.result()
                attempts.failed(address, problem)
    finally:
        for task in pending:
            task.cancel()
            task.add_done_callback(_close_late)


def _close_late(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


async def _attempt(address: Any, source: str | None) -> socket.socket:
    family, kind, protocol, _, place = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        if source:
            come_from(sock, source)
        await asyncio.get_running_loop().sock_connect(sock, place)
    except BaseException:
        sock.close()
        raise
    return sock
