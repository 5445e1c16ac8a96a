"""The project's own commands: who is let in, what the audit may claim, which line of pytest's is the last."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent.parent / "tools"
sys.path.insert(0, str(TOOLS))

from audit import judge  # noqa: E402
from environments import StepFailed, parts_of  # noqa: E402
from workshop import closing_line  # noqa: E402


def test_an_old_python_can_read_the_door() -> None:
    ast.parse((TOOLS / "run.py").read_text("utf-8"), feature_version=(3, 4))


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_the_door_says_what_it_can_do(words: list[str]) -> None:
    done = subprocess.run([sys.executable, str(TOOLS / "run.py"), *words], capture_output=True, text=True)
    assert done.returncode == 0
    for command in ("demo", "test", "check", "drill"):
        assert f"\n    {command} " in done.stdout


def test_the_door_refuses_what_it_cannot_do() -> None:
    done = subprocess.run([sys.executable, str(TOOLS / "run.py"), "fly"], capture_output=True, text=True)
    assert done.returncode == 2


def test_a_vulnerability_fails_the_audit_and_is_named() -> None:
    rows = [
        {"name": "a", "version": "1", "vulns": []},
        {"name": "b", "version": "2", "vulns": [{"id": "CVE-1"}]},
    ]
    with pytest.raises(StepFailed, match=r"b 2: CVE-1"):
        judge(rows)


def test_a_clean_audit_counts_what_it_looked_at() -> None:
    assert judge([{"name": "a", "version": "1", "vulns": []}]) == "no known vulnerability in 1 packages"


@pytest.mark.parametrize("known", [0, 1])
def test_no_answer_is_not_a_clean_bill(known: int) -> None:
    rows = [{"name": "a", "version": "1", "vulns": []}] * known + [{"name": "b", "skip_reason": "not found"}]
    assert "NOT AUDITED" in judge(rows)


@pytest.mark.parametrize(
    ("printed", "kept"),
    [
        ("== 812 passed, 3 skipped in 41.20s ==", "812 passed, 3 skipped in 41.20s"),
        ("\x1b[32m=== \x1b[1m5 passed\x1b[0m in 0.10s ===\x1b[0m", "5 passed in 0.10s"),
        ("2 failed, 1 passed in 75.00s (0:01:15)", "2 failed, 1 passed in 75.00s (0:01:15)"),
        ("no tests ran in 0.01s", "no tests ran in 0.01s"),
        ("tests/test_x.py .....  [100%]", ""),
    ],
)
def test_the_closing_line_is_found(printed: str, kept: str) -> None:
    assert closing_line(f"first\n{printed}\n") == kept


def test_a_full_environment_serves_the_smaller_ends_too() -> None:
    assert parts_of("test") == ["demo", "unit", "test"]
    assert parts_of("bench") == ["demo", "bench"]
    assert parts_of("demo") == ["demo"]


SKIPPING = """
import pytest

@pytest.mark.skip(reason="the moon is full")
def test_howl(): ...
"""


@pytest.mark.parametrize("known", [True, False])
def test_a_skip_that_nobody_knows_fails_a_strict_run(tmp_path: Path, known: bool) -> None:
    here = Path(__file__).parent
    (tmp_path / "conftest.py").write_text((here / "conftest.py").read_text("utf-8"), "utf-8")
    entry = '[[skip]]\ntest = ".*howl"\nreason = "moon"\nwhy = "there is always another night"\n'
    (tmp_path / "known_skips.toml").write_text(entry if known else "", "utf-8")
    (tmp_path / "test_wolf.py").write_text(SKIPPING, "utf-8")
    report = tmp_path / "skips.json"
    pytest_alone = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [*pytest_alone, "--strict-skips", f"--skip-report={report}", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(here.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == (0 if known else 1), done.stdout + done.stderr
    rows = json.loads(report.read_text("utf-8"))
    assert [(row["reason"], row["known"]) for row in rows] == [("the moon is full", known)]
