"""When a message is tried again, and when it is given up: for each lane one rule, from which the documented table is
made. Times are whole milliseconds since 1970, spans are seconds.
"""

from __future__ import annotations

from mailwright.words.errors import ConfigError
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


@value
class Retry:
    """The second try comes `first` seconds after the first one; each wait is `factor` times the one before, and
    `longest` at most. `lifetime` seconds after the first try it is given up (RFC 5321 §4.5.4.1: 4–5 days). Each
    wait is made up to `jitter` (a part of it) shorter or longer, so that what failed together does not come back
    together.
    """

    first: float = 5 * MINUTE
    longest: float = HOUR
    lifetime: float = 5 * DAY
    factor: float = 2.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        sound = 0 < self.first <= self.longest <= self.lifetime and self.factor >= 1 and 0 <= self.jitter < 1
        if not sound:
            raise ConfigError(f"{self!r} is no order of retries.", "Use 0 < first <= longest <= lifetime, in seconds.")

    def delay(self, tries: int, draw: float = 0.5) -> float:
        """Seconds to wait after so many tries, from 1. `draw` is a random number from 0 to 1 for the jitter."""
        steps = min(tries - 1, 64)  # 2.0**1100 is no number any more
        wait = min(self.first * self.factor**steps, self.longest)
        return float(wait * (1 + self.jitter * (2 * draw - 1)))

    @property
    def most(self) -> float:
        """Seconds that the longest wait can have."""
        return self.longest * (1 + self.jitter)

    def end(self, first_tried: int, expires: int | None = None) -> int:
        """The time (ms) from which no further try is made; `expires` is what the author set."""
        end = first_tried + int(self.lifetime * 1000)
        return end if expires is None else min(end, expires)

    def schedule(self) -> Iterator[float]:
        """Seconds from the first try to each of the others, without jitter. The last one comes when time is over."""
        at, tries = 0.0, 1
        while at < self.lifetime:
            at = min(at + self.delay(tries), self.lifetime)
            tries += 1
            yield at


#: One for each lane, as `mailwright.outbox.rows` numbers them.
RETRIES = (
    Retry(first=MINUTE, longest=15 * MINUTE, lifetime=12 * HOUR),
    Retry(),
    Retry(),
)


def table(retries: tuple[Retry, ...] = RETRIES, shown: int = 8) -> str:
    """The waits of all lanes, as a table for the documentation: the first `shown` tries, and the end."""
    from mailwright.outbox.rows import LANES

    plans = [list(retry.schedule()) for retry in retries]
    lines = ["| try | " + " | ".join(LANES) + " |", "|---|" + "---|" * len(LANES)]
    for place in range(shown - 1):
        lines.append(f"| {place + 2} | " + " | ".join(_span(plan[place]) for plan in plans) + " |")
    lines.append("| then every | " + " | ".join(_span(retry.longest) for retry in retries) + " |")
    lines.append("| last, and expired | " + " | ".join(_span(plan[-1]) for plan in plans) + " |")
    return "\n".join(lines)


def _span(seconds: float) -> str:
    for size, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            if name == "min" or not rest:
                return f"{seconds / size:g} {name}"
            return f"{whole:g} {name} {_span(rest)}"
    return f"{seconds:g} s"
