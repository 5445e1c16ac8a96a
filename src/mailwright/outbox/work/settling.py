"""What a worker holds in its hands: the leases of its rows, and results that are known and not written yet."""

from __future__ import annotations

import asyncio
from functools import partial

from mailwright.outbox.database import CommitUnknown
from mailwright.outbox.work.carrying import Held
from mailwright.words.errors import OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Protocol, TypeVar

    from mailwright.outbox.rows import Claimed, Result
    from mailwright.outbox.store import Store
    from mailwright.outbox.work.carrying import Owner
    from mailwright.steps import Plan

    T = TypeVar("T")

    class Desk(Protocol):
        """A database as a worker uses it: each engine has its own. `trouble` hears of somebody who keeps it waiting."""

        trouble: Callable[[OutboxUnavailable], object] | None

        @property
        def store(self) -> Store: ...
        @property
        def place(self) -> str: ...
        async def write(self, make: Callable[[], Plan[T]]) -> T: ...
        async def read(self, make: Callable[[], Plan[T]]) -> T: ...
        async def survey(self, make: Callable[[], Plan[T]]) -> T: ...
        async def pieces(self, row: Claimed) -> Callable[[int], bytes]: ...
        async def claim_new(
            self, worker: bytes, account: str, most: int, each: int, closed: Sequence[str], lease: float
        ) -> tuple[list[Claimed], dict[str, str]]:
            """Claim a few rows that nobody has tried, `each` of a destination at most, if that is quicker than the
            usual walk: nothing where all is paused, and nothing of what is stopped, or `closed`. Gives them, and the
            reasons of those of their names that are on the suppression list.
            """

        async def forgotten(self, worker: bytes, account: str, lease: float) -> tuple[list[Claimed], dict[str, str]]:
            """The rows of which this worker has the lease, be they in its hands or not, as `claim_new` gives them."""

        async def news(self, seconds: float) -> bool: ...
        async def again(self) -> None: ...
        async def check(self) -> None: ...
        async def close(self) -> None: ...


class Replaced(OutboxUnavailable):
    """The database is another one than it was: whoever goes on would send again what was sent."""


FLUSH_ROWS = 200  # results that are written at once,
FLUSH_SECONDS = 0.02  # or after so long
AT_ONCE = 400  # rows of one transaction at most, so that it is short
SOON, LATE = 0.1, 5.0  # seconds between two tries at a database that does not answer


class Hands:
    """The rows of which this worker has the lease, and the results to be written. Nothing is let go of before its
    result is written, however long the database is away.

    `told` is called with the results of each group that was written, and how many of them counted.
    """

    def __init__(
        self, desk: Desk, worker: bytes, lease: float, clock: Callable[[], float],
        told: Callable[[Sequence[tuple[Held, Result]], int], object], trouble: Callable[[OutboxUnavailable], object],
    ) -> None:  # fmt: skip
        self._desk, self._worker, self._lease, self._clock = desk, worker, lease, clock
        self._told, self._trouble = told, trouble
        self.held: dict[tuple[bytes, int, int], Held] = {}  # by the claim, too: one may be lost and come again
        self._results: list[Result] = []
        self._writing = 0
        self._wanted = asyncio.Event()
        self._many = asyncio.Event()
        self._written = asyncio.Event()
        self.ending = False

    def take(self, rows: Iterable[Claimed], until: float, owner: Owner) -> None:
        """These were claimed."""
        held = self.held
        for row in rows:
            held[row.id, row.n, row.claims] = Held(row, until, owner)

    def of(self, row: Claimed) -> Held:
        """The row as it is held."""
        return self.held[row.id, row.n, row.claims]

    def have(self, rows: Iterable[Claimed]) -> bool:
        """Whether one of these, claimed just now, was this worker's up to then: its lease ended while it is under way,
        or while its result could not be written. To go on with that claim would be to send again what was sent.
        """
        before = [self.held.get((row.id, row.n, row.claims - 1)) for row in rows]
        return any(held is not None and held.until > 0 for held in before)

    def ends_within(self, seconds: float) -> bool:
        """Whether one of them has a lease that ends so soon, or has ended."""
        end = self._clock() + seconds
        return any(held.until < end for held in self.held.values())

    def add(self, results: Iterable[Result], at_once: bool = False) -> None:
        """What became of some of them. `at_once`: it is written without waiting for others."""
        self._results.extend(results)
        self._wanted.set()
        if at_once or len(self._results) >= FLUSH_ROWS:
            self._many.set()

    @property
    def unwritten(self) -> int:
        """Results that are known and not durable yet."""
        return len(self._results) + self._writing

    async def write_results(self) -> None:
        """Write results as they come, for ever: in groups, and again when the database was away."""
        while True:
            await self._wanted.wait()
            if not (self._many.is_set() or self.ending):
                try:
                    async with asyncio.timeout(FLUSH_SECONDS):
                        await self._many.wait()
                except TimeoutError:
                    pass
            group, self._results = self._results[:AT_ONCE], self._results[AT_ONCE:]
            self._writing = len(group)
            self._let_go(group, await self._write(group))
            self._writing = 0
            if not self._results:
                self._wanted.clear()
                self._written.set()
            if len(self._results) < FLUSH_ROWS:
                self._many.clear()

    async def _write(self, group: list[Result]) -> int:
        """Write these, however long it takes. Gives how many counted."""
        pause, unsure = SOON, False
        while True:
            try:
                counted = await self._desk.write(partial(self._desk.store.settle, self._worker, group))
                # Of a commit whose answer was lost, the second try finds nothing to do.
                return len(group) if unsure else counted
            except OutboxUnavailable as problem:
                unsure = unsure or isinstance(problem, CommitUnknown)
                self._trouble(problem)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LATE)
            await self._reopen()

    def _let_go(self, group: Sequence[Result], counted: int) -> None:
        pairs = [(held, one) for one in group if (held := self.held.pop((one.id, one.n, one.claims), None)) is not None]
        for held, one in pairs:
            held.owner.written(held.row, one)
        self._told(pairs, counted)

    async def _reopen(self) -> None:
        try:
            await self._desk.again()
        except OutboxUnavailable as problem:
            self._trouble(problem)

    async def all_written(self) -> None:
        """Wait until no result is left unwritten."""
        self.ending = True
        while self.unwritten:
            self._written.clear()
            self._wanted.set()
            self._many.set()
            await self._written.wait()

    async def renew(self) -> list[Held]:
        """Make all leases last longer. Gives those that are not this worker's any more. Raises `OutboxUnavailable`."""
        lost: list[Held] = []
        every = list(self.held.values())
        store, worker, lease = self._desk.store, self._worker, self._lease
        for start in range(0, len(every), AT_ONCE):
            part = [held for held in every[start : start + AT_ONCE] if self._still(held)]
            rows = [held.row for held in part]
            begun = self._clock()
            kept = await self._desk.write(partial(store.renew, worker, rows, lease))
            if kept != len(rows):
                for held in part:
                    if self._still(held) and not await self._desk.write(
                        partial(store.renew, worker, [held.row], lease)
                    ):
                        held.until = 0.0
                        lost.append(held)
                part = [held for held in part if held not in lost]
            for held in part:
                held.until = begun + lease
        return lost

    def _still(self, held: Held) -> bool:
        return self.held.get((held.row.id, held.row.n, held.row.claims)) is held
