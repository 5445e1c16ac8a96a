"""What a worker asks of PostgreSQL when it is rung for, and after a claim whose answer was lost."""

from __future__ import annotations

from mailwright.outbox.asking import Query
from mailwright.outbox.postgres.arrays import Texts
from mailwright.outbox.postgres.session import Whole
from mailwright.outbox.putting import names_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from mailwright.outbox.postgres.store import PostgresStore
    from mailwright.outbox.rows import Claimed

    Found = tuple[list[Claimed], dict[str, str]]

WAYS = 200  # lanes' destinations looked at: what was put for one behind them is found by the usual walk
_DELIVERY, _MESSAGE = 12, 22  # where the columns of a row end in `claim_new`, and those of its message


class NewClaim:
    """A claim of a few rows that nobody has tried yet, in one round trip; nothing while all is paused, or the account,
    and of no destination that is stopped, slowed or one of `closed`. `identity` is that of the database.
    """

    def __init__(
        self, store: PostgresStore, identity: str, worker: bytes, account: str, most: int, each: int,
        closed: Sequence[str], lease: float,
    ) -> None:  # fmt: skip
        self._store = store
        self._given = (identity, worker, account, most, each, WAYS, Texts.of(list(closed)), int(lease * 1000))
        self._rows: list[tuple[Any, ...]] | None = None

    async def plan(self) -> Found:
        """The rows, and those of their names that are on the suppression list with the reasons. Once it has claimed,
        a repetition does not claim again.
        """
        if self._rows is None:
            self._rows = await Query(self._store.new, self._given)
        rows = self._rows
        if not rows:
            return [], {}
        messages = {row[0]: row[_DELIVERY:_MESSAGE] for row in rows if row[_DELIVERY] is not None}
        claimed = await self._store.read([row[:_DELIVERY] for row in rows], messages)
        return claimed, await _listed(self._store, claimed) if rows[0][_MESSAGE] else {}


async def forgotten(store: PostgresStore, worker: bytes, account: str, lease: float) -> Found:
    """All rows of which this worker has a lease that is not over, whether it knows of them or not; the leases last
    `lease` seconds from now.
    """
    given = {"worker": worker, "account": account, "lease": int(lease * 1000)}
    rows = await store.with_messages(await Query(Whole(store.sql["forgotten"]), given))
    return rows, await _listed(store, rows)


async def _listed(store: PostgresStore, rows: Iterable[Claimed]) -> dict[str, str]:
    return await store.suppressed({name for row in rows for name in names_of(row.address, row.domain)})
