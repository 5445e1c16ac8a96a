"""An outbox in which messages are sent, and reports about them: with either engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailwright.outbox import Outbox


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/mail.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def outbox(where: str) -> Iterator[Outbox]:
    with Outbox(where) as opened:
        yield opened
