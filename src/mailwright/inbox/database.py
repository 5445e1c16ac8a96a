"""The SQLite database of an inbox: in memory or in a file, new or from an earlier run.

A file says what it is: SQLite's application id is ours, and its user version is that of `schema.sql`. Any other file is
left as it is. Only one inbox at a time has a file open.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from time import thread_time
from typing import TYPE_CHECKING, NoReturn

from mailwright.inbox.search import SearchError
from mailwright.words.errors import ConfigError, MailError

if TYPE_CHECKING:
    from collections.abc import Iterator

APPLICATION = 0x4D577269  # "MWri", in the header of the file (sqlite.org/fileformat, offset 68)
VERSION = 2  # of schema.sql
LONGEST_SEARCH = 2.0  # seconds of work for one question; of 100,000 messages most take a tenth of one
_STEP = 200  # instructions of SQLite's machine between two looks at the clock; one may read a whole text
_WAIT = 1.0  # seconds for another process to let go of the file, as one that is just ending


class StoreError(MailError):
    """The inbox's database can't be read or written any more."""


class StoreFull(StoreError, OSError):
    """There is no room for another message: the disk is full, or it failed."""


def opened(path: str | None) -> sqlite3.Connection:
    """A connection that any thread may use, one at a time. Raises `ConfigError` for a file that can't be it.

    Durable against the end of the process; what the last seconds before a power failure brought may be lost
    (synchronous=NORMAL), which mail for trying out is not worth a write to the disk each.
    """
    if path is None:
        connection = _connected(":memory:")
        _create(connection, ":memory:")
        return connection
    _make_private(path)
    connection = _connected(os.path.abspath(path))  # so that no name has a special meaning
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        _check(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")  # pages of 4 kB: each time the disk is waited for
        connection.execute("PRAGMA journal_size_limit = 67108864")
        if connection.execute("PRAGMA user_version").fetchone() == (0,):
            _create(connection, path)
    except sqlite3.Error as problem:
        connection.close()
        _refuse(path, problem)
    except BaseException:
        connection.close()
        raise
    return connection


def _connected(name: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(name, timeout=_WAIT, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as problem:
        _refuse(name, problem)
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _make_private(path: str) -> None:
    """A new file is for this user alone from its first moment; one that is there keeps its permissions."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as problem:
        what = f"The inbox can't be kept in {path}: {problem.strerror or problem}."
        raise ConfigError(what, "Name a file in a folder that you may write to.") from None


def _check(connection: sqlite3.Connection, path: str) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == 0 and version == 0 and tables == 0:
        return
    if application != APPLICATION:
        raise ConfigError(f"{path} is a database, but none of an inbox.", "Name another file; this one was left alone.")
    if version != VERSION:
        what = f"{path} was written by another version of mailwright (its form is {version}, ours {VERSION})."
        raise ConfigError(what, "Name another file, or use that version.")


def _create(connection: sqlite3.Connection, path: str) -> None:
    script = files("mailwright.inbox").joinpath("schema.sql").read_text("utf-8")
    marks = f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
    try:
        connection.executescript(f"BEGIN; {script} {marks} COMMIT;")
    except sqlite3.OperationalError as problem:
        if "fts5" not in str(problem):
            raise
        connection.close()
        what = f"The SQLite {sqlite3.sqlite_version} of this Python has no full-text search (FTS5)."
        raise ConfigError(what, "Use a Python whose SQLite has it; those of python.org and Linux do.") from None


def _refuse(path: str, problem: sqlite3.Error) -> NoReturn:
    code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise ConfigError(f"{path} is in use by another inbox.", "End that one, or name another file.") from None
    if code == sqlite3.SQLITE_NOTADB:
        what = f"{path} is no inbox: it is not a database."
        raise ConfigError(what, "Name another file; this one was left alone.") from None
    raise ConfigError(f"The inbox can't be kept in {path}: {problem}.", "Name another file.") from None


def failed(problem: sqlite3.Error) -> StoreError:
    """The error to raise for one of SQLite's in the middle of work."""
    code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_TOOBIG):
        return StoreFull(f"The inbox has no room for the message: {problem}.", "Make room on the disk.")
    if isinstance(problem, sqlite3.ProgrammingError):
        return StoreError("The inbox's file is closed.", "Open the inbox again.")
    return StoreError(f"The inbox's database failed: {problem}.", "If it is damaged, begin with a new file.")


@contextmanager
def in_time(connection: sqlite3.Connection) -> Iterator[None]:
    """Let what is asked in this block take its time, but not more: a search that somebody types must not keep mail
    waiting. What counts is work, so that a busy machine finds the same. Raises `SearchError`.
    """
    end = thread_time() + LONGEST_SEARCH
    connection.set_progress_handler(lambda: thread_time() > end, _STEP)
    try:
        yield
    except sqlite3.OperationalError as problem:
        if getattr(problem, "sqlite_errorcode", 0) != sqlite3.SQLITE_INTERRUPT:
            raise
        what = f"The search was given up: it is more than {LONGEST_SEARCH:g} seconds of work."
        raise SearchError(what, "Look for fewer words, or longer ones.") from None
    finally:
        connection.set_progress_handler(None, 0)


@cache
def statements() -> dict[str, str]:
    """The statements of queries.sql by their names."""
    text = files("mailwright.inbox").joinpath("queries.sql").read_text("utf-8")
    parts = re.split(r"(?m)^-- name: (\w+)$", text)
    return dict(zip(parts[1::2], map(str.strip, parts[2::2]), strict=True))
