"""One mail provider as a value: its servers, the logins it takes, its limits, and how sure all of that is."""

from __future__ import annotations

from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from mailwright.words.address import Address
    from mailwright.words.server import Security

    Sureness = Literal["high", "medium", "low", "none"]

#: Kinds of credential that stand where a password stands in a login.
AS_PASSWORD = frozenset(
    "account_password app_password mail_password authorization_code smtp_credentials api_key smtp_token "
    "bridge_password".split()
)
#: Those of them with which an address alone is enough: user name and server follow from it.
WITH_ADDRESS = frozenset("account_password app_password mail_password authorization_code smtp_credentials".split())
#: Those that the provider makes up, so that a space in them only groups what is shown.
GENERATED = frozenset(("app_password", "authorization_code"))
RELAY_PORT = 25  # between servers (RFC 5321); most networks block it for everybody else
ALTERNATIVES = 2  # further ways in that are tried; each one that fails costs seconds


@value
class Endpoint:
    """A host and port that takes mail, and how it is encrypted there.

    `preferred` marks the provider's first choice. `region`, `stream` and `account` tell for whom it is, and `route` is
    a special way (a relay, a bridge on this machine) that nobody takes without asking for it. With `domains` or
    `mx_suffixes` it serves only addresses in these, or own domains whose MX host ends with one of these.
    """

    host: str
    port: int
    security: Security
    preferred: bool = False
    region: str = ""
    route: str = ""
    stream: str = ""
    account: str = ""
    domains: tuple[str, ...] = ()
    mx_suffixes: tuple[str, ...] = ()
    note: str = ""

    @property
    def plain(self) -> bool:
        """Whether a mail program may take it unasked: encrypted, for submission, and nothing special."""
        return self.security != "none" and self.port != RELAY_PORT and not self.route

    def serves(self, domain: str, mx: str) -> bool:
        """Whether it is named for this domain, or for own domains with this MX host."""
        return domain in self.domains or any(is_below(mx, suffix) for suffix in self.mx_suffixes)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@value
class Shape:
    """What a generated password looks like: a regular expression for all of it, and the same in words."""

    pattern: str
    text: str

    def fits(self, password: str) -> bool:
        """Whether `password` looks like that."""
        from re import fullmatch

        return fullmatch(self.pattern, password) is not None


@value
class Credentials:
    """The kinds of credential that are accepted and refused, the `page` where one is made (empty: unknown), and
    what has to be done before that, in order.
    """

    accepted: tuple[str, ...]
    refused: tuple[str, ...]
    page: str
    prerequisites: tuple[str, ...]
    shape: Shape | None


@value
class Username:
    """The form of the user name: ``email``, ``localpart``, ``literal`` (the word in `literal`), ``token``,
    ``smtp_credentials``, ``custom`` or ``none``.
    """

    form: str
    literal: str
    note: str


@value
class OAuth2:
    """Where OAuth 2 happens, the scopes for sending, and the SASL mechanisms. `self_service`: whether anybody can
    register a client. `app_only` tells of logins without a person, where there are any.
    """

    authorize_url: str
    token_url: str
    device_url: str
    scopes: tuple[str, ...]
    sasl: tuple[str, ...]
    self_service: bool
    note: str
    app_only: Mapping[str, object] | None


@value
class Quota:
    """What may be sent; `None` is unknown, not unlimited. `per_day_counts` is ``messages`` or ``recipients``, and
    `message_mb` megabytes.
    """

    per_day: int | None = None
    per_day_counts: str | None = None
    per_hour: int | None = None
    per_minute: int | None = None
    recipients_per_message: int | None = None
    message_mb: int | None = None
    concurrent_connections: int | None = None
    messages_per_connection: int | None = None
    note: str = ""


@value
class Certainty:
    """How sure each part is: ``high``, ``medium``, ``low`` or ``none``."""

    smtp: Sureness
    auth: Sureness
    limits: Sureness
    mx: Sureness


@value
class Provider:
    """One row of the data; `docs/reference/providers.md` explains the fields."""

    id: str
    name: str
    kind: str
    domains: tuple[str, ...]
    domain_suffixes: tuple[str, ...]
    mx_suffixes: tuple[str, ...]
    endpoints: tuple[Endpoint, ...]
    closed_ports: tuple[int, ...]
    username: Username
    credentials: Credentials
    oauth2: OAuth2 | None
    quota: Quota | None
    from_rule: str | None
    notes: tuple[str, ...]
    certainty: Certainty
    sources: tuple[str, ...]

    @property
    def title(self) -> str:
        """The name without what stands behind it in brackets or slashes: ``Gmail``."""
        return self.name.partition(" (")[0].partition(" / ")[0]

    @property
    def takes_password(self) -> bool:
        """Whether any credential is accepted that stands where a password stands."""
        return not AS_PASSWORD.isdisjoint(self.credentials.accepted)

    @property
    def takes_address(self) -> bool:
        """Whether an address with such a credential is enough to send."""
        return not WITH_ADDRESS.isdisjoint(self.credentials.accepted)

    @property
    def takes_oauth2(self) -> bool:
        """Whether OAuth 2 is accepted."""
        return "oauth2" in self.credentials.accepted

    @property
    def generated_only(self) -> bool:
        """Whether every password that it accepts is one that it made up itself."""
        kinds = AS_PASSWORD.intersection(self.credentials.accepted)
        return bool(kinds) and kinds <= GENERATED

    def ways(self, domain: str = "", mx: str = "") -> tuple[Endpoint, ...]:
        """The endpoints of one host for addresses in `domain`, or for an own domain with the MX host `mx`: the first is
        to be used, the others are right as well. Empty where nothing may be taken unasked.
        """
        plain = [one for one in self.endpoints if one.plain]
        mine = [one for one in plain if one.serves(domain, mx)]
        chosen = next((one for one in mine or plain if one.preferred), next(iter(mine or plain), None))
        return () if chosen is None else self.beside(chosen)

    def beside(self, chosen: Endpoint) -> tuple[Endpoint, ...]:
        """`chosen`, and the further ways to the same host that may be tried when it can't be reached."""
        others = [
            one
            for one in self.endpoints
            if one.plain and one.host == chosen.host and (one.port, one.security) != (chosen.port, chosen.security)
        ]
        return (chosen, *others[:ALTERNATIVES])

    def user_for(self, address: Address) -> str:
        """The user name that belongs to an address."""
        return address.local if self.username.form == "localpart" else address.spec


def is_below(name: str, suffix: str) -> bool:
    """Whether a domain name equals `suffix` or ends with it behind a dot."""
    return name == suffix or name.endswith(f".{suffix}")
