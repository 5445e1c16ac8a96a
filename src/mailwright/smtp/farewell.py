"""The last message of a connection in one go: MAIL, RCPT, BDAT with the content, and QUIT, in one flight.

A script that sends one message waits for the server twice less. RFC 2920 §3.1 and RFC 3030 §4.2 allow it to a server
that offers PIPELINING and CHUNKING, and Exim does the same. The content goes before anybody knows whether its
recipients are taken; so it is a small one, and nobody asked to stop at a refusal. The 221 to QUIT shows that no reply
was taken for another, as RSET does where more messages follow (`mailwright.smtp.belt`).
"""

from __future__ import annotations

from mailwright.smtp import phases
from mailwright.smtp.flight import as_chunk, of_content
from mailwright.smtp.refusals import content_refused, ended, is_clearly_final, out_of_step, sender_refused
from mailwright.smtp.session import SERVICE_CLOSING, read_reply
from mailwright.smtp.wire import command_line
from mailwright.words.errors import ConnectionLost, ProtocolError, Timeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.message.content import Content
    from mailwright.message.mail import MailObject
    from mailwright.smtp.flight import Flight
    from mailwright.smtp.ledger import Ledger
    from mailwright.smtp.session import Session
    from mailwright.smtp.transaction import Offer
    from mailwright.words.address import Address
    from mailwright.words.errors import DeliveryError
    from mailwright.words.reply import Reply

LARGEST = 65536  # octets of a content that may go in vain
MOST = 90  # recipients; every server takes 100 in a transaction (RFC 5321 §4.5.3.1.8)
QUIT = command_line("QUIT")
CLOSING = 221  # RFC 5321 §4.1.1.10: the answer to QUIT, and to nothing else


def may_part_with(session: Session, mail: MailObject, recipients: tuple[Address, ...], content: Content) -> bool:
    """Whether `mail` is the last of its connection and may go before its recipients are known to be taken."""
    return (
        session.parting
        and recipients == mail.envelope.recipients
        and len(recipients) <= MOST
        and content.size <= LARGEST
        and not content.binary
        and session.server.protocol == "smtp"
    )


def content_and_quit(content: Content) -> list[tuple[str, bytes]]:
    """What goes behind the envelope, for a `Flight`. Raises `MessageError` for content that must not be sent."""
    octets = b"".join([piece for piece in as_chunk(content) if isinstance(piece, bytes)])
    return [(f"BDAT {content.size} LAST {of_content(content)}", octets), ("QUIT", QUIT)]


async def part_with(session: Session, offer: Offer, ledger: Ledger) -> None:
    """Say all of `offer` at once, and write what became of it into `ledger`; the connection is not used again.

    Raises as `mailwright.smtp.transaction.transact`. From the moment that the content has left, those whom the server
    did not refuse are in doubt until it has answered the content, and the QUIT behind it.
    """
    flight = offer.envelope
    session.phase = phases.MAIL
    try:
        await flight.leave(session)
    finally:
        if flight.handed >= flight.size - len(QUIT):
            ledger.handed = True
            ledger.record_all(offer.recipients, "in doubt")
    try:
        await _hear(session, offer, ledger)
    except ProtocolError:
        ledger.record_all(offer.recipients, "in doubt")  # nobody knows which reply was whose
        session.lock_step = True
        raise
    finally:
        session.open = False


async def _hear(session: Session, offer: Offer, ledger: Ledger) -> None:
    """The replies in their order; each may be the last that comes."""
    flight, recipients = offer.envelope, offer.recipients
    sender = await flight.next(session, phases.MAIL)
    if sender.code == SERVICE_CLOSING:
        raise _closing(session, sender, ledger)
    earlier = [sender]
    for recipient in recipients:
        reply = await flight.next(session, phases.RCPT)
        if reply.code == SERVICE_CLOSING:
            raise _closing(session, reply, ledger)
        earlier.append(reply)
        if sender.ok and not reply.ok:
            ledger.record_rcpt(recipient, reply)
    if not sender.ok:
        ledger.record_all(recipients, "not tried")
    willing = ledger.with_fate("in doubt")
    try:
        final = await _last_word(session, flight, earlier, bool(willing))
    except (ConnectionLost, Timeout):
        if willing:
            raise
    if not sender.ok:
        raise sender_refused(session, offer.mail.envelope.reverse_path, sender)
    session.phase = phases.READY
    if not willing:
        return
    ledger.reply = final
    for recipient in willing:
        ledger.record(recipient, final)
    if not final.ok:
        session.phase = phases.FINAL
        raise content_refused(session, final)


def _closing(session: Session, reply: Reply, ledger: Ledger) -> DeliveryError:
    """The error for a 421 in place of an answer to the envelope: whatever else was said, nobody gets anything."""
    ledger.record_all(ledger.with_fate("in doubt"), "not tried")
    return ended(session, reply)


async def _last_word(session: Session, flight: Flight, earlier: list[Reply], wanted: bool) -> Reply:
    """The answer to the content, as the answer to QUIT confirms it; a yes to it must be `wanted`. A server that hangs
    up instead, or that says goodbye in words of its own, is believed if its last word was clearly final.
    """
    final = await flight.next(session, phases.FINAL, session.server.timeouts.final)
    if final.code == CLOSING or (final.ok and not wanted):
        raise out_of_step(session, final, in_doubt=True)
    if final.code == SERVICE_CLOSING:
        return final
    try:
        goodbye = await flight.next(session, phases.QUIT, session.server.timeouts.quit)
    except (ConnectionLost, Timeout):
        goodbye = None
    if goodbye is not None and goodbye.code == CLOSING:
        return final
    session.phase = phases.FINAL
    if goodbye is None or goodbye.code == SERVICE_CLOSING:
        session.transcript.note("*", "the server did not wait for the goodbye")
    elif not goodbye.ok or await _says_more(session):
        raise out_of_step(session, goodbye, in_doubt=True)
    if not is_clearly_final(final, earlier):
        raise phases.connection_lost(session)
    return final


async def _says_more(session: Session) -> bool:
    """Whether another reply comes: then the one that stood where QUIT is answered was none to QUIT."""
    try:
        await read_reply(session, session.server.timeouts.quit)
    except (ConnectionLost, Timeout):
        return False
    return True
