"""A put inside a transaction of the application: which connections are taken, and how it becomes part of them.

=========================  ================================================================================
given                      what happens
=========================  ================================================================================
in a transaction           A savepoint in it. The message is there when the application commits; a put that
                           fails undoes itself alone, and the transaction can go on.
in autocommit              A transaction of the put's own, committed when it returns.
neither                    It begins the transaction, as any statement that writes would. The application
                           commits it, or the message is never there. This is how a connection of `sqlite3`
                           begins by default, of psycopg, and every one of SQLAlchemy.
=========================  ================================================================================

Taken are connections of ``sqlite3`` and psycopg 3, SQLAlchemy's ``Connection`` and ``Session`` (over one of these two
drivers), and Django's ``connection``; with `AsyncOutbox` also psycopg's ``AsyncConnection``, SQLAlchemy's
``AsyncConnection`` and ``AsyncSession``, and ``aiosqlite``. None of these packages is imported: they are known by what
they bring. Each time the put reads on the connection that it is one to the outbox's own database, and that a commit on
it is on the disk when it returns; what is not so is refused.
"""

from __future__ import annotations

from mailwright.outbox.asking import Query
from mailwright.words.errors import OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from mailwright.steps import Plan

    T = TypeVar("T")

SAVEPOINT = ("SAVEPOINT mw_put", "RELEASE SAVEPOINT mw_put", "ROLLBACK TO SAVEPOINT mw_put")


async def as_savepoint(make: Callable[[], Plan[T]]) -> T:
    """The plan inside a savepoint of the transaction that is open."""
    set_up, keep, undo = SAVEPOINT
    try:
        await Query(set_up, {})
        result = await make()
        await Query(keep, {})
    except GeneratorExit:
        raise
    except BaseException:
        await _undo(undo, keep)
        raise
    return result


async def as_transaction(make: Callable[[], Plan[T]], begin: str, commit: bool) -> T:
    """The plan inside a transaction that it begins, and commits if `commit` says so; else whoever owns the connection
    does that.
    """
    try:
        await Query(begin, {})
        result = await make()
        if commit:
            await Query("COMMIT", {})
    except GeneratorExit:
        raise
    except BaseException:
        await _undo("ROLLBACK")
        raise
    return result


async def _undo(*statements: str) -> None:
    """Each of them, and again where somebody interrupts it: who commits the rest must find nothing of half a put. What
    fails has nothing to undo: the beginning failed before, or the database has rolled back by itself.
    """
    for statement in statements:
        while True:
            try:
                await Query(statement, {})
            except GeneratorExit:
                raise
            except Exception:
                break
            except BaseException:
                continue
            break


def packages_of(connection: object) -> set[str]:
    """The packages that the class of a connection and its bases come from."""
    return {cls.__module__.partition(".")[0] for cls in type(connection).__mro__}


def driver_connection(connection: Any) -> Any:
    """The driver's own connection below what the application gave, with whatever lies between told that a transaction
    begins. Raises `OutboxUnavailable` for what is no connection.
    """
    packages = packages_of(connection)
    if "sqlalchemy" in packages:
        return _below_sqlalchemy(connection)
    if hasattr(connection, "ensure_connection"):  # Django's, which is a proxy, or a class of another package
        connection.validate_no_broken_transaction()
        connection.ensure_connection()
        return connection.connection
    if packages & {"sqlite3", "psycopg"}:
        return connection
    raise _no_connection(connection)


def _below_sqlalchemy(given: Any) -> Any:
    if hasattr(given, "run_sync"):
        raise OutboxUnavailable(f"A {type(given).__name__} is asynchronous.", "Use AsyncOutbox, and await its put.")
    if hasattr(given, "driver_connection"):  # of Engine.raw_connection()
        return given.driver_connection
    connection = given.connection() if callable(getattr(given, "connection", None)) else given  # of a Session
    if not hasattr(connection, "exec_driver_sql"):
        raise _no_connection(given)
    if not connection.in_transaction():
        connection.begin()  # or it would commit nothing, since it did not see that anything began
    return connection.connection.driver_connection


async def async_driver_connection(connection: Any) -> Any:
    """The same for `AsyncOutbox`; a blocking connection is taken as well."""
    if "sqlalchemy" in packages_of(connection) and hasattr(connection, "run_sync"):
        if not hasattr(connection, "get_raw_connection"):  # an AsyncSession
            connection = await connection.connection()
        if not connection.in_transaction():
            await connection.begin()
        return (await connection.get_raw_connection()).driver_connection
    if packages_of(connection) & {"aiosqlite"}:
        return connection
    return driver_connection(connection)


def _no_connection(given: object) -> OutboxUnavailable:
    kind = f"{type(given).__module__}.{type(given).__qualname__}"
    return OutboxUnavailable(
        f"A {kind} is no connection that an outbox can join.",
        "Give one of sqlite3, psycopg 3, SQLAlchemy (connection or session) or Django.",
    )


def other_driver(connection: object, place: str) -> OutboxUnavailable:
    """The error for a connection of another engine or driver than that of the outbox in `place`."""
    kind = type(connection).__module__.partition(".")[0]
    return OutboxUnavailable(
        f"The connection given is one of {kind}, and the outbox is in {place}.",
        "Give a connection to that database, of sqlite3 or psycopg 3, so that both are committed together.",
    )


def other_database(place: str) -> OutboxUnavailable:
    """The error for a connection to another database than the outbox's."""
    return OutboxUnavailable(
        f"The connection given is to another database than the outbox's, which is {place}.",
        "Give one to the same, or leave connection out: two databases can't be committed together.",
    )
