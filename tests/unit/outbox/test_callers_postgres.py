"""Many callers of one process on PostgreSQL: they share transactions, each is answered for its own, and who is killed
has lost nothing that was answered.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import psycopg
import pytest

from mailwright.errors import KeyReused, OutboxUnavailable
from mailwright.outbox import AsyncOutbox, Outbox, Put
from tests.servers.postgres import PostgresServer
from tests.unit.outbox.steps import CALLERS, message, states, total

REFUSING = "ALTER TABLE mw_delivery ADD CONSTRAINT nobody CHECK (rcpt <> 'nobody@example.net')"


def in_threads(count: int, act: Callable[[int], object]) -> None:
    gate = threading.Barrier(count)

    def work(n: int) -> None:
        gate.wait()
        act(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_share_transactions_and_each_is_told_of_its_own(postgres_url: str) -> None:
    fates: dict[tuple[int, int], object] = {}
    with Outbox(postgres_url) as outbox:
        outbox.suppress("eve@example.net", "bounced")
        first = outbox.put(message("taken"), key="taken")

        def put(n: int) -> None:
            for m in range(20):
                kind = (n + m) % 5
                key = "taken" if kind in (0, 1) else f"{n}/{m}" if kind == 2 else None
                to = "eve@example.net" if kind == 3 else ["bob@example.net", "eve@example.net"]
                text = message("taken") if kind == 1 else message(f"{n}/{m}", to)
                try:
                    fates[n, m] = outbox.put(text, key=key)
                except KeyReused as problem:
                    fates[n, m] = problem

        in_threads(16, put)
        assert len(fates) == 320
        for (n, m), fate in fates.items():
            kind = (n + m) % 5
            if kind == 0:
                assert isinstance(fate, KeyReused) and fate.id == first
            elif kind == 1:
                assert fate == first
            else:
                expected = ["suppressed"] if kind == 3 else ["queued", "suppressed"]
                assert states(outbox, str(fate)) == expected
        ids = [str(fate) for (n, m), fate in fates.items() if (n + m) % 5 >= 2]
        assert len(set(ids)) == len(ids) == 192


def test_what_was_prepared_is_found_again_among_others(postgres_url: str) -> None:
    """Statements of both kinds, on one connection, in any order, and after a rollback."""
    with Outbox(postgres_url) as outbox:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(REFUSING)
        count = 0
        for n in range(4):
            outbox.put(message(f"{n}"))
            outbox.put(message(f"{n}"), key=f"k{n}")
            outbox.put_many([message(f"{n}/{m}") for m in range(3)])
            with pytest.raises(OutboxUnavailable):
                outbox.put_many([message("a"), message("b", "nobody@example.net"), message("x" * 300_000)])
            with pytest.raises(OutboxUnavailable):
                outbox.put(message("c", "nobody@example.net"))
            outbox.put_many(
                [Put(message(f"{n}"), key=f"k{n}"), message(f"{n}", ["bob@example.net", "ann@example.net"])]
            )
            count += 7
        assert total(outbox) == count


def test_what_the_database_refuses_of_one_is_not_the_others_loss(postgres_url: str) -> None:
    with Outbox(postgres_url) as outbox:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(REFUSING)
        fates: list[str] = []

        def put(n: int) -> None:
            for m in range(10):
                to = "nobody@example.net" if (n, m % 5) == (3, 0) else "bob@example.net"
                try:
                    fates.append(outbox.put(message(f"{n}/{m}", to)))
                except OutboxUnavailable:
                    fates.append("refused")

        in_threads(16, put)
        assert len(fates) == 160 and fates.count("refused") == 2 and total(outbox) == 158


def test_tasks_share_transactions(postgres_url: str) -> None:
    async def main() -> None:
        async with AsyncOutbox(postgres_url) as outbox:
            async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as connection:
                await connection.execute(REFUSING)

            async def one_by_one(n: int) -> list[str]:
                return [await outbox.put(message(f"{n}/{m}")) for m in range(10)]

            found = await asyncio.gather(*[one_by_one(n) for n in range(30)])
            assert len({id for ids in found for id in ids}) == 300
            same = await asyncio.gather(*[outbox.put(message(), key="k") for _ in range(50)])
            assert len(set(same)) == 1
            letters = [message(f"{n}", "nobody@example.net" if n == 7 else "bob@example.net") for n in range(20)]
            mixed = await asyncio.gather(*[outbox.put(one) for one in letters], return_exceptions=True)
            assert [n for n, one in enumerate(mixed) if isinstance(one, OutboxUnavailable)] == [7]
            assert len([one async for one in outbox.find()]) == 320

    asyncio.run(main())


def test_who_waits_for_a_transaction_holds_up_nobody_else(postgres_url: str) -> None:
    """The key is another transaction's, which is not ended yet."""
    with Outbox(postgres_url) as outbox, psycopg.connect(postgres_url) as other:
        outbox.put(message("theirs"), key="k", connection=other)
        stuck = threading.Thread(target=lambda: ids.append(outbox.put(message("ours"), key="k")))
        ids: list[str] = []
        stuck.start()
        put: list[str] = []
        in_threads(8, lambda n: put.extend([outbox.put(message(f"{n}/{m}")) for m in range(5)]))
        assert len(put) == 40 and not ids
        other.rollback()
        stuck.join()
        assert states(outbox, *ids) == ["queued"] and total(outbox) == 41


def test_a_task_that_waits_for_a_transaction_holds_up_nobody_else(postgres_url: str) -> None:
    async def main() -> None:
        async with AsyncOutbox(postgres_url) as outbox:
            async with await psycopg.AsyncConnection.connect(postgres_url) as other:
                await outbox.put(message("theirs"), key="k", connection=other)
                stuck = asyncio.create_task(outbox.put(message("ours"), key="k"))
                await asyncio.sleep(0)
                for n in range(3):
                    assert len(await asyncio.gather(*[outbox.put(message(f"{n}/{m}")) for m in range(10)])) == 10
                assert not stuck.done()
                await other.rollback()
            await stuck
            assert len([one async for one in outbox.find()]) == 31

    asyncio.run(main())


def test_connections_that_are_cut_under_load_neither_lose_nor_double(
    postgres: PostgresServer, postgres_url: str
) -> None:
    name = postgres_url.rpartition("/")[2]
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
    put: list[str] = []
    unsure: list[OutboxUnavailable] = []  # cut once more while it was looked for
    with Outbox(postgres_url) as outbox:

        def work(n: int) -> None:
            for m in range(25):
                try:
                    put.append(outbox.put(message(f"{n}/{m}")))
                except OutboxUnavailable as problem:
                    unsure.append(problem)
                if n == 0 and m % 5 == 0:
                    postgres.run(cut)

        in_threads(8, work)
        found = {one.id for one in outbox.find()}
        assert set(put) <= found and len(set(put)) == len(put) == 200 - len(unsure) >= 180
        assert len(put) <= len(found) <= 200


# Killed at any moment


DYING = """
import itertools, os, signal, sys
from mailwright.outbox import Outbox
from mailwright.outbox.postgres.direct import Direct
url, begin, point, at = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
outbox, numbers, seen, ask = Outbox(url), itertools.count(begin), itertools.count(1), Direct.ask
def dying(self, statement, given):
    last = next(seen) == at
    if last and point == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    rows = yield from ask(self, statement, given)
    if last and point == "committed":
        os.kill(os.getpid(), signal.SIGKILL)
    return rows
Direct.ask = dying
"""


def test_what_was_answered_is_there_whenever_the_process_is_killed(postgres_url: str) -> None:
    acknowledged, begin = set[str](), 0
    moments = [("before", 1), ("committed", 1), ("before", 7), ("committed", 7), ("before", 60), ("committed", 60)]
    with Outbox(postgres_url) as outbox:
        for point, at in [*moments, ("from outside", 5), ("from outside", 150)]:
            command = [sys.executable, "-c", DYING + CALLERS, postgres_url, str(begin), point, str(at)]
            child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert child.stdout is not None
            if point == "from outside":
                acknowledged |= {child.stdout.readline().strip() for _ in range(at)}
                child.kill()
            acknowledged |= {line.strip() for line in child.stdout.read().splitlines(keepends=True) if line[-1] == "\n"}
            child.stdout.close()
            assert child.wait(60) == -signal.SIGKILL
            begin += 10_000
        found = [str(outbox.status(one.id).key) for one in outbox.find()]
        assert len(set(found)) == len(found) and acknowledged <= set(found)
        assert len(found) <= len(acknowledged) + 8 * (len(moments) + 2)
        assert {one.state.name for one in outbox.find()} == {"queued"}
