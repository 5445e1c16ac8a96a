"""A worker's access to PostgreSQL: connections of its own, with plans that suit short statements, and an ear.

How it hears of new rows: NOTIFY takes a lock of the whole server at COMMIT, so that transactions which notify are
committed one after the other. Hence nobody notifies while every worker is busy. A worker that has nothing to do takes
a shared advisory lock, and a put notifies only if it finds that lock taken (see ``add_messages``). What was committed
between a worker's last look and its lock is found by looks right after and a little later; what a long transaction had
put before, by the look that a worker takes every few seconds anyway. A worker that is rung for claims some of it first,
in one statement (``claim_new``), and looks at everything else then.
"""

from __future__ import annotations

import asyncio

import psycopg

from mailwright.outbox.asking import perform
from mailwright.outbox.postgres.connecting import connect_to_listen
from mailwright.outbox.postgres.engine import AsyncPostgresDatabase
from mailwright.outbox.postgres.meanings import unavailable
from mailwright.outbox.postgres.session import PostgresSession
from mailwright.outbox.postgres.waking import NewClaim, forgotten
from mailwright.outbox.store import damaged_piece
from mailwright.outbox.work.settling import Replaced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any, TypeVar

    from mailwright.outbox.postgres.engine import PostgresDatabase
    from mailwright.outbox.rows import Claimed
    from mailwright.steps import Plan
    from mailwright.words.errors import OutboxUnavailable

    T = TypeVar("T")

DOZE = b"SELECT pg_advisory_lock_shared(1835100524)"  # the lock of ``sql/postgres.sql``
WAKE = b"SELECT pg_advisory_unlock_all()"
SOON = 0.05  # seconds from the lock to the look for what slipped through
BUSY = 0.02  # seconds without asking for news after which it is no longer dozing
OFTEN = 100  # news in a second; beyond that it looks by itself, so that whoever puts need not notify,
POLL = 0.005  # so often (seconds)
DEAF = 1.0  # seconds until it tries to listen again when that failed
POOLED_POLL = 0.25  # so often it looks where a pool keeps it from listening


async def desk_of(database: PostgresDatabase | AsyncPostgresDatabase) -> PostgresDesk:
    """A worker's desk in this database, which is opened if it was not. Raises `OutboxUnavailable`."""
    if isinstance(database, AsyncPostgresDatabase) and not database.identity:
        await database.open()
    desk = PostgresDesk(database)
    await desk.check()
    return desk


class PostgresDesk:
    """The database of `PostgresDatabase` or `AsyncPostgresDatabase` for a worker."""

    def __init__(self, database: PostgresDatabase | AsyncPostgresDatabase) -> None:
        self._database = AsyncPostgresDatabase(database.address, durable=database.durable, worker=True)
        self._database.identity = database.identity
        self.store = self._database.store
        self.place = self._database.place
        self._ear = Ear(self._database)
        self._reader: psycopg.Connection[Any] | None = None
        self.trouble: Callable[[OutboxUnavailable], object] | None = None  # nobody waits for a lock here

    async def write(self, make: Callable[[], Plan[T]]) -> T:
        """One durable transaction. Raises `OutboxUnavailable`."""
        return await self._database.write(make)

    async def read(self, make: Callable[[], Plan[T]]) -> T:
        """One look at what is committed; several statements may see different things. Raises `OutboxUnavailable`."""
        return await self._database.look(make)

    async def survey(self, make: Callable[[], Plan[T]]) -> T:
        """A look that may take long: here it holds up nobody either."""
        return await self._database.look(make)

    async def claim_new(
        self, worker: bytes, account: str, most: int, each: int, closed: Sequence[str], lease: float
    ) -> tuple[list[Claimed], dict[str, str]]:
        """See `Desk.claim_new`."""
        database = self._database
        store, identity = database.store, database.identity
        return await database.write(NewClaim(store, identity, worker, account, most, each, closed, lease).plan)

    async def forgotten(self, worker: bytes, account: str, lease: float) -> tuple[list[Claimed], dict[str, str]]:
        """See `Desk.forgotten`."""
        return await self._database.write(lambda: forgotten(self._database.store, worker, account, lease))

    async def pieces(self, row: Claimed) -> Callable[[int], bytes]:
        """What gives the pieces behind the head of a content, one at a time, when they are sent: the loop waits for
        each, which is shorter than a worker's lease by far, but for a server that does not answer at all.
        """
        if self._reader is None or self._reader.closed:
            address = self._database.address
            try:
                self._reader = await asyncio.to_thread(psycopg.connect, address.dsn, **address.options())
            except psycopg.Error as problem:
                raise unavailable(problem, self.place) from problem
        session = PostgresSession(self._reader)

        def piece(place: int) -> bytes:
            try:
                return perform(self.store.chunk(row.id, place), session)
            except (psycopg.errors.DataCorrupted, psycopg.errors.IndexCorrupted) as problem:
                raise damaged_piece(place, problem) from problem
            except psycopg.Error as problem:
                raise unavailable(problem, self.place) from problem

        return piece

    async def news(self, seconds: float) -> bool:
        """Wait until something was put, at most so long; whether that was so. Not to be called twice at a time."""
        return await self._ear.news(seconds)

    async def again(self) -> None:
        """Begin anew after `OutboxUnavailable`. Raises it while the database is still away, or is another one now."""
        await self._database.forget()
        await self.check()

    async def check(self) -> None:
        """Raises `Replaced` when the database is another one than it was, and `OutboxUnavailable`."""
        if await self._database.look(lambda: self.store.meta("identity")) != self._database.identity:
            what = f"{self.place} is another database than it was."
            raise Replaced(what, "Start the worker anew; a restored backup first needs `restored`.")

    async def close(self) -> None:
        """Let go of it."""
        await self._ear.close()
        if self._reader is not None:
            self._reader.close()
        await self._database.close()


class Ear:
    """A connection that listens. Without one it waits its time, and tries to get one again a little later."""

    def __init__(self, database: AsyncPostgresDatabase) -> None:
        self._database = database
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._task: asyncio.Task[None] | None = None  # what is said on the connection goes on when nobody waits for it
        self._pooled = False
        self._dozing = False
        self._looks = 0  # that are still due since it began to doze
        self._timer: asyncio.TimerHandle | None = None
        self._heard: list[float] = []  # when, in the last second
        self._deaf_until = 0.0

    async def news(self, seconds: float) -> bool:
        """See `PostgresDesk.news`."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._timer is not None:
            self._timer.cancel()
        self._heard = [when for when in self._heard if when > now - 1]
        try:
            if len(self._heard) > OFTEN:
                await asyncio.sleep(min(POLL, seconds))
                return True
            if now < self._deaf_until:
                await asyncio.sleep(min(DEAF, seconds))
                return True
            return await self._wait(seconds)
        except (psycopg.Error, OSError):
            self._deaf_until = loop.time() + DEAF
            self._dozing = False
            await self._hang_up()
            return True  # it may have missed something
        finally:
            self._timer = loop.call_later(BUSY, self._awake)

    async def _wait(self, seconds: float) -> bool:
        if not self._dozing and not self._pooled:
            await self._do(self._doze)
            self._looks = 2  # at once, for what was committed before; and soon, for what was on its way
        if self._pooled:
            await asyncio.sleep(min(POOLED_POLL, seconds))
            return True
        if self._looks == 2:
            self._looks = 1
            return True
        if self._looks == 1:
            heard = await self._listen(min(SOON, seconds))
            self._looks = 0
            return heard or seconds > SOON
        return await self._listen(seconds)

    async def _listen(self, seconds: float) -> bool:
        assert self._connection is not None
        async for _ in self._connection.notifies(timeout=seconds, stop_after=1):
            self._heard.append(asyncio.get_running_loop().time())
            return True
        return False

    async def _do(self, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do it to its end, even if the caller is cancelled: a statement broken off costs a connection to do so."""
        if self._task is not None and not self._task.done():
            await asyncio.shield(self._task)
        self._task = asyncio.ensure_future(act())
        await asyncio.shield(self._task)

    async def _doze(self) -> None:
        if self._connection is None or self._connection.closed:
            await self._hang_up()
            self._connection = await connect_to_listen(self._database.address)
        if self._connection is None:
            self._pooled = True
        else:
            await self._connection.execute(DOZE)
            self._dozing = True

    def _awake(self) -> None:
        """Nobody asked for news for a while: there is work."""
        if self._dozing and (self._task is None or self._task.done()):
            self._dozing = False
            self._task = asyncio.ensure_future(self._wake())

    async def _wake(self) -> None:
        if self._connection is not None and not self._connection.closed:
            try:
                await self._connection.execute(WAKE)
            except psycopg.Error:
                await self._hang_up()

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def close(self) -> None:
        """End the connection."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            await asyncio.wait((self._task,))
            self._task.exception()
        await self._hang_up()
