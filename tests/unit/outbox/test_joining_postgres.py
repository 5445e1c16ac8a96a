"""A put inside the application's transaction on PostgreSQL, through everything that people connect with."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
import sqlalchemy.ext.asyncio
from sqlalchemy.orm import Session

from mailwright.errors import MessageError, OutboxUnavailable
from mailwright.outbox import AsyncOutbox, Outbox
from tests.servers.postgres import PostgresServer
from tests.unit.outbox.steps import message, total


@pytest.fixture
def tray(postgres_url: str) -> Iterator[Outbox]:
    with Outbox(postgres_url) as made:
        yield made


def dialect(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


def test_psycopg(tray: Outbox, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:  # psycopg begins by itself
        tray.put(message(), connection=connection)
        assert total(tray) == 0
        connection.rollback()
        with pytest.raises(MessageError):
            tray.put(message(to="no address"), connection=connection)
        tray.put(message(), connection=connection)
        connection.commit()
        assert total(tray) == 1
        with connection.transaction():
            tray.put(message(), connection=connection)
            assert total(tray) == 1
        assert total(tray) == 2
        connection.autocommit = True
        tray.put(message(), connection=connection)
        assert total(tray) == 3


def test_a_put_that_fails_leaves_the_transaction_whole(tray: Outbox, postgres_url: str) -> None:
    async def wrong() -> None:
        await tray.store.set_meta("epoch", "77")
        await tray.store.set_meta("epoch", None)  # type: ignore[arg-type]

    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE orders (id int)")
        with pytest.raises(OutboxUnavailable):
            tray.database.joined(connection, wrong)
        tray.put(message(), connection=connection)
        connection.commit()
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (0,)
    assert total(tray) == 1 and tray.stats().epoch == 1


def test_another_database_is_refused_and_the_transaction_goes_on(
    tray: Outbox, postgres: PostgresServer, outbox: Outbox, tmp_path: Path
) -> None:
    other = postgres.database()
    with psycopg.connect(other) as connection:
        connection.execute("CREATE TABLE orders (id int)")
        with pytest.raises(OutboxUnavailable, match="another database"):
            tray.put(message(), connection=connection)
        connection.commit()
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (0,)
        with pytest.raises(OutboxUnavailable, match="is one of psycopg, and the outbox is in .*mail.db"):
            outbox.put(message(), connection=connection)
    postgres.drop(other)
    plain = sqlite3.connect(tmp_path / "mail.db")
    with pytest.raises(OutboxUnavailable, match="is one of sqlite3"):
        tray.put(message(), connection=plain)
    plain.close()


def test_what_may_lose_commits_or_is_lost_already_is_refused(tray: Outbox, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("SET synchronous_commit = off")
        with pytest.raises(OutboxUnavailable, match="synchronous_commit is off"):
            tray.put(message(), connection=connection)
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT nothing")
        with pytest.raises(OutboxUnavailable, match="failed before in the transaction given"):
            tray.put(message(), connection=connection)
    assert total(tray) == 0


def test_sqlalchemy(tray: Outbox, postgres_url: str) -> None:
    engine = sqlalchemy.create_engine(dialect(postgres_url))
    with engine.connect() as connection:
        tray.put(message(), connection=connection)
        connection.rollback()
        tray.put(message(), connection=connection)
        connection.commit()
    with engine.begin() as connection, connection.begin_nested():
        tray.put(message(), connection=connection)
    with Session(engine) as session:
        tray.put(message(), connection=session)
        assert total(tray) == 2
        session.commit()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        tray.put(message(), connection=connection)
    assert total(tray) == 4
    engine.dispose()


def test_asyncio(tray: Outbox, postgres_url: str) -> None:
    async def main() -> None:
        engine = sqlalchemy.ext.asyncio.create_async_engine(dialect(postgres_url))
        async with AsyncOutbox(postgres_url) as outbox:
            async with engine.begin() as connection:
                await outbox.put(message(), connection=connection)
                assert total(tray) == 0
            async with sqlalchemy.ext.asyncio.AsyncSession(engine) as session:
                await outbox.put(message(), connection=session)
                await session.rollback()
                await outbox.put(message(), connection=session)
                await session.commit()
            async with await psycopg.AsyncConnection.connect(postgres_url) as plain:
                await outbox.put(message(), connection=plain)
                await plain.rollback()
                await outbox.put(message(), connection=plain)
            assert len(set(await asyncio.gather(*[outbox.put(message(), key="k") for _ in range(50)]))) == 1
        await engine.dispose()

    asyncio.run(main())
    assert total(tray) == 4


def test_django(tray: Outbox, postgres_url: str, djangos: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import django.db.transaction
    from django.db.utils import ConnectionHandler

    parts = psycopg.conninfo.conninfo_to_dict(postgres_url)
    names = {"NAME": "dbname", "USER": "user", "HOST": "host", "PORT": "port"}
    given = {name: str(parts[key]) for name, key in names.items() if key in parts}
    handler = ConnectionHandler({"default": {"ENGINE": "django.db.backends.postgresql", **given}})
    monkeypatch.setattr(django.db.transaction, "get_connection", lambda using=None: handler["default"])
    connection, atomic = handler["default"], django.db.transaction.atomic
    try:
        tray.put(message(), connection=connection)
        with atomic():
            tray.put(message(), connection=connection)
            assert total(tray) == 1
            with pytest.raises(ZeroDivisionError), atomic():
                tray.put(message(), connection=connection)
                raise ZeroDivisionError
        assert total(tray) == 2
    finally:
        handler.close_all()
