"""The server of a workload, and one run of a sender against it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import corpus, delay, sink
from bench.job import Missing
from bench.machine import Watch
from bench.place import Place
from bench.running import Failed, Result, measure
from bench.workloads import Workload, least_octets

LARGE = 100_000_000  # octets of a file that is not kept for the next time
NOWHERE = Place("127.0.0.1", 9)  # for what sends nothing


@dataclass(frozen=True)
class Run:
    """One run: its result, the processors that others used meanwhile, and the TLS sessions that were resumed."""

    result: Result
    others: float
    resumed: int = 0


class Stage:
    """A server at its place. What the senders find there is counted after each run."""

    def __init__(self, workload: Workload, place: Place, server: sink.Sink | None, processes: list[int]) -> None:
        self.workload, self.place = workload, place
        self._server, self._processes = server, processes

    def run(self, sender: str, messages: int, file: Path | None = None, sample: Path | None = None) -> Run:
        """Let `sender` do the act once. Raises `Missing`, and `Failed` if a message was lost or invented."""
        workload = self.workload
        before = self._server.count() if self._server else sink.Count()
        watch = Watch(self._processes)
        result = measure(
            sender, workload.act, self.place, messages,
            connections=workload.connections, recipients=workload.recipients, from_open=workload.from_open,
            file=file, sample=sample,
        )  # fmt: skip
        others = watch.others()
        if self._server is None:
            return Run(result, others)
        seen = self._server.count_after(messages, before)
        self._look_at(seen, messages, file)
        return Run(result, others, seen.resumed)

    def _look_at(self, seen: sink.Count, messages: int, file: Path | None) -> None:
        workload = self.workload
        recipients = messages * workload.recipients
        if seen.recipients != recipients or (workload.recipients == 1 and seen.messages != messages):
            came = f"{seen.messages} messages for {seen.recipients} recipients"
            raise Failed(f"{came} arrived, instead of {messages} for {recipients}")
        least = file.stat().st_size * 4 // 3 if file else least_octets(workload, messages)
        if seen.octets < least:
            raise Failed(f"{seen.octets} octets arrived, less than {least}")


@contextmanager
def staged(workload: Workload, kept: Path | None = None) -> Iterator[Stage]:
    """The server of that workload; with `kept` it keeps what it gets there. Raises `Missing` without a compiler."""
    with ExitStack() as stack:
        if not workload.sends:
            yield Stage(workload, NOWHERE, None, [])
            return
        certificate = stack.enter_context(sink.certified()) if workload.tls else None
        server = stack.enter_context(sink.running(workload.hidden, certificate, folder=kept))
        place, processes = server.place, [server.process]
        if workload.round_trip:
            relay = stack.enter_context(delay.delayed(place, workload.round_trip))
            place = relay.place
            processes.append(relay.process)
        yield Stage(workload, place, server, processes)


@contextmanager
def carried(size: int) -> Iterator[Path | None]:
    """The file of so many octets that the messages of a workload carry; a large one is thrown away afterwards.

    Raises `Missing` if there is no room for it.
    """
    if not size:
        yield None
        return
    sink.CACHE.mkdir(parents=True, exist_ok=True)
    path = sink.CACHE / f"file-{size}.bin"
    try:
        try:
            corpus.blank_file(path, size)
        except OSError as problem:
            path.unlink(missing_ok=True)
            raise Missing(f"there is no room for a file of {size / 1e6:,.0f} MB") from problem
        yield path
    finally:
        if size > LARGE:
            path.unlink(missing_ok=True)
