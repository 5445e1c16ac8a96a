"""What a message needs beyond plain SMTP: refused before the first command, or asked for with MAIL and RCPT."""

from __future__ import annotations

from mailwright.message.content import Content
from mailwright.smtp import phases
from mailwright.smtp.wire import command_line, xtext
from mailwright.words.errors import Unsupported
from mailwright.words.remember import remember

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.message.mail import MailObject
    from mailwright.smtp.session import Session
    from mailwright.words.address import Address
    from mailwright.words.envelope import DSN


BEGINNINGS = 64  # senders whose command is kept


class Terms:
    """The terms on which the server of a session takes mail, read once from what it offers."""

    __slots__ = (
        "_beginnings", "_binary", "_dsn", "_eight_bit", "_limit", "_require_tls", "_secured", "_server", "_size",
        "_utf8",
    )  # fmt: skip

    def __init__(self, session: Session) -> None:
        features, secured = session.features, session.secured
        self._server = session.server
        self._limit = features.size
        self._size = "SIZE" in features
        self._eight_bit = "8BITMIME" in features
        self._binary = "BINARYMIME" in features and "CHUNKING" in features
        self._utf8 = "SMTPUTF8" in features
        self._dsn = "DSN" in features
        self._secured = secured is not None
        self._beginnings: dict[str, bytes] = {}
        self._require_tls = secured is not None and secured.verified and "REQUIRETLS" in features  # RFC 8689 §4.2.1

    def content_of(self, mail: MailObject) -> Content:
        """The form of the content that this server takes. Raises `Unsupported`."""
        binary = mail.binary if self._binary else None
        return mail.content_for(self._eight_bit) if binary is None else binary

    def commands(self, mail: MailObject, content: Content, recipients: tuple[Address, ...]) -> list[str]:
        """MAIL and each RCPT. Raises `Unsupported` for what this server said it can't do."""
        utf8 = mail.needs_utf8
        if utf8 and not self._utf8:
            raise self._no_utf8(mail)
        if self._limit is not None and content.size > self._limit:
            raise self._unsupported(
                f"The message has {content.size:,} octets and {self._server} takes at most {self._limit:,}.",
                "Make it smaller, or send a link to the file (attachments grow by 37 % on the way).",
            )
        if mail.envelope.require_tls and not self._require_tls:
            raise self._unsupported(
                f"{self._server} does not offer REQUIRETLS (RFC 8689) on an encrypted connection"
                f"{' to a verified server' if self._secured else ''}, which this message asks for.",
                "Nothing was sent; leave require_tls off if this server's way of forwarding will do.",
            )
        sender = f"MAIL FROM:<{mail.envelope.reverse_path}>" + (f" SIZE={content.size}" if self._size else "")
        if content.binary:
            sender += " BODY=BINARYMIME"
        elif content.eight_bit and self._eight_bit:
            sender += " BODY=8BITMIME"
        if utf8:
            sender += " SMTPUTF8"
        if mail.envelope.dsn is not None and self._dsn:
            dsn = mail.envelope.dsn
            sender += f" RET={dsn.ret}" if dsn.ret else ""
            sender += f" ENVID={xtext(dsn.envid)}" if dsn.envid else ""
            receivers = [_with_reports(recipient, dsn) for recipient in recipients]
        else:
            receivers = [f"RCPT TO:<{recipient.spec}>" for recipient in recipients]
        if mail.envelope.require_tls:
            sender += " REQUIRETLS"
        return [sender, *receivers]

    def content_and_lines(self, mail: MailObject, recipients: tuple[Address, ...]) -> tuple[Content, bytes]:
        """`content_of` a message, and the command lines of its envelope, as `commands` has them: a short way for
        messages that need nothing special, of which there may be thousands a second.
        """
        envelope, form = mail.envelope, mail.form
        content = form if type(form) is Content else self.content_of(mail)  # finished octets have one form only
        size, limit, sender = content.size, self._limit, envelope.sender
        beginning = self._beginnings.get(sender.spec if sender is not None else "")
        if beginning is None:
            beginning = self._begin(envelope.reverse_path)
        said = command_line(f"RCPT TO:<{recipients[0].spec}>")
        if len(recipients) > 1:
            said += b"".join([command_line(f"RCPT TO:<{recipient.spec}>") for recipient in recipients[1:]])
        if (
            envelope.dsn is not None
            or envelope.require_tls
            or content.eight_bit
            or content.utf8
            or (limit is not None and size > limit)
            or not said.isascii()
            or not beginning
        ):
            return content, b"".join(map(command_line, self.commands(mail, content, recipients)))
        return content, b"%b SIZE=%d\r\n%b" % (beginning, size, said) if self._size else b"%b\r\n%b" % (beginning, said)

    def _begin(self, sender: str) -> bytes:
        """MAIL without its parameters, which is kept; empty if it needs more than ASCII."""
        line = command_line(f"MAIL FROM:<{sender}>")[:-2] if sender.isascii() else b""
        return remember(self._beginnings, BEGINNINGS, sender, line)

    def _no_utf8(self, mail: MailObject) -> Unsupported:
        who = next(
            (a.spec for a in (mail.envelope.sender, *mail.envelope.recipients) if a and a.needs_utf8),
            "the headers",
        )
        return self._unsupported(
            f"{self._server} can't take the non-ASCII address {who}: it does not offer SMTPUTF8 (RFC 6531).",
            "Use an ASCII address of that person, or a server that offers SMTPUTF8.",
        )

    def _unsupported(self, what: str, advice: str) -> Unsupported:
        return Unsupported(what, advice, phase=phases.MAIL, server=str(self._server))


def _with_reports(recipient: Address, dsn: DSN) -> str:
    """RCPT with what was asked about delivery reports (RFC 3461)."""
    line = f"RCPT TO:<{recipient.spec}>"
    if dsn.notify:
        line += f" NOTIFY={','.join(dsn.notify)}"
    return line if recipient.needs_utf8 else f"{line} ORCPT=rfc822;{xtext(recipient.spec)}"
