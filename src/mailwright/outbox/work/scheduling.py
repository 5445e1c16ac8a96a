"""Which rows to claim next: lanes by weight, destinations in turn, each as far as its pace and its limits let it. Pure.

One `Schedule` for each account. Times are ms of the database's clock.
"""

from __future__ import annotations

from mailwright.outbox.rows import BULK, LANES, NORMAL, URGENT
from mailwright.outbox.work.limiting import Rate
from mailwright.outbox.work.pace import MOST, Pace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailwright.outbox.rows import Claimed, Destination
    from mailwright.outbox.work.judging import Verdict
    from mailwright.outbox.work.limiting import Grant, Limit

WEIGHTS = {URGENT: 8, NORMAL: 4, BULK: 1}
RESERVE = 8  # one part in so many of what may be in hand is kept for urgent rows
_LEARNED = "learned"
QUANTUM = 10  # rows of one destination in its turn: a statement for each row would cost more than the row
IN_HAND, AT_ONCE = 32 << 20, 4 << 20  # octets of contents in memory, and of one claim
GUESS = float(1 << 16)  # octets of a content, before any was seen
KEPT = 10_000  # ways that are remembered

_TURNS = (URGENT, NORMAL, URGENT, URGENT, NORMAL, URGENT, BULK, URGENT, NORMAL, URGENT, URGENT, NORMAL, URGENT)


class Turns:
    """Whose turn it is: in thirteen turns urgent has eight, normal four and bulk one, and who has nothing passes his
    turn on.
    """

    __slots__ = ("_at",)

    def __init__(self) -> None:
        self._at = 0

    def next(self, waiting: Sequence[object]) -> int | None:
        """The lane whose turn it is; `waiting` says for each whether it has something."""
        for _ in _TURNS:
            lane, self._at = _TURNS[self._at], (self._at + 1) % len(_TURNS)
            if waiting[lane]:
                return lane
        return None


class Purse:
    """Tokens of one rate that were taken from the shared limit and not used yet."""

    __slots__ = ("empty_until", "name", "rate", "tokens")

    def __init__(self, name: str, rate: Rate) -> None:
        self.name, self.rate = name, rate
        self.tokens = 0
        self.empty_until = 0  # ms

    def take(self, grant: Grant, now: int) -> None:
        """Put in what was had."""
        self.tokens += grant.tokens
        self.empty_until = 0 if grant.tokens else now + int(grant.wait * 1000) + 1


class Schedule:
    """What this worker knows of one account's rows, and how many it has in hand.

    `ahead`: rows in hand at most. `limits` are those of the account and of its destinations.
    """

    __slots__ = (
        "_cursors", "_quiet", "_wary", "account", "ahead", "caps", "in_hand", "learned", "purses", "resumed",
        "under_way", "ways", "weight", "whole",
    )  # fmt: skip

    def __init__(self, account: str, ahead: int, limits: Iterable[Limit] = ()) -> None:
        self.account, self.ahead = account, ahead
        self.whole = Pace()
        self.whole.room = float(MOST)
        self.ways: dict[str, Pace] = {}
        self.in_hand = 0
        self.under_way: dict[str, int] = {}
        self._quiet: dict[tuple[int, str], int] = {}  # when a destination that had nothing due has something
        self._wary: set[str] = set()  # destinations that may bear less than others, with those under way
        self._cursors = [""] * len(LANES)
        self.weight = GUESS  # octets that a row takes in memory, as the last ones did
        self.resumed: list[str] = []  # domains that are in use again after a stop; empty for the account
        self.learned: dict[str, float] = {}  # rates by domain, of which nobody else knows yet
        self.caps: dict[str, int] = {}  # rows under way at most, of destinations with such a limit
        self.purses: dict[str, list[Purse]] = {}
        for limit in limits:
            own = self.purses.setdefault(limit.domain, [])
            own.extend(Purse(name, rate) for name, rate in zip(limit.names, limit.rates, strict=True))

    def way(self, domain: str) -> Pace:
        """The pace of a destination."""
        found = self.ways.get(domain)
        if found is None:
            if len(self.ways) >= KEPT:
                self.ways = {name: way for name, way in self.ways.items() if way.until or way.rate}
            found = self.ways[domain] = Pace()
        return found

    # What to claim.

    def free(self, now: int) -> int:
        """How many rows may be claimed now."""
        room = min(self.ahead - self.in_hand, self.whole.free(now, self.in_hand))
        room = min(room, max(int(IN_HAND / self.weight), 1) - self.in_hand)
        for purse in self.purses.get("", ()):
            room = min(room, purse.tokens)
        return max(0, room)

    def at_once(self, most: int) -> int:
        """How many of `most` rows to claim in one transaction, so that this stays short."""
        return max(1, min(most, int(AT_ONCE / self.weight)))

    def share(self, lane: int, free: int) -> int:
        """How many of `free` rows a lane may have: the others leave a reserve to urgent ones."""
        if lane == URGENT:
            return free
        return max(0, min(free, self.ahead - self.ahead // RESERVE - self.in_hand))

    def cursor(self, lane: int) -> str:
        """The destination behind which the lane's walk goes on."""
        return self._cursors[lane]

    def budgets(self, lane: int, domains: Sequence[str], most: int, now: int) -> dict[str, int]:
        """How many rows to claim of which of `domains`, `most` in all. The walk goes on behind the last of them."""
        open_ways: dict[str, int] = {}
        for domain in domains:
            if self._quiet.get((lane, domain), 0) <= now and (free := self._free(domain, now)):
                open_ways[domain] = free
        if not open_ways:
            self._cursors[lane] = domains[-1] if domains else ""
            return {}
        each = max(QUANTUM, most // len(open_ways))
        budgets: dict[str, int] = {}
        for domain, free in open_ways.items():
            budget = min(free, each, most)
            if budget <= 0:
                break
            budgets[domain] = budget
            most -= budget
            self._cursors[lane] = domain
        if len(budgets) == len(open_ways):
            self._cursors[lane] = domains[-1]
        for domain in budgets:  # what is left goes to the first that can take more
            more = min(most, open_ways[domain] - budgets[domain])
            if more > 0:
                budgets[domain] += more
                most -= more
        return budgets

    def closed(self, now: int, rows: int) -> list[str]:
        """The destinations that can't take so many rows more now; of all that are not known here it is believed."""
        doubtful = {*self._wary, *self.under_way, *self.caps, *self.purses} - {""}
        closed = [domain for domain in doubtful if self._free(domain, now) < rows]
        self._wary.intersection_update(closed)
        return closed

    def wrap(self, lane: int) -> None:
        """The walk came to the end: it begins anew."""
        self._cursors[lane] = ""

    def _free(self, domain: str, now: int) -> int:
        way = self.ways.get(domain)
        free = way.free(now, self.under_way.get(domain, 0)) if way is not None else self.way(domain).free(now, 0)
        if domain in self.caps:
            free = min(free, max(0, self.caps[domain] - self.under_way.get(domain, 0)))
        for purse in self.purses.get(domain, ()) if self.purses else ():
            free = min(free, purse.tokens)
        return free

    def claimed(self, rows: Sequence[Claimed]) -> None:
        """These are in hand now."""
        self.in_hand += len(rows)
        if rows:
            seen = sum([len(row.head) for row in rows]) / len(rows)
            self.weight = max(seen, self.weight / 2, 1.0)  # larger ones are believed at once, smaller ones by and by
        under_way = self.under_way
        for row in rows:
            under_way[row.domain] = under_way.get(row.domain, 0) + 1
        if self.purses:
            for domain in ("", *{row.domain for row in rows}):
                count = len(rows) if not domain else sum(row.domain == domain for row in rows)
                for purse in self.purses.get(domain, ()):
                    purse.tokens -= count

    def joined(self, rows: Sequence[Claimed]) -> None:
        """These go as one message: where messages are counted and not recipients, the rest was taken for nothing."""
        for purse in self.purses.get("", ()):
            if not purse.rate.recipients:
                purse.tokens += len(rows) - 1

    def quiet(self, lane: int, domain: str, due: int | None) -> None:
        """This destination has nothing more that is due before `due`; `None`: nothing at all."""
        self._quiet[lane, domain] = due if due is not None else 1 << 62

    def due(self, lane: int, domain: str, due: int) -> None:
        """A row of this destination is due then."""
        known = self._quiet.get((lane, domain))
        if known is not None and due < known:
            self._quiet[lane, domain] = due

    def stirred(self) -> None:
        """Somebody else wrote to the database: every destination may have something again."""
        self._quiet.clear()

    def set_back(self, now: int) -> None:
        """The clock was set back to `now`: what is kept as a time may be far ahead. Stops are read anew from where they
        stand for everybody; purses ask again.
        """
        self.stirred()
        for purse in [one for own in self.purses.values() for one in own]:
            purse.empty_until = 0
        for way in (self.whole, *self.ways.values()):
            way.set_back(now)

    def wake(self, now: int) -> int | None:
        """When there may be something to do again without anybody writing: ms, `None` for never."""
        times = [due for due in self._quiet.values() if due > now]
        times += [way.until for way in self.ways.values() if way.until > now]
        times += [purse.empty_until for own in self.purses.values() for purse in own if purse.empty_until > now]
        if self.whole.until > now:
            return self.whole.until
        return min(times, default=None)

    def soon(self, now: int, seconds: float) -> bool:
        """Whether a rate lets something through again within so many seconds."""
        end = now + seconds * 1000
        return any(now < one.empty_until <= end for own in self.purses.values() for one in own)

    def locked(self, now: int) -> bool:
        """Whether something was due and could not be had: another transaction has its hand on it."""
        return any(due <= now for due in self._quiet.values())

    # What came of it.

    def done(self, rows: Sequence[Claimed]) -> None:
        """These are not in hand any more."""
        self.in_hand -= len(rows)
        under_way = self.under_way
        for row in rows:
            left = under_way.get(row.domain, 0) - 1
            if left > 0:
                under_way[row.domain] = left
            else:
                under_way.pop(row.domain, None)

    def learn(self, verdict: Verdict, now: int) -> list[tuple[str, float, str, str]]:
        """What a verdict means for account and destinations. Gives stops to be told to all workers: domain, seconds,
        reason, and how it came to that.
        """
        stops: list[tuple[str, float, str, str]] = []
        good: dict[str, int] = {}
        for row, code in verdict.answers:
            domain = row.domain
            if code < 400 or code >= 500:
                good[domain] = good.get(domain, 0) + 1
            elif code in (450, 451, 452) and (seconds := self.way(domain).bad(now, row)):
                self._wary.add(domain)
                stops.append((domain, seconds, f"{code} for several in a row", "slow"))
        for domain, count in good.items():
            self._good(domain, self.way(domain), now, count)
        if good and not verdict.troubles:
            self._good("", self.whole, now, len(verdict.answers))
        for trouble in verdict.troubles:
            way = self.way(trouble.domain) if trouble.domain else self.whole
            self._wary.add(trouble.domain)
            if seconds := way.trouble(trouble, now):
                way.reason = trouble.reason
                if trouble.how == "slow":
                    self.learned[trouble.domain] = way.rate
                stops.append((trouble.domain, seconds, trouble.reason, trouble.how))
        if stops or self.learned:
            self._heed()
        return stops

    def _good(self, domain: str, way: Pace, now: int, count: int) -> None:
        if way.stopped:
            self.resumed.append(domain)
        if way.good(now, count):
            self.learned[domain] = way.rate

    def _heed(self) -> None:
        """A learned rate is a limit as any other, as long as it holds."""
        for domain, way in (("", self.whole), *self.ways.items()):
            known = self.purses.get(domain, ())
            own = [purse for purse in known if not purse.name.endswith(_LEARNED)]
            if way.rate:
                rate = Rate(max(1, round(way.rate))) if way.rate >= 1 else Rate(1, 1 / way.rate)
                same = [purse for purse in known if purse.name.endswith(_LEARNED) and purse.rate == rate]
                own += same or [Purse(f"{self.account}|{domain}|{_LEARNED}", rate)]
            if own:
                self.purses[domain] = own
            else:
                self.purses.pop(domain, None)

    def hungry(self, now: int) -> list[Purse]:
        """The purses that are empty and may be filled now."""
        if not self.purses:
            return []
        return [one for own in self.purses.values() for one in own if one.tokens < 1 and one.empty_until <= now]

    def told(self, known: Iterable[Destination]) -> None:
        """What stands in the database about account and destinations: what others learned, what people asked for."""
        found = {one.domain: one for one in known}
        self._wary.update(found)
        for domain, one in found.items():
            (self.way(domain) if domain else self.whole).told(one.until, one.reason, one.pace)
        for domain, way in (("", self.whole), *self.ways.items()):
            if way.shared and domain not in found:
                way.until, way.rate, way.shared = 0, 0.0, False
        self._heed()
