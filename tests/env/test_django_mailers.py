"""Django 6.1's MAILERS setting, in a project of its own, with every warning an error. It needs Python 3.12 or newer."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mailwright import Inbox
from tests.unit.cli.running import surroundings

pytestmark = [pytest.mark.env, pytest.mark.once]
ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "tests" / "unit" / "integrations" / "mailers_project.py"


def interpreter() -> str | None:
    """A Python that is new enough: this one, one that was got for the tests, or the system's."""
    if sys.version_info >= (3, 12):
        return sys.executable
    got = [
        str(path)
        for name in ("3.12", "3.13")
        if (path := ROOT / ".cache" / f"python{name}" / "bin" / "python").exists()
    ]
    return next(iter(got), None) or shutil.which("python3.13") or shutil.which("python3.12")


def test_mailers(tmp_path: Path) -> None:
    python = interpreter()
    if python is None:
        pytest.skip("there is no Python 3.12 or newer")
    subprocess.run([python, "-m", "venv", tmp_path / "env"], check=True)
    made = tmp_path / "env" / "bin" / "python"
    install = [made, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "django>=6.1,<7", "idna"]
    subprocess.run(install, check=True)
    with Inbox(tls=False) as inbox:
        done = subprocess.run(
            [made, "-W", "error", PROJECT, tmp_path, str(inbox.server.port)],
            env=surroundings(PYTHONPATH=str(ROOT / "src")), capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("6.")
        assert [received.subject for received in inbox.messages] == ["now", "by url", "queued"]
