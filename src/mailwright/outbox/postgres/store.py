"""What an outbox asks of PostgreSQL: whole batches in one statement each."""

from __future__ import annotations

from hashlib import sha256

from mailwright.outbox.asking import Each, Query
from mailwright.outbox.postgres.arrays import Bigints, Integers, Octets, Texts
from mailwright.outbox.postgres.direct import KnownWhole, Series, Whole
from mailwright.outbox.putting import names_of, without_suppressed
from mailwright.outbox.rows import NEVER
from mailwright.outbox.statements import POSTGRES
from mailwright.outbox.states import HELD
from mailwright.outbox.store import HEAD, Store, _first, pieces_of
from mailwright.words.errors import MessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from mailwright.outbox.rows import Claimed, Draft, Result

BATCH = 1000  # messages at most in one statement
ROOM = 1 << 20  # octets of content in one statement: unnest keeps them in work_mem, and beyond that on the disk


class PostgresStore(Store):
    """The statements of PostgreSQL as plans."""

    writers = 8  # half of the connections that an outbox has

    def __init__(self) -> None:
        super().__init__(POSTGRES)
        self.new = KnownWhole.of(self.sql["claim_new"], NEW)
        self._one = KnownWhole.of(self.sql["add_one"], ONE)
        self._parts = Series.of(self.sql["add_messages"], MANY)
        self._whole = KnownWhole.of(self.sql["add_messages"], MANY)

    async def any_suppressed(self) -> bool:
        """Say so without asking: a question more is a round trip more."""
        return True

    def suppresses(self, drafts: Sequence[Draft]) -> bool:
        """Whether `insert` looks at the suppression list itself."""
        return _single(drafts)

    async def insert(self, drafts: Sequence[Draft]) -> list[Draft]:
        """Write the drafts. Gives those that were not written, because another message has their key. Raises
        `MessageError` when a file that is streamed changed since it was read first.
        """
        if _single(drafts):
            if await Query(self._one, _one(drafts[0])):
                return []
            drafts = await without_suppressed(self, drafts)  # perhaps its key is taken, which is seen below
        taken: list[Draft] = []
        # In one order everywhere, so that two who put the same keys wait for each other and not in a circle.
        ordered = sorted(drafts, key=_by_key) if len(drafts) > 1 and any(one.key for one in drafts) else drafts
        batches = list(_batches(ordered))
        if len(batches) == 1 and all(draft.content.size <= HEAD for draft in ordered):
            rows = await Query(self._whole, _columns(batches[0]))
        else:
            rows = await Query(self._parts, map(_columns, batches))
        written = {row[0] for row in rows}
        for draft in ordered:
            if draft.id not in written:
                taken.append(draft)
            elif draft.content.size > HEAD:
                for piece in pieces_of(draft.id, draft.content, draft.digest):  # never the whole in memory
                    await Each(self.sql["add_chunk"], [piece])
        return taken

    async def suppressed(self, names: Iterable[str]) -> dict[str, str]:
        """See `Store.suppressed`."""
        return dict(await Query(self.sql["suppressed"], {"names": Texts.of(list(names))}))

    async def known(self, ids: Sequence[bytes]) -> set[bytes]:
        """Which of `ids` are those of messages in the outbox."""
        return {row[0] for row in await Query(self.sql["known"], {"ids": Octets.alike(ids)})}

    async def destinations(self, account: str, lane: int, after: str = "", most: int = 200) -> list[str]:
        """Up to `most` destinations that have rows in this lane, from the one behind `after` on, in order. Some of
        them may have nothing that is due.
        """
        given = {"account": account, "lane": lane, "after": after, "most": most}
        return [row[0] for row in await Query(self.sql["destinations"], given)]

    async def claim(
        self, worker: bytes, account: str, lane: int, budgets: Mapping[str, int], lease: float, undoable: bool = False
    ) -> list[Claimed]:
        """See `Store.claim`."""
        given: dict[str, Any] = {"worker": worker, "account": account, "lane": lane, "lease": int(lease * 1000)}
        given |= {"dests": Texts.of(list(budgets)), "budgets": Integers.of(list(budgets.values()))}
        # A transaction by itself, so that the contents are read after it: who is cut off in between has rows that he
        # does not know of, and others get them when their leases end.
        statement = self.sql["claim"] if undoable else Whole(self.sql["claim"])
        return await self.with_messages(await Query(statement, given))

    async def with_messages(self, rows: Sequence[tuple[Any, ...]]) -> list[Claimed]:
        """Claimed rows as values; those that can't be read are set aside."""
        if not rows:
            return []
        ids = Octets.alike([*{row[0]: None for row in rows}])
        messages = {message[0]: message for message in await Query(self.sql["messages"], {"ids": ids})}
        return await self.read(rows, messages)

    async def cancelled(self, ids: Sequence[bytes]) -> set[tuple[bytes, int]]:
        """See `Store.cancelled`."""
        rows = await Query(self.sql["cancelled"], {"ids": Octets.alike(ids)})
        return {(bytes(id), n) for id, n in rows}

    async def mark_sending(self, worker: bytes, rows: Iterable[Claimed]) -> bool:
        """Mark rows, before the last octet of their content leaves. False when one of them is not this worker's any
        more or was taken back: then nothing may be sent. The caller rolls back.
        """
        rows = list(rows)
        return await Each(self.sql["mark_sending"], [{"worker": worker, **_fences(rows)}]) == len(rows)

    async def renew(self, worker: bytes, rows: Iterable[Claimed], lease: float) -> int:
        """Make the leases of `rows` end in `lease` seconds from now. Gives how many are still this worker's."""
        rows = list(rows)
        if not rows:
            return 0
        return await Each(self.sql["renew"], [{"worker": worker, "lease": int(lease * 1000), **_fences(rows)}])

    async def settle(self, worker: bytes, results: Sequence[Result]) -> int:
        """Write what became of claimed rows. Gives how many results counted: one of a row that is not this worker's
        any more does not, except the late reply to a row that was set aside in doubt.
        """
        final = [one for one in results if one.state.final]
        other = [one for one in results if not one.state.final] if len(final) < len(results) else []
        counted = 0
        if final:
            counted += await Each(self.sql["finish"], [{"worker": worker, **_fences(final), **_results(final)}])
        if other:
            delays = Bigints.of([int(one.delay * 1000) for one in other])
            given = {"worker": worker, **_fences(other), **_results(other), "delays": delays}
            counted += await Each(self.sql["put_off"], [given])
        return counted


def _by_key(draft: Draft) -> tuple[str, str]:
    return draft.stream, draft.key or ""


def _batches(drafts: Sequence[Draft]) -> Iterator[Sequence[Draft]]:
    """The drafts, so many at a time that one statement can hold."""
    if len(drafts) == 1:
        yield drafts
        return
    held: list[Draft] = []
    octets = 0
    for draft in drafts:
        size = min(draft.content.size, ROOM)
        if held and (len(held) >= BATCH or octets + size > ROOM):
            yield held
            held, octets = [], 0
        held.append(draft)
        octets += size
    if held:
        yield held


def _head(draft: Draft) -> bytes:
    """The first octets of the content, which are all of most. What is longer is checked when its pieces are there."""
    content = draft.content
    if content.in_memory and content.size <= HEAD:
        return content.whole()
    if content.size > HEAD:
        return b"".join(_first(content.chunks(), HEAD))
    head = content.whole()
    if sha256(head).digest() != draft.digest:
        raise MessageError("A file of the message changed while it was put; nothing was put.", "Put it again.")
    return head


def _single(drafts: Sequence[Draft]) -> bool:
    """Whether it is what `add_one` writes."""
    if len(drafts) != 1 or len(drafts[0].consignees) != 1:
        return False
    return drafts[0].content.size <= HEAD and not drafts[0].consignees[0].state.final


# The parameters of `add_one` and `add_messages` with the numbers of their types, in the order of `_one` and `_columns`.
_BYTEA, _TEXT, _INT, _BIGINT, _BOOLEAN = 17, 25, 23, 20, 16
ONE = {
    "id": _BYTEA, "stream": _TEXT, "key": _TEXT, "fingerprint": _BYTEA, "sender": _TEXT, "message_id": _TEXT,
    "size": _BIGINT, "digest": _BYTEA, "needs": _INT, "dsn": _TEXT, "expires": _BIGINT, "head": _BYTEA, "n": _INT,
    "rcpt": _TEXT, "account": _TEXT, "lane": _INT, "domain": _TEXT, "due": _BIGINT, "state": _INT, "hold": _INT,
    "reason": _TEXT, "address": _TEXT, "host": _TEXT,
}  # fmt: skip
MANY = {
    "keyed": _BOOLEAN, "ids": Octets.kind, "streams": Texts.kind, "keys": Texts.kind, "fingerprints": Octets.kind,
    "senders": Texts.kind, "message_ids": Texts.kind, "sizes": Bigints.kind, "digests": Octets.kind,
    "needs": Integers.kind, "dsns": Texts.kind, "expires": Bigints.kind, "heads": Octets.kind, "owners": Octets.kind,
    "ns": Integers.kind, "addresses": Texts.kind, "accounts": Texts.kind, "lanes": Integers.kind,
    "domains": Texts.kind, "dues": Bigints.kind, "states": Integers.kind, "holds": Integers.kind,
    "reasons": Texts.kind,
}  # fmt: skip

# Those of `claim_new`, in the order of `mailwright.outbox.postgres.waking.NewClaim`.
NEW = {
    "identity": _TEXT, "worker": _BYTEA, "account": _TEXT, "most": _INT, "each": _INT, "ways": _INT,
    "closed": Texts.kind, "lease": _INT,
}  # fmt: skip


def _one(draft: Draft) -> tuple[Any, ...]:
    """The parameters of `add_one`."""
    (one,) = draft.consignees
    return (
        draft.id, draft.stream, draft.key, draft.fingerprint, draft.sender, draft.message_id, draft.content.size,
        draft.digest, draft.needs, draft.dsn, draft.expires, _head(draft), one.n, one.address, draft.account,
        draft.lane, one.domain, NEVER if one.state is HELD else draft.due, one.state.number, int(draft.hold),
        one.reason, *names_of(one.address, one.domain),
    )  # fmt: skip


def _columns(drafts: Sequence[Draft]) -> tuple[Any, ...]:
    """The parameters of `add_messages`."""
    rows = [(draft, one) for draft in drafts for one in draft.consignees]
    return (
        any(draft.key for draft in drafts),
        Octets.alike([draft.id for draft in drafts]),
        Texts.of([draft.stream for draft in drafts]),
        Texts.of([draft.key for draft in drafts]),
        Octets.of([draft.fingerprint for draft in drafts]),
        Texts.of([draft.sender for draft in drafts]),
        Texts.of([draft.message_id for draft in drafts]),
        Bigints.of([draft.content.size for draft in drafts]),
        Octets.of([draft.digest for draft in drafts]),
        Integers.of([draft.needs for draft in drafts]),
        Texts.of([draft.dsn for draft in drafts]),
        Bigints.of([draft.expires for draft in drafts]),
        Octets.of([_head(draft) for draft in drafts]),
        Octets.alike([draft.id for draft, _ in rows]),
        Integers.of([one.n for _, one in rows]),
        Texts.of([one.address for _, one in rows]),
        Texts.of([draft.account for draft, _ in rows]),
        Integers.of([draft.lane for draft, _ in rows]),
        Texts.of([one.domain for _, one in rows]),
        Bigints.of([draft.due for draft, _ in rows]),
        Integers.of([one.state.number for _, one in rows]),
        Integers.of([draft.hold for draft, _ in rows]),
        Texts.of([one.reason for _, one in rows]),
    )


def _fences(rows: Sequence[Claimed] | Sequence[Result]) -> dict[str, Any]:
    return {
        "ids": Octets.alike([one.id for one in rows]),
        "ns": Integers.of([one.n for one in rows]),
        "claims": Integers.of([one.claims for one in rows]),
    }


def _results(rows: Sequence[Result]) -> dict[str, Any]:
    return {
        "states": Integers.of([one.state.number for one in rows]),
        "counts": Integers.of([one.counts for one in rows]),
        "codes": Integers.of([one.code for one in rows]),
        "texts": Texts.of([one.text for one in rows]),
    }
