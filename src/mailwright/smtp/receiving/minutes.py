"""What was said during a visit, kept cheaply until somebody wants to read it."""

from __future__ import annotations

from mailwright.words.transcript import LINE_LIMIT, Line, Transcript

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailwright.words.transcript import Entry

_OPENING = 100  # lines kept of what came before the first message
_MESSAGE = 300  # lines kept of what belongs to one message: its beginning and its end


class Minutes:
    """The lines of one visit: what was said before the first message, and since the message before.

    Bounded, whatever the client does. `clock` gives seconds; without one every line is at 0.
    """

    __slots__ = ("_clock", "_dropped", "_lines", "_opening", "_over", "_start")

    def __init__(self, clock: Callable[[], float] | None) -> None:
        self._clock = clock or _no_clock
        self._start = self._clock()
        self._opening: tuple[Entry, ...] | None = None
        self._lines: list[Entry] = []
        self._dropped = 0
        self._over = False  # the message was handed over: what is said now ends its transcript

    def note(self, mark: str, text: str) -> None:
        """Note what was said or happened; the marks are those of `Line`."""
        lines = self._lines
        if self._over and mark == "C":
            self._over, self._dropped = False, 0
            lines = self._lines = []  # the other ones belong to a transcript
        lines.append((self._clock(), mark, text[:LINE_LIMIT]))
        if len(lines) > _MESSAGE:
            if self._over:
                lines.pop()  # somebody may be reading them
                return
            del lines[_MESSAGE // 2]
            self._dropped += 1

    def begin(self) -> None:
        """The first message begins: what was said so far is the opening of all."""
        if self._opening is None:
            self._opening, self._lines = tuple(_since(self._start, self._lines[:_OPENING])), []
            self._dropped = 0

    def transcript(self) -> Transcript:
        """What was said so far, and the replies that are said next, of a message as it is handed over; the next one
        begins anew.
        """
        self._over = True
        return _Unread(self._opening or (), self._lines, self._dropped, self._start)


def _no_clock() -> float:
    return 0.0


def _since(start: float, entries: list[Entry]) -> list[Entry]:
    return [(at - start, mark, text) for at, mark, text in entries]


class _Unread(Transcript):
    """A transcript whose lines are made each time that somebody reads them: of most messages nobody does, and of the
    others before the last reply was said.
    """

    __slots__ = ("_lines", "_opening")

    def __init__(self, opening: tuple[Entry, ...], lines: list[Entry], dropped: int, start: float) -> None:
        self.limit, self._dropped = _OPENING + _MESSAGE, dropped
        self._start = start
        self._opening, self._lines = opening, lines

    def entries(self) -> tuple[tuple[Entry, ...], Sequence[Entry], int, Sequence[Entry]]:
        lines = _since(self._start, self._lines)
        half = _MESSAGE // 2 if self._dropped else len(lines)
        return self._opening, lines[:half], self._dropped, lines[half:]

    def _unfold(self) -> None:
        opening, first, _, last = self.entries()
        self._first, self._last = [Line(*one) for one in (*opening, *first)], [Line(*one) for one in last]

    def __reduce__(self) -> tuple[object, ...]:
        return (Transcript, (), self.__getstate__())
