"""What was received, kept in SQLite: listed, searched, waited for, bounded, and safe for threads.

One connection and one lock: SQLite works for one thread at a time. Who delivers mail is not made to wait by work that
only its readers need: a message is first laid in a tray, and taken over into the list when somebody looks, or when the
tray is full. What lies there is in the file already if there is one, and found again after a crash.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailwright.inbox.database import StoreError, failed, opened
from mailwright.inbox.packing import unpacked, unpacked_transcript
from mailwright.inbox.search import Query, parse
from mailwright.inbox.tables import PIECE, Arrival, Tables
from mailwright.mailer.loops import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Self, TypeVar

    from mailwright.inbox.kept import Row
    from mailwright.smtp.receiving.received import Received

    T = TypeVar("T")

_TRAY = 200  # messages that lie in the tray at most,
_TRAY_WEIGHT = 4 << 20  # and their octets, but for the last one
_SHARE = 50  # and of what the store may hold only this part
_UNINDEXED = 1000  # messages in a file whose words are not in the index yet, at most
_LATEST = 1 << 40  # no id is as high, and the pieces of such a message would still have 63 bits


class Store:
    """Received messages in the order of their arrival, each with an `id` that never comes again.

    At most `limit` of them and `size_limit` octets are kept: the oldest make room, and are counted in `dropped`. Safe
    for threads. Everything may raise `StoreError` if the database fails.
    """

    def __init__(self, connection: sqlite3.Connection, path: str | None, limit: int, size_limit: int) -> None:
        self.path = path
        self.limit = limit
        self.size_limit = size_limit
        self._close = weakref.finalize(self, connection.close)
        self._database = threading.RLock()
        self._tables = Tables(connection, whole=path is not None)
        self._changed = threading.Condition()  # guards what follows; nobody waits for the database who holds it
        self._latest = self._tables.latest
        self._tray: list[Arrival] = []
        self._tray_weight = 0
        self._tray_limit = min(_TRAY, 1 + limit // _SHARE)
        self._tray_weight_limit = min(_TRAY_WEIGHT, size_limit // _SHARE)
        self._held: dict[int, Received] = {}  # in memory: the messages themselves
        self._watchers: list[Callable[[], None]] = []
        self._changes = 0

    @classmethod
    def open(cls, path: str | None = None, *, limit: int = 10_000, size_limit: int = 256 << 20) -> Store:
        """A store in memory, or in the file `path`, which is made for this user alone (mode 0600) if it is not there.

        Raises `ConfigError` for a file that is no inbox, that is in use by another, or that can't be written.
        """
        store = cls(opened(path), path, limit, size_limit)
        with store._work():
            store._take_over(store._strays())  # and what is too much goes
        return store

    def close(self) -> None:
        """Close the file; nothing can be read or kept any more then. May be called again."""
        with self._database:
            try:
                if self.path is not None and self._close.alive:
                    with self._reading("") as _:
                        self._tables.index()
            finally:
                self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What comes in.

    def add(self, received: Received) -> int:
        """Keep a message, wake whoever waits, and give its id."""
        return self.add_all((received,))[0]

    def add_all(self, batch: Sequence[Received]) -> list[int]:
        """Keep several messages, in a file with one commit for all of them. They are kept when this returns, or
        none of them is and it raises `StoreFull` or another `StoreError`.
        """
        ids = self.lay(batch)
        self.tell()
        return ids

    def lay(self, batch: Sequence[Received]) -> list[int]:
        """The same, but nobody who waits is woken: `tell` does that."""
        if len(self._tray) >= self._tray_limit or self._tray_weight > self._tray_weight_limit:
            self.settle()
        if self.path is None:
            with self._changed:  # who saw an id must find the message: in the same breath it is in the tray
                arrivals = self._numbered(batch)
                self._put(arrivals)
        else:
            with self._work():
                with self._changed:
                    arrivals = self._numbered(batch)
                self._tables.lay(arrivals)
                with self._changed:
                    self._put(arrivals)
        return [arrival.id for arrival in arrivals]

    def _put(self, arrivals: Sequence[Arrival]) -> None:
        self._tray += arrivals
        self._tray_weight += sum([one.weight for one in arrivals])

    def _numbered(self, batch: Sequence[Received]) -> list[Arrival]:
        now, first = time.time(), self._latest + 1
        self._latest += len(batch)
        return [Arrival(first + n, now, received, _weight(received)) for n, received in enumerate(batch)]

    def tell(self) -> None:
        """Wake whoever waits for a message: there may be one."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()
            watchers = tuple(self._watchers)
        for watcher in watchers:
            watcher()

    def settle(self) -> None:
        """Take over what is in the tray. What can't be taken over stays there."""
        if self._tray:
            with self._work():
                with self._changed:
                    tray, self._tray, self._tray_weight = self._tray, [], 0
                tray.sort(key=lambda one: one.id)
                try:
                    self._take_over(tray)
                except BaseException:
                    with self._changed:
                        self._put(tray)
                    raise
                if self.path is not None and self._tables.unindexed > _UNINDEXED:
                    self._tables.index()

    def _take_over(self, arrivals: Sequence[Arrival]) -> None:
        gone = self._tables.add(arrivals, self.limit, self.size_limit)
        if self.path is None:
            self._held.update([(one.id, one.received) for one in arrivals])
            for id in gone:
                self._held.pop(id, None)

    def _strays(self) -> list[Arrival]:
        """What lay in the tray when the process of an earlier run died."""
        found = []
        for id, facts in self._tables.strays():
            received, moment = unpacked(facts, self._octets_of(id), None)
            found.append(Arrival(id, moment, received, _weight(received)))
        self._latest = max([self._latest, *[one.id for one in found]])
        return found

    def _octets_of(self, id: int) -> Callable[[int], Stored]:
        return lambda size: Stored(self, id, size)

    # What is there.

    @property
    def latest(self) -> int:
        """The highest id that was ever given; 0 before the first."""
        return self._latest

    @property
    def dropped(self) -> int:
        """How many messages had to make room for newer ones."""
        self.settle()
        return self._tables.dropped

    def rows(self, query: Query | str = "", *, before: int | None = None, limit: int = 50) -> list[Row]:
        """The newest messages that `query` fits, the newest first; with `before` those with a lower id.

        Raises `SearchError`. What can be asked: `mailwright.inbox.search.parse`.
        """
        with self._reading(query) as asked:
            return self._tables.rows(asked, _LATEST if before is None else _bounded(before), _bounded(limit))

    def rows_after(self, id: int, query: Query | str = "", *, limit: int = 50) -> list[Row]:
        """The messages with a higher id that `query` fits, the oldest first. Raises `SearchError`."""
        with self._reading(query) as asked:
            return self._tables.rows_after(asked, _bounded(id), _bounded(limit))

    def count(self, query: Query | str = "") -> int:
        """How many messages `query` fits. Raises `SearchError`."""
        with self._reading(query) as asked:
            return self._tables.count if asked == Query() else self._tables.how_many(asked)

    def row(self, id: int) -> Row | None:
        """The message with this id in the list, if it is there."""
        with self._reading(Query("id = ?", (_bounded(id),))) as asked:
            return next(iter(self._tables.rows(asked, _LATEST, 1)), None)

    def received(self, id: int) -> Received | None:
        """The whole message, if it is there; its content is read when it is asked for."""
        with self._reading() as _:
            if self.path is None:
                return self._held.get(id)
            found = self._tables.facts(_bounded(id))
        if found is None:
            return None
        facts, said = found
        return unpacked(facts, self._octets_of(id), unpacked_transcript(said))[0]

    def messages(self) -> Iterator[Received]:
        """All messages, the oldest first."""
        with self._reading() as _:
            ids = self._tables.ids()
        for id in ids:
            received = self.received(id)
            if received is not None:
                yield received

    def chunks(self, id: int) -> Iterator[bytes]:
        """The octets of a message in pieces of at most 256 kB; none for a message that is not there."""
        received = self.received(id)
        return iter(()) if received is None else received.blocks(PIECE)

    def piece(self, id: int, number: int) -> bytes | None:
        """One piece of the content of a message in a file, counted from 0; `None` if it is not there."""
        with self._work():
            return self._tables.piece(id, number)

    # What is done to it.

    def mark(self, id: int, seen: bool) -> bool:
        """Note that a message was looked at, or was not; false if it is not there."""
        with self._reading() as _:
            changed = self._tables.mark(_bounded(id), seen)
        if changed:
            self.tell()
        return changed

    def delete(self, ids: Iterable[int] | None = None) -> int:
        """Throw these messages away, or all of them; gives how many there were."""
        known = None if ids is None else [_bounded(id) for id in ids]
        with self._reading() as _:
            count = self._tables.clear() if known is None else self._tables.delete(known)
            for id in tuple(self._held) if known is None else known:
                self._held.pop(id, None)
        if count:
            self.tell()
        return count

    # Waiting.

    def wait(self, wanted: Query | str, timeout: float) -> Row | None:
        """The first message that fits, among those which are there and those which arrive within `timeout` seconds, or
        `None`. Each is looked at once. Blocks the thread. Raises `SearchError`.
        """
        return self.wait_until(Look(self, wanted), timeout)

    async def wait_async(self, wanted: Query | str, timeout: float) -> Row | None:
        """The same under asyncio and Trio: other tasks go on meanwhile."""
        return await self.wait_until_async(Look(self, wanted), timeout)

    def wait_until(self, look: Callable[[], T | None], timeout: float) -> T | None:
        """What `look` gives as soon as it is not `None`: it is called now, and again when something changed, for
        `timeout` seconds. Blocks the thread.
        """
        end = time.monotonic() + timeout
        looked_at = -1

        def has_more() -> bool:
            return self._changes != looked_at

        while True:
            looked_at = self._changes
            found = look()
            if found is not None:
                return found
            with self._changed:
                if not self._changed.wait_for(has_more, max(0.0, end - time.monotonic())):
                    return None

    async def wait_until_async(self, look: Callable[[], T | None], timeout: float) -> T | None:
        """The same under asyncio and Trio."""
        loop = running()
        bell = loop.Bell()
        found: T | None = None

        async def search() -> None:
            nonlocal found
            while (found := look()) is None:
                await bell.heard()

        with self.watched(bell.ring):
            await loop.in_time(search, timeout)
        return found

    @contextmanager
    def watched(self, watcher: Callable[[], None]) -> Iterator[None]:
        """Call `watcher` inside this block whenever something arrived, was marked or thrown away, in the thread that
        did it.
        """
        with self._changed:
            self._watchers.append(watcher)
        try:
            yield
        finally:
            with self._changed:
                self._watchers.remove(watcher)

    @contextmanager
    def _work(self) -> Iterator[None]:
        """Have the database for oneself; its errors become ours."""
        with self._database:
            try:
                yield
            except sqlite3.Error as problem:
                raise failed(problem) from problem

    @contextmanager
    def _reading(self, query: Query | str = "") -> Iterator[Query]:
        """The same, with everything in the tables, and in the index if the query asks it."""
        asked = parse(query) if isinstance(query, str) else query
        with self._work():
            self.settle()
            if "search" in asked.where:
                self._tables.index()
            yield asked


class Look:
    """Looks for the first message that fits, at each only once. `latest` is the last that was looked at."""

    def __init__(self, store: Store, wanted: Query | str) -> None:
        self._store = store
        self._query = parse(wanted) if isinstance(wanted, str) else wanted
        self.latest = 0

    def __call__(self) -> Row | None:
        after, self.latest = self.latest, self._store.latest
        return next(iter(self._store.rows_after(after, self._query, limit=1)), None)


class Stored:
    """The octets of a message in a file, read piece by piece."""

    __slots__ = ("_id", "_store", "size")

    def __init__(self, store: Store, id: int, size: int) -> None:
        self._store = store
        self._id = id
        self.size = size

    def blocks(self, length: int) -> Iterator[bytes]:
        """The octets in blocks of `length`. Raises `StoreError` when the message was thrown away meanwhile."""
        held, left, number = b"", self.size, 0
        while left:
            while len(held) < min(length, left):
                piece = self._store.piece(self._id, number)
                if piece is None:
                    raise StoreError("The message was thrown away.", "It had to make room, or somebody deleted it.")
                held, number = held + piece if held else piece, number + 1
            yield held[:length]
            left -= min(length, left)
            held = held[length:]


def _bounded(number: int) -> int:
    """A number that SQLite can hold; no id is as high or as low as the bounds."""
    return max(-1, min(number, _LATEST))


def _weight(received: Received) -> int:
    """Octets that a message counts for, roughly: one without content may have a thousand recipients."""
    weight = received.size + 500 * (1 + len(received.recipients))
    for parameters in (received.mail_parameters, *received.rcpt_parameters):
        if parameters:
            weight += sum(map(len, parameters.values()))
    return weight
