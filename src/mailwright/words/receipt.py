"""What became of a message, recipient by recipient."""

from __future__ import annotations

from mailwright.words.address import Address
from mailwright.words.reply import Reply
from mailwright.words.transcript import Transcript
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from mailwright.words.errors import MailError

    Fate = Literal["accepted", "refused", "deferred", "in doubt", "not tried"]


@value
class Outcome:
    """One recipient's fate and the reply that decided it.

    ``"accepted"``: the server took responsibility (RFC 5321 §4.2.5), no more than that. ``"refused"``: a
    permanent no. ``"deferred"``: a temporary no, another try may work. ``"in doubt"``: the whole content was
    sent and no reply came. ``"not tried"``: the talk ended before this recipient's fate was decided.
    """

    recipient: Address
    fate: Fate
    reply: Reply | None = None

    def __str__(self) -> str:
        return f"{self.recipient.spec}: {self.fate}" + (f" ({self.reply})" if self.reply else "")


@value
class TLSFacts:
    """How the connection was secured: protocol version, cipher, and the certificate's SHA-256 in hex; and when a
    verified certificate `expires` (Unix time). `resumed`: it was verified on an earlier connection of the same mailer,
    whose session goes on here (RFC 8446 §2.2).
    """

    version: str
    cipher: str
    certificate_sha256: str
    verified: bool = True
    expires: float | None = None
    resumed: bool = False


@value
class Receipt:
    """The account of one message after one try.

    ``print(receipt)`` says "accepted by HOST for N of M recipients" and nothing stronger: a server's 250
    means that it took responsibility, not that a person got the mail.

    `diverted` is the server that the mail was meant for, when ``MAILWRIGHT_CATCH`` sent it to `host` instead; what
    is said of "accepted" is then said by that inbox. `parts`: where only some recipients were caught, the
    receipts of what was really sent and of what was caught, in this order; the rest is then that of the first.
    `number` is the message's place in its batch, from 0 (`Mailer.send_many`).
    """

    outcomes: tuple[Outcome, ...]
    host: str
    port: int
    message_id: str = ""
    reply: Reply | None = None
    tls: TLSFacts | None = None
    login: str | None = None
    size: int = 0
    transcript: Transcript | None = None
    error: MailError | None = None
    diverted: str = ""
    parts: tuple[Receipt, ...] = ()
    number: int = 0

    def _with(self, *fates: str) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.fate in fates)

    @property
    def accepted(self) -> tuple[Address, ...]:
        """The recipients for whom the server took responsibility."""
        return tuple(outcome.recipient for outcome in self._with("accepted"))

    @property
    def refused(self) -> tuple[Outcome, ...]:
        """Those whom the server refused, for good or for now, each with its reply."""
        return self._with("refused", "deferred")

    @property
    def in_doubt(self) -> bool:
        """True when the whole content was sent and no final reply came: it may or may not arrive."""
        return bool(self._with("in doubt"))

    @property
    def remaining(self) -> tuple[Address, ...]:
        """Those for whom another try may help and can't make a second copy: deferred or not tried."""
        return tuple(outcome.recipient for outcome in self._with("deferred", "not tried"))

    @property
    def complete(self) -> bool:
        """True when every recipient was accepted."""
        for outcome in self.outcomes:  # asked of every message
            if outcome.fate != "accepted":
                return False
        return True

    def __str__(self) -> str:
        if self.parts:
            return "; ".join(map(str, self.parts))
        text = f"accepted by {self.host} for {len(self.accepted)} of {len(self.outcomes)} recipients"
        doubtful = len(self._with("in doubt"))
        text += f", {doubtful} in doubt" if doubtful else ""
        if not self.diverted:
            return text
        # Without any server, the one that catches is the one that was meant.
        same = self.diverted in (self.host, f"{self.host}:{self.port}", f"[{self.host}]:{self.port}")
        return f"{text} (caught: {'no other server is named' if same else f'it was meant for {self.diverted}'})"

    def __bool__(self) -> bool:
        raise TypeError("a Receipt is neither true nor false: ask .complete, .accepted, .refused or .in_doubt")
