"""`AsyncMailer`: the same names and results as `Mailer`, for asyncio and Trio. Its decisions are the pool's, its
dialogue the plans'.
"""

from __future__ import annotations

from mailwright.mailer.catching import routes_of
from mailwright.mailer.delivering import deliver, interrupted
from mailwright.mailer.loops import running
from mailwright.mailer.outgoing import outgoing_mail
from mailwright.mailer.pool import Lease, Limits, Pool, check_policy
from mailwright.mailer.preparing import fit, mannered, measure
from mailwright.mailer.sync import _between_messages, _no_lease
from mailwright.mailer.tally import Tally
from mailwright.smtp.ledger import Ledger
from mailwright.smtp.session import Session, quit_session
from mailwright.words.errors import ConfigError
from mailwright.words.server import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
    from types import TracebackType

    from mailwright.mailer.catching import Route
    from mailwright.mailer.dispatch import Progress
    from mailwright.mailer.loops import Loop
    from mailwright.mailer.outgoing import Sendable
    from mailwright.mailer.pool import OnRefusal
    from mailwright.words.address import Address
    from mailwright.words.receipt import Receipt


class AsyncMailer:
    """Sends messages through one `server` and reuses connections; safe to share between the tasks of one
    event loop, of asyncio or Trio.

    See `Mailer` for the parameters. A cancelled send closes its connection; the `asyncio.CancelledError` or
    `trio.Cancelled` has the delivery error, with its doubt, as its cause. In another event loop, or in a forked
    process, it begins anew with connections of its own.
    """

    def __init__(self, server: Server | str, *, limits: Limits | None = None, sender: str | None = None) -> None:
        self.server = fit(Server.from_url(server) if isinstance(server, str) else server)
        self.sender = sender
        self._limits = mannered(limits or Limits(), self.server)
        self._closed = False
        self._counter: _Counter | None = None

    async def send(
        self,
        message: Sendable,
        *,
        sender: str | Address | None = None,
        to: Iterable[str | Address] | str | Address | None = None,
        on_refusal: OnRefusal = "raise",
        before_final: Callable[[], Awaitable[object]] | None = None,
    ) -> Receipt:
        """Send one message and give its receipt; as `Mailer.send`. `before_final` is awaited before the octets leave
        that complete the content; what it raises ends the connection without them, so that nobody gets the message.
        """
        check_policy(on_refusal)
        mail = outgoing_mail(message, sender, to, default_sender=self.sender)
        if self._closed:
            raise ConfigError("This AsyncMailer was closed.", "Make a new one.")
        measure(self.server, mail)
        routes = routes_of(mail, self.server)
        total = self.server.timeouts.total
        deadline = self._here().loop.clock() + total if total else None
        tally = Tally(mail, routes, on_refusal)
        for route in routes:
            with tally:
                tally.add(await self._deliver(route, tally.policy, deadline, before_final))
        return tally.total()

    def send_many(
        self,
        messages: Iterable[Sendable] | AsyncIterable[Sendable],
        *,
        ordered: bool = True,
        progress: Callable[[Progress], object] | None = None,
    ) -> AsyncIterator[Receipt]:
        """Send the messages of any iterable, asynchronous ones too, many in flight; as `Mailer.send_many`.

        ``async for receipt in mailer.send_many(messages)``. Who leaves that loop early closes the iterator
        (``contextlib.aclosing``), so that the connections end with it.
        """
        from mailwright.mailer.many_async import send_many

        return send_many(self, messages, ordered, progress)

    @property
    def limits(self) -> Limits:
        """How many connections, and how long each is kept; never more than the server's provider is known to take."""
        return self._limits

    def counter(self) -> _Counter:
        """Where a batch gets its connections. Raises `ConfigError` after `close`."""
        if self._closed:
            raise ConfigError("This AsyncMailer was closed.", "Make a new one.")
        return self._here()

    async def _deliver(
        self,
        route: Route,
        on_refusal: OnRefusal,
        deadline: float | None,
        before_final: Callable[[], Awaitable[object]] | None,
    ) -> Receipt:
        """One message over one lease."""
        mail = route.mail
        ledger = Ledger(mail.envelope.recipients, before_final)
        counter = self._here()
        loop = counter.loop
        lease, expired = await counter.take(route.server)
        try:
            try:
                if self._closed:  # while we waited
                    raise ConfigError("This AsyncMailer was closed.", "Make a new one.")
                if deadline is not None and loop.clock() >= deadline:
                    raise _no_lease(route.server, self._limits.size)
                await counter.say_goodbye(expired, loop.clock())  # a message waits: nobody waits for their answers
                lease.link.deadline = deadline
                lease.messages += 1
                probe = loop.clock() - lease.used > self._limits.probe
                parting = lease.messages >= self._limits.messages
                plan = deliver(lease.session, mail, ledger, on_refusal, probe, route.diverted, parting)
                return await loop.run(plan, lease.link)
            except BaseException as problem:
                if isinstance(problem, loop.Cancelled) or not _between_messages(lease):
                    lease.session.open = False
                raise
            finally:
                await counter.give_back(lease, deadline)
        except loop.Cancelled as cancelled:
            raise cancelled from interrupted(lease.session, mail, ledger, route.diverted)

    def _here(self) -> _Counter:
        """The counter of the event loop and process that this is called in."""
        loop = running()
        here = loop.current()
        if self._counter is None or self._counter.here != here:
            if self._counter is not None:
                # Nothing can be said on these any more: their loop has ended, or they are the parent process's.
                for lease in self._counter.pool.drain():
                    lease.link.abandon()
            self._counter = _Counter(loop, here, self._limits)
        return self._counter

    async def close(self) -> None:
        """Say goodbye on every idle connection and close it; those in use are closed after their message.
        Never fails.
        """
        self._closed = True
        counter = self._here()
        await counter.say_goodbye(counter.pool.drain())

    async def __aenter__(self) -> AsyncMailer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        pool = self._counter.pool if self._counter else Pool(self._limits)
        return f"<AsyncMailer for {self.server}, {pool.out} connections in use, {len(pool.idle)} idle>"


class _Counter:
    """Where the tasks of one event loop (`here`) get their connections, and wait for them."""

    __slots__ = ("here", "loop", "places", "pool")

    def __init__(self, loop: Loop, here: object, limits: Limits) -> None:
        self.loop, self.here = loop, here
        self.pool = Pool(limits)
        self.places = loop.places(limits.size)

    async def take(self, server: Server) -> tuple[Lease, list[Lease]]:
        """A lease to `server`, after a wait if all are in use, and those that have to be closed."""
        if not await self.loop.in_time(self.places.acquire, server.timeouts.total):
            raise _no_lease(server, self.pool.limits.size)
        now = self.loop.clock()
        expired = self.pool.expired(now, server)
        lease = self.pool.take(server)
        if lease is None:
            lease = self.pool.new(self.loop.Link(), Session(server, self.loop.clock), now)
        lease.session.lock_step = self.pool.lock_step
        lease.session.begin_transcript()
        return lease, expired

    async def leases(self, server: Server, count: int) -> list[Lease]:
        """At least one connection for a batch, and as many more up to `count` as nobody else uses."""
        leases: list[Lease] = []
        try:
            while len(leases) < count and not (leases and self.pool.full):
                lease, expired = await self.take(server)
                leases.append(lease)
                await self.say_goodbye(expired, self.loop.clock())
        except BaseException:
            await self.give_back_all(leases, lock_step=False)
            raise
        return leases

    async def give_back_all(self, leases: list[Lease], lock_step: bool) -> None:
        """Return the connections of a batch; with `lock_step` the server has shown that it can't count."""
        self.pool.lock_step = self.pool.lock_step or lock_step
        kept = [self.pool.give_back(lease, self.loop.clock()) for lease in leases]
        for _ in leases:
            self.places.release()
        await self.say_goodbye([lease for lease, stays in zip(leases, kept, strict=True) if not stays])

    async def give_back(self, lease: Lease, deadline: float | None) -> None:
        # No await before the pool knows: a cancellation in between would lose the place for ever.
        kept = self.pool.give_back(lease, self.loop.clock())
        self.places.release()
        if not kept:
            await self.say_goodbye([lease], deadline)

    async def say_goodbye(self, leases: list[Lease], deadline: float | None = None) -> None:
        """QUIT where somebody still listens, and close; the answers are waited for until the deadline at most."""
        try:
            for lease in leases:
                if lease.session.open:
                    lease.link.deadline = deadline
                    await self.loop.run(quit_session(lease.session), lease.link)
        finally:
            for lease in leases:
                lease.link.close()
