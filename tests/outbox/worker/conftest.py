"""A worker's surroundings: an outbox in a file, and an inbox to send to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailwright.inbox import Inbox
from tests.outbox.worker.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.outbox.close()


@pytest.fixture
def timed(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, clock=True)
    yield made
    made.outbox.close()


@pytest.fixture
def post_office() -> Iterator[Inbox]:
    with Inbox(tls=False) as inbox:
        yield inbox
