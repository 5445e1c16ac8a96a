"""Where a worker begins: its servers, its limits, and the signals that end it."""

from __future__ import annotations

import asyncio
import signal
import threading

from mailwright.mailer.known import is_known
from mailwright.mailer.pool import Limits
from mailwright.mailer.preparing import mannered
from mailwright.outbox.work.accounts import DEFAULT, Finder, Unserved
from mailwright.outbox.work.limiting import of_quota
from mailwright.outbox.work.office import Office
from mailwright.outbox.work.retry import RETRIES
from mailwright.outbox.work.working import LONGEST_LEASE, RENEW, Worker
from mailwright.words.errors import ConfigError
from mailwright.words.server import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from mailwright.outbox.database import AsyncDatabase, Database
    from mailwright.outbox.work.limiting import Limit
    from mailwright.outbox.work.retry import Retry
    from mailwright.outbox.work.settling import Desk
    from mailwright.outbox.work.telling import Done, Event
    from mailwright.providers.provider import Provider

    Servers = Server | str | Mapping[str, Server | str] | None

WINDOW = 16  # messages in flight on each connection: with the connections, the bound on what can arrive twice
MESSAGES = 1000  # over one connection, as Exim's default has it


def work(
    database: Database,
    servers: Servers = None,
    *,
    window: int = WINDOW,
    concurrency: int = 4,
    once: bool = False,
    lease: float = 120.0,
    renew: float = RENEW,
    grace: float = 30.0,
    ahead: int = 500,
    limits: Iterable[Limit] = (),
    retries: tuple[Retry, ...] = RETRIES,
    tell: Callable[[Event], object] | None = None,
) -> Done:
    """Work off the outbox in `database` until SIGTERM or SIGINT comes, or with `once` until nothing is due.

    See `begun` for the rest. The first signal lets it finish what is under way, for `grace`
    seconds; the second ends it at once, and what is in doubt then is recorded so. Raises `OutboxUnavailable`, whose
    text names ENOSPC when the disk stayed full, and `ConfigError`.
    """

    async def run() -> Done:
        worker = await begun(
            database, servers, window=window, concurrency=concurrency, lease=lease, renew=renew, grace=grace,
            ahead=ahead, limits=limits, retries=retries, tell=tell,
        )  # fmt: skip
        with _Signals(worker):
            return await worker.run(once)

    return asyncio.run(run())


async def work_async(
    database: AsyncDatabase, servers: Servers = None, *, once: bool = False, **options: object
) -> Done:
    """The same beside other tasks of an event loop of asyncio. Cancelling it stops it as the first signal does, and
    cancelling it again as the second. No signal is listened for.
    """
    worker = await begun(database, servers, **options)  # type: ignore[arg-type]
    running = asyncio.ensure_future(worker.run(once))
    while True:
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            if running.done():
                raise
            worker.stop()
            if worker.hurry.is_set():
                await running
                raise


async def begun(
    database: Database | AsyncDatabase,
    servers: Servers,
    *,
    window: int = WINDOW,
    concurrency: int = 4,
    lease: float = 120.0,
    renew: float = RENEW,
    grace: float = 30.0,
    ahead: int = 500,
    limits: Iterable[Limit] = (),
    retries: tuple[Retry, ...] = RETRIES,
    tell: Callable[[Event], object] | None = None,
) -> Worker:
    """A worker that is ready to run.

    `servers`: one for the account "default", or one for each account by name; `None` finds them as `send` does, by the
    name of each account that has mail. Each takes a `Server` or a URL. `window`: messages in flight on a connection,
    and `concurrency`: connections to a server. `ahead`: rows in hand at most. `lease`: seconds for which rows are
    claimed, renewed every `renew` seconds. `limits` hold for all workers together, beside what a provider is known to
    take. `tell` is called with each `Event`. Raises `ConfigError`.
    """
    if lease < 2 * renew or lease > LONGEST_LEASE:
        raise ConfigError(
            f"A lease of {lease:g} seconds that is renewed every {renew:g} does not do.",
            f"Make it at least twice as long as that, and at most {LONGEST_LEASE:g} seconds.",
        )
    if len(retries) != len(RETRIES):
        raise ConfigError("There is one order of retries for each lane.", "Give three: urgent, normal, bulk.")
    if ahead < 1:
        raise ConfigError("A worker with ahead=0 has nothing in hand.", "Use 1 or more.")
    desk = await _desk(database)
    longest = max(retry.most for retry in retries)
    worker = Worker(desk, lease=lease, renew=renew, grace=grace, longest=longest, tell=tell)
    manners = Limits(size=concurrency, messages=MESSAGES, window=window)
    every = tuple(limits)

    def open_office(account: str, server: Server) -> None:
        provider = _provider_of(server)
        shared = [limit for limit in every if limit.account == account]
        known = of_quota(account, provider.quota) if provider is not None and provider.kind != "local" else None
        shared += [known] if known is not None else []
        name = provider.id if provider is not None else ""
        worker.open(Office(account, server, worker.around, mannered(manners, server), shared, name, retries, ahead))

    if servers is None:
        worker.look = Finder(desk, worker, open_office).look
        return worker
    named = servers if not isinstance(servers, (Server, str)) else {DEFAULT: servers}
    try:
        for account, server in named.items():
            open_office(account, Server.from_url(server) if isinstance(server, str) else server)
    except BaseException:
        await desk.close()
        raise
    worker.look = Unserved(desk, worker).look
    return worker


def _provider_of(server: Server) -> Provider | None:
    if not is_known(server):
        return None
    from mailwright.providers import catalog

    return catalog.by_host(server.host, server.login.user if server.login else "")


async def _desk(database: Database | AsyncDatabase) -> Desk:
    """A database as a worker uses it."""
    if database.store.dialect.name == "sqlite":
        from mailwright.outbox.sqlite.desk import SqliteDesk

        return SqliteDesk(database.place, database.store)
    from mailwright.outbox.postgres.desk import desk_of

    found: Any = database
    return await desk_of(found)


class _Signals:
    """SIGTERM and SIGINT stop `worker` while this is open; only the main thread hears signals."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._heard: list[int] = []

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                loop.add_signal_handler(number, self._worker.stop)
            except NotImplementedError:  # Windows: the interpreter's own KeyboardInterrupt ends it
                continue
            self._heard.append(number)

    def __exit__(self, *_: object) -> None:
        for number in self._heard:
            asyncio.get_running_loop().remove_signal_handler(number)
