"""What a test waits for in an inbox, and what it is told when that does not come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailwright.inbox import search
from mailwright.inbox.search import Query
from mailwright.words.address import Address
from mailwright.words.errors import MailError, Timeout
from mailwright.words.reply import visible
from mailwright.words.value import fields_of, value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailwright.inbox.faults import Fired
    from mailwright.inbox.kept import Row
    from mailwright.inbox.store import Store

_SHOWN = 10  # messages that an error lists
_FIRED_SHOWN = 5  # faults


class UnexpectedMail(MailError, AssertionError):
    """More messages arrived than were expected."""


@value
class Wanted:
    """The message that is looked for; `None` fits all.

    `to`: one of the envelope's recipients; `subject`: a part of the subject; `sender`: the envelope's sender,
    empty for the null one; `contains`: a part of the text, or of that of the HTML where there is no text. Addresses as
    text are parsed: raises `AddressError`.
    """

    to: str | Address | None = None
    subject: str | None = None
    sender: str | Address | None = None
    contains: str | None = None

    @property
    def query(self) -> Query:
        """The same as conditions."""
        asked = Query()
        if self.to is not None:
            asked &= search.recipient(_spec(self.to))
        if self.sender is not None:
            asked &= search.sender(_spec(self.sender))
        if self.subject is not None:
            asked &= search.subject_contains(self.subject)
        if self.contains is not None:
            asked &= search.contains(self.contains)
        return asked

    def __str__(self) -> str:
        asked = ((name, getattr(self, name)) for name in fields_of(self))
        return " and ".join(f"{name}={_shown(given)!r}" for name, given in asked if given is not None)


def _spec(given: str | Address) -> str:
    if isinstance(given, str):
        return Address.parse(given).spec if given else ""
    return given.spec


def _shown(given: str | Address) -> str:
    return given if isinstance(given, str) else given.spec


def in_vain(
    store: Store, wanted: Wanted, timeout: float, count: int | None = None, fired: Sequence[Fired] = ()
) -> Timeout:
    """The error for a wait that found nothing, or fewer than `count`: it shows what did arrive, and which faults
    `fired`.
    """
    fitting = f"with {wanted} " if str(wanted) else ""
    nothing = f"No message {fitting}arrived"
    if count is not None:
        nothing = f"{store.count(wanted.query)} of {count} messages {fitting}arrived"
    what = f"{nothing} within {timeout:g} seconds"
    there = store.count()
    if there:
        return Timeout(f"{what}. In the inbox: {_listed(store, there)}{happened(fired)}")
    if fired:  # so somebody did talk to it
        return Timeout(f"{what}; the inbox is empty.{happened(fired)}")
    return Timeout(f"{what}; the inbox is empty.", "Check that the code sends to inbox.server.")


def unexpected(store: Store, wanted: Wanted, count: int, found: int) -> UnexpectedMail:
    """The error for more messages than were expected."""
    fitting = f" with {wanted}" if str(wanted) else ""
    listed = _listed(store, store.count())
    return UnexpectedMail(f"{found} messages{fitting} arrived where {count} were expected. In the inbox: {listed}")


def happened(fired: Sequence[Fired]) -> str:
    """The faults that fired last, each on a line of its own below the text before; empty if none did."""
    if not fired:
        return ""
    newest = f", the last {_FIRED_SHOWN}" if len(fired) > _FIRED_SHOWN else ""
    lines = [f"\n  {visible(str(one), 200)}" for one in fired[-_FIRED_SHOWN:]]
    return f"\nFaults that happened: {len(fired)}{newest}:{''.join(lines)}"


def _listed(store: Store, there: int) -> str:
    rows = store.rows(limit=_SHOWN)
    newest = f", the newest {_SHOWN} of them" if there > _SHOWN else ""
    return f"{there}{newest}:" + "".join(f"\n  {described(row)}" for row in reversed(rows))


def described(row: Row) -> str:
    """A message on one line that is safe to print."""
    to = ", ".join(row.recipients[:3])
    more = f" and {len(row.recipients) - 3} more" if len(row.recipients) > 3 else ""
    return visible(f"from <{row.sender}> to {to}{more}: {row.subject!r}", 200)
