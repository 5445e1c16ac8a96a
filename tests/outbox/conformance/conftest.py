"""Every case of this folder runs four times: with both engines, through the blocking and the asynchronous door."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outbox.conformance.trays import FACES, Tray


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/mail.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(params=sorted(FACES))
def tray(request: pytest.FixtureRequest, where: str) -> Iterator[Tray]:
    """An outbox that is empty."""
    made = FACES[request.param](where)
    yield made
    made.close()
