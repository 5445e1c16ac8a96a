"""What is known of a provider or of a server that was found, in sentences for a person."""

from __future__ import annotations

from mailwright.providers import catalog
from mailwright.providers.preflight import SPOKEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailwright.providers.catalog import Alias
    from mailwright.providers.found import Found
    from mailwright.providers.provider import Endpoint, Provider, Quota

KINDS = {
    "account_password": "the password of the account",
    "app_password": "an app password",
    "mail_password": "the separate password for mail programs",
    "authorization_code": "an authorization code",
    "oauth2": "OAuth 2",
    "api_key": "an API key",
    "smtp_credentials": "generated SMTP credentials",
    "smtp_token": "an SMTP token",
    "bridge_password": "the password that the Bridge shows",
    "ip_allowlist": "a registered IP address",
    "aws_secret_key": "an AWS secret access key",
    "none": "no login",
}
FROM_RULES = {
    "rewritten": "another From is silently replaced by the account's address",
    "own_address_only": "From must be the address that logs in",
    "own_address_or_alias": "From must be the address that logs in, or an alias of it",
    "send_as_permission": "another From needs the permission to send as that address",
    "same_account_domains": "From must lie in a domain of the account",
    "verified_identity": "From must be a verified address or domain",
}
USER_FORMS = {
    "email": "the whole address",
    "localpart": "the part of the address before the @",
    "token": "a token",
    "smtp_credentials": "the user name that comes with the SMTP credentials",
    "custom": "see the notes",
    "none": "none",
}
BOTH_RIGHT = (
    "Both ports are right. RFC 8314 prefers 465, where TLS begins with the first byte; much teaching material says "
    "587, where it begins with STARTTLS. If one can't be reached, the other is tried before anything else is said."
)
#: How an address came to its server.
HOW = {
    "domain": "the domain {evidence}, in the provider data",
    "srv": "{evidence} (RFC 6186)",
    "autoconfig": "{evidence}",
    "mx": "its mail is received by {evidence}",
}


def tell_found(found: Found) -> Iterator[str]:
    """The lines about a server that was found."""
    provider = found.provider
    yield f"{found.address.spec}: {provider.name if provider else found.host}"
    rows = [("server", _way(found.ways[0]))]
    rows += [("or", _way(one)) for one in found.ways[1:]]
    rows += [("user", found.user)]
    if provider is not None:
        rows += [("credential", credential(provider))]
    rows += [("known by", HOW[found.how].format(evidence=found.evidence))]
    rows += [("how sure", _sure(found))]
    yield from _table(rows)
    yield from _both(found.ways)
    if not found.trusted and not found.confirmed:
        yield " ".join(found.doubt)


def _both(ways: Iterable[Endpoint]) -> Iterator[str]:
    """What there is to say where both usual ports are right."""
    if {(one.port, one.security) for one in ways} >= {(465, "tls"), (587, "starttls")}:
        yield BOTH_RIGHT


def _way(way: Endpoint) -> str:
    return f"{way.host}, port {way.port} with {SPOKEN[way.security]}"


def _sure(found: Found) -> str:
    if found.provider is None:
        return "the domain says so itself, and the host lies in it" if found.trusted else "not sure, see below"
    sure = found.provider.certainty
    mx = f", mail received there {sure.mx}" if found.how == "mx" else ""
    return f"server {sure.smtp}, credential {sure.auth}{mx}; as of {found.as_of}"


def credential(provider: Provider) -> str:
    """Which credentials are accepted, and which not."""
    accepted, refused = provider.credentials.accepted, provider.credentials.refused
    text = " or ".join(KINDS[kind] for kind in accepted) or "none"
    return text + (f"; not {' or '.join(KINDS[kind] for kind in refused)}" if refused else "")


def tell_alias(alias: Alias) -> str:
    """What is known of a historic or wrong host name, in a line."""
    if alias.treat_as == "equivalent":
        return f"{alias.host} works as {alias.use} does: {alias.why}"
    if not alias.use:
        return f"{alias.host} is not a server to send through: {alias.why}"
    if alias.certainty == "low":
        return f"{alias.host} is probably not the server to send through. {alias.why} Is {alias.use} meant?"
    return f"{alias.host} is not the server to send through: {alias.why} Use {alias.use}."


def tell_provider(provider: Provider, address: str = "ADDRESS") -> Iterator[str]:
    """Everything about a provider: what to use, how to get the credential, what is refused, limits, how sure."""
    yield provider.name
    rows = [("server" if not number else "or", text) for number, text in enumerate(_servers(provider))]
    form = f"the word {provider.username.literal}" if provider.username.literal else USER_FORMS[provider.username.form]
    rows += [("user", form), ("credential", credential(provider))]
    rows += [("sender", FROM_RULES[provider.from_rule])] if provider.from_rule else []
    rows += [("limits", text) for text in _limits(provider.quota)]
    yield from _table(rows)
    yield from _both(provider.ways())
    steps = list(credential_steps(provider, address))
    if steps:
        yield ""
        yield "To get the credential:"
        yield from (f"  {number}. {step}" for number, step in enumerate(steps, 1))
    if provider.username.note or provider.notes:
        yield ""
        yield from (f"- {note}" for note in (provider.username.note, *provider.notes) if note)
    yield ""
    sure = provider.certainty
    yield (
        f"How sure, as of {catalog.compiled()}: server {sure.smtp}, credential {sure.auth}, limits {sure.limits}, "
        f"MX {sure.mx}."
    )
    yield from (f"Source: {catalog.source(key)}" for key in provider.sources)


def _servers(provider: Provider) -> Iterator[str]:
    """Every endpoint, the preferred first; ports of one host and purpose in one line."""
    lines: dict[tuple[str, str], list[str]] = {}
    for one in sorted(provider.endpoints, key=lambda way: not way.preferred):
        purpose = [one.region, one.account, one.stream, one.route.replace("_", " ")]
        purpose += [f"for {', '.join(one.domains)}" if one.domains else "", one.note.rstrip(".")]
        place = (one.host, "; ".join(filter(None, purpose)))
        lines.setdefault(place, []).append(f"port {one.port} with {SPOKEN[one.security]}")
    for (host, what_for), ports in lines.items():
        yield f"{host}, {' or '.join(ports)}" + (f" ({what_for})" if what_for else "")
    if not lines:
        yield "none"


def _limits(quota: Quota | None) -> Iterator[str]:
    if quota is None:
        yield "unknown"
        return
    figures = (
        (quota.recipients_per_message, "recipients for one message"),
        (quota.message_mb, "MB for one message"),
        (quota.per_minute, "a minute"),
        (quota.per_hour, "an hour"),
        (quota.per_day, f"{quota.per_day_counts} a day"),
        (quota.concurrent_connections, "connections at a time"),
        (quota.messages_per_connection, "messages over one connection"),
    )
    known = [f"{figure} {unit}" for figure, unit in figures if figure is not None]
    if known:
        yield ", ".join(known)
    if quota.note:
        yield quota.note


def credential_steps(provider: Provider, address: str) -> Iterator[str]:
    """What to do, in order, to get a credential and to give it to mailwright."""
    kinds = [kind for kind in provider.credentials.accepted if kind not in ("oauth2", "none", "ip_allowlist")]
    page = provider.credentials.page
    for one in provider.credentials.prerequisites:
        yield f"Before: {one}."
    made = [KINDS[kind] for kind in kinds if kind != "account_password"]
    if made and page:
        yield f"Open {page} and get {' or '.join(made)}."
        if provider.generated_only:
            yield "Copy it at once, it is shown once. Blanks between its groups don't matter."
    if provider.takes_address:
        yield (
            f"Give it to mailwright: mailwright login {address} keeps it in the system's key ring; or set "
            f"SENDER_EMAIL={address} and EMAIL_PASSWORD in the environment."
        )
    elif kinds and provider.ways():
        way, user = provider.ways()[0], provider.username.literal or "…"
        yield (
            f"Give it to mailwright with its server: SMTP_HOST={way.host}, SMTP_PORT={way.port}, SMTP_USER={user} and "
            "SMTP_PASSWORD in the environment."
        )
    if provider.oauth2 is not None and provider.oauth2.self_service:
        begin = "Or without any password, with OAuth 2" if kinds else "Log in with OAuth 2"
        yield (
            f"{begin}, for which you register a client of your own: mailwright login {address} --client-id ID (or "
            "--client-file FILE); mailwright login --help says where."
        )


def _table(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    before = ""
    for name, text in rows:
        yield f"  {name if name != before else '':10}  {text}"
        before = name
