"""Figures as SVG: bars with a scale, made on the server. Colours come from the page's style sheet by class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailwright.words.value import value

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Bars of one figure.
BARS_LIMIT = 120

_WIDTH, _HEIGHT = 1000, 220
_LEFT, _BOTTOM, _TOP = 40, 24, 10


@value
class Bar:
    """One bar: what stands below it (empty for nothing), how high it is, and what it says when pointed at."""

    label: str
    amount: int
    hint: str


@value
class Mark:
    """A rectangle of the figure, in its own units."""

    x: float
    y: float
    width: float
    height: float
    hint: str


@value
class Label:
    """A word in the figure, at the middle (``"middle"``) or the end (``"end"``) of which its place is."""

    x: float
    y: float
    text: str
    anchor: str


@value
class Plot:
    """A figure ready to be written: `title` says what it shows, `summary` what is to be seen in it."""

    title: str
    summary: str
    marks: tuple[Mark, ...]
    labels: tuple[Label, ...]
    lines: tuple[float, ...]
    rows: tuple[Bar, ...]
    width: int = _WIDTH
    height: int = _HEIGHT
    left: int = _LEFT


def bars(title: str, summary: str, given: Sequence[Bar]) -> Plot:
    """A figure of at most `BARS_LIMIT` bars."""
    given = tuple(given[:BARS_LIMIT])
    top = scale(max((bar.amount for bar in given), default=0))
    inner, high = _WIDTH - _LEFT, _HEIGHT - _BOTTOM - _TOP
    step = inner / max(1, len(given))
    gap = min(14.0, step * 0.25)
    marks, labels = [], []
    for place, bar in enumerate(given):
        height = round(high * bar.amount / top, 1)
        x = round(_LEFT + place * step + gap / 2, 1)
        marks.append(Mark(x, round(_TOP + high - height, 1), round(step - gap, 1), height, bar.hint))
        if bar.label:
            labels.append(Label(round(x + (step - gap) / 2, 1), _HEIGHT - 7, bar.label, "middle"))
    lines = []
    for part in (0, 1, 2):
        y = round(_TOP + high - high * part / 2, 1)
        lines.append(y)
        labels.append(Label(_LEFT - 8, y + 4, f"{top * part // 2:,}", "end"))
    return Plot(title, summary, tuple(marks), tuple(labels), tuple(lines), given)


def scale(highest: int) -> int:
    """The round number at the top of a scale that reaches `highest`."""
    size = 1
    while True:
        for step in (2, 4, 6, 10):  # the line in the middle is a whole number too
            if step * size >= highest:
                return step * size
        size *= 10
