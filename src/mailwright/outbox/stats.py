"""The plan that counts: how much is in the outbox, and how fast it goes."""

from __future__ import annotations

from mailwright.outbox.asking import Query
from mailwright.outbox.changing import is_paused
from mailwright.outbox.states import STATES, state_of
from mailwright.outbox.status import Reached, Recent, Slowed, Stats, Waiting, Worker, moment_of
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from mailwright.outbox.store import Store

DESTINATIONS = 50  # that are told of
SPANS = (60, 300, 3600)  # seconds of which the rate is told
LATELY, SAMPLE = 300, 20_000  # seconds, and recipients at most, of which a destination's rate is told,
TIMED = 5_000  # and those of which it is told how long they took: each costs a look at its message


async def stats(store: Store) -> Stats:
    """Counts of everything; on a table of millions it takes a second or so, and keeps nobody from writing."""
    counts = {state.name: 0 for state in STATES}
    for name in ("counts_open", "counts_ended"):
        for number, count in await Query(store.sql[name], {}):
            counts[state_of(number).name] += count
    oldest = await Query(store.sql["oldest"], {})
    reached = await _reached(store)
    return Stats(
        counts,
        oldest[0][0] / 1000 if oldest and oldest[0][0] is not None else None,
        tuple([await _recent(store, span) for span in SPANS]),
        await _waiting(store, reached),
        tuple([_slowed(row) for row in await Query(store.sql["slowed"], {})]),
        tuple([Worker(host, version, moment_of(at)) for host, version, at in await Query(store.sql["workers"], {})]),
        (await Query(store.sql["count_suppressions"], {}))[0][0],
        await is_paused(store),
        int(await store.meta("epoch") or 1),
        tuple(sorted(reached.values(), key=lambda one: (-one.rate - one.failures, one.destination))[:DESTINATIONS]),
    )


async def _recent(store: Store, span: int) -> Recent:
    given = {"span": span * 1000}
    counts = {state_of(number).name: count for number, count in await Query(store.sql["recent_counts"], given)}
    times = [row[0] for row in await Query(store.sql["recent_latencies"], given)]
    sent = counts.get("sent", 0)
    return Recent(span, sent, counts.get("failed", 0), sent / span, *_median_and_slow(times))


def _median_and_slow(times: Iterable[int]) -> tuple[float | None, float | None]:
    """Milliseconds as the seconds within which half of them are, and nineteen in twenty."""
    ordered = sorted(times)
    if not ordered:
        return None, None
    return ordered[len(ordered) // 2] / 1000, ordered[len(ordered) * 19 // 20] / 1000


def _slowed(row: tuple[Any, ...]) -> Slowed:
    account, destination, until, reason, pace = row
    return Slowed(account, destination, moment_of(until), visible(reason, 300), float(pace))


async def _waiting(store: Store, reached: Mapping[tuple[str, str], Reached]) -> tuple[Waiting, ...]:
    """The destinations with the most, all lanes together."""
    now = int((await Query(store.sql["now"], {}))[0][0])
    found: dict[tuple[str, str], tuple[int, int, int]] = {}
    first: dict[tuple[str, str], int] = {}
    for account, destination, *counts, oldest in await Query(store.sql["by_destination"], {}):
        name, before = (account, destination), found.get((account, destination), (0, 0, 0))
        found[name] = (before[0] + int(counts[0]), before[1] + int(counts[1]), before[2] + int(counts[2]))
        if oldest is not None:
            first[name] = min(first.get(name, now), int(oldest[:12] or "0", 16))
    most = sorted(found.items(), key=lambda one: (-one[1][0], one[0]))[:DESTINATIONS]
    waiting: list[Waiting] = []
    for name, (count, due, held) in most:
        oldest = (now - first[name]) / 1000 if name in first else None
        one = reached.get(name) or Reached(*name, 0.0, 0.0, None, None)
        waiting.append(
            Waiting(*name, count, due, count - due - held, held, oldest, one.rate, one.failures, one.median, one.slow)
        )
    return tuple(waiting)


async def _reached(store: Store) -> dict[tuple[str, str], Reached]:
    """The destinations to which something went lately. Where more than `SAMPLE` ended lately, it tells of the time that
    those took, so that this costs the same at any rate.
    """
    rows = await Query(store.sql["newest_outcomes"], {"span": LATELY * 1000, "most": SAMPLE})
    full = sum(row[4] for row in rows) >= SAMPLE
    seconds = max(0.001, max(row[5] for row in rows) / 1000) if full else LATELY
    times: dict[tuple[str, str], list[int]] = {}
    for account, destination, took in await Query(
        store.sql["newest_latencies"], {"span": LATELY * 1000, "most": TIMED}
    ):
        times.setdefault((account, destination), []).append(took)
    found: dict[tuple[str, str], Reached] = {}
    for account, destination, sent, failed, *_ in rows:
        name, rate, failures = (account, destination), int(sent) / seconds, int(failed) / seconds
        if sent or failed:
            found[name] = Reached(*name, rate, failures, *_median_and_slow(times.get(name, ())))
    return found
