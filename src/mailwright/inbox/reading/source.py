"""The octets of a message as lines with numbers, a stretch at a time."""

from __future__ import annotations

from mailwright.message.fields import body_start
from mailwright.words.reply import visible
from mailwright.words.value import value

#: Lines of one stretch.
LINES_LIMIT = 1000
#: Characters of one line that are shown; RFC 5322 §2.1.1 allows 998.
LINE_LIMIT = 2000


@value
class SourceLine:
    """One line: its `number` from 1, its text, and the length of the name of the header field that it begins,
    or 0. `octets`: how long it is.
    """

    number: int
    text: str
    name: int
    octets: int


@value
class Source:
    """A stretch of the source. `first` and `last` are the numbers of its lines, `total` is how many there are."""

    lines: tuple[SourceLine, ...]
    first: int
    last: int
    total: int


def source(content: bytes, first: int = 1) -> Source:
    """At most `LINES_LIMIT` lines from the line `first` on; the last stretch if there are fewer."""
    total = content.count(b"\n") + (not content.endswith(b"\n"))
    first = max(1, min(first, total))
    place = _place(content, first)
    head = body_start(content)
    lines: list[SourceLine] = []
    while place < len(content) and len(lines) < LINES_LIMIT:
        end = content.find(b"\n", place)
        end = len(content) if end < 0 else end
        octets = content[place : min(end, place + 4 * LINE_LIMIT)].removesuffix(b"\r")
        name = octets.find(b":") if place < head and octets[:1] not in (b" ", b"\t") else 0
        text = _shown(octets)
        lines.append(SourceLine(first + len(lines), text, max(0, min(name, len(text))), end - place))
        place = end + 1
    return Source(tuple(lines), first, first + len(lines) - 1, total)


def _place(content: bytes, number: int) -> int:
    """Where the line of that number begins."""
    place = 0
    for _ in range(number - 1):
        place = content.find(b"\n", place) + 1
    return place


def _shown(octets: bytes) -> str:
    """The line with everything invisible made visible, but for tabs."""
    text = octets.decode("utf-8", "backslashreplace")
    return "\t".join(visible(piece, LINE_LIMIT) for piece in text.split("\t")[:LINE_LIMIT])[: LINE_LIMIT + 1]
