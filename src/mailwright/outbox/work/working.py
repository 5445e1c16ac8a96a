"""The worker: one asyncio program that claims rows ahead of need, has them sent, and writes what became of them."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
from functools import partial

from mailwright import __version__
from mailwright.outbox.asking import Query
from mailwright.outbox.changing import is_paused
from mailwright.outbox.database import is_full
from mailwright.outbox.ids import text_of
from mailwright.outbox.work.ending import finish
from mailwright.outbox.work.mending import mend
from mailwright.outbox.work.office import Office, Surroundings
from mailwright.outbox.work.reporting import Report
from mailwright.outbox.work.retry import HOUR
from mailwright.outbox.work.settling import Hands, Replaced
from mailwright.outbox.work.telling import Event
from mailwright.words.errors import OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from typing import Any, TypeVar

    from mailwright.outbox.rows import Result
    from mailwright.outbox.work.carrying import Held
    from mailwright.outbox.work.office import Note
    from mailwright.outbox.work.settling import Desk
    from mailwright.outbox.work.telling import Done

    T = TypeVar("T")

RENEW = 30.0  # seconds between two renewals
LONGEST_LEASE = 600.0
LOOK = 5.0  # seconds after which it looks even when nobody said that there is something
AGAIN = 0.05  # seconds until it looks again where it is to end when nothing is due, and something may be at once
PATIENCE = 60.0  # seconds without a row for which it waits for a lock that somebody does not let go of
JUMP = 5000  # ms by which the database's clock may differ from what was expected
NO_ROOM = 60.0  # seconds that a full disk is waited for
LONGEST_WAIT = 2 * HOUR  # until a next try: a quota's; a lane's own may be longer
LAST = 2.0  # seconds that a claim under way is waited for when the worker is to stop, and its last words


def clock() -> float:
    """Seconds that go on while the process is stopped, or the machine sleeps, and that nobody sets."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class Worker:
    """Works off an outbox over `desk`. `lease`, `renew` and `grace` are seconds, and so is `longest`, the
    longest wait for a next try; `tell` takes events, or is `None`. `draw` gives numbers from 0 to 1 for jitter.
    """

    def __init__(
        self, desk: Desk, *, lease: float, renew: float = RENEW, grace: float, longest: float = 0.0,
        tell: Callable[[Event], object] | None, clock: Callable[[], float] = clock,
        draw: Callable[[], float] = random.random,
    ) -> None:  # fmt: skip
        self.desk, self._grace, self._renewal, self._lease = desk, grace, renew, lease
        self._clock = clock
        self.id = os.urandom(16)
        self._longest = max(longest, LONGEST_WAIT)
        self._report = Report(tell, clock)
        self._say = self._report.say
        desk.trouble = self._database
        self.offices: dict[str, Office] = {}
        self.hands = Hands(desk, self.id, lease, clock, self._written, self._database)
        self.around = Surroundings(
            desk, self.hands, self.id, lease, clock, self.now, draw, self._note, self._say, asyncio.Lock()
        )
        self._notes: asyncio.Queue[Note] = asyncio.Queue()
        self._poke = asyncio.Event()
        self._enough = 0  # rows in hand at which it looks for more
        self._offset: float | None = None  # ms of the database's clock at 0 of ours
        self._repair_at = clock() + 2 * renew
        self._full_since = 0.0
        self._fatal: OutboxUnavailable | None = None
        self.stopping = asyncio.Event()
        self.hurry = asyncio.Event()
        #: Asks which accounts there are, before each look for rows.
        self.look: Callable[[], Awaitable[None]] | None = None

    def now(self) -> int:
        """Milliseconds since 1970 by the database's clock, as far as it is known here."""
        return int(self._clock() * 1000 + (self._offset or 0.0))

    def open(self, office: Office) -> None:
        """Work for this account, too."""
        self.offices[office.account] = office
        if self._group is not None:
            self._posts.append(self._group.create_task(office.post.run()))

    _group: asyncio.TaskGroup | None = None
    _posts: list[asyncio.Task[None]]

    async def run(self, once: bool = False) -> Done:
        """Work until `stop`, or with `once` until nothing is due. Raises `OutboxUnavailable`, `ConfigError`."""
        try:
            return await self._run(once)
        except BaseExceptionGroup as several:  # of the one task that failed; the others were ended for it
            raise several.exceptions[0] from None

    async def _run(self, once: bool) -> Done:
        self._posts = []
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._posts += [group.create_task(office.post.run()) for office in self.offices.values()]
            acts = (self.hands.write_results, self._renew, self._write_notes, self._sum_up)
            others = [group.create_task(act()) for act in acts]
            self._say(Event("started", text=f"worker {text_of(self.id)} on {self.desk.place}"))
            try:
                await self._claim_until_stopped(once)
            finally:
                await self._finish(others)
        if self._fatal is not None:
            raise self._fatal
        done = self._report.done()
        self._say(Event("stopped", count=done.recorded))
        return done

    def stop(self) -> None:
        """Finish what is under way; the second time, don't wait for it."""
        (self.hurry if self.stopping.is_set() else self.stopping).set()
        self._poke.set()

    # Claiming.

    async def _claim_until_stopped(self, once: bool) -> None:
        pause, next_refresh, news, progress = 0.1, 0.0, True, self._clock()
        while not self.stopping.is_set():
            bare = once and not self.hands.held  # what is in hand may come back behind the look's back
            if bare:
                self._stir()
            try:
                refresh = news or self._clock() >= next_refresh
                next_refresh = self._clock() + LOOK if refresh else next_refresh
                looked = await self._unless_stopped(self._claim(refresh))
                if looked is None:
                    return
                now, paused, got = looked
                pause, news = 0.1, False
            except Replaced as problem:
                self._end(problem)
                return
            except OutboxUnavailable as problem:
                self._database(problem)
                await self._rest(pause)
                pause, news = min(pause * 2, LOOK), True
                await self._again()
                continue
            self._enough = len(self.hands.held) // 2
            if got or self.hands.held:
                progress = self._clock()
            elif once:
                if bare and (paused or not self._hope(now, self._clock() - progress)):
                    return
                await asyncio.sleep(AGAIN)
                continue
            if not got or len(self.hands.held) >= self._most():
                news = await self._idle(paused)
                if news:
                    self._stir()
            else:
                await asyncio.sleep(0)

    async def _claim(self, refresh: bool) -> tuple[int, bool, int]:
        """Claim what may be sent: the time, whether all is paused, and how many rows it got."""
        if refresh and self._offset is not None:
            for office in self.offices.values():
                await office.first()
        now = await self._look_at_the_clock()
        if refresh:
            if self.look is not None:
                await self.look()
            await self.desk.check()
            for office in self.offices.values():
                await office.refresh()
        paused = await self.desk.read(partial(is_paused, self.desk.store))
        got = 0 if paused else sum([await office.fill(now) for office in self.offices.values()])
        if not got:
            for office in self.offices.values():
                await office.rest()
        return now, paused, got

    async def _unless_stopped(self, act: Coroutine[Any, Any, T]) -> T | None:
        """Do this; `None` when the worker is to stop, and it did not come to its end in a short time: somebody holds
        the database locked, or it does not answer. Broken off a claim changed nothing, or its leases end by themselves.
        """
        doing = asyncio.ensure_future(act)
        stopped, hurried = (asyncio.ensure_future(event.wait()) for event in (self.stopping, self.hurry))
        try:
            await asyncio.wait((doing, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                await asyncio.wait((doing, hurried), timeout=LAST, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (doing, stopped, hurried):
                task.cancel()
            await asyncio.wait((doing, stopped, hurried))
        return None if doing.cancelled() else doing.result()

    def _stir(self) -> None:
        for office in self.offices.values():
            office.schedule.stirred()

    def _hope(self, now: int, waited: float) -> bool:
        """Whether a worker that is to end when nothing is due looks once more: a rate lets something through again
        soon, or what is due is locked.
        """
        schedules = [office.schedule for office in self.offices.values()]
        rates = waited <= LOOK and any(schedule.soon(now, LOOK) for schedule in schedules)
        return rates or (waited <= PATIENCE and any(schedule.locked(now) for schedule in schedules))

    def _most(self) -> int:
        return sum(office.schedule.ahead for office in self.offices.values())

    async def _idle(self, paused: bool) -> bool:
        """Wait for news, for a time that is known, or for what is in hand to get less."""
        now = self.now()
        times = [when for office in self.offices.values() if (when := office.schedule.wake(now)) is not None]
        seconds = min(LOOK, max(0.0, (min(times) - now) / 1000)) if times and not paused else LOOK
        self._poke.clear()
        if self.stopping.is_set():
            return False
        news = asyncio.ensure_future(self.desk.news(seconds + 0.001))
        poke = asyncio.ensure_future(self._poke.wait())
        try:
            await asyncio.wait((news, poke), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (news, poke):
                one.cancel()
            await asyncio.wait((news, poke))
        return bool(not news.cancelled() and news.exception() is None and news.result())

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            pass

    async def _again(self) -> None:
        try:
            await self.desk.again()
        except OutboxUnavailable as problem:
            self._database(problem)

    async def _look_at_the_clock(self) -> int:
        rows = await self.desk.read(self._ask_the_time)
        now = int(rows[0][0])
        offset = now - self._clock() * 1000
        jump = 0.0 if self._offset is None else offset - self._offset
        self._offset = offset
        if abs(jump) > JUMP:
            self._say(Event("clock", seconds=jump / 1000))
            self._stir()
            if jump > 0:
                await self._renew_now()  # others see our leases end too early
            else:
                for office in self.offices.values():
                    office.schedule.set_back(now)
                self._repair_at = self._clock() + 2 * self._renewal  # whoever is alive has renewed his by then
        if self._clock() >= self._repair_at:
            self._repair_at = self._clock() + HOUR
            await self._repair()
            self._stir()
        return now

    async def _ask_the_time(self) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = await Query(self.desk.store.sql["now"], {})
        return rows

    async def _repair(self) -> None:
        for account in list(self.offices):
            await mend(self.desk, account, LONGEST_LEASE, self._longest)

    # What goes on beside it.

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._renewal)
            try:
                await self._renew_now()
                await self.desk.write(self._be_seen)
            except OutboxUnavailable as problem:
                self._database(problem)

    async def _renew_now(self) -> None:
        lost = await self.hands.renew()
        if lost:
            self._say(Event("late", count=len(lost), text="Their leases had ended, and others have them."))

    async def _be_seen(self) -> None:
        sql = self.desk.store.sql
        given = {"worker": self.id, "host": socket.gethostname(), "version": __version__}
        await Query(sql["seen_worker"], given)
        await Query(sql["keep_slots"], {"worker": self.id, "lease": int(self._lease * 1000)})

    async def _be_gone(self) -> None:
        sql = self.desk.store.sql
        await Query(sql["gone_worker"], {"worker": self.id})
        await Query(sql["free_all_slots"], {"worker": self.id})

    def _note(self, note: Note) -> None:
        self._notes.put_nowait(note)

    async def _write_notes(self) -> None:
        try:
            await self.desk.write(self._be_seen)
        except OutboxUnavailable as problem:
            self._database(problem)
        while True:
            note = await self._notes.get()
            try:
                await self.desk.write(note)
            except OutboxUnavailable as problem:
                self._database(problem)  # what was learned is learned again

    # What is told.

    async def _sum_up(self) -> None:
        await self._report.sum_up(self.desk, lambda: len(self.hands.held))

    def _written(self, pairs: Sequence[tuple[Held, Result]], counted: int) -> None:
        self._report.written(pairs, counted)
        if len(self.hands.held) <= self._enough:
            self._poke.set()

    def _database(self, problem: OutboxUnavailable) -> None:
        """The database can't do it now. A disk that stays full ends the worker."""
        self._say(Event("database", text=str(problem)))
        if not is_full(problem):
            self._full_since = 0.0
            return
        self._full_since = self._full_since or self._clock()
        if self._clock() - self._full_since > NO_ROOM:
            what = f"{problem.what} (ENOSPC)"
            self._end(OutboxUnavailable(what, "Make room and start the worker again; nothing is lost."))

    def _end(self, problem: OutboxUnavailable) -> None:
        """There is no use in going on: the worker ends with this error."""
        self._fatal = problem
        self.stopping.set()
        self.hurry.set()
        self._poke.set()

    # The end.

    async def _finish(self, others: list[asyncio.Task[None]]) -> None:
        """Finish what is under way, as long as there is patience; write what is known; give the rest back."""
        self.stopping.set()
        for office in self.offices.values():
            office.post.stop()
        self._say(Event("stopping", count=len(self.hands.held)))
        try:
            await finish(self.offices.values(), self._posts, self.hands, self._grace, self.hurry)
        finally:
            for task in others:
                task.cancel()
            await asyncio.wait(others)
        try:
            async with asyncio.timeout(LAST):
                while not self._notes.empty():
                    await self.desk.write(self._notes.get_nowait())
                await self.desk.write(self._be_gone)
        except (OutboxUnavailable, TimeoutError):
            pass  # its entry ages
        await self.desk.close()
