"""Performing steps on a connection of `sqlite3`, and what its errors mean."""

from __future__ import annotations

import sqlite3

from mailwright.words.errors import OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class SqliteSession:
    """A connection of `sqlite3` for `mailwright.outbox.asking.perform`."""

    __slots__ = ("connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def query(self, sql: str, given: Mapping[str, Any] | Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        return self.connection.execute(sql, given).fetchall()

    def each(self, sql: str, rows: Sequence[Mapping[str, Any] | Sequence[Any]]) -> int:
        """The statement for each row; how many rows of the table it changed."""
        return self.connection.executemany(sql, rows).rowcount


def code_of(problem: BaseException) -> int:
    """SQLite's primary result code of an error, 0 where it has none."""
    code: int = getattr(problem, "sqlite_errorcode", 0)
    return code & 0xFF


def unavailable(problem: sqlite3.Error, place: str) -> OutboxUnavailable:
    """What one of SQLite's errors means for the outbox in the file `place`."""
    code = code_of(problem)
    if code in BUSY:
        what = f"Somebody holds {place} locked for writing, longer than this may wait; nothing was put, so try again."
        how = "Look for a transaction that is left open; one of this program's own is given as connection=."
        return OutboxUnavailable(what, how)
    if code == sqlite3.SQLITE_FULL:
        return OutboxUnavailable(f"There is no room for {place} to grow.", "Make room on the disk; nothing was put.")
    if code == sqlite3.SQLITE_IOERR:
        # After a failed fsync the system may have dropped what it did not write: a second one proves nothing.
        what = f"The disk failed under {place} ({problem})."
        return OutboxUnavailable(what, "Look at the system's log, and open the outbox anew before it is used again.")
    if code == sqlite3.SQLITE_READONLY:
        return OutboxUnavailable(f"{place} can't be written.", "Give this user the right to write it and its folder.")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        what = f"{place} is damaged, or is no database of SQLite ({problem})."
        return OutboxUnavailable(what, "Leave it as it is, and restore a backup beside it, started paused.")
    if code == sqlite3.SQLITE_CANTOPEN:
        return OutboxUnavailable(f"{place} can't be opened.", "Name a file in a folder that this user may write to.")
    return OutboxUnavailable(f"The database in {place} failed: {problem}.", "What was put before stays in it.")
