"""python -m bench: measure mailwright beside other ways to send mail.

python -m bench W1 W4                               the tables of two workloads
python -m bench W1 --senders smtplib,mailwright:window=256
python -m bench all --save                          everything, into docs/benchmarks/
python -m bench all --check                         no times: is what arrives what was sent?
python -m bench all --quick                         does everything work? The figures say little
python -m bench page                                the page and the plots anew, out of results.json
python -m bench outbox                              the outbox: see python -m bench outbox --help
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from bench import arrival, machine, saving, senders
from bench.job import Missing
from bench.page import table_text, targets_text
from bench.rounds import Plan, Rounds, Table
from bench.workloads import BY_NAME, Workload


def say(text: str) -> None:
    """To the terminal, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="workloads:\n" + "\n".join(f"  {one.name:15}{one.what}" for one in BY_NAME.values()),
    )  # fmt: skip
    parser.add_argument("workloads", nargs="*", default=["all"], metavar="workload", help="by name; all; or page")
    parser.add_argument("--senders", metavar="A,B", help="instead of the usual ones; files of bench/senders/")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each sender that count (5)")
    parser.add_argument("--extra", type=int, default=5, help="more rounds at most, for runs that others disturbed (5)")
    parser.add_argument("--pin", metavar="0,1", help="keep everything on these processors: see bench/README.md")
    parser.add_argument("--quick", action="store_true", help="one round with few messages")
    parser.add_argument("--check", action="store_true", help="compare what arrives with what was sent")
    parser.add_argument("--few", type=int, default=arrival.FEW, help=f"messages at most in a check ({arrival.FEW})")
    parser.add_argument("--save", action="store_true", help="write docs/benchmarks/ anew")
    given = parser.parse_args(arguments)
    if unknown := set(given.workloads) - {"all", "page", *BY_NAME}:
        parser.error(f"unknown workload: {', '.join(sorted(unknown))}")
    if given.quick and given.save:
        parser.error("figures of a quick run are not worth saving")
    if "all" in given.workloads:
        given.workloads = list(BY_NAME)
    return given


def names_for(workload: Workload, given: argparse.Namespace) -> list[str]:
    """Who takes part."""
    return list(given.senders.split(",")) if given.senders else list(workload.senders)


def check(given: argparse.Namespace) -> int:
    """Compare what arrives with what was sent, for each workload and sender."""
    wrong = 0
    for workload in map(BY_NAME.__getitem__, given.workloads):
        for name in names_for(workload, given):
            try:
                problem = arrival.check(workload, name, given.few)
            except Missing as reason:
                say(f"{workload.name:15} {name:32} left out: {reason}")
                continue
            flaw = senders.find(name).flaw(workload.act) if problem else None
            wrong += problem is not None and flaw is None
            verdict = "ok" if problem is None else f"as it is known: {flaw}" if flaw else f"WRONG: {problem}"
            say(f"{workload.name:15} {name:32} {verdict}")
    return 1 if wrong else 0


def measure(given: argparse.Namespace) -> int:
    """Measure each workload, and show or save the tables."""
    plan = Plan.quick() if given.quick else Plan(rounds=given.rounds, extra=given.extra)
    tables: dict[str, Table] = {}
    for workload in map(BY_NAME.__getitem__, given.workloads):
        try:
            table = Rounds(plan.scaled(workload), names_for(workload, given), plan, say).table()
        except Missing as reason:
            say(f"{workload.name} can't be measured here: {reason}")
            continue
        tables[workload.name] = table
        say("\n" + table_text(table))
        if given.save:
            if lacking := saving.save([table]):
                say(f"no plots: {lacking}")
    say(targets_text(tables))
    return 0 if tables else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["outbox"]:
        from bench.outbox.__main__ import main as outbox

        return outbox(words[1:])
    given = parsed(arguments)
    if given.workloads == ["page"]:
        reason = saving.write_page()
        say(f"no plots: {reason}" if reason else f"written: docs/benchmarks/{saving.PAGE}")
        return 0
    if given.pin:
        machine.pin(map(int, given.pin.split(",")))
    return check(given) if given.check else measure(given)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are ended, too
    sys.exit(main())
