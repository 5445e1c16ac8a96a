"""One account of a worker: what it claims, what it hands to its connections, and what it makes of the answers."""

from __future__ import annotations

from functools import partial

from mailwright.outbox.database import CommitUnknown
from mailwright.outbox.ids import text_of
from mailwright.outbox.putting import names_of
from mailwright.outbox.rows import BULK, NEVER, NORMAL, URGENT, Result
from mailwright.outbox.states import CANCELLED, HELD, SUPPRESSED
from mailwright.outbox.work.carrying import Consignment, Overdue, mail_of, together
from mailwright.outbox.work.judging import Judge, Verdict, given_back, out_of_time, unreadable
from mailwright.outbox.work.limiting import free_slots, keep_paces, known_destinations, reserve, stop_until, take_slots
from mailwright.outbox.work.posting import NotOurs, Post
from mailwright.outbox.work.scheduling import WEIGHTS, Schedule
from mailwright.outbox.work.telling import Event
from mailwright.words.errors import MessageError, OutboxUnavailable
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Sequence

    from mailwright.mailer.pool import Limits
    from mailwright.message.mail import MailObject
    from mailwright.outbox.rows import Claimed
    from mailwright.outbox.work.limiting import Limit
    from mailwright.outbox.work.retry import Retry
    from mailwright.outbox.work.settling import Desk, Hands
    from mailwright.steps import Plan
    from mailwright.words.errors import MailError
    from mailwright.words.receipt import Receipt
    from mailwright.words.server import Server

    Note = Callable[[], Plan[object]]

WALK = 200  # destinations looked at in one go
NEW, EACH = 16, 8  # rows claimed at once of what was put just now, and of one destination
MARGIN = 10.0  # seconds of a lease; with less of one left, or half of it, a claim may meet what is in hand
CLAIMS = 3  # tries at a claim that met rows which are in hand
GLANCE = 1.0  # seconds that a row waits in hand until somebody looks whether it was taken back
AT_A_GLANCE = 200  # messages looked at so at once


class _Ours(Exception):
    """Rows in hand would be claimed again: the claim is undone, and their leases are renewed first."""


class Surroundings:
    """What all accounts of a worker share. `worker` is its id, `now` gives ms of the database's clock, `note` takes a
    plan that is written when there is time, and `tell` takes events. Who is suspected of killing workers is tried under
    `trial`.
    """

    def __init__(
        self, desk: Desk, hands: Hands, worker: bytes, lease: float, clock: Callable[[], float],
        now: Callable[[], int], draw: Callable[[], float], note: Callable[[Note], object],
        tell: Callable[[Event], object], trial: asyncio.Lock,
    ) -> None:  # fmt: skip
        self.desk, self.hands, self.worker, self.lease = desk, hands, worker, lease
        self.clock, self.now, self.draw = clock, now, draw
        self.note, self.tell, self.trial = note, tell, trial


class Office:
    """The rows of `account` and the server that takes them."""

    def __init__(
        self, account: str, server: Server, around: Surroundings, limits: Limits, shared: Sequence[Limit],
        provider: str, retries: tuple[Retry, ...], ahead: int,
    ) -> None:  # fmt: skip
        self.account, self._around = account, around
        self.clock = around.clock
        self._limits = limits
        self._shared = [limit for limit in shared if limit.connections is not None]
        self._connections = 0 if any(not limit.domain for limit in self._shared) else limits.size
        self._unsure = False  # whether there may be rows that are this worker's and that it does not know of
        self.schedule = Schedule(account, ahead, shared)
        self._judge = Judge(around.draw, provider, retries)
        self.post = Post(server, limits, around.lease, self, around.trial, lambda: self._connections)

    # Claiming.

    async def first(self) -> int:
        """Claim a few of what was put just now, before anything else is looked at; the rest is for `fill`. Gives how
        many rows that were.
        """
        around, schedule, now = self._around, self.schedule, self._around.now()
        most = min(NEW, schedule.share(BULK, schedule.free(now)))
        if most <= 0 or not self._connections:
            return 0
        closed = [*schedule.closed(now, EACH), *[limit.domain for limit in self._shared if limit.domain]]
        begun = around.clock()
        try:
            rows, listed = await around.desk.claim_new(
                around.worker, self.account, most, EACH, closed, around.lease
            )  # fmt: skip
        except OutboxUnavailable as problem:
            self._unsure = self._unsure or isinstance(problem, CommitUnknown)
            return 0  # whoever looks next is told
        return await self._take(rows, listed, begun, now)

    async def _recall(self, now: int) -> int:
        """Take up the rows of claims whose answer was lost."""
        around = self._around
        known, begun = set(around.hands.held), around.clock()
        rows, listed = await around.desk.forgotten(around.worker, self.account, around.lease)
        self._unsure = False
        # What was in hand before may have got its result meanwhile.
        lost = [row for row in rows if (row.id, row.n, row.claims) not in known]
        return await self._take(lost, listed, begun, now)

    async def fill(self, now: int) -> int:
        """Claim what may be sent now. Gives how many rows that were. Raises `OutboxUnavailable`."""
        got = await self._recall(now) if self._unsure else 0
        got += await self._fill(now)
        return got + (await self._recall(now) if self._unsure else 0)  # a worker that ends has nothing it forgot

    async def _fill(self, now: int) -> int:
        schedule = self.schedule
        if schedule.free(now) <= 0 and not schedule.hungry(now):
            return 0
        await self._provide(now)
        if not self._connections:
            return 0
        free, whole = schedule.free(now), sum(WEIGHTS.values())
        got, full = 0, []
        for lane in (URGENT, NORMAL, BULK):
            most = min(schedule.share(lane, schedule.free(now)), max(1, free * WEIGHTS[lane] // whole))
            if most > 0:
                had = await self._walk(lane, most, now)
                got += had
                full += [lane] if had >= most else []
        for lane in full:  # what others have left over
            most = schedule.share(lane, schedule.free(now))
            if most > 0:
                got += await self._walk(lane, most, now)
        return got

    async def _provide(self, now: int) -> None:
        """Get tokens and connections of the limits that all workers share."""
        store, around = self._around.desk.store, self._around
        for purse in self.schedule.hungry(now):
            grant = await around.desk.write(partial(reserve, store, purse.name, purse.rate, self.schedule.ahead))
            purse.take(grant, now)
        for limit in self._shared:
            most = limit.connections or 0
            wanted = most if limit.domain else min(most, self._limits.size)
            had = self.schedule.caps.get(limit.domain, 0) if limit.domain else self._connections
            if had >= wanted:
                continue
            name = f"{self.account}|{limit.domain}"
            had = await around.desk.write(partial(take_slots, store, around.worker, name, most, wanted, around.lease))
            if limit.domain:
                self.schedule.caps[limit.domain] = had
            else:
                self._connections = had

    async def _walk(self, lane: int, most: int, now: int) -> int:
        """Claim from the destinations of a lane, each in its turn, from where the last walk ended."""
        schedule, desk = self.schedule, self._around.desk
        got, begun = 0, schedule.cursor(lane)
        wrapped = not begun
        while got < most:
            domains = await desk.read(partial(desk.store.destinations, self.account, lane, schedule.cursor(lane), WALK))
            if wrapped and begun:
                domains = [domain for domain in domains if domain <= begun]
            some = schedule.at_once(most - got)
            budgets = schedule.budgets(lane, domains, some, now) if domains else {}
            if budgets:
                got += await self._claim(lane, budgets, now)
            if not domains or (len(domains) < WALK and schedule.cursor(lane) == domains[-1]):
                schedule.wrap(lane)
                if wrapped:
                    break
                wrapped = True
        return got

    async def _claim(self, lane: int, budgets: dict[str, int], now: int) -> int:
        around, store, account = self._around, self._around.desk.store, self.account

        begun, runs = 0.0, 0
        undoable = around.hands.ends_within(max(around.lease / 2, MARGIN))

        async def plan() -> tuple[list[Claimed], dict[str, int | None], dict[str, str]]:
            nonlocal begun, runs
            begun, runs = around.clock(), runs + 1
            rows = await store.claim(around.worker, account, lane, budgets, around.lease, undoable)
            if around.hands.have(rows):
                raise _Ours
            counts: dict[str, int] = {}
            for row in rows:
                counts[row.domain] = counts.get(row.domain, 0) + 1
            due = {d: await store.next_due(account, lane, d) for d, most in budgets.items() if counts.get(d, 0) < most}
            listed = await store.suppressed({name for row in rows for name in names_of(row.address, row.domain)})
            return rows, due, listed

        for _ in range(CLAIMS):
            runs = 0
            try:
                rows, due, listed = await around.desk.write(plan)
                break
            except _Ours:
                await around.hands.renew()
            except OutboxUnavailable:
                self._unsure = self._unsure or runs > 0
                raise
        else:
            return 0
        self._unsure = self._unsure or runs > 1  # what the first one claimed may be claimed
        for domain, when in due.items():
            self.schedule.quiet(lane, domain, None if when is None or when >= NEVER else when)
        return await self._take(rows, listed, begun, now)

    async def _take(self, rows: Sequence[Claimed], listed: dict[str, str], begun: float, now: int) -> int:
        """Take what was claimed at `begun`, by the worker's clock, into the hands. Gives how many rows that were."""
        set_aside = [row for row in rows if row.state is HELD]
        for row in set_aside:
            self._tell_set_aside(row)
        mine = [row for row in rows if row.state is not HELD]
        self._around.hands.take(mine, begun + self._around.lease, self)
        self.schedule.claimed(mine)
        await self._hand_over(mine, listed, now)
        return len(rows)

    async def _hand_over(self, rows: Sequence[Claimed], listed: dict[str, str], now: int) -> None:
        """What may be sent to the connections; what may not, to the results."""
        around = self._around
        results: list[Result] = []
        ready: list[Claimed] = []
        for row in rows:
            reason = _reason(row, listed) if listed else None
            if row.cancelled:
                results.append(Result(row.id, row.n, row.claims, CANCELLED, counts=False))
            elif reason is not None:
                results.append(Result(row.id, row.n, row.claims, SUPPRESSED, 0, visible(reason, 200), counts=False))
            elif _is_over(row, now):
                results.append(out_of_time(row))
            else:
                ready.append(row)
        for group in together(ready):
            row = group[0]
            try:
                mail = await self.load(group) if row.deaths < 2 else None
            except MessageError as problem:  # the others are not to suffer for it
                results.extend([unreadable(one, problem) for one in group])
                continue
            self.schedule.joined(group)
            self.post.put(Consignment(group, mail, around.hands.of(row), around.clock()))
        if results:
            around.hands.add(results)

    # Answers; the names are those that `mailwright.outbox.work.posting` calls.

    def settle(self, one: Consignment, receipt: Receipt) -> None:
        """What became of a consignment."""
        # As long as a mark has no result, its row is in doubt: that is to be short.
        self._conclude(self._judge.judge(one.rows, receipt, self._around.now()), at_once=one.marked)

    def unreached(self, one: Consignment, error: Exception) -> None:
        """There was no way in for it."""
        self._conclude(self._judge.unreached(one.rows, error, self._around.now()))

    def interrupted(self, error: MailError) -> None:
        """A connection ended so; what was not begun goes over another one, but not at once if it was too much."""
        if getattr(error, "reply", None) is not None:
            self._conclude(Verdict((), (self._judge.entrance(error),)))

    def give_back(self, one: Consignment) -> None:
        """It was not begun; what was taken back meanwhile, or has expired, ends so."""
        now, results = self._around.now(), []
        for row in one.rows:
            if row.n in one.cancelled:
                results.append(Result(row.id, row.n, row.claims, CANCELLED, counts=False))
            else:
                results.append(out_of_time(row) if _is_over(row, now) else given_back(row))
        self._around.hands.add(results)

    def over(self, one: Consignment) -> bool:
        """Whether its time is over."""
        row = one.rows[0]
        return row.expires is not None and _is_over(row, self._around.now())

    async def look(self, waiting: Iterable[Consignment]) -> None:
        """Learn which of these were taken back since they were claimed, or looked at last."""
        around, now = self._around, self.clock()
        some = [one for one in waiting if now - one.looked >= GLANCE][:AT_A_GLANCE]
        if not some:
            return
        ids = list({one.rows[0].id for one in some})
        try:
            found = await around.desk.read(partial(around.desk.store.cancelled, ids))
        except OutboxUnavailable:
            return  # whoever claims or writes is told
        for one in some:
            one.looked = now
            one.cancelled = frozenset([row.n for row in one.rows if (row.id, row.n) in found])

    async def load(self, rows: tuple[Claimed, ...]) -> MailObject:
        """The message of these rows. Raises `MessageError`, `OutboxUnavailable`."""
        row, around = rows[0], self._around
        held = [around.hands.of(one) for one in rows]

        def ask() -> None:
            if around.clock() >= min([one.until for one in held]):
                raise Overdue("The lease ended before the message was sent.", "It is sent by whoever claims it next.")

        pieces = await around.desk.pieces(row) if len(row.head) < row.size else _no_piece
        try:
            return mail_of(rows, pieces, ask)
        except MessageError:
            raise
        except Exception as problem:  # whatever it is: a damaged row is not to end the worker
            raise MessageError(f"{type(problem).__name__}: {problem}") from problem

    async def mark(self, one: Consignment) -> None:
        """Make a durable mark before the last octets leave. Raises `NotOurs`, `OutboxUnavailable`."""
        around = self._around

        async def plan() -> None:
            if not await around.desk.store.mark_sending(around.worker, one.rows):
                raise NotOurs("The message was taken back, or another worker has it.")

        await around.desk.write(plan)
        if around.clock() >= one.until:
            raise NotOurs("The lease ended while the mark was made.")

    def _conclude(self, verdict: Verdict, at_once: bool = False) -> None:
        around, account = self._around, self.account
        around.hands.add(verdict.results, at_once)
        if not (verdict.troubles or verdict.answers):
            return
        now, store = around.now(), around.desk.store
        for domain, seconds, reason, how in self.schedule.learn(verdict, now):
            kind = "paused" if how == "pause" else how
            around.tell(Event(kind, account, domain, text=reason, seconds=seconds))
            around.note(partial(stop_until, store, account, domain, seconds, reason))
            if not domain:
                self.post.hold_back()
        for domain in self.schedule.resumed:
            around.tell(Event("resumed", account, domain))
        self.schedule.resumed.clear()
        if self.schedule.learned:
            around.note(partial(keep_paces, store, account, list(self.schedule.learned.items())))
            self.schedule.learned.clear()

    def written(self, row: Claimed, result: Result) -> None:
        """The result of a row is durable."""
        self.schedule.done((row,))
        if not result.state.final and result.state is not HELD:
            self.schedule.due(row.lane, row.domain, self._around.now() + int(result.delay * 1000))

    def _tell_set_aside(self, row: Claimed) -> None:
        text = row.why or "Its worker ended while it was being sent."
        event = Event(
            "result", self.account, row.domain, text_of(row.id), row.address, HELD.name, 0, text, row.attempts
        )
        self._around.tell(event)

    async def rest(self) -> None:
        """There is nothing to do: connections that all workers share are let go of. Raises `OutboxUnavailable`."""
        if self.schedule.in_hand or not (self._shared and (self._connections or self.schedule.caps)):
            return
        await self.post.rest()
        desk, names = self._around.desk, [f"{self.account}|{limit.domain}" for limit in self._shared]
        await desk.write(partial(free_slots, desk.store, self._around.worker, names))
        self.schedule.caps.clear()
        if any(not limit.domain for limit in self._shared):
            self._connections = 0

    async def refresh(self) -> None:
        """Read what other workers have learned, or people asked for."""
        desk = self._around.desk
        self.schedule.told(await desk.read(partial(known_destinations, desk.store, self.account)))


def _reason(row: Claimed, listed: dict[str, str]) -> str | None:
    return next((listed[name] for name in names_of(row.address, row.domain) if name in listed), None)


def _is_over(row: Claimed, now: int) -> bool:
    return row.expires is not None and row.expires <= now


def _no_piece(_: int) -> bytes:
    return b""
