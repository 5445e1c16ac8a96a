"""Looking: status, find, stats."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailwright.errors import ConfigError, OutboxError
from mailwright.outbox import Outbox, Put
from mailwright.outbox.states import STATES
from tests.unit.outbox.steps import claim, in_state, message, send_all, settle, states


def test_the_status_tells_every_recipient_and_what_the_server_said(outbox: Outbox) -> None:
    id = outbox.put(message(to=["bob@example.net", "eve@example.com"]), key="k", stream="news", in_doubt="hold")
    before = datetime.now(UTC)
    send_all(outbox, "failed", 550, "550 5.1.1 no such \x1b[2J user")
    status = outbox.status(id)
    one, other = status.deliveries
    assert (status.key, status.stream, status.sender, status.done, status.sent) == (
        "k",
        "news",
        "ada@example.org",
        False,
        False,
    )
    assert (one.state.name, one.attempts, one.code, one.in_doubt, one.n) == ("failed", 1, 550, "hold", 0)
    assert one.text == "550 5.1.1 no such \\x1b[2J user"
    assert one.ended is not None and abs(one.ended - before) < timedelta(minutes=5) and one.first_tried == one.ended
    assert (other.state.name, other.attempts, other.due is not None, other.ended) == ("queued", 0, True, None)
    assert "bob@example.net: failed (550 5.1.1" in str(status)


def test_the_status_of_nobody_is_an_error(outbox: Outbox) -> None:
    with pytest.raises(OutboxError, match="There is no message"):
        outbox.status("01939a7e-0000-7000-8000-000000000000")
    with pytest.raises(OutboxError, match="is no id of a message"):
        outbox.status("'; DROP TABLE mw_message")


def test_find_by_what_is_known(outbox: Outbox) -> None:
    plain = outbox.put(message())
    keyed = outbox.put(message(), key="k", stream="news", account="bulk")
    named = outbox.put(message(to=["bob@example.net", "Eve@example.com"], message_id="<mine@example.org>"))
    send_all(outbox)

    def found(**wanted: object) -> list[tuple[str, str]]:
        return [(one.id, one.address) for one in outbox.find(**wanted)]  # type: ignore[arg-type]

    everything = [
        (named, "Eve@example.com"),
        (named, "bob@example.net"),
        (keyed, "bob@example.net"),
        (plain, "bob@example.net"),
    ]
    assert found() == everything
    assert found(state="sent") == [everything[1], everything[3]]
    assert found(state="queued") == [everything[0], everything[2]]
    assert found(recipient=" EVE@example.COM") == found(domain="Example.com") == everything[:1]
    assert found(key="k") == found(stream="news") == found(account="bulk") == [everything[2]]
    assert found(message_id="mine@example.org") == found(message_id="<mine@example.org>") == everything[:2]
    assert found(message_id=outbox.status(plain).message_id) == everything[3:]
    assert found(since=timedelta(minutes=-5)) == everything and found(until=timedelta(minutes=-5)) == []
    assert found(state="sent", recipient="bob@example.net", until=timedelta(minutes=5)) == [
        everything[1],
        everything[3],
    ]
    assert found(key="' OR 1 = 1 --") == []
    with pytest.raises(ConfigError, match="There is no state 'lost'"):
        outbox.find(state="lost")


def test_find_comes_page_by_page_and_misses_nothing(outbox: Outbox) -> None:
    ids = outbox.put_many(message(f"Number {n}", to=["a@example.net", "b@example.net"]) for n in range(151))
    found = [(one.id, one.n) for one in outbox.find()]
    assert found == [(id, n) for id in reversed(ids) for n in (1, 0)]


def test_stats_count_everything(outbox: Outbox) -> None:
    assert outbox.stats().oldest is None and outbox.stats().open == 0
    outbox.put_many([Put(message(), held=True), Put(message(to="eve@example.com")), Put(message()), Put(message())])
    rows = claim(outbox)
    settle(outbox, rows[:1])
    stats = outbox.stats()
    assert {name: count for name, count in stats.counts.items() if count} == {
        "queued": 1,
        "leased": 1,
        "held": 1,
        "sent": 1,
    }
    assert stats.open == 3 and stats.oldest is not None and 0 <= stats.oldest < 300
    assert [(one.destination, one.open, one.due, one.later, one.held) for one in stats.waiting] == [
        ("example.net", 2, 0, 1, 1),
        ("example.com", 1, 1, 0, 0),
    ]
    minute = stats.recent[0]
    assert (minute.seconds, minute.sent, minute.failed, minute.rate) == (60, 1, 0, 1 / 60)
    assert minute.median is not None and minute.median == minute.slow and 0 <= minute.median < 300
    assert not stats.paused and stats.epoch == 1 and stats.paused_accounts == ()


def test_stats_tell_what_is_paused_and_who_works(outbox: Outbox, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "mail.db") as connection:
        connection.execute(
            "INSERT INTO mw_destination VALUES ('default', '', 32503680000000, '535 \x1b[2J bad login', 0)"
        )
        connection.execute("INSERT INTO mw_destination VALUES ('default', 'example.net', 0, '421', 2.5)")
        connection.execute(
            "INSERT INTO mw_worker VALUES (x'00', 'host-1', '0.1', (julianday('now') - 2440587.5) * 86400000)"
        )
        connection.execute("INSERT INTO mw_worker VALUES (x'01', 'long-gone', '0.1', 0)")
    connection.close()
    stats = outbox.stats()
    (paused,) = stats.paused_accounts
    assert paused.reason == "535 \\x1b[2J bad login"
    assert [(one.destination, one.pace) for one in stats.slowed] == [("", 0.0), ("example.net", 2.5)]
    assert [one.host for one in stats.workers] == ["host-1"]


def test_looking_keeps_nobody_from_writing(outbox: Outbox, tmp_path: Path) -> None:
    id = outbox.put(message())
    writer = sqlite3.connect(tmp_path / "mail.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE mw_delivery SET last_text = 'not committed'")
    assert outbox.status(id).deliveries[0].text == "" and outbox.stats().open == 1 and states(outbox, id) == ["queued"]
    writer.execute("ROLLBACK")
    writer.close()


def test_the_view_for_people_tells_the_same(outbox: Outbox, tmp_path: Path) -> None:
    for name in (state.name for state in STATES):
        in_state(outbox, name)
        if name == "suppressed":
            outbox.unsuppress("bob@example.net")
    connection = sqlite3.connect(tmp_path / "mail.db")
    seen = connection.execute("SELECT id, n, rcpt, lane, dest, state, attempts, code, text FROM mw_status").fetchall()
    connection.close()
    told = {
        (
            one.id.replace("-", ""),
            one.n,
            one.address,
            one.lane,
            one.destination,
            one.state.name,
            one.attempts,
            one.code,
            one.text,
        )
        for one in outbox.find()
    }
    assert set(seen) == told and len(told) == len(STATES)
