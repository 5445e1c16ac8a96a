"""Plans that look: what became of a message."""

from __future__ import annotations

from mailwright.outbox.asking import Query
from mailwright.outbox.ids import text_of
from mailwright.outbox.rows import LANES
from mailwright.outbox.states import LEASED, SENDING, state_of
from mailwright.outbox.status import TEXT_LIMIT, Delivery, Event, Status, moment_of
from mailwright.words.errors import OutboxError
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mailwright.outbox.store import Store


async def status(store: Store, id: bytes) -> Status:
    """The message with all its recipients and what was heard of it. Raises `OutboxError` if there is none."""
    given = {"id": id}
    rows = await Query(store.sql["status_message"], given)
    if not rows:
        raise OutboxError(f"There is no message {text_of(id)} in this outbox.", "It may have been pruned.")
    found = [delivery(row) for row in await Query(store.sql["status_deliveries"], given)]
    events = [_event(row) for row in await Query(store.sql["status_events"], given)]
    _, stream, key, sender, message_id, size, created, expires, pruned = rows[0]
    return Status(
        text_of(id), stream, key, sender, message_id, size, moment_of(created), moment_of(expires), bool(pruned),
        tuple(found), tuple(events),
    )  # fmt: skip


def delivery(row: tuple[Any, ...]) -> Delivery:
    """One row of `status_deliveries` or `find`."""
    id, n, address, account, lane, dest, state, hold, cancelled, attempts, deaths, due, first, code, text, at = row[:16]
    lease_by, host = row[16:] if state_of(state) in (LEASED, SENDING) else (None, None)
    return Delivery(
        text_of(bytes(id)), n, address, state_of(state), account, _lane(lane), dest, "hold" if hold else "retry",
        attempts, code, visible(text, TEXT_LIMIT), moment_of(first), moment_of(due), moment_of(at), deaths,
        bool(cancelled), text_of(bytes(lease_by)) if isinstance(lease_by, (bytes, memoryview)) else "",
        visible(host or "", 100),
    )  # fmt: skip


def _lane(number: object) -> str:
    """A damaged row may hold one that there is not; a worker sets it aside."""
    return LANES[number] if isinstance(number, int) and 0 <= number < len(LANES) else visible(f"{number}", 20)


def _event(row: tuple[Any, ...]) -> Event:
    n, address, kind, at, detail = row
    return Event(n, address, kind, moment_of(at), visible(detail, TEXT_LIMIT))
