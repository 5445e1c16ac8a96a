"""What the worker promises of its transactions, its groups of results and the limits that are known, on both engines."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mailwright import Login, Message, Server
from mailwright.outbox.outbox import Outbox
from mailwright.outbox.rows import Result
from mailwright.outbox.states import SENT
from mailwright.outbox.work.limiting import Limit
from mailwright.outbox.work.settling import AT_ONCE, Hands
from mailwright.outbox.work.worker import begun
from mailwright.outbox.work.working import clock
from tests.outbox.worker.scripted import Scripted


@pytest.fixture(params=["sqlite", "postgres"])
def outbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outbox]:
    where = f"sqlite:///{tmp_path}/mail.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with Outbox(where) as opened:
        yield opened


def put(outbox: Outbox, count: int, domain: str = "example.net", **options: Any) -> None:
    outbox.put_many(
        [Message("ada@example.org", f"bob{n}@{domain}", "Minutes", "Dear Bob, …") for n in range(count)], **options
    )


def open_transactions(outbox: Outbox, url: str) -> list[Any]:
    """Those that are open and do nothing. On SQLite: whether somebody keeps others from writing, or the log from being
    emptied, which an open view does.
    """
    if outbox.store.dialect.name == "sqlite":
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return [busy] if busy else []
        finally:
            connection.close()
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT state, query FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
        ).fetchall()


@pytest.mark.parametrize("stage", ["EHLO", "MAIL", "RCPT", "DATA", "END"])
@pytest.mark.parametrize("in_doubt", ["retry", "hold"])
def test_no_transaction_is_open_while_a_server_is_awaited(
    outbox: Outbox, request: pytest.FixtureRequest, tmp_path: Path, stage: str, in_doubt: str
) -> None:
    url = f"{tmp_path}/mail.db" if outbox.store.dialect.name == "sqlite" else request.getfixturevalue("postgres_url")
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def hook(verb: str, line: bytes) -> bytes | None:
        if verb == stage:
            asked.set()
            await may_answer.wait()
        return None

    async def play() -> tuple[Any, list[Any]]:
        async with Scripted(hook) as server:
            worker = await begun(outbox.database, server.url, tell=lambda _: None)
            running = asyncio.ensure_future(worker.run(once=True))
            async with asyncio.timeout(20):
                await asked.wait()
            await asyncio.sleep(0.1)  # what it does beside that is short
            for _ in range(100):  # each may meet a look that is just going on; one that stays is met every time
                found = await asyncio.to_thread(open_transactions, outbox, url)
                if not found:
                    break
                await asyncio.sleep(0.02)
            may_answer.set()
            return await running, found

    put(outbox, 3, in_doubt=in_doubt)
    done, found = asyncio.run(play())
    assert done.sent == 3 and found == []


def test_results_are_written_in_groups_and_none_that_is_not_known(outbox: Outbox) -> None:
    groups: list[int] = []
    known, count = 450, 500

    async def play() -> int:
        worker = await begun(outbox.database, "smtp://127.0.0.1:9", tell=lambda _: None)
        desk, store = worker.desk, worker.desk.store
        hands = Hands(desk, worker.id, 120.0, clock, lambda pairs, _: groups.append(len(pairs)), lambda _: None)
        rows = await desk.write(lambda: store.claim(worker.id, "default", 1, {"example.net": count}, 120.0))
        hands.take(rows, clock() + 120.0, worker.offices["default"])
        worker.offices["default"].schedule.claimed(rows)
        hands.add([Result(row.id, row.n, row.claims, SENT, 250, "Ok") for row in rows[:known]])
        writing = asyncio.ensure_future(hands.write_results())
        async with asyncio.timeout(20):
            while hands.unwritten:
                await asyncio.sleep(0.005)
            one = rows[known]
            hands.add([Result(one.id, one.n, one.claims, SENT, 250, "Ok")])  # too few for a group: soon, all the same
            while hands.unwritten:
                await asyncio.sleep(0.005)
        writing.cancel()
        await asyncio.wait((writing,))
        await desk.close()
        return len(hands.held)

    put(outbox, count)
    left = asyncio.run(play())
    assert groups == [AT_ONCE, known - AT_ONCE, 1]
    counts = outbox.stats().counts
    assert (counts["sent"], counts["leased"], left) == (known + 1, count - known - 1, count - known - 1)


def test_the_limits_of_a_provider_that_is_known_are_applied(outbox: Outbox) -> None:
    async def play() -> Any:
        server = Server("smtp.office365.com", login=Login("ada@kestrel-post.net", "tR4vel-light-9"))
        worker = await begun(outbox.database, server, tell=lambda _: None)
        office = worker.offices["default"]
        try:
            first = await office.fill(worker.now())
            names = [row[0] for row in await worker.desk.read(lambda: _limits(outbox))]
            return office.schedule, first, names
        finally:
            await worker.desk.close()

    put(outbox, 40)
    schedule, claimed, names = asyncio.run(play())
    assert names == ["default||60", "default||86400"], "each is a row that all workers share"
    assert [purse.name for purse in schedule.purses[""]] == names
    assert 0 < claimed <= 3, "of thirty a minute a tenth at once"


async def _limits(outbox: Outbox) -> list[tuple[Any, ...]]:
    from mailwright.outbox.asking import Query

    rows: list[tuple[Any, ...]] = await Query("SELECT name FROM mw_limit ORDER BY name", {})
    return rows


def test_connections_to_a_destination_are_shared_by_all_workers(outbox: Outbox) -> None:
    """Each row under way there counts as one, for who has it may have a connection for it."""
    limits = [Limit("default", "example.net", (), 2)]

    async def play() -> list[int]:
        workers = [await begun(outbox.database, "smtp://127.0.0.1:9", limits=limits) for _ in range(2)]
        try:
            return [await worker.offices["default"].fill(worker.now()) for worker in workers]
        finally:
            for worker in workers:
                await worker.desk.close()

    put(outbox, 10)
    put(outbox, 10, "example.com")
    assert asyncio.run(play()) == [12, 0]
    assert {one.destination: one.later for one in outbox.stats().waiting} == {"example.com": 10, "example.net": 2}
