"""Death at every question to the database: while something is put, pruned, or the tables are made."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from mailwright.outbox.outbox import Outbox
from tests.outbox.worker.place import Place


def deaths(path: Path, act: str) -> Iterator[int]:
    """Let the act die at its first question, then at its second, and so on, until it lives to its end."""
    for number in count():
        command = [sys.executable, "-m", "bench.drill_act", f"sqlite:///{path}", act, str(number)]
        ended = subprocess.run(command, timeout=60).returncode
        if ended == 0:
            return
        assert ended == -signal.SIGKILL
        yield number


def counts(path: Path) -> tuple[int, ...]:
    """Messages, open rows and outcomes."""
    connection = sqlite3.connect(path)
    tables = ("mw_message", "mw_delivery", "mw_outcome")
    found = tuple(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    return found


def test_a_put_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "mail.db"
    Outbox(path).close()
    seen = []
    for _ in deaths(path, "put"):
        seen.append(counts(path))
    assert set(seen) == {(0, 0, 0), (5, 10, 0)} and seen == sorted(seen)
    assert seen[0] == (0, 0, 0) and len(seen) > 3
    assert counts(path) == (5, 10, 0), "the same keys again put nothing twice"


def test_a_pruning_that_dies_leaves_nothing_half_done(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for number in range(3):
        place.put(f"bob{number}@example.net", f"kim{number}@example.net")
    place.put("open@example.net")
    place.sql("INSERT INTO mw_outcome (message_id, n, rcpt, account, lane, dest, state, claims, attempts, code, text, at) "
              "SELECT message_id, n, rcpt, account, lane, dest, 10, 1, 1, 250, '', 0 FROM mw_delivery "
              "WHERE rcpt NOT LIKE 'open%'")  # fmt: skip
    place.sql("DELETE FROM mw_delivery WHERE rcpt NOT LIKE 'open%'")
    place.outbox.close()
    assert counts(place.path) == (4, 1, 6)
    dead = 0
    for _ in deaths(place.path, "prune"):
        dead += 1
        messages, open_rows, outcomes = counts(place.path)
        assert open_rows == 1 and outcomes == 2 * (messages - 1)
    assert dead > 2 and counts(place.path) == (1, 1, 0)


def test_tables_are_made_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "mail.db"
    dead = 0
    for _ in deaths(path, "migrate"):
        dead += 1
        connection = sqlite3.connect(path)
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'mw%'")}
        connection.close()
        assert not tables or "mw_worker" in tables
    assert dead > 10 and counts(path) == (0, 0, 0)
