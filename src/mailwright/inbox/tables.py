"""The tables of one inbox, for one thread at a time: messages in and out, looked up, counted.

In a file a message is laid down with as little work as its safety needs. What the list shows of it is read from it
later, many messages at a time, and its words go into the index later still: each transaction makes FTS5 write a whole
tree of its own.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailwright.inbox.database import in_time, statements
from mailwright.inbox.kept import Row
from mailwright.inbox.packing import packed, packed_transcript
from mailwright.inbox.search import Query
from mailwright.inbox.summary import READ, Summary, summary
from mailwright.words.value import value

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from mailwright.smtp.receiving.received import Received

PIECE = 1 << 18  # octets of content in one row
_PIECES = 1 << 20  # the most that a message can have: schema.sql
_UNREADABLE = Summary("", "", "", "", "", "", 0, "")


@value
class Arrival:
    """A message that came, with its id, the Unix time, and the octets that it counts for."""

    id: int
    moment: float
    received: Received
    weight: int


class Tables:
    """`count` messages of `weight` octets are there; `latest` is the highest id that was ever there; `dropped` had to
    make room. With `whole` the content is kept here too.
    """

    def __init__(self, connection: sqlite3.Connection, whole: bool) -> None:
        self._run = connection
        self._sql = statements()
        self._whole = whole
        self.latest: int
        self.dropped: int
        self.count: int
        self.weight: int
        self._indexed: int
        self.latest, self._indexed, self.dropped = self._one("state")
        highest, self.count, self.weight = self._one("totals")
        self.latest = max(self.latest, highest)

    @property
    def unindexed(self) -> int:
        """How many ids there are whose words are not in the index."""
        return self.latest - self._indexed

    # In.

    def lay(self, arrivals: Sequence[Arrival]) -> None:
        """Write these down, all or none, to be safe until `add` is called with them or, in the next run, with those
        that `strays` gives.
        """
        if len(arrivals) == 1 and arrivals[0].received.size <= PIECE:
            self._run.execute(self._sql["add_piece"], next(_pieces(arrivals[0])))  # a transaction of its own
            return
        with self._transaction():
            for one in arrivals:
                self._run.executemany(self._sql["add_piece"], _pieces(one))

    def strays(self) -> list[tuple[int, str]]:
        """The ids of messages that were laid down and not added, and what `packing` made of them."""
        return self._run.execute(self._sql["strays"], (self.latest,)).fetchall()

    def add(self, arrivals: Sequence[Arrival], limit: int, size_limit: int) -> list[int]:
        """Keep these, all or none, and let the oldest go while there are more than `limit` or more octets than
        `size_limit`, but for one. Gives the ids of those that went.
        """
        run, sql = self._run, self._sql
        before = self.latest, self.count, self.weight, self.dropped
        told = [(one, _summary(one.received)) for one in arrivals]
        with self._transaction():
            try:
                run.executemany(sql["add"], [_columns(one, its, self._whole) for one, its in told])
                run.executemany(sql["add_text"], [(one.id, its.text, its.to_and_cc, its.names) for one, its in told])
                self.weight += sum([one.weight for one in arrivals])
                self.count += len(arrivals)
                self.latest = max([self.latest, *[one.id for one in arrivals]])
                gone = self._excess(limit, size_limit)
                self.dropped += self._out(gone)
                if gone:
                    self._note_state()
            except BaseException:
                self.latest, self.count, self.weight, self.dropped = before
                raise
        return gone

    def _excess(self, limit: int, size_limit: int) -> list[int]:
        old: list[int] = []
        excess, weight = self.count - limit, self.weight
        if excess > 0 or weight > size_limit:
            for id, one in self._run.execute(self._sql["oldest"]):
                if (excess <= 0 and weight <= size_limit) or len(old) >= self.count - 1:
                    break
                old.append(id)
                excess, weight = excess - 1, weight - one
        return old

    def _note_state(self) -> None:
        self._run.execute(self._sql["note_state"], (self.latest, self._indexed, self.dropped))

    def index(self) -> None:
        """Put the words of all new messages into the index."""
        before = self._indexed
        if before < self.latest:
            with self._transaction():
                try:
                    self._run.execute(self._sql["index"], (before,))
                    self._indexed = self.latest
                    self._note_state()
                except BaseException:
                    self._indexed = before
                    raise

    # Out.

    def delete(self, ids: Iterable[int]) -> int:
        """Take these out; gives how many there were."""
        before = self.count, self.weight
        with self._transaction():
            try:
                self._note_state()  # the highest id is not told by the messages when that one goes
                return self._out(ids)
            except BaseException:
                self.count, self.weight = before
                raise

    def _out(self, ids: Iterable[int]) -> int:
        run, sql, count = self._run, self._sql, 0
        for id in ids:
            found = run.execute(sql["weight"], (id,)).fetchone()
            if found is None:
                continue
            run.execute(sql["unindex"], (id, self._indexed))
            run.execute(sql["delete"], (id,))
            run.execute(sql["delete_text"], (id,))
            if self._whole:
                run.execute(sql["delete_pieces"], (id * _PIECES, (id + 1) * _PIECES - 1))
            count += 1
            self.count, self.weight = self.count - 1, self.weight - found[0]
        return count

    def clear(self) -> int:
        """Take all out; gives how many there were."""
        count, indexed = self.count, self._indexed
        with self._transaction():
            try:
                for name in ("unindex_all", "delete_all", "delete_all_texts", "delete_all_pieces"):
                    self._run.execute(self._sql[name])
                self._indexed = self.latest
                self._note_state()
            except BaseException:
                self._indexed = indexed
                raise
        self.count = self.weight = 0
        return count

    # Looked at.

    def rows(self, query: Query, before: int, limit: int) -> list[Row]:
        """The newest that fit with a lower id than `before`, the newest first. Raises `SearchError`."""
        return self._select("rows", query, before, limit)

    def rows_after(self, query: Query, after: int, limit: int) -> list[Row]:
        """The oldest that fit with a higher id than `after`, the oldest first. Raises `SearchError`."""
        return self._select("rows_after", query, after, limit)

    def how_many(self, query: Query) -> int:
        """How many fit. Raises `SearchError`."""
        with in_time(self._run):
            found: int = self._one("count", query.parameters, query.where)[0]
        return found

    def ids(self) -> list[int]:
        """All ids, the lowest first."""
        return [id for (id,) in self._run.execute(self._sql["ids"])]

    def facts(self, id: int) -> tuple[str, str | None] | None:
        """What `packing` made of a message and of its transcript."""
        found: tuple[str, str | None] | None = self._run.execute(self._sql["facts"], (id,)).fetchone()
        return found

    def piece(self, id: int, number: int) -> bytes | None:
        """One piece of a content, counted from 0; `None` if it is not there."""
        found = self._run.execute(self._sql["piece"], (id * _PIECES + number,)).fetchone()
        return None if found is None else found[0]

    def mark(self, id: int, seen: bool) -> bool:
        """Note whether a message was looked at; false if it is not there."""
        return bool(self._run.execute(self._sql["mark"], (int(seen), id)).rowcount)

    def _select(self, name: str, query: Query, bound: int, limit: int) -> list[Row]:
        sql = self._sql[name].replace("{where}", f"({query.where})")
        with in_time(self._run):
            return [_row(found) for found in self._run.execute(sql, (bound, *query.parameters, limit))]

    def _one(self, name: str, parameters: tuple[Any, ...] = (), where: str = "1") -> tuple[Any, ...]:
        sql = self._sql[name].replace("{where}", f"({where})")
        found: tuple[Any, ...] = self._run.execute(sql, parameters).fetchone()
        return found

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._run.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._run.execute("COMMIT")
        except BaseException:
            if self._run.in_transaction:  # after some errors SQLite has gone back by itself
                self._run.execute("ROLLBACK")
            raise


def _pieces(one: Arrival) -> Iterator[tuple[int, str | None, bytes]]:
    """The rows of the table `contents`, one at least."""
    received, place = one.received, one.id * _PIECES
    facts: str | None = packed(received, one.moment)
    if received.size <= PIECE:
        yield place, facts, received.content
        return
    for piece in received.blocks(PIECE):
        yield place, facts, piece
        place, facts = place + 1, None


def _summary(received: Received) -> Summary:
    try:
        if received.size <= READ:
            return summary(received.content)
        blocks = received.blocks(READ)
        return summary(next(blocks), blocks)
    except (ValueError, LookupError, RecursionError):
        return _UNREADABLE  # one message that our reader stumbles over must not keep the others out


def _columns(one: Arrival, told: Summary, whole: bool) -> tuple[Any, ...]:
    """A row of the table `messages`."""
    received, tls = one.received, one.received.tls
    return (
        one.id,
        one.moment,
        received.envelope.reverse_path,
        "\n" + "\n".join([address.spec for address in received.recipients]) + "\n",
        told.subject,
        told.from_header,
        told.to_header,
        told.date,
        received.size,
        one.weight,
        told.attachments,
        told.preview,
        received.login,
        f"{tls.version} {tls.cipher}" if tls is not None else "",
        received.note,
        packed_transcript(received.transcript) if whole else None,
    )


def _split(recipients: str) -> tuple[str, ...]:
    return tuple(recipients[1:-1].split("\n"))


def _row(found: tuple[Any, ...]) -> Row:
    row: list[Any] = list(found)  # in the order of its fields
    row[3], row[11] = _split(row[3]), bool(row[11])
    return Row(*row)
