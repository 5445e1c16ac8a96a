"""`Mailer`: sends from blocking code, keeps its connections, and may be shared between threads."""

from __future__ import annotations

import os
from time import monotonic

from mailwright.drivers.turnstile import Turnstile
from mailwright.mailer.pool import Lease, Limits, Pool, check_policy
from mailwright.mailer.preparing import fit, mannered, measure
from mailwright.words.errors import ConfigError
from mailwright.words.server import Server

# The driver and the conversation are imported where they are used: `socket` alone costs 7 ms of start-up, which a
# program that imports `Mailer` and then sends nothing should not pay.

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import Any

    from mailwright.mailer.catching import Route
    from mailwright.mailer.dispatch import Progress
    from mailwright.mailer.outgoing import Sendable
    from mailwright.mailer.pool import OnRefusal
    from mailwright.words.address import Address
    from mailwright.words.receipt import Receipt


class Mailer:
    """Sends messages through one `server` (a `Server` or its URL) and reuses connections.

    For the host of a known provider, port and security are put right, with a warning, and what can't succeed raises
    `ConfigError` at once, such as a placeholder for a password.
    Safe to share between threads: each send has a connection of its own while it lasts, at most `limits.size`
    at a time, and waits for one if all are in use. `sender` is used for messages that name none. Use it as a
    context manager, or call `close`.
    """

    def __init__(self, server: Server | str, *, limits: Limits | None = None, sender: str | None = None) -> None:
        self.server = fit(Server.from_url(server) if isinstance(server, str) else server)
        self.sender = sender
        self._pool = Pool(mannered(limits or Limits(), self.server))
        self._freed = Turnstile()
        self._process = os.getpid()

    def send(
        self,
        message: Sendable,
        *,
        sender: str | Address | None = None,
        to: Iterable[str | Address] | str | Address | None = None,
        on_refusal: OnRefusal = "raise",
    ) -> Receipt:
        """Send one message and give its receipt.

        `message` is a `Message`, an `email.message.EmailMessage`, raw RFC 5322 octets, or a pair of
        `Envelope` and octets; `sender` and `to` override the envelope, not the headers. `on_refusal`:
        ``"raise"`` (the others get it, then `RecipientsRefused`), ``"stop"`` (nobody gets it unless all are
        accepted), ``"report"`` (only the receipt says it). Raises `MessageError`, `ConfigError`, or a
        `DeliveryError`.
        """
        from mailwright.mailer.catching import routes_of
        from mailwright.mailer.outgoing import outgoing_mail

        check_policy(on_refusal)
        mail = outgoing_mail(message, sender, to, default_sender=self.sender)
        measure(self.server, mail)
        routes = routes_of(mail, self.server)
        total = self.server.timeouts.total
        deadline = monotonic() + total if total else None
        if len(routes) == 1:
            return self._deliver(routes[0], on_refusal, deadline)
        from mailwright.mailer.tally import Tally  # few messages go two ways

        tally = Tally(mail, routes, on_refusal)
        for route in routes:
            with tally:
                tally.add(self._deliver(route, tally.policy, deadline))
        return tally.total()

    def send_many(
        self,
        messages: Iterable[Sendable],
        *,
        ordered: bool = True,
        progress: Callable[[Progress], object] | None = None,
    ) -> Iterator[Receipt]:
        """Send the messages of any iterable, many in flight, and give a receipt for each as it becomes known.

        A message is what `send` takes. It is taken from the iterable only when there is room for it, so that a million
        need no more memory than a few hundred. Several connections are used when there is enough for them. Receipts
        come in the order of the messages, or with ``ordered=False`` as they are known; `Receipt.number` tells the
        place either way. What goes wrong with one message is not raised but stands in ``receipt.error``. Raised is what
        the iterable raises, and what keeps all of them from being sent: settings, the login, a server that is not
        there. `progress` is called now and then. The deadline `Timeouts.total` does not hold here; those of each step
        do.

        When the caller stops before the end, the messages in flight may or may not arrive.
        """
        from mailwright.mailer.many import send_many

        return send_many(self, messages, ordered, progress)

    def _deliver(self, route: Route, on_refusal: OnRefusal, deadline: float | None) -> Receipt:
        """One message over one lease."""
        from mailwright.drivers.sync import run
        from mailwright.mailer.delivering import deliver, interrupted
        from mailwright.smtp.ledger import Ledger

        mail = route.mail
        ledger = Ledger(mail.envelope.recipients)
        lease, expired = self._take(route.server)
        try:
            _say_goodbye(expired, monotonic())  # a message waits: nobody waits for their answers
            lease.link.deadline = deadline
            lease.messages += 1
            probe = monotonic() - lease.used > self._pool.limits.probe
            parting = lease.messages >= self._pool.limits.messages
            plan = deliver(lease.session, mail, ledger, on_refusal, probe, route.diverted, parting)
            return run(plan, lease.link)
        except BaseException as problem:
            if not isinstance(problem, Exception):  # Ctrl-C and its like: say how far it had come
                problem.__cause__ = interrupted(lease.session, mail, ledger, route.diverted)
            if not _between_messages(lease):
                lease.session.open = False
            raise
        finally:
            self._give_back(lease, deadline)

    def _take(self, server: Server) -> tuple[Lease, list[Lease]]:
        """A lease to `server`, after a wait if all are in use, and those that have to be closed."""
        self._notice_fork()
        pool, total, began = self._pool, server.timeouts.total, monotonic()
        with self._freed:
            try:
                free = self._freed.wait_for(lambda: pool.closed or not pool.full, total)
            except BaseException:
                self._freed.notify()  # it may have been us who were woken
                raise
            if pool.closed:
                raise ConfigError("This Mailer was closed.", "Make a new one.")
            if not free or (total and monotonic() >= began + total):
                raise _no_lease(server, pool.limits.size)
            now = monotonic()
            new = None if pool.idle else _new_lease(pool, server, now)
            expired = pool.expired(now, server)
            lease = pool.take(server) or new or _new_lease(pool, server, now)
        lease.session.lock_step = pool.lock_step
        lease.session.begin_transcript()
        return lease, expired

    def _give_back(self, lease: Lease, deadline: float | None) -> None:
        with self._freed:
            kept = self._pool.give_back(lease, monotonic())
            self._freed.notify()
        if not kept:
            _say_goodbye([lease], deadline)

    @property
    def limits(self) -> Limits:
        """How many connections, and how long each is kept; never more than the server's provider is known to take."""
        return self._pool.limits

    def leases(self, server: Server, count: int) -> list[Lease]:
        """At least one connection for a batch, and as many more up to `count` as nobody else uses."""
        lease, expired = self._take(server)
        leases = [lease]
        with self._freed:
            while len(leases) < count and not self._pool.full:
                leases.append(self._pool.take(server) or _new_lease(self._pool, server, monotonic()))
        for one in leases:
            one.session.lock_step = self._pool.lock_step
        _say_goodbye(expired, monotonic())
        return leases

    def give_back(self, leases: list[Lease], lock_step: bool) -> None:
        """Return the connections of a batch; with `lock_step` the server has shown that it can't count."""
        self._pool.lock_step = self._pool.lock_step or lock_step
        for lease in leases:
            self._give_back(lease, None)

    def _notice_fork(self) -> None:
        if os.getpid() != self._process:
            # The sockets are the parent's: a word from here would land in the middle of its talk.
            self._process = os.getpid()
            self._freed = Turnstile()
            for lease in self._pool.forget():
                lease.link.abandon()

    def close(self) -> None:
        """Say goodbye on every idle connection and close it; those in use are closed after their message.
        Never fails.
        """
        self._notice_fork()
        with self._freed:
            idle = self._pool.drain()
            self._freed.notify_all()
        _say_goodbye(idle)

    def __enter__(self) -> Mailer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Mailer for {self.server}, {self._pool.out} connections in use, {len(self._pool.idle)} idle>"


def _between_messages(lease: Lease) -> bool:
    """True when a failed message left the connection ready for the next."""
    from mailwright.smtp.phases import READY

    return bool(lease.session.open and lease.session.phase == READY)


def _new_lease(pool: Pool, server: Server, now: float) -> Lease:
    from mailwright.drivers.sync import Link
    from mailwright.smtp.session import Session

    return pool.new(Link(), Session(server, monotonic), now)


def _say_goodbye(leases: list[Lease], deadline: float | None = None) -> None:
    """QUIT and close, on all of them at once; the answers are waited for until the deadline at most."""
    if not leases:
        return
    from mailwright.drivers.sync import turns
    from mailwright.smtp.session import quit_session

    try:
        for lease in leases:
            lease.link.deadline = deadline
        for _ in turns([quit_session(lease.session) for lease in leases], [lease.link for lease in leases]):
            pass  # nobody waits for anything else meanwhile
    finally:
        for lease in leases:
            lease.link.close()


def _no_lease(server: Server, size: int) -> Any:
    from mailwright.words.errors import Timeout

    return Timeout(
        f"All {size} connections to {server} were in use for the whole deadline.",
        "Try again, or allow more connections with limits=Limits(size=…).",
        phase="connect",
        server=str(server),
    )
