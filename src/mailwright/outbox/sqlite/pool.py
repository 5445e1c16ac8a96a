"""Connections to one file, shared by threads, one user at a time.

Before a fork all of them are closed, and both processes open new ones: SQLite keeps, for each process, what it has
locked, and a child that inherits this believes in locks that it does not hold (sqlite.org/howtocorrupt.html §2.6).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from contextlib import contextmanager

from mailwright.outbox.sqlite.file import connect, mark_of, replaced
from mailwright.words.errors import OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 10.0  # seconds that a fork waits for transactions of other threads
IDLE = 8  # connections kept open for the next user


class Pool:
    """Connections to the file `path`; each is opened when there is none free."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._mark = mark_of(path)
        self._ready = threading.Condition()
        self._free: list[sqlite3.Connection] = []
        self._users: list[int] = []
        self._forking = 0  # threads that are about to
        self._closed = False
        self._given_up: OutboxUnavailable | None = None
        _pools.add(self)
        weakref.finalize(self, _close, self._free)  # of an outbox that nobody closes, at the latest when Python ends

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for the caller alone. The file is still the same before and after, or `OutboxUnavailable`."""
        connection = self._take()
        sound = False
        try:
            self.check()
            yield connection
            self.check()
            sound = True
        finally:
            self._give_back(connection, sound or not connection.in_transaction)

    def check(self) -> None:
        """Raises `OutboxUnavailable` when the file was deleted or replaced since it was opened."""
        if self._given_up is not None:
            raise self._given_up
        if mark_of(self.path) != self._mark:
            raise replaced(self.path)

    def is_it(self, path: str) -> bool:
        """Whether `path` leads to the file that was opened."""
        return bool(path) and mark_of(path) == self._mark

    def give_up(self, reason: OutboxUnavailable) -> None:
        """Let nobody use the file any more."""
        self._given_up = reason

    def _take(self) -> sqlite3.Connection:
        with self._ready:
            while self._forking:
                self._ready.wait()
            if self._closed:
                raise OutboxUnavailable("This outbox is closed.", "Open another one.")
            self._users.append(threading.get_ident())
            if self._free:
                return self._free.pop()
        try:
            return connect(self.path)
        except BaseException:
            with self._ready:
                self._users.remove(threading.get_ident())
            raise

    def _give_back(self, connection: sqlite3.Connection, sound: bool) -> None:
        with self._ready:
            self._users.remove(threading.get_ident())
            if sound and not self._closed and len(self._free) < IDLE:
                self._free.append(connection)
                connection = None  # type: ignore[assignment]
            self._ready.notify_all()
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Close what is free; what is in use is closed when it comes back."""
        with self._ready:
            self._closed = True
            free = self._free[:]
            self._free.clear()
        for connection in free:
            connection.close()

    def before_fork(self) -> None:
        """Let nobody begin, wait for whom has begun, and close everything. The forking thread's own connection stays
        open: it can't be waited for.
        """
        me = threading.get_ident()
        with self._ready:
            self._forking += 1
            self._ready.wait_for(lambda: all(user == me for user in self._users), PATIENCE)
            free = self._free[:]
            self._free.clear()
        for connection in free:
            connection.close()

    def after_fork(self, child: bool) -> None:
        """Go on, with new connections."""
        if child:
            self._ready = threading.Condition()  # another thread may have held it
            self._users = [user for user in self._users if user == threading.get_ident()]
            self._forking = 1
        with self._ready:
            self._forking -= 1
            self._ready.notify_all()


def _close(free: list[sqlite3.Connection]) -> None:
    while free:
        free.pop().close()


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


def _all(act: str, *arguments: bool) -> None:
    for pool in list(_pools):
        getattr(pool, act)(*arguments)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _all("before_fork"),
        after_in_parent=lambda: _all("after_fork", False),
        after_in_child=lambda: _all("after_fork", True),
    )
