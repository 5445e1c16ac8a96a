"""A put inside the application's transaction: both are committed, or neither is."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import aiosqlite
import pytest
import sqlalchemy
import sqlalchemy.ext.asyncio
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from mailwright.errors import MessageError, OutboxUnavailable
from mailwright.outbox import AsyncOutbox, Outbox
from mailwright.outbox.suppressing import suppress
from tests.unit.outbox.steps import message, total


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "mail.db"


@pytest.fixture
def connect(place: Path, outbox: Outbox) -> Iterator[Callable[..., sqlite3.Connection]]:
    made: list[sqlite3.Connection] = []

    def connect(**options: object) -> sqlite3.Connection:
        made.append(sqlite3.connect(place, **options))  # type: ignore[call-overload]
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


# sqlite3


@pytest.mark.parametrize("level", ["", "IMMEDIATE", "DEFERRED"])
def test_a_connection_that_begins_by_itself_is_committed_by_the_application(
    outbox: Outbox, connect: Callable[..., sqlite3.Connection], level: str
) -> None:
    connection = connect(isolation_level=level)
    outbox.put(message(), connection=connection)
    assert connection.in_transaction and total(outbox) == 0
    connection.rollback()
    assert total(outbox) == 0
    outbox.put(message(), connection=connection)
    connection.commit()
    assert total(outbox) == 1


def test_in_autocommit_the_put_commits(outbox: Outbox, connect: Callable[..., sqlite3.Connection]) -> None:
    connection = connect(isolation_level=None)
    outbox.put(message(), connection=connection)
    assert not connection.in_transaction and total(outbox) == 1


if sys.version_info >= (3, 12):  # with which Connection.autocommit came

    @pytest.mark.parametrize("autocommit", [True, False])
    def test_the_newer_autocommit_is_understood(
        outbox: Outbox, connect: Callable[..., sqlite3.Connection], autocommit: bool
    ) -> None:
        connection = connect(autocommit=autocommit)
        outbox.put(message(), connection=connection)
        assert total(outbox) == int(autocommit)
        connection.commit()
        assert total(outbox) == 1


@pytest.mark.parametrize("level", ["", None])
def test_inside_a_transaction_a_put_that_fails_undoes_itself_alone(
    outbox: Outbox, connect: Callable[..., sqlite3.Connection], level: str | None
) -> None:
    connection = connect(isolation_level=level)
    connection.execute("CREATE TABLE orders (id)")
    connection.commit()
    connection.execute("BEGIN")
    connection.execute("INSERT INTO orders VALUES (1)")
    outbox.put(message(), connection=connection)
    with pytest.raises(MessageError):
        outbox.put(message(to="no address"), connection=connection)
    with pytest.raises(sqlite3.IntegrityError):
        _put_wrongly(outbox, connection)
    connection.execute("INSERT INTO orders VALUES (2)")
    assert connection.in_transaction
    connection.commit()
    assert total(outbox) == 1 and connection.execute("SELECT count(*) FROM orders").fetchone() == (2,)


def _put_wrongly(outbox: Outbox, connection: sqlite3.Connection) -> None:
    """A plan that writes something and then fails in the database."""

    async def wrong() -> None:
        await outbox.store.set_meta("epoch", "77")
        await outbox.store.set_meta("epoch", None)  # type: ignore[arg-type]

    try:
        outbox.database.joined(connection, wrong)
    except OutboxUnavailable as problem:
        assert problem.__cause__ is not None
        raise problem.__cause__ from None
    finally:
        assert outbox.stats().epoch == 1


def test_rows_and_text_as_the_application_has_them_do_no_harm(
    outbox: Outbox, connect: Callable[..., sqlite3.Connection]
) -> None:
    connection = connect()
    connection.row_factory, connection.text_factory = (lambda *row: {"row": row}), bytes
    outbox.database.write(lambda: suppress(outbox.store, ["eve@example.com"], "bounced"))
    first = outbox.put(message(to=["bob@example.net", "eve@example.com"]), key="k", connection=connection)
    assert outbox.put(message(to=["bob@example.net", "eve@example.com"]), key="k", connection=connection) == first
    connection.commit()
    assert [one.text for one in outbox.status(first).deliveries] == ["", "bounced"]
    found = connection.execute("SELECT 'x'").fetchone()
    assert found["row"][1] == (b"x",)  # theirs again


def test_many_may_be_joined(outbox: Outbox, connect: Callable[..., sqlite3.Connection]) -> None:
    connection = connect()
    outbox.put_many((message(f"Number {n}") for n in range(1100)), connection=connection)
    assert total(outbox) == 0
    connection.commit()
    assert total(outbox) == 1100


# What is refused


def test_another_database_is_refused(
    outbox: Outbox, connect: Callable[..., sqlite3.Connection], tmp_path: Path
) -> None:
    with Outbox(tmp_path / "other.db"):
        pass
    for wrong in (sqlite3.connect(tmp_path / "other.db"), sqlite3.connect(":memory:")):
        with pytest.raises(OutboxUnavailable, match="another database than the outbox's"):
            outbox.put(message(), connection=wrong)
        assert not wrong.in_transaction
        wrong.close()
    connect().execute("VACUUM INTO ?", (str(tmp_path / "backup.db"),))
    copy = sqlite3.connect(tmp_path / "backup.db")  # which has the same identity
    with pytest.raises(OutboxUnavailable, match="another database"):
        outbox.put(message(), connection=copy)
    copy.close()
    attached = sqlite3.connect(tmp_path / "app.db")
    attached.execute("ATTACH ? AS mail", (str(tmp_path / "mail.db"),))
    with pytest.raises(OutboxUnavailable, match="another database"):
        outbox.put(message(), connection=attached)
    attached.close()


def test_a_connection_that_may_lose_commits_is_refused_unless_that_is_wanted(
    outbox: Outbox, connect: Callable[..., sqlite3.Connection], place: Path
) -> None:
    connection = connect()
    connection.execute("PRAGMA synchronous = NORMAL")
    with pytest.raises(OutboxUnavailable, match=r"may lose what it committed .* PRAGMA synchronous = FULL"):
        outbox.put(message(), connection=connection)
    with Outbox(place, durable=False) as relaxed:
        relaxed.put(message(), connection=connection)
    connection.commit()
    assert total(outbox) == 1


def test_what_is_no_connection_is_refused(outbox: Outbox) -> None:
    for wrong in (object(), "sqlite:///mail.db", 7):
        with pytest.raises(OutboxUnavailable, match="is no connection that an outbox can join"):
            outbox.put(message(), connection=wrong)


def test_a_transaction_that_read_before_another_wrote_says_what_to_do(
    outbox: Outbox, connect: Callable[..., sqlite3.Connection]
) -> None:
    connection = connect(isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM mw_message").fetchall()
    outbox.put(message())
    with pytest.raises(OutboxUnavailable, match="another has written since.*BEGIN IMMEDIATE"):
        outbox.put(message(), connection=connection)


def test_a_closed_connection_is_an_error_of_ours(outbox: Outbox, connect: Callable[..., sqlite3.Connection]) -> None:
    connection = connect()
    connection.close()
    with pytest.raises(OutboxUnavailable):
        outbox.put(message(), connection=connection)


# SQLAlchemy


@pytest.fixture
def engine(place: Path, outbox: Outbox) -> Iterator[sqlalchemy.Engine]:
    made = sqlalchemy.create_engine(f"sqlite:///{place}")
    yield made
    made.dispose()


def test_sqlalchemy_connections(outbox: Outbox, engine: sqlalchemy.Engine) -> None:
    with engine.connect() as connection:  # nothing was begun: the put must do that so that commit() commits
        outbox.put(message(), connection=connection)
        assert total(outbox) == 0
        connection.commit()
    assert total(outbox) == 1
    with engine.begin() as connection:
        outbox.put(message(), connection=connection)
    assert total(outbox) == 2
    with pytest.raises(ZeroDivisionError), engine.begin() as connection:
        outbox.put(message(), connection=connection)
        raise ZeroDivisionError
    with engine.connect() as connection:
        outbox.put(message(), connection=connection)  # never committed
    assert total(outbox) == 2
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        outbox.put(message(), connection=connection)
    assert total(outbox) == 3


def test_sqlalchemy_savepoints(outbox: Outbox, engine: sqlalchemy.Engine) -> None:
    with engine.begin() as connection:
        outbox.put(message("kept"), connection=connection)
        inner = connection.begin_nested()
        outbox.put(message("undone"), connection=connection)
        inner.rollback()
    assert total(outbox) == 1


def test_sqlalchemy_sessions(outbox: Outbox, engine: sqlalchemy.Engine) -> None:
    with Session(engine) as session:
        outbox.put(message(), connection=session)
        session.rollback()
        assert total(outbox) == 0
        outbox.put(message(), connection=session)
        session.commit()
        assert total(outbox) == 1
        with session.begin():
            session.execute(sqlalchemy.text("SELECT 1"))
            outbox.put(message(), connection=session)
    assert total(outbox) == 2
    scoped = scoped_session(sessionmaker(engine))
    outbox.put(message(), connection=scoped)
    scoped.commit()
    scoped.remove()
    assert total(outbox) == 3
    raw = engine.raw_connection()
    outbox.put(message(), connection=raw)
    raw.commit()
    raw.close()
    assert total(outbox) == 4


def test_sqlalchemy_async(outbox: Outbox, place: Path) -> None:
    async def main() -> None:
        engine = sqlalchemy.ext.asyncio.create_async_engine(f"sqlite+aiosqlite:///{place}")
        async with AsyncOutbox(place) as tray:
            async with engine.connect() as connection:
                await tray.put(message(), connection=connection)
                await connection.rollback()
                await tray.put(message(), connection=connection)
                assert total(outbox) == 0
                await connection.commit()
            async with sqlalchemy.ext.asyncio.AsyncSession(engine) as session:
                await tray.put(message(), connection=session)
                await session.rollback()
                await tray.put_many([message(), message()], connection=session)
                await session.commit()
            with pytest.raises(OutboxUnavailable, match="asynchronous"):
                async with engine.connect() as connection:
                    outbox.put(message(), connection=connection)
        await engine.dispose()

    asyncio.run(main())
    assert total(outbox) == 3


# aiosqlite, and a blocking connection in an async program


def test_aiosqlite(outbox: Outbox, place: Path) -> None:
    async def main() -> None:
        async with AsyncOutbox(place) as tray, aiosqlite.connect(place) as connection:
            connection.row_factory = sqlite3.Row
            await tray.put(message(), connection=connection)
            await connection.rollback()
            await tray.put(message(), connection=connection, key="k")
            await tray.put(message(), connection=connection, key="k")
            assert total(outbox) == 0
            await connection.commit()
            assert connection.row_factory is sqlite3.Row
            async with aiosqlite.connect(place, isolation_level=None) as free:
                await tray.put(message(), connection=free)
            blocking = sqlite3.connect(place)
            await tray.put(message(), connection=blocking)
            blocking.commit()
            blocking.close()

    asyncio.run(main())
    assert total(outbox) == 3


def test_a_closed_connection_of_aiosqlite_is_an_error_of_ours(outbox: Outbox, place: Path) -> None:
    async def main() -> None:
        connection = await aiosqlite.connect(place)
        await connection.close()
        async with AsyncOutbox(place) as tray:
            with pytest.raises(OutboxUnavailable, match="connection given can't be used"):
                await tray.put(message(), connection=connection)

    asyncio.run(main())


# Django


def test_django(outbox: Outbox, place: Path, djangos: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import django.db.transaction
    from django.db.utils import ConnectionHandler
    from django.utils.connection import ConnectionProxy

    handler = ConnectionHandler({"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(place)}})
    monkeypatch.setattr(django.db.transaction, "get_connection", lambda using=None: handler["default"])
    atomic = django.db.transaction.atomic
    connection, proxy = handler["default"], ConnectionProxy(handler, "default")
    try:
        outbox.put(message(), connection=connection)  # autocommit is Django's default
        assert total(outbox) == 1
        connection.set_autocommit(False)
        outbox.put(message(), connection=proxy)
        connection.rollback()
        outbox.put(message(), connection=proxy)
        connection.commit()
        connection.set_autocommit(True)
        assert total(outbox) == 2
        with atomic():
            outbox.put(message(), connection=connection)
            assert total(outbox) == 2
        assert total(outbox) == 3
        with pytest.raises(ZeroDivisionError), atomic():
            outbox.put(message(), connection=connection)
            raise ZeroDivisionError
        assert total(outbox) == 3
    finally:
        handler.close_all()
