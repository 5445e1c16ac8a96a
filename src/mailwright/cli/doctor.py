"""Check the way that mail would go, stage by stage, and send none:

  mailwright doctor ada@example.org

The street (name, ports), the door (is it a mail server?), the hallway (encryption, certificate), the lock (logins), the
ID (yours, tried once), the desk (would it take your mail?), and the papers of your domain (SPF, DMARC, DKIM, MX, PTR).
Each line is ok, a warning, failed or not checked, and says what to do.

Without an address, --account or --server it checks what the settings name; `mailwright config` shows those. A
credential comes from the settings alone, and is tried only over TLS with a verified certificate.
"""

from __future__ import annotations

import sys

from mailwright.cli.exit_codes import UNAVAILABLE, USAGE, code_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from mailwright.diagnose.checkup import Checkup

    Show = Callable[[str, str], None]

EPILOG = """exit codes, those with which `mailwright send` would end:
   0  nothing failed; there may be warnings
  75  not now: the same later may work
  68  there is no such server             76  no safe connection, or no mail server
  77  the login or the sender is refused  69  the server refuses, or the sender's domain is not in order
  78  settings                            64  this command line
"""
#: Options of swaks, openssl and others, and ours.
FAMILIAR = {
    "-p": "--port", "-s": "--server", "--host": "--server", "--connect": "--server", "--user": "--account",
    "--from": "the address alone", "--to": "the address alone", "--dkim": "--selector", "-w": "--timeout",
}  # fmt: skip
TIMEOUT_LIMIT = 600.0  # seconds
STYLES = {"stage": "bold", "ok": "green", "warning": "yellow", "failed": "bold red", "not checked": "dim"}
MARK = 13  # columns of a line that hold the verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add = parser.add_argument
    add("address", nargs="?", metavar="ADDRESS", help="the sender's address; its provider's server is checked")
    add("--account", metavar="NAME", help="an account of the configuration file")
    add("--server", metavar="URL", help="such as smtps://smtp.example.org, without a password")
    add("--port", type=int, action="append", default=[], metavar="N", help="knock at this port only; may be repeated")
    add("--selector", action="append", default=[], metavar="NAME", help="of a DKIM key of the sender's domain")
    add("--no-papers", action="store_true", help="ask nobody about the sender's domain (SPF, DMARC, DKIM, MX, PTR)")
    add("--timeout", type=float, metavar="SECONDS", help="that the server has for each answer (default 10)")
    add("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Check, and print the report; give the exit code."""
    from mailwright.cli import complain, tell
    from mailwright.words.errors import AddressError, MailError

    problem = _misuse(arguments)
    if problem:
        complain(f"{problem} See mailwright doctor --help.", "mailwright doctor")
        return USAGE
    try:
        checkup = _check(arguments, None if arguments.json else _Report(_shower()).grow)
    except MailError as error:
        code = USAGE if isinstance(error, AddressError) else code_for(error)
        if arguments.json:
            import json

            facts = {"error": type(error).__name__, "what": error.what, "advice": error.advice}
            tell(json.dumps({**facts, "exit_code": code}))
        complain(str(error))
        return code
    code = _code(checkup)
    if arguments.json:
        import json

        tell(json.dumps({**checkup.as_dict(), "exit_code": code}))
    else:
        tell(f"\n{checkup.conclusion}")
    return code


def _misuse(arguments: argparse.Namespace) -> str:
    if arguments.account is not None and arguments.server is not None:
        return "give either --account or --server."
    if not all(0 < port < 65536 for port in arguments.port):
        return "a port is a number from 1 to 65535."
    if arguments.timeout is not None and not 0 < arguments.timeout <= TIMEOUT_LIMIT:
        return f"--timeout is a number of seconds up to {TIMEOUT_LIMIT:g}."
    return ""


def _check(arguments: argparse.Namespace, on_stage: Callable[[Checkup], None] | None) -> Checkup:
    from warnings import catch_warnings, simplefilter

    from mailwright.checking import TIMEOUT, doctor
    from mailwright.cli.given import said
    from mailwright.providers.preflight import MailWarning

    with catch_warnings():
        simplefilter("ignore", MailWarning)  # the report says the same
        return doctor(
            said(arguments.address, "address") if arguments.address else None,
            server=arguments.server,
            account=arguments.account,
            ports=arguments.port,
            selectors=arguments.selector,
            papers=not arguments.no_papers,
            timeout=arguments.timeout or TIMEOUT,
            on_stage=on_stage,
        )


def _code(checkup: Checkup) -> int:
    if checkup.ok:
        return 0
    return code_for(checkup.error) if checkup.error is not None else UNAVAILABLE


class _Report:
    """The report as it grows: each stage is printed when it is known, for a silent port takes its time."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._shown = -1

    def grow(self, checkup: Checkup) -> None:
        """Print what is new."""
        from mailwright.diagnose.checkup import stage_report

        if self._shown < 0:
            self._shown = 0
            self._show("heading", checkup.heading)
        for stage in checkup.stages[self._shown :]:
            self._show("detail", "")
            for kind, text in stage_report(stage):
                self._show(kind, text)
        self._shown = len(checkup.stages)


def _shower() -> Show:
    """What prints a line: in colour where rich is installed and somebody looks."""
    if sys.stdout.isatty():
        try:
            return _coloured()
        except ImportError:
            pass
    return _plain


def _plain(kind: str, text: str) -> None:
    from mailwright.cli import tell

    tell(text)


def _coloured() -> Show:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)

    def show(kind: str, text: str) -> None:
        style, end = STYLES.get(kind, ""), None if kind == "stage" else MARK
        line = Text(text)
        if style:
            line.stylize(style, 0, end)
        console.print(line)

    return show
