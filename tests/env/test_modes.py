"""A share of the tests, run in Python's development mode: blocking calls, unclosed files and event loops are told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.env

ROOT = Path(__file__).parent.parent.parent
SHARE = [
    *["tests/unit/drivers/test_drivers.py", "tests/unit/drivers/test_connecting.py"],
    *["tests/unit/smtp/test_catalogue.py", "tests/unit/smtp/test_over_tls.py", "tests/unit/test_sending.py"],
]


def test_j182_in_development_mode_with_every_warning_an_error() -> None:
    # By variables, so that programs which the tests start are in the same mode.
    env = {**os.environ, "PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error"}
    words = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", *SHARE]
    ran = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr
