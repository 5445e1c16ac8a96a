"""A worker in trouble that is not the mail server's: the database, the disk, the clock, other workers, and people."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mailwright.inbox import Inbox
from mailwright.outbox.outbox import Outbox
from mailwright.outbox.work import working
from mailwright.outbox.work.limiting import Limit, Rate
from mailwright.outbox.work.telling import KINDS
from mailwright.outbox.work.worker import begun, work_async
from mailwright.words.errors import ConfigError, OutboxUnavailable
from tests.outbox.worker.place import SOON, Place


def test_a_writer_who_holds_the_lock_is_waited_for(place: Place, post_office: Inbox) -> None:
    for number in range(50):
        place.put(f"bob{number}@example.net")
    locked = threading.Event()

    def hold() -> None:
        connection = sqlite3.connect(place.path, timeout=10, isolation_level=None)
        while not place.events:
            time.sleep(0.001)
        connection.execute("BEGIN IMMEDIATE")
        locked.set()
        time.sleep(1.0)
        connection.execute("COMMIT")
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    done = place.work(post_office.server, ahead=10)
    thread.join()
    assert locked.is_set() and done.sent == 50 and len(post_office.messages) == 50


def test_an_application_never_waits_long_for_a_worker(place: Place, post_office: Inbox) -> None:
    """It writes beside a worker that is busy, and never sees "database is locked"."""
    for number in range(400):
        place.put(f"bob{number}@example.net")
    problems: list[Exception] = []
    ended = threading.Event()

    def write() -> None:
        connection = sqlite3.connect(place.path, timeout=2.0, isolation_level=None)
        connection.execute("CREATE TABLE own (at REAL)")
        while not ended.is_set():
            try:
                connection.execute("INSERT INTO own VALUES (1)")
            except sqlite3.Error as problem:
                problems.append(problem)
        connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert place.work(post_office.server).sent == 400
    finally:
        ended.set()
        thread.join()
    assert problems == []


def run(place: Place, server: Any, meanwhile: Any, **options: Any) -> Any:
    """A worker, and what happens to it."""

    async def both() -> Any:
        options.setdefault("retries", SOON)
        worker = await begun(place.outbox.database, server, tell=place.events.append, **options)
        running = asyncio.ensure_future(worker.run(once=options.pop("once", False)))
        try:
            await meanwhile(worker)
        finally:
            worker.stop()
        return await running

    return asyncio.run(both())


async def until(true: Any, seconds: float = 20.0) -> None:
    """Wait until it is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came to that"
        await asyncio.sleep(0.005)


def test_a_full_disk_delays_results_and_sends_nothing_again(place: Place, post_office: Inbox) -> None:
    for number in range(300):
        place.put(f"bob{number}@example.net")

    async def meanwhile(worker: Any) -> None:
        await until(lambda: len(post_office.messages) > 10)
        connection = worker.desk._connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        await until(lambda: any("no room" in event.text for event in place.told("database")))
        # The connection is another one after that: room enough.
        await until(lambda: len(post_office.messages) == 300)

    done = run(place, post_office.server, meanwhile, ahead=60)
    assert (done.sent, done.fenced) == (300, 0)
    assert len(post_office.messages) == 300


def test_a_disk_that_stays_full_ends_the_worker_with_its_name(
    place: Place, post_office: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "NO_ROOM", 0.2)
    place.put()
    place.sql("INSERT INTO mw_meta VALUES ('filler', ?)", "x" * 100)

    async def both() -> None:
        worker = await begun(place.outbox.database, post_office.server, grace=0.2, tell=place.events.append)
        original = worker.desk._database.connection

        def full() -> sqlite3.Connection:
            connection = original()
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")
            connection.execute("PRAGMA cache_size = 10")
            return connection

        worker.desk._database.connection = full
        await worker.desk.again()
        place.sql("CREATE TRIGGER fill AFTER INSERT ON mw_outcome BEGIN "
                  "INSERT INTO mw_meta VALUES (hex(randomblob(8)), hex(zeroblob(500000))); END")  # fmt: skip
        await asyncio.wait_for(worker.run(), 30)

    with pytest.raises(OutboxUnavailable, match="ENOSPC"):
        asyncio.run(both())
    assert place.states() == {"bob@example.net": "leased"}, "the result is not written, and nobody else has the row"
    assert len(post_office.messages) == 1


def test_a_file_that_was_replaced_stops_the_worker(
    place: Place, post_office: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "LOOK", 0.05)

    async def meanwhile(worker: Any) -> None:
        await until(lambda: place.told("started"))
        copy = place.path.with_suffix(".copy")
        with sqlite3.connect(place.path) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
        connection.close()
        os.replace(copy, place.path)
        await until(lambda: worker.stopping.is_set())

    with pytest.raises(OutboxUnavailable, match="replaced"):
        run(place, post_office.server, meanwhile)


def test_a_clock_that_is_set_back_an_hour_leaves_nothing_behind(
    timed: Place, post_office: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed.put("leased@example.net")
    timed.put("later@example.net")
    timed.sql("UPDATE mw_delivery SET phase = 2, due_at = due_at + 120000, lease_by = x'aa' WHERE rcpt LIKE 'leased%'")
    timed.sql("UPDATE mw_delivery SET phase = 1, due_at = due_at + 7000000, attempts = 1 WHERE rcpt LIKE 'later%'")
    timed.put("queued@example.net")
    at = timed.sql("SELECT at FROM test_clock")[0][0] / 1000
    timed.put("scheduled@example.net", at=at + 86_400)
    timed.set_time(-3600)

    async def meanwhile(worker: Any) -> None:
        await until(lambda: len(post_office.messages) == 3)

    monkeypatch.setattr(working, "LOOK", 0.05)
    run(timed, post_office.server, meanwhile, lease=1.0, renew=0.1)
    assert timed.states() == {
        "leased@example.net": "sent", "later@example.net": "sent", "queued@example.net": "sent",
        "scheduled@example.net": "queued",
    }  # fmt: skip


def test_a_clock_that_jumps_while_it_works_is_noticed_and_sends_nothing_twice(
    timed: Place, post_office: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "LOOK", 0.05)

    async def meanwhile(worker: Any) -> None:
        for jump in (3600, -3600):
            sent = len(post_office.messages)
            for number in range(20):
                timed.put(f"bob{number}@example.net")
            await until(lambda sent=sent: len(post_office.messages) == sent + 20)
            timed.set_time(jump)
            told = len(timed.told("clock"))
            await until(lambda told=told: len(timed.told("clock")) > told)

    done = run(timed, post_office.server, meanwhile)
    assert done.sent == 40 and len(post_office.messages) == 40
    assert [round(event.seconds / 3600) for event in timed.told("clock")] == [1, -1]


def test_a_row_that_another_worker_has_is_not_marked(place: Place, post_office: Inbox) -> None:
    """The lease went to somebody else while the message was on its way: the last octet does not leave."""
    post_office.faults.delay("rcpt", 0.5)
    place.put(in_doubt="hold")

    async def meanwhile(worker: Any) -> None:
        await until(lambda: post_office.faults.fired)
        place.sql("UPDATE mw_delivery SET claims = claims + 1, lease_by = x'bb'")
        await until(lambda: place.told("fenced"))

    done = run(place, post_office.server, meanwhile)
    assert (done.fenced, post_office.messages, place.states()) == (1, (), {"bob@example.net": "leased"})


def test_what_is_cancelled_on_its_way_does_not_leave(place: Place, post_office: Inbox) -> None:
    post_office.faults.delay("rcpt", 0.3)
    id = place.put(in_doubt="hold")

    async def meanwhile(worker: Any) -> None:
        await until(lambda: post_office.faults.fired)
        assert place.outbox.cancel(id) == 1
        await until(lambda: place.states() == {"bob@example.net": "cancelled"})

    run(place, post_office.server, meanwhile)
    assert post_office.messages == ()


def test_what_is_put_wakes_a_worker_that_has_nothing_to_do(place: Place, post_office: Inbox) -> None:
    async def meanwhile(worker: Any) -> None:
        await until(lambda: place.told("started"))
        for number in range(3):
            await asyncio.sleep(0.1)
            await asyncio.to_thread(place.put, f"bob{number}@example.net")
            await until(lambda number=number: len(post_office.messages) == number + 1, 3.0)

    assert run(place, post_office.server, meanwhile).sent == 3


def test_a_dead_destination_does_not_delay_a_live_one(place: Place, post_office: Inbox) -> None:
    post_office.faults.recipient_refused("450 4.2.0 Not now", recipient="x@dead.example")
    place.put("x@dead.example")
    connection = sqlite3.connect(place.path)
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO mw_message "
        "(id, stream, sender, message_id, size, digest, needs, created_at, head) "
        "SELECT CAST(printf('%016d', i) AS BLOB), stream, sender, message_id, size, digest, needs, created_at, head "
        "FROM n, (SELECT * FROM mw_message)"
    )
    connection.execute(
        "INSERT INTO mw_delivery (message_id, n, rcpt, account, lane, dest, due_at, phase) "
        "SELECT id, 0, 'x@dead.example', 'default', 1, 'dead.example', 0, 0 FROM mw_message WHERE length(id) = 16 "
        "AND id NOT IN (SELECT message_id FROM mw_delivery)"
    )
    connection.commit()
    assert connection.execute("SELECT count(*) FROM mw_delivery").fetchone()[0] >= 100_000
    connection.close()
    for number in range(10):
        place.put(f"bob{number}@live.example")
    done = place.work(post_office.server, ahead=100)
    assert done.sent == 10 and done.deferred < 200
    assert place.told("slow")[0].domain == "dead.example"


def test_urgent_rows_overtake(place: Place, post_office: Inbox) -> None:
    for number in range(60):
        place.put(f"bulk{number}@example.net", lane="bulk", subject="bulk")
    for number in range(20):
        place.put(f"urgent{number}@example.net", lane="urgent", subject="urgent")
    place.work(post_office.server, concurrency=1, window=1, ahead=26)
    order = [message.message.subject for message in post_office.messages]
    assert len(order) == 80
    assert order[:30].count("urgent") >= 15 and order[:30].count("bulk") >= 2


def test_a_rate_is_shared_by_all_workers(timed: Place, post_office: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "LOOK", 0.05)  # this clock stands still meanwhile
    for number in range(60):
        timed.put(f"bob{number}@{'example.net' if number % 2 else 'example.com'}")
    limits = [Limit("default", "", (Rate(200, 3600.0),)), Limit("default", "example.com", (Rate(50, 3600.0),))]
    sent = [timed.work(post_office.server, limits=limits).sent for _ in range(2)]
    assert sum(sent) <= 20, "a tenth at once, for both together"
    domains = [one.domain for message in post_office.messages for one in message.envelope.recipients]
    assert 1 <= domains.count("example.com") <= 5
    for _ in range(40):
        timed.set_time(180)
        timed.work(post_office.server, limits=limits)
    assert set(timed.states().values()) == {"sent"}


def test_connections_are_shared_by_all_workers(place: Place, post_office: Inbox) -> None:
    for number in range(100):
        place.put(f"bob{number}@example.net")
    limits = [Limit("default", "", (), 1)]
    place.sql("INSERT INTO mw_slot VALUES ('default|', 0, x'cc', 9000000000000)")
    assert place.work(post_office.server, limits=limits).sent == 0, "another worker has the only one"
    place.sql("DELETE FROM mw_slot")
    assert place.work(post_office.server, limits=limits, concurrency=4).sent == 100
    assert post_office.faults.arrived() == 2, "one connection came before this question"
    assert place.sql("SELECT count(*) FROM mw_slot") == [(0,)]


def test_many_who_wait_get_more_connections(place: Place, post_office: Inbox) -> None:
    for number in range(300):
        place.put(f"bob{number}@example.net")
    place.work(post_office.server, concurrency=3)
    assert 2 <= post_office.faults.arrived() - 1 <= 3


@pytest.mark.parametrize(
    "options", [{"lease": 50.0, "renew": 30.0}, {"lease": 3600.0}, {"retries": SOON[:1]}, {"ahead": 0}]
)
def test_settings_that_can_not_work_are_refused(place: Place, post_office: Inbox, options: Any) -> None:
    with pytest.raises(ConfigError):
        place.work(post_office.server, **options)


def test_several_accounts_have_several_servers(place: Place) -> None:
    with Inbox(tls=False) as one, Inbox(tls=False) as two:
        place.put("a@example.net")
        place.put("b@example.net", account="news")
        place.put("c@example.net", account="other")
        place.work({"default": one.server, "news": two.url})
        assert [len(inbox.messages) for inbox in (one, two)] == [1, 1]
    assert place.states() == {"a@example.net": "sent", "b@example.net": "sent", "c@example.net": "queued"}


def test_the_server_is_found_as_send_finds_it(
    place: Place, post_office: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILWRIGHT_URL", post_office.url)
    place.put()
    assert place.work(None).sent == 1


def test_what_is_caught_goes_to_the_catcher(place: Place, post_office: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILWRIGHT_CATCH", post_office.url)
    place.put("bob@example.net")
    place.put("kim@example.net", in_doubt="hold")
    assert place.work("smtp://mail.example.org").sent == 2
    assert len(post_office.messages) == 2


def test_a_pause_stops_all_claims(place: Place, post_office: Inbox) -> None:
    place.put()
    place.outbox.pause()
    assert place.work(post_office.server).sent == 0
    place.outbox.resume()
    assert place.work(post_office.server).sent == 1


def test_cancelling_the_task_finishes_what_is_under_way(place: Place, post_office: Inbox) -> None:
    for number in range(200):
        place.put(f"bob{number}@example.net")

    async def main() -> Any:
        task = asyncio.ensure_future(work_async(place.outbox.database, post_office.server, ahead=50))
        await until(lambda: len(post_office.messages) >= 20)
        task.cancel()
        return await task

    done = asyncio.run(main())
    assert done.sent == len(post_office.messages)
    assert set(place.states().values()) == {"sent", "queued"}


def test_the_second_signal_records_what_is_in_doubt(tmp_path: Path) -> None:
    with Inbox(tls=False) as inbox:
        inbox.faults.after_dot(drop="silence", seconds=5)
        place = Place(tmp_path)
        place.put("bob@example.net")
        place.put("kim@example.net", in_doubt="hold")
        command = [sys.executable, "-m", "bench.drill_worker", str(place.path), str(inbox.server.port), "60"]
        with subprocess.Popen(command) as worker:
            seen = 0.0
            while len(inbox.faults.fired) < 2 and seen < 30:
                time.sleep(0.02)
                seen += 0.02
            worker.terminate()
            time.sleep(0.3)
            assert worker.poll() is None, "it waits for the reply"
            worker.terminate()
            assert worker.wait(30) == 0
        rows = place.rows()
        place.outbox.close()
    assert rows["bob@example.net"][0] == "deferred" and "twice" in rows["bob@example.net"][2]
    assert rows["kim@example.net"][0] == "held"


def test_opening_the_outbox_again_does_not_drop_this_process_s_locks(tmp_path: Path) -> None:
    """To close a file is to drop all locks that the process has on it (POSIX). A process that ends after that would
    take the write-ahead log away from under the others.
    """
    path = tmp_path / "mail.db"
    with Outbox(path) as first:
        first.database.read(lambda: first.store.meta("version"))
        with Outbox(path):
            pass
        program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM mw_meta'); c.close()"
        subprocess.run([sys.executable, "-c", program, str(path)], check=True)
        assert path.with_name("mail.db-wal").exists()


def test_the_worker_tells_what_it_does(place: Place, post_office: Inbox) -> None:
    post_office.faults.recipient_refused(recipient="eve@example.com")
    place.put("bob@example.net", "eve@example.com")
    place.work(post_office.server)
    lines = [str(event) for event in place.events]
    assert [event.kind for event in place.events] == ["started", "result", "result", "stopping", "stopped"]
    assert any("sent" in line and "to=bob@example.net" in line for line in lines)
    assert any("failed" in line and "550 5.1.1" in line for line in lines)
    assert {event.kind for event in place.events} <= set(KINDS)


def test_connections_are_given_back_by_who_has_nothing_to_do(place: Place, post_office: Inbox) -> None:
    limits = [Limit("default", "", (), 1), Limit("default", "example.net", (), 2)]
    place.put()

    async def meanwhile(worker: Any) -> None:
        await until(lambda: place.states() == {"bob@example.net": "sent"})
        await until(lambda: place.sql("SELECT count(*) FROM mw_slot") == [(0,)])
        place.put("kim@example.net")
        await until(lambda: place.states()["kim@example.net"] == "sent")

    assert run(place, post_office.server, meanwhile, limits=limits).sent == 2


def test_a_learned_pace_is_kept_and_told_to_others(place: Place, post_office: Inbox) -> None:
    post_office.faults.rate_limited("421 4.7.0 Too many messages, slow down", after=20, times=1)
    for number in range(40):
        place.put(f"bob{number}@example.net")
    place.work(post_office.server, window=1, concurrency=1)
    ((until_ms, reason, pace),) = place.sql("SELECT until, reason, pace FROM mw_destination WHERE dest = ''")
    assert pace > 0 and "421 4.7.0" in reason and until_ms > time.time() * 1000
    sent = len(post_office.messages)
    place.sql("UPDATE mw_destination SET until = 0")
    place.sql("UPDATE mw_delivery SET due_at = 0")
    place.work(post_office.server)
    assert len(post_office.messages) > sent
    assert place.sql("SELECT count(*) FROM mw_limit WHERE name LIKE '%learned'") == [(1,)]


def test_a_pause_is_warned_of_when_nobody_listens(place: Place) -> None:
    from mailwright.providers.preflight import MailWarning

    with Inbox(("ada", "right"), tls=False) as inbox:
        server = inbox.server
        wrong = type(server)(server.host, server.port, server.security, type(server.login)("ada", "wrong"))
        place.put()
        with pytest.warns(MailWarning, match="paused.*535"):
            place.outbox.work(wrong, once=True)


def test_an_account_without_a_server_does_not_stop_the_others(
    place: Place, post_office: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILWRIGHT_URL", post_office.url)
    place.put("bob@example.net")
    place.put("kim@example.net", account="unheard-of")
    assert place.work(None).sent == 1
    (paused,) = place.told("paused")
    assert paused.account == "unheard-of"


def test_an_account_in_trouble_is_left_alone_at_once(place: Place, post_office: Inbox) -> None:
    """What is in hand is given back, and not tried one by one in vain."""
    post_office.faults.sender_refused("530 5.7.0 Authentication required")
    for number in range(300):
        place.put(f"bob{number}@example.net")
    place.work(post_office.server)
    assert set(place.states().values()) == {"queued"}
    assert len(place.told("paused")) == 1
    assert len(post_office.faults.fired) < 100
