"""The whole worker with a scripted clock, a scripted store and a scripted server: what takes five days takes a moment,
and of a few hundred lives in which everything goes wrong each ends as promised.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mailwright.outbox import changing
from mailwright.outbox.database import CommitUnknown
from mailwright.outbox.work import posting, working
from mailwright.outbox.work.limiting import Limit, Rate
from mailwright.outbox.work.retry import DAY, HOUR, MINUTE, RETRIES, Retry
from mailwright.words.errors import OutboxError, OutboxUnavailable
from tests.outbox.worker.scripted import CLOSE, LOST, Scripted
from tests.outbox.worker.simulation import Process, World

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="asyncio has no Unix sockets there")

BRIEF = (Retry(first=20.0, longest=300.0, lifetime=2 * HOUR),) * 3
EVER = 10 * DAY


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


async def until(world: World, true: Any, within: float = HOUR, every: float = 0.5) -> None:
    """Wait until it is so, by the world's clock: a look `every` so many seconds, and after each commit."""
    end, ear = world.now + within, asyncio.Event()
    world.ears.append(ear)
    while not true():
        assert world.now < end, world.rows()
        ear.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(every):
                await ear.wait()
    world.ears.remove(ear)


# Time


@pytest.mark.parametrize("lane", ["urgent", "normal", "bulk"])
def test_a_recipient_who_is_never_ready_is_tried_as_documented_and_then_given_up(
    world: World, lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "LOOK", DAY)  # it wakes up when something is due, and for nothing else
    monkeypatch.setattr(posting, "GLANCE", DAY)
    tries: list[float] = []
    world.jitter = lambda: 0.5
    retry = RETRIES[("urgent", "normal", "bulk").index(lane)]

    async def hook(verb: str, _: bytes) -> bytes | None:
        if verb == "RCPT":
            tries.append(world.now)
            return b"450 4.2.1 not now"
        return None

    async def story() -> None:
        async with Scripted(hook, path=str(world.path)):
            world.put("bob@example.net", lane=lane)
            worker = world.start(lease=600.0, renew=300.0)
            await until(world, lambda: world.states() == {"bob@example.net": "expired"}, EVER, HOUR)
            await worker.stop()

    world.run(story())
    wanted = [0.0, *retry.schedule()]
    assert [round(when) for when in tries] == pytest.approx(wanted, abs=30)
    assert world.rows()["bob@example.net"][3] == len(tries)


def test_a_server_that_says_nothing_holds_up_nobody_for_ever(world: World) -> None:
    silent = True

    async def hook(verb: str, _: bytes) -> bytes | None:
        if silent and verb == "END":
            await asyncio.sleep(DAY)
        return None

    async def story() -> None:
        nonlocal silent
        async with Scripted(hook, path=str(world.path)):
            world.put("held@example.net", in_doubt="hold")
            world.put("again@example.net")
            worker = world.start()
            await until(world, lambda: world.states()["held@example.net"] == "held", 2 * HOUR)
            assert world.now >= 10 * MINUTE, "RFC 5321 §4.5.3.2.6: ten minutes for the reply to a content"
            silent = False
            await until(world, lambda: world.states()["again@example.net"] == "sent", DAY)
            await worker.stop()

    world.run(story())
    assert world.states() == {"held@example.net": "held", "again@example.net": "sent"}


WAITS: dict[str, tuple[str, bytes, dict[str, Any]]] = {
    "a next try": ("RCPT", b"450 4.2.1 not now", {}),
    "a stopped destination": ("RCPT", b"450 4.7.25 no name of yours", {}),
    "a stopped account": ("MAIL", b"421 4.7.0 too fast", {}),
    "a paused account": ("HERE", b"554 5.7.1 not you", {}),
    "a rate": ("", b"", {"shared": (Limit("default", "", (Rate(6, MINUTE),)),)}),
    "a rate of a destination": ("", b"", {"shared": (Limit("default", "example.net", (Rate(6, MINUTE),)),)}),
}


@pytest.mark.parametrize("who", ["the same worker", "another one"])
@pytest.mark.parametrize("days", [0.05, 400, -0.05, -400])
@pytest.mark.parametrize("what", WAITS)
def test_a_clock_that_jumps_delays_nothing_for_long(world: World, what: str, days: float, who: str) -> None:
    (where, reply, options), busy = WAITS[what], True

    async def hook(verb: str, _: bytes) -> bytes | None:
        return reply if verb == where and busy else None

    def waiting() -> bool:
        return len(server.taken) == 2 if not where else bool(world.told("paused") or world.told("slow") or tried())

    def tried() -> bool:
        return what == "a next try" and "deferred" in world.states().values()

    async def story() -> None:
        nonlocal busy
        async with server:
            for number in range(2 if where else 20):
                world.put(f"bob{number}@example.net")
            worker = world.start(**options)
            await until(world, waiting)
            world.ahead += days * DAY
            busy = False
            if who == "another one":
                await worker.stop()
                worker = world.start(**options)
            begun = world.now
            await until(world, lambda: set(world.states().values()) == {"sent"}, 3 * HOUR, MINUTE)
            if not where:
                assert world.now - begun > MINUTE, "the rate holds all the same"
            await worker.stop()

    server = Scripted(hook, path=str(world.path))
    world.run(story())
    assert len(server.taken) == (2 if where else 20)


@pytest.mark.parametrize("days", [0.05, 400, -0.05, -400])
def test_connections_that_a_dead_worker_had_are_free_again_whatever_the_clock_does(world: World, days: float) -> None:
    killed: list[float] = []
    options: dict[str, Any] = {"shared": (Limit("default", connections=1),)}

    async def story() -> None:
        first: Process

        async def hook(verb: str, _: bytes) -> bytes | None:
            if verb == "MAIL" and not killed:
                killed.append(world.now)
                first.kill()
            return None

        async with Scripted(hook, path=str(world.path)):
            world.put("bob@example.net")
            first = world.start(**options)
            await until(world, lambda: killed)
            world.ahead += days * DAY
            second = world.start(**options)
            await until(world, lambda: world.states() == {"bob@example.net": "sent"}, 2 * HOUR)
            await second.stop()
        await first.bury()

    world.run(story())
    assert world.states() == {"bob@example.net": "sent"}


@pytest.mark.parametrize("days", [-0.05, -400])
def test_a_clock_that_is_set_back_makes_no_life_longer_by_that(
    world: World, days: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "LOOK", 10 * MINUTE)
    monkeypatch.setattr(posting, "GLANCE", DAY)

    async def hook(verb: str, _: bytes) -> bytes | None:
        return b"450 4.2.1 not now" if verb == "RCPT" else None

    async def story() -> None:
        async with Scripted(hook, path=str(world.path)):
            world.put("bob@example.net", lane="urgent")
            worker = world.start()
            await until(world, lambda: world.rows()["bob@example.net"][3] == 5, DAY, HOUR)
            world.ahead += days * DAY
            await until(world, lambda: world.states() == {"bob@example.net": "expired"}, DAY, HOUR)
            await worker.stop()

    world.run(story())
    assert world.states() == {"bob@example.net": "expired"}


def test_one_full_mailbox_delays_nobody_else_of_its_destination(world: World) -> None:

    async def hook(verb: str, line: bytes) -> bytes | None:
        return b"452 4.2.2 mailbox full" if verb == "RCPT" and b"full@" in line else None

    async def story() -> None:
        async with Scripted(hook, path=str(world.path)):
            world.put("full@example.net", lane="urgent")
            worker = world.start()
            await until(world, lambda: world.rows()["full@example.net"][3] == 8, DAY, MINUTE)
            await asyncio.sleep(1)
            begun = world.now
            world.put("bob@example.net")
            await until(world, lambda: world.states()["bob@example.net"] == "sent")
            assert world.now - begun < 10
            await worker.stop()

    world.run(story())


# The store


def test_what_the_store_did_without_saying_so_is_done_once(world: World) -> None:
    """Every third answer to a COMMIT is lost: claims, marks, results."""
    count = 0

    async def script(writes: bool, act: Any) -> Any:
        nonlocal count
        found = act()
        count += writes
        if writes and count % 3 == 0:
            raise CommitUnknown("The connection was lost at COMMIT.", "")
        return found

    async def hook(_verb: str, _: bytes) -> bytes | None:
        return None

    async def story() -> Scripted:
        async with Scripted(hook, "PIPELINING", "CHUNKING", path=str(world.path)) as server:
            for number in range(60):
                world.put(f"r{number}@d{number % 7}.example", in_doubt="hold" if number % 2 else "retry")
            worker = world.start(script, BRIEF)
            await until(world, lambda: set(world.states().values()) <= {"sent", "held"}, DAY)
            await worker.stop()
            return server

    server = world.run(story())
    taken = Counter(to for one in server.taken for to in one)
    assert max(taken.values()) == 1
    assert {to for to, state in world.states().items() if state == "sent"} == set(taken)
    assert all(int(to.split("@")[0][1:]) % 2 for to, state in world.states().items() if state == "held")


def test_a_store_that_is_away_for_an_hour_loses_no_result(world: World) -> None:
    away = False

    async def script(writes: bool, act: Any) -> Any:
        if away:
            await asyncio.sleep(0.2)
            raise OutboxUnavailable("The database is away.", "")
        return act()

    async def hook(verb: str, _: bytes) -> bytes | None:
        nonlocal away
        away = away or verb == "END"
        return None

    async def story() -> Scripted:
        nonlocal away
        async with Scripted(hook, path=str(world.path)) as server:
            world.put("bob@example.net")
            worker = world.start(script)
            await until(world, lambda: away)
            await asyncio.sleep(HOUR)
            away = False
            await until(world, lambda: world.states() == {"bob@example.net": "sent"})
            await worker.stop()
            return server

    assert world.run(story()).taken == [["bob@example.net"]]
    assert world.told("database")


@pytest.mark.parametrize("in_doubt", ["retry", "hold"])
def test_what_some_have_is_recorded_although_the_others_may_not_be_sent_it_now(world: World, in_doubt: str) -> None:
    """A server that takes two recipients at a time, and a store that is away before the second part is to leave."""
    away, offers = False, list[float]()

    async def script(writes: bool, act: Any) -> Any:
        if away and writes:
            await asyncio.sleep(0.2)
            raise OutboxUnavailable("The database is away.", "")
        return act()

    async def hook(verb: str, line: bytes) -> bytes | None:
        nonlocal away
        if verb != "RCPT" or b"third" not in line:
            return None
        offers.append(world.now)
        away = len(offers) == 2
        return None if server.taken else b"452 4.5.3 too many"

    async def story() -> None:
        nonlocal away
        async with server:
            world.put("first@example.net", "second@example.net", "third@example.net", in_doubt=in_doubt)
            worker = world.start(script)
            await until(world, lambda: away)
            await asyncio.sleep(5)
            away = False
            await until(world, lambda: set(world.states().values()) == {"sent"}, DAY)
            await worker.stop()

    server = Scripted(hook, path=str(world.path))
    world.run(story())
    assert sorted(to for one in server.taken for to in one) == [
        "first@example.net", "second@example.net", "third@example.net",
    ]  # fmt: skip


# Workers


@pytest.mark.parametrize("in_doubt", ["retry", "hold"])
@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA", "END"])
def test_a_worker_frozen_past_its_lease_does_no_harm_when_it_wakes_up(world: World, at: str, in_doubt: str) -> None:
    """It is frozen when the server heard that; another worker has the row before it wakes up."""
    frozen: list[str] = []

    async def story() -> Scripted:
        first: Process

        async def hook(verb: str, _: bytes) -> bytes | None:
            if verb == at and not frozen:
                frozen.append(verb)
                first.freeze()
            return None

        async with Scripted(hook, path=str(world.path)) as server:
            world.put("bob@example.net", in_doubt=in_doubt)
            first = world.start()
            await until(world, lambda: frozen)
            second = world.start()
            await until(world, lambda: set(world.states().values()) <= {"sent", "held"})
            first.thaw()
            await asyncio.sleep(10 * MINUTE)
            await asyncio.gather(first.stop(), second.stop())
            return server

    server = world.run(story())
    whole = at == "END"  # the server had it before the lease ended, and its yes came too late
    if in_doubt == "hold":
        # It was held in doubt, until the late yes was heard after all.
        assert len(server.taken) == 1 and world.states() == {"bob@example.net": "sent"}
    else:
        assert len(server.taken) == 1 + whole and world.states() == {"bob@example.net": "sent"}


@pytest.mark.parametrize("in_doubt", ["retry", "hold"])
@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA", "END"])
def test_what_a_killed_worker_had_goes_on_when_its_lease_ends(world: World, at: str, in_doubt: str) -> None:
    killed: list[float] = []

    async def story() -> Scripted:
        first: Process

        async def hook(verb: str, _: bytes) -> bytes | None:
            if verb == at and not killed:
                killed.append(world.now)
                first.kill()
            return None

        async with Scripted(hook, path=str(world.path)) as server:
            world.put("bob@example.net", in_doubt=in_doubt)
            first = world.start(lease=120.0)
            await until(world, lambda: killed)
            second = world.start(lease=120.0)
            await until(world, lambda: set(world.states().values()) <= {"sent", "held"})
            assert world.now - killed[0] < 130
            await second.stop()
        await first.bury()
        return server

    server = world.run(story())
    if at == "END":
        held = in_doubt == "hold"
        assert world.states() == {"bob@example.net": "held" if held else "sent"}
        assert len(server.taken) == (1 if held else 2)
    else:  # the mark that says "in doubt" is made when the last octets are about to leave
        assert world.states() == {"bob@example.net": "sent"} and len(server.taken) == 1


# Whole lives

REFUSALS = {
    "HERE": [b"421 4.3.2 busy", b"554 5.7.1 not you"],
    "EHLO": [b"421 4.3.2 busy"],
    "MAIL": [b"421 4.7.0 too fast", b"451 4.3.0 later", b"552 5.3.4 too big", b"550 5.1.8 bad sender"],
    "RCPT": [b"450 4.2.1 busy", b"451 4.7.1 greylisted", b"452 4.5.3 too many", b"550 5.1.1 nobody", b"552 5.2.2 full",
             b"421 4.7.0 slow down", b"550 5.4.5 daily limit"],
    "DATA": [b"451 4.3.0 later", b"554 5.6.0 no"],
    "END": [b"451 4.3.0 later", b"452 4.3.1 no room", b"550 5.7.1 spam", b"554 5.6.0 no", b"421 4.3.2 closing"],
}  # fmt: skip
KINDS = ("refusals", "cuts", "silence", "away", "lost commits", "kills", "freezes", "clock", "people")
DOUBTFUL = {"cuts", "silence", "kills", "freezes", "clock"}
FEATURES = ("PIPELINING", "CHUNKING", "ENHANCEDSTATUSCODES", "SIZE", "DSN")
TROUBLED = 1800.0  # seconds in which everything may happen; then all is well


class Life:
    """A world in which what `seed` says goes wrong, for half an hour."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.world = World(folder, seed)
        self.dice = dice = random.Random(seed)
        self.kinds = {kind for kind in KINDS if dice.random() < 0.4}
        self.often = dice.choice([0.01, 0.05, 0.2])
        self.drafts: dict[str, Any] = {}  # by recipient
        self.holds: set[str] = set()
        self.touched: set[str] = set()  # by people
        self.octets: dict[str, bytes] = {}
        self.taken: Counter[str] = Counter()
        self.workers: list[Process] = []
        self.dead: list[Process] = []

    def goes_wrong(self, kind: str, part: float = 1.0) -> bool:
        return kind in self.kinds and self.world.now < TROUBLED and self.dice.random() < self.often * part

    async def store(self, writes: bool, act: Any) -> Any:
        dice = self.dice
        if dice.random() < 0.2:
            await asyncio.sleep(dice.expovariate(20))
        if self.goes_wrong("away"):
            raise OutboxUnavailable("The database is away.", "")
        found = act()
        if writes and self.goes_wrong("lost commits"):
            raise CommitUnknown("The connection was lost at COMMIT.", "")
        if dice.random() < 0.2:
            await asyncio.sleep(dice.expovariate(20))
        return found

    async def server(self, verb: str, line: bytes) -> bytes | None:
        dice = self.dice
        if dice.random() < 0.2:
            await asyncio.sleep(dice.uniform(0.0, 2.0))
        if self.goes_wrong("silence", 0.1):
            await asyncio.sleep(DAY)
            return CLOSE
        if self.goes_wrong("cuts"):
            return LOST if verb == "END" and dice.random() < 0.5 else CLOSE
        if verb in REFUSALS and self.goes_wrong("refusals"):
            return dice.choice(REFUSALS[verb])
        return None

    def took(self, to: list[str], content: bytes) -> None:
        states = self.world.states()
        for one in to:
            self.taken[one] += 1
            assert self.octets[one] == content, "the same octets on every try"
            assert states[one] != "sent", "what is recorded as sent is never sent again"

    def put(self) -> None:
        dice, number = self.dice, len(self.drafts)
        to = [f"r{number + n}@d{dice.randrange(4)}.example" for n in range(dice.choice([1, 1, 1, 2, 5]))]
        hold = dice.random() < 0.4
        draft = self.world.put(
            *to, text=f"Number {number}.\r\n" * dice.choice([1, 50, 4000]), in_doubt="hold" if hold else "retry",
            lane=dice.choice(["urgent", "normal", "bulk"]), account=dice.choice(["default", "news"]),
            key=f"k{number}" if dice.random() < 0.3 else None,
        )  # fmt: skip
        for one in to:
            self.drafts[one], self.octets[one] = draft, draft.content.whole()
        self.holds |= set(to) if hold else set()

    def hire(self) -> None:
        dice = self.dice
        options = {"window": dice.choice([1, 4, 16]), "ahead": dice.choice([1, 20, 500])}
        self.workers.append(self.world.start(self.store, BRIEF, accounts=("default", "news"), **options))

    async def fate(self) -> None:
        """Puts, kills, frosts, and what people do, until all is well."""
        dice, world = self.dice, self.world
        while world.now < TROUBLED:
            await asyncio.sleep(dice.expovariate(1 / 15))
            if dice.random() < 0.5 and len(self.drafts) < 60:
                self.put()
            if self.goes_wrong("clock"):
                world.ahead += dice.choice([-HOUR, HOUR, -20.0, 20.0, 100.0])
            if self.goes_wrong("kills") and self.workers:
                one = self.workers.pop(dice.randrange(len(self.workers)))
                one.kill()
                self.dead.append(one)
                self.hire()
            if self.goes_wrong("freezes"):
                one = dice.choice(self.workers)
                one.freeze()
                asyncio.get_running_loop().call_later(dice.uniform(1.0, 400.0), self.wake, one)
            if self.goes_wrong("people", 3.0) and self.drafts:
                self.meddle(dice.choice(list(self.drafts)))

    def wake(self, one: Process) -> None:
        if not one.killed:
            one.thaw()

    def meddle(self, to: str) -> None:
        id, store, dice = self.drafts[to].id, self.world.store, self.dice
        plans = [
            lambda: changing.cancel(store, id, to),
            lambda: changing.hold(store, id, to, "Held by request."),
            lambda: changing.release(store, id, to),
            lambda: changing.retry(store, id, to, None),
        ]
        self.touched.add(to)
        try:
            self.world.transact(dice.choice(plans))
        except OutboxError:
            pass

    async def story(self) -> None:
        world, dice = self.world, self.dice
        features = [one for one in FEATURES if dice.random() < 0.6]
        async with Scripted(self.server, *features, path=str(world.path)) as server:
            server.took = self.took
            for _ in range(dice.choice([1, 1, 2, 3])):
                self.hire()
            for _ in range(dice.randrange(10)):
                self.put()
            await self.fate()
            for one in self.workers:
                one.thaw()
            await until(world, lambda: not set(world.states().values()) & OPEN, 2 * DAY, MINUTE)
            await asyncio.sleep(HOUR)  # what comes late comes now
            begun = world.now
            await asyncio.gather(*[one.stop() for one in self.workers])
            assert world.now - begun < 90, "it ends when it is asked to"
        for one in self.dead:
            await one.bury()
        self.check()

    def check(self) -> None:
        states, doubtful = self.world.states(), self.kinds & DOUBTFUL
        assert set(states) == set(self.drafts), "every recipient has a state"
        assert not self.world.database.execute("SELECT 1 FROM mw_delivery WHERE lease_by IS NOT NULL").fetchall()
        for to, state in states.items():
            taken = self.taken[to]
            assert taken or state != "sent", f"{to} is sent, and nobody took it"
            if to in self.touched:
                continue
            if to in self.holds:
                assert taken <= 1, f"{to} was taken {taken} times, with hold"
            if not doubtful:
                assert taken == (state == "sent"), f"{to} is {state}, and was taken {taken} times"


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that look for nothing every other second: the script can, and a life would take ten times as long."""
    monkeypatch.setattr(working, "LOOK", 30.0)
    monkeypatch.setattr(posting, "GLANCE", 5.0)


OPEN = {"queued", "deferred", "leased", "sending"}


@pytest.mark.parametrize("seed", range(20))
def test_a_life_ends_as_promised(tmp_path: Path, seed: int, unhurried: None) -> None:
    check_life(tmp_path, seed)


def check_life(folder: Path, seed: int) -> None:
    life = Life(folder, seed)
    try:
        life.world.run(life.story())
    except BaseException as problem:
        problem.add_note(f"seed {seed}: {sorted(life.kinds)}")
        raise
    finally:
        life.world.close()


@pytest.mark.drill
def test_many_lives_end_as_promised(tmp_path: Path, unhurried: None) -> None:
    for seed in range(1000, 4000):
        folder = tmp_path / str(seed)
        folder.mkdir()
        check_life(folder, seed)
