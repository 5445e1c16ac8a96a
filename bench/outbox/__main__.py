"""python -m bench outbox: how fast messages go into the outbox and out of it, beside procrastinate and Celery.

python -m bench outbox                              five rounds, on the terminal; some twenty minutes
python -m bench outbox sqlite-put postgres-drain    some rows
python -m bench outbox --quick                      does everything work? The figures say little
python -m bench outbox --save                       into docs/benchmarks/outbox.md and outbox.json; with rows, these
python -m bench outbox --page                       the page anew, out of outbox.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench import machine
from bench.outbox import page
from bench.outbox.measuring import ROWS, measure
from bench.outbox.places import sync_time


def say(text: str) -> None:
    """To the terminal, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(
        prog="python -m bench outbox", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="rows:\n" + "\n".join(f"  {row.name:22} {row.engine}: {row.title}" for row in ROWS),
    )  # fmt: skip
    parser.add_argument("rows", nargs="*", metavar="row", help="by name; all of them without any")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each row (5)")
    parser.add_argument("--part", type=float, default=1.0, help="of the usual numbers of messages (1)")
    parser.add_argument("--quick", action="store_true", help="one round with a fiftieth of the messages")
    parser.add_argument("--save", action="store_true", help="write docs/benchmarks/outbox.md anew")
    parser.add_argument("--page", action="store_true", help="write it anew out of outbox.json, and measure nothing")
    given = parser.parse_args(arguments)
    if unknown := set(given.rows) - set(names):
        parser.error(f"unknown row: {', '.join(sorted(unknown))}")
    if given.save and given.quick:
        parser.error("what is saved is measured in full")
    if given.page:
        page.write()
        return 0
    state = {"date": machine.today(), "before": f"{machine.load():.2f}", "sync": f"{sync_time():.0f}"}
    rounds, part = (1, 0.02) if given.quick else (given.rounds, given.part)
    measured, left_out = measure(given.rows, rounds, part, say)
    state["after"] = f"{machine.load():.2f}"
    if measured:
        say("\n" + page.table(measured) + "\n" + page.ratios(measured))
    if given.save:
        page.save(measured, left_out, state)
        say(f"written: docs/benchmarks/{page.PAGE}")
    return 1 if left_out and not measured else 0


if __name__ == "__main__":
    sys.exit(main())
