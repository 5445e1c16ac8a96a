"""What was said on the wire, with the secrets already masked."""

from __future__ import annotations

from mailwright.words.reply import Reply, visible
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Entry = tuple[float, str, str]  # a `Line` before it is one

LINE_LIMIT = 1000  # characters of one line that are kept
FOLDED_LIMIT = 32  # entries whose lines are not made yet: of most talks nobody ever reads them


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

    __slots__ = ("_clock", "_dropped", "_first", "_folded", "_last", "_start", "limit")

    def __init__(self, clock: Callable[[], float] | None = None, limit: int = 400) -> None:
        self.limit = limit
        self._dropped = 0
        self._folded: list[tuple[float, str, str | Reply]] = []
        self._clock = clock
        self._start = clock() if clock else 0.0
        self._first: list[Line] = []
        self._last: list[Line] = []

    def note(self, mark: str, text: str) -> None:
        """Note one line that was said or happened now."""
        self._note(mark, text[:LINE_LIMIT])

    def note_reply(self, reply: Reply) -> None:
        """Note all lines that the server said now."""
        self._note("S", reply)
        if sum(map(len, reply.lines)) > LINE_LIMIT:
            self._unfold()

    def _note(self, mark: str, said: str | Reply) -> None:
        self._folded.append((self._clock() - self._start if self._clock else 0.0, mark, said))
        if len(self._folded) > FOLDED_LIMIT:
            self._unfold()

    def _unfold(self) -> None:
        """Make the lines of what was noted, as far as they are kept."""
        folded, self._folded = self._folded, []
        half = max(1, self.limit // 2)
        for seconds, mark, said in folded:
            for text in said.said if isinstance(said, Reply) else (said,):
                kept = self._first if len(self._first) < half else self._last
                kept.append(Line(seconds, mark, text[:LINE_LIMIT]))
        if (over := len(self._last) - half) > 0:
            del self._last[:over]
            self._dropped += over

    @property
    def dropped(self) -> int:
        """How many lines in the middle were left out."""
        self._unfold()
        return self._dropped

    def entries(self) -> tuple[tuple[Entry, ...], Sequence[Entry], int, Sequence[Entry]]:
        """All lines that are kept as plain tuples: those that other transcripts begin with as well, if that is known;
        the next ones; how many were dropped then; and those behind them.
        """
        self._unfold()
        first, last = [[(one.seconds, one.mark, one.text) for one in lines] for lines in (self._first, self._last)]
        return (), first, self._dropped, last

    def __iter__(self) -> Iterator[Line]:
        self._unfold()
        yield from self._first
        if self.dropped:
            yield Line(self._first[-1].seconds, "*", f"({self.dropped} lines left out)")
        yield from self._last

    def __len__(self) -> int:
        self._unfold()
        return len(self._first) + len(self._last)

    def __str__(self) -> str:
        return "\n".join(str(line) for line in self)

    def __repr__(self) -> str:
        return f"<Transcript of {len(self)} lines>"

    def __getstate__(self) -> tuple[int, int, list[Line], list[Line]]:
        return (self.limit, self.dropped, self._first, self._last)  # `dropped` makes the lines

    def __setstate__(self, state: tuple[int, int, list[Line], list[Line]]) -> None:
        self.limit, self._dropped, self._first, self._last = state
        self._folded, self._clock, self._start = [], None, 0.0
