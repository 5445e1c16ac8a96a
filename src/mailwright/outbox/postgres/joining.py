"""The application's own connection to the outbox's database, of psycopg 3."""

from __future__ import annotations

from contextlib import suppress

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus

from mailwright.outbox.asking import Query, perform, perform_async, uninterrupted
from mailwright.outbox.joining import as_savepoint, as_transaction, other_database, other_driver
from mailwright.outbox.postgres.connecting import check_durable
from mailwright.outbox.postgres.meanings import read_only_place, unavailable
from mailwright.outbox.postgres.session import AsyncPostgresSession, PostgresSession
from mailwright.words.errors import OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from mailwright.outbox.postgres.engine import AsyncPostgresDatabase, PostgresDatabase
    from mailwright.steps import Plan

    T = TypeVar("T")

WHOSE = """SELECT value, pg_is_in_recovery(), current_setting('transaction_read_only'), current_setting('fsync'),
current_setting('full_page_writes'), current_setting('synchronous_commit') FROM mw_meta WHERE name = 'identity'"""


def perform_joined(
    connection: Any, database: PostgresDatabase | AsyncPostgresDatabase, make: Callable[[], Plan[T]]
) -> T:
    """Perform the plan as part of the application's transaction. Raises `OutboxUnavailable`."""
    if not isinstance(connection, psycopg.Connection):
        raise other_driver(connection, database.place)
    begins = _begins(connection)
    try:
        session = PostgresSession(connection)
        return perform(_part(connection, database, make), session)
    except BaseException as problem:
        with suppress(psycopg.Error):
            if _stuck(connection):
                connection.close()
            elif begins and not connection.closed:
                connection.rollback()
        if isinstance(problem, psycopg.Error):
            raise _unavailable(problem, database.place) from problem
        raise


async def perform_joined_async(
    connection: Any, database: PostgresDatabase | AsyncPostgresDatabase, make: Callable[[], Plan[T]]
) -> T:
    """The same; a blocking connection is used as it is, and holds up the loop for as long as its put takes."""
    if not isinstance(connection, psycopg.AsyncConnection):
        return perform_joined(connection, database, make)
    begins = _begins(connection)
    try:
        session = AsyncPostgresSession(connection)
        return await perform_async(_part(connection, database, make), session)
    except GeneratorExit:
        raise
    except BaseException as problem:
        with suppress(psycopg.Error):
            if _stuck(connection):
                await uninterrupted(connection.close())
            elif begins and not connection.closed:
                await uninterrupted(connection.rollback())
        if isinstance(problem, psycopg.Error):
            raise _unavailable(problem, database.place) from problem
        raise


def _begins(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> bool:
    """Whether psycopg will begin a transaction with the first statement, which the application then commits."""
    if not connection.closed and connection.pgconn.pipeline_status != PipelineStatus.OFF:
        what = "The connection given is in pipeline mode, in which nothing is answered before the pipeline ends."
        raise OutboxUnavailable(what, "Put before or after the block of connection.pipeline().")
    return not connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE


def _stuck(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> bool:
    """Whether it was interrupted so that psycopg left its statement running: it is good for nothing any more."""
    return bool(connection.info.transaction_status == TransactionStatus.ACTIVE)


async def _part(connection: Any, database: PostgresDatabase | AsyncPostgresDatabase, make: Callable[[], Plan[T]]) -> T:
    """The plan, after a look at the connection, as what `mailwright.outbox.joining` says."""

    async def checked() -> T:
        await _check(database)
        return await make()

    if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        return await as_transaction(checked, "BEGIN", commit=True)
    return await as_savepoint(checked)


async def _check(database: PostgresDatabase | AsyncPostgresDatabase) -> None:
    """Look whether the connection is to this database, and keeps what it commits."""
    try:
        whose = await Query(WHOSE, {})
    except psycopg.errors.UndefinedTable:  # undone with the savepoint, or the transaction, that it is in
        raise other_database(database.place) from None
    if not whose or whose[0][0] != database.identity:
        raise other_database(database.place)
    replica, read_only, *settings = whose[0][1:]
    if replica:
        raise read_only_place(database.place)
    if read_only == "on":
        what = "The transaction given is READ ONLY, so nothing can be put in it."
        raise OutboxUnavailable(what, "Begin it READ WRITE; look also at read_only of the connection.")
    if database.durable:
        check_durable("the connection given", *settings)


def _unavailable(problem: psycopg.Error, place: str) -> OutboxUnavailable:
    if isinstance(problem, psycopg.errors.InFailedSqlTransaction):
        what = "A statement failed before in the transaction given, so that nothing can be added to it."
        return OutboxUnavailable(what, "Roll it back and do it again.")
    return unavailable(problem, place)
