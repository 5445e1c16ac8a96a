"""A worker's surroundings: an outbox in a file, an inbox to send to, and a clock that a test may set."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from pathlib import Path
from typing import Any

from mailwright import Message
from mailwright.outbox.outbox import Outbox
from mailwright.outbox.statements import SQLITE
from mailwright.outbox.states import state_of
from mailwright.outbox.store import Store
from mailwright.outbox.work.retry import Retry
from mailwright.outbox.work.telling import Done, Event
from mailwright.outbox.work.worker import begun
from mailwright.words.value import replace

SOON = tuple(Retry(first=0.01, longest=0.01, lifetime=3600.0, jitter=0.0) for _ in range(3))
LATER = tuple(Retry(first=60.0, longest=60.0, lifetime=3600.0, jitter=0.0) for _ in range(3))
CLOCK = "CREATE TABLE IF NOT EXISTS test_clock (at INTEGER NOT NULL)"


class Place:
    """An outbox and what happens to it. `clock`: the database's time is what `set_time` says."""

    def __init__(self, folder: Path, clock: bool = False) -> None:
        self.path = folder / "mail.db"
        self.outbox = Outbox(self.path)
        self.events: list[Event] = []
        if clock:
            with sqlite3.connect(self.path) as connection:
                connection.execute(CLOCK)
                connection.execute("INSERT INTO test_clock VALUES (?)", (int(time.time() * 1000),))
            connection.close()
            self.outbox.database.store = Store(replace(SQLITE, now="(SELECT at FROM test_clock)"))

    def put(self, *to: str, **options: Any) -> str:
        """A small message; its id."""
        subject = options.pop("subject", "Minutes")
        text = options.pop("text", "Dear all,\r\nhere they are.\r\n")
        sender = options.pop("sender", "ada@example.org")
        return self.outbox.put(Message(sender, to or ("bob@example.net",), subject, text), **options)

    def work(self, server: Any, **options: Any) -> Done:
        """What a worker does until nothing is due."""

        async def run() -> Done:
            options.setdefault("retries", LATER)
            worker = await begun(self.outbox.database, server, tell=self.events.append, **options)
            random.seed(7)
            return await worker.run(once=True)

        return asyncio.run(run())

    def sql(self, text: str, *given: Any) -> list[tuple[Any, ...]]:
        """A statement on the file itself."""
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=5)
        try:
            return connection.execute(text, given).fetchall()
        finally:
            connection.close()

    def rows(self) -> dict[str, tuple[str, int, str]]:
        """State, code and text of each recipient."""
        found = self.sql("SELECT rcpt, phase, last_code, last_text FROM mw_delivery")
        found += self.sql("SELECT rcpt, state, code, text FROM mw_outcome")
        assert len({row[0] for row in found}) == len(found), "one recorded state a recipient"
        return {rcpt: (state_of(number).name, code, text) for rcpt, number, code, text in found}

    def states(self) -> dict[str, str]:
        """The state of each recipient."""
        return {rcpt: state for rcpt, (state, _, _) in self.rows().items()}

    def set_time(self, seconds: float) -> None:
        """Let the database's clock go on by so many seconds, or back."""
        self.sql("UPDATE test_clock SET at = at + ?", int(seconds * 1000))

    def told(self, kind: str) -> list[Event]:
        """The events of a kind."""
        return [event for event in self.events if event.kind == kind]

    def go_on(self) -> None:
        """Forget all stops, as time would."""
        self.sql("UPDATE mw_destination SET until = 0, pace = 0")
        self.sql("UPDATE mw_delivery SET due_at = 0 WHERE phase IN (0, 1)")
