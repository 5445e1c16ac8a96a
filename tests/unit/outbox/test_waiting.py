"""A put in the application's transaction while somebody else, such as a worker, writes: it waits as any write would."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
import sqlalchemy
from sqlalchemy.orm import Session

from mailwright.errors import OutboxUnavailable
from mailwright.outbox import AsyncOutbox, Outbox
from tests.unit.outbox.steps import message, total

HELD = 0.15  # seconds: SQLite's busy handler has slept a few times then


@contextmanager
def somebody_writes(outbox: Outbox, seconds: float = HELD) -> Iterator[None]:
    """Another connection has a write transaction open, which it ends `seconds` later, having written."""
    other = sqlite3.connect(outbox.database.place, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO mw_meta VALUES ('theirs', '1') ON CONFLICT (name) DO UPDATE SET value = value || '1'")
    timer = threading.Timer(seconds, lambda: other.execute("COMMIT"))
    timer.start()
    try:
        yield
    finally:
        timer.join()
        other.close()


@pytest.mark.parametrize("begin", ["", "BEGIN", "BEGIN DEFERRED", "SAVEPOINT theirs"])
@pytest.mark.parametrize("level", ["", "DEFERRED", "IMMEDIATE", "EXCLUSIVE", None])
def test_sqlite3_waits(outbox: Outbox, level: str | None, begin: str) -> None:
    connection = sqlite3.connect(outbox.database.place, isolation_level=level)
    with somebody_writes(outbox), connection:
        connection.execute(begin)
        outbox.put(message(), connection=connection)
    assert total(outbox) == 1
    connection.close()


if sys.version_info >= (3, 12):

    @pytest.mark.parametrize("autocommit", [True, False])
    def test_the_newer_autocommit_waits(outbox: Outbox, autocommit: bool) -> None:
        connection = sqlite3.connect(outbox.database.place, autocommit=autocommit)
        with somebody_writes(outbox):
            outbox.put(message(), connection=connection)
        assert total(outbox) == int(autocommit)
        connection.commit()
        assert total(outbox) == 1
        connection.close()

    def test_the_newer_autocommit_is_understood_below_aiosqlite(outbox: Outbox) -> None:
        async def main() -> None:
            async with AsyncOutbox(outbox.database.place) as tray:
                async with aiosqlite.connect(outbox.database.place, autocommit=True) as connection:
                    await tray.put(message(), connection=connection)

        asyncio.run(main())
        assert total(outbox) == 1


def test_sqlalchemy_waits(outbox: Outbox) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{outbox.database.place}")
    with somebody_writes(outbox), engine.begin() as connection:
        connection.execute(sqlalchemy.text("SELECT count(*) FROM mw_message"))
        outbox.put(message(), connection=connection)
    with somebody_writes(outbox), Session(engine) as session, session.begin():
        outbox.put(message(), connection=session)
    with somebody_writes(outbox), Session(engine) as session, session.begin(), session.begin_nested():
        outbox.put(message(), connection=session)
    engine.dispose()
    assert total(outbox) == 3


def test_django_waits(outbox: Outbox, djangos: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import django.db.transaction
    from django.db.utils import ConnectionHandler

    handler = ConnectionHandler(
        {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(outbox.database.place)}}
    )
    monkeypatch.setattr(django.db.transaction, "get_connection", lambda using=None: handler["default"])
    try:
        with somebody_writes(outbox), django.db.transaction.atomic():
            outbox.put(message(), connection=handler["default"])
        with somebody_writes(outbox), django.db.transaction.atomic(), django.db.transaction.atomic():
            outbox.put(message(), connection=handler["default"])
    finally:
        handler.close_all()
    assert total(outbox) == 2


@pytest.mark.parametrize("begin", ["", "BEGIN"])
@pytest.mark.parametrize("level", ["", None])
def test_aiosqlite_waits(outbox: Outbox, level: str | None, begin: str) -> None:
    async def main() -> None:
        async with AsyncOutbox(outbox.database.place) as tray:
            async with aiosqlite.connect(outbox.database.place, isolation_level=level) as connection:
                with somebody_writes(outbox):
                    await connection.execute(begin)
                    await tray.put(message(), connection=connection)
                    await connection.commit()

    asyncio.run(main())
    assert total(outbox) == 1


def test_who_has_read_before_is_told_how_to_begin(outbox: Outbox) -> None:
    """SQLite lets nobody wait who has a view already: the other is about to change it."""
    connection = sqlite3.connect(outbox.database.place, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM mw_message").fetchall()
    with somebody_writes(outbox, 0.02), pytest.raises(OutboxUnavailable, match="BEGIN IMMEDIATE"):
        outbox.put(message(), connection=connection)
    connection.rollback()
    connection.execute("BEGIN IMMEDIATE")
    outbox.put(message(), connection=connection)
    connection.commit()
    connection.close()
    assert total(outbox) == 1


def test_a_connection_that_takes_no_writes_is_told_so(outbox: Outbox) -> None:
    place = Path(outbox.database.place)
    for connection in (sqlite3.connect(f"{place.as_uri()}?mode=ro", uri=True), sqlite3.connect(place)):
        connection.execute("PRAGMA query_only = ON")
        for begin in ("", "BEGIN"):
            connection.execute(begin)
            with pytest.raises(OutboxUnavailable, match=r"takes no writes .* mode=ro and PRAGMA query_only"):
                outbox.put(message(), connection=connection)
            connection.rollback()
        connection.close()


class _Stubborn(sqlite3.Connection):
    def cursor(self) -> Any:  # type: ignore[override]
        return super().cursor()


def test_a_class_of_the_applications_own_may_have_another_cursor(outbox: Outbox) -> None:
    connection = sqlite3.connect(outbox.database.place, factory=_Stubborn)
    outbox.put(message(), connection=connection)
    connection.commit()
    connection.close()
    assert total(outbox) == 1
