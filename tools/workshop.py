"""What the project's commands do, step by step, each with a heading, a time and an outcome."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from audit import audit
from environments import (
    CACHE,
    ROOT,
    Environment,
    Interpreter,
    StepFailed,
    clean_environ,
    other_interpreters,
    this_interpreter,
)

QUICK = "not real and not env and not drill"
#: Two processes more than there are cores, for much of the time goes by waiting for servers. Each must find the tests
#: in the same order, so what depends on hashing is the same in all.
SIDE_BY_SIDE = ("-n", str((os.cpu_count() or 1) + 2), "--dist", "loadfile", "--no-loadscope-reorder")
OTHERS = ("postfix", "clients", "nodemailer", "postgresql", "redis")  # what bench/ talks to, and peers
IN_ONE_ORDER = {"PYTHONHASHSEED": "0"}
ROOMS = ("smtp", "sasl", "message")  # where a branch without a test is a fault in the making
CLOSING_LINE = re.compile(r"^=* ?(\d+ [a-z]+.* in [\d.]+s.*?|no tests ran.*?)=*$")


@dataclass
class Round:
    """One run of a command: its steps, one after the other, and what became of each."""

    started: float = field(default_factory=time.monotonic)
    outcomes: list[tuple[str, float, str, bool]] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether no step has failed so far."""
        return all(good for *_, good in self.outcomes)

    def step(self, title: str, work: Callable[[], str], heading: bool = True) -> bool:
        """Does one step. `work` returns its outcome in words, or raises StepFailed."""
        began = time.monotonic()
        if heading:
            print(f"[{began - self.started:6.1f} s] {title}", flush=True)
        try:
            outcome, good = work(), True
        except StepFailed as failure:
            print(f"{title}: {failure}", file=sys.stderr, flush=True)
            outcome, good = "FAILED: " + str(failure).splitlines()[0], False
        self.outcomes.append((title, time.monotonic() - began, outcome, good))
        return good

    def summary(self) -> None:
        """Prints a line for each step."""
        print(f"\n[{time.monotonic() - self.started:6.1f} s] summary")
        for title, seconds, outcome, _ in self.outcomes:
            print(f"  {title:<34} {seconds:7.1f} s  {outcome}")


def run(command: str, words: Sequence[str]) -> int:
    """Does a command of the project; `words` go on to what it runs. Returns the exit status."""
    commands = {"demo": demo, "test": test, "check": check, "drill": drill, "bench": bench}
    CACHE.mkdir(exist_ok=True)
    for report in CACHE.glob("skips-*.json"):
        report.unlink()
    return commands[command](list(words))


def demo(words: list[str]) -> int:
    """The project in its own environment, and its demonstration run from there."""
    this_round, environment = Round(), main_environment()
    if not this_round.step("environment", lambda: environment.prepare("demo")):
        return 1
    return subprocess.call([environment.command("mailwright"), "demo", *words], cwd=ROOT, env=clean_environ())


def check(words: list[str]) -> int:
    """Style, types and the unit tests, without those that wait for long: the loop while working."""
    this_round, environment = Round(), main_environment()
    if not this_round.step("environment", lambda: environment.prepare("test")):
        return 1
    style_and_types(this_round, environment)
    tests = MainTests(environment, ["-m", f"{QUICK} and not slow", "-q", *SIDE_BY_SIDE, *words], **IN_ONE_ORDER)
    this_round.step("unit tests", tests)
    return close(this_round, tests)


def test(words: list[str]) -> int:
    """Everything; see the head of run.py."""
    this_round, environment = Round(), main_environment()
    if not this_round.step("environment", lambda: environment.prepare("test")):
        return 1
    this_round.step("real mail servers", lambda: servers(environment))
    style_and_types(this_round, environment)
    counting = bool(os.environ.get("COVERAGE"))  # it costs a tenth of the time
    coverage = ["--cov", "--cov-branch", "--cov-report="] if counting else []
    tests = MainTests(environment, [*coverage, "-q", *SIDE_BY_SIDE, *words], **IN_ONE_ORDER)
    # The environments of the other Pythons are got meanwhile: that is waiting for the network more than work.
    with ThreadPoolExecutor(1) as beside:
        getting = beside.submit(lambda: [other(python).prepare("unit") for python in newest_other()])
        this_round.step(f"all tests, Python {environment.interpreter.name}", tests)
        getting.exception()  # it comes again, and is told, where the environment is used
    others(this_round, words)
    if counting:
        this_round.step("branch coverage", lambda: branch_coverage(environment))
    this_round.step("audit of constraints.txt", lambda: audit(environment))
    return close(this_round, tests)


def drill(words: list[str]) -> int:
    """The long random drills: other examples on every run; a failure prints how to repeat it."""
    this_round, environment = Round(), main_environment()
    if not this_round.step("environment", lambda: environment.prepare("test")):
        return 1
    tests = MainTests(environment, ["-m", "drill", "--hypothesis-profile=drill", *words])
    this_round.step("drills", tests)
    return close(this_round, tests)


def bench(words: list[str]) -> int:
    """Gets what mailwright is measured beside, and measures; what can't be had is named and left out."""
    this_round, environment = Round(), Environment(CACHE / "bench" / "python", this_interpreter())
    if not this_round.step("environment", lambda: environment.prepare("bench")):
        environment = main_environment()
        if not this_round.step("environment without the other Python packages", lambda: environment.prepare("demo")):
            return 1
    this_round.step("others", lambda: must(environment, "tools/get_servers.py", *OTHERS))
    measured = this_round.step("measuring", lambda: must(environment, "-m", "bench", *(words or ["all", "--save"])))
    this_round.summary()
    return 0 if measured else 1


def main_environment() -> Environment:
    """The one in .venv, for people too."""
    return Environment(ROOT / ".venv", this_interpreter())


def style_and_types(this_round: Round, environment: Environment) -> None:
    """What a reader and a type checker would say."""
    this_round.step("style: ruff check", lambda: must(environment, "-m", "ruff", "check", "--output-format=concise"))
    this_round.step("style: ruff format", lambda: must(environment, "-m", "ruff", "format", "--check"))
    this_round.step("types: mypy --strict", lambda: must(environment, "-m", "mypy", "--strict", "--no-error-summary"))


def must(environment: Environment, *arguments: str) -> str:
    """Runs a tool that has to succeed, its output shown."""
    status = environment.run(*arguments).returncode
    if status:
        raise StepFailed(f"{' '.join(arguments[1:])} ended with status {status}")
    return "ok"


def servers(environment: Environment) -> str:
    """Fetches or finds the real mail servers; tests of one that is not to be had are skipped and listed."""
    return must(environment, "tools/get_servers.py")


class MainTests:
    """The tests on the main interpreter: shown as they run, the closing line kept to be said last."""

    def __init__(self, environment: Environment, words: list[str], **variables: str) -> None:
        self.environment = environment
        self.words = words
        self.variables = variables
        self.closing_line = ""

    def __call__(self) -> str:
        arguments = [*pytest_words("main"), f"--color={'yes' if sys.stdout.isatty() else 'no'}", *self.words]
        command = [self.environment.command("python"), *arguments]
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=clean_environ() | self.variables,
            text=True,
            encoding="utf-8",
            errors="replace",
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                self.closing_line = closing_line(line) or self.closing_line
        if process.returncode:
            raise StepFailed(f"pytest ended with status {process.returncode}: {self.closing_line}")
        return self.closing_line


def pytest_words(name: str) -> list[str]:
    """How every run of pytest begins; `name` tells its skips and its cache from those of the others."""
    skips, cache = CACHE / f"skips-{name}.json", CACHE / f"pytest-{name}"
    return ["-m", "pytest", "--strict-skips", f"--skip-report={skips}", "-o", f"cache_dir={cache}"]


def closing_line(text: str) -> str:
    """What pytest says last, without colours and rules: ``812 passed, 3 skipped in 41.20s``."""
    found = ""
    for line in text.splitlines():
        if match := CLOSING_LINE.match(re.sub(r"\x1b\[[\d;]*m", "", line.strip())):
            found = match[1].strip()
    return found


def branch_coverage(environment: Environment) -> str:
    """Prints how many branches of each of the rooms that matter most the tests took."""
    report = CACHE / "coverage.json"
    done = environment.capture("-m", "coverage", "json", "-q", "-o", str(report))
    if done.returncode:
        raise StepFailed(f"no figures\n{(done.stdout + done.stderr).strip()}")
    files = json.loads(report.read_text(encoding="utf-8"))["files"]
    lines = []
    for room in ROOMS:
        rows = [row["summary"] for name, row in files.items() if f"mailwright/{room}/" in name.replace(os.sep, "/")]
        branches, taken = (sum(row[key] for row in rows) for key in ("num_branches", "covered_branches"))
        share = f"{taken / branches:.1%} of {branches} branches" if branches else "no branches"
        lines.append(f"{room} {share}")
        print(f"  {room + '/':<10} {share} in {len(rows)} files")
    return ", ".join(lines)


def others(this_round: Round, words: list[str]) -> None:
    """The unit tests on the newest other Python that is here; what fails shows its output."""
    found = newest_other()
    if not found:
        this_round.step("unit tests, other Pythons", lambda: "no other CPython from 3.11 on was found here")
        return
    names = ", ".join(python.name for python in found)
    print(f"[{time.monotonic() - this_round.started:6.1f} s] unit tests, Python {names}", flush=True)

    for python in found:
        tests = partial(unit_tests, python, words)
        this_round.step(f"unit tests, Python {python.name}", tests, heading=False)


def newest_other() -> list[Interpreter]:
    """The newest of the other Pythons here, if there is one: what works on the oldest and on it works between them."""
    return sorted(other_interpreters(), key=lambda python: [int(part) for part in python.name.split(".")])[-1:]


def other(python: Interpreter) -> Environment:
    """The environment of another Python."""
    return Environment(CACHE / f"python{python.name}", python)


def unit_tests(python: Interpreter, words: list[str]) -> str:
    """The unit tests on that Python, in an environment of its own, but for those that wait or hardly depend on it."""
    environment = other(python)
    environment.prepare("unit")
    chosen = ("-q", "-m", f"{QUICK} and not slow and not once", *SIDE_BY_SIDE)
    done = environment.capture(*pytest_words(python.name), *chosen, *words, variables=IN_ONE_ORDER)
    if done.returncode:
        last = closing_line(done.stdout)
        raise StepFailed(f"pytest ended with status {done.returncode}: {last}\n{done.stdout}{done.stderr}")
    return closing_line(done.stdout)


def close(this_round: Round, tests: MainTests) -> int:
    """The end of a run: what each step gave, what was skipped and why, and last what pytest said last."""
    this_round.summary()
    show_skips()
    print(f"\n{tests.closing_line}", flush=True)
    return 0 if this_round.passed else 1


def show_skips() -> None:
    """Prints every skip of this run, grouped by its reason, with the Pythons where it happened."""
    by_reason: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for report in sorted(CACHE.glob("skips-*.json")):
        for row in json.loads(report.read_text(encoding="utf-8")):
            reason = row["reason"] if row["known"] else f"UNKNOWN (not in tests/known_skips.toml): {row['reason']}"
            by_reason[reason][row["test"]].append(report.stem.removeprefix("skips-"))
    print("\nskipped: nothing" if not by_reason else "\nskipped:")
    for reason, tests in sorted(by_reason.items()):
        print(f"  {reason} ({len(tests)})")
        for name, pythons in sorted(tests.items()):
            print(f"    {name}  [{', '.join(pythons)}]")
