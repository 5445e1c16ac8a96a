"""The asyncio driver: plans over a protocol of our own, which costs less than asyncio's streams."""

from __future__ import annotations

import asyncio
import os
import socket

from mailwright.drivers.aio_connecting import connected_socket
from mailwright.drivers.conduct import Secured, answer_of, conducted, driven
from mailwright.drivers.hanging_up import as_connection_error, left_over, reset_on_close
from mailwright.drivers.racing import unreachable
from mailwright.drivers.sync import acknowledge_at_once
from mailwright.steps import (
    Ask,
    Attend,
    Clock,
    Close,
    Connect,
    DeadlinePassed,
    Exchange,
    Peer,
    Read,
    Sleep,
    Together,
    Write,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, TypeVar

    from mailwright.steps import Outgoing, Plan, Step

    T = TypeVar("T")

BUFFER_LIMIT = 262144  # octets received and not read yet, above which reading pauses
PORTION = 65536  # octets that are read at once


class Link(asyncio.BufferedProtocol):
    """One connection of the asyncio driver: its transport, what arrived, and its TLS layer. `deadline` (loop
    time) bounds all.
    """

    def __init__(self) -> None:
        self.secured = Secured()
        self.deadline: float | None = None
        self._transport: asyncio.Transport | None = None
        self._sock: socket.socket | None = None
        self._home: Any = (0, None)
        self._fresh()

    def _fresh(self) -> None:
        self._arrived = bytearray()
        self._heard = False  # since octets left
        self._ended = False
        self._failure: Exception | None = None
        self._full = False  # the transport holds octets that the kernel did not take yet
        self._carried: Outgoing | None = None  # of whom it holds them,
        self._held = 0  # and how many
        self._reading_paused = False
        self._waiter: asyncio.Future[None] | None = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._fresh()  # the end of the connection before may have been told after `close`
        self._room = memoryview(bytearray(PORTION))
        self._transport = transport  # type: ignore[assignment]
        # With no slack "paused" means exactly: not everything was handed to the kernel.
        self._transport.set_write_buffer_limits(high=0)  # type: ignore[union-attr]

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to put what arrives."""
        # For a plain `Protocol` asyncio makes room for 256 kB at each read. To get so much from the system, and to give
        # it back, costs several times what the read of a short reply does.
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """Octets arrived."""
        self._arrived += self._room[:nbytes]
        self._heard = True
        if len(self._arrived) > BUFFER_LIMIT and not self._reading_paused and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """The other side will say no more; ours may still be said."""
        self._ended = True
        self._wake()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if exc is not None and self._sock is not None:
            self._arrived += left_over(self._sock, BUFFER_LIMIT)  # asyncio does not look, if it saw the end in a write
        self._ended = True
        self._failure = exc or ConnectionResetError("the connection is closed")
        self._wake()

    def pause_writing(self) -> None:
        """The kernel takes no more for now."""
        self._full = True

    def resume_writing(self) -> None:
        """The kernel took everything."""
        self._full = False
        self._count(0)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the driver calls.

    def until(self, timeout: float) -> float:
        """The moment until which a step may wait."""
        end = clock() + timeout
        return end if self.deadline is None else min(end, self.deadline)

    async def _event(self, until: float) -> None:
        """Wait until anything happens on this link; `TimeoutError` when nothing does until then."""
        loop = asyncio.get_running_loop()
        if self._sock is not None and (self._heard or self._full):
            acknowledge_at_once(self._sock)
        self._waiter = waiter = loop.create_future()
        timer = loop.call_at(until, _expire, waiter)
        try:
            await waiter
        except TimeoutError:
            if self._full and self._transport is not None:
                self._transport.abort()  # the plan is told that these octets did not leave: now they can't
            if until == self.deadline:
                raise DeadlinePassed from None
            raise
        finally:
            timer.cancel()
            self._waiter = None

    async def read(self, timeout: float) -> bytes:
        """What arrived; waits for it if need be."""
        if self._transport is None and not self._ended:
            raise ConnectionAbortedError("there is no connection")
        if timeout <= 0 and not self._arrived and not self._ended:
            await _two_turns()
            if not self._arrived and not self._ended:
                raise TimeoutError
        until = self.until(timeout)
        while not self._arrived and not self._ended:
            await self._event(until)
        return self._take()

    def _take(self) -> bytes:
        if self._arrived:
            data = bytes(self._arrived)
            self._arrived.clear()
            if self._reading_paused and self._transport is not None:
                self._reading_paused = False
                self._transport.resume_reading()
            return data
        failure = None if self._transport is None else self._failure
        if isinstance(failure, OSError) and not isinstance(failure, ConnectionResetError):
            raise as_connection_error(failure)
        return b""

    async def write(self, data: bytes | memoryview, timeout: float) -> None:
        """Hand over all of `data`."""
        until = self.until(timeout)
        self._carried = None
        await self._put(data, until)
        while self._full:
            await self._event(until)
            self._usable()

    async def _put(self, data: bytes | memoryview, until: float) -> None:
        """Give octets to the transport; raises if it drops them."""
        transport = self._usable()
        transport.write(data)
        self._heard = False
        if transport.is_closing():  # it failed just now, and drops silently what it is given
            while self._failure is None:
                await self._event(until)
            raise as_connection_error(self._failure)

    def _count(self, left: int) -> None:
        """Of what the transport holds, `left` octets are still to be taken by the kernel."""
        if self._carried is not None:
            self._carried.took(self._held - left)
            self._held = left
            if not left:
                self._carried = None

    async def exchange(self, step: Exchange) -> bytes | None:
        """Write and read at once."""
        outgoing = step.outgoing
        while (rest := outgoing.peek()) is not None:
            if self._arrived or self._ended:
                return self._take() or self._ended_while_writing()
            until = self.until(step.timeout)
            if self._carried is not outgoing:  # else this is what the transport holds already
                try:
                    await self._put(rest, until)
                except ConnectionError:
                    if self._arrived:
                        return self._take()
                    raise
                self._carried, self._held = outgoing, len(rest)
                transport = self._usable()
                self._count(transport.get_write_buffer_size())
            while self._full and not self._arrived and not self._ended:
                await self._event(until)
            if not self._full and not outgoing.done:
                await _two_turns()  # else we would write on, deaf
        return None

    async def attend(self, step: Attend) -> bytes | None:
        """Wait for the act of the step, and listen meanwhile."""
        self._usable()
        until = self.until(step.timeout)
        asked = asyncio.ensure_future(answer_of(Ask(step.act), _in_thread))
        asked.add_done_callback(lambda _: self._wake())
        try:
            while not (self._arrived or self._ended or asked.done()):
                await self._event(until)
        finally:
            # What it raised at the same moment is looked at, or asyncio would complain that nobody did.
            asked.cancel() if not asked.done() else asked.cancelled() or asked.exception()
        if self._arrived or self._ended:
            return self._take()
        asked.result()
        return None

    def _ended_while_writing(self) -> bytes:
        if self._failure is not None:
            raise as_connection_error(self._failure)
        return b""

    def _usable(self) -> asyncio.Transport:
        if self._transport is None:
            raise ConnectionAbortedError("there is no connection")
        if self._failure is not None:
            raise as_connection_error(self._failure)
        return self._transport

    async def connect(self, step: Connect) -> Peer:
        """Make the connection, all addresses raced."""
        self.close()
        loop = asyncio.get_running_loop()
        timeout = step.timeout if self.deadline is None else min(step.timeout, self.deadline - loop.time())
        sock = await connected_socket(step, max(timeout, 0.0))
        try:
            sock.setblocking(False)
            await loop.create_connection(lambda: self, sock=sock)
            self._sock, self._home = sock, current()
            return _peer(step, sock)
        except BaseException as problem:
            self.close()
            sock.close()
            if isinstance(problem, OSError):  # the other side was quick to reset
                raise unreachable(step, [(step.host, problem)]) from problem
            raise

    def close(self, how: Literal["close", "end", "reset"] = "close") -> None:
        """Close the connection now, or in the way that `Close` describes; never fails."""
        self.secured.layer = None
        if how == "end":
            if self._transport is not None and not self._transport.is_closing():
                self._transport.write_eof()
            return
        transport, self._transport = self._transport, None
        if how == "reset" and transport is not None:
            sock = transport.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                reset_on_close(sock)
            transport.abort()
        if transport is not None:
            transport.abort() if self._full else transport.close()
        waiter = self._waiter
        self._fresh()
        if waiter is not None and not waiter.done():
            waiter.set_exception(ConnectionAbortedError("the connection was closed"))

    def abandon(self) -> None:
        """Let go of the connection, without a word on the wire, from outside of its event loop: that has ended, or
        is another thread's, or after a fork the parent process's.
        """
        transport, sock, (process, loop) = self._transport, self._sock, self._home
        self._transport = self._sock = None
        self._fresh()
        if transport is None or sock is None:
            return
        if process != os.getpid() or loop.is_closed():
            sock.close()
        else:
            loop.call_soon_threadsafe(transport.abort)


def _peer(step: Connect, sock: socket.socket) -> Peer:
    if step.path is not None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return Peer("", "")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return Peer(sock.getpeername()[0], sock.getsockname()[0])


async def _two_turns() -> None:
    """Let the loop look at what the kernel has, and then take it."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


async def run(plan: Plan[T], link: Link) -> T:
    """Perform the plan over `link` and give its result, or raise its error. Cancelling ends the plan; close
    the link then.
    """
    return await driven(conducted(plan, link.secured), lambda step: _perform(step, link))


async def _perform(step: Step[Any], link: Link) -> Any:
    if isinstance(step, Read):
        return await link.read(step.timeout)
    if isinstance(step, Write):
        return await link.write(step.data, step.timeout)
    if isinstance(step, Exchange):
        return await link.exchange(step)
    if isinstance(step, Clock):
        return clock()
    if isinstance(step, Connect):
        return await link.connect(step)
    if isinstance(step, Close):
        return link.close(step.how)
    if isinstance(step, Sleep):
        return await asyncio.sleep(link.until(step.seconds) - clock())
    if isinstance(step, Ask):
        return await _answer(step, link)
    if isinstance(step, Attend):
        return await link.attend(step)
    if isinstance(step, Together):
        return await _together(step, link)
    raise TypeError(f"the asyncio driver does not know the step {step!r}")


async def _answer(step: Ask, link: Link) -> Any:
    try:
        async with asyncio.timeout_at(link.deadline) as limit:
            return await answer_of(step, _in_thread)
    except TimeoutError:
        if limit.expired():
            raise DeadlinePassed from None
        raise


async def _in_thread(act: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(_contained, act)


def _contained(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except StopIteration as problem:  # no future can carry it: whoever awaits it would do so for ever
        raise RuntimeError("StopIteration was raised") from problem


async def _together(step: Together, link: Link) -> list[Any]:
    async def alone(plan: Plan[Any]) -> Any:
        own = Link()
        own.deadline = link.deadline
        try:
            return await run(plan, own)
        finally:
            own.close()

    results = await asyncio.gather(*(alone(plan) for plan in step.plans), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, Exception):
            raise result
    return results


def current() -> object:
    """What tells this event loop, in this process, from every other."""
    return os.getpid(), asyncio.get_running_loop()


def clock() -> float:
    """Seconds of the event loop's clock."""
    return asyncio.get_running_loop().time()
