"""One message that goes several ways, and what became of it as a whole.

That is the case when ``MAILWRIGHT_CATCH_EXCEPT`` lets some recipients through and others not; any other message has
one way, and then nothing is added up.
"""

from __future__ import annotations

from mailwright.mailer.delivering import recipients_refused
from mailwright.mailer.log import log_failure
from mailwright.words.errors import DeliveryError, MailError, RecipientsRefused
from mailwright.words.receipt import Outcome, Receipt
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from mailwright.mailer.catching import Route
    from mailwright.mailer.pool import OnRefusal
    from mailwright.message.mail import MailObject


class Tally:
    """Adds up the receipts of the `routes` of `mail`, which are tried in order.

    As a context manager around each of them, it makes an error tell the fate of every recipient. `policy` is
    what each of them is to do about refused recipients, so that `on_refusal` holds for the whole: those who really
    get the message come first, so that ``"stop"`` is all or none of them.
    """

    __slots__ = ("_mail", "_on_refusal", "_receipts", "_routes", "policy")

    def __init__(self, mail: MailObject, routes: tuple[Route, ...], on_refusal: OnRefusal) -> None:
        self._mail, self._routes, self._on_refusal = mail, routes, on_refusal
        self._receipts: list[Receipt] = []
        self.policy: OnRefusal = "report" if len(routes) > 1 and on_refusal == "raise" else on_refusal

    def add(self, receipt: Receipt) -> None:
        """What became of the next route."""
        self._receipts.append(receipt)

    def total(self) -> Receipt:
        """The receipt of the whole message, after the last route. Raises `RecipientsRefused`."""
        if len(self._routes) == 1:
            return self._receipts[0]
        whole = self._joined(None)
        if whole.complete or self._on_refusal == "report":
            return whole
        refusing = next(route for route, part in zip(self._routes, self._receipts, strict=True) if not part.complete)
        refusal = recipients_refused(refusing.server, self._mail, whole, self._on_refusal)
        log_failure(refusal, self._mail.message_id)
        raise refusal

    def __enter__(self) -> Tally:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or len(self._routes) == 1:
            return
        # An interruption has the error that tells how far it came as its cause.
        told = error if isinstance(error, MailError) else error.__cause__
        if isinstance(told, DeliveryError):
            self._complete(told)
        elif isinstance(told, MailError) and self._receipts:
            # Such an error says that nothing left this machine, which is true of its own part alone.
            whole = self._joined(None)
            advice = "Some recipients got the message before: error.receipt says who."
            raise DeliveryError(told.what, advice, temporary=False, receipt=whole) from error

    def _complete(self, error: DeliveryError) -> None:
        whole = error.receipt = self._joined(error.receipt)
        if whole.accepted:
            error._temporary = False  # trying all of it again would make copies
        if isinstance(error, RecipientsRefused):
            error.remaining = self._mail.readdressed(whole.remaining) if whole.remaining else None

    def _joined(self, last: Receipt | None) -> Receipt:
        """One receipt of those that there are, and of `last`; who is in none of them was not tried."""
        parts = (*self._receipts, *([last] if last is not None else []))
        fates = {outcome.recipient: outcome for part in parts for outcome in part.outcomes}
        outcomes = tuple(fates.get(one, Outcome(one, "not tried")) for one in self._mail.envelope.recipients)
        first = self._routes[0].server
        whole = parts[0] if parts else Receipt((), first.path or first.host, first.port, self._mail.message_id)
        return replace(whole, outcomes=outcomes, diverted=self._routes[-1].diverted, parts=parts)
