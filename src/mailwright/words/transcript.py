"""What was said on the wire, with the secrets already masked."""

from __future__ import annotations

from mailwright.words.reply import visible
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


LINE_LIMIT = 1000  # characters of one line that are kept


@value
class Line:
    """One entry: `seconds` since the beginning, who spoke, and what.

    `mark` is ``"C"`` (the client said it), ``"S"`` (the server said it) or ``"*"`` (something happened, such
    as a handshake).
    """

    seconds: float
    mark: str
    text: str

    def __str__(self) -> str:
        return f"{self.seconds:8.3f} {self.mark} {visible(self.text, 400)}"


class Transcript:
    """A growing list of `Line`, bounded: of more than `limit` lines those in the middle are dropped and
    counted.

    Holds commands, replies and events, never the content of a message and never a secret: who writes a secret
    to the wire says what is to be shown in its place. `clock` gives seconds; without one every line is at 0.
    """

    __slots__ = ("_clock", "_first", "_last", "_start", "dropped", "limit")

    def __init__(self, clock: Callable[[], float] | None = None, limit: int = 400) -> None:
        self.limit = limit
        self.dropped = 0
        self._clock = clock
        self._start = clock() if clock else 0.0
        self._first: list[Line] = []
        self._last: list[Line] = []

    def note(self, mark: str, text: str) -> None:
        """Note one line that was said or happened now."""
        half = max(1, self.limit // 2)
        line = Line(self._clock() - self._start if self._clock else 0.0, mark, text[:LINE_LIMIT])
        if len(self._first) < half:
            self._first.append(line)
            return
        self._last.append(line)
        if len(self._last) > half:
            del self._last[0]
            self.dropped += 1

    def __iter__(self) -> Iterator[Line]:
        yield from self._first
        if self.dropped:
            yield Line(self._first[-1].seconds, "*", f"({self.dropped} lines left out)")
        yield from self._last

    def __len__(self) -> int:
        return len(self._first) + len(self._last)

    def __str__(self) -> str:
        return "\n".join(str(line) for line in self)

    def __repr__(self) -> str:
        return f"<Transcript of {len(self)} lines>"

    def __getstate__(self) -> tuple[int, int, list[Line], list[Line]]:
        return (self.limit, self.dropped, self._first, self._last)

    def __setstate__(self, state: tuple[int, int, list[Line], list[Line]]) -> None:
        self.limit, self.dropped, self._first, self._last = state
        self._clock, self._start = None, 0.0
