"""What is cut short, refused or taken back halfway, with both engines and through both doors."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from mailwright.errors import ConfigError, OutboxUnavailable
from mailwright.outbox import AsyncOutbox, Outbox
from mailwright.outbox.states import HELD, LEASED
from tests.outbox.conformance.trays import ENDED, RIVAL, Tray, letter

HALVES = """SELECT count(*) FROM mw_message m
WHERE NOT EXISTS (SELECT 1 FROM mw_delivery d WHERE d.message_id = m.id)"""
BLOCKED = """SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'"""


class Alarm(BaseException):
    """What a signal handler of the application may raise."""


# Cancelled in doubt


@pytest.mark.parametrize("how", ["no reply", "lease ended", "third death", "restored"])
def test_what_is_held_in_doubt_can_not_be_taken_back(tray: Tray, how: str) -> None:
    id = tray.put(in_doubt="hold" if how in ("no reply", "lease ended") else "retry")
    if how == "no reply":
        from mailwright.outbox.work.judging import IN_DOUBT

        rows = tray.claim()
        assert tray.mark(rows)
        tray.settle(rows, HELD, text=IN_DOUBT)
    elif how == "lease ended":
        assert tray.mark(tray.claim(lease=ENDED))
        tray.claim(worker=RIVAL)
    elif how == "third death":
        for _ in range(3):
            rows = tray.claim(lease=ENDED)
        assert rows[0].deaths == 2 and tray.mark(rows)
        tray.claim()
    else:
        tray.restored()
    assert tray.states(id) == ["held"]
    assert tray.cancel(id) == 1 and tray.states(id) == ["unknown"]
    (one,) = tray.status(id).deliveries
    assert one.text.startswith("Cancelled, but it may have been sent. Before: ")


def test_what_was_only_withheld_is_taken_back(tray: Tray) -> None:
    asked, waiting, unreadable = tray.put(held=True), tray.put(), tray.put()
    tray.hold(waiting)
    rows = tray.claim()
    tray.settle(rows, HELD, text="Unreadable: its digest is another.", counts=False)
    for id in (asked, waiting, unreadable):
        assert tray.cancel(id) == 1 and tray.states(id) == ["cancelled"]


def test_what_a_worker_has_is_marked_as_before(tray: Tray) -> None:
    id = tray.put(in_doubt="hold")
    assert tray.claim()[0].state is LEASED and tray.cancel(id) == 1 and tray.states(id) == ["leased"]


# Cut short


@pytest.fixture
def url(postgres_url: str) -> Iterator[str]:
    with Outbox(postgres_url):
        yield postgres_url


def halves(url: str) -> Any:
    with psycopg.connect(url) as connection:
        return connection.execute(HALVES).fetchone()[0]  # type: ignore[index]


@contextmanager
def in_the_way(url: str, then: Callable[[], object]) -> Iterator[None]:
    """A transaction in which the key k was put, so that another with this key waits; `then` is done once it does."""
    with Outbox(url) as outbox, psycopg.connect(url) as other, psycopg.connect(url, autocommit=True) as looking:
        outbox.put(letter(), key="k", connection=other)

        def look() -> None:
            while looking.execute(BLOCKED).fetchone() == (0,):
                time.sleep(0.005)
            then()

        thread = threading.Thread(target=look)
        thread.start()
        yield
        thread.join()
        other.rollback()


@pytest.mark.parametrize("kind", ["in a transaction", "in autocommit", "in neither"])
@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit, Alarm])
def test_psycopg_interrupted_while_it_waits(url: str, kind: str, problem: type[BaseException]) -> None:
    def interrupt(*_: object) -> None:
        raise problem

    main = threading.main_thread().ident
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with psycopg.connect(url, autocommit=kind == "in autocommit") as connection, Outbox(url) as outbox:
            if kind == "in a transaction":
                connection.execute("CREATE TABLE orders (id int)")
            messages = [letter(text="first"), letter()]
            with in_the_way(url, lambda: signal.pthread_kill(main or 0, signal.SIGUSR1)), pytest.raises(problem):
                outbox.put(messages[0], key="first", connection=connection)
                outbox.put(messages[1], key="k", connection=connection)
            if not connection.closed:
                wanted = psycopg.pq.TransactionStatus
                idle = kind == "in autocommit"
                assert connection.info.transaction_status == (wanted.IDLE if idle else wanted.INTRANS)
                connection.commit()
            else:
                assert problem is Alarm  # psycopg leaves its statement running
            assert connection.closed or len(list(outbox.find(key="first"))) == 1
            assert list(outbox.find(key="k")) == []
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert halves(url) == 0


@pytest.mark.parametrize("kind", ["in a transaction", "in autocommit", "in neither"])
@pytest.mark.parametrize("times", [1, 3])
def test_psycopg_cancelled_while_it_waits(url: str, kind: str, times: int) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        connection = await psycopg.AsyncConnection.connect(url, autocommit=kind == "in autocommit")
        async with connection, AsyncOutbox(url) as outbox:
            if kind == "in a transaction":
                await connection.execute("CREATE TABLE orders (id int)")
            task = asyncio.ensure_future(outbox.put(letter(), key="k", connection=connection))

            def cancel(left: int = times) -> None:
                task.cancel()
                if left > 1:
                    loop.call_soon(cancel, left - 1)

            with in_the_way(url, lambda: loop.call_soon_threadsafe(cancel)):
                with pytest.raises(asyncio.CancelledError):
                    await task
            if not connection.closed:
                wanted = psycopg.pq.TransactionStatus
                now = connection.info.transaction_status
                assert now == (wanted.INTRANS if kind == "in a transaction" else wanted.IDLE)
                await connection.commit()
            else:
                assert times > 1  # psycopg closes what is cancelled while it cancels
            assert [one async for one in outbox.find(key="k")] == []

    asyncio.run(main())
    assert halves(url) == 0


# Refused


@pytest.mark.parametrize("face", ["blocking", "async"])
def test_a_pipeline_is_refused(url: str, face: str) -> None:
    async def main() -> None:
        connection = await psycopg.AsyncConnection.connect(url)
        async with connection, AsyncOutbox(url) as outbox, connection.pipeline():
            with pytest.raises(OutboxUnavailable, match="pipeline mode"):
                await outbox.put(letter(), connection=connection)

    if face == "async":
        asyncio.run(main())
        return
    with Outbox(url) as outbox, psycopg.connect(url) as connection:
        with connection.pipeline(), pytest.raises(OutboxUnavailable, match="pipeline mode"):
            outbox.put(letter(), connection=connection)
        outbox.put(letter(), connection=connection)


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_transaction_that_only_reads_is_called_that(url: str, autocommit: bool) -> None:
    with Outbox(url) as outbox, psycopg.connect(url, autocommit=autocommit) as connection:
        connection.execute("SET default_transaction_read_only = on")
        connection.commit()
        with pytest.raises(OutboxUnavailable, match="The transaction given is READ ONLY"):
            outbox.put(letter(), connection=connection)


def test_text_that_is_none_is_not_looked_for(tray: Tray) -> None:
    for name in ("recipient", "domain", "account", "key", "stream", "message_id"):
        for wrong in ("\ud800", "a\0b", 7, b"x"):
            with pytest.raises(ConfigError, match=f"^{name}=.* can't be looked for"):
                tray.found(**{name: wrong})


@pytest.mark.parametrize("wrong", ["postgresql://ada:pa[ss@db.example/mail", "postgresql://ada:s3cret\ud800@db/mail"])
def test_a_url_that_is_none_is_an_error_of_ours_without_the_password(wrong: str) -> None:
    with pytest.raises(ConfigError, match="can't be read.*%5B") as caught:
        Outbox(wrong)
    assert caught.value.__cause__ is None and "ss@" not in str(caught.value) and "s3cret" not in str(caught.value)
