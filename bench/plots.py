"""The figures, as SVG for light and for dark pages: no background, letters and lines in a middle grey."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.job import Missing
from bench.page import shown
from bench.rounds import Row, Table
from bench.workloads import BY_NAME, Workload

GREY, OURS, THEIRS = "#808890", "#2f9e68", "#7a8fb8"
SETTINGS: Any = {
    "font.family": "sans-serif", "font.size": 9.5, "svg.fonttype": "none", "svg.hashsalt": "mailwright",
    "text.color": GREY, "axes.labelcolor": GREY, "axes.edgecolor": GREY, "xtick.color": GREY, "ytick.color": GREY,
    "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False,
}  # fmt: skip
WIDE = 30  # a largest bar that is so many times the least asks for a logarithmic scale


def draw(tables: Mapping[str, Table], folder: Path) -> dict[str, str]:
    """Draw a plot for each table and one of them all; gives their file names. Raises `Missing` without matplotlib."""
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise Missing("matplotlib is not installed") from None
    matplotlib.use("svg")
    files = {}
    with matplotlib.rc_context(SETTINGS):
        for name, table in tables.items():
            if len(table.rows) > 1:
                files[name] = f"{name}.svg"
                _bars(table, folder / files[name])
        if _ratios(tables):
            files["overview"] = "overview.svg"
            _overview(tables, folder / files["overview"])
    return files


def _value(workload: Workload, row: Row) -> float:
    if workload.unit == "ms":
        return 1000 / row.rate
    return row.rate * workload.file / 1e6 if workload.unit == "MB/s" else row.rate


def _colour(sender: str) -> str:
    return OURS if sender.startswith("mailwright") else THEIRS


def _bars(table: Table, path: Path) -> None:
    workload = BY_NAME[table.workload]
    rows = sorted(table.rows, key=lambda row: row.rate)
    values = [_value(workload, row) for row in rows]
    better = "less is better" if workload.unit == "ms" else "more is better"
    _draw([row.sender for row in rows], values, [shown(value) for value in values], f"{workload.unit}, {better}", path)


def _ratios(tables: Mapping[str, Table]) -> dict[str, float]:
    found = {name: table.ratio("mailwright", "smtplib") for name, table in tables.items()}
    return {name: ratio for name, ratio in found.items() if ratio is not None}


def _overview(tables: Mapping[str, Table], path: Path) -> None:
    ratios = dict(reversed(_ratios(tables).items()))
    names, values = list(ratios), list(ratios.values())
    label = "times as fast as smtplib, more is better"
    _draw(names, values, [f"{shown(value)} ×" for value in values], label, path, colour=OURS, base=1)


def _draw(
    names: list[str], values: list[float], texts: list[str], label: str, path: Path,
    colour: str | None = None, base: float | None = None,
) -> None:  # fmt: skip
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.2, 0.62 + 0.27 * len(names)), layout="constrained")
    wide = max(values) > WIDE * min(values)
    if wide:
        axes.set_xscale("log")
        label += " (logarithmic)"
    left: Any = (base if base is not None else 10 ** _floor(min(values))) if wide else 0
    widths = [value - left for value in values]
    bars = axes.barh(names, widths, left=left, height=0.66, color=[colour or _colour(name) for name in names])
    axes.bar_label(bars, texts, padding=4, color=GREY)
    most = max(values)
    least = min(left, *values)
    room = (most / least) ** 0.16 if wide else 1.14  # for the figures beside the bars
    axes.set_xlim(least / room if least < left else left, most * room)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(label)
    figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})
    plt.close(figure)


def _floor(value: float) -> int:
    """The power of ten below, and not so near that the least bar vanishes."""
    from math import floor, log10

    return floor(log10(value / 1.5))
