"""What a worker does with the store: claims, fences, leases, marks, results."""

from __future__ import annotations

import threading

import pytest

from mailwright.outbox.asking import Query
from mailwright.outbox.rows import NEVER
from mailwright.outbox.states import CANCELLED, DEFERRED, EXPIRED, FAILED, HELD, QUEUED, SENT
from mailwright.outbox.work.limiting import Rate, known_destinations, reserve, stop_until, take_slots
from mailwright.outbox.work.mending import (
    end_out_of_lanes,
    end_out_of_time,
    end_too_far_ahead,
    make_due,
    out_of_lanes,
    out_of_time,
    overlong,
    too_far_ahead,
)
from tests.outbox.conformance.trays import ENDED, LEASE, RIVAL, WORKER, BlockingTray, Tray, letter


def last(tray: Tray, id: str) -> tuple[str, int, str, int]:
    """State, code, text and attempts of a message's first recipient."""
    one = tray.status(id).deliveries[0]
    return one.state.name, one.code, one.text, one.attempts


def test_a_row_is_leased_to_one_worker(tray: Tray) -> None:
    id = tray.put()
    (row,) = tray.claim()
    assert (row.claims, row.attempts, row.deaths, row.state.name) == (1, 0, 0, "leased")
    assert not tray.claim(worker=RIVAL) and tray.states(id) == ["leased"]


def test_oldest_first_and_no_more_than_the_budget(tray: Tray) -> None:
    ids = tray.put_many([letter(text=str(n)) for n in range(5)])
    first = tray.claim({"example.net": 2}) + tray.claim({"example.net": 2})
    assert {row.id.hex() for row in first} == {id.replace("-", "") for id in ids[:4]}
    assert len(tray.claim({"example.net": 2})) == 1 and not tray.claim({"example.net": 2})


def test_each_destination_has_its_own_budget(tray: Tray) -> None:
    tray.put_many([letter(f"u{n}@busy.example") for n in range(30)])
    tray.put_many([letter(f"u{n}@quiet.example") for n in range(3)])
    rows = tray.claim({"busy.example": 4, "quiet.example": 4, "unknown.example": 4})
    assert sorted(row.domain for row in rows) == ["busy.example"] * 4 + ["quiet.example"] * 3


def test_nothing_is_asked_for(tray: Tray) -> None:
    tray.put()
    assert tray.claim({}) == [] and tray.renew([]) == 0


def test_destinations_are_walked_in_order_and_in_pages(tray: Tray) -> None:
    names = [f"d{n:02}.example" for n in range(25)]
    tray.put_many([letter(f"u{n}@{name}") for name in reversed(names) for n in range(2)])
    assert tray.destinations(most=10) == names[:10]
    assert tray.destinations(after=names[9], most=10) == names[10:20]
    assert tray.destinations(after=names[19]) == names[20:] and tray.destinations(after=names[-1]) == []


def test_when_a_destination_is_due(tray: Tray) -> None:
    store = tray.outbox.store
    assert tray.read(lambda: store.next_due("default", 1, "example.net")) is None
    tray.put()
    now = tray.query("SELECT {now}")[0][0]
    assert 0 <= now - tray.read(lambda: store.next_due("default", 1, "example.net")) < 60_000
    tray.claim(lease=1000)
    assert tray.read(lambda: store.next_due("default", 1, "example.net")) > now + 900_000


def test_a_result_is_final_and_counts_once(tray: Tray) -> None:
    id = tray.put()
    rows = tray.claim()
    assert tray.settle(rows, code=250, text="2.0.0 Ok") == 1 and tray.settle(rows, FAILED) == 0
    assert last(tray, id) == ("sent", 250, "2.0.0 Ok", 1) and tray.status(id).done
    assert not tray.claim() and tray.destinations() == []


@pytest.mark.parametrize("state", [SENT, FAILED, EXPIRED, CANCELLED])
def test_every_end(tray: Tray, state: object) -> None:
    id = tray.put()
    assert tray.settle(tray.claim(), state, counts=False) == 1  # type: ignore[arg-type]
    name, _, _, attempts = last(tray, id)
    assert (name, attempts) == (str(state), 0)


def test_each_recipient_has_a_result_of_its_own(tray: Tray) -> None:
    id = tray.put(letter(["a@example.net", "b@example.net", "c@example.net"]))
    first, second, third = sorted(tray.claim(), key=lambda row: row.n)
    assert tray.settle([first], SENT) + tray.settle([second], FAILED, code=550) + tray.settle([third], DEFERRED) == 3
    assert tray.states(id) == ["sent", "failed", "deferred"]


def test_many_results_of_many_kinds_at_once(tray: Tray) -> None:
    from mailwright.outbox.rows import Result

    ids = tray.put_many([letter(text=str(n)) for n in range(30)])
    rows = {row.id.hex(): row for row in tray.claim()}
    ordered = [rows[id.replace("-", "")] for id in ids]
    kinds = (SENT, FAILED, DEFERRED, QUEUED, HELD)
    results = [Result(row.id, row.n, row.claims, kinds[n % 5], n, f"text {n}", n % 5) for n, row in enumerate(ordered)]
    assert tray.write(lambda: tray.outbox.store.settle(WORKER, results)) == 30
    found = [last(tray, id) for id in ids]
    assert [one[0] for one in found] == [str(kinds[n % 5]) for n in range(30)]
    assert [one[2] for one in found] == [f"text {n}" for n in range(30)]


def test_a_text_that_no_database_likes(tray: Tray) -> None:
    ids = tray.put_many([letter(text="a"), letter(text="b")])
    first, second = tray.claim()
    assert tray.settle([first], SENT, text="2.0.0 it's \x1b[31m \U0001f600 'quoted' %s {}") == 1
    assert tray.settle([second], DEFERRED, text="-- \\ ; DROP TABLE mw_message") == 1
    assert sorted(state for id in ids for state in tray.states(id)) == ["deferred", "sent"]


# Leases


def test_a_lease_that_ended_is_anybodys(tray: Tray) -> None:
    id = tray.put()
    mine = tray.claim(lease=ENDED)
    (row,) = tray.claim(worker=RIVAL)
    assert (row.claims, row.deaths) == (2, 1)
    assert tray.settle(mine) == 0 and tray.renew(mine) == 0 and not tray.mark(mine)
    assert tray.settle([row], worker=RIVAL, code=250) == 1 and last(tray, id)[:2] == ("sent", 250)


def test_the_fence_is_worker_and_claim(tray: Tray) -> None:
    id = tray.put()
    old = tray.claim(lease=ENDED)
    new = tray.claim()  # the same worker, another claim
    assert tray.settle(old, FAILED) == 0 and tray.settle(new, worker=RIVAL) == 0
    assert tray.states(id) == ["leased"] and tray.settle(new) == 1


def test_a_lease_is_renewed(tray: Tray) -> None:
    tray.put_many([letter(text=str(n)) for n in range(3)])
    rows = tray.claim(lease=ENDED)
    assert tray.renew(rows) == 3 and not tray.claim(worker=RIVAL)
    assert tray.renew(rows, lease=ENDED) == 3 and len(tray.claim(worker=RIVAL)) == 3
    assert tray.renew(rows) == 0


def test_given_back_is_queued_again_and_was_no_try(tray: Tray) -> None:
    id = tray.put()
    assert tray.settle(tray.claim(), QUEUED, counts=False) == 1
    assert last(tray, id) == ("queued", 0, "", 0)
    (row,) = tray.claim()
    assert (row.claims, row.attempts, row.deaths, row.first_tried) == (2, 0, 0, None)


def test_deferred_waits_for_its_time(tray: Tray) -> None:
    id = tray.put()
    assert tray.settle(tray.claim(), DEFERRED, code=451, text="4.2.1 Later", delay=300.0) == 1
    assert last(tray, id) == ("deferred", 451, "4.2.1 Later", 1) and not tray.claim()
    assert tray.retry(id) == 1
    (row,) = tray.claim()
    assert row.attempts == 1 and row.first_tried is not None
    assert tray.settle([row], DEFERRED, delay=0.0) == 1 and last(tray, id) == ("deferred", 451, "4.2.1 Later", 2)


# Marks, doubts and deaths


def test_with_hold_a_death_after_the_mark_sets_aside(tray: Tray) -> None:
    id = tray.put(in_doubt="hold")
    mine = tray.claim(lease=ENDED)
    assert tray.mark(mine) and tray.states(id) == ["sending"]
    (row,) = tray.claim(worker=RIVAL)
    assert row.state.name == "held" and tray.states(id) == ["held"]
    assert not tray.claim(worker=RIVAL) and tray.status(id).deliveries[0].due is None


def test_the_late_reply_to_what_was_set_aside_counts(tray: Tray) -> None:
    id = tray.put(in_doubt="hold")
    mine = tray.claim(lease=ENDED)
    tray.mark(mine)
    tray.claim(worker=RIVAL)
    assert tray.settle(mine, DEFERRED) == 0 and tray.states(id) == ["held"]
    assert tray.settle(mine, SENT, code=250) == 1 and last(tray, id)[:2] == ("sent", 250)


def test_with_retry_a_death_after_the_mark_is_tried_again(tray: Tray) -> None:
    tray.put()
    mine = tray.claim(lease=ENDED)
    assert tray.mark(mine)
    (row,) = tray.claim(worker=RIVAL)
    assert (row.state.name, row.deaths) == ("leased", 1)


def test_what_kills_its_worker_three_times_is_set_aside(tray: Tray) -> None:
    id = tray.put()
    assert tray.claim(lease=ENDED)[0].deaths == 0
    assert tray.claim(lease=ENDED)[0].deaths == 1
    alone = tray.claim(lease=ENDED)
    assert alone[0].deaths == 2 and tray.mark(alone)
    (row,) = tray.claim()
    assert row.state.name == "held" and row.deaths == 3 and not tray.claim()
    assert "three workers" in tray.status(id).deliveries[0].text


def test_deaths_are_forgotten_after_a_try_that_counts(tray: Tray) -> None:
    tray.put()
    tray.claim(lease=ENDED)
    (row,) = tray.claim()
    assert row.deaths == 1 and tray.settle([row], QUEUED, counts=False) == 1
    (row,) = tray.claim()
    assert row.deaths == 1 and tray.settle([row], DEFERRED) == 1
    assert tray.claim()[0].deaths == 0


def test_one_mark_that_fails_is_none_at_all(tray: Tray) -> None:
    tray.put_many([letter(text="a"), letter(text="b")])
    (first,) = tray.claim({"example.net": 1})
    (lost,) = tray.claim({"example.net": 1}, lease=ENDED)
    tray.claim(worker=RIVAL)
    assert not tray.mark([first, lost])


# Cancel


def test_cancel_before_the_claim(tray: Tray) -> None:
    id = tray.put(letter(["a@example.net", "b@example.net"]))
    assert tray.cancel(id, recipient="B@Example.net") == 1 and tray.states(id) == ["queued", "cancelled"]
    assert tray.cancel(id) == 1 and tray.cancel(id) == 0 and not tray.claim()


def test_cancel_after_the_claim_is_seen_before_the_last_octet(tray: Tray) -> None:
    id = tray.put()
    rows = tray.claim()
    assert tray.cancel(id) == 1 and tray.states(id) == ["leased"] and not tray.mark(rows)
    assert tray.settle(rows, CANCELLED, counts=False) == 1 and tray.states(id) == ["cancelled"]


def test_cancel_after_the_mark_does_not_undo_it(tray: Tray) -> None:
    id = tray.put()
    rows = tray.claim()
    assert tray.mark(rows)
    tray.cancel(id)
    assert tray.settle(rows, SENT) == 1 and tray.states(id) == ["sent"]


def test_a_claim_and_a_cancel_at_once_have_one_winner(where: str) -> None:
    tray = BlockingTray(where)
    other = tray.another()
    ids = tray.put_many([letter(text=str(n)) for n in range(40)])
    rows: list[object] = []
    ready = threading.Barrier(2)

    def claim() -> None:
        ready.wait()
        while got := other.claim({"example.net": 2}):
            rows.extend(got)

    thread = threading.Thread(target=claim)
    thread.start()
    ready.wait()
    for id in reversed(ids):
        tray.cancel(id)
    thread.join()
    cancelled = [id for id in ids if tray.states(id) == ["cancelled"]]
    assert len(cancelled) + len(rows) == 40
    assert not other.mark(rows[:1]) if rows else True  # type: ignore[arg-type]
    tray.close()


# The clock


def test_after_the_clock_was_set_back_nothing_waits_too_long(tray: Tray) -> None:
    queued, leased, deferred, held = tray.put_many([letter(text=str(n)) for n in range(4)])
    tray.hold(held)
    rows = {row.id.hex(): row for row in tray.claim()}
    tray.settle([rows[queued.replace("-", "")]], QUEUED, delay=50_000.0, counts=False)  # asked for, and so kept
    tray.settle([rows[deferred.replace("-", "")]], DEFERRED, delay=50_000.0)
    tray.renew([rows[leased.replace("-", "")]], lease=50_000.0)
    store = tray.outbox.store
    seen = tray.read(lambda: overlong(store, "default", 1, "example.net", 600.0, 7200.0))
    assert tray.write(lambda: make_due(store, seen)) == 2
    assert {row.id.hex() for row in tray.claim()} == {leased.replace("-", ""), deferred.replace("-", "")}
    assert tray.query("SELECT due_at FROM mw_delivery WHERE phase = 4") == [(NEVER,)]


def test_after_the_clock_was_set_back_nothing_is_stopped_too_long(tray: Tray) -> None:
    store = tray.outbox.store
    for domain, span in (("", 5000.0), ("example.net", 50_000.0)):
        tray.write(lambda domain=domain, span=span: stop_until(store, "default", domain, span, "busy"))
    for name, lease in (("fresh", 500.0), ("stale", 50_000.0)):
        assert tray.write(lambda name=name, lease=lease: take_slots(store, RIVAL, name, 1, 1, lease)) == 1
    tray.query("INSERT INTO mw_limit (name, spent_until) SELECT 'rate', {now} + 50000000")
    assert tray.read(lambda: too_far_ahead(store, "default", 600.0, 7200.0))
    tray.write(lambda: end_too_far_ahead(store, "default", 600.0, 7200.0))
    assert not tray.read(lambda: too_far_ahead(store, "default", 600.0, 7200.0))
    assert [one.domain for one in tray.read(lambda: known_destinations(store, "default"))] == [""]
    slots = [tray.write(lambda name=name: take_slots(store, WORKER, name, 1, 1, LEASE)) for name in ("fresh", "stale")]
    assert slots == [0, 1]
    grant = tray.write(lambda: reserve(store, "rate", Rate(1, 60.0), 1))
    assert (grant.tokens, round(grant.wait)) == (0, 60)
    grant = tray.write(lambda: reserve(store, "rate", Rate(1, 60.0), 1))
    assert (grant.tokens, round(grant.wait)) == (0, 60), "it was written down, and time goes on from there"
    assert tray.query("SELECT 1 AS one FROM mw_limit WHERE spent_until <= {now} + 60000") == [(1,)]


def test_a_first_try_that_is_still_to_come_is_now(tray: Tray) -> None:
    tray.put()
    tray.settle(tray.claim(), DEFERRED)
    tray.query("UPDATE mw_delivery SET first_tried = {now} + 50000000")
    tray.settle(tray.claim(), QUEUED, counts=False)
    assert tray.query("SELECT 1 AS one FROM mw_delivery WHERE first_tried > {now} + 40000000") == [(1,)]
    tray.settle(tray.claim(), DEFERRED)
    assert tray.query("SELECT 1 AS one FROM mw_delivery WHERE first_tried <= {now}") == [(1,)]


def test_a_row_that_cannot_be_read_is_set_aside_and_the_others_are_claimed(tray: Tray) -> None:
    strange, sound = tray.put(), tray.put(letter("kim@example.net"))
    tray.write(lambda: change("UPDATE mw_delivery SET attempts = -1 WHERE rcpt = 'bob@example.net'"))
    rows = {row.address: row for row in tray.claim()}
    assert rows["kim@example.net"].state.name == "leased"
    assert rows["bob@example.net"].state is HELD and rows["bob@example.net"].why.startswith("Unreadable")
    assert tray.states(strange) == ["held"] and tray.states(sound) == ["leased"]
    assert last(tray, strange)[2] == rows["bob@example.net"].why and not tray.claim()


def test_a_lane_that_there_is_not_is_found_and_set_aside(tray: Tray) -> None:
    id = tray.put()
    tray.write(lambda: change("UPDATE mw_delivery SET lane = 7"))
    assert tray.status(id).deliveries[0].lane == "7" and not tray.claim()
    store = tray.outbox.store
    assert tray.read(lambda: out_of_lanes(store, "default"))
    tray.write(lambda: end_out_of_lanes(store, "default"))
    assert tray.states(id) == ["held"] and not tray.read(lambda: out_of_lanes(store, "default"))


def test_a_row_due_after_the_end_of_time_is_found_and_set_aside(tray: Tray) -> None:
    id = tray.put()
    held = tray.put(letter("kim@example.org"))
    tray.hold(held)
    tray.write(lambda: change(f"UPDATE mw_delivery SET due_at = {NEVER + 1} WHERE dest = 'example.net'"))
    store = tray.outbox.store
    assert tray.read(lambda: out_of_time(store, "default", 1, ["example.net", "example.org"])) == ["example.net"]
    tray.write(lambda: end_out_of_time(store, "default", 1, "example.net"))
    assert tray.states(id) == ["held"]
    assert tray.read(lambda: out_of_time(store, "default", 1, ["example.net", "example.org"])) == []


async def change(sql: str) -> None:
    await Query(sql, {})


# Many workers


def test_eight_workers_ten_thousand_rows_none_twice(where: str) -> None:
    tray = BlockingTray(where)
    tray.put_many([letter(f"u{n}@d{n % 20:02}.example", text="x") for n in range(10_000)])
    trays = [tray.another() for _ in range(8)]
    taken: list[list[tuple[bytes, int]]] = [[] for _ in range(8)]
    counted = [0] * 8

    def work(place: int) -> None:
        mine, me = trays[place], bytes([place]) * 16
        while domains := mine.destinations():
            rows = mine.claim(dict.fromkeys(domains, 25), worker=me, lease=LEASE)
            taken[place] += [(row.id, row.claims) for row in rows]
            counted[place] += mine.settle(rows, worker=me)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [one for part in taken for one in part]
    assert len(every) == len(set(every)) == sum(counted) == 10_000 and {claims for _, claims in every} == {1}
    assert tray.query("SELECT state, count(*) FROM mw_outcome GROUP BY state") == [(SENT.number, 10_000)]
    tray.close()
