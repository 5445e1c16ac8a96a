"""What people do with it: status, find, stats, hold, retry, settle, prune, pause, a restored backup."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mailwright import Message
from mailwright.errors import OutboxError
from mailwright.outbox.putting import Put
from mailwright.outbox.states import DEFERRED, FAILED, HELD, SENT
from tests.outbox.conformance.trays import Tray, letter


def test_there_is_no_such_message(tray: Tray) -> None:
    tray.put()
    for act in (tray.status, tray.cancel, tray.retry, tray.hold, tray.release):
        with pytest.raises(OutboxError, match="no message"):
            act("01939a7e-0000-7000-8000-000000000000")
    with pytest.raises(OutboxError, match="no id"):
        tray.status("x")


def test_found_by_everything(tray: Tray) -> None:
    one = tray.put(letter("Bob@example.net"), key="k-1", stream="receipts", account="relay")
    two = tray.put(letter("eve@example.com", message_id="<minutes@example.org>"))
    ids = {"one": one, "two": two}
    for wanted, who in (
        ({"recipient": "bob@EXAMPLE.net"}, "one"), ({"domain": "example.com"}, "two"), ({"key": "k-1"}, "one"),
        ({"stream": "receipts"}, "one"), ({"account": "relay"}, "one"), ({"state": "queued", "account": "default"}, "two"),
        ({"message_id": "minutes@example.org"}, "two"),
    ):  # fmt: skip
        assert [found.id for found in tray.found(**wanted)] == [ids[who]], wanted
    assert [found.id for found in tray.found()] == [two, one]
    assert tray.found(state="sent") == [] and len(tray.found(since=timedelta(hours=-1))) == 2
    assert tray.found(until=timedelta(hours=-1)) == []


def test_found_page_by_page(tray: Tray) -> None:
    ids = tray.put_many([letter(["a@example.net", "b@example.net"], text=str(n)) for n in range(130)])
    tray.settle(tray.claim({"example.net": 70}))
    found = tray.found()
    assert [(one.id, one.n) for one in found] == [(id, n) for id in reversed(ids) for n in (1, 0)]
    assert len(tray.found(state="sent")) == 70


def test_the_counts(tray: Tray) -> None:
    tray.put_many([letter(f"u{n}@d{n % 3}.example", text=str(n)) for n in range(9)])
    tray.settle(tray.claim({"d0.example": 2}), SENT)
    tray.settle(tray.claim({"d1.example": 1}), FAILED)
    tray.settle(tray.claim({"d2.example": 1}), DEFERRED, delay=60.0)
    tray.settle(tray.claim({"d2.example": 1}), HELD)
    tray.claim({"d1.example": 1})
    counts = {name: count for name, count in tray.numbers().counts.items() if count}
    assert counts == {"queued": 3, "leased": 1, "deferred": 1, "held": 1, "sent": 2, "failed": 1}


def test_an_empty_outbox_has_counts(tray: Tray) -> None:
    assert not any(tray.numbers().counts.values())


def test_held_and_released(tray: Tray) -> None:
    id = tray.put(letter(["a@example.net", "b@example.net"]))
    assert tray.hold(id, recipient="a@example.net") == 1 and tray.states(id) == ["held", "queued"]
    assert [row.n for row in tray.claim()] == [1]
    assert tray.release(id) == 1 and [row.n for row in tray.claim()] == [0]


def test_what_is_held_is_settled_by_a_person(tray: Tray) -> None:
    for verdict in ("sent", "failed", "unknown"):
        id = tray.put(letter(text=verdict), held=True)
        assert tray.settled(id, verdict) == 1 and tray.states(id) == [verdict]


def test_what_failed_is_sent_again_when_asked(tray: Tray) -> None:
    id = tray.put(letter(["a@example.net", "b@example.net"]))
    first, second = sorted(tray.claim(), key=lambda row: row.n)
    tray.settle([first], SENT)
    tray.settle([second], FAILED, code=550, text="5.1.1 Unknown")
    assert tray.retry(id) == 1 and tray.states(id) == ["sent", "queued"]
    (row,) = tray.claim()
    assert (row.n, row.attempts, row.head) == (1, 1, second.head)
    assert tray.settle([row], SENT) == 1 and tray.states(id) == ["sent", "sent"]
    assert [event.kind for event in tray.status(id).events] == ["retried"]


def test_who_is_suppressed_is_not_tried_again(tray: Tray) -> None:
    tray.suppress("bob@example.net")
    id = tray.put()
    assert tray.retry(id) == 0 and tray.states(id) == ["suppressed"]


def test_paused(tray: Tray) -> None:
    tray.pause()
    assert tray.read(lambda: tray.outbox.store.meta("paused")) == "1"
    tray.resume()
    assert not tray.read(lambda: tray.outbox.store.meta("paused"))


def test_begun_paused(tray: Tray) -> None:
    tray.another(paused=True)
    assert tray.read(lambda: tray.outbox.store.meta("paused")) == "1"


def test_a_restored_backup_is_paused_and_all_of_it_held(tray: Tray) -> None:
    ids = tray.put_many([letter(text=str(n)) for n in range(600)])
    tray.claim({"example.net": 5})
    assert tray.restored() == 600 and tray.read(lambda: tray.outbox.store.meta("paused")) == "1"
    assert {state for id in (ids[0], ids[-1]) for state in tray.states(id)} == {"held"} and not tray.claim()


def test_what_ended_is_pruned_and_what_is_open_stays(tray: Tray, tmp_path: Path) -> None:
    file = tmp_path / "film.bin"
    file.write_bytes(b"x" * 1_000_000)
    long = Message("ada@example.org", "bob@example.net", "Film", "…", attachments=[file])
    ended, half, waiting, film = tray.put_many(
        [Put(letter(text="ended"), key="k"), letter(["a@example.net", "b@example.net"]), letter(text="waiting"), long]
    )  # fmt: skip
    rows = {(row.id.hex(), row.n): row for row in tray.claim()}
    tray.settle(
        [row for (id, n), row in rows.items() if id in (ended.replace("-", ""), film.replace("-", "")) or n == 1]
    )
    assert tray.pruned(older_than=3600.0).messages == 0
    tray.query("UPDATE mw_outcome SET at = at - 7200000")
    bodies = tray.pruned(bodies_older_than=3600.0)
    assert (bodies.bodies, bodies.messages) == (2, 0) and tray.status(ended).pruned and not tray.status(half).pruned
    assert tray.query("SELECT count(*) FROM mw_chunk") == [(0,)] and tray.states(film) == ["sent"]
    with pytest.raises(OutboxError, match="pruned"):
        tray.retry(ended)
    assert tray.put(letter(text="ended"), key="k") == ended  # the key still stands
    assert tray.pruned(older_than=timedelta(hours=1)).messages == 2
    with pytest.raises(OutboxError, match="no message"):
        tray.status(ended)
    assert set(tray.states(half)) == {"sent", "leased"} and tray.states(waiting) == ["leased"]
    assert tray.put(letter(text="other now"), key="k") != ended
