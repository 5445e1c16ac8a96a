"""`mailwright outbox bounces`: delivery reports and complaints, from where mail for the return path is kept.

Reports that were read before count no more, so that a Maildir may be read as often as one likes; with --new only what
is new in it is, and is marked as seen. A mail server may pipe each report in: 75 then means that it should come again.
"""

from __future__ import annotations

import os
import sys

from mailwright.cli.messages_in import STANDARD_INPUT, messages, paths
from mailwright.cli.outbox.mbox import mbox_messages
from mailwright.cli.outbox.opening import opened, plain, refuse, tell_json
from mailwright.words.errors import MessageError
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from mailwright.outbox.bounces import Heard
    from mailwright.outbox.outbox import Outbox


def add_arguments(action: str, parser: argparse.ArgumentParser) -> None:
    """The options of the action."""
    add = parser.add_argument
    add("path", nargs="+", metavar="PATH", help="a Maildir, an mbox, a file with one message, a folder, or -")
    add("--new", action="store_true", help="of a Maildir only what is new; it is marked as seen")
    add("--soft", type=int, default=3, metavar="N", help="so many soft bounces suppress an address; 0 for never")
    add("--days", type=float, default=14, metavar="DAYS", help="within so many days")
    add("--pause", type=float, default=30, metavar="DAYS", help="and for so many")
    add("--quiet", action="store_true", help="print nothing")
    add("--json", action="store_true", help="print one line of JSON for each recipient that was reported on")


def run(arguments: argparse.Namespace) -> int:
    """Read them all; a message that can't be read does not keep the others from it."""
    from mailwright.cli import complain, tell
    from mailwright.cli.exit_codes import NOINPUT
    from mailwright.outbox.bounces import Rules

    if arguments.path.count(STANDARD_INPUT) > 1 or min(arguments.soft, arguments.days, arguments.pause) < 0:
        return refuse("standard input can be read once, and numbers begin at 0.", "bounces")
    rules = Rules(arguments.soft or None, arguments.days, arguments.pause)
    counts = dict.fromkeys(("messages", "reports", "joined", "new", "suppressed"), 0)
    code = 0
    with opened(arguments) as outbox:
        for name in arguments.path:
            for path in _paths(name, arguments.new):
                try:
                    for octets in _octets(path):
                        _hear(outbox, octets, rules, counts, arguments)
                except MessageError as problem:
                    if isinstance(problem.__cause__, FileNotFoundError) and os.path.isdir(name):
                        continue  # a mail program moved it meanwhile
                    complain(str(problem), "mailwright outbox bounces")
                    code = NOINPUT
                    continue
                if arguments.new and os.path.isdir(name):
                    _mark_seen(path)
    if (
        (counts["messages"] or not code)
        and not (arguments.quiet or arguments.json)
        and (sys.stdout.isatty() or arguments.path != [STANDARD_INPUT])
    ):
        tell("{messages} messages: {reports} reports, {joined} about messages from here, {new} of them new; "
             "{suppressed} addresses suppressed".format(**counts))  # fmt: skip
    return code


def _hear(outbox: Outbox, octets: bytes, rules: object, counts: dict[str, int], arguments: argparse.Namespace) -> None:
    heard = outbox.hear(octets, rules)  # type: ignore[arg-type]
    counts["messages"] += 1
    counts["reports"] += len(heard)
    for one in heard:
        counts["joined"] += one.id is not None
        counts["new"] += one.new
        counts["suppressed"] += one.suppressed
        if arguments.json:
            tell_json({**plain(one), **plain(one.report), "report": None, "hard": one.report.hard})
        elif one.new and not arguments.quiet and (sys.stdout.isatty() or arguments.path != [STANDARD_INPUT]):
            _tell(one)


def _tell(one: Heard) -> None:
    from mailwright.cli import tell
    from mailwright.outbox.ids import text_of

    assert one.id is not None
    mark = " (suppressed)" if one.suppressed else "" if one.sure else " (named by what may be guessed: nothing follows)"
    tell(f"{text_of(one.id)}  {one.report.kind:10} {visible(one.address, 254)}{mark}  {one.report.diagnostic}".rstrip())


def _octets(path: str) -> Iterator[bytes]:
    """The messages in a file. An mbox may be of any size. Raises `MessageError`."""
    found = mbox_messages(path) if path != STANDARD_INPUT else None
    if found is not None:
        yield from found
    else:
        yield from (octets for _, octets in messages(path))


def _paths(name: str, new: bool) -> Iterator[str]:
    """The files that are meant."""
    folder = os.path.join(name, "new")
    if new and name != STANDARD_INPUT and os.path.isdir(folder):
        for one in sorted(os.listdir(folder)):
            if not one.startswith("."):
                yield os.path.join(folder, one)
        return
    yield from paths(name)


def _mark_seen(path: str) -> None:
    """Move a file from ``new`` to ``cur`` of its Maildir, seen."""
    here, file = os.path.split(path)
    if os.path.basename(here) != "new":
        return
    try:
        os.rename(path, os.path.join(os.path.dirname(here), "cur", f"{file.partition(':')[0]}:2,S"))
    except FileNotFoundError:
        pass  # a mail program was quicker
