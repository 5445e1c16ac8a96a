"""One mail transaction: MAIL, RCPT, content (RFC 5321 §3.3), with the fate of each recipient exact at any
moment.
"""

from __future__ import annotations

from mailwright.smtp import phases
from mailwright.smtp.farewell import content_and_quit, may_part_with, part_with
from mailwright.smtp.flight import Flight, as_chunk, exchange, hand_over, of_content
from mailwright.smtp.parameters import Terms
from mailwright.smtp.refusals import content_refused, ended, out_of_step, sender_refused
from mailwright.smtp.session import read_reply
from mailwright.smtp.wire import escape_dots
from mailwright.steps import Ask, Outgoing
from mailwright.words.errors import (
    DeliveryError,
    MailError,
    MessageError,
)
from mailwright.words.reply import Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailwright.message.content import Content
    from mailwright.message.mail import MailObject
    from mailwright.message.source import FilePiece
    from mailwright.smtp.ledger import Ledger
    from mailwright.smtp.session import Session
    from mailwright.words.address import Address


async def transact(
    session: Session, mail: MailObject, recipients: tuple[Address, ...], ledger: Ledger, stop: bool
) -> None:
    """Offer `mail` for these recipients and write what became of it into `ledger`.

    Refused recipients are no error here: the others get the mail, unless `stop` asks that a single refusal
    ends it before the content. Raises `Unsupported` before anything is said, `SenderRefused`,
    `ContentRefused`, `MessageError` for content that vanished, and what breaks the connection.
    """
    try:
        await _transact(session, mail, recipients, ledger, stop)
    except MessageError as problem:
        if not ledger.with_fate("accepted"):
            raise
        raise _half_done(session, problem) from problem
    except DeliveryError as error:
        _tell_fates(error, ledger)
        raise


async def _transact(
    session: Session, mail: MailObject, recipients: tuple[Address, ...], ledger: Ledger, stop: bool
) -> None:
    offer, session.offer = session.offer, None
    if offer is None or not offer.is_for(session, mail, recipients, stop):
        offer = Offer(session, mail, recipients, stop)
    content, chunking = offer.content, offer.chunking
    ledger.size = content.size
    ledger.begun = True
    if offer.whole:
        await part_with(session, offer, ledger)
        return
    data = await _offer_envelope(session, offer, ledger)
    willing = tuple(r for r in recipients if ledger.fates[r][0] == "not tried")
    if not willing or (stop and len(willing) < len(recipients)):
        await _end_without_content(session, data)
        return
    if not chunking:
        await _begin_data(session, willing, ledger, data)
    try:
        await _send_content(session, content, chunking, willing, ledger)
    except MessageError:
        session.open = False  # the content ended in the middle: only closing takes it back (RFC 5321 §4.1.1.10)
        raise
    await _final_replies(session, willing, ledger)


class Offer:
    """What is said of a mail before its content to a server that offers what that of the session does. Raises
    `Unsupported`, and `MessageError` for what can't be said.

    `whole`: all is said at once, the content and QUIT too (`mailwright.smtp.farewell`).
    """

    __slots__ = ("_basis", "chunking", "content", "envelope", "mail", "recipients", "stop", "whole", "with_data")

    def __init__(self, session: Session, mail: MailObject, recipients: tuple[Address, ...], stop: bool) -> None:
        self.mail, self.recipients, self.stop = mail, recipients, stop
        self._basis = session.features.for_mail
        terms, together = Terms(session), "PIPELINING" in session.features
        self.content = terms.content_of(mail)
        commands = terms.commands(mail, self.content, recipients)
        self.chunking = "CHUNKING" in session.features
        # DATA may travel with the recipients (RFC 2920 §3.1) unless somebody wants to hear of a refusal first.
        self.with_data = together and not stop and not self.chunking
        self.whole = together and self.chunking and not stop and may_part_with(session, mail, self.content)
        if self.whole:
            self.envelope = Flight(commands, together, content_and_quit(self.content))
        else:
            self.envelope = Flight([*commands, "DATA"] if self.with_data else commands, together)

    def is_for(self, session: Session, mail: MailObject, recipients: tuple[Address, ...], stop: bool) -> bool:
        """Whether this is it: made for the same mail, from the same words of the server."""
        same = self.mail is mail and self.recipients == recipients and self.stop == stop
        return same and self._basis == session.features.for_mail


def prepare(session: Session, mail: MailObject, recipients: tuple[Address, ...], stop: bool) -> None:
    """Make the offer of the next transaction beforehand, should the server still offer the same then. What is wrong
    with it is told in its turn.
    """
    try:
        session.offer = Offer(session, mail, recipients, stop)
    except Exception:
        session.offer = None


async def _offer_envelope(session: Session, offer: Offer, ledger: Ledger) -> Reply | None:
    """MAIL and all RCPT, in one flight where PIPELINING is offered; gives the reply to DATA if that flew
    along.
    """
    replies, reverse_path = offer.envelope, offer.mail.envelope.reverse_path
    sender = await replies.next(session, phases.MAIL)
    if sender.code == 421 or (not sender.ok and not replies.together):
        raise sender_refused(session, reverse_path, sender)
    for recipient in offer.recipients:
        reply = await replies.next(session, phases.RCPT)
        if reply.code == 421:
            # Closing: no recipient of this transaction will get anything, whatever was said before.
            raise ended(session, reply)
        if sender.ok:
            ledger.record_rcpt(recipient, reply)
    data = await replies.next(session, phases.DATA) if offer.with_data else None
    if not sender.ok:
        await _end_without_content(session, data)
        raise sender_refused(session, reverse_path, sender)
    return data


async def _end_without_content(session: Session, data: Reply | None) -> None:
    """Leave a transaction that has no content to send; a 354 that came all the same is answered with a lone
    dot.
    """
    if data is not None and data.code == 354:
        session.phase = phases.DATA
        session.transcript.note("C", ".")
        await hand_over(session, Outgoing([b".\r\n"]), 3)
        await read_reply(session, session.server.timeouts.reply)
    elif data is not None and (data.ok or data.intermediate):
        session.open = False  # nobody knows what it waits for now
    await _abandon(session)


async def _abandon(session: Session) -> None:
    """RSET, so that the connection can be used again. If that fails it is closed: why we are here matters more."""
    if not session.open:
        return
    try:
        reply = await Flight(["RSET"], together=False).next(session, phases.READY)
        session.open = session.open and reply.ok
    except DeliveryError:
        session.open = False
        session.phase = phases.READY


async def _begin_data(session: Session, willing: tuple[Address, ...], ledger: Ledger, data: Reply | None) -> None:
    if data is None:
        data = await Flight(["DATA"], together=False).next(session, phases.DATA)
    if data.code == 354:
        return
    session.phase = phases.DATA
    if data.ok or data.intermediate:
        raise out_of_step(session, data)
    await _abandon(session)
    session.phase = phases.DATA
    for recipient in willing:
        ledger.record(recipient, data)
    raise content_refused(session, data)


async def _send_content(
    session: Session, content: Content, chunking: bool, willing: tuple[Address, ...], ledger: Ledger
) -> None:
    if not session.replies.quiet:
        # Whatever this answers, it is not the content: believed later, it would turn a lost message into an
        # accepted one.
        session.open = False
        raise out_of_step(session, Reply(500, ("an answer before the content was sent",)))
    session.phase = phases.CONTENT
    pieces: Iterable[bytes | FilePiece] = as_chunk(content) if chunking else escape_dots(content.chunks())
    session.transcript.note("C", (f"BDAT {content.size} LAST " if chunking else "") + of_content(content))
    if ledger.before_final is not None:
        pieces = await _up_to_the_last(session, pieces, willing, ledger)
    outgoing = Outgoing(pieces)
    try:
        while not outgoing.done:
            arrived = await exchange(session, outgoing, session.server.timeouts.block)
            if not arrived:
                continue
            session.replies.feed(arrived)
            if not outgoing.done:
                await _interrupted(session, outgoing, willing, ledger)
    except Exception:
        raise
    except BaseException:
        # Stopped from outside, maybe after the system took the last octets and before we had counted them.
        if outgoing.at_last():
            ledger.handed = True
            ledger.record_all(willing, "in doubt")
        raise
    # From here until the final reply nobody but the server knows (RFC 1047).
    ledger.handed = True
    ledger.record_all(willing, "in doubt")
    session.phase = phases.FINAL


async def _up_to_the_last(
    session: Session, pieces: Iterable[bytes | FilePiece], willing: tuple[Address, ...], ledger: Ledger
) -> list[bytes | FilePiece]:
    """Send all pieces but the last, and ask whether that may follow: with it the server has the message. Gives it. What
    the question raises ends the connection, which takes everything back (RFC 5321 §4.1.1.10); but not from whom has it
    by an earlier transaction.
    """
    last: list[bytes | FilePiece] = []
    outgoing = Outgoing(_but_last(pieces, last))
    while not outgoing.done:
        arrived = await exchange(session, outgoing, session.server.timeouts.block)
        if arrived:
            session.replies.feed(arrived)
            await _interrupted(session, Outgoing(last), willing, ledger)
    assert ledger.before_final is not None
    try:
        await Ask(ledger.before_final)
    except BaseException as problem:
        session.open = False
        if isinstance(problem, Exception) and ledger.with_fate("accepted"):
            raise _half_done(session, problem) from problem
        raise
    return last


def _but_last(pieces: Iterable[bytes | FilePiece], last: list[bytes | FilePiece]) -> Iterator[bytes | FilePiece]:
    """All but the last of `pieces`; that is left in `last`."""
    for piece in pieces:
        if last:
            yield last.pop()
        last.append(piece)


async def _interrupted(session: Session, outgoing: Outgoing, willing: tuple[Address, ...], ledger: Ledger) -> None:
    """The server spoke before it had the whole content: it refuses, or it is out of step. Either way it won't
    deliver, unless what was on its way turns out to have been the end.
    """
    try:
        reply = await read_reply(session, session.server.timeouts.reply)
    finally:
        session.open = False
        if outgoing.done:
            ledger.handed = True
            ledger.record_all(willing, "in doubt")
    if not (reply.temporary or reply.permanent):
        raise out_of_step(session, reply, in_doubt=outgoing.done)
    for recipient in willing:
        ledger.record(recipient, reply)
    raise content_refused(session, reply)


async def _final_replies(session: Session, willing: tuple[Address, ...], ledger: Ledger) -> None:
    """The server's word on the content: one for all, or one for each recipient in LMTP (RFC 2033 §4.2)."""
    timeout = session.server.timeouts.final
    lmtp = session.server.protocol == "lmtp"
    for recipients in [(r,) for r in willing] if lmtp else [willing]:
        reply = await read_reply(session, timeout)
        if reply.intermediate:
            session.open = False
            raise out_of_step(session, reply, in_doubt=True)
        ledger.reply = reply
        for recipient in recipients:
            ledger.record(recipient, reply)
    session.phase = phases.READY
    if not any(ledger.fates[r][0] == "accepted" for r in willing):
        session.phase = phases.FINAL
        raise content_refused(session, ledger.reply or Reply(554))


def _tell_fates(error: DeliveryError, ledger: Ledger) -> None:
    """What is known of this message, in earlier transactions too, counts for more than where the last one broke."""
    if ledger.with_fate("in doubt"):
        error.in_doubt = True
        error.advice = phases.DOUBT
    elif ledger.with_fate("accepted"):
        error.advice = phases.SOME_HAVE_IT


def _half_done(session: Session, problem: Exception) -> DeliveryError:
    """The error for content that vanished, or must not leave, when an earlier transaction had delivered it to some: the
    problem alone would say that nothing left.
    """
    said = problem.what if isinstance(problem, MailError) else f"{type(problem).__name__}: {problem}"
    what = f"The message was not sent to all of its recipients: {said}"
    where = str(session.server)
    return DeliveryError(what, phases.SOME_HAVE_IT, phase=session.phase, server=where, temporary=False)
