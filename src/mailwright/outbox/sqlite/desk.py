"""A worker's access to the file: statements that never block its event loop for longer than they take themselves."""

from __future__ import annotations

import asyncio
import sqlite3
from time import monotonic

from mailwright.outbox.asking import perform
from mailwright.outbox.sqlite.engine import SqliteDatabase
from mailwright.outbox.sqlite.session import BUSY, SqliteSession, code_of
from mailwright.outbox.store import damaged_piece
from mailwright.outbox.work.settling import Replaced
from mailwright.words.errors import OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from mailwright.outbox.rows import Claimed
    from mailwright.outbox.store import Store
    from mailwright.steps import Plan

    T = TypeVar("T")

SHORTEST, LONGEST = 0.001, 0.05  # seconds between two tries at the lock
POLL = 0.003  # seconds between two looks at whether somebody committed
CALM = 120.0  # seconds without news after which it looks less often
CALM_POLL = 0.02
PATIENT = 5.0  # seconds that somebody else may hold the lock before it is told,
REMIND = 60.0  # and again
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class SqliteDesk:
    """The database of `SqliteDatabase` for a worker: one connection, used in the event loop's own thread, since a short
    statement takes less time than handing it to another thread.
    """

    def __init__(self, path: str, store: Store) -> None:
        self._database = database = SqliteDatabase(path)
        self.store = store
        self.place = database.place
        self._connection = database.connection()
        self._version = self._data_version()
        self.trouble: Callable[[OutboxUnavailable], object] | None = None
        self._told_until = 0.0

    async def write(self, make: Callable[[], Plan[T]]) -> T:
        """One durable transaction. For as long as another writer has the lock it is tried again and again, without
        holding up the loop, until it is cancelled; `trouble` is told when that takes long. Raises `OutboxUnavailable`.
        """
        pause, begun = SHORTEST, monotonic()
        while True:
            try:
                return self._transaction("BEGIN IMMEDIATE", make)
            except sqlite3.Error as problem:
                if code_of(problem) not in BUSY:
                    raise self._database.failed(problem) from problem
            self._tell_of_waiting(begun)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST)

    def _tell_of_waiting(self, begun: float) -> None:
        now = monotonic()
        if self.trouble is None or now - begun < PATIENT or now < self._told_until:
            return
        self._told_until = now + REMIND
        what = f"Somebody has held {self.place} locked for writing for {now - begun:.0f} seconds."
        self.trouble(OutboxUnavailable(what, "Look for a transaction that is left open. What is known is kept."))

    async def read(self, make: Callable[[], Plan[T]]) -> T:
        """One view of what is committed. Raises `OutboxUnavailable`."""
        try:
            return self._transaction("BEGIN", make)
        except sqlite3.Error as problem:
            raise self._database.failed(problem) from problem

    async def survey(self, make: Callable[[], Plan[T]]) -> T:
        """A look that may take long: in a thread, so that it holds up nobody. Raises `OutboxUnavailable`."""
        return await asyncio.to_thread(self._database.read, make)

    def _transaction(self, begin: str, make: Callable[[], Plan[T]]) -> T:
        try:
            return self._attempt(begin, make)
        except sqlite3.OperationalError as problem:
            if getattr(problem, "sqlite_errorcode", None) or "decode" not in str(problem):
                raise
        # A text that is none stands in one of the rows: it comes as octets, and its row is set aside.
        self._connection.text_factory = _lenient
        try:
            return self._attempt(begin, make)
        finally:
            self._connection.text_factory = str

    def _attempt(self, begin: str, make: Callable[[], Plan[T]]) -> T:
        connection = self._connection
        connection.execute(begin)
        try:
            result = perform(make(), SqliteSession(connection))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result

    async def claim_new(
        self, worker: bytes, account: str, most: int, each: int, closed: Sequence[str], lease: float
    ) -> tuple[list[Claimed], dict[str, str]]:
        """Nothing: no question to a file costs a round trip, and so the usual walk takes no longer."""
        return [], {}

    async def forgotten(self, worker: bytes, account: str, lease: float) -> tuple[list[Claimed], dict[str, str]]:
        """Nothing: a COMMIT gets its answer, or the process dies with it."""
        return [], {}

    async def pieces(self, row: Claimed) -> Callable[[int], bytes]:
        """What gives the pieces behind the head of a content, one at a time, when they are sent. They raise
        `MessageError` for one that can't be read, and `OutboxUnavailable`.
        """

        def piece(place: int) -> bytes:
            try:
                return perform(self.store.chunk(row.id, place), SqliteSession(self._connection))
            except sqlite3.Error as problem:
                if code_of(problem) in DAMAGED:
                    raise damaged_piece(place, problem) from problem
                raise self._database.failed(problem) from problem

        return piece

    async def news(self, seconds: float) -> bool:
        """Wait until somebody else has committed something, at most so long; whether that was so. One at a time."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while True:
            version = self._data_version()
            if version != self._version:
                self._version = version
                return True
            waited = loop.time() - begun
            if waited >= seconds:
                return False
            await asyncio.sleep(min(POLL if waited < CALM else CALM_POLL, seconds - waited))

    async def again(self) -> None:
        """Begin anew after `OutboxUnavailable`. Raises it for a file that is another one now."""
        self._connection.close()
        self._connection = self._database.connection()

    async def check(self) -> None:
        """Raises `Replaced` when the file was deleted or replaced."""
        try:
            self._database.check()
        except OutboxUnavailable as problem:
            raise Replaced(problem.what, problem.advice) from problem

    def _data_version(self) -> int:
        try:
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            return -1  # whoever asks for something next is told why

    async def close(self) -> None:
        """Let go of it."""
        self._connection.close()
        self._database.close()


def _lenient(octets: bytes) -> str | bytes:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets
