"""The account of one message: each recipient's fate, exact at any moment, also after the plan that wrote it died."""

from __future__ import annotations

from mailwright.words.receipt import Outcome
from mailwright.words.reply import Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from mailwright.words.address import Address
    from mailwright.words.receipt import Fate

KEPT_LIMIT = 1000  # characters kept of the reply for one recipient, of whom there may be thousands


class Ledger:
    """What is known of each recipient's fate; exact also after the plan that wrote it has died.

    `begun`: MAIL was said, so the server may have changed its state. `handed`: every octet of the content
    left this process. `before_final` is asked before the octets leave that complete the content; what it raises ends
    the connection without them.
    """

    __slots__ = ("_common", "_own", "before_final", "begun", "handed", "recipients", "reply", "size")

    def __init__(
        self, recipients: Iterable[Address], before_final: Callable[[], object | Awaitable[object]] | None = None
    ) -> None:
        self.recipients = tuple(recipients)
        # Nearly always all recipients share one fate; a table of each one's is begun when they part.
        self._common: tuple[Fate, Reply | None] = _NOT_TRIED
        self._own: dict[Address, tuple[Fate, Reply | None]] | None = None
        self.before_final = before_final
        self.begun = False
        self.handed = False
        self.reply: Reply | None = None
        self.size = 0

    @property
    def fates(self) -> dict[Address, tuple[Fate, Reply | None]]:
        """Each recipient's fate, and the reply that decided it."""
        if self._own is None:
            self._own = dict.fromkeys(self.recipients, self._common)
        return self._own

    @property
    def uniform(self) -> bool:
        """True as long as all recipients share one fate."""
        return self._own is None

    def record(self, recipient: Address, reply: Reply, accepted: Fate = "accepted") -> None:
        """Note what `reply` means for a recipient; `accepted` is the fate that a 2yz gives."""
        fate: Fate = accepted if reply.ok else "deferred" if reply.temporary else "refused"
        self.fates[recipient] = (fate, _kept(reply))

    def record_rcpt(self, recipient: Address, reply: Reply) -> None:
        """Note what the answer to RCPT means; a recipient who is taken has not got anything yet.

        552 means "too many recipients" to some old servers and is to be taken for 452 (RFC 5321 §4.5.3.1.10).
        """
        self.record(recipient, Reply(452, reply.lines) if reply.code == 552 else reply, accepted="not tried")

    def record_all(self, recipients: Iterable[Address], fate: Fate, reply: Reply | None = None) -> None:
        """Give several recipients one fate."""
        for recipient in recipients:
            self.fates[recipient] = (fate, reply)

    def accept(self, reply: Reply) -> None:
        """The server took the whole message, for everybody."""
        self.reply, self.handed = reply, True
        self._common, self._own = ("accepted", _kept(reply)), None

    def forget(self) -> None:
        """Begin anew: nothing that was said of these recipients holds any more."""
        self._common, self._own = _NOT_TRIED, None
        self.begun = self.handed = False
        self.reply = None

    def with_fate(self, *fates: Fate) -> tuple[Address, ...]:
        """The recipients whose fate is one of these."""
        if self._own is None:
            return self.recipients if self._common[0] in fates else ()
        return tuple([recipient for recipient, (fate, _) in self._own.items() if fate in fates])

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The account so far, one entry a recipient."""
        if self._own is None:
            fate, reply = self._common
            return tuple([Outcome(recipient, fate, reply) for recipient in self.recipients])
        return tuple([Outcome(recipient, fate, reply) for recipient, (fate, reply) in self._own.items()])


_NOT_TRIED: tuple[Fate, Reply | None] = ("not tried", None)


def _kept(reply: Reply) -> Reply:
    if len(reply.lines) == 1 and len(reply.lines[0]) <= KEPT_LIMIT:
        return reply
    lines: list[str] = []
    left = KEPT_LIMIT
    for line in reply.lines:
        if left > 0:
            lines.append(line[:left])
        left -= len(line) + 1
    return reply if left >= 0 else Reply(reply.code, tuple(lines))
