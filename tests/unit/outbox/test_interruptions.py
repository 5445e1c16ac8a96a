"""A put in the application's transaction that is interrupted: all of it is there or nothing, whatever is done then."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import aiosqlite
import pytest

import mailwright.outbox
from mailwright.outbox import AsyncOutbox, Outbox
from tests.unit.outbox.steps import message

HALVES = """SELECT count(*) FROM mw_message m
WHERE NOT EXISTS (SELECT 1 FROM mw_delivery d WHERE d.message_id = m.id)"""
FOLDER = str(Path(mailwright.outbox.__file__).parent)
WATCHED = {f"{FOLDER}/{name}" for name in ("asking.py", "joining.py", "putting.py", "store.py", "sqlite/joining.py")}


def interrupted(line: int, act: Callable[[], object], problem: type[BaseException] = KeyboardInterrupt) -> bool:
    """Act, with `problem` raised before that line of the outbox is run, as a signal may. Whether it had so many."""
    count = 0

    def step(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "line"
        if count == line and event == "line":
            raise problem
        return step

    before = sys.gettrace()
    sys.settrace(lambda frame, event, _: step if frame.f_code.co_filename in WATCHED else None)
    try:
        act()
    except problem:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.fixture
def warned() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # interrupted before its first step, a plan is never awaited
        yield


@pytest.mark.parametrize("kind", ["in a transaction", "in autocommit", "in neither"])
def test_an_interrupt_before_any_line_leaves_all_or_nothing(outbox: Outbox, kind: str, warned: None) -> None:
    place = outbox.database.place
    connection = sqlite3.connect(place, isolation_level="" if kind == "in neither" else None)
    line = 0
    while True:
        line += 1
        if kind == "in a transaction":
            connection.execute("BEGIN")
        came = interrupted(line, lambda: outbox.put(message(), key="k", connection=connection))
        assert connection.execute(HALVES).fetchone() == (0,), line
        if kind == "in autocommit":
            assert not connection.in_transaction, line
            connection.execute("DELETE FROM mw_message WHERE idem_key = 'k'")
        elif kind == "in a transaction":
            assert connection.in_transaction, line
            connection.execute("INSERT INTO mw_meta VALUES ('theirs', '1')")  # it goes on
        connection.rollback()
        if not came:
            break
    connection.close()
    assert line > 50


def test_the_application_may_commit_after_an_interrupt(outbox: Outbox, warned: None) -> None:
    connection = sqlite3.connect(outbox.database.place)
    connection.execute("CREATE TABLE orders (number)")
    line, keys = 20, 0
    while True:
        connection.execute("INSERT INTO orders VALUES (1)")
        act = partial(outbox.put, message(), key=f"k{line}", connection=connection)
        came = interrupted(line, act, SystemExit)
        connection.commit()
        keys += 1
        if not came:
            break
        line += 9
    assert connection.execute(HALVES).fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM orders").fetchone() == (keys,)
    connection.close()
    again = outbox.put(message(), key="k20")
    assert [one.address for one in outbox.status(again).deliveries] == ["bob@example.net"]


@pytest.mark.parametrize("level", ["", None])
@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("times", [1, 3])
def test_a_cancelled_put_in_aiosqlite_leaves_nothing(
    outbox: Outbox, level: str | None, begun: bool, times: int
) -> None:
    """Cancelled while a statement runs, each of them in turn; and cancelled again while that is undone."""
    place = outbox.database.place

    async def main() -> int:
        loop = asyncio.get_running_loop()
        async with AsyncOutbox(place) as tray, aiosqlite.connect(place, isolation_level=level) as connection:
            cancelled = statement = 0
            while cancelled == statement:
                statement += 1
                if begun:
                    await connection.execute("BEGIN")
                task = asyncio.ensure_future(tray.put(message(), key=f"k{statement}", connection=connection))
                seen = 0

                def look(_: str, task: Any = task, at: int = statement) -> None:
                    nonlocal seen
                    seen += 1
                    if seen >= at and seen < at + times:
                        loop.call_soon_threadsafe(task.cancel)

                await connection.set_trace_callback(look)
                try:
                    await task
                except asyncio.CancelledError:
                    cancelled += 1
                await connection.set_trace_callback(lambda _: None)
                assert connection.in_transaction == begun or not (level is None or cancelled == statement)
                await connection.commit()
            return cancelled

    assert asyncio.run(main()) > 5
    with sqlite3.connect(place) as connection:
        assert connection.execute(HALVES).fetchone() == (0,)
    connection.close()


def test_what_damage_left_without_recipients_is_neither_done_nor_sent(outbox: Outbox) -> None:
    id = outbox.put(message())
    with sqlite3.connect(outbox.database.place) as connection:
        connection.execute("DELETE FROM mw_delivery")
    connection.close()
    status = outbox.status(id)
    assert status.deliveries == () and not status.done and not status.sent
