"""An outbox in a file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import django
import pytest
from django.conf import settings

from mailwright.outbox import Outbox


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "mail.db") as made:
        yield made


@pytest.fixture(scope="session")
def djangos() -> None:
    """Django, which wants settings before it connects to anything."""
    if not settings.configured:
        settings.configure()
        django.setup()
