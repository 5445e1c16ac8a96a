"""Limits that all workers share: how much in which time, and how many connections, for an account or for one of its
destinations; and what was learned of both. Plans over the store's statements, and the arithmetic of GCRA.

A limit's row holds one number: up to which time what may be sent is spent already (ITU-T I.371, "virtual scheduling").
A worker takes tokens for up to a second at once, so that the row is not written for every message.
"""

from __future__ import annotations

from mailwright.outbox.asking import Each, Query
from mailwright.outbox.rows import Destination
from mailwright.words.errors import ConfigError
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailwright.outbox.store import Store
    from mailwright.providers.provider import Quota

AHEAD = 1.0  # seconds of tokens that a worker takes at once
_SPANS = {
    "s": 1.0,
    "second": 1.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
}


@value
class Rate:
    """At most `count` in any `seconds`, in messages, or in `recipients` where those are counted.

    A tenth may go at once and the rest is spread evenly, so that no window of that length ever sees more.
    """

    count: int
    seconds: float = 1.0
    recipients: bool = True

    def __post_init__(self) -> None:
        if self.count < 1 or not self.seconds > 0:
            raise ConfigError(f"Rate({self.count}, {self.seconds:g}) lets nothing through.", _HOW)

    @classmethod
    def parse(cls, text: str) -> Rate:
        """A rate as people write it: ``14/s``, ``100/min``, ``500/day``. Raises `ConfigError`."""
        count, slash, span = text.replace(" ", "").partition("/")
        if not (slash and count.isascii() and count.isdigit() and span in _SPANS):
            raise ConfigError(f"{text!r:.40} is no rate.", _HOW)
        return cls(int(count), _SPANS[span])

    @property
    def burst(self) -> int:
        """How many may go at once after a rest."""
        return max(1, self.count // 10)

    @property
    def every(self) -> float:
        """Milliseconds for each beyond those."""
        return self.seconds * 1000 / (self.count - self.burst + 1)


_HOW = "Write how many in which time: 14/s, 100/min, 5000/h or 500/day."


@value
class Limit:
    """A `rate` or a number of `connections`, or both, for an account (empty `domain`) or one of its destinations."""

    account: str
    domain: str = ""
    rates: tuple[Rate, ...] = ()
    connections: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its rows, one for each rate."""
        return tuple([f"{self.account}|{self.domain}|{rate.seconds:g}" for rate in self.rates])


def of_quota(account: str, quota: Quota | None) -> Limit | None:
    """The limit that a provider is known to have, `None` without one."""
    if quota is None:
        return None
    by_recipient = quota.per_day_counts != "messages"
    spans = ((quota.per_minute, 60.0), (quota.per_hour, 3600.0), (quota.per_day, 86400.0))
    rates = tuple([Rate(count, seconds, by_recipient) for count, seconds in spans if count])
    if not rates and quota.concurrent_connections is None:
        return None
    return Limit(account, "", rates, quota.concurrent_connections)


@value
class Grant:
    """How many tokens were had, and in how many seconds (`wait`) there will be one if there was none."""

    tokens: int
    wait: float = 0.0


def spent(rate: Rate, wanted: int, spent_until: float, now: int) -> tuple[Grant, float]:
    """What may be taken of a rate whose row says `spent_until`, and what the row says then (ms)."""
    # Spans, and no sums of times: a time since 1970 has no room for the fractions of a millisecond.
    bearable = rate.burst * rate.every
    # Nobody can have spent more ahead than that: what says so was written before the clock was set back.
    debt = min(max(0.0, spent_until - now), bearable)
    free = int((bearable - debt) / rate.every + 1e-9)
    tokens = min(wanted, free)
    if not tokens:
        return Grant(0, (debt + rate.every - bearable) / 1000), min(spent_until, now + bearable)
    return Grant(tokens), now + debt + tokens * rate.every


async def reserve(store: Store, name: str, rate: Rate, wanted: int) -> Grant:
    """Take up to `wanted` tokens, at least one, for up to a second."""
    rows = await Query(store.sql["limits"], {"names": store.dialect.listed([name])})
    if not rows:
        await Query(store.sql["add_limit"], {"name": name})
        rows = await Query(store.sql["limits"], {"names": store.dialect.listed([name])})
    _, seen, now = rows[0]
    most = max(1, int(AHEAD * 1000 / rate.every))
    grant, until = spent(rate, min(wanted, most), seen, now)
    taken = until == seen or await Query(store.sql["spend"], {"name": name, "until": until, "seen": seen})
    return grant if taken else Grant(0, 0.01)


async def take_slots(store: Store, worker: bytes, name: str, most: int, wanted: int, lease: float) -> int:
    """Take up to `wanted` of the `most` connections that all workers may have together. Gives how many are had."""
    rows = await Query(store.sql["slots"], {"name": name, "worker": worker})
    others = {row[0] for row in rows}
    had = 0
    for slot in range(most):
        if had >= wanted:
            break
        if slot not in others:
            given = {"name": name, "slot": slot, "worker": worker, "lease": int(lease * 1000)}
            had += bool(await Query(store.sql["take_slot"], given))
    return had


async def free_slots(store: Store, worker: bytes, names: Iterable[str]) -> None:
    """Give back the connections of these names."""
    await Each(store.sql["free_slots"], [{"worker": worker, "name": name} for name in names])


async def known_destinations(store: Store, account: str) -> list[Destination]:
    """What is paused or slow: the account itself (an empty domain) and its destinations."""
    rows = await Query(store.sql["known_destinations"], {"account": account})
    return [Destination(*row) for row in rows]


async def stop_until(store: Store, account: str, domain: str, seconds: float, reason: str) -> None:
    """Nothing is sent that way for so long, by any worker; a longer stop stays."""
    given = {"account": account, "dest": domain, "span": int(seconds * 1000), "reason": reason}
    await Query(store.sql["stop_until"], given)


async def keep_paces(store: Store, account: str, paces: Iterable[tuple[str, float]]) -> None:
    """Keep what was learned of domains: messages a second, 0 for as many as one likes."""
    rows = [{"account": account, "dest": domain, "pace": pace} for domain, pace in paces]
    if rows:
        await Each(store.sql["keep_pace"], rows)
