"""What is said when the server says no, or something that does not fit."""

from __future__ import annotations

from mailwright.smtp import phases
from mailwright.words.errors import ContentRefused, DeliveryError, ProtocolError, Refused, SenderRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from mailwright.smtp.session import Session
    from mailwright.words.reply import Reply


def refusal_advice(reply: Reply) -> str:
    """What to do about a refusal of which nothing but the reply is known."""
    if reply.temporary:
        return "This is a temporary refusal: the same call later may work."
    return "The same call will be refused again; the server's words say what to change."


def sender_refused(session: Session, reverse_path: str, reply: Reply) -> DeliveryError:
    """The error for a no to MAIL."""
    what = f"{session.server} refused the sender <{reverse_path}>: {reply}."
    advice = refusal_advice(reply)
    if reply.code == 530:
        advice = "The server wants a login (or encryption) first: give it a user and a password."
    elif reply.permanent:
        advice = "Use a sender address that this account may send from."
    session.phase = phases.READY  # no transaction was begun: the connection is good for another message
    return SenderRefused(what, advice, phase=phases.MAIL, server=str(session.server), reply=reply)


def content_refused(session: Session, reply: Reply) -> DeliveryError:
    """The error for a no to DATA or to the content."""
    what = f"{session.server} refused the content: {reply}."
    phase, session.phase = session.phase, phases.READY  # this transaction is over, one way or the other
    return ContentRefused(what, refusal_advice(reply), phase=phase, server=str(session.server), reply=reply)


def ended(session: Session, reply: Reply) -> DeliveryError:
    """The error for a reply that closes the connection."""
    what = f"{session.server} ended the talk {phases.DOING[session.phase]}: {reply}."
    return Refused(what, refusal_advice(reply), phase=session.phase, server=str(session.server), reply=reply)


def out_of_step(session: Session, reply: Reply, in_doubt: bool = False) -> DeliveryError:
    """The error for a reply that can't be the answer to what was said last; the connection is not usable any more."""
    session.open = False
    return ProtocolError(
        f"{session.server} answered out of step {phases.DOING[session.phase]}: {reply}.",
        "The connection was closed."
        + ("" if in_doubt else " Nothing was delivered, so the same call can be tried again."),
        phase=session.phase,
        server=str(session.server),
        temporary=not in_doubt,
        in_doubt=in_doubt,
    )


def is_clearly_final(reply: Reply, earlier: Collection[Reply | None]) -> bool:
    """Whether a reply that nothing confirmed is clearly about the content, and not one of those that came `earlier`, or
    that this server says to an envelope: X.1.Y speaks of addresses (RFC 3463 §3.2).
    """
    return reply not in earlier and (reply.enhanced or "")[1:3] != ".1"
