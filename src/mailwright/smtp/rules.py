"""What a receiving server offers, and how much it takes from a client."""

from __future__ import annotations

from mailwright.words.errors import ConfigError
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailwright.words.reply import Reply
    from mailwright.words.server import TLS, Protocol, Security

#: What can be offered. STARTTLS is offered by `Rules.security`, AUTH when there is somebody who checks logins.
EXTENSIONS = (
    "PIPELINING",  # RFC 2920
    "SIZE",  # RFC 1870
    "8BITMIME",  # RFC 6152
    "SMTPUTF8",  # RFC 6531
    "CHUNKING",  # RFC 3030
    "DSN",  # RFC 3461
    "ENHANCEDSTATUSCODES",  # RFC 2034
    "REQUIRETLS",  # RFC 8689; said on encrypted connections only
)


@value
class Rules:
    """The offers and limits of a receiving server.

    `name`: its host name in the greeting. `extensions`: any of `EXTENSIONS`. `security`: ``"tls"`` from the first byte, ``"starttls"``
    offered, or ``"none"``; the first two need `tls` with a context that holds the certificate. `login_required`: MAIL needs a
    login. `cleartext_login`: AUTH is offered before STARTTLS too; a server without TLS always does. `refuse`: the reply to an address in MAIL or
    RCPT, by address or by local part; the empty text is the null reverse-path.

    Limits: `size` of a message in octets, `recipients` of one transaction, `bad_commands` of a connection. A client has `timeout`
    seconds for a command and `content_timeout` for a whole message. `bare_line_ends`: take content with a CR or LF that is
    not part of a CRLF, and keep it as it is; by default it is refused, as the large receivers do.
    """

    name: str = "localhost"
    protocol: Protocol = "smtp"
    extensions: tuple[str, ...] = EXTENSIONS
    security: Security = "none"
    tls: TLS | None = None
    login_required: bool = False
    cleartext_login: bool = False
    refuse: Mapping[str, Reply] | None = None
    size: int = 50 << 20
    recipients: int = 1000
    bad_commands: int = 20
    timeout: float = 300.0  # seconds, RFC 5321 §4.5.3.2.7
    content_timeout: float = 600.0
    bare_line_ends: bool = False

    def __post_init__(self) -> None:
        unknown = [name for name in self.extensions if name not in EXTENSIONS]
        if unknown:
            raise ConfigError(f"The extension {unknown[0]!r} can't be offered.", f"Use any of {', '.join(EXTENSIONS)}.")
        if self.security != "none" and (self.tls is None or self.tls.context is None):
            raise ConfigError("A server with TLS needs a certificate.", "Give tls=TLS(context=…) with the certificate loaded.")
        for name in ("size", "recipients", "bad_commands", "timeout", "content_timeout"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"The limit {name}={getattr(self, name)!r} is not a positive number.")
