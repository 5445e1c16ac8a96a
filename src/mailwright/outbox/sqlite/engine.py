"""The database of `mailwright.outbox.database` on a file of SQLite."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from mailwright.outbox.asking import conduct, perform
from mailwright.outbox.joining import driver_connection
from mailwright.outbox.migrating import identify, migrate
from mailwright.outbox.sqlite.file import WAIT, connect, prepare
from mailwright.outbox.sqlite.joining import perform_joined
from mailwright.outbox.sqlite.loading import Loading
from mailwright.outbox.sqlite.pool import Pool
from mailwright.outbox.sqlite.session import SqliteSession, unavailable
from mailwright.outbox.store import Store
from mailwright.words.errors import OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from mailwright.steps import Plan

    T = TypeVar("T")

APPLICATION = 0x4D576F62  # "MWob", in the header of a file that holds nothing but an outbox
AUTOMATIC = 1000  # pages of the log from which on a commit brings it into the file, as SQLite has it
FSYNC_FAILED = (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC)
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'mw\\_%' ESCAPE '\\'"


class SqliteDatabase:
    """The outbox in the file `path`, which is made if it is not there; the application's own tables may be in it too.

    Any number of threads may use it, and a child after a fork. `durable`: see `joined`. Raises `OutboxUnavailable`.
    """

    def __init__(self, path: str, *, durable: bool = True) -> None:
        self.store = Store()
        self.place = prepare(path)
        self.durable = durable
        self._pool = Pool(self.place)
        try:
            with self._pool.connection() as connection:
                self.identity = _made_ready(connection, self.store, self.place)
        except sqlite3.Error as problem:
            self._pool.close()
            raise unavailable(problem, self.place) from problem
        except BaseException:
            self._pool.close()
            raise

    def write(self, make: Callable[[], Plan[T]]) -> T:
        """One durable transaction. It waits up to 30 seconds for another writer."""
        return self._transaction("BEGIN IMMEDIATE", make)

    def loading(self) -> Loading:
        """The same for a caller with many large ones."""
        return Loading(self)

    def write_log(self, make: Callable[[], Plan[T]]) -> T:
        """A durable transaction as that of `write`, which leaves it to `bring_in` to bring the log into the file."""

        def logged(connection: sqlite3.Connection) -> T:
            try:
                connection.execute("PRAGMA wal_autocheckpoint = 0")
                return transact(connection, "BEGIN IMMEDIATE", make)
            finally:
                connection.execute(f"PRAGMA wal_autocheckpoint = {AUTOMATIC}")

        return self._with_connection(logged)

    def bring_in(self) -> None:
        """Bring the log into the file, as far as nobody reads from it. If that fails it is still in the log."""
        with suppress(OutboxUnavailable):
            self._with_connection(lambda connection: connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall())

    def read(self, make: Callable[[], Plan[T]]) -> T:
        """One view, beside whoever writes."""
        return self._transaction("BEGIN", make)

    def _transaction(self, begin: str, make: Callable[[], Plan[T]]) -> T:
        return self._with_connection(lambda connection: transact(connection, begin, make))

    def _with_connection(self, act: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with self._pool.connection() as connection:
                return act(connection)
        except sqlite3.Error as problem:
            raise self.failed(problem) from problem

    def joined(self, connection: Any, make: Callable[[], Plan[T]]) -> T:
        """Perform the plan on the application's connection, see `mailwright.outbox.joining`."""
        return perform_joined(driver_connection(connection), self, make)

    def prune(self, make: Callable[[], Plan[T]], pause: Callable[[float], None]) -> T:
        """Overwrite what is deleted with zeros, and bring the log into the file at the end."""
        pruning = Pruning(self)
        try:
            return conduct(make(), pruning, pause)
        finally:
            pruning.close()

    def connection(self, wait: float = 0.0) -> sqlite3.Connection:
        """A connection of one's own, as a worker has it: it waits `wait` seconds for another writer."""
        self._pool.check()
        return connect(self.place, wait)

    def check(self) -> None:
        """Raises `OutboxUnavailable` when the file was deleted or replaced since it was opened."""
        self._pool.check()

    def is_it(self, path: str) -> bool:
        """Whether `path` leads to this very file."""
        return self._pool.is_it(path)

    def failed(self, problem: sqlite3.Error) -> OutboxUnavailable:
        """What an error means. After a failed fsync nothing more is written: what the system did not bring to the disk
        it may have dropped, so that a second fsync that succeeds proves nothing.
        """
        meaning = unavailable(problem, self.place)
        if getattr(problem, "sqlite_errorcode", 0) in FSYNC_FAILED:
            self._pool.give_up(meaning)
        return meaning

    def close(self) -> None:
        """Let go of the file."""
        self._pool.close()


class Pruning:
    """The database over one connection that leaves nothing of what it deletes (PRAGMA secure_delete)."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._connection = database.connection(WAIT)
        self._connection.execute("PRAGMA secure_delete = ON")

    def write(self, make: Callable[[], Plan[T]]) -> T:
        """One short transaction."""
        return self._transaction("BEGIN IMMEDIATE", make)

    def read(self, make: Callable[[], Plan[T]]) -> T:
        """One view."""
        return self._transaction("BEGIN", make)

    def _transaction(self, begin: str, make: Callable[[], Plan[T]]) -> T:
        self._database.check()
        try:
            return transact(self._connection, begin, make)
        except sqlite3.Error as problem:
            raise self._database.failed(problem) from problem

    def close(self) -> None:
        """Empty the log if nobody is reading from it just now; it is emptied later otherwise."""
        try:
            self._connection.execute("PRAGMA busy_timeout = 1000")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            pass
        self._connection.close()


def transact(connection: sqlite3.Connection, begin: str, make: Callable[[], Plan[T]]) -> T:
    """Perform the plan between `begin` and COMMIT; rolled back when anything is raised."""
    connection.execute(begin)
    try:
        result = perform(make(), SqliteSession(connection))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _made_ready(connection: sqlite3.Connection, store: Store, place: str) -> str:
    """Make or migrate the tables, and give the identity of the database."""

    def tables() -> set[str]:
        return {name for (name,) in connection.execute(TABLES)}

    current = transact(connection, "BEGIN", lambda: identify(store, tables(), place))
    if current is not None:
        return current
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    identity = transact(connection, "BEGIN IMMEDIATE", lambda: migrate(store, tables(), place))
    if empty and connection.execute("PRAGMA application_id").fetchone() == (0,):
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
    return identity
