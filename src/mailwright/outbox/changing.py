"""Plans that change what is there: take back, try again, set aside, let go, settle, prune.

Each moves along `mailwright.outbox.states.MOVES` and gives how many recipients it moved. `n` is a recipient's place, or
`ALL` of them.
"""

from __future__ import annotations

from mailwright.outbox.asking import Each, Query, Transaction
from mailwright.outbox.ids import text_of
from mailwright.outbox.putting import names_of
from mailwright.outbox.staging import drop_forgotten
from mailwright.outbox.states import CANCELLED, FAILED, HELD, SENT, UNKNOWN, state_of
from mailwright.steps import Sleep
from mailwright.words.errors import ConfigError, OutboxError
from mailwright.words.reply import visible
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Rows = list[tuple[Any, ...]]

    from mailwright.outbox.store import Store

ALL = -1
VERDICTS = {"sent": SENT, "failed": FAILED, "unknown": UNKNOWN}
HELD_BY_REQUEST = "Held by request."
RESTORED = "A backup was restored: it may have been sent since that was made."

#: How the reasons begin for which a row is held that may have been sent: the worker's, the claim's, and ours.
DOUBTS = ("In doubt: ", "Set aside: three workers ended ", RESTORED)

BATCH = 50  # messages that prune takes in one transaction
BYTES = 1 << 20  # octets that it deletes in one, so that this stays short
PIECES = 8  # pieces of a long content that it deletes in one
BREATH = 0.002  # seconds between two transactions of prune, for whoever waits to write


async def place_of(store: Store, id: bytes, recipient: str | None) -> int:
    """The place of a recipient of the message, or `ALL` if none is named. Raises `OutboxError`."""
    rows = await Query(store.sql["addresses"], {"id": id})
    if not rows:
        raise OutboxError(f"There is no message {text_of(id)} in this outbox.", "It may have been pruned.")
    if recipient is None:
        return ALL
    wanted = recipient.strip()
    for alike in (wanted.__eq__, lambda address: address.lower() == wanted.lower()):
        for n, address in rows:
            if alike(address):
                return int(n)
    raise OutboxError(f"{visible(recipient, 254)} is no recipient of {text_of(id)}.", "See its status.")


async def cancel(store: Store, id: bytes, recipient: str | None) -> int:
    """Take back what was not sent. What a worker has is marked, and stopped if it was not begun; where it would be held
    in doubt, if its last octet has not left yet. What is held because it may have been sent ends as unknown: nobody can
    take that back.
    """
    given = {"id": id, "n": await place_of(store, id, recipient)}
    rows = await Query(store.sql["take_back"], given)
    marked = await Each(store.sql["mark_cancelled"], [given])
    rows += await Query(store.sql["take_back"], given)  # what a worker gave back between the two
    sure: Rows = []
    doubtful: Rows = []
    for *row, last, phase in rows:
        in_doubt = phase == HELD.number and str(last).startswith(DOUBTS)
        (doubtful if in_doubt else sure).append((*row, last))
    await _end(store, sure, CANCELLED.number, "Cancelled.")
    await _end(store, doubtful, UNKNOWN.number, "Cancelled, but it may have been sent.")
    return len(rows) + marked


async def settle(store: Store, id: bytes, recipient: str | None, verdict: str) -> int:
    """Say what became of what is held: ``"sent"``, ``"failed"`` or ``"unknown"``; it is not sent again."""
    if verdict not in VERDICTS:
        raise ConfigError(f"{verdict!r:.40} is not how a message can end.", f"Use one of {', '.join(VERDICTS)}.")
    rows = await Query(store.sql["take_held"], {"id": id, "n": await place_of(store, id, recipient)})
    await _end(store, rows, VERDICTS[verdict].number, f"Settled as {verdict}.")
    return len(rows)


async def _end(store: Store, rows: list[tuple[Any, ...]], state: int, text: str) -> None:
    ended = []
    for id, n, address, account, lane, domain, hold, claims, attempts, first_tried, code, last in rows:
        ended.append(
            {
                "id": bytes(id), "n": n, "address": address, "account": account, "lane": lane, "domain": domain,
                "state": state, "hold": hold, "claims": claims, "attempts": attempts, "first_tried": first_tried,
                "code": code, "text": f"{text} Before: {last}" if last else text,
            }
        )  # fmt: skip
    if ended:
        await Each(store.sql["end_with"], ended)


async def retry(store: Store, id: bytes, recipient: str | None, expires: int | None) -> int:
    """Send again what failed, expired, was cancelled, suppressed or settled as unknown, and at once what is deferred.

    `expires`: the new end of its time, where that is over; `None` for no end. Who is still on the suppression list
    stays there. Raises `OutboxError` when the content is gone.
    """
    n = await place_of(store, id, recipient)
    if (await Query(store.sql["has_content"], {"id": id}))[0][0] in (0, False):
        raise OutboxError(f"The content of {text_of(id)} was pruned, so it can't be sent again.", "Put it anew.")
    hurried = await Each(store.sql["hurry"], [{"id": id, "n": n}])
    await Each(store.sql["extend"], [{"id": id, "expires": expires}])
    rows = await Query(store.sql["take_ended"], {"id": id, "n": n})
    listed = await store.suppressed({name for row in rows for name in names_of(row[2], row[5])})
    opened, again = [], []
    for _, place, address, account, lane, domain, hold, claims, attempts, first_tried, code, text, state in rows:
        row = {
            "id": id, "n": place, "address": address, "account": account, "lane": lane, "domain": domain,
            "hold": hold, "claims": claims, "attempts": attempts, "code": code, "text": text,
        }  # fmt: skip
        if any(name in listed for name in names_of(address, domain)):
            again.append(row | {"state": state, "first_tried": first_tried})
        else:
            opened.append(row)
    if again:
        await Each(store.sql["end_with"], again)
    if opened:
        await Each(store.sql["reopen"], opened)
        await Each(store.sql["add_event"], [_retried(id, one, rows) for one in opened])
    return hurried + len(opened)


def _retried(id: bytes, row: dict[str, Any], rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    """The event that keeps how it had ended before."""
    state = next(state_of(one[-1]) for one in rows if one[1] == row["n"])
    return {
        "source": f"retry:{id.hex()}/{row['n']}/{row['claims']}/{row['attempts']}", "id": id, "n": row["n"],
        "address": row["address"], "kind": "retried", "detail": f"It had ended as {state}: {row['text']}",
    }  # fmt: skip


async def hold(store: Store, id: bytes, recipient: str | None, reason: str) -> int:
    """Set aside what waits; what a worker has goes on."""
    n = await place_of(store, id, recipient)
    return await Each(store.sql["hold"], [{"id": id, "n": n, "reason": visible(reason, 200)}])


async def release(store: Store, id: bytes, recipient: str | None) -> int:
    """Let what is held be sent, at once: what was in doubt is sent again."""
    return await Each(store.sql["release"], [{"id": id, "n": await place_of(store, id, recipient)}])


async def pause(store: Store, paused: bool) -> None:
    """Tell all workers to claim nothing, or to go on."""
    await store.set_meta("paused", "1" if paused else "")


async def is_paused(store: Store) -> bool:
    """Whether workers were told to claim nothing."""
    return bool(await store.meta("paused"))


# What takes many transactions: plans for `mailwright.outbox.asking.conduct`


async def restored(store: Store) -> int:
    """Pause, count the epoch up, and set aside all that is open, because this is a backup. Gives how many."""

    async def begin() -> None:
        await pause(store, True)
        await store.set_meta("epoch", str(int(await store.meta("epoch") or 0) + 1))

    async def some() -> int:
        return await Each(store.sql["hold_all"], [{"reason": RESTORED, "most": 200}])

    await Transaction(begin)
    total = 0
    while moved := int(await Transaction(some)):
        total += moved
        await Sleep(BREATH)
    return total


@value
class Pruned:
    """What `prune` deleted: whole `messages` with all that was known of them, and `bodies` alone."""

    messages: int
    bodies: int


async def prune(store: Store, older_than: float | None, bodies_older_than: float | None) -> Pruned:
    """Delete what ended longer ago than so many seconds, in many short transactions. What is open stays."""
    bodies = messages = 0
    await drop_forgotten(store)
    if bodies_older_than is not None:
        bodies = await _walk(store, bodies_older_than, "bodies_until")
    if older_than is not None:
        messages = await _walk(store, older_than, "")
    return Pruned(messages, bodies)


async def _walk(store: Store, age: float, mark: str) -> int:
    """Go along the ends, oldest first; `mark` names where the last walk for bodies came to."""

    async def begin() -> tuple[int, int]:
        until = int((await Query(store.sql["now"], {}))[0][0] - age * 1000)
        return until, int(await store.meta(mark) or 0) - 1 if mark else -1

    until, at = await Transaction(begin, False)
    after, total = b"\0" * 16, 0
    while True:
        ends = {"until": until, "at": at, "after": after, "most": BATCH}

        async def look(ends: dict[str, Any] = ends) -> tuple[Rows, Rows]:
            rows = await Query(store.sql["finished_before"], ends)
            ids = dict.fromkeys(bytes(id) for id, _ in rows)
            found = [await Query(store.sql["prunable"], {"id": id, "until": until}) for id in ids]
            return rows, [one[0] for one in found if one]

        rows, found = await Transaction(look, False)
        if not rows:
            break
        total += await _drop(store, [(bytes(id), size, gone) for id, size, gone in found], whole=not mark)
        after, at = bytes(rows[-1][0]), int(rows[-1][1])
        await Sleep(BREATH)
    if mark and at >= 0:
        await Transaction(lambda: store.set_meta(mark, str(at)))
    return total


async def _drop(store: Store, found: list[tuple[bytes, int, Any]], whole: bool) -> int:
    """Delete the contents of these messages, and what was known of them if `whole`."""
    dropped, portion, octets = 0, [], 0
    for id, size, gone in found:
        if gone and not whole:
            continue
        if not gone and size > BYTES:
            await _drop_pieces(store, id)
        portion.append(id)
        dropped += 1
        octets += 0 if gone else min(size, BYTES)
        if octets >= BYTES:
            await Transaction(_dropping(store, portion, whole))
            portion, octets = [], 0
    if portion:
        await Transaction(_dropping(store, portion, whole))
    return dropped


def _dropping(store: Store, ids: list[bytes], whole: bool) -> Any:
    async def drop() -> None:
        given = [{"id": id} for id in ids]
        await Each(store.sql["drop_chunks"], [{"id": id, "place": 0} for id in ids])
        if not whole:
            await Each(store.sql["drop_head"], given)
            return
        for name in ("drop_events", "drop_outcomes", "drop_message"):
            await Each(store.sql[name], given)

    return drop


async def _drop_pieces(store: Store, id: bytes) -> None:
    """Delete the pieces of a long content, from the last one on; the head goes first, so that nothing sends it."""

    async def some() -> bool:
        await Each(store.sql["drop_head"], [{"id": id}])
        last = (await Query(store.sql["last_chunk"], {"id": id}))[0][0]
        if last is None:
            return False
        await Each(store.sql["drop_chunks"], [{"id": id, "place": max(0, last - PIECES + 1)}])
        return bool(last >= PIECES)

    while await Transaction(some):
        await Sleep(BREATH)
