"""What is timed. Each act runs in a process of its own and prints what it found as JSON:

python -m bench.outbox.acts put_one '{"url": "sqlite:///mail.db", "count": 5000}'
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mailwright import Message
from mailwright.message.content import Content
from mailwright.options import Envelope
from mailwright.outbox.asking import Query
from mailwright.outbox.outbox import Outbox
from mailwright.outbox.rows import NORMAL, Claimed, Result
from mailwright.outbox.states import SENT

SIZE = 4000  # octets of a message's text; with its header 4.3 kB
DESTINATIONS = 200
WORKER = bytes(range(16))
REPLY = "2.0.0 Ok: queued as 4bYcXq2Wn1z9sT"
LEASE = 120.0
WARM = 10  # puts of a new connection before it is timed with others

Found = dict[str, float]


def destinations(count: int) -> list[str]:
    """So many domains out of 200, in a Zipf mix: the n-th is named in proportion to 1/n. The same every time."""
    names = [f"d{n:03}.example" for n in range(DESTINATIONS)]
    return random.Random(7).choices(names, [1 / (n + 1) for n in range(DESTINATIONS)], k=count)


def letters(count: int) -> list[tuple[Envelope, Content]]:
    """Finished messages: the octets that go out, and for whom."""
    return [(one.envelope(), one.render()) for one in unwritten(count)]


def unwritten(count: int) -> list[Message]:
    """Messages that were not rendered yet: to render them is part of putting them."""
    text = "".join(f"Line {n:04} of a message that somebody wrote, or a program.\n" for n in range(SIZE // 58))
    return [
        Message("ada@example.org", f"user{n}@{domain}", f"Receipt {n}", f"{n}\n{text}")
        for n, domain in enumerate(destinations(count))
    ]


def timed(act: Callable[[], object], count: int) -> Found:
    """Messages a second, and microseconds of this process's processor time for each."""
    begun, used = time.perf_counter(), time.process_time()
    act()
    return {
        "rate": count / (time.perf_counter() - begun),
        "cpu": (time.process_time() - used) / count * 1e6,
    }


def share(values: list[float], part: float) -> float:
    """The value below which that part of them is."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


# In


def put_one(url: str, count: int) -> Found:
    """One caller, one message in a commit."""
    made = letters(count)
    with Outbox(url) as outbox:
        return timed(lambda: [outbox.put(one) for one in made], count)


def put_callers(url: str, count: int, callers: int = 64) -> Found:
    """Many threads that put one message each at a time, through one outbox."""
    made = letters(count)
    waits: list[list[float]] = [[] for _ in range(callers)]
    with Outbox(url) as outbox:

        def call(place: int) -> None:
            for one in made[place::callers]:
                begun = time.perf_counter()
                outbox.put(one)
                waits[place].append(time.perf_counter() - begun)

        def run() -> None:
            threads = [threading.Thread(target=call, args=(place,)) for place in range(callers)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        found = timed(run, count)
    every = [wait for part in waits for wait in part]
    return {**found, "p50": share(every, 0.5) * 1000, "p99": share(every, 0.99) * 1000}


def put_connections(url: str, count: int, processes: int, callers: int) -> Found:
    """Connections that commit one message each at a time, in a transaction of its own: processes with threads, each
    with an outbox and so a connection of its own. Nothing is put together before it comes to the database. The first
    puts of each connection, for which the database makes its plans, are not timed.
    """
    part = count // processes
    command = [
        sys.executable,
        "-m",
        "bench.outbox.acts",
        "_connections",
        json.dumps({"url": url, "count": part, "callers": callers}),
    ]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for one in started:
        assert one.stdout is not None and one.stdout.readline() == "ready\n"
    begun = time.monotonic()
    for one in started:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [json.loads(one.communicate()[0].splitlines()[-1]) for one in started]
    taken = max(one["ended"] for one in said) - begun  # the end of a process is no part of it
    return {"rate": part * processes / taken, "cpu": statistics.mean(one["cpu"] for one in said)}


def _connections(url: str, count: int, callers: int) -> Found:
    made = letters(count)
    outboxes = [Outbox(url) for _ in range(callers)]
    for outbox in outboxes:
        for one in letters(WARM):
            outbox.put(one)
    threads = [
        threading.Thread(target=lambda place=place: [outboxes[place].put(one) for one in made[place::callers]])
        for place in range(callers)
    ]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()

    def run() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    found = timed(run, count) | {"ended": time.monotonic()}
    for outbox in outboxes:
        outbox.close()
    return found


def put_batches(url: str, count: int, rendering: bool = False) -> Found:
    """put_many, which commits a thousand at a time; with `rendering` it renders them too."""
    made = unwritten(count) if rendering else letters(count)
    with Outbox(url) as outbox:
        return timed(lambda: outbox.put_many(made), count)


# Out


async def desk_at(outbox: Outbox) -> Any:
    """A worker's desk in the outbox's database."""
    if outbox.store.dialect.name == "sqlite":
        from mailwright.outbox.sqlite.desk import SqliteDesk

        return SqliteDesk(outbox.database.place, outbox.store)
    from mailwright.outbox.postgres.desk import desk_of

    return await desk_of(outbox.database)  # type: ignore[arg-type]


class Drain:
    """One worker that claims rows, reads their contents, and writes the result that a server would have given."""

    def __init__(self, desk: Any, rows: int = 500) -> None:
        self.desk, self.rows, self.done = desk, rows, 0

    async def run(self) -> None:
        """Until there is nothing. While a batch's results are written the next is claimed, as a worker does it."""
        store, settling = self.desk.store, None
        while True:
            domains = await self.desk.read(lambda: store.destinations("default", NORMAL))
            if not domains:
                break
            for budgets in self._portions(domains):
                rows = await self.desk.write(
                    lambda budgets=budgets: store.claim(WORKER, "default", NORMAL, budgets, LEASE)
                )
                if settling is not None:
                    await settling
                settling = asyncio.ensure_future(self._settle(rows))
                await asyncio.sleep(0)
        if settling is not None:
            await settling

    def _portions(self, domains: list[str]) -> Iterator[dict[str, int]]:
        """Twenty destinations at a time, 25 rows of each, so that none waits for another."""
        for start in range(0, len(domains), 20):
            part = domains[start : start + 20]
            yield dict.fromkeys(part, max(1, self.rows // len(part)))

    async def _settle(self, rows: list[Claimed]) -> None:
        if not rows:
            return
        assert all(len(row.head) == row.size for row in rows)
        results = [Result(row.id, row.n, row.claims, SENT, 250, REPLY) for row in rows]
        counted = await self.desk.write(lambda: self.desk.store.settle(WORKER, results))
        assert counted == len(rows)
        self.done += counted


def drain(url: str, count: int) -> Found:
    """Put them, and then time one worker without SMTP."""
    with Outbox(url) as outbox:
        outbox.put_many(letters(count))

        async def play() -> Found:
            desk = await desk_at(outbox)
            worker = Drain(desk)
            begun, used = time.perf_counter(), time.process_time()
            await worker.run()
            taken, cpu = time.perf_counter() - begun, time.process_time() - used
            await desk.close()
            assert worker.done == count, (worker.done, count)
            return {"rate": count / taken, "cpu": cpu / count * 1e6}

        return asyncio.run(play())


def smtp(url: str, count: int, port: int) -> Found:
    """Put them, and then time one worker with SMTP to a server on loopback."""
    from mailwright import Server
    from mailwright.outbox.work.worker import work

    with Outbox(url) as outbox:
        outbox.put_many(letters(count))
        server = Server("127.0.0.1", port, security="none")
        done: list[Any] = []
        return timed(lambda: done.append(work(outbox.database, server, once=True)), count) | {"sent": done[0].sent}


def latency(url: str, count: int, port: int) -> Found:
    """From the commit in one process to the hands of a worker in another, one message at a time. The worker is the real
    one, and sends over SMTP to a server on loopback what it has claimed.
    """
    from mailwright import Server
    from mailwright.outbox.work.worker import begun

    claimed: list[float] = []
    done: list[float] = []

    async def play() -> None:
        come = asyncio.Event()
        worker = await begun(outbox.database, Server("127.0.0.1", port, security="none"))
        take = worker.hands.take

        def taking(rows: Iterable[Claimed], *given: Any) -> None:
            rows = list(rows)
            claimed.extend([time.monotonic()] * len(rows))
            come.set()
            take(rows, *given)

        worker.hands.take = taking  # type: ignore[method-assign]
        working = asyncio.ensure_future(worker.run())
        command = [sys.executable, "-m", "bench.outbox.acts", "_putter", json.dumps({"url": url, "count": count})]
        putter = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert putter.stdin is not None and putter.stdout is not None
        for number in range(count):
            await asyncio.sleep(0.1)  # the worker sleeps again
            putter.stdin.write(b"\n")
            while len(claimed) <= number:
                await come.wait()
                come.clear()
        done.extend(json.loads(await putter.stdout.read())["done"])
        await putter.wait()
        while worker.hands.held:
            await asyncio.sleep(0.01)
        worker.stop()
        await working

    with Outbox(url) as outbox:
        asyncio.run(play())
    waits = [one - other for one, other in zip(claimed, done, strict=True)]
    return {"p50": share(waits, 0.5) * 1000, "p95": share(waits, 0.95) * 1000}


def _putter(url: str, count: int) -> dict[str, list[float]]:
    """When each put was done. It is said at the end: the worker has nothing else to do than its work."""
    made = letters(count)
    done = []
    with Outbox(url) as outbox:
        for one in made:
            sys.stdin.readline()
            outbox.put(one)
            done.append(time.monotonic())
    return {"done": done}


def behind(url: str, count: int) -> Found:
    """A million rows of one destination that gets no more now, and a claim of 100 rows for 200 others."""
    with Outbox(url) as outbox:
        outbox.database.write(lambda: _crowd(outbox, count))
        outbox.put_many(letters(20_000))

        async def play() -> list[float]:
            desk = await desk_at(outbox)
            store = desk.store
            waits = []
            after = ""
            for _ in range(100):
                begun = time.perf_counter()
                domains = await desk.read(lambda after=after: store.destinations("default", NORMAL, after, 21))
                after = domains[-1] if len(domains) == 21 else ""
                free = {domain: 5 for domain in domains if domain != "crowd.example"}
                rows = await desk.write(lambda free=free: store.claim(WORKER, "default", NORMAL, free, LEASE))
                waits.append(time.perf_counter() - begun)
                results = [Result(row.id, row.n, row.claims, SENT, 250, REPLY) for row in rows]
                await desk.write(lambda results=results: store.settle(WORKER, results))
            await desk.close()
            return waits

        waits = asyncio.run(play())
    return {"p50": share(waits, 0.5) * 1000, "p95": share(waits, 0.95) * 1000, "most": max(waits) * 1000}


# Many machines


def host(urls: list[str], number: int, log: str, lease: float) -> Found:
    """One host's worker on all these databases at once, until nothing is left in them. What it takes from a claim is
    written to `log` before its result is, as mail would be gone before. Rows of a host that died come back when their
    leases end.
    """
    me = bytes([number]) * 16
    waits: list[float] = []
    counts = {"rows": 0, "fenced": 0}

    async def one(url: str, out: Any) -> None:
        from mailwright.outbox.postgres import AsyncPostgresDatabase
        from mailwright.outbox.postgres.desk import desk_of

        database = AsyncPostgresDatabase(url)
        desk = await desk_of(database)
        store, settling = desk.store, None

        async def settle(rows: list[Claimed]) -> None:
            out.write("".join([f"{row.id.hex()}/{row.n} {row.claims}\n" for row in rows]))
            out.flush()
            results = [Result(row.id, row.n, row.claims, SENT, 250, REPLY) for row in rows]
            counted = await desk.write(lambda: store.settle(me, results))
            counts["rows"] += counted
            counts["fenced"] += len(rows) - counted

        turn = random.Random(number)
        while domains := await desk.read(lambda: store.destinations("default", NORMAL)):
            turn.shuffle(domains)  # so that hosts do not all begin with the same
            got = 0
            for start in range(0, len(domains), 20):
                free = dict.fromkeys(domains[start : start + 20], 25)
                begun = time.perf_counter()
                rows = await desk.write(lambda free=free: store.claim(me, "default", NORMAL, free, lease))  # type: ignore[misc]
                waits.append(time.perf_counter() - begun)
                if settling is not None:
                    await settling
                settling = asyncio.ensure_future(settle(rows)) if rows else None
                got += len(rows)
                await asyncio.sleep(0)
            if settling is not None:
                await settling
                settling = None
            if not got:
                await asyncio.sleep(0.1)  # what is left is another host's
        await desk.close()
        await database.close()

    async def play() -> None:
        with open(log, "w", encoding="ascii") as out:
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.readline)
            await asyncio.gather(*[one(url, out) for url in urls])

    asyncio.run(play())
    return {**counts, "p50": share(waits, 0.5) * 1000, "p95": share(waits, 0.95) * 1000} if waits else {**counts}


async def _crowd(outbox: Outbox, count: int) -> None:
    """Rows that are due, of a destination that is walked past; without contents, for nobody reads them."""
    columns = "(message_id, n, rcpt, account, lane, dest, due_at, phase)"
    if outbox.store.dialect.name == "sqlite":
        numbers = f"WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < {count})"
        id, source = "randomblob(16)", "g"
    else:
        numbers, id, source = "", "decode(md5(i::text), 'hex')", f"generate_series(1, {count}) g(i)"
    now = (await Query(outbox.store.sql["now"], {}))[0][0]
    await Query(
        f"{numbers} INSERT INTO mw_delivery {columns} SELECT {id}, 0, 'u' || i || '@crowd.example', 'default', 1, "
        f"'crowd.example', {now - 60_000}, 0 FROM {source}",
        {},
    )


if __name__ == "__main__":
    name, given = sys.argv[1:]
    sys.stdout.write(json.dumps(globals()[name](**json.loads(given))) + "\n")
