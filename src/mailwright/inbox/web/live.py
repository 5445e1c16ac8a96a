"""What arrives, told to whoever looks: the list in a browser, and programs that wait."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailwright.inbox.web.answers import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

SEATS = 50  # streams and waiting programs at once: each holds a connection, and others want to ask something too
_PAUSE = 0.1  # seconds in which what arrives is told together


class Live:
    """Wakes those who wait on the loop of the server, from whatever thread something arrives in."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._bells: set[asyncio.Event] = set()
        self._told = False  # the loop knows already; two threads that both tell it do no harm
        self.closed = False

    def ring(self, *_: object) -> None:
        """Something arrived. May be called in any thread, thousands of times a second."""
        if not self._told:
            self._told = True
            try:
                self._loop.call_soon_threadsafe(self._spread)
            except RuntimeError:
                pass  # the loop has ended meanwhile, and nobody waits

    def close(self) -> None:
        """Send everybody home. To be called on the loop."""
        self.closed = True
        self._spread()

    @contextmanager
    def seat(self) -> Iterator[asyncio.Event]:
        """A place to wait in, with a bell of its own. Raises `Refusal` when all are taken."""
        if len(self._bells) >= SEATS:
            raise Refusal(503, f"{SEATS} others are waiting already.", "Close some pages of the inbox, or try later.")
        bell = asyncio.Event()
        self._bells.add(bell)
        try:
            yield bell
        finally:
            self._bells.discard(bell)

    async def heard(self, bell: asyncio.Event, timeout: float) -> bool:
        """Wait until something arrives; false after `timeout` seconds, and when the server ends."""
        try:
            async with asyncio.timeout(timeout):
                await bell.wait()
                if not self.closed:
                    await asyncio.sleep(_PAUSE)
        except TimeoutError:
            return bell.is_set()
        finally:
            bell.clear()
        return not self.closed

    def _spread(self) -> None:
        self._told = False
        for bell in self._bells:
            bell.set()


def event(kind: str, data: str, number: int | None = None) -> bytes:
    """One server-sent event (HTML Living Standard §9.2); every line of its data stands in a field of its own."""
    lines = [f"event: {kind}", *(f"data: {line}" for line in data.splitlines() or [""])]
    if number is not None:
        lines.insert(0, f"id: {number}")
    return ("\n".join(lines) + "\n\n").encode("utf-8", "replace")
