"""An outbox with either engine and either face, behind one set of calls, so that every case is written once.

What is awaited on the asynchronous face is awaited here, in an event loop that lives as long as the test. A worker's
part is played with the store's own plans, each in a transaction of its own.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from mailwright import Message
from mailwright.outbox.aio import AsyncOutbox
from mailwright.outbox.outbox import Outbox
from mailwright.outbox.rows import NORMAL, Claimed, Result
from mailwright.outbox.states import SENT, State
from mailwright.outbox.suppressing import names_on_list, suppress

WORKER = b"worker 1".ljust(16, b".")
RIVAL = b"worker 2".ljust(16, b".")
LEASE = 120.0
ENDED = -1.0  # a lease that is over as soon as it is taken


def letter(to: str | list[str] = "bob@example.net", text: str = "Dear Bob, …", **more: Any) -> Message:
    """A message."""
    return Message("ada@example.org", to, more.pop("subject", "Minutes"), text, **more)


class Tray:
    """An outbox at `where`."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.engine = "sqlite" if where.startswith("sqlite") else "postgres"
        self._stack = ExitStack()

    # The two faces

    def do(self, made: Any) -> Any:
        """What a call gave; awaited on the asynchronous face."""
        raise NotImplementedError

    def another(self, where: str | None = None, **options: Any) -> Tray:
        """A second outbox with the same face, in the same database or another."""
        made = type(self)(where or self.where, **options)
        self._stack.callback(made.close)
        return made

    def application(self, **options: Any) -> Application:
        """A connection of the application to the same database."""
        raise NotImplementedError

    def close(self) -> None:
        """End everything that was opened through it."""
        self._stack.close()

    # The same for both

    outbox: Any

    def put(self, message: Any = None, *, connection: Application | None = None, **options: Any) -> str:
        """Put a message in; its id."""
        if connection is not None:
            options["connection"] = connection.connection
        made: str = self.do(self.outbox.put(letter() if message is None else message, **options))
        return made

    def put_many(self, messages: Iterable[Any], *, connection: Application | None = None, **options: Any) -> list[str]:
        """Put many."""
        if connection is not None:
            options["connection"] = connection.connection
        made: list[str] = self.do(self.outbox.put_many(messages, **options))
        return made

    def status(self, id: str) -> Any:
        """What is known of a message."""
        return self.do(self.outbox.status(id))

    def states(self, id: str) -> list[str]:
        """The names of the states of its recipients, in order."""
        return [one.state.name for one in self.status(id).deliveries]

    def found(self, **wanted: Any) -> list[Any]:
        """All of `find`."""
        pages = self.outbox.find(**wanted)
        return list(pages) if isinstance(pages, Iterator) else self.do(_all(pages))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *given, **options: self.do(getattr(self.outbox, name)(*given, **options))

    # A worker's part

    def write(self, make: Callable[[], Any]) -> Any:
        """A plan in a transaction of its own."""
        return self.do(self.outbox.database.write(make))

    def read(self, make: Callable[[], Any]) -> Any:
        """A plan that looks."""
        return self.do(self.outbox.database.read(make))

    def claim(
        self, budgets: Mapping[str, int] | None = None, worker: bytes = WORKER, lease: float = LEASE,
        lane: int = NORMAL, account: str = "default",
    ) -> list[Claimed]:  # fmt: skip
        """Claim rows; by default of example.net."""
        wanted = {"example.net": 100} if budgets is None else budgets
        store = self.outbox.store
        rows: list[Claimed] = self.write(lambda: store.claim(worker, account, lane, wanted, lease))
        return rows

    def settle(self, rows: Iterable[Claimed], state: State = SENT, worker: bytes = WORKER, **more: Any) -> int:
        """Write the same result for all of them."""
        store = self.outbox.store
        results = [Result(row.id, row.n, row.claims, state, **more) for row in rows]
        counted: int = self.write(lambda: store.settle(worker, results))
        return counted

    def mark(self, rows: Iterable[Claimed], worker: bytes = WORKER) -> bool:
        """Mark them as being sent."""
        store = self.outbox.store
        marked: bool = self.write(lambda: store.mark_sending(worker, list(rows)))
        return marked

    def renew(self, rows: Iterable[Claimed], worker: bytes = WORKER, lease: float = LEASE) -> int:
        """Let their leases last longer."""
        store = self.outbox.store
        kept: int = self.write(lambda: store.renew(worker, list(rows), lease))
        return kept

    def destinations(self, lane: int = NORMAL, after: str = "", most: int = 200) -> list[str]:
        """Those that have rows."""
        store = self.outbox.store
        found: list[str] = self.read(lambda: store.destinations("default", lane, after, most))
        return found

    def numbers(self) -> Any:
        """What `stats` gives; names of their own, here and below, where a worker's part has the usual one."""
        return self.do(self.outbox.stats())

    def settled(self, id: str, verdict: str, **options: Any) -> int:
        """What a person says of what is held."""
        changed: int = self.do(self.outbox.settle(id, verdict, **options))
        return changed

    def pruned(self, **ages: float) -> Any:
        """What `prune` deleted."""
        return self.do(self.outbox.prune(**ages))

    def suppress(self, names: str | list[str], reason: str = "bounced", until: int | None = None) -> None:
        """Put addresses on the suppression list."""
        self.write(lambda: suppress(self.outbox.store, names_on_list(names), reason, until))

    def query(self, sql: str, **given: Any) -> list[tuple[Any, ...]]:
        """A statement of the test's own, in the words of ``sql/``."""
        from mailwright.outbox.asking import Query

        statement = self.outbox.store.dialect.words(sql)

        async def plan() -> list[tuple[Any, ...]]:
            rows: list[tuple[Any, ...]] = await Query(statement, given)
            return rows

        rows: list[tuple[Any, ...]] = self.write(plan)
        return rows


class BlockingTray(Tray):
    """Over `Outbox`."""

    def __init__(self, where: str, **options: Any) -> None:
        super().__init__(where)
        self.outbox = Outbox(where, **options)
        self._stack.callback(self.outbox.close)

    def do(self, made: Any) -> Any:
        return made

    def application(self, **options: Any) -> Application:
        import psycopg

        if self.engine == "sqlite":
            connection: Any = sqlite3.connect(self.where.removeprefix("sqlite:///"), **options)
        else:
            connection = psycopg.connect(self.where, **options)
        self._stack.callback(connection.close)
        return Application(connection, self.do)


class AsyncTray(Tray):
    """Over `AsyncOutbox`."""

    def __init__(self, where: str, **options: Any) -> None:
        super().__init__(where)
        self._runner = self._stack.enter_context(asyncio.Runner())
        self.outbox = AsyncOutbox(where, **options)
        try:
            self.do(self.outbox.open())
        except BaseException:
            self._stack.close()
            raise
        self._stack.callback(lambda: self.do(self.outbox.close()))

    def do(self, made: Any) -> Any:
        return self._runner.run(made)

    def application(self, **options: Any) -> Application:
        import psycopg

        if self.engine == "sqlite":
            connection: Any = sqlite3.connect(self.where.removeprefix("sqlite:///"), **options)
            self._stack.callback(connection.close)
            return Application(connection, lambda made: made)
        connection = self.do(psycopg.AsyncConnection.connect(self.where, **options))
        self._stack.callback(lambda: self.do(connection.close()))
        return Application(connection, self.do)


class Application:
    """A connection that the application has open, of the driver's own kind."""

    def __init__(self, connection: Any, do: Callable[[Any], Any]) -> None:
        self.connection, self._do = connection, do

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """A statement of the application's own."""
        cursor = self._do(self.connection.execute(sql))
        rows: list[tuple[Any, ...]] = self._do(cursor.fetchall()) if cursor.description is not None else []
        return rows

    def commit(self) -> None:
        self._do(self.connection.commit())

    def rollback(self) -> None:
        self._do(self.connection.rollback())


async def _all(pages: AsyncIterator[Any]) -> list[Any]:
    return [one async for one in pages]


FACES: dict[str, type[Tray]] = {"blocking": BlockingTray, "async": AsyncTray}
