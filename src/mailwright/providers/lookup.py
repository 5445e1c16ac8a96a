"""Finding the server for any address: the plan `find`.

In this order: the provider data by the exact domain; for a domain of one's own what that says about itself, by DNS
records (RFC 6186 §3.4, RFC 8314 §5.1) or by a Mozilla autoconfig file over HTTPS; then who receives its mail (MX). No
name is ever guessed.

DNS is not to be believed (RFC 6186 §6): whoever can answer in its place could send a password anywhere. A host
found there is trusted only if it lies in the domain of the address, where the certificate proves it, or if the provider
data knows it. That of a provider that is known comes with the data's own ports.
"""

from __future__ import annotations

from mailwright.providers import catalog
from mailwright.providers.autoconfig import PAGE_LIMIT, Offer, host_name, offers_in
from mailwright.providers.found import Found
from mailwright.providers.provider import ALTERNATIVES, Endpoint, is_below
from mailwright.steps import Ask, Clock, Together
from mailwright.words.errors import ConfigError, ConnectError, MailError
from mailwright.words.reply import visible
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from mailwright.providers.lookups import Lookups
    from mailwright.providers.provider import Provider
    from mailwright.words.address import Address

    Confirm = Callable[[Found], bool | Awaitable[bool]]

DNS_SECONDS = 4.0  # for one question; resolvers repeat theirs after two
PAGE_SECONDS = 5.0
_SURE_ENOUGH = ("high", "medium")
_SUBMISSIONS, _SUBMISSION = "_submissions._tcp", "_submission._tcp"


async def find(
    address: Address, lookups: Callable[[], Lookups], timeout: float, confirm: Confirm | None = None
) -> Found:
    """The server for `address`, within `timeout` seconds. ``lookups()`` gives whom to ask what the data does not know.

    `confirm` is asked about a host that is not trusted; true confirms it. Raises `ConfigError` when there is nothing to
    be found, `ConnectError` (temporary) when nobody answers, and `MissingExtra`.
    """
    found = known(address)
    if found is None:
        found = await _look_up(address, lookups(), timeout)
    if confirm is not None and not found.trusted:
        asked = found
        found = replace(found, confirmed=await Ask(lambda: confirm(asked), blocking=True) is True)
    return found


def known(address: Address) -> Found | None:
    """What the provider data says about the domain of `address`, without asking anybody; `None` if it knows nothing.

    Raises `ConfigError` for a provider that lets no program send.
    """
    domain = address.domain
    if domain.startswith("["):
        raise ConfigError(
            f"{domain} is the address of a machine: no provider belongs to it.", "Name the server itself."
        )
    provider = catalog.by_domain(domain)
    return None if provider is None else _of_provider(address, provider, "domain", domain)


def _of_provider(address: Address, provider: Provider, how: Any, evidence: str) -> Found:
    """What follows from the provider alone."""
    mx = evidence if how == "mx" else ""
    ways = provider.ways(address.domain, mx)
    if not ways:
        raise _no_way(address, provider)
    trusted = provider.certainty.smtp == "high" and (not mx or provider.certainty.mx in _SURE_ENOUGH)
    user = provider.user_for(address)
    return Found(address, how, evidence, ways, user, provider, trusted, catalog.compiled())


def _no_way(address: Address, provider: Provider) -> ConfigError:
    reason = "".join(provider.notes[:1]).partition(". ")[0].rstrip(".") or "it offers none to mail programs"
    if provider.kind == "no_smtp":
        return ConfigError(
            f"{provider.title} lets no program send for {address.spec}: {reason}.",
            "Send from another address, or through a sending service; mailwright providers shows which there are.",
        )
    if provider.kind == "local":
        return ConfigError(f"{address.domain} is this machine, not a provider.", "Name it: SMTP_HOST=localhost.")
    return ConfigError(
        f"{provider.title} has no server that a program could use unasked: {reason}.",
        f"See mailwright providers {provider.id}, and name the server itself.",
    )


async def _look_up(address: Address, lookups: Lookups, timeout: float) -> Found:
    """Ask the domain itself, then look who receives its mail."""
    domain, until = address.domain, await Clock() + timeout
    failures: list[Exception] = []

    async def asked(*questions: tuple[float, Callable[[float], Any]]) -> list[Any]:
        """The answers to some questions; an empty one where nobody answered, which is noted."""
        plans = tuple(_answer(act, seconds, until) for seconds, act in questions)
        answers = await Together(plans)
        for one in answers:
            if isinstance(one, MailError) or (isinstance(one, Exception) and not isinstance(one, OSError)):
                raise one
        failures.extend(one for one in answers if isinstance(one, OSError))
        return [() if isinstance(one, OSError) else one for one in answers]

    secure, plain, exchangers = await asked(
        (DNS_SECONDS, lambda left: lookups.srv(f"{_SUBMISSIONS}.{domain}", left)),
        (DNS_SECONDS, lambda left: lookups.srv(f"{_SUBMISSION}.{domain}", left)),
        (DNS_SECONDS, lambda left: lookups.mx(domain, left)),
    )
    offers = _offers_of(secure, plain, address)
    if offers:
        return _of_offers(address, "srv", f"a DNS record of {domain}", offers)
    unanswered = list(failures)
    urls = autoconfig_urls(address)
    pages = await asked(*((PAGE_SECONDS, _page(lookups, url)) for url in urls))
    for url, page in zip(urls, pages, strict=True):
        if page and (offers := offers_in(page, address)):
            return _of_offers(address, "autoconfig", url.partition("?")[0], offers)
    return _by_exchangers(address, exchangers, unanswered)


def _page(lookups: Lookups, url: str) -> Callable[[float], bytes]:
    return lambda left: lookups.page(url, left, PAGE_LIMIT)


async def _answer(act: Callable[[float], Any], seconds: float, until: float) -> Any:
    """The answer to one question, which has `seconds`, but at most to the end of it all."""
    left = min(seconds, until - await Clock())
    if left <= 0:
        raise TimeoutError("the time for looking up is over")
    return await Ask(lambda: act(left), blocking=True)


def autoconfig_urls(address: Address) -> tuple[str, ...]:
    """Where the domain of `address` may publish its settings, over HTTPS alone."""
    from urllib.parse import quote

    domain, given = address.domain, quote(address.spec, safe="@")
    return (
        f"https://autoconfig.{domain}/mail/config-v1.1.xml?emailaddress={given}",
        f"https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml",
    )


def _offers_of(secure: Any, plain: Any, address: Address) -> tuple[Offer, ...]:
    """What two sets of SRV records offer: by their priority, and TLS from the first byte before STARTTLS."""
    records = [(priority, 0, "tls", port, host) for priority, _, port, host in secure]
    records += [(priority, 1, "starttls", port, host) for priority, _, port, host in plain]
    found = []
    for _, _, security, port, target in sorted(records, key=lambda record: record[:2]):
        host = host_name(target)  # "." says that there is no such service
        if host and 0 < port < 65536:
            meant: Any = "tls" if port == 465 else security
            found.append(Offer(Endpoint(host, port, meant), address.spec))
    return tuple(found)


def _of_offers(address: Address, how: Any, evidence: str, offers: tuple[Offer, ...]) -> Found:
    """The server that a domain names for itself: the first that may be trusted, else the first."""
    domain = address.domain

    def trusted(offer: Offer) -> bool:
        return is_below(offer.endpoint.host, domain) or catalog.by_host(offer.endpoint.host) is not None

    chosen = next(filter(trusted, offers), offers[0])
    host = chosen.endpoint.host
    provider = catalog.by_host(host, address.spec)
    ways = tuple(dict.fromkeys(offer.endpoint for offer in offers if offer.endpoint.host == host))
    user = chosen.user
    if provider is not None:
        known_ways = [one for one in provider.endpoints if one.host == host and one.plain]
        first = next((one for one in known_ways if one.port == chosen.endpoint.port), next(iter(known_ways), None))
        if first is not None:
            ways = provider.beside(first)
    return Found(address, how, evidence, ways[: 1 + ALTERNATIVES], user, provider, trusted(chosen), catalog.compiled())


def _by_exchangers(address: Address, exchangers: Any, unanswered: list[Exception]) -> Found:
    """The server of the provider that receives the mail of the domain."""
    domain = address.domain
    best = min((preference for preference, _ in exchangers), default=0)
    hosts = [host for preference, target in exchangers if preference == best and (host := host_name(target))]
    providers = [catalog.by_mx(host) for host in hosts]
    if hosts and providers[0] is not None and all(one is providers[0] for one in providers):
        return _of_provider(address, providers[0], "mx", hosts[0])
    name_it = "Ask whoever runs it for the server, and name it: SMTP_HOST=… or server='smtps://…'."
    for host in hosts:
        if (product := catalog.gateway(host)) is not None:
            raise ConfigError(
                f"The mail of {domain} is received by a filter, {product}, which hides the provider behind it.", name_it
            )
    if unanswered:
        reason = visible(str(unanswered[0]) or type(unanswered[0]).__name__, 200)
        raise ConnectError(
            f"The server for {address.spec} can't be looked up: {reason}.",
            "Check this machine's network and name server, or name the mail server itself: SMTP_HOST=…",
            phase="connect",
            temporary=True,
        )
    seen = f"its mail is received by {hosts[0]}, which is not known" if hosts else "nobody receives mail for it"
    raise ConfigError(f"{domain} names no server for sending, and {seen}.", name_it)
