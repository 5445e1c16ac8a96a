"""Changing what is there: each move of the state table that people make, and deleting what is over."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest

from mailwright.errors import ConfigError, OutboxError
from mailwright.outbox import Outbox
from mailwright.outbox.changing import Pruned
from mailwright.outbox.rows import Result
from mailwright.outbox.states import MOVES, STATES, state_named
from tests.unit.outbox.steps import claim, in_state, message, send_all, settle, states, total

NOBODY = "01939a7e-0000-7000-8000-000000000000"
ACTS = ("cancel", "retry", "hold", "release", "settle")


def act(outbox: Outbox, name: str, id: str, **more: object) -> int:
    arguments = ("unknown",) if name == "settle" else ()
    return getattr(outbox, name)(id, *arguments, **more)  # type: ignore[no-any-return]


MOVED_BY = {
    "cancel": {"queued": "cancelled", "deferred": "cancelled", "held": "cancelled"},
    "hold": {"queued": "held", "deferred": "held"},
    "release": {"held": "queued"},
    "settle": {"held": "unknown"},
    "retry": dict.fromkeys(("failed", "expired", "cancelled", "unknown"), "queued"),
}
COUNTED = {("cancel", "leased"), ("cancel", "sending"), ("retry", "deferred")}  # marked, or due at once


@pytest.mark.parametrize("state", [state.name for state in STATES])
@pytest.mark.parametrize("name", ACTS)
def test_each_act_moves_along_the_table_and_nowhere_else(outbox: Outbox, name: str, state: str) -> None:
    id = in_state(outbox, state)
    moved = act(outbox, name, id)
    target = MOVED_BY[name].get(state, state)
    assert states(outbox, id) == [target]
    assert moved == (target != state or (name, state) in COUNTED)
    if target != state:
        assert any(move.origin == state_named(state) and move.target == state_named(target) for move in MOVES)


@pytest.mark.parametrize("name", ACTS)
def test_what_is_not_there_is_an_error(outbox: Outbox, name: str) -> None:
    with pytest.raises(OutboxError, match="There is no message"):
        act(outbox, name, NOBODY)
    id = outbox.put(message())
    with pytest.raises(OutboxError, match="is no recipient of"):
        act(outbox, name, id, recipient="eve@example.com\x1b[2J")
    with pytest.raises(OutboxError, match="is no id"):
        act(outbox, name, "nonsense")


def test_one_recipient_may_be_named(outbox: Outbox) -> None:
    id = outbox.put(message(to=["bob@example.net", "eve@example.com"]))
    assert outbox.hold(id, recipient="EVE@example.com", reason="asked to") == 1
    assert states(outbox, id) == ["queued", "held"]
    assert outbox.status(id).deliveries[1].text == "asked to"
    assert outbox.cancel(id, recipient="bob@example.net") == 1
    assert states(outbox, id) == ["cancelled", "held"]
    assert outbox.release(id) == 1 and states(outbox, id) == ["cancelled", "queued"]


def test_what_a_worker_has_is_marked_as_cancelled_and_the_worker_sees_it(outbox: Outbox) -> None:
    id = outbox.put(message())
    rows = claim(outbox)
    assert outbox.cancel(id) == 1 and outbox.status(id).deliveries[0].cancelled
    assert not outbox.database.write(lambda: outbox.store.mark_sending(b"worker-number-1.", rows))
    assert settle(outbox, rows, "cancelled", 0, "") == 1 and states(outbox, id) == ["cancelled"]


def test_what_is_tried_again_keeps_its_count_and_tells_how_it_had_ended(outbox: Outbox) -> None:
    id = outbox.put(message())
    send_all(outbox, "failed", 550, "550 5.1.1 unknown")
    assert outbox.retry(id) == 1
    (one,) = outbox.status(id).deliveries
    assert (one.attempts, one.code, one.text) == (1, 550, "550 5.1.1 unknown")
    (event,) = outbox.status(id).events
    assert (event.kind, event.detail) == ("retried", "It had ended as failed: 550 5.1.1 unknown")
    assert send_all(outbox) == 1 and states(outbox, id) == ["sent"]
    assert outbox.retry(id) == 0 and outbox.status(id).deliveries[0].attempts == 2


def test_the_late_result_of_an_earlier_claim_does_not_count_after_a_retry(outbox: Outbox) -> None:
    id = outbox.put(message())
    late = claim(outbox)
    assert settle(outbox, late, "failed", 550, "550 no") == 1
    outbox.retry(id)
    assert settle(outbox, late) == 0 and states(outbox, id) == ["queued"]
    assert len(claim(outbox)) == 1
    assert settle(outbox, late) == 0 and states(outbox, id) == ["leased"]


def test_who_is_still_on_the_suppression_list_is_not_tried_again(outbox: Outbox) -> None:
    id = in_state(outbox, "suppressed")
    assert outbox.retry(id) == 0 and states(outbox, id) == ["suppressed"]
    outbox.unsuppress("bob@example.net")
    assert outbox.retry(id) == 1 and states(outbox, id) == ["queued"]


def test_what_expired_gets_a_new_end_or_none(outbox: Outbox) -> None:
    id = outbox.put(message(), expires=1.0)
    send_all(outbox, "expired", 0, "")
    outbox.retry(id)
    assert outbox.status(id).expires is None
    id = outbox.put(message(), expires=timedelta(hours=2))
    expires = outbox.status(id).expires
    outbox.cancel(id)
    outbox.retry(id)
    assert outbox.status(id).expires == expires is not None


def test_what_is_deferred_may_be_hurried(outbox: Outbox) -> None:
    id = outbox.put(message())
    (row,) = claim(outbox)
    result = Result(row.id, row.n, row.claims, state_named("deferred"), 450, "450 later", delay=3600)
    outbox.database.write(lambda: outbox.store.settle(b"worker-number-1.", [result]))
    assert claim(outbox) == []
    assert outbox.retry(id) == 1 and len(claim(outbox)) == 1


@pytest.mark.parametrize("verdict", ["sent", "failed", "unknown"])
def test_what_is_held_is_settled_by_people(outbox: Outbox, verdict: str) -> None:
    id = outbox.put(message(), held=True)
    assert outbox.settle(id, verdict) == 1 and states(outbox, id) == [verdict]
    assert outbox.settle(id, verdict) == 0
    with pytest.raises(ConfigError, match="is not how a message can end"):
        outbox.settle(id, "queued")


def test_pausing_is_told_to_all_and_lasts(tmp_path: Path) -> None:
    with Outbox(tmp_path / "mail.db", paused=True) as outbox, Outbox(tmp_path / "mail.db") as other:
        assert outbox.paused and other.paused and other.stats().paused
        other.resume()
        assert not outbox.paused
        other.pause()
    with Outbox(tmp_path / "mail.db") as outbox:
        assert outbox.paused


def test_a_restored_backup_sends_nothing_by_itself(outbox: Outbox) -> None:
    ids = [in_state(outbox, name) for name in ("deferred", "leased", "sent", "failed", "queued", "held")]
    before = outbox.stats()
    assert outbox.restored() == 3
    after = outbox.stats()
    assert after.paused and after.epoch == before.epoch + 1
    assert [states(outbox, id)[0] for id in ids] == ["held", "held", "sent", "failed", "held", "held"]
    assert "restored" in outbox.status(ids[0]).deliveries[0].text
    assert claim(outbox) == []


# Deleting


def old(outbox: Outbox) -> None:
    """Let a moment pass: what ends in the same millisecond is not older than that."""
    time.sleep(0.005)


def test_prune_deletes_what_is_over_and_nothing_else(outbox: Outbox) -> None:
    ids = [in_state(outbox, name) for name in ("deferred", "leased", "sent", "failed", "queued", "held")]
    half = outbox.put(message(to=["bob@example.net", "eve@example.com"]))
    send_all(outbox)  # bob's part, and what was queued
    old(outbox)
    assert outbox.prune(timedelta(hours=1)) == Pruned(0, 0)
    assert outbox.prune(0) == Pruned(3, 0)
    assert {one.id for one in outbox.find()} == {ids[0], ids[1], ids[5], half}
    with pytest.raises(OutboxError, match="pruned"):
        outbox.status(ids[2])
    assert outbox.prune(0) == Pruned(0, 0)


def test_bodies_may_go_before_the_rest(outbox: Outbox) -> None:
    id, waits = outbox.put(message(), key="k"), outbox.put(message(to="eve@example.com"))
    send_all(outbox)
    old(outbox)
    assert outbox.prune(bodies_older_than=0) == Pruned(0, 1)
    status = outbox.status(id)
    assert status.pruned and status.sent and not outbox.status(waits).pruned
    assert outbox.put(message(), key="k") == id  # the key is still known
    assert outbox.prune(bodies_older_than=0) == Pruned(0, 0)


def test_what_was_pruned_can_not_be_sent_again(outbox: Outbox) -> None:
    id = outbox.put(message())
    send_all(outbox, "failed", 550, "550 no")
    old(outbox)
    outbox.prune(bodies_older_than=0)
    with pytest.raises(OutboxError, match="was pruned, so it can't be sent again"):
        outbox.retry(id)
    assert states(outbox, id) == ["failed"]


def test_a_key_is_free_when_its_message_is_gone(outbox: Outbox) -> None:
    first = outbox.put(message(), key="k")
    send_all(outbox)
    old(outbox)
    outbox.prune(0)
    assert outbox.put(message("Other"), key="k") != first and total(outbox) == 1


def test_pruned_contents_are_not_in_the_file_any_more(tmp_path: Path) -> None:
    place = tmp_path / "mail.db"
    with Outbox(place) as outbox:
        outbox.put(message(attachments={"a.bin": b"x" * 2_000_000}, headers={"X-Canary": "canary-in-a-coal-mine"}))
        outbox.put(message(headers={"X-Canary": "canary-in-a-coal-mine"}))
        send_all(outbox)
        old(outbox)
        outbox.prune(bodies_older_than=0)
        octets = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert b"canary-in-a-coal-mine" not in octets and b"eHh4eHh4eHh4eHh4" not in octets


def test_more_than_one_transaction_prunes_all(outbox: Outbox) -> None:
    outbox.put_many(message(f"Number {n}") for n in range(320))
    while send_all(outbox):
        pass
    old(outbox)
    assert outbox.prune(0) == Pruned(320, 0) and total(outbox) == 0


@pytest.mark.parametrize("span", [-1, "a week", float("nan")])
def test_spans_that_are_none_are_refused(outbox: Outbox, span: object) -> None:
    with pytest.raises(ConfigError, match="no span of time"):
        outbox.prune(span)  # type: ignore[arg-type]
