"""The account of one message: each recipient's fate, exact at any moment, also after the plan that wrote it died."""

from __future__ import annotations

from mailwright.words.receipt import Outcome
from mailwright.words.reply import Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailwright.words.address import Address
    from mailwright.words.receipt import Fate

KEPT_LIMIT = 1000  # characters kept of the reply for one recipient, of whom there may be thousands


class Ledger:
    """What is known of each recipient's fate; exact also after the plan that wrote it has died.

    `begun`: MAIL was said, so the server may have changed its state. `handed`: every octet of the content
    left this process.
    """

    __slots__ = ("begun", "fates", "handed", "reply", "size")

    def __init__(self, recipients: Iterable[Address]) -> None:
        self.fates: dict[Address, tuple[Fate, Reply | None]] = dict.fromkeys(recipients, ("not tried", None))
        self.begun = False
        self.handed = False
        self.reply: Reply | None = None
        self.size = 0

    def record(self, recipient: Address, reply: Reply, accepted: Fate = "accepted") -> None:
        """Note what `reply` means for a recipient; `accepted` is the fate that a 2yz gives."""
        fate: Fate = accepted if reply.ok else "deferred" if reply.temporary else "refused"
        self.fates[recipient] = (fate, _kept(reply))

    def record_all(self, recipients: Iterable[Address], fate: Fate, reply: Reply | None = None) -> None:
        """Give several recipients one fate."""
        for recipient in recipients:
            self.fates[recipient] = (fate, reply)

    def with_fate(self, *fates: Fate) -> tuple[Address, ...]:
        """The recipients whose fate is one of these."""
        return tuple(recipient for recipient, (fate, _) in self.fates.items() if fate in fates)

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The account so far, one entry a recipient."""
        return tuple(Outcome(recipient, fate, reply) for recipient, (fate, reply) in self.fates.items())


def _kept(reply: Reply) -> Reply:
    lines: list[str] = []
    left = KEPT_LIMIT
    for line in reply.lines:
        if left > 0:
            lines.append(line[:left])
        left -= len(line) + 1
    return reply if left >= 0 else Reply(reply.code, tuple(lines))
