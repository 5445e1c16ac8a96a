"""The Trio driver: the blocking driver's sockets and steps, its needs met by Trio."""

from __future__ import annotations

import math
import os
import socket
from contextlib import asynccontextmanager, suppress

import trio

from mailwright.drivers import sync
from mailwright.drivers.conduct import answer_of, driven
from mailwright.drivers.needs import Board, Resolve, Wait
from mailwright.drivers.sync import PERFORMERS, received, socket_of, waits
from mailwright.steps import Ask, Attend, DeadlinePassed, Together

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import Any, Literal, TypeVar

    from mailwright.drivers.needs import Need, Waiting
    from mailwright.drivers.sync import Performer
    from mailwright.steps import Plan

    T = TypeVar("T")
    Watch = tuple[Callable[[socket.socket], Awaitable[None]], socket.socket]


class Link(sync.Link):
    """One connection of the Trio driver; its clock, and so its `deadline`, is Trio's."""

    __slots__ = ()

    def __init__(self, sock: socket.socket | None = None) -> None:
        super().__init__(sock, trio.current_time)

    def close(self, how: Literal["close", "end", "reset"] = "close") -> None:
        """Close the socket, or do what `Close` says of the other ways; never fails."""
        if self.sock is not None and how != "end":
            with suppress(RuntimeError):  # outside of Trio nobody can be waiting for it
                trio.lowlevel.notify_closing(self.sock)
        super().close(how)


async def run(plan: Plan[T], link: Link) -> T:
    """Perform the plan over `link` and give its result, or raise its error. Cancelling ends the plan; close
    the link then.
    """
    return await driven(waits(plan, link, _PERFORMERS), lambda need: _meet(need, link))


def _passed_on(step: Together, _: sync.Link) -> Waiting[Any]:
    return (yield step)


def _attend(step: Attend, link: sync.Link) -> Waiting[bytes | None]:
    while (yield step):
        try:
            return received(link)
        except BlockingIOError:
            pass
    return None


_PERFORMERS: dict[type, Performer] = {**PERFORMERS, Together: _passed_on, Attend: _attend}


async def _meet(need: Need, link: Link) -> Any:
    if isinstance(need, (Wait, Board)):
        return await _wait(need)
    if isinstance(need, Ask):
        return await _answer(need, link)
    if isinstance(need, Resolve):
        return await _resolve(need)
    if isinstance(need, Attend):
        return await _attended(need, link)
    return await _together(need, link)


async def _wait(need: Wait | Board) -> tuple[socket.socket, ...]:
    """The sockets that are ready; none when the time is up."""
    ready: dict[socket.socket, None] = {}
    watched: list[Watch] = [(trio.lowlevel.wait_readable, sock) for sock in need.reading]
    watched += [(trio.lowlevel.wait_writable, sock) for sock in need.writing]
    with trio.move_on_at(need.until):
        try:
            await _first(watched, ready)
        except trio.ClosedResourceError:
            raise ConnectionAbortedError("the connection was closed") from None
    return tuple(ready)


async def _attended(need: Attend, link: Link) -> bool:
    """Whether there is something to read; false when the act is done."""
    heard, until = False, link.until(need.timeout)
    with trio.move_on_at(until) as scope:
        async with _nursery() as nursery:

            async def listen() -> None:
                nonlocal heard
                try:
                    await trio.lowlevel.wait_readable(socket_of(link))
                except trio.ClosedResourceError:
                    raise ConnectionAbortedError("the connection was closed") from None
                heard = True
                nursery.cancel_scope.cancel()

            nursery.start_soon(listen)
            await answer_of(Ask(need.act), _in_thread)
            nursery.cancel_scope.cancel()
    if scope.cancelled_caught:
        raise DeadlinePassed if until == link.deadline else TimeoutError
    return heard


async def _first(watched: list[Watch], ready: dict[socket.socket, None]) -> None:
    """Wait for one of them at least, and note it in `ready`."""
    if not watched:
        await trio.sleep_forever()
    if len(watched) == 1:  # nearly always: a nursery would double the time
        ((wait, sock),) = watched
        await wait(sock)
        ready[sock] = None
        return
    async with _nursery() as nursery:

        async def one(wait: Callable[[socket.socket], Awaitable[None]], sock: socket.socket) -> None:
            await wait(sock)
            ready[sock] = None
            nursery.cancel_scope.cancel()

        for each in watched:
            nursery.start_soon(one, *each)


@asynccontextmanager
async def _nursery() -> AsyncIterator[trio.Nursery]:
    """A nursery out of which an exception, a cancellation above all, comes as itself and not in a group."""
    problem: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            yield nursery
    except BaseExceptionGroup as group:
        problem = _chief(group)
    if problem is not None:
        raise problem


def _chief(problem: BaseException) -> BaseException:
    """The exception of a group that matters most: any rather than a cancellation."""
    while isinstance(problem, BaseExceptionGroup):
        others = [one for one in problem.exceptions if not isinstance(one, trio.Cancelled)]
        problem = (others or problem.exceptions)[0]
    return problem


async def _resolve(need: Resolve) -> list[Any]:
    with trio.move_on_at(need.until):
        return await trio.socket.getaddrinfo(need.host, need.port, type=socket.SOCK_STREAM)
    raise TimeoutError


async def _answer(step: Ask, link: Link) -> Any:
    with trio.move_on_at(math.inf if link.deadline is None else link.deadline):
        return await answer_of(step, _in_thread)
    raise DeadlinePassed


async def _in_thread(act: Callable[[], Any]) -> Any:
    # As asyncio has it: a cancellation does not wait for what a thread is doing.
    return await trio.to_thread.run_sync(act, abandon_on_cancel=True)


async def _together(step: Together, link: Link) -> list[Any]:
    results: list[Any] = [None] * len(step.plans)

    async def alone(number: int, plan: Plan[Any]) -> None:
        own = Link()
        own.deadline = link.deadline
        try:
            results[number] = await run(plan, own)
        except Exception as error:
            results[number] = error
        finally:
            own.close()

    async with _nursery() as nursery:
        for number, plan in enumerate(step.plans):
            nursery.start_soon(alone, number, plan)
    return results


def current() -> object:
    """What tells this run of Trio, in this process, from every other."""
    return os.getpid(), trio.lowlevel.current_trio_token()


def clock() -> float:
    """Seconds of the run's clock."""
    return trio.current_time()
