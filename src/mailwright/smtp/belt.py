"""What is under way on one connection when many messages are in flight, and what each reply means for it.

`mailwright.smtp.conveyor` has the plans that move it. RSET stands behind each message, for two reasons. A transaction
that a refusal left open would lend its recipients to the next content (RFC 3030 §2). And a server answers RSET
with the same words each time: when they come, all replies before them were counted right, and only then is the account
told. A server that says one reply too many, or too few, can't shift one message's fate to another.
"""

from __future__ import annotations

import sys
from collections import deque

from mailwright.message.content import Content
from mailwright.smtp import phases
from mailwright.smtp.ledger import Ledger
from mailwright.smtp.parameters import Terms
from mailwright.smtp.refusals import content_refused, ended, is_clearly_final, out_of_step, sender_refused
from mailwright.smtp.session import SERVICE_CLOSING
from mailwright.steps import Outgoing
from mailwright.words.errors import ConnectionLost, DeliveryError, MailError, MessageError, ProtocolError, Timeout
from mailwright.words.reply import Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Protocol

    from mailwright.message.mail import MailObject
    from mailwright.message.source import FilePiece
    from mailwright.smtp.session import Session
    from mailwright.smtp.window import Window
    from mailwright.words.address import Address

    class Feed(Protocol):
        """Where messages come from and accounts go to; the loads may be of a kind of its own."""

        def take(self, count: int) -> list[Load]:
            """At most so many messages; fewer when there are no more at the moment."""

        def settle(self, load: Any) -> None:
            """The account of this message is final: see its ledger and its error."""

        def accepted(self, load: Any, reply: Reply) -> None:
            """The server took this message for everybody: what nearly always happens, and so costs no ledger."""


RSET = b"RSET\r\n"
NOTHING = Content(())
LARGE = 65536  # octets of a content
NOWHERE = sys.maxsize  # the end of a content of which something is still to be sent


class Load:
    """One message on the belt, and how far it has come.

    `begin` and `end` are places in the stream of all octets. `place` tells whose reply comes next: 0 MAIL, then one a
    recipient, then DATA where it is said, and then the content; `done` says that the content's fate is known, and only
    RSET is to come. `error` is why it ended for everybody; the ledger has each recipient's fate. `number` is the feed's
    own, and `tries` counts the connections over which it was begun. `final` is the yes that held for everybody.
    """

    __slots__ = (
        "_ledger", "begin", "commands", "content", "data", "done", "end", "error", "final", "mail", "number", "place",
        "recipients", "refusal", "replies", "tries",
    )  # fmt: skip

    def __init__(self, mail: MailObject, recipients: tuple[Address, ...], number: int = 0) -> None:
        self.mail, self.recipients, self.number = mail, recipients, number
        self._ledger: Ledger | None = None
        self.content: Content = NOTHING
        self.commands = b""
        self.tries = 0
        self.error: MailError | None = None
        self.refusal: Reply | None = None  # what MAIL was answered, if that was no
        self.data: Reply | None = None  # what DATA was answered
        self.final: Reply | None = None
        self.replies: Sequence[Reply] = ()
        self.place = 0
        self.done = False
        self.begin, self.end = 0, NOWHERE

    @property
    def ledger(self) -> Ledger:
        """Each recipient's fate, as far as it is known."""
        if self._ledger is None:
            self._ledger = Ledger(self.recipients)
            self._ledger.size = self.content.size
            if self.final is not None:
                self._ledger.accept(self.final)
        return self._ledger

    def rewind(self) -> None:
        """Stand at the beginning again: nothing of it is under way."""
        self._ledger = self.error = self.refusal = self.data = self.final = None
        self.replies = ()
        self.place, self.done = 0, False
        self.begin, self.end = 0, NOWHERE

    @property
    def welcome(self) -> bool:
        """Whether nobody was refused so far: then the ledger need not be begun."""
        return self._ledger is None and self.refusal is None

    @property
    def willing(self) -> tuple[Address, ...]:
        """The recipients whom nobody has refused so far."""
        if self.welcome:
            return () if self.final else self.recipients
        return self.ledger.with_fate("not tried") if self.refusal is None else ()


class Belt:
    """The messages under way over one session, oldest first: taken from `feed`, and settled there.

    `chunks` says how content travels: by BDAT, or by DATA. After an error `leftovers` says which messages may begin
    anew elsewhere; the others are settled.
    """

    __slots__ = (
        "_confirmed", "_heard", "_large", "_lmtp", "_parting", "_sent", "_terms", "_words", "chunks", "feed", "made",
        "outgoing", "session", "taken", "under_way", "window",
    )  # fmt: skip

    def __init__(self, session: Session, feed: Feed, window: Window) -> None:
        self.session, self.feed, self.window = session, feed, window
        self.chunks = "CHUNKING" in session.features
        self.under_way: deque[Load] = deque()
        self.taken: deque[Load] = deque()  # to be put on the belt next
        self._large = True  # so was the last message: then one is taken at a time
        self._terms = Terms(session)
        self._lmtp = session.server.protocol == "lmtp"
        self._parting: Reply | None = None  # a no to RSET: nothing but the end may follow
        self._words: Reply | None = None  # what this server answers to RSET, as soon as it was
        self._heard: Reply | None = None  # heard twice,
        self._confirmed: Sequence[Reply] = ()  # and what it answered to a message that this confirmed
        self.made = 0  # octets put on their way
        self._sent = 0  # octets handed over before those of `outgoing`
        self.outgoing = Outgoing(())

    @property
    def handed(self) -> int:
        """Octets that left this process."""
        return self._sent + self.outgoing.handed

    def begin_writing(self, chunks: Iterable[bytes | FilePiece]) -> Outgoing:
        """What goes out next, behind all that went before."""
        self._sent += self.outgoing.handed
        self.outgoing = Outgoing(chunks)
        return self.outgoing

    def take(self, count: int) -> deque[Load]:
        """At most `count` messages that this server can take, to be put on the belt in this order; those that it can't
        are settled at once.
        """
        taken, read = self.taken, self._terms.content_and_lines
        while len(taken) < count:
            loads = self.feed.take(1 if self._large else count - len(taken))
            if not loads:
                break
            for load in loads:
                try:
                    load.content, load.commands = read(load.mail, load.recipients)
                except MailError as problem:
                    load.error = problem
                    self.feed.settle(load)
                else:
                    taken.append(load)
                    self._large = load.content.size > LARGE
        return taken

    def put(self) -> tuple[Load, bytes]:
        """Put the next message on the belt; gives it with its commands, up to what announces the content."""
        load, made = self.taken.popleft(), self.made
        size = load.content.size
        commands = b"%bBDAT %d LAST\r\n" % (load.commands, size) if self.chunks else load.commands + b"DATA\r\n"
        if made == 0:
            # To hear its words while nothing can have gone wrong; twice, since the answer to the first may be missing.
            commands = RSET + RSET + commands
        load.begin = made
        self.made = made = made + len(commands)
        if self.chunks:
            load.end = made + size
        load.tries += 1
        self.under_way.append(load)
        return load, commands

    def hear(self) -> None:
        """Give each reply that has arrived to the message that it answers."""
        replies = self.session.replies.take()
        handed, at, count = self.handed, 0, len(replies)
        under_way, brisk = self.under_way, self.chunks and not self._lmtp
        while at < count:
            if brisk and (at := self._accept(replies, at, handed)) == count:
                break
            load = under_way[0] if under_way else None
            if self._parting is not None:
                raise out_of_step(self.session, self._parting)
            if replies[at].code == SERVICE_CLOSING:
                self.hear_no_more(replies[at + 1 :])
                raise ended(self.session, replies[at])
            if load is None or handed <= load.begin:
                raise out_of_step(self.session, replies[at])
            self._answer(load, replies[at])
            at += 1

    def _accept(self, replies: list[Reply], at: int, handed: int) -> int:
        """Take the replies of whole messages, as long as all of one are 2yz; gives the place of the first that is left.

        Nearly every message passes here, and nowhere else: there may be a hundred thousand a second.
        """
        under_way, window, accepted, words = self.under_way, self.window, self.feed.accepted, self._words
        begin, count = at, len(replies)
        while under_way:
            load = under_way[0]
            last = at + len(load.recipients) + 2
            if load.place or last >= count or handed < load.end or replies[last] is not words:
                break
            for reply in replies[at:last]:
                if reply.code > 299:
                    break
            else:
                under_way.popleft()
                if not window.settled:
                    window.answered(False)
                accepted(load, replies[last - 1])
                begin, at = at, last + 1
                continue
            break
        if at > begin:
            self._confirmed = replies[begin:at]
        return at

    def hear_no_more(self, replies: Iterable[Reply]) -> None:
        """These came behind a 421, after which the server does no more (RFC 5321 §3.8). Raises `ProtocolError` if it
        does: then it may have taken what was on its way.
        """
        self.session.open = False
        for reply in replies:
            if reply.code != SERVICE_CLOSING:
                raise out_of_step(self.session, reply, in_doubt=self.doubtful)

    @property
    def doubtful(self) -> bool:
        """Whether the server has the whole of a message that it did not answer."""
        return any(self.handed >= load.end for load in self.under_way)

    def _answer(self, load: Load, reply: Reply) -> None:
        if self._words is None:
            self._learn(reply)
            return
        place, count = load.place, len(load.recipients)
        load.place = place + 1
        load.replies = [*load.replies, reply]
        if load.done:
            self._reset(load, reply)
        elif place > count + (not self.chunks):
            self._final(load, reply)
        elif place > count:
            self._data(load, reply)
        elif reply.intermediate:
            raise out_of_step(self.session, reply)
        elif place == 0:
            load.refusal = None if reply.ok else reply
        elif not reply.ok and load.refusal is None:
            load.ledger.record_rcpt(load.recipients[place - 1], reply)

    def _learn(self, reply: Reply) -> None:
        if not reply.ok:
            raise out_of_step(self.session, reply)  # RFC 5321 §4.3.2: nobody refuses RSET
        if self._heard is not None and reply != self._heard:
            raise out_of_step(self.session, reply)
        self._heard, self._words = reply, self._heard

    def _reset(self, load: Load, reply: Reply) -> None:
        if reply != self._words:
            if reply.ok or reply.intermediate:
                raise out_of_step(self.session, reply)
            # Nobody may refuse RSET (RFC 5321 §4.3.2): Exim's 554 to it means that it hangs up. If it says more all the
            # same, the count is wrong; see `hear`.
            load.place, load.replies = load.place - 1, load.replies[:-1]
            self._parting = reply
            return
        self.under_way.popleft()
        self._confirmed = load.replies
        taken = load.final is not None and load.welcome
        vain = not taken and not load.ledger.with_fate("accepted")
        self.window.answered(any(one.temporary for one in load.replies), vain)
        if load.final is not None and taken:
            self.feed.accepted(load, load.final)
        else:
            self.feed.settle(load)

    def _data(self, load: Load, reply: Reply) -> None:
        """What DATA was answered: 354, or the end of this message."""
        load.data = reply
        if reply.code == 354:
            return
        if reply.ok or reply.intermediate:
            raise out_of_step(self.session, reply)
        self._end(load, reply, phases.DATA)

    def _final(self, load: Load, reply: Reply) -> None:
        """The server's word on the content: one for all, or one for each recipient in LMTP (RFC 2033 §4.2)."""
        early, willing = self.handed < load.end, load.willing
        if reply.intermediate or (reply.ok and (early or not willing)):
            raise out_of_step(self.session, reply)
        if willing[1:] and self._lmtp:
            load.ledger.record(willing[0], reply)
            return
        if not (reply.ok and load.welcome):
            load.ledger.handed = not early
        self._end(load, reply, phases.FINAL)
        if early:
            # What is left of its content can't be taken back: only on a new connection do both know where they are.
            self.session.open = False
            what = f"{self.session.server} refused a message before it had the whole of it."
            raise ConnectionLost(what, phase=phases.CONTENT, server=str(self.session.server))

    def _end(self, load: Load, reply: Reply, phase: str) -> None:
        load.done = True
        if reply.ok and load.welcome:
            load.final = reply
            return
        willing = load.willing
        load.ledger.reply = reply
        for recipient in willing:
            load.ledger.record(recipient, reply)
        if load.refusal is not None:
            load.error = sender_refused(self.session, load.mail.envelope.reverse_path, load.refusal)
        elif willing and not load.ledger.with_fate("accepted"):
            self.session.phase = phase
            load.error = content_refused(self.session, reply)

    def pause(self) -> None:
        """Nothing is under way. Raises `ProtocolError` if the server said more than it was asked."""
        if rest := self.session.replies.pending:
            raise out_of_step(self.session, Reply(500, (rest[:80].decode("ascii", "backslashreplace"),)))

    def leftovers(self, error: MailError | None) -> list[Any]:
        """The connection can't be used any more: settle what that decides, and give what may begin anew, in order.

        A message whose last octet left and to which no final reply came is in doubt (RFC 1047), but not behind a
        421, with which the server said that it would do no more (RFC 5321 §3.8). Out of step, no reply is believed
        that RSET did not confirm.
        """
        closing = isinstance(error, DeliveryError) and error.reply is not None and error.reply.code == SERVICE_CLOSING
        closing = closing or (isinstance(error, ConnectionLost) and self._parting is not None)
        lost_step = isinstance(error, ProtocolError)
        miscounted = lost_step or isinstance(error, Timeout)  # who does not answer RSET owes a reply
        again: list[Load] = []
        for load in self.under_way:
            whole = self.handed >= load.end
            if isinstance(load.error, MessageError) or (load.done and not miscounted and self._clear(load)):
                self.feed.settle(load)
            elif whole and not closing and (lost_step or load.willing or load.done):
                self._settle_doubtful(load, error)
            elif whole and not closing and load.refusal is not None:
                load.error = sender_refused(self.session, load.mail.envelope.reverse_path, load.refusal)
                self.feed.settle(load)
            else:
                load.rewind()
                again.append(load)
        again += self.taken
        self.under_way.clear()
        self.taken.clear()
        return again

    def _clear(self, load: Load) -> bool:
        """Whether a last word that no RSET confirmed is clearly that, and not what this server says to an envelope."""
        earlier = (*load.replies[:-1], *self._confirmed[:-2], self._words)
        return load.error is not None or is_clearly_final(load.replies[-1], earlier)

    def _settle_doubtful(self, load: Load, error: MailError | None) -> None:
        session, ledger = self.session, load.ledger
        session.phase = phases.FINAL
        if isinstance(error, ProtocolError):
            ledger.forget()  # nobody knows which reply was whose
            load.error = out_of_step(session, error.reply or Reply(500), in_doubt=True)
        elif isinstance(error, Timeout):
            load.error = phases.timed_out(session, session.server.timeouts.final)
        else:
            load.error = phases.connection_lost(session)
        ledger.begun = ledger.handed = True
        ledger.record_all(ledger.with_fate("not tried", "accepted"), "in doubt")
        self.feed.settle(load)
