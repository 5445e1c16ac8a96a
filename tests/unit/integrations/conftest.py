"""Django configured once for this process, as a project has it; each test sets what it needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings
from django.db import connection, connections

from mailwright import Inbox
from mailwright.integrations.django import close_all

if not settings.configured:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.devnull}},
        INSTALLED_APPS=[],
        DEFAULT_FROM_EMAIL="ada@example.org",
        USE_TZ=True,
    )
    django.setup()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with a database of its own; the path of that."""
    path = tmp_path / "db.sqlite3"
    for name in list(os.environ):
        if name.startswith(("MAILWRIGHT_", "SMTP_", "EMAIL_", "SENDER_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MAILWRIGHT_CONFIG", os.devnull)
    connection.close()
    monkeypatch.setitem(connections["default"].settings_dict, "NAME", str(path))
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE orders (number INTEGER)")
    yield path
    connection.close()
    close_all()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox(tls=False, refuse={"nobody@example.net": "550 5.1.1 No such mailbox"}) as opened:
        yield opened


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Change Django's settings for this test: ``configured(EMAIL_BACKEND=…)``."""
    from django.test.utils import override_settings

    made: list[Any] = []

    def change(**given: Any) -> None:
        one = override_settings(**given)
        one.enable()
        made.append(one)

    yield change
    for one in reversed(made):
        one.disable()
