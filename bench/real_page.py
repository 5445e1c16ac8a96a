"""The page of `bench/real_servers.py`: docs/benchmarks/real-servers.md, out of real-servers.json beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"
PAGE = FOLDER / "real-servers.md"
RESULTS = FOLDER / "real-servers.json"
MEASURE = "smtplib"  # whom the others are compared with

INTRODUCTION = """# Where it counts: real servers

<!-- Written by `python bench/real_servers.py`; to write it again from real-servers.json: with --page -->

Messages of 2 kB, one recipient each, over one connection to Postfix and to Exim: messages a second, from the open
connection to the last reply. Queue and mailboxes are on a disk, and both servers sync a message before they say yes
to it. Every message is delivered to a maildir on the same disk while the next ones arrive; after each run all of them
were there, once, octet for octet, and the queue was empty. All use STARTTLS with a checked certificate and a login,
except smtp-source, which knows neither and is marked; it makes up its messages, so these are only counted.

Command: `python bench/real_servers.py` as root, after `python3 tools/get_servers.py` and `make bench`'s installation of
the others.
"""

DEPENDS = """What the figures depend on: without a round trip, on the server, which takes most of the time of both
processors (client, server, delivery and disk share the machine); with one, on the round trips that a sender waits for,
and on the window. `mailwright` has its default window of at most 64 messages in flight, which begins at 4;
`mailwright:window=1000` is for servers of one's own. Messages in flight are in doubt together when a connection breaks.
The 50 ms are a relay that delays each piece by half of that in each direction; slow start and loss are not modelled.
Exim delivers each message at once, in a process of its own, as it does by default for the first messages of a
connection.

The column "CPU" is the processor time of the sender alone, the opening of the connection included, which weighs where
there are few messages. Who waits for every reply is given few messages when the server is far away.
"""


@dataclass(frozen=True)
class Row:
    """Medians of one sender: `rate` in messages a second, its extremes, `cpu` in seconds a message."""

    sender: str
    version: str
    secured: bool
    messages: int
    runs: int
    rate: float
    least: float
    most: float
    cpu: float


@dataclass(frozen=True)
class Case:
    """One server at one distance, and the load of the machine at the end."""

    server: str
    round_trip: float
    rows: list[Row]
    left_out: dict[str, str]
    date: str
    load: float

    @property
    def title(self) -> str:
        """Such as "Postfix, 50 ms away"."""
        return f"{self.server.capitalize()}, " + (
            f"{self.round_trip * 1000:.0f} ms away" if self.round_trip else "near"
        )


def results(facts: Mapping[str, str], cases: Sequence[Case]) -> dict[str, object]:
    """For the file."""
    return {"machine": dict(facts), "cases": [asdict(case) for case in cases]}


def save(found: dict[str, object]) -> None:
    """Write the results and the page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    write()


def write() -> None:
    """The page, out of the results."""
    PAGE.write_text(text(json.loads(RESULTS.read_text("utf-8"))), "utf-8")


def text(found: Mapping[str, Any]) -> str:
    """The whole page."""
    cases = [_case(dict(given)) for given in found["cases"]]
    versions = {row.sender.partition(":")[0]: row.version for case in cases for row in case.rows}
    parts = [INTRODUCTION, overview(cases), DEPENDS]
    parts += [_table(case) for case in cases]
    facts = [*found["machine"].items(), *((f"`{name}`", version) for name, version in sorted(versions.items()))]
    parts.append("## The machine\n\n| | |\n|---|---|\n" + "".join(f"| {name} | {said} |\n" for name, said in facts))
    return "\n".join(parts)


def _case(given: dict[str, Any]) -> Case:
    given["rows"] = [Row(**row) for row in given["rows"]]
    return Case(**given)


def overview(cases: Sequence[Case]) -> str:
    """All cases side by side."""
    names = list(dict.fromkeys(row.sender for case in cases for row in case.rows))
    lines = [_line(["messages/s", *(case.title for case in cases)]), "|---|" + "---:|" * len(cases)]
    for name in names:
        rates = [next((row for row in case.rows if row.sender == name), None) for case in cases]
        lines.append(_line([_name(name, rates), *(_shown(row.rate) if row else "–" for row in rates)]))
    return "\n".join(lines) + "\n"


def _name(name: str, rows: Sequence[Row | None]) -> str:
    return f"`{name}`" if all(row.secured for row in rows if row) else f"`{name}` (in clear, no login)"


def _table(case: Case) -> str:
    measure = next((row.rate for row in case.rows if row.sender == MEASURE), None)
    heads = ["sender", "messages/s", "least to most", f"× {MEASURE}", "CPU µs/message", "messages a run"]
    lines = [f"## {case.title}", "", _line(heads), "|---|" + "---:|" * (len(heads) - 1)]
    for row in sorted(case.rows, key=lambda one: one.rate):
        ratio = _shown(row.rate / measure) if measure else "–"
        spread = f"{_shown(row.least)}–{_shown(row.most)}"
        cells = [_name(row.sender, [row]), _shown(row.rate), spread, ratio, _shown(row.cpu * 1e6), str(row.messages)]
        lines.append(_line(cells))
    rounds = " or ".join(map(str, sorted({row.runs for row in case.rows})))
    lines += ["", f"Taken on {case.date}; medians of {rounds} rounds; load of the machine at the end {case.load:.1f}."]
    if any(row.sender == "smtp_source" for row in case.rows):
        lines[-1] += " smtp-source can't say when its connection is open: its figure holds the opening."
    lines += [f"\nLeft out: {name}: {reason}." for name, reason in case.left_out.items()]
    return "\n".join(lines) + "\n"


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
