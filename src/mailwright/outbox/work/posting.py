"""The sending of one account's consignments, under asyncio: many in flight where a second copy would be bearable, and
one by one, with a durable mark before the last octets, where it would not.

Suspects, which two workers had in hand when they died, are tried one at a time in the whole process, each behind a
mark of its own (phase 3); everything else goes on beside them. The mark is made before the content is looked at and
stays until there is a result, since a message may kill at any step from its first octet read to its last one sent.
Dying with it sets that one row aside, so a killer is held at exactly its third kill, and of any number of rows that
were in hand with it no second one is. That something else kills the worker meanwhile can't be told from it: then one
innocent row is held, visibly, and `release` sends it. To keep all else waiting would make that rarer, but two deaths
make suspects of all that was in hand, and a server that does not answer one of them would stop all mail.
"""

from __future__ import annotations

import asyncio
from collections import deque

from mailwright.mailer.aio import AsyncMailer
from mailwright.mailer.catching import catch_in, divert
from mailwright.mailer.conveying import carry
from mailwright.mailer.dispatch import Dispatch, Lane
from mailwright.mailer.preparing import recipients_at_once
from mailwright.outbox.work.carrying import FRESH, Tray
from mailwright.smtp.belt import NOWHERE
from mailwright.smtp.window import Window
from mailwright.words.errors import DeliveryError, MailError, OutboxError
from mailwright.words.receipt import Receipt
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any, Protocol

    from mailwright.mailer.pool import Lease, Limits
    from mailwright.message.mail import MailObject
    from mailwright.outbox.rows import Claimed
    from mailwright.outbox.work.carrying import Consignment
    from mailwright.smtp.belt import Load
    from mailwright.words.server import Server

    class Office(Protocol):
        """Who wants to know what became of it."""

        def clock(self) -> float:
            """Seconds that go on while the process or the machine sleeps."""

        def settle(self, one: Consignment, receipt: Receipt) -> None:
            """What became of a consignment."""

        def unreached(self, one: Consignment, error: Exception) -> None:
            """There was no way in for it."""

        def interrupted(self, error: MailError) -> None:
            """A connection ended so; what was not begun goes over another one."""

        def give_back(self, one: Consignment) -> None:
            """It was not begun."""

        def over(self, one: Consignment) -> bool:
            """Whether its time is over."""

        def look(self, waiting: Iterable[Consignment]) -> Awaitable[None]:
            """Learn which of these were taken back."""

        def load(self, rows: tuple[Claimed, ...]) -> Awaitable[MailObject]:
            """The message of these rows; raises `MessageError`."""

        def mark(self, one: Consignment) -> Awaitable[None]:
            """Make a durable mark; raises `NotOurs`."""


LINGER = 1.0  # seconds that connections wait for more before they are given back
FIRST = 16  # messages that wait, for which another connection is worth opening
ROUND = 64  # messages in a row before somebody else has the connection, if somebody waits
GLANCE = 0.5  # seconds between two looks for what was taken back


class NotOurs(OutboxError):
    """The row belongs to another worker by now, or was taken back: nothing of it may leave."""


class Seats:
    """The connections of an account, `most` of them: who wants one waits in line for it."""

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._taken = 0
        self._door, self._freed = asyncio.Lock(), asyncio.Event()
        self.awaited = 0

    def take_free(self) -> bool:
        """Take one if nobody waits for it."""
        free = not self.awaited and self._taken < self._most()
        self._taken += free
        return free

    def leave(self, count: int = 1) -> None:
        """So many are free again."""
        self._taken -= count
        self._freed.set()

    async def __aenter__(self) -> None:
        self.awaited += 1
        try:
            async with self._door:  # first come, first served
                while self._taken >= max(1, self._most()):
                    self._freed.clear()
                    await self._freed.wait()
                self._taken += 1
        finally:
            self.awaited -= 1

    async def __aexit__(self, *_: object) -> None:
        self.leave()


class Post:
    """Sends for one account. `connections` says how many there may be now; suspects of all accounts share `trial`."""

    def __init__(
        self, server: Server, limits: Limits, lease: float, office: Office, trial: asyncio.Lock,
        connections: Callable[[], int],
    ) -> None:  # fmt: skip
        self.mailer = AsyncMailer(server, limits=limits)
        self.tray = Tray(office.clock, lease, office.over)
        self._single: deque[Consignment] = deque()
        self._suspects: deque[Consignment] = deque()
        self._loads: dict[int, Load] = {}  # on connections, by the numbers of the tray
        self._office, self._trial, self._connections = office, trial, connections
        self._seats = Seats(connections)
        self._least = lease * FRESH
        caught = catch_in()
        self._two_ways = caught is not None and bool(caught.allowed)  # what is sent together goes one way
        self._filled, self._idle, self._accused, self._ended = (asyncio.Event() for _ in range(4))
        self._idle.set()
        self.stopping = False

    def put(self, one: Consignment) -> None:
        """This one may be sent."""
        if one.suspect:
            self._suspects.append(one)
            self._accused.set()
            return
        if one.marked or self._two_ways:
            self._single.append(one)
        else:
            self.tray.put(one)
        self._filled.set()

    async def run(self) -> None:
        """Send what is put, until `stop`."""
        try:
            await _all((self._send_most(), self._try_suspects(), self._look()))
        finally:
            await self.mailer.close()

    async def _send_most(self) -> None:
        while not self.stopping:
            if self._single:
                await self._one_by_one()
            if self.tray.waiting and not self.stopping:
                self._idle.clear()
                async with self._seats:
                    await self._convey()
                self._idle.set()
            if not (self._single or self.tray.waiting or self.stopping):
                self._filled.clear()
                await self._filled.wait()

    async def _try_suspects(self) -> None:
        while not self.stopping:
            if not self._suspects:
                self._accused.clear()
                await self._accused.wait()
                continue
            async with self._trial, self._seats:
                if self._suspects:
                    await self._send(self._suspects.popleft())

    async def _look(self) -> None:
        """Look now and then whether something that waits was taken back."""
        while not self.stopping:
            try:
                async with asyncio.timeout(GLANCE):
                    await self._ended.wait()
            except TimeoutError:
                await self._office.look([*self.tray.rest(), *self._single, *self._suspects])

    def stop(self) -> None:
        """Begin nothing more; what is under way is finished. What was not begun is given back."""
        self.stopping = True
        self._ended.set()
        self.hold_back()

    def hold_back(self) -> None:
        """Begin nothing of what is here; it is given back."""
        self._close_tray()
        for one in [*self.tray.empty(), *self._single, *self._suspects]:
            self._office.give_back(one)
        self._single.clear()
        self._suspects.clear()
        self._accused.set()

    async def rest(self) -> None:
        """Say goodbye on all connections; nothing is under way."""
        self._close_tray()
        await self._idle.wait()
        counter = self.mailer.counter()
        leases, counter.pool.idle = counter.pool.idle, []
        await counter.say_goodbye(leases)

    def _close_tray(self) -> None:
        self.tray.closed = True
        self._filled.set()

    def begun(self) -> tuple[list[Consignment], list[Consignment]]:
        """What was handed to connections and has no result: of the first nobody knows, once these are cut; of the
        others something was still to be sent.
        """
        every = self.tray.begun.items()
        doubtful = [one for number, one in every if _left(one, self._loads.get(number))]
        return doubtful, [one for number, one in every if not _left(one, self._loads.get(number))]

    # Many in flight.

    async def _convey(self) -> None:
        tray, counter = self.tray, self.mailer.counter()
        tray.open()
        self._loads.clear()
        server = divert(self.mailer.server)
        news = asyncio.Event()
        diverted = str(self.mailer.server) if server is not self.mailer.server else ""
        dispatch = Dispatch(iter(tray), False, diverted, news.set, recipients_at_once(self.mailer.server))
        errands: list[Any] = []
        lanes: list[tuple[Lane, Lease]] = []
        finished = False
        try:
            while True:
                if not errands or (tray.waiting >= FIRST and self._seats.take_free()):
                    await self._open_lane(dispatch, lanes, errands, news)
                ended = all(errand.ended for errand in errands)
                self._hand_out(dispatch)
                if ended:
                    break
                if (self._single or self._seats.awaited) and dispatch.taken >= ROUND:
                    self._close_tray()
                await news.wait()
                news.clear()
            finished = True
        finally:
            for errand in errands:
                await errand.stop()
            for lane, lease in lanes:
                lease.messages = lane.carried
                lease.session.open = lease.session.open and finished
            await counter.give_back_all([lease for _, lease in lanes], lock_step=dispatch.lock_step)
            self._seats.leave(max(0, len(lanes) - 1))
        for errand in errands:
            errand.result()
        dispatch.finish()
        self._hand_out(dispatch)

    async def _open_lane(
        self, dispatch: Dispatch, lanes: list[tuple[Lane, Lease]], errands: list[Any], news: asyncio.Event
    ) -> None:
        counter, limits = self.mailer.counter(), self.mailer.limits
        server = divert(self.mailer.server)
        (lease,) = await counter.leases(server, 1)
        lane = _Watched(dispatch, lease.session, Window(limits.window), limits.messages)
        lane.told, lane.loads = self._office.interrupted, self._loads
        lane.carried = lease.messages
        lease.link.deadline = None
        lanes.append((lane, lease))
        errands.append(counter.loop.Errand(carry(lane, self._arrival, limits.idle), lease.link, news.set))

    async def _arrival(self) -> None:
        """Until there is a message again, or none has come for a while."""
        tray = self.tray
        if tray.waiting or tray.closed:
            return
        if self._single or self._seats.awaited:
            self._close_tray()
            return
        self._filled.clear()
        try:
            async with asyncio.timeout(LINGER):
                await self._filled.wait()
        except TimeoutError:
            self._close_tray()

    def _hand_out(self, dispatch: Dispatch) -> None:
        office, begun, ready = self._office, self.tray.begun, dispatch.ready
        while ready:
            receipt = ready.popleft()
            one = begun.pop(receipt.number)
            self._loads.pop(receipt.number, None)
            error = receipt.error
            if error is not None and not receipt.host and error is dispatch.fatal:
                office.unreached(one, error)
            else:
                office.settle(one, receipt)
        for one in self.tray.late:
            office.give_back(one)
        self.tray.late.clear()

    # One by one.

    async def _one_by_one(self) -> None:
        waiting, self._single = self._single, deque()
        count = max(1, min(self._connections(), len(waiting)))
        await _all(self._send_from(waiting) for _ in range(count))
        self._single.extendleft(reversed(waiting))

    async def _send_from(self, waiting: deque[Consignment]) -> None:
        async with self._seats:
            begun = 0
            while waiting and not (self._seats.awaited and begun >= ROUND):
                begun += 1
                if self.stopping:
                    self._office.give_back(waiting.popleft())
                else:
                    await self._send(waiting.popleft())

    async def _send(self, one: Consignment) -> None:
        office = self._office
        if one.until - office.clock() < self._least or one.cancelled or office.over(one):
            office.give_back(one)
            return

        async def mark() -> None:
            if office.clock() >= one.until:
                raise NotOurs("The lease ended before the message was sent.")
            await office.mark(one)

        try:
            if one.suspect:
                await mark()
                one.mail = await office.load(one.rows)
            assert one.mail is not None
            receipt = await self.mailer.send(one.mail, on_refusal="report", before_final=mark if one.marked else None)
        except asyncio.CancelledError as cancelled:
            error = cancelled.__cause__
            office.settle(one, _account(error if isinstance(error, MailError) else None))
            raise
        except NotOurs:
            office.give_back(one)
        except MailError as error:
            office.settle(one, _account(error))
        else:
            office.settle(one, receipt)


class _Watched(Lane):
    """A lane that tells why its connection ended: its messages go over another, and their receipts don't say it. What
    it carries is in `loads`, by number.
    """

    __slots__ = ("loads", "told")

    told: Callable[[MailError], object]
    loads: dict[int, Load]

    def take(self, count: int) -> list[Load]:
        """See `Lane.take`."""
        loads = super().take(count)
        for load in loads:
            self.loads[load.number] = load
        return loads

    def again(self, loads: list[Load], problem: MailError | None) -> None:
        """See `Lane.again`."""
        if problem is not None:
            self.told(problem)
        super().again(loads, problem)


def _left(one: Consignment, load: Load | None) -> bool:
    """Whether all octets of it may have left, or an earlier part of it has."""
    if load is None:
        return False
    assert one.mail is not None
    begun = load.end < NOWHERE or load.ledger.handed or (load.data is not None and load.data.code == 354)
    return begun or len(load.recipients) < len(one.mail.envelope.recipients)


def _account(error: MailError | None) -> Receipt:
    """What is known of a message whose sending ended with an error."""
    known = error.receipt if isinstance(error, DeliveryError) else None
    return Receipt((), "", 0, error=error) if known is None else replace(known, error=error)


async def _all(acts: Any) -> None:
    """Run these side by side; the first error ends all of them, and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for act in acts:
                group.create_task(act)
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
