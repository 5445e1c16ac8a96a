"""A long content on SQLite, where one writer keeps all others out: it is written in many short transactions, and only
the last one makes a message of it that workers, keys and people can see.

What a killed process leaves behind is noted in ``mw_meta``, and `prune` deletes it after a day.
"""

from __future__ import annotations

from mailwright.outbox.asking import Each, Query, Transaction
from mailwright.outbox.putting import same, without_suppressed
from mailwright.outbox.store import pieces_of
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mailwright.outbox.rows import Draft
    from mailwright.outbox.store import Store
    from mailwright.words.errors import MailError

LONG = 4 << 20  # octets of a content from which on it is worth it
PIECES = 4  # pieces of 256 kB that one transaction writes: some 5 ms
FORGOTTEN = 86400_000  # ms after which nobody is writing it any more
NOTE = "staged:"


def is_staged(store: Store, draft: Draft) -> bool:
    """Whether the draft is written this way."""
    return store.dialect.name == "sqlite" and draft.content.size > LONG


async def put_long(store: Store, draft: Draft) -> bytes | MailError:
    """Write the draft, as `mailwright.outbox.putting.put` does. A plan for `conduct`; when it fails, `drop_staged` is
    for its performer to conduct.
    """
    known = await Transaction(lambda: _known(store, draft), False)
    if known is not None:
        return same(draft, *known)
    await Transaction(lambda: _begin(store, draft))
    held: list[dict[str, Any]] = []
    for piece in pieces_of(draft.id, draft.content, draft.digest):
        held.append(piece)
        if len(held) == PIECES:
            await Transaction(lambda: _add(store, held))
            held.clear()
    answer: bytes | MailError = await Transaction(lambda: _finish(store, draft, held))
    if answer != draft.id:
        await drop_staged(store, draft.id)
    return answer


async def drop_staged(store: Store, id: bytes) -> None:
    """Delete what was written of a message that did not become one. A plan for `conduct`."""

    async def some() -> bool:
        if not await store.meta(NOTE + id.hex()):
            return False  # it did become one
        last = (await Query(store.sql["last_chunk"], {"id": id}))[0][0]
        if last is not None:
            await Each(store.sql["drop_chunks"], [{"id": id, "place": max(0, last - PIECES + 1)}])
            return True
        await Each(store.sql["drop_message"], [{"id": id}])
        await Query(store.sql["drop_meta"], {"name": NOTE + id.hex()})
        return False

    while await Transaction(some):
        pass


async def drop_forgotten(store: Store) -> None:
    """Delete what killed processes left behind. A plan for `conduct`."""

    async def look() -> list[str]:
        now = (await Query(store.sql["now"], {}))[0][0]
        oldest = NOTE + max(0, now - FORGOTTEN).to_bytes(6, "big").hex()  # ids begin with their time
        return [row[0] for row in await Query(store.sql["notes"], {"first": NOTE, "last": oldest})]

    for name in await Transaction(look, False):
        await drop_staged(store, bytes.fromhex(name.removeprefix(NOTE)))


async def _known(store: Store, draft: Draft) -> tuple[bytes, bytes] | None:
    return (await store.by_key(draft.stream, [draft.key])).get(draft.key) if draft.key is not None else None


async def _begin(store: Store, draft: Draft) -> None:
    await store.set_meta(NOTE + draft.id.hex(), "1")
    await store.insert_message(replace(draft, key=None, fingerprint=None))


async def _add(store: Store, pieces: list[dict[str, Any]]) -> None:
    for piece in pieces:
        await Each(store.sql["add_chunk"], [piece])


async def _finish(store: Store, draft: Draft, rest: list[dict[str, Any]]) -> bytes | MailError:
    known = await _known(store, draft)  # nobody else writes now
    if known is not None:
        return same(draft, *known)
    await _add(store, rest)
    given = {"id": draft.id, "key": draft.key, "fingerprint": draft.fingerprint}
    await Query(store.sql["set_key"], given)
    await Query(store.sql["drop_meta"], {"name": NOTE + draft.id.hex()})
    await store.insert_rows(await without_suppressed(store, [draft]))
    return draft.id
