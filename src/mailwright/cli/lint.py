"""Check messages before they are sent: what would be refused, lost, misread or not shown, and what to do.

  mailwright lint message.eml
  my-program --print-mail | mailwright lint -

A file holds one message or a mailbox (mbox); of a folder every .eml, .mbox and Maildir below it is read; - is standard
input. Nothing is fetched and nothing is sent. --rules shows what is looked for; with --spamd SpamAssassin is asked too.
"""

from __future__ import annotations

import sys
import time

from mailwright.cli.exit_codes import NOINPUT, UNAVAILABLE, USAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from mailwright.inbox.web.spamd import Spamd, Verdict
    from mailwright.message.check import Finding
    from mailwright.words.envelope import Envelope

    Show = Callable[[str, str], None]

EPILOG = """exit codes:
   0  nothing was found that is as grave as --fail-on
   1  something was
  64  this command line
  66  a file can't be read, or there is no message in it
  69  spamd gives no verdict"""
FOUND = 1  # as other linters say it
NEVER = "never"
FAMILIAR = {
    "--disable": "--ignore", "--exclude": "--ignore", "--select": "--only", "--format": "--json",
    "--level": "--fail-on", "--from": "--envelope-from", "-q": "--quiet",
}  # fmt: skip
STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan", "fix": "dim", "place": "bold"}
_LINE_LIMIT = 2000  # characters of a line that is printed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    from mailwright.message.check import SEVERITIES

    add = parser.add_argument
    add("files", nargs="*", metavar="FILE", help="a message, a mailbox, a folder, or - for standard input")
    add("--ignore", action="append", default=[], metavar="RULE", help="leave out; may be repeated, or hold commas")
    add("--only", action="append", default=[], metavar="RULE", help="look for nothing else; may be repeated")
    add("--fail-on", choices=(*SEVERITIES, NEVER), default="warning", metavar="LEVEL",
        help="from which severity on the exit code is 1: error, warning (the default), info, never")  # fmt: skip
    add("--envelope-from", metavar="ADDRESS", help="the envelope's sender, with which From is compared")
    add("--spamd", type=int, metavar="PORT", help="ask SpamAssassin's spamd on this port of this machine too (783)")
    add("--quiet", action="store_true", help="print no findings of severity info")
    add("--json", action="store_true", help="print the findings as JSON")
    add("--rules", action="store_true", help="list the rules, and check nothing")


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; give the exit code."""
    from mailwright.cli import complain, tell
    from mailwright.cli.messages_in import messages, paths
    from mailwright.message.check import chosen
    from mailwright.words.errors import MailError, MessageError

    files = arguments.files or ([] if arguments.rules or sys.stdin.isatty() else ["-"])
    try:
        rules = chosen(_words(arguments.only), _words(arguments.ignore))
        envelope, spamd = _envelope(arguments.envelope_from), _spamd(arguments.spamd)
    except MailError as problem:
        complain(f"{problem} See mailwright lint --help.", "mailwright lint")
        return USAGE
    if arguments.rules:
        width = max([len(rule.id) for rule in rules], default=0)
        tell("\n".join(f"{rule.severity:7}  {rule.id:{width}}  {rule.meaning}" for rule in rules))
        return 0
    if not files:
        complain("name a file that holds a message, or - for standard input.", "mailwright lint")
        return USAGE
    report, unread = _Report(arguments, [rule.id for rule in rules], envelope, spamd), 0
    for name in files:
        before = report.messages, unread
        for path in paths(name):
            try:
                for place, octets in messages(path):
                    report.take(place, octets)
            except MessageError as problem:
                unread = NOINPUT
                complain(str(problem), "mailwright lint")
        if (report.messages, unread) == before:
            unread = NOINPUT
            complain(f"there is no message in {name}.", "mailwright lint")
    report.finish()
    return unread or (UNAVAILABLE if report.unjudged else report.code)


def _words(given: list[str]) -> list[str]:
    return [word.strip() for text in given for word in text.split(",") if word.strip()]


def _envelope(sender: str | None) -> Envelope | None:
    from mailwright.words.address import Address
    from mailwright.words.envelope import Envelope

    if sender is None:
        return None
    found = Address.parse(sender)
    return Envelope(found, (found,))  # the rules ask for the sender only


def _spamd(port: int | None) -> Spamd | None:
    from mailwright.inbox.web.spamd import Spamd

    return None if port is None else Spamd(port)


class _Report:
    """What was found so far, and how it is told."""

    def __init__(
        self, arguments: argparse.Namespace, rules: list[str], envelope: Envelope | None, spamd: Spamd | None
    ) -> None:
        from mailwright.message.check import SEVERITIES

        self.code = 0
        self.messages = 0
        self.unjudged = 0  # messages on which spamd gave no verdict
        self._spamd = spamd
        self._rules = rules
        self._envelope = envelope
        self._failing = () if arguments.fail_on == NEVER else SEVERITIES[: SEVERITIES.index(arguments.fail_on) + 1]
        self._shown = SEVERITIES[:2] if arguments.quiet else SEVERITIES
        self._counts = dict.fromkeys(SEVERITIES, 0)
        self._rows: list[dict[str, object]] | None = [] if arguments.json else None
        self._show = _shower()

    def take(self, place: str, octets: bytes) -> None:
        """Check one message; print what was found, or keep it for the JSON."""
        from mailwright.message.check import check

        found = check(octets, self._envelope, now=time.time(), only=self._rules) if self._rules else ()
        verdict = self._judged(place, octets)
        if verdict is not None and verdict.spam:
            found += (_as_finding(verdict),)
        self.messages += 1
        for one in found:
            self._counts[one.severity] += 1
            self.code = FOUND if one.severity in self._failing else self.code
        shown = [one for one in found if one.severity in self._shown]
        if self._rows is not None:
            spam = {} if self._spamd is None else {"spam": verdict and _as_dict(verdict)}
            self._rows.append(
                {"name": place, "size": len(octets), "findings": [one.as_dict() for one in shown], **spam}
            )
        elif shown:
            self._show("place", place)
            for one in shown:
                where = f" ({one.where})" if one.where else ""
                self._show(one.severity, f"  {one.severity:7}  {one.rule}: {one.what}{where}")
                self._show("fix", f"           {one.fix}")

    def _judged(self, place: str, octets: bytes) -> Verdict | None:
        from mailwright.cli import complain
        from mailwright.words.errors import MailError

        if self._spamd is None:
            return None
        try:
            return self._spamd.verdict((octets,), len(octets))
        except MailError as problem:
            self.unjudged += 1
            complain(f"{place}: {problem}", "mailwright lint")
            return None

    def finish(self) -> None:
        """Print the sum, or everything as JSON."""
        if self._rows is not None:
            import json

            from mailwright.cli import tell

            counts = {
                "errors": self._counts["error"],
                "warnings": self._counts["warning"],
                "infos": self._counts["info"],
            }
            tell(json.dumps({"messages": self._rows, **counts}, ensure_ascii=False, indent=2))
        elif self.messages:
            said = [f"{n} {name}{'s' * (n > 1 and name != 'info')}" for name, n in self._counts.items() if n]
            self._show("", f"{self.messages} message{'s' * (self.messages > 1)}: {', '.join(said) or 'nothing found'}")


def _as_finding(verdict: Verdict) -> Finding:
    from mailwright.message.check import Finding

    rules = ", ".join(f"{hit.name} {hit.score:g}" for hit in verdict.hits if hit.score > 0)
    return Finding(
        "spamassassin",
        "warning",
        f"SpamAssassin takes it for spam: {verdict.score:g} of {verdict.threshold:g} points ({rules}).",
        "Change what these rules name; its documentation tells what each looks for.",
    )


def _as_dict(verdict: Verdict) -> dict[str, object]:
    """As the API of the inbox tells it."""
    hits = [{"score": hit.score, "name": hit.name, "meaning": hit.meaning} for hit in verdict.hits]
    return {"spam": verdict.spam, "score": verdict.score, "threshold": verdict.threshold, "hits": hits}


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
    from mailwright.words.reply import visible

    tell(visible(text, _LINE_LIMIT))


def _coloured() -> Show:
    from rich.console import Console
    from rich.text import Text

    from mailwright.words.reply import visible

    console = Console(highlight=False, soft_wrap=True)

    def show(kind: str, text: str) -> None:
        console.print(Text(visible(text, _LINE_LIMIT), style=STYLES.get(kind, "")))

    return show
