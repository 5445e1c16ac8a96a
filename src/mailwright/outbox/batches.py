"""Many messages: drafts in batches that fit into memory and into one commit."""

from __future__ import annotations

from mailwright.outbox.putting import Put, draft_of
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.mailer.outgoing import Sendable
    from mailwright.outbox.putting import House, Terms
    from mailwright.outbox.rows import Draft

BATCH = 1000  # messages of one commit
OCTETS = 8 << 20  # of all contents of one commit; one message may have more

_OWN = ("account", "stream", "lane", "at", "expires", "in_doubt", "held")


class Batches:
    """The drafts of messages that come one by one; a batch is given away when it is full."""

    def __init__(self, terms: Terms, house: House) -> None:
        self._terms = terms
        self._house = house
        self._held: list[Draft] = []
        self._octets = 0

    def add(self, one: Sendable | Put) -> list[Draft]:
        """The full batch that this message is the last of, or nothing yet. Raises what `draft_of` does."""
        if isinstance(one, Put):
            draft = draft_of(one.message, one.key, _own(one, self._terms), one.sender, one.to, self._house)
        else:
            draft = draft_of(one, None, self._terms, None, None, self._house)
        self._held.append(draft)
        self._octets += draft.content.size
        full = len(self._held) == BATCH or self._octets >= OCTETS
        return self.rest() if full else []

    def rest(self) -> list[Draft]:
        """What did not fill a batch."""
        held, self._held, self._octets = self._held, [], 0
        return held


def _own(one: Put, terms: Terms) -> Terms:
    changes = {name: found for name in _OWN if (found := getattr(one, name)) is not None}
    return replace(terms, **changes) if changes else terms
