"""One method for each command of SMTP."""

from __future__ import annotations

from mailwright.smtp.features import features_of
from mailwright.smtp.wire import escape_dots
from mailwright.smtplib.addresses import _addr_only, quoteaddr
from mailwright.smtplib.dialogue import Dialogue
from mailwright.smtplib.line_ends import Canonical, text_with_crlf, with_crlf
from mailwright.smtplib.replies import features_in, reply_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import ReadableBuffer

    from mailwright.smtplib.dialogue import Response


class Commands(Dialogue):
    """The commands."""

    helo_resp: bytes | None = None
    ehlo_msg: str = "ehlo"
    ehlo_resp: bytes | None = None
    does_esmtp: bool = False

    def helo(self, name: str = "") -> Response:
        """HELO: say who we are, as of old."""
        self.putcmd("helo", name or self.local_hostname)
        response = self.getreply()
        self.helo_resp = response[1]
        return response

    def ehlo(self, name: str = "") -> Response:
        """EHLO: say who we are, and learn what the server can do (`esmtp_features`, `has_extn`)."""
        self.esmtp_features = {}
        caught = self._conversation is not None and self._conversation.stands_in is not None
        # What catches an LMTP client's mail speaks SMTP.
        verb = "ehlo" if caught and self._session.server.protocol == "smtp" else self.ehlo_msg
        self.putcmd(verb, name or self.local_hostname)
        response = code, message = self.getreply()
        if code == -1 and not message:
            self.close()
            raise self._error("SMTPServerDisconnected", "Server not connected")
        self.ehlo_resp = message
        if code == 250:
            self.does_esmtp = True
            self.esmtp_features = features_in(message)
            if caught:
                self._session.features = features_of(reply_of(*response))
                # Nothing of this reaches the inbox: see StandIn.
                self.esmtp_features.setdefault("starttls", "")
                self.esmtp_features["auth"] = " PLAIN LOGIN"
        return response

    def has_extn(self, opt: str) -> bool:
        """Whether the server offers this extension."""
        return opt.lower() in self.esmtp_features

    def help(self, args: str = "") -> bytes:
        """HELP: what the server says of itself."""
        self.putcmd("help", args)
        return self.getreply()[1]

    def rset(self) -> Response:
        """RSET: abandon the message that was begun."""
        self.command_encoding = "ascii"
        return self.docmd("rset")

    def _rset(self) -> None:
        """RSET after a refusal; a connection that broke is the next command's affair."""
        from mailwright.smtplib.errors import SMTPServerDisconnected

        try:
            self.rset()
        except SMTPServerDisconnected:
            pass

    def noop(self) -> Response:
        """NOOP: is anybody there?"""
        return self.docmd("noop")

    def mail(self, sender: str, options: Sequence[str] = ()) -> Response:
        """MAIL: begin a message from `sender`. Raises `SMTPNotSupportedError` for SMTPUTF8 at a server without it."""
        words = ""
        if options and self.does_esmtp:
            if any(option.lower() == "smtputf8" for option in options):
                if not self.has_extn("smtputf8"):
                    raise self._error("SMTPNotSupportedError", "SMTPUTF8 not supported by server")
                self.command_encoding = "utf-8"
            words = " " + " ".join(options)
        self.putcmd("mail", f"from:{quoteaddr(sender)}{words}")
        return self.getreply()

    def rcpt(self, recip: str, options: Sequence[str] = ()) -> Response:
        """RCPT: one recipient of the message."""
        words = " " + " ".join(options) if options and self.does_esmtp else ""
        self.putcmd("rcpt", f"to:{quoteaddr(recip)}{words}")
        return self.getreply()

    def data(self, msg: ReadableBuffer | str) -> Response:
        """DATA: the message. Line ends become CRLF, and a dot at the beginning of a line is doubled.

        Raises `SMTPDataError` when the server does not want it; its word on the message itself is returned.
        """
        self.putcmd("data")
        response = self.getreply()
        if self.debuglevel > 0:
            self._print_debug("data:", response)
        if response[0] != 354:
            raise self._refusal("SMTPDataError", response)
        self.send(Canonical(b"".join(escape_dots([octets_of(msg) or b"\r\n"]))))
        response = self._verdict()
        if self.debuglevel > 0:
            self._print_debug("data:", response)
        return response

    def _verdict(self) -> Response:
        """The server's word on the content."""
        return self.getreply()

    def verify(self, address: str) -> Response:
        """VRFY: is there such an address? Few servers tell."""
        self.putcmd("vrfy", _addr_only(address))
        return self.getreply()

    vrfy = verify

    def expn(self, address: str) -> Response:
        """EXPN: who is on this list? Few servers tell."""
        self.putcmd("expn", _addr_only(address))
        return self.getreply()

    def quit(self) -> Response:
        """QUIT: say goodbye and close; afterwards `connect` can be called again."""
        response = self.docmd("quit")
        self._forget_greeting()
        self.close()
        return response

    def _forget_greeting(self) -> None:
        """Forget what the server said about itself."""
        self.helo_resp = self.ehlo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False

    def ehlo_or_helo_if_needed(self) -> None:
        """EHLO, or HELO where that is not known, unless one of them was said. Raises `SMTPHeloError`."""
        if self.helo_resp is None and self.ehlo_resp is None and not 200 <= self.ehlo()[0] <= 299:
            response = self.helo()
            if not 200 <= response[0] <= 299:
                raise self._refusal("SMTPHeloError", response)


def octets_of(msg: ReadableBuffer | str) -> bytes:
    """A message as it is sent, but for the dots. Raises `UnicodeEncodeError` for text that is not ASCII."""
    if not isinstance(msg, str):
        return with_crlf(msg if isinstance(msg, bytes) else bytes(memoryview(msg)))
    try:
        return Canonical(text_with_crlf(msg).encode("ascii"))
    except UnicodeEncodeError as problem:
        problem.add_note(
            "Text given to sendmail() is sent as it is, so it must be ASCII. Build the message with "
            "email.message.EmailMessage and call send_message(), or call mailwright.send()."
        )
        raise
