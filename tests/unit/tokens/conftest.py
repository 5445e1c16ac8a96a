"""Fixtures: an authorisation server, a key ring in memory, a home of one's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.running import OURS, command
from tests.unit.tokens.authorization import Authorization, authorization
from tests.unit.tokens.ring import Ring, installed

__all__ = ["command"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory for settings and lock files, and nothing of ours in the environment."""
    for name in list(os.environ):
        if name.startswith(OURS) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MAILWRIGHT_CONFIG", str(tmp_path / "config" / "config.toml"))
    return tmp_path


@pytest.fixture
def server() -> Iterator[Authorization]:
    """An authorisation server."""
    with authorization() as opened:
        yield opened


@pytest.fixture
def ring() -> Iterator[Ring]:
    """A key ring in memory, in place of the system's."""
    with installed(Ring()) as made:
        yield made
