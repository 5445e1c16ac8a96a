"""What mailwright shall reach, and whether it did: ratios within one run, and memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.rounds import Row, Table


@dataclass(frozen=True)
class Verdict:
    """One target, what was measured, and whether that is enough. Texts for a table."""

    workload: str
    sender: str
    target: str
    found: str
    reached: bool


@dataclass(frozen=True)
class Ratio:
    """`sender` is at least so many times as fast as `other`, in the same workload."""

    workload: str
    sender: str
    least: float
    other: str = "smtplib"

    def judge(self, tables: Mapping[str, Table]) -> Verdict | None:
        """None if it was not measured."""
        ratio = tables[self.workload].ratio(self.sender, self.other) if self.workload in tables else None
        if ratio is None:
            return None
        target = f"at least {self.least:g} × {self.other}"
        return Verdict(self.workload, self.sender, target, f"{ratio:,.{_digits(ratio)}f} ×", ratio >= self.least)


@dataclass(frozen=True)
class Duration:
    """A whole process of `sender` takes at most so many times as long as one of `other`."""

    workload: str
    sender: str
    most: float
    other: str = "smtplib"

    def judge(self, tables: Mapping[str, Table]) -> Verdict | None:
        """None if it was not measured."""
        ratio = tables[self.workload].ratio(self.other, self.sender) if self.workload in tables else None
        if ratio is None:
            return None
        target = f"at most {self.most:g} × the time of {self.other}"
        return Verdict(self.workload, self.sender, target, f"{ratio:.2f} ×", ratio <= self.most)


@dataclass(frozen=True)
class Memory:
    """`sender` needs at most so many MB more in `workload` than in `small`."""

    workload: str
    sender: str
    most: float = 4.0
    small: str = "W4-2kB"

    def judge(self, tables: Mapping[str, Table]) -> Verdict | None:
        """None if it was not measured."""
        large, little = (_row(tables, name, self.sender) for name in (self.workload, self.small))
        if large is None or little is None:
            return None
        more = (large.memory - little.memory) / 1024
        target = f"at most {self.most:g} MB more than for 2 kB"
        return Verdict(self.workload, self.sender, target, f"{more:+.1f} MB", more <= self.most)


@dataclass(frozen=True)
class NotSlower:
    """`sender` is not slower in `workload` than in `small`; half a tenth is what rounds differ by anyway."""

    workload: str
    sender: str
    small: str
    tolerance: float = 0.95

    def judge(self, tables: Mapping[str, Table]) -> Verdict | None:
        """None if it was not measured."""
        large, little = (_row(tables, name, self.sender) for name in (self.workload, self.small))
        if large is None or little is None:
            return None
        ratio = large.rate / little.rate
        return Verdict(
            self.workload, self.sender, f"not slower than {self.small}", f"{ratio:.2f} ×", ratio >= self.tolerance
        )


def _row(tables: Mapping[str, Table], workload: str, sender: str) -> Row | None:
    return tables[workload].row(sender) if workload in tables else None


def _digits(ratio: float) -> int:
    return 0 if ratio >= 100 else 1 if ratio >= 10 else 2


TARGETS: tuple[Ratio | Duration | Memory | NotSlower, ...] = (
    Ratio("W1", "mailwright", 8),
    Ratio("W1", "mailwright", 4, "smtp_source"),
    Ratio("W1", "mailwright_async", 5),
    Ratio("W1", "mailwright_async", 25, "aiosmtplib"),
    Ratio("W1-pipelining", "mailwright", 2.5),
    Ratio("W1-pipelining", "mailwright", 1.3, "smtp_source"),
    Ratio("W1-composed", "mailwright", 25),
    Ratio("W1-composed", "mailwright", 12, "nodemailer"),
    Ratio("W1-composed", "mailwright_async", 20),
    Ratio("W1-composed", "mailwright_async", 25, "aiosmtplib"),
    Ratio("W2-10", "mailwright", 8),
    Ratio("W2-10", "mailwright", 4, "smtp_source"),
    NotSlower("W2-50", "mailwright", "W2-10"),
    Ratio("W3", "mailwright", 240),
    Ratio("W3", "mailwright:window=1000", 3000),
    Ratio("W3-pipelining", "mailwright", 3.8),
    Ratio("W4", "mailwright", 14),
    Ratio("W4", "mailwright:pybase64", 22),
    Ratio("W4", "mailwright", 3.5, "nodemailer"),
    Memory("W4", "mailwright"),
    Memory("W4", "mailwright:pybase64"),
    Memory("W4-1GB", "mailwright"),
    Memory("W4-1GB", "mailwright:pybase64"),
    Memory("W4-1GB", "mailwright_async"),
    Ratio("W5", "mailwright", 30),
    Ratio("W5", "mailwright:attachment=shared", 60),
    Ratio("W5", "mailwright", 10, "nodemailer"),
    Ratio("W6-new", "mailwright", 1.15),
    Ratio("W6-new", "mailwright:resumed", 1.5),
    Ratio("W6-kept", "mailwright", 4.5),
    Duration("W7", "mailwright", 0.6),
    Duration("W7", "mailwright_cli", 1.0),
    Ratio("W10k", "mailwright", 10),
)


def verdicts(tables: Mapping[str, Table]) -> list[Verdict]:
    """For every target that was measured."""
    judged = (target.judge(tables) for target in TARGETS)
    return [verdict for verdict in judged if verdict is not None]
