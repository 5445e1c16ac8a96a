"""Show which server would be used, and where each value comes from.

Nothing is connected, no command is run and no key ring is asked; secrets are shown as ***. The first of these
that names a server, or an address with its password, counts, and it alone: --server, --account, the environment
(MAILWRIGHT_URL, SMTP_HOST … or SENDER_EMAIL with EMAIL_PASSWORD), the file of --env-file, the user's config.toml, the
system's. What it leaves open comes from what is known of the provider (mailwright providers). While MAILWRIGHT_CATCH
catches mail, the last lines say so.
"""

from __future__ import annotations

import json
import os
import sys

from mailwright.cli.exit_codes import USAGE
from mailwright.words.reply import visible
from mailwright.words.url import holds_password, masked, url_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from mailwright.mailer.catching import Catch
    from mailwright.mailer.settings import Settings
    from mailwright.words.server import Server

_WAYS_OUT = (
    "a secret must not stand on the command line: everybody on this machine can read it there. "
    "Put it into SMTP_PASSWORD_FILE or MAILWRIGHT_URL (environment), or name an --account of the configuration file."
)
#: Shown even when nobody set them; the other options only when somebody did.
_ALWAYS = ("host", "port", "security", "user", "password", "sender")
_PHASES = ("connect", "reply", "block", "final", "quit")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    import argparse

    add = parser.add_argument
    add("--server", metavar="URL", help="such as smtps://ada%%40example.org@smtp.example.org, without a password")
    add("--account", metavar="NAME", help="an account of the configuration file")
    add("--env-file", metavar="FILE", help="a .env file, looked into after the environment")
    add("--json", action="store_true", help="print it as JSON")
    # Named only to be refused in words, and so that argparse does not repeat them:
    add("--password", nargs="?", const="", help=argparse.SUPPRESS)
    add("stray", nargs="*", help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Print the settings that count, each with its origin; give the exit code. Raises `ConfigError`."""
    problem = _misuse(arguments)
    if problem:
        print(f"mailwright config: {problem}", file=sys.stderr)
        return USAGE
    from mailwright.mailer.catching import catch_in
    from mailwright.mailer.files import config_places, exists
    from mailwright.mailer.settings import resolve

    settings = resolve(server=arguments.server, account=arguments.account, dotenv=arguments.env_file)
    catch = catch_in()
    rows = list(_rows(settings))
    url = None if settings.finding else url_of(settings.described)
    if arguments.json:
        values = {name: {"value": shown, "origin": origin} for name, shown, origin in rows}
        caught = {"by": str(catch.server), "except": sorted(catch.allowed)} if catch else None
        print(json.dumps({"url": url, "remarks": settings.remarks, "caught": caught, **values}))
        return 0
    _print_table(rows)
    print()
    for remark in settings.remarks:
        print(f"Note: {visible(remark, 500)}")
    if catch is not None:
        print(visible(_told_of(catch, settings), 1000))
    print(f"As a URL: {visible(url, 1000)}" if url else f"To look it up now: mailwright providers {settings.finding}")
    for path in config_places(os.environ):
        print(f"A config.toml may stand at {visible(path, 300)}{'' if exists(path) else ' (there is none)'}")
    return 0


def _misuse(arguments: argparse.Namespace) -> str:
    if arguments.password is not None or holds_password(arguments.server or ""):
        return _WAYS_OUT
    if arguments.stray:
        return "takes no words without an option; a server is given as --server URL, without a password."
    return ""


def _told_of(catch: Catch, settings: Settings) -> str:
    """Where mail goes while it is caught."""
    from mailwright.mailer.catching import CATCH

    says = f"{CATCH} is set: mail goes to {catch.server}"
    if settings.origins["host"] == CATCH or settings.origins["path"] == CATCH:
        return f"{says}. No other server is configured."
    return f"{says} instead" + (f", except for {', '.join(sorted(catch.allowed))}." if catch.allowed else ".")


def _rows(settings: Settings) -> Iterator[tuple[str, str | None, str]]:
    """Name, value and origin of every option that somebody set, and of those that always matter."""
    shown = _shown(settings.described) | {"sender": settings.sender}
    if settings.finding:
        shown |= {name: None for name in ("host", "port", "security") if name not in settings.said}
    for name in (*_ALWAYS, *(name for name in shown if name not in _ALWAYS)):
        text = shown[name]
        origin = settings.origins.get(name, "default")
        if name in _ALWAYS or (text is not None and origin != "default"):
            yield name, text, "" if text is None and not (name == "host" and settings.finding) else origin


def _shown(server: Server) -> dict[str, str | None]:
    """Every option's value as it is shown, secrets masked; `None` where there is none."""
    login, tls = server.login, server.tls
    return {
        "host": server.host if server.path is None else None,
        "port": str(server.port) if server.path is None else None,
        "security": server.security,
        "user": login.user or None if login else None,
        "password": "***" if login and login.password is not None else None,
        "token": "***" if login and login.token is not None else None,
        "auth": login.mechanism if login else None,
        "protocol": server.protocol if server.protocol != "smtp" else None,
        "path": server.path,
        "hello": server.hello,
        "proxy": masked(server.proxy) if server.proxy is not None else None,
        "source_address": server.source_address,
        "ca_file": tls.ca_file,
        "pin": tls.pin,
        "server_name": tls.name,
        "certificate": tls.certificate,
        "key": tls.key,
        "timeout": None if server.timeouts.total is None else f"{server.timeouts.total:g}",
        "alternatives": ", ".join(f"{host}:{port} ({security})" for host, port, security in server.alternatives)
        or None,
        "timeouts": ", ".join(f"{name} {getattr(server.timeouts, name):g}" for name in _PHASES),
    }


def _print_table(rows: list[tuple[str, str | None, str]]) -> None:
    lines = [(name, visible("-" if text is None else text, 300), visible(origin, 300)) for name, text, origin in rows]
    name_width = max(len(name) for name, _, _ in lines)
    text_width = min(60, max(len(text) for _, text, _ in lines))
    for name, text, origin in lines:
        print(f"{name:{name_width}}  {text:{text_width}}  {origin}".rstrip())
