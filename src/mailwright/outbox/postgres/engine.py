"""The databases of `mailwright.outbox.database` on PostgreSQL."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import nullcontext

import psycopg

from mailwright.outbox.asking import Query, conduct, conduct_async, perform, perform_async
from mailwright.outbox.database import CommitUnknown
from mailwright.outbox.joining import async_driver_connection, driver_connection
from mailwright.outbox.migrating import identify, migrate
from mailwright.outbox.postgres.connecting import LASTING, MIGRATING, TABLES, Address, address, check, plans
from mailwright.outbox.postgres.joining import perform_joined, perform_joined_async
from mailwright.outbox.postgres.meanings import gone, unavailable, worth_repeating
from mailwright.outbox.postgres.pool import AsyncPool, Pool
from mailwright.outbox.postgres.session import VIEW, AsyncPostgresSession, CommitLost, PostgresSession
from mailwright.outbox.postgres.store import PostgresStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import Any, TypeVar

    from mailwright.steps import Plan

    T = TypeVar("T")

PATIENCE = 10.0  # seconds for a server that is gone to come back, before whoever waits is told
REPEATS = 20  # of a transaction that others were in the way of


class PostgresDatabase:
    """The outbox in the database `url`, whose tables are made or brought up to date.

    Any number of threads may use it, and a child after a fork. `durable`: refuse settings that may lose what was
    committed. `worker`: for a worker, whose statements are all short. Raises `ConfigError` and `OutboxUnavailable`.
    """

    def __init__(self, url: str | Address, *, durable: bool = True, worker: bool = False) -> None:
        self.store = PostgresStore()
        self.address = address(url) if isinstance(url, str) else url
        self.place = self.address.place
        self.durable = durable
        self._worker = worker
        self._pool = Pool(self._connect)
        try:
            self.identity = self._transact(self._identified, "")
            if not self.identity:
                self.identity = self._transact(self._migrated, "BEGIN")
        except BaseException:
            self._pool.close()
            raise

    def _connect(self) -> PostgresSession:
        session = PostgresSession(psycopg.connect(self.address.dsn, **self.address.options()))
        try:
            session.pooled = perform(check(self.place, self.durable), session) != session.connection.info.backend_pid
            if session.pooled:
                session.connection.prepare_threshold = None
            if self._worker and session.pooled:
                session.opening = plans("SET LOCAL", "BEGIN; ")
            elif not session.pooled:
                session.connection.execute(plans("SET") if self._worker else LASTING)
                session.prepares = self.address.prepare is not None
        except BaseException:
            session.connection.close()
            raise
        return session

    async def _identified(self) -> str:
        return await identify(self.store, await _tables(), self.place) or ""

    async def _migrated(self) -> str:
        await Query(MIGRATING, {})
        return await migrate(self.store, await _tables(), self.place)

    def write(self, make: Callable[[], Plan[T]]) -> T:
        """One durable transaction, repeated when others were in its way or the connection was lost before COMMIT.

        Raises `CommitUnknown` when it was lost at COMMIT, and `OutboxUnavailable`.
        """
        return self._transact(make, "")

    def loading(self) -> AbstractContextManager[PostgresDatabase]:
        """Itself: after a commit there is nothing left for the caller to do."""
        return nullcontext(self)

    def read(self, make: Callable[[], Plan[T]]) -> T:
        """One view, beside whoever writes."""
        return self._transact(make, VIEW)

    def _transact(self, make: Callable[[], Plan[T]], begin: str) -> T:
        patience: Iterator[float] | None = None
        while True:
            try:
                session = self._pool.take()
                try:
                    return session.transact(make, begin)
                finally:
                    self._pool.give_back(session)
            except CommitLost as problem:
                raise _unknown(self.place) from problem
            except psycopg.Error as problem:
                patience = patience or _patience()
                wait = next(patience, None) if _repeatable(problem) else None
                if wait is None:
                    raise unavailable(problem, self.place) from problem
                if gone(problem):
                    self._pool.forget()
                time.sleep(wait)

    def joined(self, connection: Any, make: Callable[[], Plan[T]]) -> T:
        """Perform the plan on the application's connection, see `mailwright.outbox.joining`."""
        return perform_joined(driver_connection(connection), self, make)

    def prune(self, make: Callable[[], Plan[T]], pause: Callable[[float], None]) -> T:
        """Conduct a plan of many transactions that deletes."""
        return conduct(make(), self, pause)

    def close(self) -> None:
        """Let go of all connections."""
        self._pool.close()


class AsyncPostgresDatabase:
    """The same for the tasks of one event loop. It is opened by `open`, or by its first use."""

    def __init__(self, url: str | Address, *, durable: bool = True, worker: bool = False) -> None:
        self.store = PostgresStore()
        self.address = address(url) if isinstance(url, str) else url
        self.place = self.address.place
        self.durable = durable
        self.identity = ""
        self._worker = worker
        self._pool = AsyncPool(self._connect)

    async def open(self) -> None:
        """Connect, check and migrate. Raises `OutboxUnavailable`."""
        try:
            self.identity = await self._transact(self._identified, "")
            if not self.identity:
                self.identity = await self._transact(self._migrated, "BEGIN")
        except BaseException:
            await self._pool.close()
            raise

    async def _connect(self) -> AsyncPostgresSession:
        connection = await psycopg.AsyncConnection.connect(self.address.dsn, **self.address.options())
        try:
            session = AsyncPostgresSession(connection)
            session.pooled = (
                await perform_async(check(self.place, self.durable), session) != connection.info.backend_pid
            )
            if session.pooled:
                connection.prepare_threshold = None
            if self._worker and session.pooled:
                session.opening = plans("SET LOCAL", "BEGIN; ")
            elif not session.pooled:
                await connection.execute(plans("SET") if self._worker else LASTING)
                session.prepares = self.address.prepare is not None
        except BaseException:
            await connection.close()
            raise
        return session

    async def _identified(self) -> str:
        return await identify(self.store, await _tables(), self.place) or ""

    async def _migrated(self) -> str:
        await Query(MIGRATING, {})
        return await migrate(self.store, await _tables(), self.place)

    async def write(self, make: Callable[[], Plan[T]]) -> T:
        """One durable transaction, repeated when others were in its way or the connection was lost before COMMIT.

        Raises `CommitUnknown` when it was lost at COMMIT, and `OutboxUnavailable`.
        """
        return await self._transact(make, "")

    async def read(self, make: Callable[[], Plan[T]]) -> T:
        """One view, beside whoever writes."""
        return await self._transact(make, VIEW)

    async def look(self, make: Callable[[], Plan[T]]) -> T:
        """Perform the plan, which only reads, without a transaction: each statement sees what is committed then."""
        return await self._transact(make, "")

    async def forget(self) -> None:
        """Let go of the connections that nobody uses, so that the next is a new one."""
        await self._pool.forget()

    async def _transact(self, make: Callable[[], Plan[T]], begin: str) -> T:
        patience: Iterator[float] | None = None
        while True:
            try:
                session = await self._pool.take()
                try:
                    return await session.transact(make, begin)
                finally:
                    await self._pool.give_back(session)
            except CommitLost as problem:
                raise _unknown(self.place) from problem
            except psycopg.Error as problem:
                patience = patience or _patience()
                wait = next(patience, None) if _repeatable(problem) else None
                if wait is None:
                    raise unavailable(problem, self.place) from problem
                if gone(problem):
                    await self._pool.forget()
                await asyncio.sleep(wait)

    async def joined(self, connection: Any, make: Callable[[], Plan[T]]) -> T:
        """Perform the plan on the application's connection, see `mailwright.outbox.joining`."""
        return await perform_joined_async(await async_driver_connection(connection), self, make)

    async def prune(self, make: Callable[[], Plan[T]], pause: Callable[[float], Awaitable[None]]) -> T:
        """Conduct a plan of many transactions that deletes."""
        return await conduct_async(make(), self, pause)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._pool.close()


async def _tables() -> set[str]:
    return {row[0] for row in await Query(TABLES, {})}


def _repeatable(problem: psycopg.Error) -> bool:
    return worth_repeating(problem) or gone(problem)


def _patience() -> Iterator[float]:
    """How long to wait before each repetition, until there was enough waiting. Jittered: others wait as well."""
    end = time.monotonic() + PATIENCE
    wait = 0.005
    for _ in range(REPEATS):
        if time.monotonic() > end:
            return
        yield random.uniform(wait / 2, wait)
        wait = min(wait * 2, 1.0)


def _unknown(place: str) -> CommitUnknown:
    what = f"The connection to {place} was lost at COMMIT: it is not known whether it was done."
    return CommitUnknown(what, "Look for it by its id or key before it is put again.")
