"""What a worker puts in order beside its work: rows that nobody would ever claim, or not for a long time, and what
keeps them from being sent that long.

Looking for them may take long where much is waiting, and so is done without a lock; what is found is written in short
transactions, each row only if it is still as it was seen.
"""

from __future__ import annotations

from functools import partial

from mailwright.outbox.asking import Each, Query
from mailwright.outbox.rows import LANES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailwright.outbox.store import Store
    from mailwright.outbox.work.settling import Desk
    from mailwright.steps import Plan

    Seen = tuple[bytes, int, int]  # message, place, due

WALK = 200  # destinations looked at in one go
MOST = 5000  # rows that one look gives
AT_ONCE = 200  # rows of one transaction
NO_LANE = "Unreadable: there is no lane of that number; release sends it in the normal one."
NO_TIME = "Unreadable: when it is due is no time."


async def mend(desk: Desk, account: str, lease: float, wait: float) -> None:
    """Make due what has a lease of more than `lease` seconds, or waits more than `wait` for its next try, and end stops
    and leases of connections that are as long, for the clock was set back; and set aside what has no lane or no time.
    Raises `OutboxUnavailable`.
    """
    store = desk.store
    if await desk.survey(partial(too_far_ahead, store, account, lease, wait)):
        await desk.write(partial(end_too_far_ahead, store, account, lease, wait))
    if await desk.survey(partial(out_of_lanes, store, account)):
        await desk.write(partial(end_out_of_lanes, store, account))
    for lane in range(len(LANES)):
        after = ""
        while domains := await desk.survey(partial(store.destinations, account, lane, after, WALK)):
            after = domains[-1]
            for domain in await desk.survey(partial(out_of_time, store, account, lane, domains)):
                await desk.write(partial(end_out_of_time, store, account, lane, domain))
            for domain in domains:
                await _make_due(desk, partial(overlong, store, account, lane, domain, lease, wait))


async def _make_due(desk: Desk, look: Callable[[], Plan[list[Seen]]]) -> None:
    while True:
        seen = await desk.survey(look)
        for start in range(0, len(seen), AT_ONCE):
            await desk.write(partial(make_due, desk.store, seen[start : start + AT_ONCE]))
        if len(seen) < MOST:
            break


async def overlong(store: Store, account: str, lane: int, domain: str, lease: float, wait: float) -> list[Seen]:
    """Rows of a destination that would be due later than they can be: at most `MOST` of them."""
    spans = {"lease": int(lease * 1000), "wait": int(wait * 1000), "most": MOST}
    return await Query(store.sql["overlong"], {"account": account, "lane": lane, "dest": domain, **spans})


async def make_due(store: Store, rows: Sequence[Seen]) -> int:
    """Make those of `rows` due that are as they were seen. Gives how many."""
    return await Each(store.sql["make_due"], [{"id": id, "n": n, "due": due} for id, n, due in rows]) if rows else 0


async def too_far_ahead(store: Store, account: str, lease: float, wait: float) -> bool:
    """Whether there are stops, or leases of connections, that end later than any could."""
    spans = {"lease": int(lease * 1000), "wait": int(wait * 1000)}
    return bool(await Query(store.sql["too_far_ahead"], {"account": account, **spans}))


async def end_too_far_ahead(store: Store, account: str, lease: float, wait: float) -> None:
    """End them now."""
    await Query(store.sql["end_stops"], {"account": account, "wait": int(wait * 1000)})
    await Query(store.sql["end_slots"], {"lease": int(lease * 1000)})


async def out_of_lanes(store: Store, account: str) -> bool:
    """Whether there are rows of no lane, which nobody would ever claim."""
    return bool(await Query(store.sql["out_of_lanes"], {"account": account}))


async def end_out_of_lanes(store: Store, account: str) -> None:
    """Set them aside."""
    await Query(store.sql["no_lane"], {"account": account, "reason": NO_LANE})


async def out_of_time(store: Store, account: str, lane: int, domains: Sequence[str]) -> list[str]:
    """Those of `domains` with rows that are due at no time."""
    given = {"account": account, "lane": lane}
    return [one for one in domains if await Query(store.sql["out_of_time"], {**given, "dest": one})]


async def end_out_of_time(store: Store, account: str, lane: int, domain: str) -> None:
    """Set them aside."""
    await Query(store.sql["no_time"], {"account": account, "lane": lane, "dest": domain, "reason": NO_TIME})
