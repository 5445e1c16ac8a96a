"""One message over one lease, from "is this connection still good" to the receipt: a plan, the same for every
driver.
"""

from __future__ import annotations

from mailwright.mailer.log import log_failure, log_receipt
from mailwright.smtp import phases
from mailwright.smtp.ledger import Ledger
from mailwright.smtp.opening import open_session
from mailwright.smtp.session import is_stale, noop
from mailwright.smtp.transaction import prepare, transact
from mailwright.steps import Close
from mailwright.words.errors import DeliveryError, MailError, ProtocolError, RecipientsRefused, Unsupported
from mailwright.words.receipt import Receipt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.mailer.pool import OnRefusal
    from mailwright.message.mail import MailObject
    from mailwright.smtp.session import Session
    from mailwright.words.address import Address
    from mailwright.words.server import Server


#: Recipients of one transaction where the server names no limit. Postfix hangs up somewhere above 1,500.
RECIPIENTS_AT_ONCE = 1000
TOO_MANY = (452, 552)  # at RCPT: more recipients than this transaction may have (RFC 5321 §4.5.3.1.10)


async def deliver(
    session: Session,
    mail: MailObject,
    ledger: Ledger,
    on_refusal: OnRefusal,
    probe: bool,
    diverted: str = "",
    parting: bool = False,
) -> Receipt:
    """Send `mail` over `session`, opening it first if need be, and give the receipt.

    `on_refusal`: with ``"raise"`` the others get the mail and then `RecipientsRefused` is raised; with
    ``"stop"`` nobody gets it unless all are accepted; with ``"report"`` the receipt says it and nothing is
    raised. An error carries the receipt as far as it is known. A connection that turns out to be dead is
    replaced once, silently, as long as nothing was committed. `diverted` is the server that caught mail was meant
    for (`mailwright.mailer.catching`). `parting`: the connection is not used for another message.
    """
    session.parting = parting and not session.open and ledger.before_final is None
    try:
        stop = on_refusal == "stop"
        reused = await _make_ready(session, probe, mail, stop)
        try:
            await _transactions(session, mail, ledger, stop)
        except DeliveryError as error:
            if not (reused and _died_unused(error, ledger)):
                raise
            session.transcript.note("*", "the connection had died unnoticed; trying once on a new one")
            await Close()
            await open_session(session)
            await _transactions(session, mail, ledger, stop)
    except MailError as error:
        _complete(error, session, mail, ledger, diverted)
        log_failure(error, mail.message_id)
        raise
    receipt = receipt_of(session, mail, ledger, diverted)
    if on_refusal != "report" and not receipt.complete:
        refusal = recipients_refused(session.server, mail, receipt, on_refusal)
        log_failure(refusal, mail.message_id)
        raise refusal
    log_receipt(receipt)
    return receipt


async def _make_ready(session: Session, probe: bool, mail: MailObject, stop: bool) -> bool:
    """Open the session unless it is open and good; true when it is an old one. While the server of a new one
    is busy, what is to be said of the mail is made.
    """
    if session.open and await is_stale(session):
        await Close()
    if session.open and probe:
        try:
            if not (await noop(session)).ok:
                session.open = False
        except DeliveryError:
            session.open = False
    if session.open:
        return True
    recipients = mail.envelope.recipients[:RECIPIENTS_AT_ONCE]
    await open_session(session, lambda: prepare(session, mail, recipients, stop))
    return False


def _died_unused(error: DeliveryError, ledger: Ledger) -> bool:
    """True when a kept connection broke at its first command: the server had closed it while we looked
    away.
    """
    if ledger.handed or error.phase not in (phases.MAIL, phases.READY):
        return False
    lost = isinstance(error, ConnectionError) or (error.reply is not None and error.reply.code == 421)
    return lost and not ledger.with_fate("accepted", "refused", "deferred")


async def _transactions(session: Session, mail: MailObject, ledger: Ledger, stop: bool) -> None:
    """As many transactions as it takes: a server that takes only so many recipients at a time gets the rest
    in the next.
    """
    waiting = mail.envelope.recipients
    taken = RECIPIENTS_AT_ONCE
    while waiting:
        limit = session.features.recipients or (len(waiting) if stop else min(taken, len(waiting)))
        if stop and limit < len(waiting):
            raise Unsupported(
                f"{session.server} takes {limit} recipients at a time, so {len(waiting)} can't be had all or none.",
                "Nothing was sent; use on_refusal='raise' or 'report', or name fewer recipients.",
                phase=phases.MAIL,
                server=str(session.server),
            )
        now, later = waiting[:limit], waiting[limit:]
        await transact(session, mail, now, ledger, stop)
        overflow = tuple(r for r in now if too_many(ledger, r))
        if len(overflow) == len(now) or stop:
            return
        taken = len(now) - len(overflow)
        waiting = overflow + later


def too_many(ledger: Ledger, recipient: Address) -> bool:
    """Whether a recipient was put off only because the transaction had too many: the next one may take them."""
    fate, reply = ledger.fates[recipient]
    if fate != "deferred" or reply is None:
        return False
    return reply.enhanced == "4.5.3" or (reply.code in TOO_MANY and reply.enhanced in (None, "5.5.3"))


def recipients_refused(server: Server, mail: MailObject, receipt: Receipt, on_refusal: OnRefusal) -> RecipientsRefused:
    """The error for a receipt that does not say "accepted" for everybody."""
    refused = receipt.refused
    who = ", ".join(f"<{o.recipient.spec}>: {o.reply}" for o in refused[:3]) + (" …" if len(refused) > 3 else "")
    taken = len(receipt.accepted)
    what = f"{server} refused {len(refused)} of {len(receipt.outcomes)} recipients ({who}); " + (
        f"{taken} accepted it." if taken else "nobody got the message."
    )
    advice = "Correct or remove those addresses."
    if receipt.remaining:
        advice = "Send error.remaining later to those for whom another try may help; the others must not get it again."
    error = RecipientsRefused(
        what,
        advice if taken or on_refusal != "stop" else "Nothing was sent because of on_refusal='stop'.",
        phase=phases.RCPT,
        server=str(server),
        reply=next((o.reply for o in refused), None),
        temporary=not taken and all(o.fate in ("deferred", "not tried") for o in receipt.outcomes),
        receipt=receipt,
        transcript=receipt.transcript,
    )
    error.remaining = mail.readdressed(receipt.remaining) if receipt.remaining else None
    return error


def receipt_of(session: Session, mail: MailObject, ledger: Ledger, diverted: str = "") -> Receipt:
    """The account of what is known by now."""
    return Receipt(
        outcomes=ledger.outcomes,
        host=session.server_name,
        port=session.server.port,
        message_id=mail.message_id,
        reply=ledger.reply,
        tls=session.secured,
        login=session.login,
        size=ledger.size,
        transcript=session.transcript,
        diverted=diverted,
    )


def _complete(error: MailError, session: Session, mail: MailObject, ledger: Ledger, diverted: str) -> None:
    """Put onto the error what the place that raised it could not know."""
    if not isinstance(error, DeliveryError):
        return
    if ledger.handed and ledger.with_fate("in doubt"):
        error.in_doubt = True
    if ledger.with_fate("accepted"):
        # An earlier transaction of this message was accepted: a blind repetition would make copies.
        error._temporary = False
    error.server = error.server or str(session.server)
    error.phase = error.phase or session.phase
    error.receipt = receipt_of(session, mail, ledger, diverted)
    error.transcript = session.transcript
    if isinstance(error, ProtocolError):
        session.open = False


def _known(ledger: Ledger) -> str:
    if ledger.with_fate("accepted"):
        return "The server had accepted the message: error.receipt says for whom."
    return "Nothing was delivered in the open transaction."


def interrupted(session: Session, mail: MailObject, ledger: Ledger, diverted: str = "") -> DeliveryError:
    """What to say of a send that was cancelled from outside: how far it had come."""
    from mailwright.words.errors import ConnectionLost

    doubt = bool(ledger.handed and ledger.with_fate("in doubt"))
    error = ConnectionLost(
        f"Sending to {session.server} was cancelled {phases.DOING.get(session.phase, '')}.".replace(" .", "."),
        "The message may or may not arrive." if doubt else _known(ledger),
        phase=session.phase,
        in_doubt=doubt,
    )
    _complete(error, session, mail, ledger, diverted)
    return error
