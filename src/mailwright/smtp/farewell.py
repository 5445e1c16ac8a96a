"""The only message of a connection in one go: MAIL, RCPT, BDAT with the content, and QUIT, in one flight.

A script that sends one message waits for the server twice less. RFC 2920 §3.1 and RFC 3030 §4.2 allow it to a server
that offers PIPELINING and CHUNKING, and Exim does the same. The content goes before anybody knows whether its
recipient is taken; so it is a small one, nobody asked to stop at a refusal, and the connection is a new one, on which a
server does not hang up for having waited too long.

All of it fits into one record of TLS (RFC 8446 §5.1): the server has it whole, or nothing of it. And it is for one
recipient. So any no, to whatever command, means that the message was not taken, also from a server that says a reply
too many or too few. A yes is believed when the 221 to QUIT shows that it was counted right, as RSET does where more
messages follow (`mailwright.smtp.belt`).
"""

from __future__ import annotations

from mailwright.smtp import phases
from mailwright.smtp.flight import as_chunk, of_content
from mailwright.smtp.refusals import content_refused, ended, is_clearly_final, out_of_step, sender_refused
from mailwright.smtp.session import SERVICE_CLOSING, read_reply
from mailwright.smtp.wire import command_line
from mailwright.words.errors import ConnectionLost, DeliveryError, ProtocolError, Timeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.message.content import Content
    from mailwright.message.mail import MailObject
    from mailwright.smtp.flight import Flight
    from mailwright.smtp.ledger import Ledger
    from mailwright.smtp.session import Session
    from mailwright.smtp.transaction import Offer
    from mailwright.words.address import Address
    from mailwright.words.reply import Reply

LARGEST = 12_000  # octets of a content; a record of TLS holds 16,384, and two commands have 2,048 at most
QUIT = command_line("QUIT")
CLOSING = 221  # RFC 5321 §4.1.1.10: the answer to QUIT, and to nothing else


def may_part_with(session: Session, mail: MailObject, content: Content) -> bool:
    """Whether `mail` is the only one of its connection and may go before its recipient is known to be taken."""
    return (
        session.parting
        and len(mail.envelope.recipients) == 1
        and content.size <= LARGEST
        and content.lasting
        and not content.binary
        and session.server.protocol == "smtp"
    )


def content_and_quit(content: Content) -> list[tuple[str, bytes]]:
    """What goes behind the envelope, for a `Flight`. Raises `MessageError` for content that must not be sent."""
    octets = b"".join([piece for piece in as_chunk(content) if isinstance(piece, bytes)])
    return [(f"BDAT {content.size} LAST {of_content(content)}", octets), ("QUIT", QUIT)]


async def part_with(session: Session, offer: Offer, ledger: Ledger) -> None:
    """Say all of `offer` at once, and write what became of it into `ledger`; the connection is not used again.

    Raises as `mailwright.smtp.transaction.transact`. Once the content has left the message is in doubt, until there is
    a no, or a yes that is sure.
    """
    flight, (recipient,) = offer.envelope, offer.recipients
    session.phase = phases.MAIL
    # Before the first octet: who is interrupted while they leave, from outside, can't know how many have.
    ledger.handed = True
    ledger.record_all(offer.recipients, "in doubt")
    try:
        await flight.leave(session)
    except Exception:
        if flight.handed < flight.size - len(QUIT):
            ledger.handed = False
            ledger.record_all(offer.recipients, "not tried")
        raise
    try:
        await _hear(session, offer, recipient, ledger)
    except ProtocolError:
        ledger.record_all(offer.recipients, "in doubt")
        session.lock_step = True
        raise
    finally:
        session.open = False


async def _hear(session: Session, offer: Offer, recipient: Address, ledger: Ledger) -> None:
    """The replies in their order; each may be the last that comes."""
    flight = offer.envelope
    sender = await flight.next(session, phases.MAIL)
    if not sender.ok:
        ledger.record_all(offer.recipients, "not tried")
        await _hear_out(session, flight, phases.RCPT, phases.FINAL)
        raise sender_refused(session, offer.mail.envelope.reverse_path, sender)
    reply = await flight.next(session, phases.RCPT)
    if reply.code == SERVICE_CLOSING:
        ledger.record_all(offer.recipients, "not tried")
        await _hear_out(session, flight, phases.FINAL)
        session.phase = phases.RCPT
        raise ended(session, reply)
    if not reply.ok:
        ledger.record_rcpt(recipient, reply)
        await _hear_out(session, flight, phases.FINAL)
        session.phase = phases.READY
        return
    ledger.reply = final = await flight.next(session, phases.FINAL, session.server.timeouts.final)
    if final.ok:
        await _confirm(session, flight, (sender, reply), final)
    ledger.record(recipient, final)
    if not final.ok:
        await _hear_out(session, flight)
        session.phase = phases.FINAL
        raise content_refused(session, final)
    session.phase = phases.READY


async def _hear_out(session: Session, flight: Flight, *expected: str) -> None:
    """Hear what else is said, after a no; nothing depends on it, unless it is a yes."""
    try:
        for phase in (*expected, phases.QUIT):
            reply = await flight.next(session, phase, session.server.timeouts.quit)
            if reply.code == CLOSING:
                return
            if reply.ok and phase != phases.QUIT:
                raise out_of_step(session, reply, in_doubt=True)
    except ProtocolError:
        raise
    except DeliveryError:
        session.transcript.note("*", "the server did not wait for the goodbye")


async def _confirm(session: Session, flight: Flight, earlier: tuple[Reply, ...], final: Reply) -> None:
    """See to it that `final` is the answer to the content and to nothing else: QUIT is answered behind it. A server
    that hangs up instead, or says goodbye in words of its own, is believed if its last word was clearly final.
    """
    if final.code == CLOSING:
        raise out_of_step(session, final, in_doubt=True)
    try:
        goodbye = await flight.next(session, phases.QUIT, session.server.timeouts.quit)
    except (ConnectionLost, Timeout):
        goodbye = None
    if goodbye is not None and goodbye.code == CLOSING:
        return
    session.phase = phases.FINAL
    if goodbye is None or goodbye.code == SERVICE_CLOSING:
        session.transcript.note("*", "the server did not wait for the goodbye")
    elif not goodbye.ok or await _says_more(session):
        raise out_of_step(session, goodbye, in_doubt=True)
    if final.enhanced is None or not is_clearly_final(final, earlier):
        what = f"{session.server} said “{final}” and nothing that shows that it meant the content."
        raise ConnectionLost(what, phases.DOUBT, phase=phases.FINAL, server=str(session.server), in_doubt=True)


async def _says_more(session: Session) -> bool:
    """Whether another reply comes: then the one that stood where QUIT is answered was none to QUIT."""
    try:
        await read_reply(session, session.server.timeouts.quit)
    except (ConnectionLost, Timeout):
        return False
    return True
