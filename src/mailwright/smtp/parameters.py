"""What a message needs beyond plain SMTP: refused before the first command, or asked for with MAIL and RCPT."""

from __future__ import annotations

from mailwright.smtp import phases
from mailwright.smtp.wire import xtext
from mailwright.words.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.message.content import Content
    from mailwright.message.mail import MailObject
    from mailwright.smtp.session import Session
    from mailwright.words.address import Address


def check_support(session: Session, mail: MailObject, content: Content) -> None:
    """Refuse before the first command what this server said it can't do. Raises `Unsupported`."""
    features, server = session.features, session.server
    if mail.needs_utf8 and "SMTPUTF8" not in features:
        who = next(
            (a.spec for a in (mail.envelope.sender, *mail.envelope.recipients) if a and a.needs_utf8),
            "the headers",
        )
        raise _unsupported(
            session,
            f"{server} can't take the non-ASCII address {who}: it does not offer SMTPUTF8 (RFC 6531).",
            "Use an ASCII address of that person, or a server that offers SMTPUTF8.",
        )
    if features.size is not None and content.size > features.size:
        raise _unsupported(
            session,
            f"The message has {content.size:,} octets and {server} takes at most {features.size:,}.",
            "Make it smaller, or send a link to the file (attachments grow by 37 % on the way).",
        )
    verified = session.secured is not None and session.secured.verified  # RFC 8689 §4.2.1
    if mail.envelope.require_tls and not (verified and "REQUIRETLS" in features):
        raise _unsupported(
            session,
            f"{server} does not offer REQUIRETLS (RFC 8689) on an encrypted connection"
            f"{' to a verified server' if session.secured is not None else ''}, which this message asks for.",
            "Nothing was sent; leave require_tls off if this server's way of forwarding will do.",
        )


def _unsupported(session: Session, what: str, advice: str) -> Unsupported:
    return Unsupported(what, advice, phase=phases.MAIL, server=str(session.server))


def mail_command(session: Session, mail: MailObject, content: Content) -> str:
    """MAIL with the parameters that this server offers and this message needs."""
    features, dsn = session.features, mail.envelope.dsn
    words = [f"MAIL FROM:<{mail.envelope.reverse_path}>"]
    if "SIZE" in features:
        words.append(f"SIZE={content.size}")
    if content.eight_bit and "8BITMIME" in features:
        words.append("BODY=8BITMIME")
    if mail.needs_utf8:
        words.append("SMTPUTF8")
    if dsn is not None and "DSN" in features:
        words += [f"RET={dsn.ret}"] if dsn.ret else []
        words += [f"ENVID={xtext(dsn.envid)}"] if dsn.envid else []
    if mail.envelope.require_tls:
        words.append("REQUIRETLS")
    return " ".join(words)


def rcpt_command(session: Session, mail: MailObject, recipient: Address) -> str:
    """RCPT for one recipient, with what was asked about delivery reports (RFC 3461)."""
    dsn = mail.envelope.dsn
    line = f"RCPT TO:<{recipient.spec}>"
    if dsn is None or "DSN" not in session.features:
        return line
    if dsn.notify:
        line += f" NOTIFY={','.join(dsn.notify)}"
    return line if recipient.needs_utf8 else f"{line} ORCPT=rfc822;{xtext(recipient.spec)}"
