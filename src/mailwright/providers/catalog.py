"""The provider data, and looking things up in it: by domain, host, MX host or name.

The file is read and indexed when somebody first asks (some milliseconds); a row becomes a value when it is wanted. A
look-up by domain or host is one in a dictionary, however many rows there are.
"""

from __future__ import annotations

from mailwright.providers.provider import (
    Certainty,
    Credentials,
    Endpoint,
    OAuth2,
    Provider,
    Quota,
    Shape,
    Username,
    is_below,
)
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from mailwright.providers.provider import Sureness


@value
class Alias:
    """A host name that people write and that is historic, wrong, or not for submission.

    `treat_as`: ``substitute`` (`use` is right), ``equivalent`` (works as well) or ``explain`` (there is nothing to put
    in its place).
    """

    host: str
    treat_as: str
    use: str
    why: str
    certainty: Sureness


@value
class PortBlock:
    """A place where programs run and from which some `ports` can't be reached; `normally` says how far."""

    where: str
    ports: tuple[int, ...]
    normally: str
    certainty: Sureness
    source: str
    fix: str


class _Tables:
    """The indexed data: numbers of rows by domain, suffix, host, MX suffix and id."""

    __slots__ = ("data", "domains", "hosts", "ids", "mx", "providers", "rows", "suffixes")

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.rows: list[Mapping[str, Any]] = data["providers"]
        self.providers: dict[int, Provider] = {}
        self.domains: dict[str, int] = {}
        self.suffixes: dict[str, int] = {}
        self.mx: dict[str, int] = {}
        self.ids: dict[str, int] = {}
        self.hosts: dict[str, list[int]] = {}
        for number, row in enumerate(self.rows):
            self.ids[row["id"]] = number
            self.domains.update(dict.fromkeys(row["domains"], number))
            self.suffixes.update(dict.fromkeys(row["domain_suffixes"], number))
            self.mx.update(dict.fromkeys(row["mx_suffixes"], number))
            for host in {endpoint["host"] for endpoint in row["smtp"]}:
                if not _is_here(host):
                    self.hosts.setdefault(host, []).append(number)

    def provider(self, number: int) -> Provider:
        """The row with that number as a value."""
        if number not in self.providers:
            self.providers[number] = _provider(self.rows[number])
        return self.providers[number]


_tables: _Tables | None = None


def _all() -> _Tables:
    global _tables
    if _tables is None:
        import json

        loader: Any = __spec__.loader  # package data comes through the loader: it is found inside a zip, too
        folder = __file__.rpartition("catalog")[0]
        _tables = _Tables(json.loads(loader.get_data(f"{folder}data/providers.json")))
    return _tables


def _is_here(host: str) -> bool:
    # What listens on a loopback address says nothing about a provider.
    return host == "localhost" or host.startswith("127.")


def by_domain(domain: str) -> Provider | None:
    """The provider of addresses in `domain` (ASCII, as in `Address.domain`), or `None`."""
    tables, domain = _all(), domain.lower()
    number = tables.domains.get(domain)
    for parent in () if number is not None else _parents(domain):
        if (number := tables.suffixes.get(parent)) is not None:
            break
    return None if number is None else tables.provider(number)


def by_host(host: str, user: str = "") -> Provider | None:
    """The provider that runs the mail server `host`, or `None`.

    Some hosts serve several rows, such as a provider's private customers and organisations with domains of their own:
    the domain of `user`, if that is an address, decides.
    """
    tables = _all()
    found = [tables.provider(number) for number in tables.hosts.get(_plain(host), ())]
    if len(found) > 1 and "@" in user:
        mine = by_domain(user.rpartition("@")[2])
        if mine in found:
            return mine
        if mine is None:
            return next((one for one in found if one.kind == "workspace"), found[0])
    return found[0] if found else None


def by_mx(host: str) -> Provider | None:
    """The provider that receives mail on `host`, by the longest suffix that is known, or `None`."""
    tables, host = _all(), _plain(host)
    for name in (host, *_parents(host)):
        if (number := tables.mx.get(name)) is not None:
            return tables.provider(number)
    return None


def gateway(host: str) -> str | None:
    """The product, if `host` is an MX host of a filter that hides the provider behind it."""
    host = _plain(host)
    gateways = _all().data["mx_gateways"]
    return next((one["product"] for one in gateways if is_below(host, one["mx_suffix"])), None)


def named(text: str) -> tuple[Provider, ...]:
    """The providers that `text` may mean: an id, a domain or a host exactly; else part of a name."""
    tables, wanted = _all(), text.strip().lower()
    if wanted in tables.ids:
        return (tables.provider(tables.ids[wanted]),)
    exact = by_domain(wanted) or by_host(wanted)
    if exact is not None:
        return (exact,)
    numbers = [n for n, row in enumerate(tables.rows) if wanted and wanted in f"{row['id']} {row['name']}".lower()]
    return tuple(tables.provider(number) for number in numbers)


def alias(host: str) -> Alias | None:
    """What is known of `host` as a name to be replaced or explained, or `None`."""
    host = _plain(host)
    for row in _all().data["host_aliases"]:
        before, star, behind = row["host"].partition("*")
        if row["host"] == host:
            return Alias(**{**row, "use": row["use"] or ""})
        inside = host[len(before) : len(host) - len(behind)]
        if star and host == f"{before}{inside}{behind}" and inside and "." not in inside:
            return Alias(**{**row, "host": host, "use": (row["use"] or "").replace("*", inside)})
    return None


def everything() -> tuple[Provider, ...]:
    """All providers, in the order of the data."""
    tables = _all()
    return tuple(tables.provider(number) for number in range(len(tables.rows)))


def row_of(provider: Provider) -> Mapping[str, Any]:
    """The row of the data that `provider` was made of, for who wants it as JSON."""
    tables = _all()
    return tables.rows[tables.ids[provider.id]]


def port_blocks() -> tuple[PortBlock, ...]:
    """Networks and platforms that are known to block ports of mail."""
    return tuple(
        PortBlock(one["where"], tuple(one["ports"]), one["default"], one["certainty"], one["source"], one["fix"])
        for one in _all().data["outbound_port_blocks"]
    )


def source(key: str) -> str:
    """Where a fact comes from, by a key in `Provider.sources`."""
    text: str = _all().data["sources"][key]
    return text


def compiled() -> str:
    """The day on which the data was put together, as in ``2026-11-20``."""
    day: str = _all().data["about"]["compiled"]
    return day


def _plain(host: str) -> str:
    return host.rstrip(".").lower()


def _parents(name: str) -> Iterator[str]:
    while name := name.partition(".")[2]:
        yield name


def _provider(row: Mapping[str, Any]) -> Provider:
    user, auth, oauth, limits = row["username"], row["auth"], row["oauth2"], row["limits"]
    return Provider(
        id=row["id"],
        name=row["name"],
        kind=row["kind"],
        domains=tuple(row["domains"]),
        domain_suffixes=tuple(row["domain_suffixes"]),
        mx_suffixes=tuple(row["mx_suffixes"]),
        endpoints=tuple(map(_endpoint, row["smtp"])),
        closed_ports=tuple(row["closed_ports"]),
        username=Username(user["form"], user["literal"] or "", user["note"] or ""),
        credentials=Credentials(
            tuple(auth["accepted"]),
            tuple(auth["refused"]),
            auth["credential_url"] or "",
            tuple(auth["prerequisites"]),
            Shape(**auth["shape"]) if auth["shape"] else None,
        ),
        oauth2=_oauth2(oauth) if oauth else None,
        quota=Quota(**limits) if limits else None,
        from_rule=row["from_rule"],
        notes=tuple(row["notes"]),
        certainty=Certainty(**row["certainty"]),
        sources=tuple(row["sources"]),
    )


def _oauth2(row: Mapping[str, Any]) -> OAuth2:
    return OAuth2(
        row["authorize_url"],
        row["token_url"],
        row["device_url"] or "",
        tuple(row["scopes"]),
        tuple(row["sasl"]),
        row["self_service_registration"],
        row["note"] or "",
        row.get("app_only"),
    )


def _endpoint(row: Mapping[str, Any]) -> Endpoint:
    fields: dict[str, Any] = {name: tuple(said) if isinstance(said, list) else said for name, said in row.items()}
    return Endpoint(**fields)
