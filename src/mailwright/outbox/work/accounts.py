"""Which accounts have mail, and who of a worker serves them."""

from __future__ import annotations

import asyncio
import socket
from functools import partial

from mailwright.outbox.asking import Query
from mailwright.outbox.rows import LANES
from mailwright.outbox.work.limiting import stop_until
from mailwright.outbox.work.telling import Event
from mailwright.words.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mailwright.outbox.store import Store
    from mailwright.outbox.work.settling import Desk
    from mailwright.outbox.work.working import Worker
    from mailwright.words.server import Server

DEFAULT = "default"
ANEW = 600.0  # seconds until it is looked again whether an account has settings by now
OVERDUE = 60.0  # seconds after which somebody who serves an account would have taken its mail
DESTINATIONS = 50  # of an account and lane that are looked at for that


async def accounts(store: Store) -> list[str]:
    """All accounts that have mail."""
    found: list[str] = []
    while rows := await Query(store.sql["next_account"], {"after": found[-1] if found else ""}):
        found.append(rows[0][0])
    return found


class Finder:
    """Opens an office for each account that has mail, with the server that the settings have for it."""

    def __init__(self, desk: Desk, worker: Worker, open_office: Callable[[str, Server], None]) -> None:
        self._desk, self._worker, self._open = desk, worker, open_office
        self._without: dict[str, float] = {}  # accounts for which there is no server, and until when that is believed

    async def look(self) -> None:
        """Open what is missing. Raises `ConfigError` when there is a server for none of them."""
        around, none = self._worker.around, None
        for account in await self._desk.read(partial(accounts, self._desk.store)):
            if account in self._worker.offices or self._without.get(account, 0.0) > around.clock():
                continue
            try:
                server = await asyncio.to_thread(_server_for, account)
            except ConfigError as problem:
                none = problem
                if account not in self._without:
                    around.tell(Event("paused", account, text=str(problem)))
                self._without[account] = around.clock() + ANEW  # the others go on
                # Where `stats` sees it, but not as a stop of the account: another worker may have settings for it.
                here = f"(no server on {socket.gethostname()})"
                around.note(partial(stop_until, self._desk.store, account, here, ANEW, str(problem)))
            else:
                self._open(account, server)
                if self._without.pop(account, None) is not None:
                    around.tell(Event("resumed", account))
        if none is not None and not self._worker.offices:
            raise none


class Unserved:
    """Tells once of each account whose mail nobody takes, where the worker was given its servers."""

    def __init__(self, desk: Desk, worker: Worker) -> None:
        self._desk, self._worker = desk, worker
        self._told: set[str] = set()

    async def look(self) -> None:
        """Look for such accounts."""
        for account in await self._desk.read(partial(accounts, self._desk.store)):
            if account in self._worker.offices or account in self._told:
                continue
            if await self._desk.read(partial(_overdue, self._desk.store, account)):
                self._told.add(account)
                served = ", ".join(sorted(self._worker.offices))
                text = f"Mail of account {account!r} is due, and this worker serves {served} only."
                self._worker.around.tell(Event("unserved", account, text=text))


async def _overdue(store: Store, account: str) -> bool:
    """Whether mail of this account is due for longer than it takes somebody to claim it."""
    rows = await Query(store.sql["now"], {})
    before = int(rows[0][0]) - int(OVERDUE * 1000)
    for lane in range(len(LANES)):
        for domain in await store.destinations(account, lane, "", DESTINATIONS):
            due = await store.next_due(account, lane, domain)
            if due is not None and due < before:
                return True
    return False


def _server_for(account: str) -> Server:
    from mailwright.mailer.settings import resolve

    return resolve(account=None if account == DEFAULT else account).for_mail
