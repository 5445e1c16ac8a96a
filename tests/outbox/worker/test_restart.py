"""The database's server ends in the middle of everything and recovers: while a worker sends, and an application puts."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from mailwright import Message
from mailwright.inbox import Inbox
from mailwright.outbox.outbox import Outbox
from mailwright.outbox.work.worker import begun
from mailwright.words.errors import OutboxUnavailable
from tests.outbox.worker.place import SOON
from tests.servers import postgres as module
from tests.servers.postgres import PostgresServer

RESTARTS = 3
PUTS = 4  # threads of the application


@pytest.fixture
def server(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """A server of its own, so that nobody else is disturbed. (`postgres` skips where there is none.)"""
    with module.running() as own:
        yield own


@pytest.mark.parametrize("in_doubt", ["retry", "hold"])
def test_a_server_that_is_restarted_at_once_loses_nothing(
    server: PostgresServer, post_office: Inbox, in_doubt: str
) -> None:
    """Whatever put returned for is delivered, and once: no lease ended, so that nothing was in doubt. What raised may
    be there or not.
    """
    returned: list[str] = []
    enough = threading.Event()

    def application(outbox: Outbox, thread: int) -> None:
        number = 0
        while not enough.is_set():
            address = f"bob{thread}-{number}@d{number % 7}.example"
            try:
                outbox.put(Message("ada@example.org", address, "One", "text"), key=address, in_doubt=in_doubt)
            except OutboxUnavailable:
                continue  # it puts the same again, with the same key
            returned.append(address)
            number += 1

    def trouble() -> list[int]:
        """How many had been sent at each restart."""
        sent = []
        for _ in range(RESTARTS):
            target = len(post_office.messages) + 60
            while len(post_office.messages) < target and not enough.wait(0.01):
                pass
            sent.append(len(post_office.messages))
            server.restart()
        return sent

    async def play(outbox: Outbox) -> tuple[Any, list[int]]:
        worker = await begun(outbox.database, post_office.server, retries=SOON, ahead=100, tell=lambda _: None)
        running = asyncio.ensure_future(worker.run())
        threads = [threading.Thread(target=application, args=(outbox, n)) for n in range(PUTS)]
        for thread in threads:
            thread.start()
        try:
            sent = await asyncio.wait_for(asyncio.to_thread(trouble), 120)
        finally:
            enough.set()
            for thread in threads:
                await asyncio.to_thread(thread.join)
        async with asyncio.timeout(60):
            while outbox.stats().open:
                await asyncio.sleep(0.05)
        worker.stop()
        return await running, sent

    with Outbox(server.database()) as outbox:
        done, sent = asyncio.run(play(outbox))
        counts = outbox.stats().counts
    assert len(sent) == RESTARTS and sorted(set(sent)) == sent, "each came while mail went out"
    reached = Counter(one.envelope.recipients[0].spec for one in post_office.messages)
    assert set(returned) <= set(reached)
    assert set(reached.values()) == {1}
    assert counts["sent"] == done.sent == len(reached) and done.fenced == 0
