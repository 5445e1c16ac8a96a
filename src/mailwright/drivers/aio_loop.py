"""What a pool of connections needs of asyncio; `mailwright.drivers.trio_loop` has the same names."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from mailwright.drivers.aio import Link, clock, current, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from mailwright.steps import Plan

__all__ = ["Bell", "Cancelled", "Errand", "Link", "clock", "current", "in_time", "places", "run"]

Cancelled = asyncio.CancelledError
places = asyncio.Semaphore


class Bell:
    """Rung in any thread, heard in the event loop in which it was made."""

    __slots__ = ("_loop", "_rung")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake whoever listens; never fails."""
        with suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(self._rung.set)

    async def heard(self) -> None:
        """Wait until it was rung since the last time."""
        await self._rung.wait()
        self._rung.clear()


async def in_time(act: Callable[[], Awaitable[object]], seconds: float | None) -> bool:
    """Await ``act()``; false if it took longer than that and was given up."""
    try:
        async with asyncio.timeout(seconds):
            await act()
    except TimeoutError:
        return False
    return True


class Errand:
    """A plan that goes on by itself, while whoever began it does something else. `ended` calls `told`."""

    __slots__ = ("_task",)

    def __init__(self, plan: Plan[Any], link: Link, told: Callable[[], object]) -> None:
        self._task = asyncio.create_task(run(plan, link))
        self._task.add_done_callback(lambda _: told())

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._task.done()

    def result(self) -> Any:
        """What came of it, or its error raised."""
        return self._task.result()

    async def stop(self) -> None:
        """End it, if it has not ended, and wait until it has."""
        self._task.cancel()
        await asyncio.wait([self._task])
