"""What was said during a visit, kept cheaply until somebody wants to read it."""

from __future__ import annotations

from mailwright.words.transcript import LINE_LIMIT, Line, Transcript

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_OPENING = 100  # lines kept of what came before the first message
_MESSAGE = 300  # lines kept of what belongs to one message: its beginning and its end


class Minutes:
    """The lines of one visit: what was said before the first message, and since the message before.

    Bounded, whatever the client does. `clock` gives seconds; without one every line is at 0.
    """

    __slots__ = ("_clock", "_dropped", "_lines", "_opening", "_over", "_start")

    def __init__(self, clock: Callable[[], float] | None) -> None:
        self._clock = clock
        self._start = clock() if clock is not None else 0.0
        self._opening: list[tuple[float, str, str]] | None = None
        self._lines: list[tuple[float, str, str]] = []
        self._dropped = 0
        self._over = False

    def note(self, mark: str, text: str) -> None:
        """Note what was said or happened; the marks are those of `Line`."""
        lines = self._lines
        if self._over and mark == "C":
            self._over, self._dropped = False, 0
            lines = self._lines = []  # the other ones belong to a transcript
        lines.append((self._clock() if self._clock is not None else 0.0, mark, text[:LINE_LIMIT]))
        if len(lines) > _MESSAGE:
            del lines[_MESSAGE // 2]
            self._dropped += 1

    def begin(self) -> None:
        """The first message begins: what was said so far is the opening of all."""
        if self._opening is None:
            self._opening, self._lines = self._lines[:_OPENING], []
            self._dropped = 0

    def transcript(self) -> Transcript:
        """What was said so far, of a message as it is handed over; the next one begins anew."""
        self._over = True
        return _Unread(self._opening or [], self._lines, self._dropped, self._start)


class _Unread(Transcript):
    """A transcript whose lines are made when somebody reads them: of most messages nobody does."""

    __slots__ = ("_count", "_lines", "_opening")

    def __init__(
        self, opening: list[tuple[float, str, str]], lines: list[tuple[float, str, str]], dropped: int, start: float
    ) -> None:
        self.limit, self.dropped = _OPENING + _MESSAGE, dropped
        self._clock, self._start = None, start
        self._opening, self._lines, self._count = opening, lines, len(lines)

    def __getattr__(self, name: str) -> list[Line]:
        # Called for what is not there yet.
        if name not in ("_first", "_last"):
            raise AttributeError(name)
        made = [Line(max(0.0, at - self._start), mark, text) for at, mark, text in self._lines[: self._count]]
        half = _MESSAGE // 2 if self.dropped else len(made)
        opening = [Line(max(0.0, at - self._start), mark, text) for at, mark, text in self._opening]
        self._first, self._last = opening + made[:half], made[half:]
        first: list[Line] = getattr(self, name)
        return first

    def __reduce__(self) -> tuple[object, ...]:
        return (Transcript, (), self.__getstate__())
