"""Performing steps on a connection of psycopg, blocking or not, and transactions of our own.

What a plan only reads before its first write is read without a transaction: at READ COMMITTED, every statement sees
what is committed when it begins, in a transaction or not. A statement that is a `Whole` needs none at all. So a put is
two round trips and not five.
"""

from __future__ import annotations

from functools import cache

import psycopg
from psycopg import pq
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Dumper
from psycopg.rows import tuple_row

from mailwright.outbox.asking import perform, perform_async
from mailwright.outbox.postgres.arrays import ARRAYS, Array
from mailwright.outbox.postgres.direct import Direct, Known, Series
from mailwright.outbox.postgres.direct import Whole as Whole
from mailwright.words.errors import OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeVar

    from mailwright.steps import Plan

    T = TypeVar("T")
    Row = tuple[Any, ...]

# People's questions are of many kinds, and get a plan for what is asked.
VIEW = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto"


class CommitLost(Exception):
    """The connection was lost at COMMIT: nobody knows here whether it was done."""


class _ArrayDumper(Dumper):
    """Hands over what is in its binary form already."""

    format = pq.Format.BINARY

    def dump(self, obj: Array[Any]) -> Buffer:
        return obj.packed


@cache
def _adapters() -> AdaptersMap:
    """psycopg's own adapters, whatever the application changed about those of its connection, and ours."""
    made = AdaptersMap(psycopg.adapters)
    for kind in ARRAYS:
        made.register_dumper(kind, type(f"{kind.__name__}Dumper", (_ArrayDumper,), {"oid": kind.kind}))
    return made


class _Cursor(psycopg.Cursor["Row"]):
    @property
    def adapters(self) -> AdaptersMap:
        return _adapters()


class _AsyncCursor(psycopg.AsyncCursor["Row"]):
    @property
    def adapters(self) -> AdaptersMap:
        return _adapters()


def _check(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    if connection.info.encoding != "utf-8":
        what = f"The connection speaks {connection.info.encoding}; the outbox needs one that speaks UTF-8."
        raise OutboxUnavailable(what, "Set client_encoding=utf8 where the application connects.")


class PostgresSession:
    """A blocking connection for `mailwright.outbox.asking.perform`: the application's own, or one of ours.

    Raises `OutboxUnavailable` if it does not speak UTF-8.
    """

    __slots__ = ("connection", "cursor", "direct", "opening", "pooled", "prepares")

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        _check(connection)
        self.connection = connection
        self.direct = Direct(connection.pgconn)
        self.prepares = False  # it is ours, and statements that are prepared stay so
        self.opening = b"BEGIN"
        self.pooled = False  # a pool stands between, which may change servers from one transaction to the next
        self.cursor = _Cursor(connection, row_factory=tuple_row)

    def query(self, sql: str, given: Any) -> list[Row]:
        """The rows of one statement."""
        if isinstance(sql, Known):
            if self.prepares:
                return self.connection.wait(self.direct.ask(sql, given))
            sets = given if isinstance(sql, Series) else (given,)
            return [row for one in sets for row in self._asked(sql, dict(zip(sql.names, one, strict=True)))]
        return self._asked(sql, given)

    def _asked(self, sql: str, given: Any) -> list[Row]:
        cursor = self.cursor
        cursor.execute(sql.encode(), given or None, binary=True)
        return cursor.fetchall() if cursor.description is not None else []

    def each(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """The statement for each row; how many rows of the table it changed."""
        cursor = self.cursor
        if len(rows) == 1:
            cursor.execute(sql.encode(), rows[0], binary=True)
        else:
            cursor.executemany(sql.encode(), rows)
        return cursor.rowcount

    def transact(self, make: Callable[[], Plan[T]], begin: str = "") -> T:
        """Perform the plan in a transaction of its own, which begins with `begin`, or late and at READ COMMITTED.

        Raises `CommitLost`. Whatever else is raised, nothing was written.
        """
        late = _Late(self)
        if begin:
            late.begin(begin)
        try:
            result = perform(make(), late)
        except BaseException:
            if late.begun and not self.connection.closed:
                self.connection.wait(self.direct.say(b"ROLLBACK"))
            raise
        if late.begun:
            try:
                self.connection.wait(self.direct.say(b"COMMIT"))
            except psycopg.OperationalError as problem:
                raise CommitLost from problem
        return result


class _Late:
    """A session whose transaction begins with the first write."""

    def __init__(self, session: PostgresSession) -> None:
        self._session = session
        self.begun = False
        self._whole = False

    def begin(self, statement: str = "") -> None:
        session = self._session
        session.connection.wait(session.direct.say(statement.encode() or session.opening))
        self.begun = True

    def query(self, sql: str, given: Any) -> list[Row]:
        if not self.begun and not sql.startswith("SELECT"):
            if isinstance(sql, Whole):
                return self._alone(sql, given)
            self.begin()
        return self._session.query(sql, given)

    def each(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> int:
        if not self.begun:
            self.begin()
        return self._session.each(sql, rows)

    def _alone(self, sql: str, given: Mapping[str, Any]) -> list[Row]:
        try:
            return self._session.query(sql, given)
        except psycopg.OperationalError as problem:
            if self._session.connection.closed:
                raise CommitLost from problem
            raise


class AsyncPostgresSession:
    """The same on an asynchronous connection, for `perform_async`."""

    __slots__ = ("connection", "cursor", "direct", "opening", "pooled", "prepares")

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        _check(connection)
        self.connection = connection
        self.direct = Direct(connection.pgconn)
        self.prepares = False
        self.opening = b"BEGIN"
        self.pooled = False
        self.cursor = _AsyncCursor(connection, row_factory=tuple_row)

    async def query(self, sql: str, given: Any) -> list[Row]:
        """The rows of one statement."""
        if isinstance(sql, Known):
            if self.prepares:
                return await self.connection.wait(self.direct.ask(sql, given))
            sets = given if isinstance(sql, Series) else (given,)
            return [row for one in sets for row in await self._asked(sql, dict(zip(sql.names, one, strict=True)))]
        return await self._asked(sql, given)

    async def _asked(self, sql: str, given: Any) -> list[Row]:
        cursor = self.cursor
        await cursor.execute(sql.encode(), given or None, binary=True)
        return await cursor.fetchall() if cursor.description is not None else []

    async def each(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """The statement for each row; how many rows of the table it changed."""
        cursor = self.cursor
        if len(rows) == 1:
            await cursor.execute(sql.encode(), rows[0], binary=True)
        else:
            await cursor.executemany(sql.encode(), rows)
        return cursor.rowcount

    async def transact(self, make: Callable[[], Plan[T]], begin: str = "") -> T:
        """Perform the plan in a transaction of its own, which begins with `begin`, or late and at READ COMMITTED.

        Raises `CommitLost`. Whatever else is raised, nothing was written.
        """
        late = _AsyncLate(self)
        if begin:
            await late.begin(begin)
        try:
            result = await perform_async(make(), late)
        except BaseException:
            if late.begun and not self.connection.closed:
                await self.connection.wait(self.direct.say(b"ROLLBACK"))
            raise
        if late.begun:
            try:
                await self.connection.wait(self.direct.say(b"COMMIT"))
            except psycopg.OperationalError as problem:
                raise CommitLost from problem
        return result


class _AsyncLate:
    """As `_Late`."""

    def __init__(self, session: AsyncPostgresSession) -> None:
        self._session = session
        self.begun = False

    async def begin(self, statement: str = "") -> None:
        session = self._session
        await session.connection.wait(session.direct.say(statement.encode() or session.opening))
        self.begun = True

    async def query(self, sql: str, given: Any) -> list[Row]:
        if not self.begun and not sql.startswith("SELECT"):
            if isinstance(sql, Whole):
                return await self._alone(sql, given)
            await self.begin()
        return await self._session.query(sql, given)

    async def each(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> int:
        if not self.begun:
            await self.begin()
        return await self._session.each(sql, rows)

    async def _alone(self, sql: str, given: Mapping[str, Any]) -> list[Row]:
        try:
            return await self._session.query(sql, given)
        except psycopg.OperationalError as problem:
            if self._session.connection.closed:
                raise CommitLost from problem
            raise
