"""Opening the file of an outbox so that nothing is lost, and knowing that it is still the same one."""

from __future__ import annotations

import os
import sqlite3
import stat
from functools import partial
from time import monotonic, sleep

from mailwright.outbox.sqlite.mounts import network_file_system
from mailwright.outbox.sqlite.session import BUSY, unavailable
from mailwright.words.errors import OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST = (3, 35, 0)  # of SQLite: the first with RETURNING
FULL = 2  # of PRAGMA synchronous: a commit is on the disk before it returns
WAIT = 30.0  # seconds for another writer; the application side only, a worker never waits inside SQLite
AGAIN, PATIENCE = 0.01, 2.0  # seconds between two tries at what SQLite itself does not wait for, and for all of them

Mark = tuple[int, int]


def prepare(path: str) -> str:
    """The absolute path of the file, which is there afterwards, for its owner alone if it had to be made.

    Raises `OutboxUnavailable` for a file system of the network, a SQLite that is too old, and a place that can't be
    written.
    """
    if sqlite3.sqlite_version_info < OLDEST:
        what = f"The SQLite of this Python is {sqlite3.sqlite_version}; an outbox needs 3.35 or newer."
        raise OutboxUnavailable(what, "Use a Python that brings its own SQLite, as those of python.org do.")
    path = os.path.abspath(path)
    folder = os.path.dirname(path)
    if kind := network_file_system(path):
        what = f"{path} is on a network file system ({kind}), where SQLite can't lock and loses or damages data."
        raise OutboxUnavailable(what, "Keep it on this machine's own disk, or use PostgreSQL for many machines.")
    problem: OSError | str = ""
    try:
        # Only a file that is not there: to close one that is would drop the locks that this process has on it
        # (sqlite.org/howtocorrupt.html §2.2), and another process would take the log away from under us.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if not os.path.isfile(path):
            problem = "it is no file"
        elif not os.access(path, os.R_OK | os.W_OK):
            problem = "Permission denied"
    except OSError as found:
        problem = found.strerror or found
    if problem:
        what = f"The outbox can't be kept in {path}: {problem}."
        raise OutboxUnavailable(what, "Name a file in a folder that is there and that this user may write to.")
    from mailwright.mailer.preparing import warn_of

    warn_of(_remarks(path, folder))
    return path


def _remarks(path: str, folder: str) -> Iterator[str]:
    """What others on this machine may do to the file that they should not."""
    if os.name != "posix":
        return
    mode, around = os.stat(path).st_mode, os.stat(folder).st_mode
    if not around & stat.S_IXOTH:
        return  # nobody else gets as far as the file
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        yield f"Everybody on this machine may read the mail in {path}: chmod 600 it."
    if around & stat.S_IWOTH and not around & stat.S_ISVTX:
        yield f"Everybody on this machine may replace {path}: its folder is writable by all."


def mark_of(path: str) -> Mark:
    """What tells a file from another of the same name. Raises `OutboxUnavailable` when there is none."""
    try:
        found = os.stat(path)
    except OSError:
        raise replaced(path) from None
    return found.st_dev, found.st_ino


def replaced(path: str) -> OutboxUnavailable:
    """The error for a file that is not the one that was opened."""
    what = f"{path} was deleted or replaced while it was open; what this program wrote last may not be in it."
    return OutboxUnavailable(what, "Stop all programs that use it before a backup is restored, and start them paused.")


def connect(path: str, wait: float = WAIT) -> sqlite3.Connection:
    """A connection in autocommit, which any thread may use, one at a time: with WAL, durable commits, and foreign keys.
    `wait`: seconds for another writer. Raises `OutboxUnavailable`.
    """
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, timeout=wait, isolation_level=None, check_same_thread=False)
        _set_up(connection, path, wait)
    except sqlite3.Error as problem:
        if connection is not None:
            connection.close()
        raise unavailable(problem, path) from problem
    except BaseException:
        if connection is not None:
            connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection, path: str, wait: float) -> None:
    connection.text_factory = _text
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA foreign_keys = ON")
    mode = _write_ahead(connection, wait)
    if mode != "wal":
        what = f"{path} can't have a write-ahead log (its journal stays {mode!r})."
        raise OutboxUnavailable(what, "Keep it on this machine's own disk, and end what has it open otherwise.")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    if (level := synchronous(connection)) < FULL:
        what = (
            f"{path} would lose committed mail when the power fails: synchronous is {level} and can't be set to FULL."
        )
        raise OutboxUnavailable(what, "Use a build of SQLite that lets it be set.")


def _write_ahead(connection: sqlite3.Connection, wait: float) -> str:
    """Switch the log on, and give what is on. SQLite does not wait by itself for somebody who writes to a file that has
    none yet, or who closes it as its last user (sqlite.org/wal.html §8). It is a short wait, for it may be the caller's
    own transaction that writes there.
    """
    end = monotonic() + min(wait, PATIENCE)
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode & 0xFF not in BUSY or monotonic() > end:
                raise
            sleep(AGAIN)


#: Text as it is kept; where a row is damaged, what can't be decoded is shown, and the other rows are read all the same.
_text = partial(str, encoding="utf-8", errors="backslashreplace")


def synchronous(connection: sqlite3.Connection) -> int:
    """The level of PRAGMA synchronous on this connection."""
    return int(connection.execute("PRAGMA synchronous").fetchone()[0])
