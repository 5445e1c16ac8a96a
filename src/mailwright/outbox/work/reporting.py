"""What is told of a worker while it works, and counted until it ends."""

from __future__ import annotations

import asyncio

from mailwright.mailer.preparing import warn_of
from mailwright.outbox.asking import Query
from mailwright.outbox.ids import text_of
from mailwright.outbox.work.telling import Done, Event
from mailwright.words.errors import OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from mailwright.outbox.rows import Result
    from mailwright.outbox.work.carrying import Held
    from mailwright.outbox.work.settling import Desk

LOUD = ("paused", "database", "dead")  # events of which there is a warning where nobody listens to them
EVERY = 60.0  # seconds between two events that sum up what was done,
SILENCE = 3600.0  # and the longest time without one, when nothing was
AGAIN = 60.0  # seconds until it is said again that whoever listens fails


class Report:
    """Tells events to `tell`, or warns of the worst of them where that is `None`, and counts results. `clock` gives
    seconds.
    """

    def __init__(self, tell: Callable[[Event], object] | None, clock: Callable[[], float]) -> None:
        self._tell, self._clock = tell, clock
        self._counts: dict[str, int] = {}
        self._complain_at = 0.0

    def say(self, event: Event) -> None:
        """Tell this. An event of a result is one that the claim itself has written: it is counted."""
        if event.kind == "result":
            self._count(event.state)
        if self._tell is not None:
            self._hear(self._tell, event)
        elif event.kind in LOUD:
            warn_of((f"The outbox's worker: {event}",))

    def written(self, pairs: Sequence[tuple[Held, Result]], counted: int) -> None:
        """These results are durable, and so many of them counted."""
        for _, result in pairs:
            self._count(result.state.name)
        if self._tell is not None:
            for held, result in pairs:
                self._hear(self._tell, _told(held, result))
        if counted < len(pairs):
            self._count("fenced", len(pairs) - counted)
            self.say(Event("fenced", count=len(pairs) - counted))

    def done(self) -> Done:
        """All that was counted."""
        names = ("sent", "failed", "expired", "cancelled", "suppressed", "held", "deferred", "fenced")
        return Done(**{name: self._counts.get(name, 0) for name in names}, given_back=self._counts.get("queued", 0))

    async def sum_up(self, desk: Desk, in_hand: Callable[[], int]) -> None:
        """Tell for ever how it goes, in the rhythm that the constants above name."""
        before, since = self.done(), self._clock()
        while True:
            await asyncio.sleep(EVERY)
            now, span = self.done(), self._clock() - since
            if now == before and not in_hand() and span < SILENCE:
                continue
            self.say(_progress(before, now, span, in_hand(), await _oldest(desk)))
            before, since = now, self._clock()

    def _count(self, name: str, more: int = 1) -> None:
        self._counts[name] = self._counts.get(name, 0) + more

    def _hear(self, tell: Callable[[Event], object], event: Event) -> None:
        """Whoever listens may fail: mail goes on, and the loop's handler for exceptions, which logs them, is told."""
        try:
            tell(event)
        except Exception as problem:
            if self._clock() >= self._complain_at:
                self._complain_at = self._clock() + AGAIN
                what = f"What was given as tell= to the outbox's worker failed at: {event}"
                asyncio.get_running_loop().call_exception_handler({"message": what, "exception": problem})


def _progress(before: Done, now: Done, span: float, in_hand: int, oldest: float | None) -> Event:
    names = ("sent", "deferred", "failed", "expired", "held")
    done = {name: getattr(now, name) - getattr(before, name) for name in names}
    text = " ".join(f"{name}={count}" for name, count in done.items() if count or name in ("sent", "deferred", "held"))
    text += f" rate={done['sent'] / span:.1f}/s in_hand={in_hand}"
    text += "" if oldest is None else f" oldest={oldest:.0f}s"
    return Event("progress", text=text, seconds=span, count=sum(done.values()))


async def _oldest(desk: Desk) -> float | None:
    """Seconds since the oldest message was put that waits; `None` without one, or when nobody can say."""

    async def plan() -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = await Query(desk.store.sql["oldest"], {})
        return rows

    try:
        rows = await desk.survey(plan)
    except OutboxUnavailable:
        return None  # told by others
    return rows[0][0] / 1000 if rows and isinstance(rows[0][0], int) else None


def _told(held: Held, one: Result) -> Event:
    row = held.row
    return Event(
        "result", held.owner.account, row.domain, text_of(row.id), row.address, one.state.name, one.code, one.text,
        row.attempts + one.counts, one.delay,
    )  # fmt: skip
