"""`AsyncOutbox`: the durable tray, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable

from mailwright.outbox import changing, looking
from mailwright.outbox.asking import conduct_async
from mailwright.outbox.batches import Batches
from mailwright.outbox.database import async_database
from mailwright.outbox.finding import PAGE, Wanted, find, place_after
from mailwright.outbox.ids import id_of, text_of
from mailwright.outbox.putting import MAX_SIZE, House, Terms, draft_of, milliseconds, put, seconds, written
from mailwright.outbox.rounds import Rounds
from mailwright.outbox.stats import stats
from mailwright.outbox.suppressing import names_on_list, suppress, suppressions, unsuppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from datetime import timedelta
    from os import PathLike
    from types import TracebackType
    from typing import Any, TypeVar

    from mailwright.mailer.outgoing import Sendable
    from mailwright.outbox.bounces import Heard, Rules
    from mailwright.outbox.changing import Pruned
    from mailwright.outbox.database import AsyncDatabase
    from mailwright.outbox.putting import InDoubt, Lane, Put, When
    from mailwright.outbox.rows import Draft
    from mailwright.outbox.status import Delivery, Stats, Status
    from mailwright.outbox.store import Store
    from mailwright.outbox.suppressing import Suppression
    from mailwright.outbox.work.telling import Done
    from mailwright.outbox.work.worker import Servers
    from mailwright.steps import Plan
    from mailwright.words.address import Address

    T = TypeVar("T")


class AsyncOutbox:
    """`mailwright.Outbox` for asyncio: the same calls, awaited.

    ::

        async with AsyncOutbox("postgresql://app@db.example.com/app") as outbox:
            id = await outbox.put(message, key="order-42-receipt", connection=session)

    It is opened by ``async with``, by `open`, or by the first call that is awaited. On PostgreSQL it speaks through
    psycopg's asynchronous connections; on SQLite whole transactions run in a thread, for they wait for the disk. One
    event loop uses it. Options and errors are those of `Outbox`.
    """

    def __init__(
        self,
        where: str | PathLike[str],
        *,
        max_size: int = MAX_SIZE,
        in_doubt: InDoubt | Mapping[str, InDoubt] = "retry",
        durable: bool = True,
        paused: bool = False,
    ) -> None:
        self.house = House(max_size, in_doubt)
        self.database = async_database(where, durable=durable)
        self._rounds = Rounds(self.database)
        self._opening = asyncio.Lock()
        self._is_open = False
        self._begin_paused = paused

    @property
    def store(self) -> Store:
        """The statements of its database."""
        return self.database.store

    async def open(self) -> None:
        """Connect, check, and bring the tables up to date. Raises `OutboxUnavailable`."""
        async with self._opening:
            if not self._is_open:
                await self.database.open()
                self._is_open = True
                if self._begin_paused:
                    await self.database.write(lambda: changing.pause(self.store, True))

    async def _ready(self) -> AsyncDatabase:
        if not self._is_open:
            await self.open()
        return self.database

    async def _write(self, make: Callable[[], Plan[T]]) -> T:
        return await (await self._ready()).write(make)

    async def _read(self, make: Callable[[], Plan[T]]) -> T:
        return await (await self._ready()).read(make)

    async def put(
        self,
        message: Sendable,
        *,
        key: str | None = None,
        connection: Any = None,
        account: str = "default",
        stream: str = "default",
        lane: Lane = "normal",
        at: When | None = None,
        expires: When | None = None,
        in_doubt: InDoubt | None = None,
        sender: str | Address | None = None,
        to: Iterable[str | Address] | str | Address | None = None,
        held: bool = False,
    ) -> str:
        """Put a message in, and give its id; see `Outbox.put`. `connection` may also be psycopg's ``AsyncConnection``,
        SQLAlchemy's ``AsyncConnection`` or ``AsyncSession``, or one of aiosqlite.

        A call that is cancelled may have put the message all the same; with a `key` it can be repeated.
        """
        database = await self._ready()
        terms = Terms(account, stream, lane, at, expires, in_doubt, held)
        draft = draft_of(message, key, terms, sender, to, self.house)
        if connection is None:
            return text_of(await self._rounds.put(draft))
        (answer,) = await database.joined(connection, lambda: put(self.store, [draft]))
        return text_of(written(answer))

    async def put_many(
        self,
        messages: Iterable[Sendable | Put] | AsyncIterable[Sendable | Put],
        *,
        connection: Any = None,
        account: str = "default",
        stream: str = "default",
        lane: Lane = "normal",
        at: When | None = None,
        expires: When | None = None,
        in_doubt: InDoubt | None = None,
        held: bool = False,
    ) -> list[str]:
        """Put the messages of any iterable in, asynchronous or not, a thousand in a commit; see `Outbox.put_many`."""
        database = await self._ready()
        terms = Terms(account, stream, lane, at, expires, in_doubt, held)
        found: list[str] = []

        async def write(drafts: list[Draft]) -> None:
            answers: Sequence[Any]
            if connection is not None:
                answers = await database.joined(connection, lambda: put(self.store, drafts))
            else:
                answers = await self._rounds.put_all(drafts)
            found.extend([text_of(written(answer)) for answer in answers])

        batches = Batches(terms, self.house)
        if isinstance(messages, AsyncIterable):
            async for one in messages:
                if drafts := batches.add(one):
                    await write(drafts)
        else:
            for one in messages:
                if drafts := batches.add(one):
                    await write(drafts)
        if rest := batches.rest():
            await write(rest)
        return found

    async def status(self, id: str) -> Status:
        """The message, and what became of every recipient. Raises `OutboxError` if there is none with this `id`."""
        wanted = id_of(id)
        return await self._read(lambda: looking.status(self.store, wanted))

    async def find(
        self,
        *,
        state: str | None = None,
        recipient: str | None = None,
        domain: str | None = None,
        account: str | None = None,
        key: str | None = None,
        stream: str | None = None,
        message_id: str | None = None,
        since: When | None = None,
        until: When | None = None,
    ) -> AsyncIterator[Delivery]:
        """The recipients to whom all of this applies, newest first: ``async for one in outbox.find(state="held")``."""
        put_since, put_until = milliseconds("since", since), milliseconds("until", until)
        wanted = Wanted(state, recipient, domain, account, key, stream, message_id, put_since, put_until)
        after: tuple[bytes, int] | None = None
        while True:
            page = await self._read(lambda after=after: find(self.store, wanted, after, PAGE))  # type: ignore[misc]
            for one in page:
                yield one
            if len(page) < PAGE:
                return
            after = place_after(page[-1])

    async def stats(self) -> Stats:
        """How much is in which state, how old the oldest is, how fast it goes, and what is paused."""
        return await self._read(lambda: stats(self.store))

    async def cancel(self, id: str, *, recipient: str | None = None) -> int:
        """Take back what was not sent yet; see `Outbox.cancel`."""
        wanted = id_of(id)
        return await self._write(lambda: changing.cancel(self.store, wanted, recipient))

    async def retry(self, id: str, *, recipient: str | None = None, expires: When | None = None) -> int:
        """Send again what ended without being sent; see `Outbox.retry`."""
        wanted, end = id_of(id), milliseconds("expires", expires)
        return await self._write(lambda: changing.retry(self.store, wanted, recipient, end))

    async def hold(self, id: str, *, recipient: str | None = None, reason: str = changing.HELD_BY_REQUEST) -> int:
        """Set aside what waits; see `Outbox.hold`."""
        wanted = id_of(id)
        return await self._write(lambda: changing.hold(self.store, wanted, recipient, reason))

    async def release(self, id: str, *, recipient: str | None = None) -> int:
        """Send what is held, at once; see `Outbox.release`."""
        wanted = id_of(id)
        return await self._write(lambda: changing.release(self.store, wanted, recipient))

    async def settle(self, id: str, verdict: str, *, recipient: str | None = None) -> int:
        """Say what became of what is held; see `Outbox.settle`."""
        wanted = id_of(id)
        return await self._write(lambda: changing.settle(self.store, wanted, recipient, verdict))

    async def pause(self) -> None:
        """Tell all workers to claim nothing until `resume`."""
        await self._write(lambda: changing.pause(self.store, True))

    async def resume(self) -> None:
        """Let the workers go on."""
        await self._write(lambda: changing.pause(self.store, False))

    async def paused(self) -> bool:
        """Whether the workers were told to claim nothing."""
        return await self._read(lambda: changing.is_paused(self.store))

    async def restored(self) -> int:
        """Say that this database is a restored backup; see `Outbox.restored`."""
        return await conduct_async(changing.restored(self.store), await self._ready(), asyncio.sleep)

    async def prune(
        self, older_than: timedelta | float | None = None, *, bodies_older_than: timedelta | float | None = None
    ) -> Pruned:
        """Delete what ended longer ago than that; see `Outbox.prune`."""
        ages = seconds("older_than", older_than), seconds("bodies_older_than", bodies_older_than)
        database = await self._ready()
        return await database.prune(lambda: changing.prune(self.store, *ages), asyncio.sleep)

    async def suppress(self, names: Iterable[str] | str, reason: str, *, until: When | None = None) -> int:
        """Put addresses or ``@domain`` on the suppression list; see `Outbox.suppress`."""
        listed, end = names_on_list(names), milliseconds("until", until)
        return await self._write(lambda: suppress(self.store, listed, reason, end))

    async def unsuppress(self, names: Iterable[str] | str) -> list[str]:
        """Take them off the list. Gives those that were on it."""
        listed = names_on_list(names)
        return await self._write(lambda: unsuppress(self.store, listed))

    async def suppressions(self) -> AsyncIterator[Suppression]:
        """The suppression list, by address."""
        after: str | None = ""
        while after is not None:
            page = await self._read(lambda after=after: suppressions(self.store, after))  # type: ignore[misc]
            for one in page:
                yield one
            after = page[-1].address if page else None

    async def hear(self, report: bytes, rules: Rules | None = None) -> list[Heard]:
        """Read a delivery report or a complaint; see `Outbox.hear`."""
        from mailwright.outbox.bounces import Rules, name_of, read_reports, record

        name, reports = name_of(report), await asyncio.to_thread(read_reports, report)
        return await self._write(lambda: record(self.store, name, reports, rules or Rules())) if reports else []

    async def work(self, servers: Servers = None, **options: Any) -> Done:
        """Deliver what is in the outbox; see `mailwright.outbox.work.worker.work_async`."""
        from mailwright.outbox.work.worker import work_async

        return await work_async(await self._ready(), servers, **options)

    async def close(self) -> None:
        """Let go of the database. What was put stays in it."""
        await self.database.close()

    async def __aenter__(self) -> AsyncOutbox:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncOutbox in {self.database.place}>"
