"""What a pool of connections needs of Trio; `mailwright.drivers.aio_loop` has the same names."""

from __future__ import annotations

import math
from contextlib import suppress

import trio

from mailwright.drivers.trio import Link, clock, current, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from mailwright.steps import Plan

__all__ = ["Bell", "Cancelled", "Errand", "Link", "clock", "current", "in_time", "places", "run"]

Cancelled = trio.Cancelled
places = trio.Semaphore


class Bell:
    """Rung in any thread, heard in the run of Trio in which it was made."""

    __slots__ = ("_rung", "_token")

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._rung = trio.Event()

    def ring(self) -> None:
        """Wake whoever listens; never fails."""
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._set)

    def _set(self) -> None:
        self._rung.set()

    async def heard(self) -> None:
        """Wait until it was rung since the last time."""
        await self._rung.wait()
        self._rung = trio.Event()


async def in_time(act: Callable[[], Awaitable[object]], seconds: float | None) -> bool:
    """Await ``act()``; false if it took longer than that and was given up."""
    with trio.move_on_after(math.inf if seconds is None else seconds) as scope:
        await act()
    return not scope.cancelled_caught


class Errand:
    """A plan that goes on by itself, while whoever began it does something else; `told` is called at its end.

    A system task of Trio's: no nursery of the caller could be left open between two items of an iterator.
    """

    __slots__ = ("_ended", "_problem", "_result", "_scope")

    def __init__(self, plan: Plan[Any], link: Link, told: Callable[[], object]) -> None:
        self._scope, self._ended = trio.CancelScope(), trio.Event()
        self._result: Any = None
        self._problem: BaseException | None = None

        async def errand() -> None:
            try:
                with self._scope:
                    self._result = await run(plan, link)
            except Exception as problem:
                self._problem = problem
            finally:
                self._ended.set()
                told()

        trio.lowlevel.spawn_system_task(errand)

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._ended.is_set()

    def result(self) -> Any:
        """What came of it, or its error raised."""
        if self._problem is not None:
            raise self._problem
        return self._result

    async def stop(self) -> None:
        """End it, if it has not ended, and wait until it has."""
        self._scope.cancel()
        with trio.CancelScope(shield=True):
            await self._ended.wait()
