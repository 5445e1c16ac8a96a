"""What every test shares: the real servers, two speeds of random testing, an account of what was skipped."""

from __future__ import annotations

import json
import re
import signal
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent

# A shell starts background jobs with Ctrl-C ignored, and that is inherited: tests which interrupt a program would wait
# for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["mailwright.testing.plugin", "tests.servers.fixtures", "pytester"]

# The same examples on every run: a red build is red for its change, not by luck. Luck is for the drill.
settings.register_profile("ci", max_examples=60, derandomize=True, deadline=None, database=None, print_blob=True)
settings.register_profile(
    "drill",
    max_examples=5000,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci")


class KnownSkip(NamedTuple):
    """One entry of known_skips.toml: which test may be skipped, for which reason, why that is acceptable."""

    test: re.Pattern[str]
    reason: re.Pattern[str]
    why: str

    def covers(self, skip: Skip) -> bool:
        """Whether this entry speaks of that skip."""
        return bool(self.test.fullmatch(skip.test) and self.reason.search(skip.reason))


class Skip(NamedTuple):
    """One test, or one whole file, that did not run."""

    test: str
    reason: str


def read_known_skips() -> list[KnownSkip]:
    """The entries of known_skips.toml."""
    table = tomllib.loads((HERE / "known_skips.toml").read_text(encoding="utf-8"))
    return [KnownSkip(re.compile(row["test"]), re.compile(row["reason"]), row["why"]) for row in table.get("skip", [])]


class SkipAccount:
    """Collects every skip and expected failure; shows them, and fails the run for an unknown one if asked."""

    def __init__(self, strict: bool, report: str | None) -> None:
        self.strict = strict
        self.report = report
        self.known = read_known_skips()
        self.skips: list[Skip] = []

    def is_known(self, skip: Skip) -> bool:
        """Whether known_skips.toml has an entry for it."""
        return any(entry.covers(skip) for entry in self.known)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self.skips.append(Skip(report.nodeid, reason_of(report)))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skips.append(Skip(report.nodeid, reason_of(report)))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.report:
            rows = [{**skip._asdict(), "known": self.is_known(skip)} for skip in self.skips]
            Path(self.report).write_text(json.dumps(rows), encoding="utf-8")
        if self.strict and session.exitstatus == pytest.ExitCode.OK:
            if not all(self.is_known(skip) for skip in self.skips):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.skips or self.report:  # who asked for a report shows it
            return
        terminalreporter.section("skipped")
        by_reason: dict[str, list[Skip]] = defaultdict(list)
        for skip in self.skips:
            by_reason[skip.reason].append(skip)
        for reason, skips in sorted(by_reason.items()):
            terminalreporter.write_line(f"{reason} ({len(skips)})")
            for skip in skips:
                verdict = "" if self.is_known(skip) else "   UNKNOWN: add it to tests/known_skips.toml or run it"
                terminalreporter.write_line(f"    {skip.test}{verdict}")


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test was skipped or was expected to fail, without pytest's prefix."""
    expected_failure = getattr(report, "wasxfail", None)
    if expected_failure is not None:
        return f"expected failure: {expected_failure}"
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("skips")
    group.addoption("--strict-skips", action="store_true", help="fail on a skip that known_skips.toml lacks")
    group.addoption("--skip-report", metavar="FILE", help="write every skip to FILE as JSON instead of showing it")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the workers of pytest-xdist report to the one that started them
        config.pluginmanager.register(
            SkipAccount(config.getoption("--strict-skips"), config.getoption("--skip-report")), "skip account"
        )


#: Files whose tests wait, knock at ports or repeat themselves for long: `make check` leaves them to `make test`.
SLOW = (
    "rehearsals/", "drivers/test_rough_sea", "drivers/test_connecting", "drivers/test_attacks_drivers",
    "drivers/test_proxy", "diagnose/test_hostile", "mailer/test_deadlines", "mailer/test_goodbyes",
    "mailer/test_large_attachment", "smtp/test_attacks", "smtp/test_conveyor", "tokens/", "cli/test_surroundings",
    "bench/", "testing/", "settings/test_passwords", "smtplib/test_sockets", "smtplib/test_surface", "providers/test_system_lookups",
)  # fmt: skip


# What takes long and hardly depends on the version of Python: the others leave it out.
ONCE = (
    "browser/", "docs/", "outbox/", "test_fault_catalogue", "test_household", "test_tools", "unit/bench/",
    "unit/check/",
    "unit/cli/", "unit/diagnose/", "unit/doctor/", "unit/inbox/", "unit/integrations/", "unit/outbox/", "unit/outbox_bounces/",
    "unit/providers/", "unit/rehearsals/", "unit/settings/", "unit/smtp/", "unit/testing/", "unit/tokens/",
)  # fmt: skip


# Files with a few tests that take long. They are begun first, so that none is left to run alone at the end.
FIRST = (
    "browser/", "env/", "outbox/worker/", "unit/integrations/", "unit/inbox/faults/", "real/test_send_many",
    "unit/testing/", "unit/inbox/web/", "outbox/", "real/",
)  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks what is slow, and leaves the drills out unless a `-m` expression names them."""
    for item in items:
        if any(f"/unit/{name}" in item.path.as_posix() for name in SLOW):
            item.add_marker("slow")
        if any(f"/tests/{name}" in item.path.as_posix() for name in ONCE):
            item.add_marker("once")
    items.sort(key=_begin)
    if "drill" in config.getoption("markexpr"):
        return
    drills = [item for item in items if item.get_closest_marker("drill")]
    if drills:
        config.hook.pytest_deselected(items=drills)
        items[:] = [item for item in items if item not in drills]


def _begin(item: pytest.Item) -> int:
    """When the file of a test is begun: its place in `FIRST`, or behind."""
    path = item.path.as_posix()
    return next((place for place, name in enumerate(FIRST) if f"/tests/{name}" in path), len(FIRST))
