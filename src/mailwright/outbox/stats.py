"""The plan that counts: how much is in the outbox, and how fast it goes."""

from __future__ import annotations

from mailwright.outbox.asking import Query
from mailwright.outbox.changing import is_paused
from mailwright.outbox.states import STATES, state_of
from mailwright.outbox.status import Recent, Slowed, Stats, Waiting, Worker, moment_of
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mailwright.outbox.store import Store

DESTINATIONS = 50  # that are told of
SPANS = (60, 300, 3600)  # seconds of which the rate is told
LATELY, SAMPLE = 300, 20_000  # seconds, and recipients at most, of which a destination's rate is told


async def stats(store: Store) -> Stats:
    """Counts of everything; on a table of millions it takes a second or so, and keeps nobody from writing."""
    counts = {state.name: 0 for state in STATES}
    for name in ("counts_open", "counts_ended"):
        for number, count in await Query(store.sql[name], {}):
            counts[state_of(number).name] += count
    oldest = await Query(store.sql["oldest"], {})
    return Stats(
        counts,
        oldest[0][0] / 1000 if oldest and oldest[0][0] is not None else None,
        tuple([await _recent(store, span) for span in SPANS]),
        await _waiting(store),
        tuple([_slowed(row) for row in await Query(store.sql["slowed"], {})]),
        tuple([Worker(host, version, moment_of(at)) for host, version, at in await Query(store.sql["workers"], {})]),
        (await Query(store.sql["count_suppressions"], {}))[0][0],
        await is_paused(store),
        int(await store.meta("epoch") or 1),
    )


async def _recent(store: Store, span: int) -> Recent:
    given = {"span": span * 1000}
    counts = {state_of(number).name: count for number, count in await Query(store.sql["recent_counts"], given)}
    times = sorted(row[0] / 1000 for row in await Query(store.sql["recent_latencies"], given))
    sent = counts.get("sent", 0)
    median, slow = (times[len(times) // 2], times[len(times) * 19 // 20]) if times else (None, None)
    return Recent(span, sent, counts.get("failed", 0), sent / span, median, slow)


def _slowed(row: tuple[Any, ...]) -> Slowed:
    account, destination, until, reason, pace, connections = row
    return Slowed(account, destination, moment_of(until), visible(reason, 300), float(pace), connections)


async def _waiting(store: Store) -> tuple[Waiting, ...]:
    """The destinations with the most, all lanes together."""
    now = int((await Query(store.sql["now"], {}))[0][0])
    found: dict[tuple[str, str], tuple[int, int, int]] = {}
    first: dict[tuple[str, str], int] = {}
    for account, destination, *counts, oldest in await Query(store.sql["by_destination"], {}):
        name, before = (account, destination), found.get((account, destination), (0, 0, 0))
        found[name] = (before[0] + int(counts[0]), before[1] + int(counts[1]), before[2] + int(counts[2]))
        if oldest is not None:
            first[name] = min(first.get(name, now), int(oldest[:12] or "0", 16))
    rates = await _rates(store) if found else {}
    most = sorted(found.items(), key=lambda one: (-one[1][0], one[0]))[:DESTINATIONS]
    return tuple(
        [
            Waiting(
                *name, count, due, count - due - held, held,
                (now - first[name]) / 1000 if name in first else None, *rates.get(name, (0.0, 0.0)),
            )
            for name, (count, due, held) in most
        ]
    )  # fmt: skip


async def _rates(store: Store) -> dict[tuple[str, str], tuple[float, float]]:
    """Sent and failed recipients a second, by destination. Where more than `SAMPLE` ended lately, it tells of the time
    that those took, so that this costs the same at any rate.
    """
    rows = await Query(store.sql["newest_outcomes"], {"span": LATELY * 1000, "most": SAMPLE})
    full = sum(row[4] for row in rows) >= SAMPLE
    seconds = max(0.001, max(row[5] for row in rows) / 1000) if full else LATELY
    return {(row[0], row[1]): (int(row[2]) / seconds, int(row[3]) / seconds) for row in rows}
