"""What was measured, kept: results.json, the page and the plots in docs/benchmarks/."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from bench import machine
from bench.job import Missing
from bench.page import page_text
from bench.plots import draw
from bench.rounds import Row, Table
from bench.workloads import WORKLOADS

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"
RESULTS = "results.json"
PAGE = "README.md"


def load(folder: Path) -> tuple[dict[str, str], dict[str, Table]]:
    """The machine's facts and the tables that are kept there, in the order of the workloads."""
    path = folder / RESULTS
    if not path.exists():
        return {}, {}
    kept = json.loads(path.read_text("utf-8"))
    tables = {}
    for given in kept["tables"]:
        given["rows"] = [Row(**row) for row in given["rows"]]
        tables[given["workload"]] = Table(**given)
    return kept["machine"], tables


def save(new: Iterable[Table], folder: Path = FOLDER) -> str | None:
    """Put these tables in the place of those that are kept, and write the page and the plots anew.

    Figures of another machine, or of another Python on it, are thrown away. Gives the reason if there are no plots.
    """
    facts, tables = load(folder)
    here = machine.facts()
    fresh = {table.workload: table for table in new}
    tables = fresh if facts != here else {**tables, **fresh}
    tables = {one.name: tables[one.name] for one in WORKLOADS if one.name in tables}
    folder.mkdir(parents=True, exist_ok=True)
    kept = {"machine": here, "tables": [table.to_json() for table in tables.values()]}
    (folder / RESULTS).write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return write_page(folder)


def write_page(folder: Path = FOLDER) -> str | None:
    """The page and the plots out of results.json. Gives the reason if there are no plots."""
    facts, tables = load(folder)
    reason = None
    try:
        plots = draw(tables, folder)
    except Missing as missing:
        plots, reason = {}, str(missing)
    (folder / PAGE).write_text(page_text(facts, tables, plots, machine.QUIET), "utf-8")
    return reason
