"""The worker on PostgreSQL: the same outcomes, the same drills, and a database that goes away."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from bench.kill_drill import AT_SERVER, BOUND, IN_WORKER, drill, fill, look, recorder, start
from mailwright import Message
from mailwright.inbox import Inbox
from mailwright.outbox.asking import Query
from mailwright.outbox.outbox import Outbox
from mailwright.outbox.work import office
from mailwright.outbox.work.mending import mend
from mailwright.outbox.work.worker import begun
from tests.outbox.worker.place import SOON
from tests.outbox.worker.scripted import Scripted

POINTS = [point for point in (*IN_WORKER, *AT_SERVER) if point != "k13"]


def test_each_recipient_has_its_outcome(postgres_url: str, post_office: Inbox) -> None:
    post_office.faults.recipient_refused(recipient="eve@example.com")
    large = "".join(f"{number:070}\r\n" for number in range(12_000))
    with Outbox(postgres_url) as outbox:
        ids = [
            outbox.put(Message("ada@example.org", ["bob@example.net", "eve@example.com"], "One", "text")),
            outbox.put(Message("ada@example.org", "kim@example.net", "Two", large)),
            outbox.put(Message("ada@example.org", "liz@example.net", "Three", large), in_doubt="hold"),
        ]
        done = outbox.work(post_office.server, once=True)
        assert (done.sent, done.failed) == (3, 1)
        states = {one.address: one.state.name for id in ids for one in outbox.status(id).deliveries}
    assert states == {
        "bob@example.net": "sent", "eve@example.com": "failed", "kim@example.net": "sent", "liz@example.net": "sent",
    }  # fmt: skip
    assert len(post_office.messages) == 3


@pytest.mark.parametrize("points", [POINTS, ["random"]], ids=["named", "random"])
@pytest.mark.parametrize("in_doubt", ["retry", "hold"])
def test_killed_workers_lose_nothing(postgres_url: str, in_doubt: str, points: list[str]) -> None:
    points = [point for point in points if in_doubt == "hold" or point != "k9"]
    report = drill(postgres_url, 150, max(len(points), 4), in_doubt, points)
    assert report.kills >= 3
    assert (report.lost, report.different) == (0, 0), report
    assert set(report.states) <= {"sent", "held"}, report
    assert report.duplicates <= (0 if in_doubt == "hold" else report.kills * BOUND), report


def test_eight_workers_send_no_row_twice(postgres_url: str) -> None:
    rows = fill(postgres_url, 5_000, "retry")
    with recorder() as server:
        workers = [start(postgres_url, server.port, "", "60") for _ in range(8)]
        assert [worker.wait(180) for worker in workers] == [0] * 8
        states, names = look(postgres_url)
    assert set(states.values()) == {"sent"}
    assert {len(server.seen.copies[names[id], recipient]) for id, recipient in rows} == {1}


def test_what_is_taken_back_while_it_waits_in_hand_does_not_leave(postgres_url: str) -> None:
    held_up, goes_on = asyncio.Event(), asyncio.Event()

    async def hook(verb: str, line: bytes) -> bytes | None:
        if verb == "RCPT" and not held_up.is_set():
            held_up.set()
            await goes_on.wait()
        return None

    async def both(outbox: Outbox, ids: list[str]) -> Any:
        async with Scripted(hook) as server:
            worker = await begun(outbox.database, server.url, concurrency=1, window=1, tell=lambda _: None)
            running = asyncio.ensure_future(worker.run(once=True))
            await held_up.wait()
            assert await asyncio.to_thread(outbox.cancel, ids[-1]) == 1
            await asyncio.sleep(2 * office.GLANCE)
            goes_on.set()
            return await running, server

    with Outbox(postgres_url) as outbox:
        ids = [outbox.put(Message("ada@example.org", f"bob{n}@example.net", "One", "text")) for n in range(5)]
        done, server = asyncio.run(both(outbox, ids))
        assert (done.sent, done.cancelled, len(server.taken)) == (4, 1, 4)
        assert outbox.status(ids[-1]).deliveries[0].state.name == "cancelled"


def test_connections_that_are_ended_lose_and_repeat_nothing(
    postgres: Any, postgres_url: str, post_office: Inbox
) -> None:
    """As at a restart or a failover: results wait in memory, and nothing is sent again."""
    with Outbox(postgres_url) as outbox:
        for number in range(300):
            outbox.put(Message("ada@example.org", f"bob{number}@example.net", "One", "text"))

        async def both() -> Any:
            worker = await begun(outbox.database, post_office.server, retries=SOON, ahead=50, tell=lambda _: None)
            running = asyncio.ensure_future(worker.run(once=True))
            while not running.done():
                name = postgres_url.rpartition("/")[2]
                sql = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
                await asyncio.to_thread(postgres.run, sql)
                await asyncio.sleep(0.1)
            return await running

        asyncio.run(both())
        outbox.work(post_office.server, once=True)  # whatever it left when its connections were ended
        # The rows of a claim that was not answered were taken up again.
        counts = outbox.stats().counts
        assert counts["sent"] == 300
        reached = [one.envelope.recipients[0].spec for one in post_office.messages]
        assert len(reached) == len(set(reached)) == counts["sent"]


def test_due_rows_that_somebody_has_locked_are_no_end(postgres_url: str, post_office: Inbox) -> None:
    """Claims pass over locked rows; one that is given up leaves them due."""
    with Outbox(postgres_url) as outbox, psycopg.connect(postgres_url) as other:
        outbox.put(Message("ada@example.org", "bob@example.net", "One", "text"))
        other.execute("SELECT 1 FROM mw_delivery FOR UPDATE")
        events: list[str] = []

        async def both() -> Any:
            worker = await begun(outbox.database, post_office.server, tell=lambda event: events.append(event.kind))
            running = asyncio.ensure_future(worker.run(once=True))
            while "started" not in events:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.5)  # it has looked by then
            other.rollback()
            return await running

        assert asyncio.run(both()).sent == 1


def test_a_worker_puts_in_order_what_nobody_would_claim(postgres_url: str, post_office: Inbox) -> None:
    with Outbox(postgres_url) as outbox:
        strange = outbox.put(Message("ada@example.org", "bob@example.net", "One", "text"))
        outbox.put(Message("ada@example.org", "kim@example.org", "Two", "text"))

        async def damage() -> None:
            await Query("UPDATE mw_delivery SET lane = 7 WHERE dest = 'example.net'", {})
            await Query("UPDATE mw_delivery SET phase = 2, due_at = due_at + 90000000 WHERE dest = 'example.org'", {})

        async def both() -> None:
            worker = await begun(outbox.database, post_office.server, retries=SOON)
            await mend(worker.desk, "default", 600.0, 7200.0)
            done = await worker.run(once=True)
            assert done.sent == 1

        outbox.database.write(damage)
        asyncio.run(both())
        assert outbox.status(strange).deliveries[0].state.name == "held"
        assert outbox.stats().counts["sent"] == 1


def test_a_dead_destination_does_not_delay_a_live_one(postgres_url: str, post_office: Inbox) -> None:
    """100,000 rows that nobody takes stand before ten that can leave."""
    post_office.faults.recipient_refused("450 4.2.0 Not now", recipient="x@dead.example")
    with Outbox(postgres_url) as outbox:
        outbox.put(Message("ada@example.org", "x@dead.example", "Dead", "text"))
        with psycopg.connect(postgres_url) as connection:
            for table, kept in (("mw_message", "id"), ("mw_delivery", "message_id")):
                columns = [
                    name for (name,) in connection.execute(
                        "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY 1", (table,)
                    )
                ]  # fmt: skip
                values = [
                    "decode(lpad(to_hex(number), 32, '0'), 'hex')" if name == kept else f"o.{name}" for name in columns
                ]
                connection.execute(
                    f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} "  # type: ignore[arg-type]
                    f"FROM generate_series(1, 100000) AS made (number), {table} AS o"
                )
            (count,) = connection.execute("SELECT count(*) FROM mw_delivery").fetchone() or (0,)
        assert count > 100_000
        live = [outbox.put(Message("ada@example.org", f"bob{n}@live.example", "Live", "text")) for n in range(10)]
        done = outbox.work(post_office.server, once=True, ahead=100)
        assert done.sent == 10 and done.deferred < 200
        assert {outbox.status(id).deliveries[0].state.name for id in live} == {"sent"}
