"""Rounds and medians: every row of the table once in each round, in turns, each in a database of its own."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import machine, sink
from bench.job import Missing
from bench.outbox import places

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 900  # seconds for one act

Say = Callable[[str], object]


@dataclass(frozen=True)
class Row:
    """What is measured: an act on an engine, with so many messages. `goals`: what is to be reached, by figure."""

    name: str
    title: str
    engine: str
    act: str
    count: int
    goals: dict[str, float] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    package: str = ""


ROWS = (
    Row("sqlite-put", "one for each commit", "sqlite", "put_one", 5_000, {"rate": 2_500}),
    Row("sqlite-callers", "64 threads, commits shared", "sqlite", "put_callers", 30_000, {"rate": 9_000, "p99": 25}),
    Row("sqlite-batches", "batches of 1,000", "sqlite", "put_batches", 60_000, {"rate": 30_000}),
    Row("sqlite-rendered", "the same, rendered from text", "sqlite", "put_batches", 60_000, {}, {"rendering": True}),
    Row("postgres-put", "16 connections of 16 threads, each in a transaction of its own", "postgres",
        "put_connections", 16_000, {"rate": 5_000}, {"processes": 1, "callers": 16}),
    Row("postgres-processes", "16 connections of 4 processes, each in a transaction of its own", "postgres",
        "put_connections", 16_000, {}, {"processes": 4, "callers": 4}),
    Row("postgres-callers", "16 threads of one process, commits shared", "postgres", "put_callers", 16_000, {},
        {"callers": 16}),
    Row("postgres-batches", "batches of 1,000", "postgres", "put_batches", 60_000, {"rate": 18_000}),
    Row("postgres-rendered", "the same, rendered from text", "postgres", "put_batches", 60_000, {},
        {"rendering": True}),
    Row("procrastinate-put", "one for each commit", "postgres", "procrastinate_put", 1_500, package="procrastinate"),
    Row("procrastinate-batches", "batches of 1,000", "postgres", "procrastinate_put", 10_000, {}, {"batch": 1_000},
        "procrastinate"),
    Row("celery-put", "one after the other", "redis", "celery_put", 1_500, package="celery"),
    Row("sqlite-drain", "drained without SMTP", "sqlite", "drain", 60_000, {"rate": 20_000}),
    Row("postgres-drain", "drained without SMTP", "postgres", "drain", 60_000, {"rate": 15_000}),
    Row("procrastinate-drain", "drained, its worker", "postgres", "procrastinate_drain", 2_000,
        package="procrastinate"),
    Row("celery-drain", "drained, its worker", "redis", "celery_drain", 3_000, package="celery"),
    Row("sqlite-smtp", "sent over SMTP, one worker", "sqlite", "smtp", 40_000, {"rate": 8_000}),
    Row("postgres-smtp", "sent over SMTP, one worker", "postgres", "smtp", 40_000),
    Row("sqlite-latency", "commit to claim", "sqlite", "latency", 150, {"p50": 5}),
    Row("postgres-latency", "commit to claim", "postgres", "latency", 150, {"p50": 2}),
    Row("sqlite-behind", "a claim behind so many rows of another", "sqlite", "behind", 1_000_000, {"p50": 5}),
    Row("postgres-behind", "a claim behind so many rows of another", "postgres", "behind", 1_000_000, {"p50": 5}),
)  # fmt: skip
SENDING = ("smtp", "latency")  # acts that send to the sink, and what arrives there is counted
PEERS = {"procrastinate-drain": ("sqlite-drain", "postgres-drain"), "celery-drain": ("sqlite-drain", "postgres-drain")}
TIMES = 15  # as many times as fast as the peers the outbox is to be drained


@dataclass(frozen=True)
class Measured:
    """The medians of a row's figures over its `runs`, the extremes of its rate, and how busy others kept the machine
    (processors, in the median). `apart` says when, if not together with the other rows.
    """

    name: str
    count: int
    runs: int
    figures: dict[str, float]
    least: float
    most: float
    others: float
    apart: str = ""

    @classmethod
    def of(cls, row: Row, count: int, runs: list[tuple[dict[str, float], float]]) -> Measured:
        """From what the runs found."""
        figures = {name: statistics.median(found[name] for found, _ in runs) for name in runs[0][0]}
        main = "rate" if "rate" in figures else "p50"
        every = [found[main] for found, _ in runs]
        return cls(row.name, count, len(runs), figures, min(every), max(every), statistics.median(o for _, o in runs))

    def to_json(self) -> dict[str, object]:
        """For outbox.json."""
        return asdict(self)


class Engines:
    """The servers of one run, each started when it is first wanted."""

    def __init__(self, stack: Any) -> None:
        self._stack = stack
        self._server: Any = None
        self._sink: sink.Sink | None = None

    @contextmanager
    def url(self, engine: str) -> Iterator[str]:
        """The address of an empty database."""
        if engine == "sqlite":
            with places.sqlite_url() as made:
                yield made
        elif engine == "redis":
            with places.redis_url() as made:
                yield made
        else:
            if self._server is None:
                self._server = self._stack.enter_context(places.postgres_server())
            made = self._server.database()
            try:
                yield self._server.local(made.rpartition("/")[2])
            finally:
                self._server.drop(made)
                self._server.run("CHECKPOINT")  # what one run wrote is not the next one's burden

    def processes(self) -> list[int]:
        """Of the servers that are ours."""
        found = [self._sink.process] if self._sink else []
        if self._server is not None:
            main = self._server.main_process()
            children = Path(f"/proc/{main}/task/{main}/children").read_text("ascii").split()
            found += [main, *map(int, children)]
        return found

    def sink(self) -> sink.Sink:
        """A server that takes everything, with CHUNKING."""
        if self._sink is None:
            self._sink = self._stack.enter_context(sink.running())
        return self._sink


def run(row: Row, engines: Engines, count: int) -> tuple[dict[str, float], float]:
    """One run: what it found, and how many processors others used. Raises `Missing`."""
    module = "bench.outbox.peers" if row.package else "bench.outbox.acts"
    if row.package:
        from bench.outbox.peers import missing

        missing(row.package)
    with engines.url(row.engine) as url:
        given: dict[str, Any] = {"url": url, "count": count, **row.more}
        before = None
        if row.act in SENDING:
            given["port"] = engines.sink().place.port
            before = engines.sink().count()
        watch = machine.Watch(())
        command = [sys.executable, "-m", module, row.act, json.dumps(given)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
        others = watch.others() if row.engine == "sqlite" and row.act not in SENDING else 0.0
        if done.returncode:
            raise Missing(f"{row.name} failed: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}")
        if before is not None:
            seen = engines.sink().count_after(count, before)
            if seen.messages != count:
                raise Missing(f"{row.name}: {seen.messages} of {count} messages arrived")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found, others


def measure(names: list[str], rounds: int, part: float, say: Say) -> tuple[list[Measured], dict[str, str]]:
    """The rows with these names; `part` of the usual counts. Gives what was left out, too, and why."""
    from contextlib import ExitStack

    rows = [row for row in ROWS if not names or row.name in names]
    runs: dict[str, list[tuple[dict[str, float], float]]] = {row.name: [] for row in rows}
    left_out: dict[str, str] = {}
    with ExitStack() as stack:
        engines = Engines(stack)
        for number in range(rounds):
            for row in rows[number % len(rows) :] + rows[: number % len(rows)]:
                if row.name in left_out:
                    continue
                count = _count(row, part)
                try:
                    found, others = run(row, engines, count)
                except (Missing, subprocess.TimeoutExpired) as problem:
                    left_out[row.name] = str(problem)
                    say(f"{row.name} is left out: {problem}")
                    continue
                runs[row.name].append((found, others))
                shown = ", ".join(f"{name} {figure:,.1f}" for name, figure in found.items())
                say(f"{number + 1}  {row.name:22} {shown}   load {machine.load():.1f}")
    return [Measured.of(row, _count(row, part), runs[row.name]) for row in rows if runs[row.name]], left_out


def _count(row: Row, part: float) -> int:
    return max(40, row.more.get("batch", 0), int(row.count * part))
