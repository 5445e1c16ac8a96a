"""The charts: when messages came, how large they are, and what was broken on request."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

from mailwright.inbox.web.pages.described import counted
from mailwright.inbox.web.pages.faults import happened
from mailwright.inbox.web.pages.plots import Bar, bars
from mailwright.inbox.web.pages.render import render
from mailwright.message.preview import readable_size
from mailwright.words.reply import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailwright.inbox.faults import Faults
    from mailwright.inbox.kept import Row
    from mailwright.inbox.store import Store
    from mailwright.inbox.web.pages.faults import happened
    from mailwright.inbox.web.pages.page import Page
from mailwright.inbox.web.pages.plots import Plot

#: Messages that are looked at, the newest first.
MESSAGES_LIMIT = 5000
#: Faults that get a bar of their own.
FAULTS_LIMIT = 12

_MINUTE = 60
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1440, 10_080, 43_200)  # minutes of one bar
_FEWEST, _BARS = 30, 60
_SIZES = (1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
_SIZE_NAMES = ("<1 kB", "1 kB", "3 kB", "10 kB", "30 kB", "100 kB", "300 kB", "1 MB", "3 MB", "10 MB+")


def charts(store: Store, page: Page, faults: Faults | None = None) -> str:
    """The page of charts, over the newest `MESSAGES_LIMIT` messages and what `faults` happened."""
    rows = store.rows(limit=MESSAGES_LIMIT)
    drawn = (arrivals(rows), sizes(rows), troubles(rows), happened(faults) if faults is not None else None)
    plots = [plot for plot in drawn if plot is not None]
    return render("charts.html", page=page, title="Charts", here="charts", plots=plots, total=len(rows))


def arrivals(rows: Sequence[Row]) -> Plot | None:
    """Messages per minute, or per as many minutes as make at most `_BARS` bars of the time they took."""
    if not rows:
        return None
    newest, oldest = max(row.arrived for row in rows), min(row.arrived for row in rows)
    minutes = (newest - oldest) / _MINUTE
    step = next((step for step in _STEPS if minutes / step < _BARS - 1), _STEPS[-1])
    seconds = step * _MINUTE
    first = int(oldest // seconds)
    last = int(newest // seconds)
    first = max(min(first, last - _FEWEST + 1), last - _BARS)
    counts = Counter(int(row.arrived // seconds) for row in rows)
    every = max(1, (last - first + 1) // 6)
    given = [
        Bar(
            _clock(number * seconds, step) if (number - first) % every == 0 else "",
            counts[number],
            f"{_minute(number * seconds)}: {counted(counts[number], 'message')}",
        )
        for number in range(first, last + 1)
    ]
    per = "minute" if step == 1 else _span(step)
    busiest = max(given, key=lambda bar: bar.amount)
    return bars(f"Messages per {per}", f"The most at {busiest.hint}.", given)


def sizes(rows: Sequence[Row]) -> Plot | None:
    """How many messages there are of each order of size."""
    if not rows:
        return None
    counts = Counter(sum(row.size >= limit for limit in _SIZES) for row in rows)
    given = [
        Bar(name, counts[place], f"{_size_span(place)}: {counted(counts[place], 'message')}")
        for place, name in enumerate(_SIZE_NAMES)
    ]
    ordered = sorted(row.size for row in rows)
    middle, largest = ordered[len(ordered) // 2], ordered[-1]
    summary = f"Half are below {readable_size(middle)}; the largest has {readable_size(largest)}."
    return bars("Sizes", summary, given)


def troubles(rows: Sequence[Row]) -> Plot | None:
    """What the inbox noted beside messages, most often that a fault was played; `None` if it noted nothing."""
    counts = Counter(row.note for row in rows if row.note)
    if not counts:
        return None
    given = [
        Bar(visible(note, 14), number, f"{visible(note, 200)}: {counted(number, 'message')}")
        for note, number in counts.most_common(FAULTS_LIMIT)
    ]
    return bars("Notes", f"Of {len(rows):,} messages, {sum(counts.values()):,} have a note.", given)


def _minute(unix: float) -> str:
    then = datetime.fromtimestamp(unix)
    return f"{then:%a} {then.day} {then:%b %Y, %H:%M}"


def _clock(unix: float, step: int) -> str:
    then = datetime.fromtimestamp(unix)
    return f"{then:%H:%M}" if step < 1440 else f"{then.day} {then:%b}"


def _span(minutes: int) -> str:
    for length, name in ((1440, "day"), (60, "hour")):
        if minutes >= length:
            return name if minutes == length else f"{minutes // length} {name}s"
    return f"{minutes} minutes"


def _size_span(place: int) -> str:
    if place == 0:
        return f"below {readable_size(_SIZES[0])}"
    if place == len(_SIZES):
        return f"from {readable_size(_SIZES[-1])}"
    return f"{readable_size(_SIZES[place - 1])} to {readable_size(_SIZES[place])}"
