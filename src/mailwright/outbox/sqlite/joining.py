"""The application's own connection to the outbox's file, of `sqlite3` or of aiosqlite."""

from __future__ import annotations

import sqlite3

from mailwright.outbox.asking import Query, perform, perform_async
from mailwright.outbox.joining import as_savepoint, as_transaction, other_database, other_driver, packages_of
from mailwright.outbox.sqlite.file import FULL
from mailwright.outbox.sqlite.session import BUSY, code_of, unavailable
from mailwright.words.errors import OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeVar

    from mailwright.outbox.sqlite.engine import SqliteDatabase
    from mailwright.steps import Plan

    T = TypeVar("T")

LOCK = "DELETE FROM main.mw_meta WHERE 0"  # takes the lock for writing, and nothing else
LEGACY = -1  # of Connection.autocommit, from Python 3.12 on: the module begins transactions itself


class JoinedSession:
    """A connection that the application may have told to give other rows or other text."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._cursor = sqlite3.Cursor(connection)  # a class of theirs may have a cursor() of its own
        self._cursor.row_factory = None

    def query(self, sql: str, given: Mapping[str, Any] | Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        return self._cursor.execute(sql, given).fetchall()

    def each(self, sql: str, rows: Sequence[Mapping[str, Any] | Sequence[Any]]) -> int:
        """The statement for each row."""
        return self._cursor.executemany(sql, rows).rowcount


class AsyncJoinedSession:
    """The same on a connection of aiosqlite."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def query(self, sql: str, given: Mapping[str, Any] | Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        async with self._connection.execute(sql, given) as cursor:
            return [tuple(row) for row in await cursor.fetchall()]

    async def each(self, sql: str, rows: Sequence[Mapping[str, Any] | Sequence[Any]]) -> int:
        """The statement for each row."""
        async with self._connection.executemany(sql, rows) as cursor:
            return int(cursor.rowcount)


def perform_joined(connection: Any, database: SqliteDatabase, make: Callable[[], Plan[T]]) -> T:
    """Perform the plan as part of the application's transaction. Raises `OutboxUnavailable`."""
    if not isinstance(connection, sqlite3.Connection):
        raise other_driver(connection, database.place)
    database.check()
    kept = connection.text_factory
    try:
        session = JoinedSession(connection)
        connection.text_factory = str
        return perform(_part(connection, getattr(connection, "autocommit", LEGACY), database, make), session)
    except sqlite3.Error as problem:
        raise _joined_unavailable(problem, database.place) from problem
    finally:
        connection.text_factory = kept


async def perform_joined_async(connection: Any, database: SqliteDatabase, make: Callable[[], Plan[T]]) -> T:
    """The same; a connection of `sqlite3` is used as it is, and holds up the loop for as long as its put takes: less
    than a millisecond, but as long as its time-out allows when somebody else is writing.
    """
    if "aiosqlite" not in packages_of(connection):
        return perform_joined(connection, database, make)
    database.check()
    try:
        control = await connection._execute(_control, connection)
        kept, rows = connection.text_factory, connection.row_factory
    except ValueError as problem:
        raise OutboxUnavailable(f"The connection given can't be used: {problem}.", "Nothing was put.") from problem
    try:
        connection.text_factory, connection.row_factory = str, None
        return await perform_async(_part(connection, control, database, make), AsyncJoinedSession(connection))
    except sqlite3.Error as problem:
        raise _joined_unavailable(problem, database.place) from problem
    finally:
        connection.text_factory, connection.row_factory = kept, rows


def _control(connection: Any) -> Any:
    """Connection.autocommit below aiosqlite, which does not show it, and whose own thread alone may read it."""
    return getattr(connection._conn, "autocommit", LEGACY)


async def _part(connection: Any, control: Any, database: SqliteDatabase, make: Callable[[], Plan[T]]) -> T:
    """The plan, after a look at the connection, as what `mailwright.outbox.joining` says. `control`: its `autocommit`.

    The first statement in a transaction is one that writes: SQLite waits for another writer only then. Who has read
    before has a view that the other is about to change, and is told "database is locked" at once.
    """
    if connection.in_transaction:

        async def locked() -> T:
            await _check(database, LOCK)
            return await make()

        return await as_savepoint(locked)
    await _check(database)
    if control is True or (control == LEGACY and connection.isolation_level is None):
        return await as_transaction(make, "BEGIN IMMEDIATE", commit=True)
    exclusive = (connection.isolation_level or "").upper() == "EXCLUSIVE"
    return await as_transaction(make, "BEGIN EXCLUSIVE" if exclusive else "BEGIN IMMEDIATE", commit=False)


async def _check(database: SqliteDatabase, first: str = "") -> None:
    """Look whether the connection is to this database, and keeps what it commits; after the statement `first`."""
    if await _identity(first) != database.identity or not database.is_it(await _path()):
        raise other_database(database.place)
    level = (await Query("PRAGMA main.synchronous", {}))[0][0]
    if database.durable and level < FULL:
        raise OutboxUnavailable(
            f"The connection given may lose what it committed when the power fails (PRAGMA synchronous is {level}).",
            "Run PRAGMA synchronous = FULL on it when it is opened, or open the outbox with durable=False.",
        )


async def _identity(first: str) -> str | None:
    """Of the main database: what is attached is not committed together with it (sqlite.org/lang_attach.html)."""
    try:
        if first:
            await Query(first, {})
        rows = await Query("SELECT value FROM main.mw_meta WHERE name = 'identity'", {})
    except sqlite3.OperationalError as problem:
        if "no such table" in str(problem):
            return None
        raise
    return str(rows[0][0]) if rows else None


async def _path() -> str:
    """The file of the connection's main database; empty for one in memory. A copy has the same identity."""
    return next((path for _, name, path in await Query("PRAGMA database_list", {}) if name == "main"), "") or ""


def _joined_unavailable(problem: sqlite3.Error, place: str) -> OutboxUnavailable:
    if getattr(problem, "sqlite_errorcode", 0) == sqlite3.SQLITE_BUSY_SNAPSHOT:
        what = f"The transaction given has read from {place}, and another has written since: it can't write any more."
        return OutboxUnavailable(what, "Roll it back and do it again; begin it with BEGIN IMMEDIATE, which waits.")
    if code_of(problem) in BUSY:
        what = f"Somebody else writes to {place}, and the connection given could not wait for that, or did so in vain."
        how = (
            "Nothing was put: roll back and do it again. A transaction that reads before it writes can't wait: begin "
            "it with BEGIN IMMEDIATE, and read what was asked before to its end."
        )
        return OutboxUnavailable(what, how)
    if code_of(problem) == sqlite3.SQLITE_READONLY:
        what = f"The connection given takes no writes to {place}."
        return OutboxUnavailable(what, "Open it without mode=ro and PRAGMA query_only, by a user that may write there.")
    if isinstance(problem, sqlite3.ProgrammingError):
        return OutboxUnavailable(f"The connection given can't be used: {problem}.", "Nothing was put.")
    return unavailable(problem, place)
