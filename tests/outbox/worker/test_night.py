"""What somebody who is woken at night needs of a worker: that it goes on beside rows nobody can read, that it ends when
it is asked to, and that it says what it does.
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from mailwright.inbox import Inbox
from mailwright.outbox.outbox import Outbox
from mailwright.outbox.sqlite import desk as sqlite_desk
from mailwright.outbox.work import reporting, working
from mailwright.outbox.work.mending import mend
from mailwright.outbox.work.retry import HOUR, Retry
from mailwright.outbox.work.worker import begun
from tests.outbox.worker.place import SOON, Place
from tests.outbox.worker.test_adversity import run, until
from tests.outbox.worker.test_leases import play

LONG = "Dear Bob\r\n" + "".join(f"{n:070}\r\n" for n in range(12000))

# Rows that nobody can read


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE mw_message SET expires_at = 'soon'",
        "UPDATE mw_message SET expires_at = x'00'",
        "UPDATE mw_message SET size = 'x'",
        "UPDATE mw_message SET sender = x'00ff'",
        "UPDATE mw_message SET sender = CAST(x'ff' AS TEXT)",
        "UPDATE mw_message SET head = 'text'",
        "UPDATE mw_message SET dsn = '[' || replace(hex(zeroblob(50000)), '00', '[')",
        "UPDATE mw_chunk SET octets = 'text'",
        "UPDATE mw_chunk SET octets = 1.5",
        "UPDATE mw_delivery SET rcpt = x'ff'",
        "UPDATE mw_delivery SET attempts = 'x'",
        "UPDATE mw_delivery SET attempts = -3",
        "UPDATE mw_delivery SET deaths = 'x'",
        "UPDATE mw_delivery SET first_tried = 'x'",
        "UPDATE mw_delivery SET hold = 'x'",
        "UPDATE mw_delivery SET dest = x'ff'",
    ],
)
def test_a_row_that_nobody_can_read_is_set_aside_and_the_others_go(
    place: Place, post_office: Inbox, damage: str
) -> None:
    id = place.put(text=LONG)
    place.sql(damage)
    place.put("kim@example.net")
    done = place.work(post_office.server)
    assert (done.sent, done.held, len(post_office.messages)) == (1, 1, 1)
    ((phase, text, lease),) = place.sql("SELECT phase, last_text, lease_by FROM mw_delivery")
    assert phase == 4 and text.startswith("Unreadable: ") and lease is None
    (told,) = [event for event in place.told("result") if event.state == "held"]
    assert told.id == id and told.text == text


@pytest.mark.parametrize("damage", ["lane = 7", "lane = 'x'", "due_at = 'x'"])
def test_what_nobody_would_ever_claim_is_set_aside(
    place: Place, post_office: Inbox, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "LOOK", 0.02)
    place.put()
    place.sql(f"UPDATE mw_delivery SET {damage}")
    assert len(list(place.outbox.find())) == 1

    async def meanwhile(worker: Any) -> None:
        await until(lambda: place.sql("SELECT phase FROM mw_delivery") == [(4,)])

    run(place, post_office.server, meanwhile, lease=10.0, renew=0.01)
    (one,) = place.outbox.find()
    assert one.text.startswith("Unreadable: ") and one.state.name == "held"


def test_a_damaged_page_is_told_as_that(place: Place, post_office: Inbox) -> None:
    place.put(text=LONG)
    place.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    ((root,),) = place.sql("SELECT rootpage FROM sqlite_master WHERE name = 'mw_chunk'")
    ((size,),) = place.sql("PRAGMA page_size")
    place.outbox.close()
    octets = bytearray(place.path.read_bytes())
    octets[(root - 1) * size : root * size] = b"\xaa" * size
    place.path.write_bytes(octets)
    place.outbox = Outbox(place.path)
    done = place.work(post_office.server)
    assert (done.held, len(post_office.messages)) == (1, 0)
    state, _, text = place.rows()["bob@example.net"]
    assert state == "held" and "can't be read" in text and "server" not in text


def test_what_the_claim_sets_aside_is_counted(place: Place, post_office: Inbox) -> None:
    place.put(in_doubt="hold")
    place.sql("UPDATE mw_delivery SET phase = 3, due_at = 0, lease_by = x'00'")
    assert place.work(post_office.server).held == 1


# A database that somebody else holds


def test_it_ends_when_asked_although_somebody_holds_the_lock(
    place: Place, post_office: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_desk, "PATIENT", 0.05)
    monkeypatch.setattr(working, "LAST", 0.1)
    place.put()
    other = sqlite3.connect(place.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def meanwhile(worker: Any) -> None:
        await until(lambda: place.told("database"))

    async def both() -> None:
        worker = await begun(place.outbox.database, post_office.server, tell=place.events.append, grace=0.1)
        running = asyncio.ensure_future(worker.run())
        await meanwhile(worker)
        worker.stop()
        await asyncio.wait_for(running, 20)

    try:
        asyncio.run(both())
    finally:
        other.execute("ROLLBACK")
        other.close()
    (told,) = place.told("database")
    assert "locked for writing" in told.text and place.told("stopped")
    assert place.states() == {"bob@example.net": "queued"}


def test_looking_for_what_is_out_of_order_needs_no_lock(place: Place, post_office: Inbox) -> None:
    for number in range(20):
        place.put(f"bob{number}@example.net")
    place.sql("UPDATE mw_delivery SET phase = 1, due_at = ?", int(time.time() * 1000) + 3_000_000)

    async def look() -> None:
        worker = await begun(place.outbox.database, post_office.server, tell=place.events.append)
        await asyncio.wait_for(mend(worker.desk, "default", 600.0, 7200.0), 20)
        await worker.desk.close()

    other = sqlite3.connect(place.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    asyncio.run(look())
    other.close()
    assert set(place.states().values()) == {"deferred"}


def test_the_waits_that_one_asked_for_are_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "LOOK", 0.02)
    place.put()
    retries = tuple(Retry(first=6 * HOUR, longest=6 * HOUR, jitter=0.0) for _ in range(3))
    now = int(time.time() * 1000)
    place.sql("UPDATE mw_delivery SET phase = 1, attempts = 1, due_at = ?", now + 5 * 3_600_000)

    async def meanwhile(worker: Any) -> None:
        await until(lambda: worker._repair_at > working.clock() + HOUR / 2)  # it has looked, and made due what it found
        await asyncio.sleep(0.05)

    run(place, "smtp+plain://127.0.0.1:9", meanwhile, lease=10.0, renew=0.01, retries=retries)
    assert place.sql("SELECT due_at FROM mw_delivery") == [(now + 5 * 3_600_000,)]


# The second signal


def test_what_never_left_is_given_back_at_the_second_signal(place: Place) -> None:
    place.put()
    with socket.create_server(("127.0.0.1", 0)) as silent:

        async def meanwhile(worker: Any) -> None:
            await until(lambda: any(office.post.tray.begun for office in worker.offices.values()))
            worker.stop()
            worker.stop()

        done = run(place, f"smtp+plain://127.0.0.1:{silent.getsockname()[1]}", meanwhile)
    assert (done.given_back, done.deferred) == (1, 0)
    assert place.rows() == {"bob@example.net": ("queued", 0, "")}
    assert place.sql("SELECT attempts FROM mw_delivery") == [(0,)]


@pytest.mark.parametrize("features", [(), ("PIPELINING",)])
@pytest.mark.parametrize(
    ("stage", "state", "attempts"), [("EHLO", "queued", 0), ("RCPT", "queued", 0), ("END", "deferred", 1)]
)
def test_only_what_left_whole_is_recorded_as_in_doubt(
    place: Place, features: tuple[str, ...], stage: str, state: str, attempts: int
) -> None:
    place.put()
    reached = asyncio.Event()

    async def hook(verb: str, _: bytes) -> bytes | None:
        if verb == stage:
            reached.set()
            await asyncio.sleep(3600)
        return None

    async def meanwhile(worker: Any, _: object) -> None:
        await asyncio.wait_for(reached.wait(), 20)
        worker.stop()
        worker.stop()

    play(place, hook, meanwhile, *features)
    ((found, _, text),) = place.rows().values()
    assert found == state and ("may arrive twice" in text) == (state == "deferred")
    assert place.sql("SELECT attempts FROM mw_delivery") == [(attempts,)]


# What is told


def test_a_listener_that_fails_does_not_end_the_worker(place: Place, post_office: Inbox) -> None:
    place.put()
    problems: list[dict[str, Any]] = []

    def tell(_: object) -> None:
        raise RuntimeError("the log is full")

    async def work() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        worker = await begun(place.outbox.database, post_office.server, tell=tell, retries=SOON)
        return await worker.run(once=True)

    assert asyncio.run(work()).sent == 1
    (said,) = problems
    assert "tell=" in said["message"] and str(said["exception"]) == "the log is full"


def test_it_sums_up_what_was_done(place: Place, post_office: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "EVERY", 0.02)
    place.put()
    place.put("kim@example.net", at=time.time() + 3600)

    async def meanwhile(worker: Any) -> None:
        await until(lambda: any("sent=1" in event.text for event in place.told("progress")))
        before = len(place.told("progress"))
        await asyncio.sleep(0.2)
        assert len(place.told("progress")) == before, "nothing happened since"
        monkeypatch.setattr(reporting, "SILENCE", 0.05)
        await until(lambda: "sent=0" in place.told("progress")[-1].text)

    run(place, post_office.server, meanwhile)
    text = place.told("progress")[-1].text
    assert text.startswith("sent=0 deferred=0 held=0 rate=0.0/s in_hand=0 oldest=")


def test_mail_that_nobody_here_serves_is_told_once(
    place: Place, post_office: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "LOOK", 0.02)
    place.put(account="marketing")
    place.put(account="scheduled", at=time.time() + 3600)
    place.put()
    place.sql("UPDATE mw_delivery SET due_at = 1 WHERE account = 'marketing'")

    async def meanwhile(worker: Any) -> None:
        await until(lambda: place.told("unserved"))
        await asyncio.sleep(0.2)

    run(place, post_office.server, meanwhile)
    (told,) = place.told("unserved")
    assert told.account == "marketing" and "serves default only" in told.text


def test_an_account_without_settings_stands_in_the_statistics(
    place: Place, post_office: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "mailwright.toml"
    config.write_text(f'[accounts.good]\nurl = "smtp+plain://127.0.0.1:{post_office.server.port}"\n')
    config.chmod(0o600)
    monkeypatch.setenv("MAILWRIGHT_CONFIG", str(config))
    place.put(account="good")
    place.put(account="marketing")
    assert place.work(None).sent == 1
    (told,) = place.told("paused")
    assert told.account == "marketing"
    (slowed,) = place.outbox.stats().slowed
    assert (slowed.account, slowed.until is not None) == ("marketing", True) and "marketing" in slowed.reason
    assert place.outbox.stats().paused_accounts == (), "another worker may have settings for it"
