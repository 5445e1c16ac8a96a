"""Connections to one database, for the next thread or task that needs one.

A child process takes none of its parent's: both would speak on the same socket.
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress

import psycopg
from psycopg.pq import ConnStatus, TransactionStatus

from mailwright.words.errors import OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mailwright.outbox.postgres.session import AsyncPostgresSession, PostgresSession

OK = ConnStatus.OK
MOST = 16  # connections at once; who comes then waits for one

_inherited: list[object] = []  # of a parent process: neither used nor closed here, for a goodbye would be the parent's


class Pool:
    """Blocking sessions, made by `connect` when there is none free."""

    def __init__(self, connect: Callable[[], PostgresSession], most: int = MOST) -> None:
        self._connect, self._most = connect, most
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._free: list[PostgresSession] = []
        self._made = self._waiting = 0
        self._change = threading.Condition(threading.Lock())  # of these two
        self._closed = False

    def take(self) -> PostgresSession:
        """A session for the caller alone, until it is given back."""
        if self._process != os.getpid():
            _inherited.extend(self._free)
            self._begin()
        while True:
            if self._closed:
                raise OutboxUnavailable("This outbox is closed.", "Open another one.")
            try:
                session = self._free.pop()
            except IndexError:
                if self._may_make():
                    return self._made_anew()
            else:
                if session.connection.pgconn.status == OK:
                    return session
                self._one_less()

    def _may_make(self) -> bool:
        """Whether there is room for one more; otherwise, after a wait for one that is free."""
        with self._change:
            if self._made < self._most:
                self._made += 1
                return True
            self._waiting += 1  # before the look: who gives one back looks afterwards
            try:
                if not self._free:
                    self._change.wait()
            finally:
                self._waiting -= 1
            return False

    def _made_anew(self) -> PostgresSession:
        try:
            return self._connect()
        except BaseException:
            self._one_less()
            raise

    def _one_less(self) -> None:
        with self._change:
            self._made -= 1
            self._change.notify()

    def give_back(self, session: PostgresSession) -> None:
        """Keep it for the next, unless it is in no state for that."""
        connection = session.connection
        if self._process != os.getpid():
            _inherited.append(session)
        elif self._closed or connection.pgconn.transaction_status != TransactionStatus.IDLE:
            connection.close()
            self._one_less()
        else:
            self._free.append(session)
            if self._waiting:
                with self._change:
                    self._change.notify()

    def forget(self) -> None:
        """Close all that are free: the server they lead to is gone."""
        while self._free:
            try:
                session = self._free.pop()
            except IndexError:  # another thread took the last one
                return
            self._one_less()
            with suppress(psycopg.Error):
                session.connection.close()

    def close(self) -> None:
        """Close what is free; what is in use is closed when it comes back."""
        self._closed = True
        if self._process == os.getpid():
            self.forget()


class AsyncPool:
    """The same for the tasks of one event loop."""

    def __init__(self, connect: Callable[[], Awaitable[AsyncPostgresSession]], most: int = MOST) -> None:
        self._connect = connect
        self._places = asyncio.BoundedSemaphore(most)
        self._free: list[AsyncPostgresSession] = []
        self._closed = False

    async def take(self) -> AsyncPostgresSession:
        """A session for the caller alone, until it is given back."""
        if self._closed:
            raise OutboxUnavailable("This outbox is closed.", "Open another one.")
        await self._places.acquire()
        try:
            while self._free:
                session = self._free.pop()
                if not session.connection.closed:
                    return session
            return await self._connect()
        except BaseException:
            self._places.release()
            raise

    async def give_back(self, session: AsyncPostgresSession) -> None:
        """Keep it for the next, unless it is in no state for that."""
        self._places.release()
        if self._closed or session.connection.pgconn.transaction_status != TransactionStatus.IDLE:
            await session.connection.close()
        else:
            self._free.append(session)

    async def forget(self) -> None:
        """Close all that are free: the server they lead to is gone."""
        while self._free:
            await self._free.pop().connection.close()

    async def close(self) -> None:
        """Close what is free; what is in use is closed when it comes back."""
        self._closed = True
        await self.forget()
