"""Where to connect, how, and as whom: one value instead of seventeen keyword arguments."""

from __future__ import annotations

from mailwright.words.errors import ConfigError
from mailwright.words.secret import ProxyURL, Secret
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from typing import Literal

    Security = Literal["tls", "starttls", "none"]
    Protocol = Literal["smtp", "lmtp"]
    TokenSource = Callable[[], str | Secret | Awaitable[str | Secret]]

PORTS = {"tls": 465, "starttls": 587, "none": 25}


@value
class Login:
    """Who we are: a user with a `password`, or with a `token` for OAuth 2.

    `token` is the access token itself or a callable (blocking or async) that gives a fresh one; it is asked
    once for each login. If it has a method ``renew(refused)`` too, that is asked once for another token when the
    server refuses one (`mailwright.mailer.tokens` has such sources). `mechanism` forces one SASL mechanism by name;
    otherwise the strongest common one is used. `authzid` is the identity to act as, if it is another. With neither
    password nor token, EXTERNAL (a client certificate) is meant.
    """

    user: str
    password: Secret | str | None = None
    token: TokenSource | Secret | str | None = None
    mechanism: str | None = None
    authzid: str = ""

    def __post_init__(self) -> None:
        for name in ("password", "token"):
            given = getattr(self, name)
            if isinstance(given, str):
                object.__setattr__(self, name, Secret(given))
        for name in ("user", "authzid"):
            if any(ord(c) < 32 or ord(c) == 127 for c in getattr(self, name)):
                raise ConfigError(f"The login's {name} holds a control character.", "Check how the setting is read.")
        if self.password is not None and self.token is not None:
            raise ConfigError("A login has both a password and a token.", "Give one of them.")


@value
class Timeouts:
    """Limits in seconds. The defaults suit a person or a web request; `rfc5321()` has the patience of RFC
    5321 §4.5.3.2.

    `connect` is for the name, the connection and the TLS handshake each, `reply` for a whole reply to a
    command (greeting included), `block` for handing over one piece of content, `final` for the reply to the
    end of the content. That one is the RFC's ten minutes by default: to give up earlier is to doubt messages
    that are being taken. `total` bounds the whole call.
    """

    connect: float = 20.0
    reply: float = 60.0
    block: float = 60.0
    final: float = 600.0
    quit: float = 5.0
    total: float | None = None

    def __post_init__(self) -> None:
        for name in ("connect", "reply", "block", "final", "quit", "total"):
            limit = getattr(self, name)
            if limit is not None and not limit > 0:
                raise ConfigError(f"The time-out {name}={limit!r} is not a positive number of seconds.")

    @classmethod
    def rfc5321(cls) -> Timeouts:
        """The minimum of RFC 5321 §4.5.3.2, for relays and queues that have time."""
        return cls(connect=60.0, reply=300.0, block=180.0, final=600.0, quit=30.0)


@value
class TLS:
    """What makes a server the right one. By default: a valid chain to the system's trust store, and the right
    name.

    `ca_file`: a PEM file with the CA to trust instead of the system's. `pin`: the SHA-256 (hex) of the
    certificate or of its public key; it replaces chain and name checks (that is its point: an own server
    without a CA). `name`: the name to expect in the certificate when it is not the host. `certificate`,
    `key`, `key_password`: a client certificate. `unverified` switches every check off and so gives the
    password to whoever sits in between. `context` replaces all of this.
    """

    ca_file: str | None = None
    pin: str | None = None
    name: str | None = None
    certificate: str | None = None
    key: str | None = None
    key_password: Secret | str | None = None
    unverified: bool = False
    context: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if isinstance(self.key_password, str):
            object.__setattr__(self, "key_password", Secret(self.key_password))
        if self.pin is not None:
            digits = self.pin.replace(":", "").lower().removeprefix("sha256")
            if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
                raise ConfigError(
                    "A pin is the SHA-256 of a certificate or public key: 64 hexadecimal digits.",
                    "Get it with: openssl x509 -in cert.pem -noout -fingerprint -sha256",
                )
            object.__setattr__(self, "pin", digits)


@value
class Server:
    """A mail server to hand messages to.

    `security` is ``"tls"`` (from the first byte, port 465), ``"starttls"`` (required, port 587) or ``"none"``. Left
    empty it is ``"tls"`` on port 465, ``"none"`` for what stays on this machine and has no login, and ``"starttls"``
    everywhere else. `port` 0 means the usual one for it. `hello` is the name given in EHLO; by default the address
    literal of the connected socket (RFC 5321 §4.1.4). `path` is a Unix socket instead of host and port.
    `proxy` is ``http://…``, or ``socks5://…``. `cleartext_login` allows a password over an
    unencrypted connection to another machine: an explicit word, never a default. `alternatives` are other places of the
    same service, each a host, port and security: they are tried in order when no connection is made to the one before.
    """

    host: str
    port: int = 0
    security: Security = ""  # type: ignore[assignment]  # never empty once the value is made
    login: Login | None = None
    tls: TLS = TLS()
    timeouts: Timeouts = Timeouts()
    protocol: Protocol = "smtp"
    hello: str | None = None
    path: str | None = None
    proxy: str | None = None
    source_address: str | None = None
    cleartext_login: bool = False
    alternatives: tuple[tuple[str, int, Security], ...] = ()

    def __post_init__(self) -> None:
        if self.path is None:
            _check_host(self.host)
        if self.proxy is not None:
            object.__setattr__(self, "proxy", ProxyURL(self.proxy))
        if not self.security:
            object.__setattr__(self, "security", self.usual_security)
        if self.security not in PORTS:
            raise ConfigError(f"security={self.security!r} is not known.", "Use tls, starttls or none.")
        if self.protocol not in ("smtp", "lmtp"):
            raise ConfigError(f"protocol={self.protocol!r} is not known.", "Use smtp or lmtp.")
        if not self.port:
            object.__setattr__(self, "port", 24 if self.protocol == "lmtp" else PORTS[self.security])
        if not isinstance(self.port, int) or not 0 < self.port < 65536:
            raise ConfigError(f"{self.port!r} is not a port.", "A port is a number from 1 to 65535.")
        if self.hello is not None and (not self.hello or not all("!" <= c <= "~" for c in self.hello)):
            raise ConfigError(
                f"hello={self.hello!a} can't be said in EHLO.",
                "Use a host name such as mail.example.org (RFC 5321 §4.1.4).",
            )
        if self.alternatives:
            object.__setattr__(self, "alternatives", tuple(tuple(place) for place in self.alternatives))
            _ = self.ways  # each is a server of its own, and is checked as one

    @classmethod
    def from_url(cls, url: str) -> Server:
        """A server from ``smtps://user:password@host:port`` and the like; see `mailwright.words.url`."""
        from mailwright.words.url import server_from_url

        return server_from_url(url)

    @property
    def ways(self) -> tuple[Server, ...]:
        """The server itself and each of its alternatives, as servers that know all the others."""
        if not self.alternatives:
            return (self,)
        from mailwright.words.value import replace

        places = ((self.host, self.port, self.security), *self.alternatives)
        alone = replace(self, alternatives=())
        ways = [replace(alone, host=host, port=port, security=security) for host, port, security in places]
        for number, way in enumerate(ways):
            # In a circle: every way then names the same ways, and a kept connection knows its server again.
            object.__setattr__(way, "alternatives", places[number + 1 :] + places[:number])
        return tuple(ways)

    @property
    def usual_security(self) -> Security:
        """The security that is meant when nobody says which."""
        if self.path is not None:
            return "none"
        if self.port == PORTS["tls"]:
            return "tls"
        return "none" if self.stays_here and self.login is None else "starttls"

    @property
    def stays_here(self) -> bool:
        """True when what is said to it can't leave this machine. A proxy's localhost is another machine."""
        if self.proxy is not None:
            return False
        host = self.host.rstrip(".").lower()
        return self.path is not None or host in ("127.0.0.1", "localhost", "::1") or _is_loopback_v4(host)

    def __str__(self) -> str:
        if self.path is not None:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _is_loopback_v4(host: str) -> bool:
    parts = host.split(".")
    # Not just isdigit(): it takes "²", and digits of other scripts that a resolver may read otherwise.
    return len(parts) == 4 and parts[0] == "127" and all(p.isascii() and p.isdigit() and int(p) < 256 for p in parts)


def _check_host(host: str) -> None:
    if not isinstance(host, str) or not host:
        raise ConfigError("No host: which server should take the mail?", "Give a host such as smtp.example.org.")
    wrong = [c for c in host if ord(c) <= 32 or ord(c) == 127 or c in "/@\\<>\"'?#" or 0xD800 <= ord(c) < 0xE000]
    if wrong or len(host) > 255:
        reason = f"it holds {wrong[0]!a}" if wrong else "it has more than 255 characters"
        raise ConfigError(
            f"{host[:80]!a} is not a host name: {reason}.",
            "Give the bare name, such as smtp.example.org, without a scheme or port.",
        )
