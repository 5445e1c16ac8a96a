"""What only PostgreSQL has: settings, lost connections, waking, and statements written a second time."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from mailwright.errors import ConfigError, OutboxUnavailable
from mailwright.outbox.asking import Query
from mailwright.outbox.database import CommitUnknown
from mailwright.outbox.migrating import apart
from mailwright.outbox.outbox import Outbox
from mailwright.outbox.statements import POSTGRES, SQLITE, schema, statements
from tests.outbox.conformance.trays import BlockingTray, letter
from tests.servers.postgres import PostgresServer

psycopg = pytest.importorskip("psycopg")

#: What SQLite does with other statements, row by row.
SQLITE_ALONE = {"add_message", "add_delivery", "add_outcome", "finished"}
POSTGRES_ALONE = {"add_messages", "add_one", "claim_new", "destinations", "forgotten", "ring"}


@pytest.fixture
def connection(postgres_url: str) -> Iterator[Any]:
    """A connection to a database with an outbox."""
    Outbox(postgres_url).close()
    with psycopg.connect(postgres_url, autocommit=True) as made:
        yield made


# Written twice


def test_both_engines_have_the_same_statements() -> None:
    ours, theirs = set(statements(POSTGRES)), set(statements(SQLITE))
    assert theirs - ours <= SQLITE_ALONE and ours - theirs <= POSTGRES_ALONE


def test_every_statement_is_one_that_postgres_understands(connection: Any) -> None:
    wrong = []
    for name in sorted(set(statements(POSTGRES)) - SQLITE_ALONE):
        text = statements(POSTGRES)[name].replace("{conditions}", "1 = 1")
        places: dict[str, int] = {}
        plain = re.sub(
            r"%\((\w+)\)s", lambda found, places=places: f"${places.setdefault(found[1], len(places) + 1)}", text
        )
        try:
            connection.execute(f"PREPARE {name}_ AS {plain}".encode())
        except psycopg.Error as problem:
            wrong.append(f"{name}: {problem}")
    assert wrong == []


def test_both_schemas_have_the_same_tables_and_columns(connection: Any) -> None:
    found = connection.execute(
        "SELECT table_name, column_name, is_nullable FROM information_schema.columns"
        " WHERE table_name LIKE 'mw\\_%' AND table_name <> 'mw_status'"
    ).fetchall()
    with closing(sqlite3.connect(":memory:")) as other:
        for statement in apart(schema(SQLITE, 1)):
            other.execute(statement)
        tables = [name for (name,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {(table, row[1]) for table in tables for row in other.execute(f"PRAGMA table_info({table})")}
    assert {(table, column) for table, column, _ in found} == columns


def test_the_view_for_people(postgres_url: str) -> None:
    tray = BlockingTray(postgres_url)
    id = tray.put(letter(["bob@example.net", "eve@example.net"]), lane="bulk")
    rows = sorted(tray.claim(lane=2), key=lambda row: row.n)
    tray.settle(rows[:1], code=250, text="Ok")
    seen = tray.query("SELECT id, rcpt, lane, state, code, due IS NULL, ended IS NULL FROM mw_status ORDER BY n")
    digits = id.replace("-", "")
    assert seen == [
        (digits, "bob@example.net", "bulk", "sent", 250, True, False),
        (digits, "eve@example.net", "bulk", "leased", 0, False, True),
    ]
    tray.close()


# Settings


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("synchronous_commit = off", "synchronous_commit is off"),
        ("default_transaction_read_only = on", "takes no writes"),
        ("client_encoding = 'latin1'", None),
    ],
)
def test_settings_of_the_database(postgres: PostgresServer, postgres_url: str, setting: str, said: str | None) -> None:
    Outbox(postgres_url).close()
    postgres.run(f"ALTER DATABASE {postgres_url.rpartition('/')[2]} SET {setting}")
    if said is None:
        with Outbox(postgres_url) as outbox:  # what we connect with says otherwise
            assert outbox.status(outbox.put(letter(text="Grüße")))
    else:
        with pytest.raises(OutboxUnavailable, match=said):
            Outbox(postgres_url)


def test_a_database_of_another_encoding_is_refused(postgres: PostgresServer) -> None:
    postgres.run("CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII'")
    try:
        with pytest.raises(OutboxUnavailable, match="UTF8"):
            Outbox(postgres.url("ascii"))
    finally:
        postgres.drop(postgres.url("ascii"))


def test_a_connection_that_speaks_another_encoding_is_refused(postgres_url: str) -> None:
    with Outbox(postgres_url) as outbox, psycopg.connect(postgres_url, client_encoding="latin1") as connection:
        with pytest.raises(OutboxUnavailable, match="UTF-8"):
            outbox.put(letter(), connection=connection)
        assert outbox.stats().counts.get("queued", 0) == 0


def test_no_server_no_database_no_user(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailwright.outbox.postgres.engine.PATIENCE", 0.05)
    with pytest.raises(OutboxUnavailable, match="no such database"):
        Outbox(postgres.url("nowhere"))
    with pytest.raises(OutboxUnavailable, match="let this user in"):
        Outbox(postgres.url().replace("mailwright@", "nobody-knows:s3cret@"))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(OutboxUnavailable, match="can't be reached") as problem:
            Outbox(f"postgresql://ada:s3cret@127.0.0.1:{unused.getsockname()[1]}/mail")
    assert "s3cret" not in str(problem.value)


@pytest.mark.parametrize(
    "url", ["postgresql://h/d?prepare_threshold=x", "postgresql://h/d?colour=blue", "postgresql://%zz"]
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ConfigError):
        Outbox(url)


def test_tables_without_rights(postgres: PostgresServer, postgres_url: str) -> None:
    Outbox(postgres_url).close()
    postgres.run("CREATE ROLE guest LOGIN")
    try:
        with pytest.raises(OutboxUnavailable, match="right"):
            Outbox(postgres_url.replace("mailwright@", "guest@"))
    finally:
        postgres.run("DROP ROLE guest")


def test_two_who_make_the_tables_at_once(postgres_url: str) -> None:
    identities: list[str] = []
    ready = threading.Barrier(4)

    def begin() -> None:
        ready.wait()
        with Outbox(postgres_url) as outbox:
            identities.append(outbox.database.identity)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(identities) == 4 and len(set(identities)) == 1


# Lost connections


def end_all(postgres: PostgresServer, url: str) -> None:
    """Cut every connection to a database, as a failover or an administrator does."""
    name = url.rpartition("/")[2]
    postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


def test_after_the_connections_were_cut_it_goes_on(postgres: PostgresServer, postgres_url: str) -> None:
    with Outbox(postgres_url) as outbox:
        ids = [outbox.put(letter(text="before"))]
        for n in range(3):
            end_all(postgres, postgres_url)
            ids.append(outbox.put(letter(text=str(n)), key=f"k{n}"))
        assert [outbox.status(id).deliveries[0].state.name for id in ids] == ["queued"] * 4
        assert outbox.stats().counts["queued"] == 4


NAMED = re.compile(rb"P.{4}([^\0]+)\0[^\0]*$", re.DOTALL)  # a statement that is given a name, and its text up to here


class Cutter:
    """A way to the server that is cut once: after a statement with `mark` was passed on to be performed, by its text or
    by the name under which it was prepared, and the server has answered.
    """

    def changed(self, octets: bytes) -> bytes:
        """What the server said, as it is passed on."""
        return octets

    def __init__(self, port: int, mark: bytes) -> None:
        self._port, self._mark = port, mark
        self.cuts = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        self._open: list[socket.socket] = []

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            self._open += [client, server]
            silent = threading.Event()
            for act in ((client, server, silent, True), (server, client, silent, False)):
                thread = threading.Thread(target=self._pass, args=act, daemon=True)
                thread.start()
                self._threads.append(thread)

    def _is_marked(self, octets: bytes, names: set[bytes]) -> bool:
        """Whether the statement is performed; a name that it gets for later is noted."""
        before, mark, _ = octets.partition(self._mark)
        if not mark:
            return any(b"\0%b\0" % name in octets for name in names)
        if (named := NAMED.search(before)) is not None:
            names.add(named[1])
        return named is None

    def _pass(self, origin: socket.socket, target: socket.socket, silent: threading.Event, forth: bool) -> None:
        names: set[bytes] = set()
        try:
            while octets := origin.recv(1 << 16):
                if forth and self._is_marked(octets, names) and not self.cuts:
                    self.cuts += 1
                    silent.set()
                if not forth and silent.is_set():
                    break  # the answer is there, and nobody gets it
                target.sendall(octets if forth else self.changed(octets))
        except OSError:
            pass
        for end in (origin, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self) -> None:
        self._server.close()
        for one in self._open:
            one.close()
        for thread in self._threads[1:]:
            thread.join(5)


@pytest.mark.parametrize("mark", [b"INSERT INTO mw_message", b"COMMIT"], ids=["single statement", "commit"])
def test_what_was_committed_unseen_is_looked_up_and_not_put_twice(
    postgres: PostgresServer, postgres_url: str, mark: bytes
) -> None:
    Outbox(postgres_url).close()
    cutter = Cutter(postgres.port, mark)
    with Outbox(postgres_url.replace(f":{postgres.port}/", f":{cutter.port}/")) as outbox:
        text = "x" * 300_000 if mark == b"COMMIT" else "short"  # a long one takes several statements
        id = outbox.put(letter(text=text))
        assert outbox.status(id).deliveries[0].state.name == "queued"
        assert outbox.stats().counts["queued"] == 1
    assert cutter.cuts == 1
    cutter.close()


def test_whoever_writes_otherwise_is_told_that_it_is_not_known(postgres: PostgresServer, postgres_url: str) -> None:
    Outbox(postgres_url).close()
    cutter = Cutter(postgres.port, b"COMMIT")
    with Outbox(postgres_url.replace(f":{postgres.port}/", f":{cutter.port}/")) as outbox:
        with pytest.raises(CommitUnknown, match="not known"):
            outbox.pause()
        assert outbox.paused
    cutter.close()


def test_a_transaction_that_others_were_in_the_way_of_is_repeated(postgres_url: str) -> None:
    """Two that lock two rows in opposite order: PostgreSQL ends one of them (40P01), and it is done again."""
    tray = BlockingTray(f"{postgres_url}?options=-c%20deadlock_timeout%3D20ms")
    other = tray.another()
    for name in ("a", "b"):
        tray.write(lambda name=name: tray.outbox.store.set_meta(name, ""))
    both = threading.Barrier(2)
    tries = [0, 0]

    def both_rows(place: int) -> Any:
        names = ("a", "b") if place else ("b", "a")
        mine = (tray, other)[place]

        async def plan() -> None:
            tries[place] += 1
            await mine.outbox.store.set_meta(names[0], str(place))
            if tries[place] == 1:
                await Query("SELECT 1", {})
                both.wait(10)
            await mine.outbox.store.set_meta(names[1], str(place))

        return lambda: mine.write(plan)

    thread = threading.Thread(target=both_rows(0))
    thread.start()
    both_rows(1)()
    thread.join()
    assert sorted(tries) == [1, 2]
    found = {tray.read(lambda name=name: tray.outbox.store.meta(name)) for name in ("a", "b")}
    assert len(found) == 1
    tray.close()


class Pool(Cutter):
    """A pool as it looks from outside: it names a server process that is none (the message BackendKeyData)."""

    def changed(self, octets: bytes) -> bytes:
        return re.sub(rb"K\0\0\0\x0c.{4}", b"K\\0\\0\\0\x0c\x7f\xff\xff\xff", octets, count=1, flags=re.DOTALL)


def test_where_a_pool_stands_between(postgres: PostgresServer, postgres_url: str) -> None:
    """Nothing is prepared and nothing is set that would outlast a transaction; a worker looks by itself."""
    from mailwright.outbox.postgres.desk import desk_of

    Outbox(postgres_url).close()
    pool = Pool(postgres.port, b"\0never\0")
    with Outbox(postgres_url.replace(f":{postgres.port}/", f":{pool.port}/")) as outbox:
        for n in range(12):
            outbox.put(letter(text=str(n)))
        assert outbox.database.write(prepared) == [(0,)]

        async def play() -> None:
            desk = await desk_of(outbox.database)
            try:
                inside = await desk.write(setting_inside)
                assert inside == "off" and await desk.read(setting) == "on"
                rows = await desk.write(lambda: desk.store.claim(b"w" * 16, "default", 1, {"example.net": 20}, 60.0))
                assert len(rows) == 12 and await desk.news(5)
                locks = await desk.read(advisory)
                assert locks == 0
            finally:
                await desk.close()

        asyncio.run(play())
    pool.close()


async def setting() -> str:
    return str((await Query("SELECT current_setting('enable_seqscan')", {}))[0][0])


async def setting_inside() -> str:
    await Query("UPDATE mw_meta SET value = value WHERE name = 'paused'", {})
    return await setting()


async def advisory() -> int:
    return int((await Query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", {}))[0][0])


def test_never_prepared_when_the_address_says_so(postgres_url: str) -> None:
    with Outbox(f"{postgres_url}?prepare_threshold=none") as outbox:
        for n in range(12):
            outbox.put(letter(text=str(n)))
        assert outbox.database.write(prepared) == [(0,)]


async def prepared() -> list[tuple[Any, ...]]:
    """How many statements are prepared on this connection."""
    return await Query("SELECT count(*)::int FROM pg_prepared_statements", {})


# Waking


def notified(connection: Any) -> int:
    """How many notifications came."""
    return len(list(connection.notifies(timeout=0.2)))


def test_nobody_is_woken_while_nobody_sleeps(postgres_url: str, connection: Any) -> None:
    connection.execute("LISTEN mailwright")
    with Outbox(postgres_url) as outbox:
        outbox.put(letter())
        assert notified(connection) == 0
        with psycopg.connect(postgres_url, autocommit=True) as sleeper:
            sleeper.execute("SELECT pg_advisory_lock_shared(1835100524)")
            outbox.put(letter())
            outbox.put_many([letter(text=str(n)) for n in range(2500)])
            sleeper.execute("SELECT pg_advisory_unlock_all()")
            assert notified(connection) == 4  # one for each transaction: there is one for every 1,000
        outbox.put(letter())
        assert notified(connection) == 0


async def asleep(desk: Any) -> None:
    """Until it has taken the looks that it takes before it sleeps."""
    while await desk.news(0.2):
        pass


def test_a_worker_is_woken_by_a_commit_and_not_before(postgres_url: str) -> None:
    from mailwright.outbox.postgres.desk import desk_of

    with Outbox(postgres_url) as outbox, psycopg.connect(postgres_url) as application:

        async def play() -> None:
            desk = await desk_of(outbox.database)
            try:
                await asleep(desk)
                waiting = asyncio.ensure_future(desk.news(30))
                await asyncio.sleep(0.1)
                outbox.put(letter(), connection=application)
                await asyncio.sleep(0.1)
                assert not waiting.done()
                application.commit()
                assert await asyncio.wait_for(waiting, 5)
                await asleep(desk)
            finally:
                await desk.close()

        asyncio.run(play())


def test_a_worker_whose_ear_is_cut_off_looks_by_itself(postgres: PostgresServer, postgres_url: str) -> None:
    from mailwright.outbox.postgres.desk import desk_of

    with Outbox(postgres_url) as outbox:

        async def play() -> None:
            desk = await desk_of(outbox.database)
            try:
                await asleep(desk)
                waiting = asyncio.ensure_future(desk.news(30))
                await asyncio.sleep(0.1)
                end_all(postgres, postgres_url)
                assert await asyncio.wait_for(waiting, 5)  # something may have been missed
                await asleep(desk)
                await desk.check()
            finally:
                await desk.close()

        asyncio.run(play())


def test_waiting_can_be_broken_off_at_any_time(postgres_url: str) -> None:
    from mailwright.outbox.postgres.desk import desk_of

    with Outbox(postgres_url) as outbox:

        async def play() -> None:
            desk = await desk_of(outbox.database)
            try:
                for n in range(40):
                    waiting = asyncio.ensure_future(desk.news(30))
                    await asyncio.sleep(n / 4000)
                    waiting.cancel()
                    await asyncio.wait((waiting,))
                await asleep(desk)
                waiting = asyncio.ensure_future(desk.news(30))
                outbox.put(letter())
                assert await asyncio.wait_for(waiting, 5)
            finally:
                await desk.close()

        asyncio.run(play())


def test_a_worker_notices_that_the_database_is_another_one(postgres_url: str) -> None:
    from mailwright.outbox.postgres.desk import desk_of

    tray = BlockingTray(postgres_url)

    async def play() -> None:
        desk = await desk_of(tray.outbox.database)
        try:
            await desk.write(lambda: tray.outbox.store.set_meta("identity", "another"))
            with pytest.raises(OutboxUnavailable, match="another database"):
                await desk.check()
        finally:
            await desk.close()

    asyncio.run(play())
    tray.close()


# Other doors to the same connection


def test_a_child_process_has_connections_of_its_own(postgres_url: str) -> None:
    with Outbox(postgres_url) as outbox:
        outbox.put(letter(text="before"))
        child = os.fork()
        if not child:
            status = 1
            try:
                for n in range(5):
                    outbox.put(letter(text=f"child {n}"))
                status = 0
            finally:
                os._exit(status)
        for n in range(5):
            outbox.put(letter(text=f"parent {n}"))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert outbox.stats().counts["queued"] == 11


def test_in_the_transaction_of_sqlalchemy(postgres_url: str) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    from sqlalchemy.orm import Session

    engine = sqlalchemy.create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    with Outbox(postgres_url) as outbox:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("CREATE TABLE orders (id int)"))
            outbox.put(letter(), connection=connection)
        with engine.connect() as connection:
            outbox.put(letter(), connection=connection)  # and no commit
        with Session(engine) as session:
            outbox.put(letter(), connection=session)
            session.execute(sqlalchemy.text("INSERT INTO orders VALUES (1)"))
            outbox.put(letter(), connection=session)
            session.rollback()
            outbox.put(letter(), connection=session)
            session.commit()
        assert outbox.stats().counts["queued"] == 2
    engine.dispose()


def test_in_the_transaction_of_asynchronous_sqlalchemy(postgres_url: str) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    from mailwright.outbox.aio import AsyncOutbox

    async def play() -> int:
        engine = create_async_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
        async with AsyncOutbox(postgres_url) as outbox:
            async with engine.begin() as connection:
                await connection.execute(sqlalchemy.text("CREATE TABLE orders (id int)"))
                await outbox.put(letter(), connection=connection)
            async with engine.connect() as connection:
                await outbox.put(letter(), connection=connection)  # and no commit
            async with AsyncSession(engine) as session:
                await outbox.put(letter(), connection=session)
                await session.commit()
            await engine.dispose()
            return (await outbox.stats()).counts["queued"]

    assert asyncio.run(play()) == 2


@pytest.mark.parametrize(
    "problem", [ValueError("what is to be sent next can't be made"), KeyboardInterrupt()], ids=repr
)
def test_a_series_that_is_broken_off_leaves_its_connection_in_order(postgres_url: str, problem: BaseException) -> None:
    """The next values are made while the server works: what it says to those before is read all the same."""
    import psycopg

    from mailwright.outbox.postgres.direct import Direct, Known, Series

    made: list[int] = []

    def values() -> Iterator[tuple[int]]:
        for number in (1, 2):
            made.append(number)
            yield (number,)
        raise problem

    series = Series.of("INSERT INTO series_seen VALUES (%(number)s) RETURNING number", {"number": 23})
    one = Known.of("SELECT count(*) FROM series_seen WHERE number < %(number)s", {"number": 23})
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE series_seen (number int)")
        direct = Direct(connection.pgconn)
        with pytest.raises(type(problem)):
            connection.wait(direct.ask(series, values()))
        assert made == [1, 2]
        assert connection.wait(direct.ask(one, (9,))) == [(2,)]
        assert connection.wait(direct.ask(series, iter([(3,), (4,)]))) == [(3,), (4,)]
        assert connection.wait(direct.ask(series, iter([]))) == []
