"""What an outbox needs of its database, whichever engine it is, and how a URL names one.

`Database` is what `mailwright.outbox.sqlite` and `mailwright.outbox.postgres` give. A plan is handed over as something
that makes one, because it may have to be performed again: when the database was busy, or the connection was lost.
"""

from __future__ import annotations

from urllib.parse import unquote

from mailwright.words.errors import ConfigError, OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager
    from os import PathLike
    from typing import Any, Protocol, TypeVar

    from mailwright.outbox.asking import Transacts
    from mailwright.outbox.store import Store
    from mailwright.steps import Plan

    T = TypeVar("T")

    class Writable(Transacts, Protocol):
        """A database for whoever puts into it."""

        @property
        def store(self) -> Store:
            """The statements of this engine."""
            ...

    class Database(Writable, Protocol):
        """A database with the outbox's tables, for any number of threads, before and after a fork."""

        @property
        def place(self) -> str:
            """What errors call it: the file, or host and name. Never a password."""
            ...

        @property
        def identity(self) -> str:
            """The UUID of this database, from its first opening on."""
            ...

        def write(self, make: Callable[[], Plan[T]]) -> T:
            """Perform the plan in a transaction of its own; what it wrote is durable when this returns.

            Raises what the plan raises, after a rollback; `OutboxUnavailable`; `CommitUnknown`.
            """
            ...

        def read(self, make: Callable[[], Plan[T]]) -> T:
            """Perform the plan, which only reads, on one consistent view. Raises `OutboxUnavailable`."""
            ...

        def loading(self) -> AbstractContextManager[Writable]:
            """The same for one caller with many large transactions, one after the other."""
            ...

        def joined(self, connection: Any, make: Callable[[], Plan[T]]) -> T:
            """Perform the plan on the application's own connection, as part of its transaction."""
            ...

        def prune(self, make: Callable[[], Plan[T]], pause: Callable[[float], None]) -> T:
            """Conduct a plan of many transactions that deletes contents, so that they are gone from the disk."""
            ...

        def close(self) -> None:
            """Let go of all connections. Never fails."""
            ...

    class AsyncDatabase(Protocol):
        """The same for asyncio."""

        @property
        def store(self) -> Store: ...
        @property
        def place(self) -> str: ...
        @property
        def identity(self) -> str: ...
        async def open(self) -> None:
            """Connect, check and migrate. Raises `OutboxUnavailable`."""
            ...

        async def write(self, make: Callable[[], Plan[T]]) -> T: ...
        async def read(self, make: Callable[[], Plan[T]]) -> T: ...
        async def joined(self, connection: Any, make: Callable[[], Plan[T]]) -> T: ...
        async def prune(self, make: Callable[[], Plan[T]], pause: Callable[[float], Awaitable[None]]) -> T: ...
        async def close(self) -> None: ...


class CommitUnknown(OutboxUnavailable):
    """The connection was lost at the very COMMIT: whether it was done is not known. Look for the ids, don't repeat."""


def database(where: str | PathLike[str], *, durable: bool = True) -> Database:
    """The database that `where` names: ``sqlite:///mail.db``, a path, or ``postgresql://…``. It is opened, and its
    tables are made or brought up to date.

    `durable`: refuse connections whose settings may lose what was committed. Raises `ConfigError` for a URL that is
    none, `OutboxUnavailable`, and `MissingExtra` without psycopg.
    """
    kind, place = where_is(where)
    if kind == "sqlite":
        from mailwright.outbox.sqlite import SqliteDatabase

        return SqliteDatabase(place, durable=durable)
    from mailwright.outbox.postgres import PostgresDatabase

    made: Database = PostgresDatabase(place, durable=durable)
    return made


def async_database(where: str | PathLike[str], *, durable: bool = True) -> AsyncDatabase:
    """The same for asyncio; it is opened by its `open`."""
    kind, place = where_is(where)
    if kind == "sqlite":
        from mailwright.outbox.sqlite.threaded import ThreadedSqlite

        return ThreadedSqlite(place, durable=durable)
    from mailwright.outbox.postgres import AsyncPostgresDatabase

    made: AsyncDatabase = AsyncPostgresDatabase(place, durable=durable)
    return made


def where_is(where: str | PathLike[str]) -> tuple[str, str]:
    """The engine that a URL or path names, and the path or URL for it. Raises `ConfigError`."""
    text = where if isinstance(where, str) else where.__fspath__() if hasattr(where, "__fspath__") else None
    if not isinstance(text, str):
        raise ConfigError("The outbox's database is named by text.", _HOW)
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower().partition("+")[0]  # SQLAlchemy writes postgresql+psycopg://
    if not separator:
        path = text
    elif scheme in ("postgresql", "postgres"):
        return "postgres", f"postgresql://{rest}"
    elif scheme == "sqlite":
        host, _, path = rest.partition("/")
        if host or "?" in path or "#" in path:
            raise ConfigError("The URL of a SQLite file holds nothing but its path.", _HOW)
        path = unquote(path)
    else:
        raise ConfigError(f"An outbox can't be kept in a database of the kind {scheme[:40]!r}.", _HOW)
    if not path or path.startswith(":memory:") or "\0" in path:
        raise ConfigError("An outbox needs a file: what is only in memory is lost with the process.", _HOW)
    return "sqlite", path


_HOW = "Write sqlite:///mail.db, sqlite:////var/lib/app/mail.db, a path, or postgresql://user@host/name."


_SQLITE_FULL = 13  # the result code of that name
_SQLITE_REFUSALS = (18, 19, 20)  # TOOBIG, CONSTRAINT, MISMATCH


def is_full(problem: BaseException) -> bool:
    """Whether an error of the database says that there is no room on the disk."""
    cause = problem.__cause__
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF == _SQLITE_FULL or getattr(cause, "sqlstate", "") == "53100"


def is_refusal(problem: BaseException) -> bool:
    """Whether an error of the database says that it does not take what a row holds, which is not the other rows' fault:
    SQLSTATEs of the classes 22 and 23.
    """
    cause = problem.__cause__
    refused = getattr(cause, "sqlite_errorcode", 0) & 0xFF in _SQLITE_REFUSALS
    return refused or (getattr(cause, "sqlstate", "") or "")[:2] in ("22", "23")
