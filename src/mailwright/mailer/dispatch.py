"""Many messages, some connections: who carries what, and in which order the receipts come out. No I/O and no locks.

A `Dispatch` hands out the messages of one source and collects what became of them; a `Lane` is its counter for one
connection. `mailwright.mailer.conveying` has the plan that works a lane.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

from mailwright.mailer.delivering import RECIPIENTS_AT_ONCE, too_many
from mailwright.mailer.log import log_failure, log_receipt, logs_receipts
from mailwright.smtp.belt import Load
from mailwright.smtp.window import Window
from mailwright.words.errors import MailError
from mailwright.words.receipt import Outcome, Receipt
from mailwright.words.transcript import Transcript
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailwright.message.mail import MailObject
    from mailwright.smtp.session import Session
    from mailwright.words.address import Address
    from mailwright.words.reply import Reply

TRIES = 3  # connections over which one message is begun, before its receipt says that it could not be sent
HELD_LIMIT = 1024  # receipts that wait for an older one, above which no more messages are taken from the source


@value
class Progress:
    """How far a batch has come, in messages: `taken` from the source, `done` (their receipts exist), and of those
    `accepted` for every recipient, and `in_doubt`.
    """

    taken: int
    done: int
    accepted: int
    in_doubt: int


@value
class Part:
    """What else there is of a message that goes in several transactions: the outcomes of `earlier` ones, and who comes
    `later`, at most so many at once.
    """

    earlier: tuple[Outcome, ...] = ()
    later: tuple[Address, ...] = ()
    at_once: int = RECIPIENTS_AT_ONCE

    def whole(self, outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
        """The outcomes of all recipients, those of the present transaction being given."""
        return self.earlier + outcomes + tuple([Outcome(recipient, "not tried") for recipient in self.later])


NO_PART = Part()
#: Of a message in several transactions some may have got it already.
_REMAINING = "Those who have not got it are in receipt.remaining."


class Dispatch:
    """Hands out the messages of `source` and collects their receipts, in the order of the source if `ordered`.

    `source` gives a `MailObject`, or the `MailError` that says why a message is none, or `None` when it has nothing at
    the moment (an asynchronous source). `at_once` is how many recipients the server is known to take in one
    transaction. `fatal` is the error that ends the batch.
    """

    __slots__ = (
        "_again", "_failure", "_held", "_logs", "_next", "_ordered", "_parts", "_source", "_tell",
        "accepted", "at_once", "diverted", "done", "ended", "fatal", "in_doubt", "lanes", "lock_step", "opened",
        "ready", "taken",
    )  # fmt: skip

    def __init__(
        self,
        source: Iterator[MailObject | MailError | None],
        ordered: bool = True,
        diverted: str = "",
        tell: Callable[[], object] | None = None,
        at_once: int | None = None,
    ) -> None:
        self._source, self._ordered, self.diverted = source, ordered, diverted
        self._tell = tell  # called when there are receipts again
        self._again: deque[Load] = deque()
        self._parts: dict[int, Part] = {}  # of messages with too many recipients for one transaction
        self.at_once = min(at_once or RECIPIENTS_AT_ONCE, RECIPIENTS_AT_ONCE)
        self._logs = logs_receipts()
        self._held: dict[int, Receipt] = {}  # receipts that wait for those of older messages
        self._next = 0  # whose receipt comes out next
        self.ready: deque[Receipt] = deque()
        self.fatal: MailError | None = None
        self.ended = False  # the source is exhausted,
        self._failure: Exception | None = None  # or it failed
        self.taken = self.done = self.accepted = self.in_doubt = 0
        self.lock_step = False  # the server lost count: nothing is in flight any more
        self.opened = self.lanes = 0  # connections that were opened at all, and lanes at work

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        return Progress(self.taken, self.done, self.accepted, self.in_doubt)

    @property
    def over(self) -> bool:
        """True when nobody needs to work any more."""
        return self.fatal is not None or (self.ended and not self._again)

    @property
    def held_back(self) -> bool:
        """True when so many receipts wait for an older one that the source must wait too."""
        return len(self._held) >= HELD_LIMIT

    def take(self, count: int) -> list[Load]:
        """At most so many messages, for whoever asks."""
        if self.fatal is not None:
            return []
        loads = [self._again.popleft() for _ in range(min(count, len(self._again)))]
        if self.held_back or self.ended or len(loads) == count:
            return loads
        for number, mail in enumerate(self._more(count - len(loads)), self.taken):
            self.taken = number + 1
            if isinstance(mail, MailError):
                log_failure(mail, "")
                self._done(number, Receipt((), "", 0, error=mail, number=number))
            else:
                loads.append(Load(mail, mail.envelope.recipients, number))
        return loads

    def _more(self, count: int) -> list[MailObject | MailError]:
        """The next of the source, `count` at most."""
        found: list[MailObject | MailError] = []
        try:
            for mail in islice(self._source, count):
                if mail is None:
                    break
                found.append(mail)
            else:
                self.ended = len(found) < count
        except Exception as problem:
            self.ended, self._failure = True, problem
        return found

    def back(self, load: Load) -> None:
        """This message was not begun: somebody else may carry it."""
        self._again.appendleft(load)

    def first_part(self, load: Load, limit: int) -> Load:
        """The message for the first `limit` of its recipients; the others come later."""
        before = self._parts.get(load.number, NO_PART)
        self._parts[load.number] = Part(before.earlier, load.recipients[limit:] + before.later, before.at_once)
        part = Load(load.mail, load.recipients[:limit], load.number)
        part.tries = load.tries
        return part

    def settle(self, load: Load, session: Session) -> None:
        """What became of a message, or of a part of one, is known."""
        part = self._parts.pop(load.number, NO_PART)
        ledger, outcomes = load.ledger, load.ledger.outcomes
        if load.error is None:
            overflow = () if ledger.uniform else tuple(r for r in load.recipients if too_many(ledger, r))
            rest, room = overflow + part.later, len(load.recipients) - len(overflow)
            if rest and room:
                # What it took is what it can take: not to be told the same again for each of thousands.
                at_once, late = room if overflow else part.at_once, set(overflow)
                earlier = part.earlier + tuple([one for one in outcomes if one.recipient not in late])
                self._parts[load.number] = Part(earlier, rest[at_once:], at_once)
                self._again.appendleft(Load(load.mail, rest[:at_once], load.number))
                return
        if part is not NO_PART:
            outcomes = part.whole(outcomes)
        transcript = None if ledger.uniform and load.error is None else _transcript(load)
        receipt = Receipt(
            outcomes, session.server_name, session.server.port, load.mail.message_id, ledger.reply, session.secured,
            session.login, load.content.size, transcript, load.error, self.diverted, number=load.number,
        )  # fmt: skip
        if load.error is None:
            log_receipt(receipt)
        else:
            log_failure(load.error, receipt.message_id)
        self._done(load.number, receipt)

    def finish(self) -> Exception | None:
        """Nobody works any more: gives what is to be raised. Whoever was taken and not sent is told why."""
        for load in self._again:
            error = self.fatal or MailError("The batch ended before this message was sent.", _REMAINING)
            part = self._parts.pop(load.number, NO_PART)
            outcomes = part.whole(load.ledger.outcomes)
            self._done(load.number, Receipt(outcomes, "", 0, load.mail.message_id, error=error, number=load.number))
        self._again.clear()
        self.ready.extend(self._held[number] for number in sorted(self._held))
        self._held.clear()
        return self.fatal or self._failure

    def _done(self, number: int, receipt: Receipt) -> None:
        if receipt.complete and receipt.error is None:
            self.accepted += 1
        elif receipt.in_doubt:
            self.in_doubt += 1
        self.put(number, receipt)

    def put(self, number: int, receipt: Receipt) -> None:
        """The receipt of a message is made: it comes out in its turn."""
        self.done += 1
        ready, held = self.ready, self._held
        if self._tell is not None and not ready:
            self._tell()
        if not self._ordered:
            ready.append(receipt)
        elif number != self._next:
            held[number] = receipt
        else:
            ready.append(receipt)
            number += 1
            while held and (waiting := held.pop(number, None)) is not None:
                ready.append(waiting)
                number += 1
            self._next = number


class Lane:
    """The counter of one connection: takes messages for it from the dispatch, and settles them there."""

    __slots__ = ("_host", "_limit", "_port", "_waiting", "carried", "dispatch", "most", "session", "window")

    def __init__(self, dispatch: Dispatch, session: Session, window: Window, most: int) -> None:
        self.dispatch, self.session, self.window = dispatch, session, window
        self.most = most  # messages over one connection
        self.carried = 0
        self._waiting: list[Load] = []  # taken while there was no connection yet
        self.opened()
        dispatch.lanes += 1

    def opened(self) -> None:
        """The session was opened: note what holds for every message over it."""
        self._host, self._port = self.session.server_name, self.session.server.port
        at_once = self.dispatch.at_once
        self._limit = min(self.session.features.recipients or at_once, at_once)

    @property
    def full(self) -> bool:
        """Whether this connection has carried as much as it may."""
        return self.carried >= self.most

    def wanted(self) -> bool:
        """Whether there is a message to carry now."""
        if not self._waiting:
            self._waiting = self.dispatch.take(1)
        return bool(self._waiting)

    def take(self, count: int) -> list[Load]:
        """At most so many messages to go over this connection."""
        count = min(count, self.most - self.carried)
        if count <= 0:
            return []
        loads, self._waiting = self._waiting or self.dispatch.take(count), []
        self.carried += len(loads)
        limit, first_part = self._limit, self.dispatch.first_part
        return [load if len(load.recipients) <= limit else first_part(load, limit) for load in loads]

    def accepted(self, load: Load, reply: Reply) -> None:
        """The server took this message for everybody: the short way to a receipt."""
        dispatch, session, recipients = self.dispatch, self.session, load.recipients
        if dispatch._logs or dispatch._parts:  # somebody wants to look at it
            load.ledger.accept(reply)
            dispatch.settle(load, session)
            return
        outcomes: tuple[Outcome, ...] = (Outcome(recipients[0], "accepted", reply),)
        if len(recipients) > 1:
            outcomes += tuple([Outcome(recipient, "accepted", reply) for recipient in recipients[1:]])
        dispatch.accepted += 1
        receipt = Receipt(
            outcomes, self._host, self._port, load.mail.message_id, reply, session.secured, session.login,
            load.content.size, None, None, dispatch.diverted, (), load.number,
        )  # fmt: skip
        dispatch.put(load.number, receipt)

    def settle(self, load: Load) -> None:
        """What became of a message is known."""
        self.dispatch.settle(load, self.session)

    def again(self, loads: list[Load], problem: MailError | None) -> None:
        """These were not begun, or begun in vain: they go over another connection, but not for ever."""
        if problem is not None:
            self.window = Window(self.window.most)  # it was too much for that server: as few as in the beginning,
            self.window.answered(temporary=True)  # and slowly more
        for load in reversed(loads):
            if load.tries >= TRIES and problem is not None:
                load.error = problem
                self.dispatch.settle(load, self.session)
            else:
                self.dispatch.back(load)

    def give_up(self, error: MailError) -> None:
        """There is no connection to be had any more: other lanes go on, or the batch ends with this error."""
        self.dispatch.lanes -= 1
        for load in self._waiting:
            self.dispatch.back(load)
        self._waiting = []
        if not (self.dispatch.lanes and self.dispatch.opened):
            self.dispatch.fatal = error


def _transcript(load: Load) -> Transcript:
    transcript = Transcript()
    said = load.commands.decode("utf-8", "backslashreplace").splitlines()
    said += ["DATA"] * (load.data is not None) + ["(content)", "RSET"]
    for words, reply in zip(said, load.replies, strict=False):
        transcript.note("C", words)
        for line in reply.lines or ("",):
            transcript.note("S", f"{reply.code} {line}")
    return transcript
