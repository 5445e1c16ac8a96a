"""docs/benchmarks/outbox.md, out of outbox.json beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from bench import machine
from bench.outbox.measuring import PEERS, ROWS, TIMES, Measured, Row

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "benchmarks"
PAGE, RESULTS = "outbox.md", "outbox.json"

INTRODUCTION = """# The outbox: how fast messages go in and out

<!-- Written by `python -m bench outbox --save`; to write it again from outbox.json: python -m bench outbox --page -->

Messages of 4 kB to 200 destinations in a Zipf mix, on one machine that all share: client, database server, mail server.
Every figure is the median of {runs} runs in databases of their own, on a disk, with fsync on; one fdatasync of 4 kB
took {sync} µs on this disk, and figures with one message for each commit are little more than that time. PostgreSQL
and Redis are as they come, but for shared_buffers = 512 MB and appendfsync = always; PostgreSQL is reached over its
Unix socket. Of 16 connections, the first ten puts of each are not timed, for which the server makes its plans.

**Drained without SMTP is no rate of mail.** It says what the outbox itself costs: claim, read, result, each durable.
With SMTP in the loop the rate is that of the worker, the network, and above all the server that takes the mail.

The messages are finished octets; two rows render them from text first. The peers are given the same 4 kB as text for
a task that does nothing, in the same run: procrastinate with its worker's concurrency of 20, Celery on Redis with
late acknowledgement and a process for each core. Both do things that the outbox does not, and the outbox writes an
account of each recipient, which they do not.
"""

UNITS = {"rate": "/s", "cpu": " µs", "p50": " ms", "p95": " ms", "p99": " ms", "most": " ms"}


def shown(figure: float) -> str:
    """Three digits at least."""
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"


def goals_of(row: Row, figures: dict[str, float]) -> tuple[str, str]:
    """What was to be reached, and whether it was."""
    texts, reached = [], True
    for name, goal in row.goals.items():
        texts.append(f"{'≥' if name == 'rate' else f'{name} ≤'} {goal:,g}{UNITS[name]}")
        reached &= figures[name] >= goal if name == "rate" else figures[name] <= goal
    return ", ".join(texts), ("reached" if reached else "**missed**") if texts else ""


def table(measured: list[Measured]) -> str:
    """The figures in Markdown."""
    by_name = {one.name: one for one in measured}
    lines = [
        "| engine | what | messages | found | least to most | CPU µs of the client | goal | |",
        "|---|---|---:|---:|---:|---:|---|---|",
    ]
    for row in ROWS:
        one = by_name.get(row.name)
        if one is None:
            continue
        unit = "/s" if "rate" in one.figures else " ms"
        others = [
            f"{name} {shown(one.figures[name])} ms" for name in ("p50", "p95", "p99", "most") if name in one.figures
        ]
        found = f"{shown(one.figures['rate'])}/s" if "rate" in one.figures else ""
        found = ", ".join(filter(None, [found, *others]))
        goal, verdict = goals_of(row, one.figures)
        cpu = shown(one.figures["cpu"]) if "cpu" in one.figures else "–"
        ends = f"{shown(one.least)}–{shown(one.most)}{unit}"
        cells = (row.package or row.engine, row.title, f"{one.count:,}", found, ends, cpu, goal, verdict)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def ratios(measured: list[Measured]) -> str:
    """How many times as fast as the peers the outbox is drained."""
    rates = {one.name: one.figures["rate"] for one in measured if "rate" in one.figures}
    lines = []
    for peer, ours in PEERS.items():
        for mine in ours:
            if peer in rates and mine in rates:
                times = rates[mine] / rates[peer]
                verdict = "reached" if times >= TIMES else "**missed**"
                lines.append(f"| `{mine}` | {times:.1f} × `{peer}` | at least {TIMES} × | {verdict} |")
    return "\n".join(["| drained | found | goal | |", "|---|---|---|---|", *lines]) + "\n" if lines else ""


def text(measured: list[Measured], facts: dict[str, str], left_out: dict[str, str], state: dict[str, str]) -> str:
    """The whole page."""
    counts = sorted({one.runs for one in measured})
    runs = " to ".join(map(str, (counts[0], counts[-1]) if len(counts) > 1 else counts))
    parts = [INTRODUCTION.format(runs=runs, sync=state["sync"]), table(measured), ratios(measured)]
    parts.append(
        "## The machine\n\n| | |\n|---|---|\n" + "".join(f"| {name} | {what} |\n" for name, what in facts.items())
    )
    parts.append(f"Taken on {taken(state)}.\n")
    parts += [f"`{one.name}` in a run of its own: {one.apart}.\n" for one in measured if one.apart]
    parts += [f"Left out: {name}: {reason}.\n" for name, reason in left_out.items()]
    hosts = FOLDER / "outbox-hosts.md"
    if hosts.exists():
        parts.append("Many machines: [outbox-hosts.md](outbox-hosts.md).\n")
    return "\n".join(parts)


def taken(state: dict[str, str]) -> str:
    """When, and how busy the machine was."""
    return f"{state['date']}, load {state['before']} before and {state['after']} after"


def save(measured: list[Measured], left_out: dict[str, str], state: dict[str, str], folder: Path = FOLDER) -> None:
    """Keep the figures, in place of older ones of the same rows, and write the page."""
    folder.mkdir(parents=True, exist_ok=True)
    older = json.loads((folder / RESULTS).read_text("utf-8")) if (folder / RESULTS).exists() else {"rows": []}
    rows = {one["name"]: one for one in older["rows"]}
    kept = {"machine": facts(), "state": state, "left_out": left_out}
    if len(measured) + len(left_out) < len(ROWS) and "state" in older:
        measured = [replace(one, apart=taken(state)) for one in measured]
        kept = {name: older[name] for name in kept}
    rows |= {one.name: one.to_json() for one in measured}
    kept["rows"] = [rows[row.name] for row in ROWS if row.name in rows]
    (folder / RESULTS).write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    write(folder)


def write(folder: Path = FOLDER) -> None:
    """The page anew out of outbox.json."""
    kept = json.loads((folder / RESULTS).read_text("utf-8"))
    measured = [Measured(**one) for one in kept["rows"]]
    (folder / PAGE).write_text(text(measured, kept["machine"], kept["left_out"], kept["state"]), "utf-8")


def facts() -> dict[str, str]:
    """The machine, and what was measured on it."""
    import sqlite3
    from importlib.metadata import PackageNotFoundError, version

    found = {**machine.facts(), "SQLite": sqlite3.sqlite_version}
    for name in ("psycopg", "procrastinate", "celery", "redis"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
