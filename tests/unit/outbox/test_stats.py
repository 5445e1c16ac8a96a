"""What is told of each destination, how old its oldest message is and how fast it goes, and who has a row; with either
engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailwright import Message
from mailwright.outbox import Outbox, Put, stats
from mailwright.outbox.asking import Query
from mailwright.outbox.rows import Result
from mailwright.outbox.states import FAILED, SENT

WORKER = bytes(16)


@pytest.fixture(params=["sqlite", "postgres"])
def outbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outbox]:
    where = f"sqlite:///{tmp_path}/mail.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with Outbox(where) as opened:
        yield opened


def put(outbox: Outbox, *to: str, held: bool = False) -> str:
    (id,) = outbox.put_many([Put(Message("ada@example.org", list(to), "News", "…"), held=held)])
    return id


def end(outbox: Outbox, domain: str, count: int, state: object = SENT) -> None:
    store = outbox.database.store
    rows = outbox.database.write(lambda: store.claim(WORKER, "default", 1, {domain: count}, 60.0))
    assert len(rows) == count
    results = [Result(row.id, row.n, row.claims, state, 250, "") for row in rows]  # type: ignore[arg-type]
    outbox.database.write(lambda: store.settle(WORKER, results))


def asked(outbox: Outbox, statement: str, given: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    async def plan() -> list[tuple[Any, ...]]:
        return await Query(outbox.store.dialect.words(statement), given or {})

    return outbox.database.write(plan)


def test_each_destination_has_its_age_and_its_rate(outbox: Outbox) -> None:
    for n in range(6):
        put(outbox, f"r{n}@example.net")
    put(outbox, "eve@example.com", held=True)
    end(outbox, "example.net", 3)
    end(outbox, "example.net", 1, FAILED)
    put(outbox, "a@example.edu", "b@example.edu")
    first, second, third = outbox.stats().waiting
    assert [one.destination for one in (first, second, third)] == ["example.edu", "example.net", "example.com"]
    assert (second.open, second.rate, second.failures) == (2, 3 / 300, 1 / 300)
    assert (first.rate, first.failures) == (third.rate, third.failures) == (0, 0)
    assert second.oldest is not None and first.oldest is not None and 0 <= first.oldest <= second.oldest < 300
    assert third.oldest is None  # what is held waits for somebody, and not for the way


def test_the_age_is_that_of_the_oldest_open_one_of_the_destination(outbox: Outbox) -> None:
    put(outbox, "old@example.com")
    put(outbox, "new@example.net")
    # As if it had been put 100 s earlier: the id begins with that time.
    at = int(next(outbox.find(domain="example.com")).id.replace("-", "")[:12], 16) - 100_000
    digits = f"{at:012x}7000800000000000000000"[:32]
    octets = f"x'{digits}'" if outbox.store.dialect.name == "sqlite" else f"decode('{digits}', 'hex')"
    asked(outbox, f"UPDATE mw_delivery SET message_id = {octets} WHERE dest = 'example.com'")
    ages = {one.destination: one.oldest or 0 for one in outbox.stats().waiting}
    assert 100 <= ages["example.com"] < 400 and ages["example.net"] < 100


def test_old_results_count_no_more(outbox: Outbox) -> None:
    put(outbox, "a@example.net", "b@example.net")
    end(outbox, "example.net", 1)
    asked(outbox, "UPDATE mw_outcome SET at = {now} - 301000")
    (one,) = outbox.stats().waiting
    assert (one.open, one.rate) == (1, 0)


def test_a_great_rate_is_told_of_the_newest(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    put(outbox, *[f"r{n}@example.net" for n in range(11)])
    end(outbox, "example.net", 10)
    asked(outbox, "UPDATE mw_outcome SET at = {now} - CASE WHEN n < 5 THEN 200000 ELSE 10000 END")
    assert outbox.stats().waiting[0].rate == 10 / 300
    monkeypatch.setattr(stats, "SAMPLE", 5)
    assert 5 / 30 < outbox.stats().waiting[0].rate <= 5 / 10


def test_each_destination_has_its_latency(outbox: Outbox) -> None:
    """Of those that were sent; whether anything waits for the destination or not."""
    put(outbox, *[f"r{n}@example.net" for n in range(20)], "late@example.net")
    put(outbox, "eve@example.com", "kim@example.com", "bob@example.edu", "liz@example.org")
    end(outbox, "example.net", 20)
    end(outbox, "example.com", 1)
    end(outbox, "example.com", 1, FAILED)
    end(outbox, "example.edu", 1, FAILED)
    # As if the n-th had taken n seconds, and failures an hour.
    asked(outbox, "UPDATE mw_message SET created_at = {now} - 200000")
    asked(outbox, "UPDATE mw_outcome SET at = (SELECT m.created_at FROM mw_message m WHERE m.id = mw_outcome.message_id) + "
          "CASE WHEN state = 11 THEN 190000 ELSE 1000 * (n + 1) END")  # fmt: skip
    told = outbox.stats()
    assert [(one.destination, one.rate, one.failures, one.median, one.slow) for one in told.reached] == [
        ("example.net", 20 / 300, 0, 11.0, 20.0), ("example.com", 1 / 300, 1 / 300, 1.0, 1.0),
        ("example.edu", 0, 1 / 300, None, None),
    ]  # fmt: skip
    assert [(one.destination, one.rate, one.median, one.slow) for one in told.waiting] == [
        ("example.net", 20 / 300, 11.0, 20.0), ("example.org", 0, None, None),
    ]  # fmt: skip


def test_the_latency_is_that_of_the_newest(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, so many are read."""
    put(outbox, *[f"r{n}@example.net" for n in range(9)])
    end(outbox, "example.net", 9)
    asked(outbox, "UPDATE mw_message SET created_at = {now} - 200000")
    asked(outbox, "UPDATE mw_outcome SET at = (SELECT m.created_at FROM mw_message m WHERE m.id = mw_outcome.message_id) + "
          "1000 * (n + 1)")  # fmt: skip
    assert outbox.stats().reached[0].median == 5.0
    monkeypatch.setattr(stats, "TIMED", 3)
    assert (outbox.stats().reached[0].median, outbox.stats().reached[0].slow) == (8.0, 9.0)
    asked(outbox, "DELETE FROM mw_message")  # as `prune` does it
    assert (outbox.stats().reached[0].rate, outbox.stats().reached[0].median) == (9 / 300, None)


@pytest.mark.parametrize("name", ["newest_outcomes", "newest_latencies"])
def test_the_newest_are_found_by_an_index(outbox: Outbox, name: str) -> None:
    statement = outbox.store.sql[name]
    given = {"span": 300_000, "most": 20_000}
    if outbox.store.dialect.name == "sqlite":
        plan = " ".join(row[3] for row in asked(outbox, f"EXPLAIN QUERY PLAN {statement}", given))
    else:

        async def explained() -> str:
            await Query("SET LOCAL enable_seqscan = off", {})
            return " ".join(row[0] for row in await Query(f"EXPLAIN {statement}", given))

        plan = outbox.database.write(explained)
    assert re.search("mw_outcome_at", plan), plan


def test_who_has_a_row_is_known_with_the_host_while_he_has_it(outbox: Outbox) -> None:
    id = put(outbox, "a@example.net", "b@example.net")
    store, worker = outbox.database.store, bytes(15) + b"\x07"
    (row,) = outbox.database.write(lambda: store.claim(worker, "default", 1, {"example.net": 1}, 60.0))
    name = "00000000-0000-0000-0000-000000000007"
    assert sorted((one.worker, one.host) for one in outbox.status(id).deliveries) == [("", ""), (name, "")]
    asked(outbox, store.sql["seen_worker"], {"worker": worker, "host": "mail-2\x1b[2J", "version": "1"})
    assert [(one.worker, one.host) for one in outbox.find(state="leased")] == [(name, "mail-2\\x1b[2J")]
    outbox.database.write(lambda: store.settle(worker, [Result(row.id, row.n, row.claims, SENT, 250, "")]))
    assert [(one.worker, one.host) for one in outbox.status(id).deliveries] == [("", "")] * 2
