"""The file of SQLite for asyncio: whole plans in a thread, for a commit waits for the disk."""

from __future__ import annotations

import asyncio

from mailwright.outbox.asking import conduct_async
from mailwright.outbox.joining import async_driver_connection
from mailwright.outbox.sqlite.engine import Pruning, SqliteDatabase
from mailwright.outbox.sqlite.joining import perform_joined_async
from mailwright.outbox.store import Store
from mailwright.words.errors import OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeVar

    from mailwright.steps import Plan

    T = TypeVar("T")


class ThreadedSqlite:
    """`SqliteDatabase` for asyncio."""

    def __init__(self, path: str, *, durable: bool = True) -> None:
        self.store = Store()
        self.place = path
        self._durable = durable
        self._opened: SqliteDatabase | None = None

    @property
    def identity(self) -> str:
        """The UUID of this database; it must be open."""
        return self._database.identity

    @property
    def _database(self) -> SqliteDatabase:
        if self._opened is None:
            raise OutboxUnavailable("This outbox is not open.", "Await its open(), or use it with async with.")
        return self._opened

    async def open(self) -> None:
        """Check the file and make or migrate its tables. Raises `OutboxUnavailable`."""
        if self._opened is None:
            self._opened = await asyncio.to_thread(SqliteDatabase, self.place, durable=self._durable)
            self.place = self._opened.place

    async def write(self, make: Callable[[], Plan[T]]) -> T:
        """One durable transaction."""
        return await _finished(asyncio.to_thread(self._database.write, make))

    async def read(self, make: Callable[[], Plan[T]]) -> T:
        """One view."""
        return await asyncio.to_thread(self._database.read, make)

    async def joined(self, connection: Any, make: Callable[[], Plan[T]]) -> T:
        """Perform the plan on the application's connection, see `mailwright.outbox.joining`."""
        return await perform_joined_async(await async_driver_connection(connection), self._database, make)

    async def prune(self, make: Callable[[], Plan[T]], pause: Callable[[float], Awaitable[None]]) -> T:
        """Overwrite what is deleted with zeros, and bring the log into the file at the end."""
        pruning = await asyncio.to_thread(Pruning, self._database)
        try:
            return await conduct_async(make(), _Threaded(pruning), pause)
        finally:
            await asyncio.to_thread(pruning.close)

    async def close(self) -> None:
        """Let go of the file."""
        if self._opened is not None:
            await asyncio.to_thread(self._opened.close)


class _Threaded:
    """A blocking database, each transaction in a thread."""

    def __init__(self, database: Pruning) -> None:
        self._database = database

    async def write(self, make: Callable[[], Plan[T]]) -> T:
        return await asyncio.to_thread(self._database.write, make)

    async def read(self, make: Callable[[], Plan[T]]) -> T:
        return await asyncio.to_thread(self._database.read, make)


async def _finished(work: Awaitable[T]) -> T:
    """What the thread did. A caller that is cancelled is so only after the thread ended: it can't be stopped, and what
    it committed should be known when the caller goes on.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        raise
