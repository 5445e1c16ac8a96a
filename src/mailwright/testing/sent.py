"""Whether a message was sent that fits, and what is said if none was: what was sent, and in what it differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailwright.inbox.waiting import Wanted, happened
from mailwright.words.address import Address
from mailwright.words.errors import MailError
from mailwright.words.reply import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.inbox import Inbox, Received

SHOWN = 10  # messages that a failure lists
_ALL = 1 << 30


def assert_sent(
    inbox: Inbox,
    *,
    to: str | Address | None = None,
    subject: str | None = None,
    sender: str | Address | None = None,
    contains: str | None = None,
    has_attachment: bool | str | None = None,
    count: int | None = None,
    timeout: float = 5.0,
) -> Received:
    """The first message in `inbox` that fits, waiting up to `timeout` seconds for it; raises `AssertionError`, which
    shows what was sent instead and in what it differs.

    `to`, `subject`, `sender` and `contains` are those of `Inbox.wait`. `has_attachment`: true for any, false for none,
    or the name of one. `count`: exactly so many fit; of more than those it is told at once, of later ones not.
    """
    __tracebackhide__ = True
    wanted = _Expected(to, subject, sender, contains, has_attachment)

    def enough() -> tuple[Received, ...] | None:
        found = wanted.among(inbox)
        return found if len(found) >= (count or 1) else None

    found = inbox.store.wait_until(enough, timeout) or wanted.among(inbox)
    if found and count in (None, len(found)):
        return found[0]
    problem = AssertionError(_told(inbox, wanted, len(found), count))
    raise problem from inbox.problem


class _Expected:
    """What is looked for, condition by condition."""

    def __init__(
        self,
        to: str | Address | None,
        subject: str | None,
        sender: str | Address | None,
        contains: str | None,
        has_attachment: bool | str | None,
    ) -> None:
        self.each = {
            "recipient": Wanted(to=to),
            "subject": Wanted(subject=subject),
            "sender": Wanted(sender=sender),
            "text": Wanted(contains=contains),
        }
        self.attachment = has_attachment

    def among(self, inbox: Inbox) -> tuple[Received, ...]:
        """The messages that fit, the oldest first."""
        query = Wanted().query
        for one in self.each.values():
            query &= one.query
        rows = inbox.store.rows_after(0, query, limit=_ALL)
        found = [received for row in rows if (received := inbox.store.received(row.id)) is not None]
        return tuple([received for received in found if self._attached(received)])

    def missed(self, inbox: Inbox, id: int) -> Iterator[str]:
        """The names of the conditions that the message with that id does not meet."""
        for name, one in self.each.items():
            first = inbox.store.rows_after(id - 1, one.query, limit=1)
            if not first or first[0].id != id:
                yield name
        received = inbox.store.received(id)
        if received is not None and not self._attached(received):
            yield "attachment"

    def _attached(self, received: Received) -> bool:
        if self.attachment is None:
            return True
        names = attachment_names(received)
        if isinstance(self.attachment, str):
            return self.attachment in names
        return bool(names) is self.attachment

    def __str__(self) -> str:
        asked = [str(one) for one in self.each.values() if str(one)]
        if isinstance(self.attachment, str):
            asked.append(f"attachment={self.attachment!r}")
        elif self.attachment is not None:
            asked.append("an attachment" if self.attachment else "no attachment")
        return " and ".join(asked)


def attachment_names(received: Received) -> list[str]:
    """The names of a message's attachments, empty for one without; none of what is no message at all."""
    try:
        return [attachment.name or "" for attachment in received.message.attachments]
    except MailError:
        return []


def _told(inbox: Inbox, wanted: _Expected, found: int, count: int | None) -> str:
    fitting = f" with {wanted}" if str(wanted) else ""
    if count is None or (count == 1 and not found):
        what = f"No message{fitting} was sent."
    else:
        what = f"{found} of {count} messages{fitting} were sent."
    there = inbox.store.count()
    broken = happened(inbox.faults.fired)
    if not there:
        asked = "." if broken else ": does the code send to it?"
        return f"{what} The inbox at {inbox.server} is empty{asked}{broken}"
    lines = [f"{what} In the inbox, {there} in all:" if there <= SHOWN else f"{what} The newest {SHOWN} of {there}:"]
    for row in reversed(inbox.store.rows(limit=SHOWN)):
        received = inbox.store.received(row.id)
        names = attachment_names(received) if received is not None else []
        attached = f", attached: {', '.join(names) or 'without a name'}" if names else ""
        other = ", ".join(wanted.missed(inbox, row.id))
        to = ", ".join(row.recipients[:3]) + (" and more" if len(row.recipients) > 3 else "")
        line = visible(f"from <{row.sender}> to {to}: {row.subject!r}{attached}", 300)
        lines.append(f"  {line} ({f'other {other}' if other else 'fits'})")
    return "\n".join(lines) + broken
