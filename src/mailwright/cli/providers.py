"""Show what is known of a mail provider: server, ports, how to get the credential, what is refused, limits, how sure.

  mailwright providers                    all of them
  mailwright providers gmail              one, by its name, domain or server
  mailwright providers smtp.live.com      what an old or wrong name of a server should be today
  mailwright providers ada@example.org    the server for an address; a domain of your own is looked up (extra dns)

No mail server is connected to, and nobody is asked but about a domain of your own.
"""

from __future__ import annotations

import json

from mailwright.cli.exit_codes import USAGE
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable
    from typing import Any

    from mailwright.providers.catalog import Alias
    from mailwright.providers.found import Found
    from mailwright.providers.provider import Provider


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("what", nargs="*", metavar="NAME|ADDRESS", help="a provider, a domain, a server or an address")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print what is known; give the exit code. Raises `ConfigError`, `ConnectError` and `MissingExtra`."""
    from mailwright.cli import complain

    what = " ".join(arguments.what).strip()
    if "@" in what:
        return _address(what, arguments.json)
    from mailwright.providers.catalog import alias, everything, named

    known = alias(what) if what else None
    if known is not None:
        _alias(known, arguments.json)
        return 0
    found = named(what) if what else everything()
    if not found:
        complain(f"no provider is known by that name. {_meant(what)}", "mailwright providers")
        return USAGE
    if arguments.json:
        _tell_json({"providers": [_row(one) for one in found]})
    elif len(found) > 1:
        _table(found)
    else:
        _lines(_about(found[0]))
    return 0


def _alias(known: Alias, as_json: bool) -> None:
    """What to use in place of a historic or wrong host name, and why."""
    from mailwright.providers.catalog import by_host
    from mailwright.providers.telling import tell_alias

    provider = by_host(known.use) if known.use else None
    if as_json:
        told = {"host": known.host, "use": known.use or None, "why": known.why, "certainty": known.certainty}
        _tell_json({"host_alias": told, "providers": [_row(provider)] if provider is not None else []})
        return
    _lines([tell_alias(known), *(["", *_about(provider)] if provider is not None else [])])


def _address(address: str, as_json: bool) -> int:
    from mailwright.cli import complain
    from mailwright.mailer.finding import server_for
    from mailwright.words.errors import AddressError

    try:
        found = server_for(address)
    except AddressError as problem:
        complain(str(problem), "mailwright providers")
        return USAGE
    if as_json:
        _tell_json(_facts(found))
        return 0
    lines = list(_tell(found))
    if found.provider is not None:
        from mailwright.providers.telling import BOTH_RIGHT

        more = list(_about(found.provider, found.address.spec))[1:]
        lines += ["", *(line for line in more if line != BOTH_RIGHT or line not in lines)]
    _lines(lines)
    return 0


def _tell(found: Found) -> Iterable[str]:
    from mailwright.providers.telling import tell_found

    return tell_found(found)


def _about(provider: Provider, address: str = "ADDRESS") -> Iterable[str]:
    from mailwright.providers.telling import tell_provider

    return tell_provider(provider, address)


def _row(provider: Provider) -> dict[str, Any]:
    """The provider's row of the data, its sources written out."""
    from mailwright.providers.catalog import compiled, row_of, source

    return {**row_of(provider), "sources": [source(key) for key in provider.sources], "as_of": compiled()}


def _facts(found: Found) -> dict[str, Any]:
    return {
        "address": found.address.spec,
        "servers": [{"host": one.host, "port": one.port, "security": one.security} for one in found.ways],
        "user": found.user,
        "known_by": found.how,
        "evidence": found.evidence,
        "trusted": found.trusted,
        "doubt": " ".join(found.doubt).strip() or None,
        "as_of": found.as_of,
        "provider": _row(found.provider) if found.provider is not None else None,
    }


def _table(providers: Iterable[Provider]) -> None:
    """One line for each: its id, its name, where mail goes, and how sure that is."""
    rows = [("NAME", "", "SERVER", "SURE")]
    for one in providers:
        ways = one.ways() or one.endpoints
        server = f"{ways[0].host}:{ways[0].port}" if ways else "-"
        rows.append((one.id, one.title, server, f"{one.certainty.smtp}"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    _lines("  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3]]) for row in rows)


def _meant(what: str) -> str:
    from mailwright.providers.catalog import everything
    from mailwright.words.options import nearest

    near = nearest(what, [one.id for one in everything()])
    if near:
        return f"Did you mean {near}?"
    return (
        "For a domain of your own give an address: mailwright providers ada@example.org. Without a name all are shown."
    )


def _lines(lines: Iterable[str]) -> None:
    from mailwright.cli import tell

    tell("\n".join(visible(line, 2000) for line in lines))


def _tell_json(facts: dict[str, Any]) -> None:
    from mailwright.cli import tell

    tell(json.dumps(facts, ensure_ascii=False))
