"""A batch: what `Mailer.send_many` and `AsyncMailer.send_many` share."""

from __future__ import annotations

from itertools import chain, islice

from mailwright.mailer.catching import catch_in, divert
from mailwright.mailer.dispatch import Dispatch, Lane
from mailwright.mailer.known import is_known
from mailwright.mailer.outgoing import outgoing_mail
from mailwright.mailer.preparing import measure, recipients_at_once
from mailwright.smtp.window import Window
from mailwright.words.errors import ConfigError, MailError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mailwright.mailer.outgoing import Sendable
    from mailwright.mailer.pool import Lease, Limits
    from mailwright.message.mail import MailObject
    from mailwright.words.server import Server

FIRST = 4  # messages for which another connection is worth opening


class Batch:
    """One call of `send_many`: the messages of `source` on their way to `server`, or to where that is diverted.

    A `None` in the source means that it has nothing at the moment. Raises `ConfigError`, and what the source raises for
    the first few messages.
    """

    __slots__ = ("_lanes", "_limits", "connections", "dispatch", "server")

    def __init__(
        self,
        source: Iterable[Sendable | None],
        server: Server,
        limits: Limits,
        sender: str | None,
        ordered: bool,
        tell: Callable[[], object] | None = None,
    ) -> None:
        catch = catch_in()
        if catch is not None and catch.allowed:
            raise ConfigError(
                "send_many sends everything one way, and MAILWRIGHT_CATCH_EXCEPT asks for two.",
                "Unset it, so that all is caught, or send one by one.",
            )
        self.server = divert(server)
        diverted = str(server) if self.server is not server else ""
        known, at_once = is_known(server), recipients_at_once(server)
        given = _mails(source, sender, (lambda mail: measure(server, mail, at_once)) if known else None)
        first: list[MailObject | MailError | None] = []
        try:
            first.extend(islice(given, FIRST * limits.size))
        except Exception as problem:
            if not first:
                raise
            given = _failing(problem)  # what came before it is sent first
        self.connections = max(1, min(limits.size, -(-len(first) // FIRST))) if first else 0
        self.dispatch = Dispatch(chain(first, given), ordered, diverted, tell, at_once)
        self._limits = limits
        self._lanes: list[tuple[Lane, Lease]] = []

    def lane(self, lease: Lease) -> Lane:
        """The counter of one connection."""
        lane = Lane(self.dispatch, lease.session, Window(self._limits.window), self._limits.messages)
        lane.carried = lease.messages
        lease.link.deadline = None
        self._lanes.append((lane, lease))
        return lane

    def leave(self, finished: bool) -> list[Lease]:
        """The leases to give back. Nothing is in flight on them any more, unless the batch was not `finished`."""
        for lane, lease in self._lanes:
            lease.messages = lane.carried
            if not finished:
                lease.session.open = False
        return [lease for _, lease in self._lanes]


def _failing(problem: Exception) -> Iterator[MailObject | MailError | None]:
    raise problem
    yield None


def _mails(
    source: Iterable[Sendable | None], sender: str | None, check: Callable[[MailObject], object] | None
) -> Iterator[MailObject | MailError | None]:
    for message in source:
        if message is None:
            yield None
            continue
        try:
            mail = outgoing_mail(message, None, None, default_sender=sender)
            if check is not None:
                check(mail)
            yield mail
        except MailError as problem:
            yield problem
