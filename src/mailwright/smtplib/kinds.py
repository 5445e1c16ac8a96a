"""The other two: `SMTP_SSL`, encrypted from the first byte, and `LMTP`, which hands mail to a mail store."""

from __future__ import annotations

from socket import _GLOBAL_DEFAULT_TIMEOUT  # type: ignore[attr-defined]

from mailwright.smtp import phases
from mailwright.smtplib.client import SMTP
from mailwright.smtplib.dialogue import check_timeout, face
from mailwright.smtplib.entrance import tls_of
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Sequence

    from mailwright.smtplib.client import Refusals
    from mailwright.smtplib.dialogue import Address, Response
    from mailwright.smtplib.entrance import Path
    from mailwright.words.server import TLS

SMTP_SSL_PORT = 465
LMTP_PORT = 2003


class SMTP_SSL(SMTP):
    """`SMTP` over a connection that is encrypted from the first byte; usual port 465.

    `context`, `keyfile` and `certfile` as with `SMTP.starttls`: without them the server's certificate and name are
    verified.
    """

    default_port: int = SMTP_SSL_PORT

    def __init__(
        self,
        host: str = "",
        port: int = 0,
        local_hostname: str | None = None,
        keyfile: Path | None = None,
        certfile: Path | None = None,
        timeout: float = _GLOBAL_DEFAULT_TIMEOUT,
        source_address: Address | None = None,
        context: ssl.SSLContext | TLS | None = None,
    ) -> None:
        self.keyfile, self.certfile = keyfile, certfile
        self._tls = tls_of(keyfile, certfile, context)
        super().__init__(host, port, local_hostname, timeout, source_address)

    @property
    def context(self) -> ssl.SSLContext:
        """The TLS context; what is changed in it counts for this object alone."""
        if self._tls.context is None:
            from mailwright.drivers.tls import new_client_context

            self._tls = replace(self._tls, context=new_client_context(self._tls))
        found: ssl.SSLContext = self._tls.context  # type: ignore[assignment]  # it was just made
        return found

    @context.setter
    def context(self, context: ssl.SSLContext) -> None:
        self._tls = replace(self._tls, context=context)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """A connected and encrypted socket."""
        self.sock, self.file = super()._get_socket(host, port, timeout), None
        session = self._session
        session.server = replace(session.server, tls=self._named_in(self._tls))
        self._encrypt()
        return self.sock


class LMTP(SMTP):
    """`SMTP` in the dialect of RFC 2033: after the content the server answers for each recipient.

    A `host` that begins with a slash is the path of a Unix socket. `sendmail` counts who was refused after the
    content among the refused, and raises `SMTPDataError` only if that is everybody.
    """

    ehlo_msg: str = "lhlo"
    _protocol = "lmtp"

    def __init__(
        self,
        host: str = "",
        port: int = LMTP_PORT,
        local_hostname: str | None = None,
        source_address: Address | None = None,
        timeout: float = _GLOBAL_DEFAULT_TIMEOUT,
    ) -> None:
        self._accepted: list[str] = []
        self._delivered: dict[str, Response] = {}
        super().__init__(host, port, local_hostname=local_hostname, source_address=source_address, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """A connected socket, also to a path."""
        if not host.startswith("/"):
            return super()._get_socket(host, port, timeout)
        check_timeout(timeout)
        module = face().socket
        made: socket.socket = module.socket(module.AF_UNIX, module.SOCK_STREAM)
        try:
            if timeout is not _GLOBAL_DEFAULT_TIMEOUT:
                made.settimeout(timeout)
            made.connect(host)
        except OSError:
            if self.debuglevel > 0:
                self._print_debug("connect fail:", host)
            made.close()
            raise
        return made

    def mail(self, sender: str, options: Sequence[str] = ()) -> Response:
        """MAIL: begin a message."""
        self._accepted = []
        return super().mail(sender, options)

    def rcpt(self, recip: str, options: Sequence[str] = ()) -> Response:
        """RCPT: one recipient, for whom the server will answer after the content if it accepts it now."""
        response = super().rcpt(recip, options)
        if response[0] in (250, 251):
            self._accepted.append(recip)
        return response

    def rset(self) -> Response:
        """RSET: abandon the message that was begun."""
        self._accepted = []
        return super().rset()

    def _verdict(self) -> Response:
        """The replies for all recipients (RFC 2033 §4.2); gives the worst of them."""
        if self._session.server.protocol != "lmtp":  # caught by an inbox that speaks SMTP
            response = self.getreply()
            self._delivered = dict.fromkeys(self._accepted, response)
            return response
        replies = []
        for _ in self._accepted or [""]:
            self._session.phase = phases.FINAL
            replies.append(self.getreply())
        self._delivered = dict(zip(self._accepted, replies, strict=False))
        self._accepted = []
        return max(replies)

    def _refuse_content(self, response: Response, refused: Refusals) -> None:
        """Note who was refused after the content; an error if nobody got it."""
        failed = {recipient: reply for recipient, reply in self._delivered.items() if reply[0] != 250}
        if len(failed) == len(self._delivered):
            super()._refuse_content(response, refused)
        refused.update(failed)
