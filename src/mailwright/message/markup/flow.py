"""Lines in the making: white space collapsed as a browser does, blank lines where paragraphs part.

A `Flow` is one column of text: the whole message, a quotation, one item of a list, one cell of a table.
"""

from __future__ import annotations

import re
from unicodedata import category, east_asian_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Octets of a line without its CRLF (RFC 5322 §2.1.1).
LINE_LIMIT = 998

_SPACES = re.compile("[ \t\n\v\f\r\x85\u2028\u2029]+")
_BREAKS = re.compile("\r\n?|[\n\v\f\x85\u2028\u2029]")
# Controls, lone surrogates, and invisible characters that pad preheaders or say where a word may break.
_UNSEEN = re.compile("[\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u200b\u2060\ufeff\ud800-\udfff]")
_LEAD = re.compile("[> ]{0,100}")  # quotation marks and indentation


class Flow:
    """Collects text and finished lines. A `raw` one keeps white space and lines as they come (``pre``)."""

    __slots__ = ("_gap", "_noted", "_parts", "lines", "raw", "structured")

    def __init__(self, raw: bool = False) -> None:
        self.lines: list[str] = []
        self.raw = raw
        #: Whether it holds a block that must not be squeezed into a column: a list, a quotation, a table …
        self.structured = False
        self._parts: list[str] = []
        self._gap = 0
        self._noted = False  # whether the last thing added was a note, which no word may touch

    def text(self, text: str) -> None:
        """Add running text to the current line."""
        text = seen(text)
        if self.raw:
            first, *rest = _BREAKS.split(text)
            self._parts.append(first)
            for line in rest:
                self.line_break()
                self._parts.append(line)
            return
        text = _SPACES.sub(" ", text)
        if text.startswith(" ") and (not self._parts or self._parts[-1].endswith(" ")):
            text = text[1:]
        if text:
            self._begin()
            self._parts.append(f" {text}" if self._noted and text[0].isalnum() else text)
            self._noted = False

    def line_break(self) -> None:
        """End the line, even an empty one, which leaves one blank line (``br``)."""
        if self._parts or self.raw:
            self._end()
        else:
            self._blank()

    def part(self, gap: int) -> None:
        """What follows stands on a new line (`gap` 1) or behind a blank line (2)."""
        if self._parts:
            self._end()
        self._gap = max(self._gap, gap)

    def block(self, lines: list[str], gap: int) -> None:
        """Add finished lines that part from what is around them by `gap`."""
        if lines:
            self.part(gap)
            self._begin()
            self.lines += lines
        self.part(gap if lines else 1)

    def finished(self) -> list[str]:
        """The lines, without blank ones at the beginning and the end."""
        if self._parts:
            self._end()
        first, last = 0, len(self.lines)
        while last and not self.lines[last - 1]:
            last -= 1
        while first < last and not self.lines[first]:
            first += 1
        return self.lines[first:last]

    # A link is known only at its end, when its text is already in the flow.

    def mark(self) -> tuple[int, int]:
        """This place, for `since`."""
        return len(self.lines), len(self._parts)

    def since(self, mark: tuple[int, int]) -> str:
        """The text that was added behind `mark`."""
        lines, parts = mark
        if len(self.lines) > lines:
            return "\n".join((*self.lines[lines:], *self._parts)).strip(" \n")
        return "".join(self._parts[parts:]).strip(" ")

    def append(self, note: str) -> None:
        """Add `note` right behind the last word, before a space that followed it."""
        if self._parts:
            last = self._parts[-1]
            self._parts[-1] = last.rstrip(" ")
            self._parts.append(f" {note} " if last.endswith(" ") else f" {note}")
            self._noted = not last.endswith(" ")
        elif self.lines and self.lines[-1]:
            self.lines[-1] += f" {note}"
        else:
            self.text(note)

    def _begin(self) -> None:
        if self._gap == 2 and not self._parts:
            self._blank()
        self._gap = 0

    def _blank(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")

    def _end(self) -> None:
        self._noted = False
        line = "".join(self._parts).replace("\xa0", " ")
        self._parts.clear()
        if self.raw:
            self.lines.append(line.rstrip(" "))
        elif stripped := line.strip(" "):
            # The space belongs to the mark of a signature (RFC 3676 §4.3).
            self.lines.append("-- " if stripped == "--" and line[-1] == " " else stripped)
        else:
            self._blank()


def seen(text: str) -> str:
    """`text` without controls and characters that nobody sees; white space stays."""
    return text if text.isascii() and text.isprintable() else _UNSEEN.sub("", text)


def width(text: str) -> int:
    """The columns that `text` takes: two for an East Asian wide letter, none for a combining accent."""
    if text.isascii():
        return len(text)
    return sum(
        0 if category(letter) in ("Mn", "Me", "Cf") else 2 if east_asian_width(letter) in "WF" else 1 for letter in text
    )


def bounded(lines: Iterable[str], limit: int = LINE_LIMIT) -> Iterator[str]:
    """The lines; one of more than `limit` octets of UTF-8 is broken at a space, else between two characters.

    What follows a break is quoted and indented as what stands before it.
    """
    for line in lines:
        if 4 * len(line) <= limit:
            yield line
            continue
        octets, start, lead = line.encode(), 0, b""
        while len(lead) + len(octets) - start > limit:
            stop = start + limit - len(lead)
            end = octets.rfind(b" ", start + limit // 2, stop + 1)
            if end < 0:
                end = stop
                while octets[end] & 0xC0 == 0x80:  # never within a character
                    end -= 1
            yield (lead + octets[start:end]).decode()
            start = end + octets.startswith(b" ", end)
            lead = lead or _lead(line)
        yield (lead + octets[start:]).decode()


def _lead(line: str) -> bytes:
    found = _LEAD.match(line)
    return found[0].encode() if found else b""
