"""The sending of one account's consignments, under asyncio: many in flight where a second copy would be bearable, and
one by one, with a durable mark before the last octets, where it would not.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager

from mailwright.mailer.aio import AsyncMailer
from mailwright.mailer.catching import catch_in, divert
from mailwright.mailer.conveying import carry
from mailwright.mailer.dispatch import Dispatch, Lane
from mailwright.mailer.preparing import recipients_at_once
from mailwright.outbox.work.carrying import FRESH, Tray
from mailwright.smtp.belt import Window
from mailwright.words.errors import DeliveryError, MailError, OutboxError
from mailwright.words.receipt import Receipt
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
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

        def load(self, rows: tuple[Claimed, ...]) -> Awaitable[MailObject]:
            """The message of these rows; raises `MessageError`."""

        def mark(self, one: Consignment) -> Awaitable[None]:
            """Make a durable mark; raises `NotOurs`."""


LINGER = 1.0  # seconds that connections wait for more before they are given back
FIRST = 16  # messages that wait, for which another connection is worth opening
ROUND = 64  # messages in flight before those that go one by one have their turn


class NotOurs(OutboxError):
    """The row belongs to another worker by now, or was taken back: nothing of it may leave."""


class Solitude:
    """Lets one message be alone in this process, when everything else has come to rest."""

    def __init__(self) -> None:
        self.wanted = False
        self._others = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """For what may have company."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self.wanted)
            self._others += 1
        try:
            yield
        finally:
            self._others -= 1
            await asyncio.shield(self._tell())

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """For what must not."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self.wanted)
            self.wanted = True
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._others)
            yield
        finally:
            self.wanted = False
            await asyncio.shield(self._tell())

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class Post:
    """Sends for one account. `connections` says how many there may be now."""

    def __init__(
        self, server: Server, limits: Limits, lease: float, office: Office, solitude: Solitude,
        connections: Callable[[], int],
    ) -> None:  # fmt: skip
        self.mailer = AsyncMailer(server, limits=limits)
        self.tray = Tray(office.clock, lease)
        self._single: deque[Consignment] = deque()
        self._office, self._solitude, self._connections = office, solitude, connections
        self._least = lease * FRESH
        caught = catch_in()
        self._two_ways = caught is not None and bool(caught.allowed)  # what is sent together goes one way
        self._filled, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self.stopping = False

    def put(self, one: Consignment) -> None:
        """This one may be sent."""
        if one.marked or self._two_ways:
            self._single.append(one)
        else:
            self.tray.put(one)
        self._filled.set()

    async def run(self) -> None:
        """Send what is put, until `stop`."""
        try:
            while not self.stopping:
                if self._single:
                    await self._one_by_one()
                if self.tray.waiting and not self.stopping:
                    self._idle.clear()
                    async with self._solitude.beside():
                        await self._convey()
                    self._idle.set()
                if not (self._single or self.tray.waiting or self.stopping):
                    self._filled.clear()
                    await self._filled.wait()
        finally:
            await self.mailer.close()

    def stop(self) -> None:
        """Begin nothing more; what is under way is finished. What was not begun is given back."""
        self.stopping = True
        self.hold_back()

    def hold_back(self) -> None:
        """Begin nothing of what is here; it is given back."""
        self._close_tray()
        for one in [*self.tray.empty(), *self._single]:
            self._office.give_back(one)
        self._single.clear()

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

    def doubtful(self) -> list[Consignment]:
        """What was begun and has no result: of these nobody knows, once their connections are cut."""
        return list(self.tray.begun.values())

    # Many in flight.

    async def _convey(self) -> None:
        tray, counter = self.tray, self.mailer.counter()
        tray.open()
        server = divert(self.mailer.server)
        news = asyncio.Event()
        diverted = str(self.mailer.server) if server is not self.mailer.server else ""
        dispatch = Dispatch(iter(tray), False, diverted, news.set, recipients_at_once(self.mailer.server))
        errands: list[Any] = []
        lanes: list[tuple[Lane, Lease]] = []
        finished = False
        try:
            while True:
                if not errands or (tray.waiting >= FIRST and len(errands) < self._connections()):
                    await self._open_lane(dispatch, lanes, errands, news)
                ended = all(errand.ended for errand in errands)
                self._hand_out(dispatch)
                if ended:
                    break
                if self._solitude.wanted or (self._single and dispatch.taken >= ROUND):
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
        lane.told = self._office.interrupted
        lane.carried = lease.messages
        lease.link.deadline = None
        lanes.append((lane, lease))
        errands.append(counter.loop.Errand(carry(lane, self._arrival, limits.idle), lease.link, news.set))

    async def _arrival(self) -> None:
        """Until there is a message again, or none has come for a while."""
        tray = self.tray
        if tray.waiting or tray.closed:
            return
        if self._single or self._solitude.wanted:
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
        alone = [one for one in self._single if one.alone]
        with_company = deque(one for one in self._single if not one.alone)
        self._single.clear()
        if with_company:
            async with self._solitude.beside():
                count = max(1, min(self._connections(), len(with_company)))
                await _all(self._send_from(with_company) for _ in range(count))
        for place, one in enumerate(alone):
            if self.stopping:
                for rest in alone[place:]:
                    self._office.give_back(rest)
                return
            async with self._solitude.alone():
                await self._send(one)

    async def _send_from(self, waiting: deque[Consignment]) -> None:
        while waiting:
            if self.stopping:
                self._office.give_back(waiting.popleft())
            else:
                await self._send(waiting.popleft())

    async def _send(self, one: Consignment) -> None:
        office = self._office
        if one.until - office.clock() < self._least:
            office.give_back(one)
            return

        async def mark() -> None:
            if office.clock() >= one.until:
                raise NotOurs("The lease ended before the message was sent.")
            await office.mark(one)

        try:
            if one.alone:
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
    """A lane that tells why its connection ended: its messages go over another, and their receipts don't say it."""

    __slots__ = ("told",)

    told: Callable[[MailError], object]

    def again(self, loads: list[Load], problem: MailError | None) -> None:
        """See `Lane.again`."""
        if problem is not None:
            self.told(problem)
        super().again(loads, problem)


def _account(error: MailError | None) -> Receipt:
    """What is known of a message whose sending ended with an error."""
    known = error.receipt if isinstance(error, DeliveryError) else None
    return Receipt((), "", 0, error=error) if known is None else replace(known, error=error)


async def _all(acts: Any) -> None:
    """Run these side by side; the first error ends all of them."""
    async with asyncio.TaskGroup() as group:
        for act in acts:
            group.create_task(act)
