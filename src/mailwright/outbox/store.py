"""What an outbox asks of its database, as plans over `Query` and `Each`: the same for both engines, blocking and async.

Every method is one or a few short statements and says nothing of transactions; `mailwright.outbox.asking` tells who
does. What an engine can do better in its own way stands in its own module.
"""

from __future__ import annotations

from hashlib import sha256

from mailwright.outbox.asking import Each, Query
from mailwright.outbox.reading import claimed_rows
from mailwright.outbox.rows import NEVER
from mailwright.outbox.statements import SQLITE, Dialect, statements
from mailwright.outbox.states import HELD
from mailwright.words.errors import MessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from mailwright.message.content import Content
    from mailwright.outbox.rows import Claimed, Consignee, Draft, Result

AMONG = (1, 8, 64, 512)  # how many ids one statement asks for
HEAD = 1 << 18  # octets of a content that stand in the message's own row; the rest is in pieces of as many


class Store:
    """The statements of one engine as plans; it holds nothing else. This class is SQLite's.

    `writers`: how many of one process may put at the same time, when those before take long.
    """

    writers = 1

    def __init__(self, dialect: Dialect = SQLITE) -> None:
        self.dialect = dialect
        self.sql = statements(dialect)

    # About the database

    async def meta(self, name: str) -> str | None:
        """What is noted of this database under `name`: version, identity, epoch, paused."""
        rows = await Query(self.sql["meta"], {"name": name})
        return str(rows[0][0]) if rows else None

    async def set_meta(self, name: str, text: str) -> None:
        """Note it."""
        await Query(self.sql["set_meta"], {"name": name, "value": text})

    # What was put

    async def by_key(self, stream: str, keys: Iterable[str]) -> dict[str, tuple[bytes, bytes]]:
        """Id and fingerprint of the messages of `stream` that were put with one of `keys`."""
        rows = await Query(self.sql["by_key"], {"stream": stream, "keys": self.dialect.listed(keys)})
        return {key: (bytes(id), bytes(fingerprint)) for key, id, fingerprint in rows}

    async def known(self, ids: Sequence[bytes]) -> set[bytes]:
        """Which of `ids` are those of messages in the outbox."""
        return {bytes(rows[0][0]) for id in ids if (rows := await Query(self.sql["known"], {"id": id}))}

    async def any_suppressed(self) -> bool:
        """Whether anything is on the suppression list; it may say so of an empty one."""
        return bool(await Query(self.sql["any_suppressed"], {}))

    async def suppressed(self, names: Iterable[str]) -> dict[str, str]:
        """Those of `names`, addresses and ``@domain``, that are on the suppression list, and the reasons."""
        rows = await Query(self.sql["suppressed"], {"names": self.dialect.listed(names)})
        return dict(rows)

    def suppresses(self, drafts: Sequence[Draft]) -> bool:
        """Whether `insert` looks at the suppression list itself, so that nobody needs to before."""
        return False

    async def insert(self, drafts: Sequence[Draft]) -> list[Draft]:
        """Write the drafts. Gives those that were not written, because another message has their key. Raises
        `MessageError` when a file that is streamed changed since it was read first.
        """
        taken: list[Draft] = []
        if await Each(self.sql["add_message"], [_message(draft) for draft in drafts]) < len(drafts):
            written = await self.known([draft.id for draft in drafts])
            taken = [draft for draft in drafts if draft.id not in written]
            drafts = [draft for draft in drafts if draft.id in written]
        for draft in drafts:
            if draft.content.size > HEAD:
                for piece in pieces_of(draft.id, draft.content, draft.digest):  # never the whole in memory
                    await Each(self.sql["add_chunk"], [piece])
        await self.insert_rows(drafts)
        return taken

    async def insert_message(self, draft: Draft) -> None:
        """The message's row alone, with the head of its content."""
        await Each(self.sql["add_message"], [_message(draft)])

    async def insert_rows(self, drafts: Sequence[Draft]) -> None:
        """The recipients' rows."""
        work: list[tuple[Any, ...]] = []
        done: list[tuple[Any, ...]] = []
        for draft in drafts:
            for one in draft.consignees:
                if one.state.final:
                    done.append(_ended(draft, one))
                else:
                    work.append(_waiting(draft, one))
        if work:
            await Each(self.sql["add_delivery"], work)
        if done:
            await Each(self.sql["add_outcome"], done)

    # The worker's side

    async def destinations(self, account: str, lane: int, after: str = "", most: int = 200) -> list[str]:
        """Up to `most` destinations that have rows in this lane, from the one behind `after` on, in order. Some of
        them may have nothing that is due.
        """
        found: list[str] = []
        while len(found) < most:
            rows = await Query(self.sql["next_destination"], {"account": account, "lane": lane, "after": after})
            if not rows:
                break
            after = rows[0][0]
            found.append(after)
        return found

    async def next_due(self, account: str, lane: int, domain: str) -> int | None:
        """When the first row of this destination is due; `None` if there is none."""
        rows = await Query(self.sql["next_due"], {"account": account, "lane": lane, "dest": domain})
        due = rows[0][0]
        return due if isinstance(due, int) else None  # what is no time is set aside by a worker

    async def claim(
        self, worker: bytes, account: str, lane: int, budgets: Mapping[str, int], lease: float, undoable: bool = False
    ) -> list[Claimed]:
        """Take the lease of up to so many due rows of each destination in `budgets`, for `lease` seconds. `undoable`:
        the caller may want to roll it back when it sees the rows.
        """
        rows: list[tuple[Any, ...]] = []
        for domain, most in budgets.items():
            rows += await Query(
                self.sql["claim"],
                {"worker": worker, "account": account, "lane": lane, "dest": domain, "most": most}
                | {"lease": int(lease * 1000)},
            )
        messages = await self._messages(list({row[0] for row in rows}))
        return await self.read(rows, messages)

    async def read(self, rows: Sequence[tuple[Any, ...]], messages: Mapping[Any, tuple[Any, ...]]) -> list[Claimed]:
        """The rows as values; those that can't be read are set aside."""
        claimed, strange = claimed_rows(rows, messages)
        if strange:
            given = [{"id": one.id, "n": one.n, "reason": one.reason} for one in strange]
            await Each(self.sql["set_aside"], given)
        return claimed

    async def _messages(self, ids: list[bytes]) -> dict[bytes, tuple[Any, ...]]:
        """The messages with these ids, a few statements for all of them."""
        found: dict[bytes, tuple[Any, ...]] = {}
        for start in range(0, len(ids), AMONG[-1]):
            some = ids[start : start + AMONG[-1]]
            width = next(width for width in AMONG if width >= len(some))  # few texts, so that they stay prepared
            sql = self.sql["messages"].replace("{ids}", ", ".join("?" * width))
            for row in await Query(sql, (*some, *[None] * (width - len(some)))):
                found[row[0]] = row
        return found

    async def chunk(self, id: bytes, place: int) -> bytes:
        """Piece `place` (from 0) of what is behind the head of a content; empty when there is none. Raises
        `MessageError` when that is no piece.
        """
        rows = await Query(self.sql["chunk"], {"id": id, "place": place})
        if not rows:
            return b""
        octets = rows[0][0]
        if not isinstance(octets, (bytes, memoryview)):
            raise damaged_piece(place)
        return bytes(octets)

    async def cancelled(self, ids: Sequence[bytes]) -> set[tuple[bytes, int]]:
        """Which recipients of the messages with these ids somebody asked to take back while a worker has them."""
        found: set[tuple[bytes, int]] = set()
        for id in ids:
            found.update([(id, row[0]) for row in await Query(self.sql["cancelled"], {"id": id})])
        return found

    async def mark_sending(self, worker: bytes, rows: Iterable[Claimed]) -> bool:
        """Mark rows, before the last octet of their content leaves. False when one of them is not this worker's any
        more or was taken back: then nothing may be sent. The caller rolls back.
        """
        for row in rows:
            given = {"id": row.id, "n": row.n, "claims": row.claims, "worker": worker}
            if not await Query(self.sql["mark_sending"], given):
                return False
        return True

    async def renew(self, worker: bytes, rows: Iterable[Claimed], lease: float) -> int:
        """Make the leases of `rows` end in `lease` seconds from now. Gives how many are still this worker's."""
        span = int(lease * 1000)
        given = [{"id": row.id, "n": row.n, "claims": row.claims, "worker": worker, "lease": span} for row in rows]
        return await Each(self.sql["renew"], given) if given else 0

    async def settle(self, worker: bytes, results: Sequence[Result]) -> int:
        """Write what became of claimed rows. Gives how many results counted: one of a row that is not this worker's
        any more does not, except the late reply to a row that was set aside in doubt.
        """
        final = [_settled(worker, one) for one in results if one.state.final]
        other = [_settled(worker, one) for one in results if not one.state.final]
        counted = 0
        if final:
            counted += await Each(self.sql["finish"], final)
            await Each(self.sql["finished"], final)
        if other:
            counted += await Each(self.sql["put_off"], other)
        return counted


def _message(draft: Draft) -> tuple[Any, ...]:
    """The parameters of a message's row, in the order of `add_message`."""
    content = draft.content
    head = content.whole() if content.size <= HEAD else b"".join(_first(content.chunks(), HEAD))
    return (
        draft.id, draft.stream, draft.key, draft.fingerprint, draft.sender, draft.message_id, content.size,
        draft.digest, draft.needs, draft.dsn, draft.expires, head,
    )  # fmt: skip


def _first(chunks: Iterator[bytes], octets: int) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk[:octets]
        octets -= len(chunk)
        if octets <= 0:
            return


def pieces_of(id: bytes, content: Content, digest: bytes | None = None) -> Iterator[dict[str, Any]]:
    """What is behind the head, in pieces of the same size. Raises `MessageError` at the end, when it was not what
    `digest` is of.
    """
    held, place, skipped = bytearray(), 0, 0
    made = sha256()
    for chunk in content.chunks():
        made.update(chunk)
        if skipped < HEAD:
            cut = min(HEAD - skipped, len(chunk))
            skipped += cut
            chunk = chunk[cut:]
        held += chunk
        while len(held) >= HEAD:
            yield {"id": id, "place": place, "octets": bytes(held[:HEAD])}
            del held[:HEAD]
            place += 1
    if held:
        yield {"id": id, "place": place, "octets": bytes(held)}
    if digest is not None and made.digest() != digest:
        raise MessageError("A file of the message changed while it was put; nothing was put.", "Put it again.")


def _waiting(draft: Draft, one: Consignee) -> tuple[Any, ...]:
    return (
        draft.id, one.n, one.address, draft.account, draft.lane, one.domain,
        NEVER if one.state is HELD else draft.due, one.state.number,
        int(draft.hold), one.reason,
    )  # fmt: skip


def _ended(draft: Draft, one: Consignee) -> tuple[Any, ...]:
    return (
        draft.id, one.n, one.address, draft.account, draft.lane, one.domain, one.state.number, int(draft.hold),
        one.reason,
    )  # fmt: skip


def damaged_piece(place: int, problem: object = "") -> MessageError:
    """The error for a piece of a content that can't be read."""
    said = f" ({problem})" if problem else ""
    what = f"Piece {place} of the message in the store can't be read{said}."
    return MessageError(what, "Look at the disk and at the last restore.")


def _settled(worker: bytes, one: Result) -> dict[str, Any]:
    return {
        "id": one.id, "n": one.n, "claims": one.claims, "worker": worker, "state": one.state.number,
        "code": one.code, "text": one.text, "delay": int(one.delay * 1000), "counts": int(one.counts),
    }  # fmt: skip
