"""What a worker on PostgreSQL claims when it is rung for, and what it takes up after an answer was lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from mailwright import Message
from mailwright.inbox import Inbox
from mailwright.outbox.asking import Query
from mailwright.outbox.outbox import Outbox
from mailwright.outbox.postgres.desk import desk_of
from mailwright.outbox.rows import Claimed
from mailwright.outbox.work.limiting import keep_paces, stop_until
from mailwright.outbox.work.worker import begun
from tests.outbox.conformance.test_postgres import Cutter
from tests.outbox.worker.place import SOON
from tests.outbox.worker.scripted import Scripted
from tests.servers.postgres import PostgresServer

ME = b"worker 1".ljust(16, b".")


@pytest.fixture
def outbox(postgres_url: str) -> Iterator[Outbox]:
    with Outbox(postgres_url) as opened:
        yield opened


def put(outbox: Outbox, *to: str, **options: Any) -> str:
    return outbox.put(Message("ada@example.org", list(to), "Minutes", "Dear all, …"), **options)


def new(outbox: Outbox, most: int = 16, each: int = 8, closed: tuple[str, ...] = ()) -> tuple[list[Claimed], Any]:
    """What a worker that is rung for gets at once."""

    async def play() -> tuple[list[Claimed], Any]:
        desk = await desk_of(outbox.database)  # type: ignore[arg-type]
        try:
            return await desk.claim_new(ME, "default", most, each, closed, 60.0)
        finally:
            await desk.close()

    return asyncio.run(play())


def asked(outbox: Outbox, statement: str) -> list[tuple[Any, ...]]:
    async def plan() -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = await Query(outbox.store.dialect.words(statement), {})
        return rows

    return outbox.database.write(plan)


def names(rows: list[Claimed]) -> list[str]:
    return sorted(row.address for row in rows)


# A few rows at once.


def test_what_was_put_is_claimed_with_its_content_the_urgent_first(outbox: Outbox) -> None:
    put(outbox, "bulk@example.net", lane="bulk")
    put(outbox, "one@example.net", "two@example.net", "three@example.org")
    put(outbox, "now@example.net", lane="urgent", in_doubt="hold")
    rows, listed = new(outbox, most=3, each=1)
    assert names(rows) == ["now@example.net", "one@example.net", "three@example.org"]
    assert listed == {} and all(len(row.head) == row.size > 0 and row.claims == 1 for row in rows)
    assert [row.hold for row in rows if row.address.startswith("now")] == [True]
    assert asked(outbox, "SELECT rcpt FROM mw_delivery WHERE phase = 2 AND due_at > {now} + 50000 ORDER BY rcpt") == [
        ("now@example.net",), ("one@example.net",), ("three@example.org",)
    ]  # fmt: skip
    assert names(new(outbox, each=1)[0]) == ["bulk@example.net", "two@example.net"]
    assert new(outbox) == ([], {})


def test_what_is_paused_stays(outbox: Outbox) -> None:
    put(outbox, "bob@example.net")
    outbox.pause()
    assert new(outbox) == ([], {})
    outbox.resume()
    outbox.database.write(lambda: stop_until(outbox.store, "default", "", 60.0, "535"))
    assert new(outbox) == ([], {})
    asked(outbox, "UPDATE mw_destination SET until = {now} - 1")
    assert names(new(outbox)[0]) == ["bob@example.net"]


def test_ways_that_are_stopped_slow_or_closed_are_passed_over(outbox: Outbox) -> None:
    put(outbox, "a@stopped.example", "b@slow.example", "c@closed.example", "d@example.net")
    outbox.database.write(lambda: stop_until(outbox.store, "default", "stopped.example", 60.0, "421"))
    outbox.database.write(lambda: keep_paces(outbox.store, "default", [("slow.example", 0.5)]))
    assert names(new(outbox, closed=("closed.example",))[0]) == ["d@example.net"]
    assert names(new(outbox)[0]) == ["c@closed.example"]


def test_what_was_tried_or_waits_or_is_of_another_account_is_left_to_the_usual_walk(outbox: Outbox) -> None:
    put(outbox, "tried@example.net", "leased@example.net", "kept@example.net")
    put(outbox, "later@example.net", at=timedelta(minutes=1))
    put(outbox, "held@example.net", held=True)
    put(outbox, "other@example.net", account="other")
    asked(outbox, "UPDATE mw_delivery SET phase = 1 WHERE rcpt = 'tried@example.net'")
    asked(outbox, "UPDATE mw_delivery SET phase = 2, due_at = {now} - 1 WHERE rcpt = 'leased@example.net'")
    assert names(new(outbox)[0]) == ["kept@example.net"]


def test_another_database_is_not_claimed_from(outbox: Outbox) -> None:
    async def play() -> list[Claimed]:
        desk = await desk_of(outbox.database)  # type: ignore[arg-type]
        asked(outbox, "UPDATE mw_meta SET value = 'another' WHERE name = 'identity'")
        rows, _ = await desk.claim_new(ME, "default", 16, 8, (), 60.0)
        await desk.close()
        return rows

    put(outbox, "bob@example.net")
    assert asyncio.run(play()) == []


def test_who_was_suppressed_meanwhile_is_told_with_the_rows(outbox: Outbox) -> None:
    put(outbox, "BOB@example.net", "kim@example.org", "liz@example.com")
    outbox.suppress(["bob@example.net", "@example.org"], "gone")
    rows, listed = new(outbox)
    assert len(rows) == 3 and listed == {"bob@example.net": "gone", "@example.org": "gone"}


def test_what_can_not_be_read_is_set_aside_and_the_rest_is_claimed(outbox: Outbox) -> None:
    damaged, _ = put(outbox, "bob@example.net"), put(outbox, "kim@example.net")
    asked(outbox, "UPDATE mw_delivery SET attempts = -1, deaths = -1 WHERE rcpt = 'bob@example.net'")
    rows, _ = new(outbox)
    assert {row.address: row.state.name for row in rows} == {"bob@example.net": "held", "kim@example.net": "leased"}
    assert outbox.status(damaged).deliveries[0].state.name == "held"


def test_a_worker_that_sleeps_gets_it_and_sends_nothing_while_it_is_paused(outbox: Outbox, post_office: Inbox) -> None:
    async def play() -> Any:
        worker = await begun(outbox.database, post_office.server, tell=lambda _: None)
        running = asyncio.ensure_future(worker.run())
        for number in range(10):
            await asyncio.to_thread(put, outbox, f"bob{number}@example.net")
            await _until(lambda number=number: len(post_office.messages) == number + 1)
            await asyncio.sleep(0.1)  # it sleeps again
        await asyncio.sleep(1)  # also on a slow machine: a look that began before the pause may end behind it
        await asyncio.to_thread(outbox.pause)
        await asyncio.to_thread(put, outbox, "late@example.net")
        await asyncio.sleep(0.5)
        assert outbox.stats().counts["queued"] == 1
        await asyncio.to_thread(outbox.resume)
        worker.stop()
        return await running

    assert asyncio.run(play()).sent == 10
    assert len(post_office.messages) == 10


# Answers that were lost.

CLAIMS = {
    "the claim's answer": b"UPDATE mw_delivery d SET",
    "the contents": b"SELECT id, sender, message_id, size, head",
    "the first claim's answer": b"UPDATE mw_delivery r SET phase",
}


@pytest.mark.parametrize("mark", CLAIMS.values(), ids=CLAIMS)
def test_rows_of_a_claim_whose_answer_was_lost_are_taken_up_at_once(
    postgres: PostgresServer, postgres_url: str, outbox: Outbox, post_office: Inbox, mark: bytes
) -> None:
    """Committed or not: they go out at once, and once, and not when the lease ends."""
    cutter = Cutter(postgres.port, mark)
    new_ones = mark == CLAIMS["the first claim's answer"]
    cutter.cuts = int(new_ones)
    for number in range(0 if new_ones else 40):
        put(outbox, f"bob{number}@example.net")

    async def play() -> Any:
        worker = await begun(far.database, post_office.server, retries=SOON, ahead=16, tell=lambda _: None)
        running = asyncio.ensure_future(worker.run(once=not new_ones))
        if new_ones:
            await _until(lambda: bool(asked(outbox, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")))
            await asyncio.sleep(0.2)
            cutter.cuts = 0  # from now on
            for number in range(40):
                await asyncio.to_thread(put, outbox, f"bob{number}@example.net")
                if not cutter.cuts:  # it was not asleep, or looked before it was rung for: the next one finds it so
                    await _until(lambda number=number: cutter.cuts or len(post_office.messages) == number + 1)
                    await asyncio.sleep(0.1)
            await _until(lambda: len(post_office.messages) == 40)
            worker.stop()
        return await running

    begun_at = time.monotonic()
    with Outbox(postgres_url.replace(f":{postgres.port}/", f":{cutter.port}/")) as far:
        done = asyncio.run(play())
    cutter.close()
    assert (cutter.cuts, done.sent, done.fenced) == (1, 40, 0)
    assert sorted(one.envelope.recipients[0].spec for one in post_office.messages) == sorted(
        f"bob{number}@example.net" for number in range(40)
    )
    assert time.monotonic() - begun_at < 60  # half of a lease


def test_a_worker_does_not_claim_what_it_has_in_hand(outbox: Outbox, postgres_url: str) -> None:
    """Its lease is over, while the reply is still to come: the claim that met it is undone, and the lease renewed."""
    asks, may_answer = asyncio.Event(), asyncio.Event()

    async def hook(verb: str, line: bytes) -> bytes | None:
        if verb == "END" and not asks.is_set():
            asks.set()
            await may_answer.wait()
        return None

    async def play() -> tuple[Any, Scripted]:
        async with Scripted(hook) as server:
            worker = await begun(outbox.database, server.url, lease=4.0, renew=2.0, tell=lambda _: None)
            running = asyncio.ensure_future(worker.run())
            await asks.wait()
            asked(outbox, "UPDATE mw_delivery SET due_at = {now} - 1")
            await asyncio.to_thread(put, outbox, *[f"kim{number}@example.net" for number in range(20)])
            await _until(lambda: asked(outbox, "SELECT 1 FROM mw_delivery WHERE rcpt LIKE 'bob%' AND due_at > {now}"))
            may_answer.set()
            await _until(lambda: outbox.stats().counts["sent"] == 21)
            worker.stop()
            return await running, server

    put(outbox, "bob@example.net")
    done, server = asyncio.run(play())
    assert (done.sent, done.fenced) == (21, 0)
    assert server.taken.count(["bob@example.net"]) == 1
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT claims FROM mw_outcome WHERE rcpt LIKE 'bob%'").fetchall() == [(1,)]


async def _until(true: Any, seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(true):
            await asyncio.sleep(0.01)
