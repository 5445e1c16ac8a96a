"""What a try means: from a receipt or an error to one result for each row, and to what it says of account and
destination. Pure: it is told the time and draws no lots itself.

=============================================  =========================================================================
what was seen                                  what becomes of the row
=============================================  =========================================================================
2yz to the content                             sent
4yz, or a failure before the last octet left   deferred, until its time is over: then expired
5yz to RCPT or to the content                  failed; but 552 to RCPT (RFC 5321 §4.5.3.1.10) and what the failure data
                                               knows as a used-up quota: deferred; as trouble of the account: given back
5yz at greeting, EHLO, AUTH                    given back; the account is paused
5yz to MAIL                                    the same if it is about the account or the sender; failed if it is about
                                               this message alone: its size or spelling, or a sender whom this account
                                               never sent for, while it did for others
nothing after the last octet left              deferred, or held where a second copy must not be
=============================================  =========================================================================
"""

from __future__ import annotations

from mailwright.outbox.rows import Result
from mailwright.outbox.states import DEFERRED, EXPIRED, FAILED, HELD, QUEUED, SENT
from mailwright.outbox.work import blaming
from mailwright.outbox.work.blaming import blame
from mailwright.outbox.work.carrying import Overdue
from mailwright.outbox.work.retry import HOUR, RETRIES
from mailwright.smtp import phases
from mailwright.words.errors import (
    ConfigError,
    ConnectError,
    ConnectionLost,
    ContentRefused,
    DeliveryError,
    LoginError,
    MessageError,
    ProtocolError,
    SenderRefused,
    Timeout,
    TLSError,
    Unsupported,
)
from mailwright.words.reply import visible
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Literal

    from mailwright.outbox.rows import Claimed
    from mailwright.outbox.states import State
    from mailwright.outbox.work.retry import Retry
    from mailwright.words.errors import MailError
    from mailwright.words.receipt import Outcome, Receipt
    from mailwright.words.reply import Reply

MAY_ARRIVE_TWICE = "The connection ended after the whole message was sent and before the reply: it may arrive twice."
IN_DOUBT = "In doubt: the whole message was sent and no reply came. It is not sent again by itself."
PAUSE = HOUR  # seconds until a paused account is tried again, with one message
_SENDERS = 10_000  # that are remembered as taken
_TEXT = 1000  # characters of a result's text


@value
class Trouble:
    """What a try says of the account as a whole (`domain` is empty) or of its way to one destination.

    `how`: ``"pause"`` (somebody has to do something; it is tried again after `seconds`), ``"slow"`` (it was too much:
    wait so long, then send at a lower pace) or ``"dead"`` (no connection to be had).
    """

    how: Literal["pause", "slow", "dead"]
    domain: str
    seconds: float
    reason: str


@value
class Verdict:
    """One result for each row, and the trouble that was seen. `answers` are rows with a code that counts for or against
    their destination: 2yz and 5yz for, 450 to 452 against.
    """

    results: tuple[Result, ...]
    troubles: tuple[Trouble, ...] = ()
    answers: tuple[tuple[Claimed, int], ...] = ()


class Judge:
    """Judges the tries over one account. `draw` gives random numbers from 0 to 1; `provider` is the server's id in the
    provider data, or empty.
    """

    __slots__ = ("_draw", "_provider", "_retries", "_senders")

    def __init__(self, draw: Callable[[], float], provider: str = "", retries: tuple[Retry, ...] = RETRIES) -> None:
        self._draw, self._provider, self._retries = draw, provider, retries
        self._senders: set[str] = set()  # for whom the server took mail

    def judge(self, rows: Sequence[Claimed], receipt: Receipt, now: int) -> Verdict:
        """What `receipt` means for the rows of one message, at the time `now` (ms)."""
        error = receipt.error
        if error is None and receipt.complete:
            return self._sent(rows, receipt)
        if error is not None and not isinstance(error, DeliveryError):
            return self._ours(rows, error, receipt)
        if isinstance(error, Unsupported) and not receipt.accepted:
            return Verdict(tuple([_result(row, FAILED, text=str(error)) for row in rows]))
        fates = {outcome.recipient.spec: outcome for outcome in receipt.outcomes}
        results: list[Result] = []
        troubles: dict[tuple[str, str], Trouble] = {}
        answers: list[tuple[Claimed, int]] = []
        for row in rows:
            outcome = fates.get(row.address)
            result, trouble = self._one(row, outcome, error, now)
            results.append(result)
            if trouble is not None:
                troubles.setdefault((trouble.how, trouble.domain), trouble)
            if outcome is not None and outcome.reply is not None and outcome.fate != "not tried":
                answers.append((row, outcome.reply.code))
        return Verdict(tuple(results), tuple(troubles.values()), tuple(answers))

    def unreached(self, rows: Sequence[Claimed], error: Exception, now: int) -> Verdict:
        """What it means for rows of which nothing was begun that there was no way in: `error` says why."""
        trouble = self.entrance(error)
        if trouble.how == "pause":
            return Verdict(tuple([_untried(row, trouble.reason) for row in rows]), (trouble,))
        reply: Reply | None = getattr(error, "reply", None)
        code = reply.code if reply is not None else 0
        later = [self._later(row, now, code, trouble.reason, trouble.seconds) for row in rows]
        return Verdict(tuple(later), (trouble,))

    def entrance(self, error: Exception) -> Trouble:
        """What an error before MAIL says of the account."""
        reason = visible(str(error), _TEXT)
        reply: Reply | None = getattr(error, "reply", None)
        if reply is not None:
            found = blame(reply, getattr(error, "phase", "") or phases.GREETING, self._provider)
            if reply.temporary or found.whom == blaming.QUOTA:
                return Trouble("slow", "", found.wait, reason)
            return Trouble("pause", "", PAUSE, reason)
        if isinstance(error, (ConnectError, Timeout, ConnectionLost)):
            return Trouble("dead", "", 0.0, reason)
        if isinstance(error, (LoginError, TLSError, ProtocolError)) and error.temporary:
            return Trouble("dead", "", 0.0, reason)
        return Trouble("pause", "", PAUSE, reason)

    # One row.

    def _sent(self, rows: Sequence[Claimed], receipt: Receipt) -> Verdict:
        reply = receipt.reply
        code, text = (reply.code, reply.text) if reply is not None else (250, "")
        self._took(rows[0].sender)
        if len(rows) == 1:  # nearly always
            row = rows[0]
            result = Result(row.id, row.n, row.claims, SENT, code, text, 0.0, True)
            return Verdict((result,), (), ((row, code),))
        each: Mapping[str, Outcome] = {one.recipient.spec: one for one in receipt.outcomes}
        own = [each.get(row.address) for row in rows]
        replies = [one.reply if one is not None else None for one in own]
        results = [
            Result(row.id, row.n, row.claims, SENT, code, said.text if said is not None else text, 0.0, True)
            for row, said in zip(rows, replies, strict=True)
        ]
        return Verdict(tuple(results), (), tuple([(row, code) for row in rows]))

    def _one(
        self, row: Claimed, outcome: Outcome | None, error: DeliveryError | None, now: int
    ) -> tuple[Result, Trouble | None]:
        fate = outcome.fate if outcome is not None else "not tried"
        # A yes to RCPT alone decides nothing.
        reply = outcome.reply if outcome is not None and fate != "not tried" else None
        if fate == "accepted":
            self._took(row.sender)
            assert reply is not None
            return _result(row, SENT, reply.code, reply.text), None
        if fate == "in doubt":
            if row.hold:
                return _result(row, HELD, text=IN_DOUBT), None
            return self._later(row, now, text=f"{MAY_ARRIVE_TWICE} {error or ''}".rstrip()), None
        if reply is None:
            return self._broken(row, error, now)
        phase = phases.RCPT
        if isinstance(error, ContentRefused) and (error.reply is None or error.reply == reply):
            phase = error.phase or phases.FINAL
        return self._refused(row, reply, phase, now)

    def _refused(self, row: Claimed, reply: Reply, phase: str, now: int) -> tuple[Result, Trouble | None]:
        """A 4yz or 5yz that decided this recipient's fate."""
        if phase == phases.RCPT and reply.temporary and reply.code in (450, 452) and not reply.enhanced:
            return self._later(row, now, reply.code, reply.text), None  # the plainest words: nothing to look up
        found = blame(reply, phase, self._provider)
        if reply.permanent and found.whom == blaming.ACCOUNT:
            return _untried(row, reply.text, reply.code), Trouble("pause", "", PAUSE, reply.text)
        if found.whom in (blaming.QUOTA, blaming.ACCOUNT):
            trouble = Trouble("slow", "", found.wait, reply.text)
            return self._later(row, now, reply.code, reply.text, found.wait), trouble
        if reply.permanent:
            return _result(row, FAILED, reply.code, reply.text), None
        if found.whom == blaming.DESTINATION:
            trouble = Trouble("slow", row.domain, found.wait, reply.text)
            return self._later(row, now, reply.code, reply.text, found.wait), trouble
        return self._later(row, now, reply.code, reply.text), None

    def _broken(self, row: Claimed, error: DeliveryError | None, now: int) -> tuple[Result, Trouble | None]:
        """The talk ended before this recipient's fate was decided."""
        if error is None:
            return _untried(row), None
        reply = error.reply
        if isinstance(error, SenderRefused) and reply is not None:
            return self._sender(row, reply, now)
        if reply is not None:  # 421, most of all
            found = blame(reply, error.phase, self._provider)
            if reply.permanent and error.phase not in (phases.RCPT, phases.DATA, phases.CONTENT, phases.FINAL):
                return _untried(row, reply.text, reply.code), Trouble("pause", "", PAUSE, reply.text)
            slow = Trouble("slow", "", found.wait, reply.text) if reply.temporary else None
            return self._later(row, now, reply.code, reply.text), slow
        if error.phase in (phases.CONNECT, phases.GREETING, phases.EHLO, phases.STARTTLS, phases.TLS, phases.AUTH):
            verdict = self.unreached((row,), error, now)
            return verdict.results[0], verdict.troubles[0]
        return self._later(row, now, text=str(error)), None

    def _sender(self, row: Claimed, reply: Reply, now: int) -> tuple[Result, Trouble | None]:
        """A no to MAIL."""
        found = blame(reply, phases.MAIL, self._provider)
        if reply.temporary or found.whom == blaming.QUOTA:
            trouble = Trouble("slow", "", found.wait, reply.text) if found.whom == blaming.QUOTA else None
            return self._later(row, now, reply.code, reply.text, found.wait if trouble else 0.0), trouble
        alone = found.whom == blaming.MESSAGE
        if found.whom == blaming.SENDER:
            alone = bool(self._senders) and row.sender not in self._senders
        if alone:
            return _result(row, FAILED, reply.code, reply.text), None
        return _untried(row, reply.text, reply.code), Trouble("pause", "", PAUSE, reply.text)

    def _ours(self, rows: Sequence[Claimed], error: MailError, receipt: Receipt) -> Verdict:
        """Nothing of this left the machine, or not all of it: it can't be read, or the settings are wrong."""
        if isinstance(error, ConfigError):
            trouble = Trouble("pause", "", PAUSE, visible(str(error), _TEXT))
            return Verdict(tuple([_untried(row, str(error)) for row in rows]), (trouble,))
        damaged = isinstance(error, MessageError) and not isinstance(error, Overdue)  # else batch or lease ended
        taken = {address.spec for address in receipt.accepted}
        results = [unreadable(row, error) if damaged else _untried(row) for row in rows if row.address not in taken]
        return Verdict((*(_result(row, SENT, 250) for row in rows if row.address in taken), *results))

    def _later(self, row: Claimed, now: int, code: int = 0, text: str = "", least: float = 0.0) -> Result:
        """Tried again after its lane's wait, or given up when its time is over."""
        retry = self._retries[row.lane]
        end = retry.end(row.first_tried or now, row.expires)
        tries = row.attempts + 1
        if now >= end:
            said = f"Given up after {tries} tries. The last one: {text}"
            return _result(row, EXPIRED, code, said)
        delay = max(retry.delay(tries, self._draw()), least)
        return _result(row, DEFERRED, code, text, min(delay, (end - now) / 1000))

    def _took(self, sender: str) -> None:
        if len(self._senders) < _SENDERS:
            self._senders.add(sender)


def unreadable(row: Claimed, problem: object) -> Result:
    """A row whose content or addresses are not what was put."""
    return _result(row, HELD, text=f"Unreadable: {problem}", counts=False)


def out_of_time(row: Claimed) -> Result:
    """A row that had expired before anybody came to send it."""
    return _result(row, EXPIRED, text="Its time was over before it was tried again.", counts=False)


def given_back(row: Claimed) -> Result:
    """A row that nobody tried."""
    return _untried(row)


def _untried(row: Claimed, text: str = "", code: int = 0) -> Result:
    return _result(row, QUEUED, code, text, counts=False)


def _result(
    row: Claimed, state: State, code: int = 0, text: str = "", delay: float = 0.0, counts: bool = True
) -> Result:
    return Result(row.id, row.n, row.claims, state, code, visible(text, _TEXT), delay, counts)
