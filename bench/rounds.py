"""Rounds: every sender once in each, in turns, and the medians."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from bench import machine, senders
from bench.job import Missing
from bench.running import Failed
from bench.sink import CACHE
from bench.stage import Run, Stage, carried, staged
from bench.workloads import Workload

Say = Callable[[str], object]


@dataclass(frozen=True)
class Plan:
    """How often: `rounds` that count, `warm_up` before them that don't, at most `extra` for runs that others disturbed.

    `share` is the part of the usual number of messages.
    """

    rounds: int = 5
    warm_up: int = 1
    extra: int = 5
    share: float = 1.0

    @classmethod
    def quick(cls) -> Plan:
        """To see that all works; the figures say little."""
        return cls(rounds=1, warm_up=0, extra=0, share=0.02)

    def scaled(self, workload: Workload) -> Workload:
        """The same workload, as small as the share says in what is not the number of messages."""
        if self.share == 1:
            return workload
        recipients = max(min(workload.recipients, 50), round(workload.recipients * self.share))
        return replace(workload, recipients=recipients, file=min(workload.file, 5_000_000))

    def messages(self, workload: Workload, sender: str) -> int:
        """How many messages that sender is given."""
        usual = workload.count(sender)
        return usual if self.share == 1 else max(min(usual, 3 * workload.connections), round(usual * self.share))


@dataclass(frozen=True)
class Row:
    """Medians of one sender: `rate` in messages a second, `cpu` in seconds a message, memory in kB.

    `least` and `most` are the extremes of the rate, `others` the processors that other processes used meanwhile, and
    `disturbed` how many of the `runs` had more of that than they should.
    """

    sender: str
    version: str
    messages: int
    rate: float
    least: float
    most: float
    cpu: float
    memory: int
    memory_before: int
    resumed: int
    others: float
    runs: int
    disturbed: int

    @classmethod
    def of(cls, sender: str, version: str, runs: Sequence[Run]) -> Row:
        """The medians of these runs."""
        results = [run.result for run in runs]
        rates = [result.rate for result in results]
        return cls(
            sender, version, results[0].messages, statistics.median(rates), min(rates), max(rates),
            statistics.median(result.cpu / result.messages for result in results),
            round(statistics.median(result.memory for result in results)),
            round(statistics.median(result.memory_before for result in results)),
            round(statistics.median(run.resumed for run in runs)),
            statistics.median(run.others for run in runs),
            len(runs), sum(run.others > machine.QUIET for run in runs),
        )  # fmt: skip


@dataclass(frozen=True)
class Table:
    """What one workload gave: its rows, who was left out and why, and the state of the machine."""

    workload: str
    rows: list[Row]
    left_out: dict[str, str] = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)

    def row(self, sender: str) -> Row | None:
        """The row of that sender."""
        return next((row for row in self.rows if row.sender == sender), None)

    def ratio(self, sender: str, other: str) -> float | None:
        """How many times as fast as `other` that sender is."""
        ours, theirs = self.row(sender), self.row(other)
        return ours.rate / theirs.rate if ours and theirs else None

    def to_json(self) -> dict[str, object]:
        """For results.json."""
        return asdict(self)


class Rounds:
    """The rounds of one workload."""

    def __init__(self, workload: Workload, names: Sequence[str], plan: Plan, say: Say) -> None:
        self.workload, self.plan, self._say = workload, plan, say
        self.wanted = max(plan.rounds, workload.rounds if plan.rounds > 1 else 0)
        self.versions: dict[str, str] = {}
        self.left_out: dict[str, str] = {}
        for name in names:
            try:
                sender = senders.find(name)
                sender.act(workload.act)
                self.versions[name] = sender.version()
            except Missing as reason:
                self._leave_out(name, str(reason))
        self.runs: dict[str, list[Run]] = {name: [] for name in self.versions}

    def _leave_out(self, name: str, reason: str) -> None:
        self.left_out[name] = reason
        self._say(f"{self.workload.name}  {name} is left out: {reason}")

    def table(self) -> Table:
        """Do them all. Raises `Missing` when there can be no server, or no file to send."""
        load, plan = machine.load(), self.plan
        with staged(self.workload) as stage, carried(self.workload.file) as file:
            order = list(self.runs)
            for number in range(-plan.warm_up, self.wanted + plan.extra):
                order = order[1:] + order[:1]
                for name in order:
                    if self._needed(name, number):
                        self._run(stage, name, number, file)
        kept = {name: sorted(runs, key=lambda run: run.others)[: self.wanted] for name, runs in self.runs.items()}
        rows = [Row.of(name, self.versions[name], runs) for name, runs in kept.items() if runs]
        state = {"date": machine.today(), "load before": f"{load:.2f}", "load after": f"{machine.load():.2f}"}
        state["processors"] = machine.processors()
        return Table(self.workload.name, rows, {name: _shown(why) for name, why in self.left_out.items()}, state)

    def _needed(self, name: str, number: int) -> bool:
        """Whether a run is wanted: in the usual rounds of everybody, then of whom others disturbed."""
        if name in self.left_out:
            return False
        return number < self.wanted or sum(run.others <= machine.QUIET for run in self.runs[name]) < self.wanted

    def _run(self, stage: Stage, name: str, number: int, file: Path | None) -> None:
        try:
            run = stage.run(name, self.plan.messages(self.workload, name), file, _sample(stage))
        except (Missing, Failed) as reason:
            self._leave_out(name, str(reason))
            self.runs[name].clear()
            return
        if number >= 0:
            self.runs[name].append(run)
            disturbed = f"   disturbed: others used {run.others:.2f} processors" if run.others > machine.QUIET else ""
            self._say(f"{self.workload.name}  {number + 1}  {name:32}{run.result.rate:12,.1f}/s{disturbed}")


def _sample(stage: Stage) -> Path | None:
    if stage.workload.sends:
        return None
    CACHE.mkdir(parents=True, exist_ok=True)
    return CACHE / "sample.eml"


def _shown(reason: str) -> str:
    """The last line, short, with no path of this machine."""
    words = (reason.strip().splitlines() or ["no reason"])[-1][:200].split()
    return " ".join("…" if word.lstrip("'\"(").startswith("/") else word for word in words)
