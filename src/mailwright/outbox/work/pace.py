"""How fast one way takes mail, learned from what it answers. Pure.

As Postfix's scheduler has it: a way begins with little under way, gets more with every message that is taken, and half
of it when it shows that it has enough. Who fails several times in a row is left alone for a while, then tried with one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.outbox.rows import Claimed
    from mailwright.outbox.work.judging import Trouble

FIRST, MOST = 32, 2000  # rows under way
# Recipients, or messages, that get 450, 451 or 452 in a row until it is the destination's matter and no longer theirs.
IN_A_ROW, MANY = 3, 30
SHORTEST, LONGEST = 30.0, 1800.0  # seconds that a way is left alone, doubled each time
LEARNED = 60.0  # seconds without a complaint after which a learned pace is raised
FORGOTTEN = 1000.0  # messages a second: from here on a pace is none


class Pace:
    """What is known of one way (an account, or one of its destinations). Times are ms of the database's clock.

    `room`: rows that may be under way; `until`: nothing before that time, for this `reason`; `rate`: the learned
    messages a second, 0 for any number.
    """

    __slots__ = (
        "_bad",
        "_clean_since",
        "_paused",
        "_span",
        "_taken",
        "_taken_since",
        "rate",
        "reason",
        "room",
        "shared",
        "until",
    )

    def __init__(self) -> None:
        self.room = float(FIRST)
        self.until = 0
        self.reason = ""
        self.rate = 0.0
        self.shared = False  # whether `until` stands in the database
        self._paused = False
        self._bad: dict[tuple[bytes, int], str] = {}  # the rows that got 450 to 452, in a row, and for whom they are
        self._span = 0.0  # how long it was left alone last
        self._clean_since = 0
        self._taken = 0
        self._taken_since = 0

    def free(self, now: int, under_way: int) -> int:
        """How many rows more may be under way now."""
        if now < self.until:
            return 0
        if self._span:
            return max(0, 1 - under_way)  # after a stop one goes first
        return max(0, int(self.room) - under_way)

    @property
    def stopped(self) -> bool:
        """Whether nothing was taken since it was left alone."""
        return self._span > 0

    def good(self, now: int, count: int = 1) -> bool:
        """So many were taken, or refused for good, which is an answer too. True when the learned rate changed."""
        self._span = 0.0
        if self._bad:
            self._bad = {}
        if self.room < MOST:
            self.room = min(float(MOST), self.room + count)
        self._taken += count
        if now - self._taken_since > 10_000:
            self._taken, self._taken_since = count, now
        if self.rate and now - self._clean_since > LEARNED * 1000:
            self._clean_since = now
            self.rate *= 1.25
            if self.rate > FORGOTTEN:
                self.rate = 0.0
            return True
        return False

    def bad(self, now: int, row: Claimed) -> float:
        """A 450, 451 or 452 for this row. Gives for how many seconds to leave it alone: 0 until several rows got one. A
        mailbox that is full says little of the others, and nothing new when it is tried again.
        """
        self._bad[row.id, row.n] = row.address
        if len(set(self._bad.values())) < IN_A_ROW and len(self._bad) < MANY:
            return 0.0
        self._bad = {}
        self.room = max(1.0, self.room / 2)
        return self._stop(now, 0.0)

    def trouble(self, seen: Trouble, now: int) -> float:
        """It is too much for it, or it is not to be reached. Gives for how many seconds to leave it alone."""
        if now < self.until and (seen.how != "pause" or self._paused):
            return 0.0  # said before: what was under way comes back with the same
        self._paused = seen.how == "pause"
        if self._paused:
            self._span = seen.seconds
            self._until(now, seen.seconds)
            return seen.seconds
        self.room = max(1.0, self.room / 2)
        if seen.how == "slow":
            self._slower(now)
        return self._stop(now, seen.seconds)

    def told(self, until: int, reason: str, rate: float) -> None:
        """What other workers have learned, or people asked for."""
        self.reason, self.rate = reason, rate
        if until > self.until and not self._span:
            self._span = SHORTEST
        self.until = until if self.shared else max(self.until, until)
        self.shared = True

    def set_back(self, now: int) -> None:
        """The clock was set back to `now`."""
        self._clean_since, self._taken_since = min(self._clean_since, now), min(self._taken_since, now)

    def _slower(self, now: int) -> None:
        seconds = max((now - self._taken_since) / 1000, 1.0)
        seen = self._taken / seconds if self._taken_since else 0.0
        rate = min(self.rate or FORGOTTEN, seen or FORGOTTEN) / 2
        self.rate, self._clean_since = max(rate, 1 / 60), now

    def _stop(self, now: int, seconds: float) -> float:
        self._span = min(max(self._span * 2, SHORTEST), LONGEST)
        span = max(self._span, seconds)
        self._until(now, span)
        return span

    def _until(self, now: int, seconds: float) -> None:
        self.until, self.shared = max(self.until, now + int(seconds * 1000)), False
