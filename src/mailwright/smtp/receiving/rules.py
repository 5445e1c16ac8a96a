"""What a receiving server offers, and how much it takes from a client."""

from __future__ import annotations

from mailwright.words.address import Address
from mailwright.words.errors import ConfigError
from mailwright.words.reply import Reply
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailwright.sasl.channel_binding import ChannelBinding
    from mailwright.smtp.receiving.manners import Manners
    from mailwright.words.server import TLS, Login, Protocol, Security

#: What can be offered. STARTTLS is offered by `Rules.security`, AUTH by `Rules.accounts`.
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
_WITH_PASSWORD = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5")
_WITH_TOKEN = ("OAUTHBEARER", "XOAUTH2")


@value
class Rules:
    """The offers and limits of a receiving server.

    `name`: its host name, in the greeting and behind an address that is only ``Postmaster``. `extensions`:
    any of `EXTENSIONS`. `security`: ``"tls"`` from the first byte, ``"starttls"`` offered, or ``"none"``;
    the first two need `tls` with a context that holds the certificate.

    `accounts`: who may log in, each with a password or a token; `mechanisms` are by default those that suit
    them. `login_required`: MAIL needs a login. `cleartext_login`: AUTH is offered before STARTTLS too; a
    server without TLS always does. `channel_binding`: of the certificate, which makes SCRAM-SHA-256-PLUS
    possible. `manners`: speak as a particular service does, in its own words; it takes logins even where nobody has
    an account.

    `refuse`: the reply to an address in MAIL or RCPT, by address or by local part; the empty text is the
    null reverse-path. A reply may be written as text: ``{"nobody@example.org": "550 5.1.1 No such
    mailbox"}``.

    Limits: `size` of a message in octets, `recipients` of one transaction, `bad_commands` of a connection.
    A client has about `timeout` seconds for a command and `content_timeout` for a whole message.
    `bare_line_ends`: take content with a CR or LF that is not part of a CRLF, and keep it as it is; by
    default it is refused with 554, since receivers disagree on what it means. Raises `ConfigError`.
    """

    name: str = "localhost"
    protocol: Protocol = "smtp"
    extensions: tuple[str, ...] = EXTENSIONS
    security: Security = "none"
    tls: TLS | None = None
    accounts: tuple[Login, ...] = ()
    mechanisms: tuple[str, ...] = ()
    login_required: bool = False
    cleartext_login: bool = False
    channel_binding: ChannelBinding | None = None
    manners: Manners | None = None
    refuse: Mapping[str, Reply | str] | None = None
    size: int = 50 << 20
    recipients: int = 1000
    bad_commands: int = 20
    timeout: float = 300.0  # RFC 5321 §4.5.3.2.7
    content_timeout: float = 600.0
    bare_line_ends: bool = False

    def __post_init__(self) -> None:
        unknown = [name for name in self.extensions if name not in EXTENSIONS]
        if unknown:
            what = f"The extension {unknown[0]!r} can't be offered."
            raise ConfigError(what, f"Use any of {', '.join(EXTENSIONS)}.")
        if self.security != "none" and (self.tls is None or self.tls.context is None):
            what = "A server with TLS needs a certificate."
            raise ConfigError(what, "Give tls=TLS(context=…) with the certificate loaded.")
        for name in ("size", "recipients", "bad_commands", "timeout", "content_timeout"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"The limit {name}={getattr(self, name)!r} is not a positive number.")
        if self.refuse:
            refuse = {_key(address): _refusal(reply) for address, reply in self.refuse.items()}
            object.__setattr__(self, "refuse", refuse)

    @property
    def greeting(self) -> str:
        """The text of the first line that a client hears."""
        if self.manners is not None:
            return self.manners.greeting
        return f"{self.name} {'LMTP' if self.protocol == 'lmtp' else 'ESMTP'} mailwright"

    @property
    def takes_logins(self) -> bool:
        """Whether AUTH is known here."""
        return bool(self.accounts) or self.manners is not None

    def said(self, occasion: str, ours: Reply) -> Reply:
        """The reply on an occasion (see `Manners`): `ours`, or that of the service that we speak as."""
        return ours if self.manners is None else self.manners.reply(occasion, ours)

    def suitable_mechanisms(self) -> tuple[str, ...]:
        """`mechanisms`, or those that the accounts' credentials are good for; -PLUS not left out yet."""
        if self.mechanisms:
            return self.mechanisms
        passwords = any(account.password is not None for account in self.accounts)
        tokens = any(account.token is not None for account in self.accounts)
        return (_WITH_PASSWORD if passwords else ()) + (_WITH_TOKEN if tokens else ())

    def refusal_of(self, address: Address | None) -> Reply | None:
        """The reply that refuses an address (`None`: the null reverse-path), or `None` if it is welcome."""
        refuse: Mapping[str, Reply] | None = self.refuse  # type: ignore[assignment]  # __post_init__ made replies of texts
        if not refuse:
            return None
        if address is None:
            return refuse.get("")
        return refuse.get(address.spec) or refuse.get(address.local)


def _key(address: str) -> str:
    return Address.parse(address).spec if "@" in address else address


def _refusal(given: Reply | str) -> Reply:
    if isinstance(given, str):
        code, _, text = given.partition(" ")
        given = Reply(int(code) if code.isascii() and code.isdigit() else 0, (text,))
    if not 400 <= given.code < 600:
        raise ConfigError(f"{given.code} does not refuse.", "Write a refusal like 550 5.1.1 No such mailbox.")
    return given
