"""The tables in Markdown: one for each workload on the terminal, all of them on the page of the documentation."""

from __future__ import annotations

from collections.abc import Mapping

from bench.rounds import Row, Table
from bench.senders import find
from bench.targets import verdicts
from bench.workloads import BY_NAME, Workload

INTRODUCTION = """# Benchmarks

<!-- Written by `python -m bench`; to write it again from results.json: python -m bench page -->

mailwright beside other ways to send mail, measured on one machine over loopback. Compare within a table: absolute
figures move with the machine. Each figure is the median of the rounds that are named below its table, in which every
sender takes its turn; runs in which other processes used more than {quiet:g} of a processor are repeated, and the least
disturbed ones count. × says how many times as fast as another a sender is.
`make bench` gets the others from PyPI, npm and Debian and measures everything in some twenty minutes; the command below
a table measures that table alone.

**These are limits, not promises.** A server that does nothing and a line without length show what the client costs, and
no more. A server that writes each message to its disk, with TLS and a login, evens most of it out: what remains there
is the saving of round trips.

Many messages in flight are in doubt together when a connection breaks. The window of 64 messages is mailwright's
default; it starts at 4, and for a mailbox provider it stays within what is known of that provider. A window of 1,000 is
for servers of one's own only.

`mailwright` is measured without pybase64 unless its name says otherwise; words behind a colon are options:
`envelopes=each` makes an envelope for each message instead of one for all, `attachment=shared` gives one `Attachment`
to all messages, `resumed` keeps no connection but resumes its TLS session.

Each sender does what its file in `bench/senders/` says, in a process of its own. Every run counts what arrives, and
fails when a message is lost or invented; `python -m bench all --check` compares the contents, too.
[bench/README.md](../../bench/README.md) says how to add a sender.
"""

HEADS = {
    "messages/s": ("messages/s", "CPU µs/message"),
    "MB/s": ("MB/s", "CPU s"),
    "ms": ("ms", "CPU ms"),
}


def shown(value: float) -> str:
    """Three digits at least."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _rate(workload: Workload, rate: float) -> str:
    if workload.unit == "MB/s":
        return shown(rate * workload.file / 1e6)
    return shown(1000 / rate if workload.unit == "ms" else rate)


def _cells(table: Table, row: Row) -> list[str]:
    workload = BY_NAME[table.workload]
    factor = {"messages/s": 1e6, "MB/s": 1, "ms": 1e3}[workload.unit]
    ends = sorted((row.least, row.most), reverse=workload.unit == "ms")
    first = workload.senders[0]
    ratio = table.ratio(row.sender, first)
    cells = [
        f"`{row.sender}`",
        _rate(workload, row.rate),
        "–".join(_rate(workload, end) for end in ends),
        shown(ratio) if ratio else "–",
        shown(row.cpu * factor),
        f"{row.memory / 1024:.0f}" if row.memory else "–",
    ]
    return [*cells, str(row.resumed)] if workload.name == "W6-new" else cells


def table_text(table: Table) -> str:
    """One workload in Markdown: heading, command, rows, what it depends on."""
    workload = BY_NAME[table.workload]
    heads = ["sender", HEADS[workload.unit][0], "least to most", f"× {workload.senders[0]}", HEADS[workload.unit][1]]
    heads += ["memory MB"] + ["resumed"] * (workload.name == "W6-new")
    rows = sorted(table.rows, key=lambda row: row.rate)
    lines = [f"## {workload.name}", "", f"{workload.what[0].upper()}{workload.what[1:]}.", ""]
    lines += [_line(heads), "|---|" + "---:|" * (len(heads) - 1)]
    lines += [_line(_cells(table, row)) for row in rows]
    lines += ["", f"`python -m bench {workload.name}`. What it depends on: {workload.depends}."]
    lines += [_state(table)]
    lines += [f"\n`{row.sender}`: {flaw}." for row in rows if (flaw := find(row.sender).flaw(workload.act))]
    lines += [f"\nLeft out: {name}: {reason}." for name, reason in table.left_out.items()]
    return "\n".join(lines) + "\n"


def _state(table: Table) -> str:
    disturbed = sum(row.disturbed for row in table.rows)
    runs = sum(row.runs for row in table.rows)
    state = table.state
    said = f"Taken on {state.get('date')}, load {state.get('load before')} before and {state.get('load after')} after; "
    said += f"on processor {pinned} alone; " if (pinned := state.get("processors")) else ""
    said += f"medians of {table.rows[0].runs if table.rows else 0} rounds"
    return said + (f"; {disturbed} of {runs} runs were disturbed." if disturbed else ", undisturbed.")


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def targets_text(tables: Mapping[str, Table]) -> str:
    """What mailwright shall reach, beside what was found."""
    found = verdicts(tables)
    lines = ["## Targets", "", "What mailwright wants to reach in one run, and what it reached in this one.", ""]
    lines += ["| workload | sender | target | found | |", "|---|---|---|---:|---|"]
    lines += [
        _line([one.workload, f"`{one.sender}`", one.target, one.found, "reached" if one.reached else "**missed**"])
        for one in found
    ]
    return "\n".join(lines) + "\n"


def page_text(facts: Mapping[str, str], tables: Mapping[str, Table], plots: Mapping[str, str], quiet: float) -> str:
    """The whole page; `plots` names a file for some of the workloads."""
    versions = {row.sender.partition(":")[0]: row.version for table in tables.values() for row in table.rows}
    parts = [INTRODUCTION.format(quiet=quiet), "## The machine\n", "| | |\n|---|---|"]
    parts[-1] += "".join(f"\n| {name} | {text} |" for name, text in facts.items())
    parts[-1] += "".join(f"\n| `{name}` | {text} |" for name, text in sorted(versions.items())) + "\n"
    if "overview" in plots:
        parts.append(f"![how many times as fast as smtplib mailwright is, workload by workload]({plots['overview']})\n")
    parts.append(targets_text(tables))
    for name, table in tables.items():
        text = table_text(table)
        if name in plots:
            heading, _, rest = text.partition("\n\n")
            text = f"{heading}\n\n![{name}: {BY_NAME[name].what}]({plots[name]})\n\n{rest}"
        parts.append(text)
    return "\n".join(parts)
