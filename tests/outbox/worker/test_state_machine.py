"""Anything that may happen, in any order: put, claim, mark, reply, crash, a late reply, the clock, and what people do.

The model knows a row's state, its fence and how often a server said yes; after each step the store must agree, and no
row may have moved but along `MOVES`. Below it every row of that table is walked once, by name.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mailwright.outbox.asking import Query
from mailwright.outbox.rows import Claimed, Result
from mailwright.outbox.states import (
    CANCELLED,
    DEFERRED,
    EXPIRED,
    FAILED,
    HELD,
    LEASED,
    MOVES,
    QUEUED,
    SENDING,
    SENT,
    SUPPRESSED,
    UNKNOWN,
    State,
)  # fmt: skip
from mailwright.outbox.work.judging import Judge, out_of_time, unreadable
from mailwright.outbox.work.retry import Retry
from mailwright.words.address import Address
from mailwright.words.errors import ConnectionLost
from mailwright.words.receipt import Outcome, Receipt
from mailwright.words.reply import Reply
from tests.outbox.worker.place import Place

ACCOUNT, DOMAIN, LEASE = "default", "example.net", 100.0
RETRY = Retry(first=10.0, longest=40.0, lifetime=1000.0, jitter=0.0)
ALONG = {(move.origin, move.target) for move in MOVES}
REPLIES = {
    "taken": ("accepted", Reply(250, ("2.0.0 ok",))),
    "later": ("deferred", Reply(450, ("4.2.1 busy",))),
    "refused": ("refused", Reply(550, ("5.1.1 unknown",))),
    "quota": ("refused", Reply(550, ("5.4.5 Daily user sending limit exceeded.",))),
    "account": ("refused", Reply(530, ("5.7.0 Authentication required",))),
    "lost": ("in doubt", None),
    "broken": ("not tried", None),
}


def receipt_for(row: Claimed, kind: str) -> Receipt:
    """What a mailer gives when that happens."""
    fate, reply = REPLIES[kind]
    error = None
    if kind == "lost":
        error = ConnectionLost("lost", phase="final reply", in_doubt=True)
    elif kind == "broken":
        error = ConnectionLost("lost", phase="content")
    return Receipt((Outcome(Address(row.address), fate, reply),), "mx.example", 25, reply=reply, error=error)  # type: ignore[arg-type]


class Store:
    """The rows of an outbox, as a worker and a user see them."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mailwright-machine-"))
        self.place = Place(self.folder, clock=True)
        self.outbox = self.place.outbox
        self.store = self.outbox.database.store
        self.judge = Judge(lambda: 0.5, retries=(RETRY,) * 3)

    def now(self) -> int:
        return int(self.place.sql("SELECT at FROM test_clock")[0][0])

    def write(self, plan: Callable[[], Any]) -> Any:
        return self.outbox.database.write(plan)

    def claim(self, worker: bytes) -> list[Claimed]:
        return list(self.write(lambda: self.store.claim(worker, ACCOUNT, 1, {DOMAIN: 100}, LEASE)))

    def mark(self, worker: bytes, row: Claimed) -> bool:
        return bool(self.write(lambda: self.store.mark_sending(worker, [row])))

    def settle(self, worker: bytes, *results: Result) -> int:
        return int(self.write(lambda: self.store.settle(worker, results)))

    def states(self) -> dict[str, State]:
        """The state of each recipient; nobody has two."""

        async def plan() -> list[tuple[str, int]]:
            rows = await Query("SELECT rcpt, phase FROM mw_delivery", {})
            return [*rows, *await Query("SELECT rcpt, state FROM mw_outcome", {})]

        from mailwright.outbox.states import state_of

        rows = self.outbox.database.read(plan)
        assert len({address for address, _ in rows}) == len(rows), "a recipient has two states"
        return {address: state_of(number) for address, number in rows}

    def close(self) -> None:
        self.outbox.close()
        shutil.rmtree(self.folder)


class Machine(RuleBasedStateMachine):
    """The outbox against the model."""

    @initialize()
    def begin(self) -> None:
        self.made = Store()
        self.ids: dict[str, str] = {}
        self.holds: dict[str, bool] = {}
        self.before: dict[str, State] = {}
        self.workers = [b"a" * 16, b"b" * 16]
        #: What each worker believes to have; the other may have taken it since.
        self.hands: dict[bytes, dict[str, Claimed]] = {worker: {} for worker in self.workers}
        self.fence: dict[str, tuple[bytes, int]] = {}  # whose row it is, by the model
        self.marked: dict[str, bool] = {}
        self.deaths: dict[str, int] = {}
        self.accepted: dict[str, int] = {}
        self.released: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "made"):
            self.made.close()

    @rule(hold=st.booleans(), held=st.booleans())
    def put(self, hold: bool, held: bool) -> None:
        address = f"r{len(self.ids)}@{DOMAIN}"
        self.ids[address] = self.made.place.put(address, in_doubt="hold" if hold else "retry", held=held)
        self.holds[address], self.deaths[address], self.accepted[address] = hold, 0, 0

    @rule(which=st.integers(0, 1))
    def claim(self, which: int) -> None:
        worker = self.workers[which]
        expected = dict(self.made.states())
        for row in self.made.claim(worker):
            address = row.address
            was = expected[address]
            assert was in (QUEUED, DEFERRED, LEASED, SENDING)
            if was in (LEASED, SENDING):
                aside = was is SENDING and (self.holds[address] or self.deaths[address] >= 2)
                assert (row.state is HELD) == aside
                self.deaths[address] = min(self.deaths[address] + 1, 3 if aside else 2)
            else:
                assert row.state is LEASED
            if row.state is HELD:
                self.fence.pop(address, None)
            else:
                self.fence[address] = (worker, row.claims)
                self.hands[worker][address] = row
                assert row.deaths == self.deaths[address]
            self.marked[address] = False

    def _mine(self, worker: bytes, address: str) -> bool:
        row = self.hands[worker][address]
        return self.fence.get(address) == (worker, row.claims)

    @precondition(lambda self: any(self.hands.values()))
    @rule(data=st.data(), kind=st.sampled_from(sorted(REPLIES)))
    def answer(self, data: st.DataObject, kind: str) -> None:
        """A worker sends what it has in hand, as it would, and writes what came of it; perhaps much too late."""
        worker = data.draw(st.sampled_from([worker for worker in self.workers if self.hands[worker]]))
        address = data.draw(st.sampled_from(sorted(self.hands[worker])))
        row = self.hands[worker].pop(address)
        mine = self.fence.get(address) == (worker, row.claims)
        was = self.made.states()[address]
        if row.hold or row.deaths >= 2:
            if not self.made.mark(worker, row):
                assert not mine or self._cancelled(address)
                return  # and nothing is sent
            assert mine
            was = SENDING
        elif mine:
            assert was is LEASED
        if kind in ("taken", "lost"):
            self.accepted[address] += 1
        verdict = self.made.judge.judge((row,), receipt_for(row, kind), self.made.now())
        counted = self.made.settle(worker, *verdict.results)
        now = self.made.states().get(address)
        assert counted == int(mine)
        if mine:
            assert now is verdict.results[0].state
            self.fence.pop(address)
            if verdict.results[0].counts:
                self.deaths[address] = 0
        else:
            assert now is was, "a late result changed a row that another worker has"

    def _cancelled(self, address: str) -> bool:
        rows = self.made.place.sql("SELECT cancelled FROM mw_delivery WHERE rcpt = ?", address)
        return bool(rows and rows[0][0])

    @precondition(lambda self: any(self.hands.values()))
    @rule(data=st.data())
    def crash_behind_the_mark(self, data: st.DataObject) -> None:
        """A worker marks, perhaps sends, and is gone."""
        worker = data.draw(st.sampled_from([worker for worker in self.workers if self.hands[worker]]))
        for address, row in self.hands[worker].items():
            if (row.hold or row.deaths >= 2) and self.made.mark(worker, row):
                self.accepted[address] += 1
                self.marked[address] = True
        self.hands[worker].clear()

    @rule(which=st.integers(0, 1))
    def crash(self, which: int) -> None:
        self.hands[self.workers[which]].clear()

    @rule(seconds=st.sampled_from([5, 15, 60, 101, 400, 2000]))
    def time_passes(self, seconds: int) -> None:
        self.made.place.set_time(seconds)

    @rule(seconds=st.sampled_from([30, 3600]))
    def the_clock_is_set_back(self, seconds: int) -> None:
        self.made.place.set_time(-seconds)

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), act=st.sampled_from(["cancel", "retry", "hold", "release", "settle"]))
    def somebody_interferes(self, data: st.DataObject, act: str) -> None:
        address = data.draw(st.sampled_from(sorted(self.ids)))
        was = self.made.states()[address]
        outbox, id = self.made.outbox, self.ids[address]
        if act == "settle":
            outbox.settle(id, "unknown")
        else:
            getattr(outbox, act)(id)
        now = self.made.states()[address]
        if now is not was:
            self.fence.pop(address, None)
            if now is QUEUED:
                self.deaths[address] = self._deaths(address)
                self.released.add(address)

    def _deaths(self, address: str) -> int:
        return int(self.made.place.sql("SELECT deaths FROM mw_delivery WHERE rcpt = ?", address)[0][0])

    @invariant()
    def every_move_is_in_the_table(self) -> None:
        if not hasattr(self, "made"):
            return
        states = self.made.states()
        assert set(states) == set(self.ids), "a row is gone, or came from nowhere"
        for address, state in states.items():
            was = self.before.get(address)
            if state is not was:
                assert (was, state) in ALONG or self._by_two_moves(was, state), f"{was} to {state}"
        self.before = states

    def _by_two_moves(self, was: State | None, state: State) -> bool:
        """One rule marks and settles: two moves in one step."""
        return any((was, middle) in ALONG and (middle, state) in ALONG for middle in (LEASED, SENDING, QUEUED))

    @invariant()
    def hold_never_sends_twice_by_itself(self) -> None:
        for address, hold in getattr(self, "holds", {}).items():
            if hold and address not in self.released:
                assert self.accepted[address] <= 1
            if self.before.get(address) is SENT and address not in self.released:
                assert self.accepted[address] >= 1


Machine.TestCase.settings = settings(stateful_step_count=40)
TestMachine = Machine.TestCase


# Every row of the table, by name.


@pytest.fixture
def made() -> Any:
    store = Store()
    yield store
    store.close()


ME, YOU = b"m" * 16, b"y" * 16


def leased(made: Store, **options: Any) -> Claimed:
    made.place.put(f"bob@{DOMAIN}", **options)
    (row,) = made.claim(ME)
    return row


def answered(kind: str, **options: Any) -> Callable[[Store], None]:
    def act(made: Store) -> None:
        row = leased(made, **options)
        if options.get("in_doubt") == "hold":
            assert made.mark(ME, row)
        made.settle(ME, *made.judge.judge((row,), receipt_for(row, kind), made.now()).results)

    return act


def settled(result: Callable[[Claimed], Result]) -> Callable[[Store], None]:
    def act(made: Store) -> None:
        row = leased(made)
        made.settle(ME, result(row))

    return act


def ended(state: State) -> Callable[[Claimed], Result]:
    return lambda row: Result(row.id, row.n, row.claims, state)


def then(*acts: Callable[[Store], Any]) -> Callable[[Store], None]:
    def act(made: Store) -> None:
        for one in acts:
            one(made)

    return act


def user(name: str, *given: str) -> Callable[[Store], None]:
    def act(made: Store) -> None:
        (id,) = made.place.sql("SELECT lower(hex(id)) FROM mw_message")[0]
        getattr(made.outbox, name)(id, *given)

    return act


def put(**options: Any) -> Callable[[Store], None]:
    return lambda made: made.place.put(f"bob@{DOMAIN}", **options) and None


def claim(made: Store) -> None:
    made.claim(ME)


def suppress(made: Store) -> None:
    made.place.sql("INSERT INTO mw_suppression VALUES (?, 'bounced', 0, NULL)", f"bob@{DOMAIN}")


def unsuppress(made: Store) -> None:
    made.place.sql("DELETE FROM mw_suppression")


def mark(made: Store) -> None:
    row = leased(made, in_doubt="hold")
    assert made.mark(ME, row)


def killed_three_times(made: Store) -> None:
    made.place.put(f"bob@{DOMAIN}")
    for _ in range(3):
        (row,) = made.claim(ME)
        if row.deaths >= 2:
            assert made.mark(ME, row)
        made.place.set_time(LEASE + 1)


def late(kind: str) -> Callable[[Store], None]:
    """A worker marks and is slow; another sets the row aside; then the reply comes."""

    def act(made: Store) -> None:
        row = leased(made, in_doubt="hold")
        assert made.mark(ME, row)
        made.place.set_time(LEASE + 1)
        assert [one.state for one in made.claim(YOU)] == [HELD]
        assert made.settle(ME, *made.judge.judge((row,), receipt_for(row, kind), made.now()).results) == 1

    return act


def later_by(seconds: float) -> Callable[[Store], None]:
    return lambda made: made.place.set_time(seconds)


WALKS: dict[tuple[str, str], Callable[[Store], None]] = {
    ("put", "queued"): put(),
    ("put held back", "held"): put(held=True),
    ("put, but on the suppression list", "suppressed"): then(suppress, put()),
    ("queued: claimed when due", "leased"): then(put(), claim),
    ("deferred: claimed when due", "leased"): then(answered("later"), later_by(60), claim),
    ("leased: lease ended without a result", "leased"): then(put(), claim, later_by(LEASE + 1), claim),
    ("leased: given back untried", "queued"): answered("account"),
    ("leased: a 4xx, or a failure before the final dot", "deferred"): answered("later"),
    ("leased: about to send the final dot, in_doubt=hold", "sending"): mark,
    ("leased: 250 after the final dot", "sent"): answered("taken"),
    ("leased: refused for good", "failed"): answered("refused"),
    ("leased: no reply after the final dot, in_doubt=retry", "deferred"): answered("lost"),
    ("leased: its time is over", "expired"): settled(out_of_time),
    ("leased: suppressed since it was put", "suppressed"): settled(ended(SUPPRESSED)),
    ("leased: cancelled while a worker had it", "cancelled"): settled(ended(CANCELLED)),
    ("leased: unreadable", "held"): settled(lambda row: unreadable(row, "damaged")),
    ("sending: 250 after the final dot", "sent"): answered("taken", in_doubt="hold"),
    ("sending: refused for good", "failed"): answered("refused", in_doubt="hold"),
    ("sending: a 4xx", "deferred"): answered("later", in_doubt="hold"),
    ("sending: failed before the final dot left", "deferred"): answered("broken", in_doubt="hold"),
    ("sending: no reply after the final dot", "held"): answered("lost", in_doubt="hold"),
    ("sending: lease ended without a result, in_doubt=hold", "held"): then(mark, later_by(LEASE + 1), claim),
    ("sending: lease ended, the third worker it killed", "held"): then(killed_three_times, claim),
    ("queued: hold", "held"): then(put(), user("hold")),
    ("deferred: hold", "held"): then(answered("later"), user("hold")),
    ("held: release", "queued"): then(put(held=True), user("release")),
    ("held: the reply came after all", "sent"): late("taken"),
    ("held: the refusal came after all", "failed"): late("refused"),
    ("held: settled as not to be sent again", "unknown"): then(put(held=True), user("settle", "unknown")),
    ("queued: cancel", "cancelled"): then(put(), user("cancel")),
    ("deferred: cancel", "cancelled"): then(answered("later"), user("cancel")),
    ("held: cancel", "cancelled"): then(put(held=True), user("cancel")),
    ("failed: retry", "queued"): then(answered("refused"), user("retry")),
    ("expired: retry", "queued"): then(settled(out_of_time), user("retry")),
    ("cancelled: retry", "queued"): then(put(), user("cancel"), user("retry")),
    ("suppressed: retry, after the address was taken from the list", "queued"): then(
        suppress, put(), unsuppress, user("retry")
    ),
    ("unknown: retry", "queued"): then(put(held=True), user("settle", "unknown"), user("retry")),
}


def name_of(move: Any) -> str:
    return f"{move.origin}: {move.event}" if move.origin is not None else str(move.event)


@pytest.mark.parametrize("move", MOVES, ids=lambda move: name_of(move).replace(" ", "-"))
def test_every_move_of_the_table_is_walked(made: Store, move: Any) -> None:
    WALKS[name_of(move), move.target.name](made)
    assert made.states() == {f"bob@{DOMAIN}": move.target}


def test_there_is_no_walk_without_a_move() -> None:
    assert set(WALKS) == {(name_of(move), move.target.name) for move in MOVES}
    assert {state for move in MOVES for state in (move.origin, move.target)} >= {EXPIRED, FAILED, UNKNOWN}
