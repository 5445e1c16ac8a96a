"""A worker's whole world in one process, where hours take no time: a clock that leaps to whatever comes next, a store and
a mail server that do what a script says, and workers that can be frozen as they are, or killed.

All of the worker is real, and so is its talk with the server, over a Unix socket of this process: octets that were
written can be read at once, so that nothing ever waits for the real clock and the same script gives the same run.
"""

from __future__ import annotations

import asyncio
import random
import selectors
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from contextvars import Context, ContextVar, copy_context
from pathlib import Path
from types import coroutine
from typing import Any

from mailwright import Message
from mailwright.mailer.pool import Limits
from mailwright.outbox.asking import perform
from mailwright.outbox.migrating import migrate
from mailwright.outbox.putting import House, Terms, draft_of, names_of, put
from mailwright.outbox.rows import Claimed
from mailwright.outbox.sqlite.session import SqliteSession
from mailwright.outbox.statements import SQLITE
from mailwright.outbox.states import state_of
from mailwright.outbox.store import Store
from mailwright.outbox.work.office import Office
from mailwright.outbox.work.retry import HOUR, RETRIES, Retry
from mailwright.outbox.work.telling import Done, Event
from mailwright.outbox.work.working import Worker
from mailwright.words.errors import OutboxUnavailable
from mailwright.words.server import Server
from mailwright.words.value import replace

BEGINNING = 1_700_000_000  # seconds since 1970 by the database's clock when a world begins
FORGOTTEN = """UPDATE mw_delivery SET due_at = {now} + :lease WHERE account = :account AND phase = 2
AND lease_by = :worker AND due_at > {now}
RETURNING message_id, n, rcpt, dest, lane, phase, claims, attempts, deaths, cancelled, hold, first_tried"""

#: What a store does with a transaction: `writes`, and what performs it. It may raise before that, or behind it.
StoreScript = Callable[[bool, Callable[[], Any]], Awaitable[Any]]


async def obedient(writes: bool, act: Callable[[], Any]) -> Any:
    """A store that does what it is told."""
    return act()


# Time


class _Leaping(selectors.DefaultSelector):
    """Waits for nothing: where nothing is ready, it is later already."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        if not found and timeout is None:
            raise AssertionError("nothing will ever happen again")
        if not found and timeout is not None and timeout > 0:
            self._world.now += timeout
        return found


class _Loop(asyncio.SelectorEventLoop):
    """An event loop of the world's own time. What a task of a worker begins belongs to that worker, too."""

    def __init__(self, world: World) -> None:
        super().__init__(_Leaping(world))
        self._world = world
        self.set_task_factory(_task)

    def time(self) -> float:
        return self._world.now

    async def create_connection(self, *args: Any, **options: Any) -> Any:
        transport, protocol = await super().create_connection(*args, **options)
        process = _PROCESS.get()
        if process is not None:
            process.transports.append(transport)
        return transport, protocol


# Processes

_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


def _task(loop: Any, work: Coroutine[Any, Any, Any], *, context: Context | None = None, **more: Any) -> Any:
    process = _PROCESS.get() if context is None else context.get(_PROCESS)
    return asyncio.Task(work if process is None else _of(process, work), loop=loop, context=context, **more)


async def _of(process: Process, work: Coroutine[Any, Any, Any]) -> Any:
    return await _stepped(process, work)


@coroutine
def _stepped(process: Process, work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Step by step, and no step while the process is frozen."""
    act, given = work.send, None
    while True:
        try:
            awaited = act(given)
        except StopIteration as end:
            return end.value
        try:
            act, given = work.send, (yield awaited)
        except BaseException as problem:
            act, given = work.throw, problem  # type: ignore[assignment]
        while process.frozen:
            process.sleeping.append(asyncio.get_running_loop().create_future())
            yield from process.sleeping[-1].__await__()


class Process:
    """A worker, as a process of its own."""

    def __init__(self, world: World, script: StoreScript, retries: tuple[Retry, ...], **options: Any) -> None:
        self.world = world
        self.frozen = self.killed = False
        self.sleeping: list[asyncio.Future[None]] = []
        self.transports: list[asyncio.Transport] = []
        self._context = copy_context()
        self._context.run(_PROCESS.set, self)
        self._begin = (script, retries, options)
        self.running: asyncio.Task[Done] = asyncio.get_running_loop().create_task(
            self._context.run(self._live), context=self._context
        )

    async def _live(self) -> Done:
        script, retries, options = self._begin
        world = self.world
        self.desk = Desk(world, self, script)
        self.worker = Worker(
            self.desk, lease=options.pop("lease", 120.0), renew=options.pop("renew", 30.0), grace=30.0, tell=world.tell,
            longest=max(retry.most for retry in retries), clock=lambda: world.now, draw=world.jitter,
        )  # fmt: skip
        limits = Limits(size=2, messages=1000, window=options.pop("window", 16))
        accounts, server = options.pop("accounts", ("default",)), Server("", path=str(world.path))
        ahead, shared = options.pop("ahead", 500), options.pop("shared", ())
        assert not options
        for account in accounts:
            self.worker.open(Office(account, server, self.worker.around, limits, shared, "", retries, ahead))
        return await self.worker.run()

    def freeze(self) -> None:
        """Let it do nothing at all, as SIGSTOP does."""
        self.frozen = True

    def thaw(self) -> None:
        """Let it go on: it does not know that it was frozen."""
        self.frozen = False
        for one in self.sleeping:
            if not one.done():
                one.set_result(None)
        self.sleeping.clear()

    def kill(self) -> None:
        """End it, as SIGKILL does: what it had handed to the system still arrives, and then its connections end."""
        self.frozen = self.killed = True
        for transport in self.transports:
            transport.abort()

    async def stop(self) -> Done:
        """Ask it to end, as SIGTERM does."""
        self.worker.stop()
        return await self.running

    async def bury(self) -> None:
        """Take what is left of a killed one out of the loop: its database and its server are gone."""
        self.thaw()
        await asyncio.sleep(0)
        for _ in range(2):
            self.worker.stop()
        await asyncio.wait((self.running,), timeout=HOUR)
        assert self.running.done()
        self.running.exception()


# The store


class Desk:
    """The world's database as a worker uses it; `script` says what becomes of each transaction."""

    def __init__(self, world: World, process: Process, script: StoreScript) -> None:
        self._world, self._process, self._script = world, process, script
        self.trouble: Callable[[OutboxUnavailable], object] | None = None
        self.store = world.store
        self.place = "the world"
        self._rung = asyncio.Event()
        world.ears.append(self._rung)

    async def _do(self, writes: bool, make: Callable[[], Any]) -> Any:
        def act() -> Any:
            if self._process.killed:
                raise OutboxUnavailable("This process is dead.", "")
            return self._world.transact(make, self._rung)

        return await self._script(writes, act)

    async def write(self, make: Callable[[], Any]) -> Any:
        return await self._do(True, make)

    async def read(self, make: Callable[[], Any]) -> Any:
        return await self._do(False, make)

    survey = read

    async def pieces(self, row: Claimed) -> Callable[[int], bytes]:
        return lambda place: self._world.transact(lambda: self.store.chunk(row.id, place))

    async def claim_new(self, *_: Any) -> tuple[list[Claimed], dict[str, str]]:
        return [], {}

    async def forgotten(self, worker: bytes, account: str, lease: float) -> tuple[list[Claimed], dict[str, str]]:
        async def plan() -> tuple[list[Claimed], dict[str, str]]:
            from mailwright.outbox.asking import Query

            given = {"worker": worker, "account": account, "lease": int(lease * 1000)}
            rows = await Query(self.store.dialect.words(FORGOTTEN), given)
            claimed = await self.store.read(rows, await self.store._messages(list({row[0] for row in rows})))
            names = {name for row in claimed for name in names_of(row.address, row.domain)}
            return claimed, await self.store.suppressed(names)

        return await self.write(plan)  # type: ignore[no-any-return]

    async def news(self, seconds: float) -> bool:
        self._rung.clear()
        try:
            async with asyncio.timeout(seconds):
                return await self._rung.wait()
        except TimeoutError:
            return False

    async def again(self) -> None:
        await self.check()

    async def check(self) -> None:
        await self.read(lambda: self.store.meta("identity"))

    async def close(self) -> None:
        self._world.ears.remove(self._rung)


class World:
    """`now`: seconds since it began. `ahead`: by so much the database's clock is ahead of that. `path`: where its mail
    server listens. `events` has what the workers tell, each with its time.
    """

    def __init__(self, folder: Path, seed: int = 7) -> None:
        self.now, self.ahead = 0.0, 0.0
        self.dice = random.Random(seed)
        self.jitter: Callable[[], float] = self.dice.random
        self.path = folder / "smtp"
        self.events: list[tuple[float, Event]] = []
        self.ears: list[asyncio.Event] = []
        self.store = Store(replace(SQLITE, now="world_now()"))
        self.database = sqlite3.connect(":memory:", isolation_level=None)
        self.database.create_function("world_now", 0, lambda: round((BEGINNING + self.now + self.ahead) * 1000))
        self.transact(lambda: migrate(self.store, (), "the world"))

    def tell(self, event: Event) -> None:
        self.events.append((self.now, event))

    def told(self, kind: str) -> list[tuple[float, Event]]:
        """The events of a kind."""
        return [(when, event) for when, event in self.events if event.kind == kind]

    def transact(self, make: Callable[[], Any], by: asyncio.Event | None = None) -> Any:
        """One transaction; who else works on this database is rung for when it changed something."""
        before = self.database.total_changes
        self.database.execute("BEGIN")
        try:
            result = perform(make(), SqliteSession(self.database))
            self.database.execute("COMMIT")
        except BaseException:
            self.database.execute("ROLLBACK")
            raise
        for ear in self.ears if self.database.total_changes > before else ():
            if ear is not by:
                ear.set()
        return result

    def put(self, *to: str, text: str = "Dear all,\r\nhere they are.\r\n", key: str | None = None, **terms: Any) -> Any:
        """Put a message in; gives its draft."""
        message = Message("ada@example.org", to, "Minutes", text)
        draft = draft_of(message, key, Terms(**terms), None, None, House())
        self.transact(lambda: put(self.store, [draft]))
        return draft

    def rows(self) -> dict[str, tuple[str, int, str, int]]:
        """State, code, text and number of tries of each recipient."""
        ask = self.database.execute
        found = ask("SELECT rcpt, phase, last_code, last_text, attempts FROM mw_delivery").fetchall()
        found += ask("SELECT rcpt, state, code, text, attempts FROM mw_outcome").fetchall()
        assert len({row[0] for row in found}) == len(found), "one recorded state a recipient"
        return {rcpt: (state_of(number).name, code, text, tries) for rcpt, number, code, text, tries in found}

    def states(self) -> dict[str, str]:
        """The state of each recipient."""
        return {rcpt: row[0] for rcpt, row in self.rows().items()}

    def start(
        self, script: StoreScript = obedient, retries: Sequence[Retry] = RETRIES, **options: Any
    ) -> Process:  # within the loop of `run`
        """A worker that begins now."""
        return Process(self, script, tuple(retries), **options)

    def run(self, story: Coroutine[Any, Any, Any]) -> Any:
        """What `story` gives, told from the beginning to the end. What was raised where nobody waits for it, in the
        server or in a callback, is raised then.
        """
        loop, unheard = _Loop(self), list[dict[str, Any]]()
        loop.set_exception_handler(lambda _, context: unheard.append(context))
        try:
            found = loop.run_until_complete(story)
            if unheard:
                raise AssertionError(unheard[0]["message"]) from unheard[0].get("exception")
            return found
        finally:
            rest = asyncio.all_tasks(loop)
            for task in rest:
                task.cancel()
            if rest:
                loop.run_until_complete(asyncio.wait(rest, timeout=HOUR))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def close(self) -> None:
        """The end of it."""
        self.database.close()
