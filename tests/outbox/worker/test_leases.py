"""What a worker has in hand: rows whose lease ended, that were taken back, that expired, or that may kill it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mailwright.outbox.work import office, posting, working
from mailwright.outbox.work.worker import begun
from tests.outbox.worker.place import SOON, Place
from tests.outbox.worker.scripted import CLOSE, Hook, Scripted

SUSPECTED = "UPDATE mw_delivery SET deaths = 2 WHERE rcpt LIKE 'suspect%'"
PIPELINED = ("PIPELINING",)
CHUNKED = ("PIPELINING", "CHUNKING")


async def until(true: Any, seconds: float = 20.0) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.002)


async def ordinary(verb: str, line: bytes) -> bytes | None:
    return None


def play(place: Place, hook: Hook, meanwhile: Any, *features: str, **options: Any) -> tuple[Any, Scripted]:
    """A worker and its server, and what happens meanwhile: `meanwhile(worker, server)`."""

    async def all_of_it() -> tuple[Any, Scripted]:
        async with Scripted(hook, *features) as server:
            options.setdefault("retries", SOON)
            worker = await begun(place.outbox.database, server.url, tell=place.events.append, grace=20.0, **options)
            running = asyncio.ensure_future(worker.run())
            try:
                await meanwhile(worker, server)
            finally:
                if not worker.stopping.is_set():
                    worker.stop()
                done = await running
            return done, server

    return asyncio.run(all_of_it())


# Its own rows, when their leases ended.


@pytest.mark.parametrize("stage", ["the result can't be written", "the reply is still to come"])
@pytest.mark.parametrize("in_doubt", ["retry", "hold"])
def test_a_worker_does_not_claim_what_it_has_in_hand(
    timed: Place, monkeypatch: pytest.MonkeyPatch, in_doubt: str, stage: str
) -> None:
    monkeypatch.setattr(working, "LOOK", 0.02)
    may_answer = asyncio.Event()
    unwritten = stage.startswith("the result")
    timed.put("bob@example.net", in_doubt=in_doubt)
    if unwritten:
        may_answer.set()
        timed.sql("CREATE TRIGGER away BEFORE INSERT ON mw_outcome WHEN NEW.rcpt LIKE 'bob%' "
                  "BEGIN SELECT RAISE(ABORT, 'away'); END")  # fmt: skip

    async def hook(verb: str, line: bytes) -> bytes | None:
        if verb == "END":
            await may_answer.wait()
        return None

    async def meanwhile(worker: Any, server: Scripted) -> None:
        await until(lambda: timed.told("database") if unwritten else server.tries)
        await until(lambda: in_doubt == "retry" or timed.states() == {"bob@example.net": "sending"})
        timed.set_time(4.5)  # less than what is taken for a jump, more than the lease
        may_answer.set()
        for number in range(5):
            address = f"kim{number}@example.net"
            timed.put(address)
            await until(lambda address=address: [address] in server.taken)
        if unwritten:
            assert timed.states()["bob@example.net"] in ("leased", "sending")
            timed.sql("DROP TRIGGER away")
        await until(lambda: set(timed.states().values()) == {"sent"})

    done, server = play(timed, hook, meanwhile, lease=4.0, renew=2.0)
    assert (done.sent, done.fenced) == (6, 0)
    assert server.taken.count(["bob@example.net"]) == 1


@pytest.mark.parametrize(  # a small one leaves with its envelope where that is offered
    ("features", "size"),
    [((), "small"), ((), "large"), (PIPELINED, "small"), (PIPELINED, "large"), (CHUNKED, "large")],
)
def test_the_last_octets_do_not_leave_behind_the_end_of_the_lease(
    place: Place, features: tuple[str, ...], size: str
) -> None:
    """Another worker has the row by the time that the server wants the content."""
    late, went_on = asyncio.Event(), asyncio.Event()

    async def hook(verb: str, line: bytes) -> bytes | None:
        if verb in ("DATA", "BDAT") and not late.is_set():
            late.set()
            await went_on.wait()
        return None

    lines = 5 if size == "small" else 300_000 if features == CHUNKED else 20_000  # more than fits between the two
    place.put("bob@example.net", text=("x" * 70 + "\r\n") * lines)

    async def meanwhile(worker: Any, server: Scripted) -> None:
        await until(late.is_set)
        place.sql("UPDATE mw_delivery SET claims = claims + 1, lease_by = x'bb'")
        await worker.hands.renew()
        went_on.set()
        await until(lambda: place.told("fenced"))

    done, server = play(place, hook, meanwhile, *features)
    assert (done.sent, done.fenced, server.taken) == (0, 1, [])
    assert place.states() == {"bob@example.net": "leased"}


# Suspects.


@pytest.mark.parametrize("hangs", ["MAIL", "DATA", "END"])
def test_what_a_suspect_waits_for_holds_up_nobody_else(place: Place, hangs: str) -> None:
    others_went = asyncio.Event()
    place.put("suspect@example.net")
    place.sql(SUSPECTED)
    for number in range(20):
        place.put(f"bob{number}@example.net", in_doubt="hold" if number % 2 else "retry", lane="urgent")
    suspicious: list[int] = []

    async def hook(verb: str, line: bytes) -> bytes | None:
        phases = place.sql("SELECT phase FROM mw_delivery WHERE rcpt LIKE 'suspect%'")
        if verb == hangs and phases == [(3,)] and not suspicious:
            suspicious.append(1)
            await others_went.wait()
        return None

    async def meanwhile(worker: Any, server: Scripted) -> None:
        await until(lambda: sum(to != ["suspect@example.net"] for to in server.taken) >= 15)
        others_went.set()
        await until(lambda: set(place.states().values()) == {"sent"})

    done, server = play(place, hook, meanwhile)
    assert done.sent == len(server.taken) == 21


@pytest.mark.parametrize("concurrency", [1, 2, 4])
def test_suspects_go_one_at_a_time_and_others_beside_them(place: Place, concurrency: int) -> None:
    for number in range(40):
        place.put(f"suspect{number}@example.net", account="news" if number % 2 else "default")
    place.sql(SUSPECTED)
    marked: list[int] = []

    async def hook(verb: str, line: bytes) -> bytes | None:
        if verb in ("RCPT", "END"):
            marked.append(place.sql("SELECT count(*) FROM mw_delivery WHERE phase = 3")[0][0])
        return None

    async def all_of_it() -> Any:
        async with Scripted(hook) as server:
            for number in range(20):
                place.put(f"bob{number}@example.net", lane="urgent")
            accounts = {"default": server.url, "news": server.url}
            worker = await begun(place.outbox.database, accounts, retries=SOON, concurrency=concurrency)
            return await worker.run(once=True), server

    done, server = asyncio.run(all_of_it())
    assert done.sent == len(server.taken) == 60
    assert max(marked) == 1
    before = server.taken.index(next(to for to in server.taken if to[0].startswith("bob")))
    assert before < 20, "the others do not wait for all suspects"
    assert place.sql("SELECT count(*) FROM mw_delivery") == [(0,)]


def test_suspects_that_wait_are_given_back_at_the_end(place: Place) -> None:
    for number in range(5):
        place.put(f"suspect{number}@example.net")
    place.sql(SUSPECTED)
    stopped = asyncio.Event()

    async def hook(verb: str, line: bytes) -> bytes | None:
        if verb == "RCPT":
            await stopped.wait()
        return None

    async def meanwhile(worker: Any, server: Scripted) -> None:
        await until(lambda: server.tries)
        worker.stop()
        stopped.set()

    done, server = play(place, hook, meanwhile)
    assert (done.sent, len(server.taken)) == (1, 1)
    assert sorted(place.states().values()) == ["queued"] * 4 + ["sent"]
    assert place.sql("SELECT DISTINCT deaths FROM mw_delivery") == [(2,)]


# Taken back, or expired, while it waits in hand.


@pytest.mark.parametrize("kind", ["retry", "hold", "suspect"])
def test_cancel_and_expiry_reach_what_waits_in_hand(timed: Place, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(office, "GLANCE", 0.05)
    monkeypatch.setattr(posting, "GLANCE", 0.02)
    goes_on, held_up = asyncio.Event(), asyncio.Event()
    options = {"in_doubt": "hold" if kind == "hold" else "retry"}
    now = timed.sql("SELECT at FROM test_clock")[0][0] / 1000
    for name in ("suspect-first", "suspect-kept"):
        timed.put(f"{name}@example.net", **options)
    cancelled = timed.put("suspect-cancelled@example.net", **options)
    partly = timed.put("suspect-out@example.net", "suspect-in@example.net", **options)
    timed.put("suspect-late@example.net", expires=now + 3.0, **options)
    if kind == "suspect":
        timed.sql(SUSPECTED)

    async def hook(verb: str, line: bytes) -> bytes | None:
        if verb == "RCPT" and not held_up.is_set():
            held_up.set()
            await goes_on.wait()
        return None

    async def meanwhile(worker: Any, server: Scripted) -> None:
        await until(held_up.is_set)
        assert set(timed.states().values()) <= {"leased", "sending"}
        assert timed.outbox.cancel(cancelled) == 1
        assert timed.outbox.cancel(partly, recipient="suspect-out@example.net") == 1
        timed.set_time(4.0)
        await asyncio.sleep(0.5)  # there are several looks meanwhile
        goes_on.set()
        for _ in range(1000):
            timed.set_time(0.02)  # this clock goes on for nobody else
            await asyncio.sleep(0.01)
            if not timed.sql("SELECT 1 FROM mw_delivery"):
                return

    _, server = play(timed, hook, meanwhile, concurrency=1, window=1)
    assert timed.states() == {
        "suspect-first@example.net": "sent", "suspect-kept@example.net": "sent", "suspect-in@example.net": "sent",
        "suspect-cancelled@example.net": "cancelled", "suspect-out@example.net": "cancelled",
        "suspect-late@example.net": "expired",
    }  # fmt: skip
    gone = {address for to in server.taken for address in to}
    assert gone == {"suspect-first@example.net", "suspect-kept@example.net", "suspect-in@example.net"}
    assert len(server.taken) == 3


# What is said of it.


@pytest.mark.parametrize("features", [(), PIPELINED])
@pytest.mark.parametrize("in_doubt", ["retry", "hold"])
def test_a_yes_to_the_recipient_is_no_answer_to_the_message(
    place: Place, in_doubt: str, features: tuple[str, ...]
) -> None:
    """The connection ends at DATA, after RCPT had its 250."""
    ended: list[str] = []

    async def hook(verb: str, line: bytes) -> bytes | None:
        if verb == "DATA" and len(ended) < 4:
            ended.append(verb)
            return CLOSE
        return None

    place.put("bob@example.net", in_doubt=in_doubt)

    async def meanwhile(worker: Any, server: Scripted) -> None:
        await until(lambda: place.told("result"))
        (one,) = worker.offices.values()
        if place.told("result")[0].state == "deferred":
            assert not one.schedule.ways["example.net"].stopped
            assert one.schedule.whole._taken == 0, "nothing was taken"

    play(place, hook, meanwhile, *features)
    first = place.told("result")[0]
    assert (first.state, first.code) == ("deferred", 0)
    assert "before the content (DATA)" in first.text and "250 ok" not in first.text


@pytest.mark.parametrize("in_doubt", ["retry", "hold"])
def test_a_damaged_row_does_not_end_the_worker_of_a_server_without_extensions(place: Place, in_doubt: str) -> None:
    place.put("bob@example.net", text=("x" * 70 + "\r\n") * 12_000, in_doubt=in_doubt)
    place.sql("DELETE FROM mw_chunk WHERE place = 2")
    place.put("kim@example.net")

    async def meanwhile(worker: Any, server: Scripted) -> None:
        await until(lambda: len(place.told("result")) == 2)

    _, server = play(place, ordinary, meanwhile, concurrency=1)
    assert place.states() == {"bob@example.net": "held", "kim@example.net": "sent"}
    assert server.taken == [["kim@example.net"]]
