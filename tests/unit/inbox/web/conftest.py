"""Fixtures: an inbox with its page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.inbox.web.asking import Client, opened


@pytest.fixture
def client() -> Iterator[Client]:
    """A page of an empty inbox."""
    with opened() as made:
        yield made


@pytest.fixture(scope="module")
def shared() -> Iterator[Client]:
    """A page of an inbox with one message, for tests that change nothing."""
    with opened() as made:
        made.deliver()
        yield made
