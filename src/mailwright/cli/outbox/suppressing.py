"""`mailwright outbox suppress`: the list of those to whom nothing is sent.

It goes out and comes in as CSV: ``address,reason,until``. Of other lists, lines with an address alone are enough.
"""

from __future__ import annotations

import csv
import io
import sys

from mailwright.cli.given import read_text
from mailwright.cli.outbox.opening import moment, opened, refuse, tell_json
from mailwright.words.errors import MessageError
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from mailwright.outbox.outbox import Outbox

    Entry = tuple[str, str, datetime | timedelta | None]

FIELDS = ["address", "reason", "until"]
_BATCH = 1000


def add_arguments(action: str, parser: argparse.ArgumentParser) -> None:
    """The options of the action."""
    add = parser.add_argument
    add("what", choices=("add", "remove", "list", "import", "export"), metavar="add|remove|list|import|export")
    add("name", nargs="*", metavar="NAME", help="an address, or @example.org for a domain; a file, or -, to import")
    add("--reason", default="added by hand", metavar="TEXT", help="why")
    add("--until", metavar="WHEN", help="a time, or from now on: 30d; for ever if not given")
    add("--json", action="store_true", help="print JSON, for list one line an entry")


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from mailwright.cli import tell

    what, names = arguments.what, arguments.name
    if what in ("list", "export") and names:
        return refuse(f"{what} takes no names.", "suppress")
    if what in ("add", "remove") and not names:
        return refuse(f"{what} needs an address, or @example.org for a domain.", "suppress")
    if what == "import" and len(names) != 1:
        return refuse("import needs one file, or - for standard input.", "suppress")
    until = moment(arguments.until, "until")
    entries = list(_entries(read_text(names[0]), arguments.reason, until)) if what == "import" else []
    with opened(arguments) as outbox:
        if what == "list":
            _tell_list(outbox, arguments.json)
            return 0
        if what == "export":
            _export(outbox)
            return 0
        if what == "remove":
            gone = outbox.unsuppress(names)
            facts, said = {"removed": gone}, f"{len(gone)} taken off the list."
        else:
            count = (
                _import(outbox, entries) if what == "import" else outbox.suppress(names, arguments.reason, until=until)
            )
            facts, said = {"added": count}, f"{count:,} on the list."  # type: ignore[dict-item]
    if arguments.json:
        tell_json(facts)
    elif sys.stdout.isatty():
        tell(said)
    return 0


def _tell_list(outbox: Outbox, as_json: bool) -> None:
    from mailwright.cli import tell

    for one in outbox.suppressions():
        if as_json:
            tell_json(one)
        else:
            end = f"until {one.until.astimezone().isoformat(' ', 'minutes')}" if one.until else "for ever"
            tell(f"{visible(one.address, 254)}  {end}  {visible(one.reason, 300)}")


def _export(outbox: Outbox) -> None:
    from mailwright.cli import tell

    tell(",".join(FIELDS))
    for one in outbox.suppressions():
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(
            [one.address, one.reason, one.until.isoformat() if one.until else ""]
        )
        tell(line.getvalue())


def _entries(text: str, reason: str, until: datetime | timedelta | None) -> Iterator[Entry]:
    """The entries of a file, each checked before the first is written. Raises `MessageError`."""
    from mailwright.outbox.suppressing import name_on_list

    for number, row in enumerate(csv.reader(io.StringIO(text)), 1):
        cells = [cell.strip() for cell in row]
        if not cells or not cells[0] or cells[0].startswith("#") or (number == 1 and cells[0].lower() == "address"):
            continue
        try:
            name = name_on_list(cells[0])
            end = moment(cells[2], "until") if len(cells) > 2 and cells[2] else until
        except ValueError as problem:
            what = getattr(problem, "what", "")
            raise MessageError(f"Line {number}: {what}", "Nothing was imported.") from None
        yield name, cells[1] if len(cells) > 1 and cells[1] else reason, end


def _import(outbox: Outbox, entries: list[Entry]) -> int:
    grouped: dict[tuple[str, datetime | timedelta | None], list[str]] = {}
    for name, reason, until in entries:
        grouped.setdefault((reason, until), []).append(name)
    for (reason, until), names in grouped.items():
        for start in range(0, len(names), _BATCH):
            outbox.suppress(names[start : start + _BATCH], reason, until=until)
    return len({name for name, _, _ in entries})
