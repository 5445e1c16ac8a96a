"""What a crash leaves: killed around a commit or in a migration, a disk that fails, a row that is damaged, a backup."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from hashlib import sha256
from pathlib import Path

import pytest

from mailwright.outbox import Outbox
from mailwright.outbox.migrating import apart
from mailwright.outbox.statements import SQLITE, schema
from tests.unit.outbox.steps import CALLERS, claim, message, send_all, settle, states, total


def run(script: str, *arguments: object) -> tuple[int, str, str]:
    """How a Python of its own ends that runs `script`, and what it writes."""
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


# Killed


KILLED_IN_MIGRATION = """
import os, signal, sqlite3, sys
from mailwright.outbox import asking
from mailwright.outbox.sqlite.session import SqliteSession
from mailwright.outbox import Outbox
at, seen, query = int(sys.argv[2]), 0, SqliteSession.query
def dying(self, sql, given):
    global seen
    if not sql.startswith("SELECT"):
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)
    return query(self, sql, given)
SqliteSession.query = dying
Outbox(sys.argv[1])
print(seen)
"""


def test_a_migration_killed_at_any_statement_leaves_what_was_there(tmp_path: Path) -> None:
    steps = len(list(apart(schema(SQLITE, 1)))) + 3  # and identity, epoch, version
    for at in (1, 2, steps // 2, steps - 1, steps):
        place = tmp_path / f"{at}.db"
        with sqlite3.connect(place) as connection:
            connection.execute("CREATE TABLE orders (id)")
        connection.close()
        place.chmod(0o600)
        assert run(KILLED_IN_MIGRATION, place, at)[0] == -signal.SIGKILL
        with sqlite3.connect(place) as connection:
            assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("orders",)]
        connection.close()
        with Outbox(place) as outbox:
            outbox.put(message())
            assert total(outbox) == 1


PUTS = """
import os, signal, sys
from mailwright import Message
from mailwright.outbox import Outbox
from mailwright.outbox.sqlite import engine
place, point = sys.argv[1:]
outbox = Outbox(place)
if point == "k1":
    def transact(connection, begin, make):
        class Dying:
            def __getattr__(self, name): return getattr(connection, name)
            def execute(self, sql, *given):
                if sql == "COMMIT": os.kill(os.getpid(), signal.SIGKILL)
                return connection.execute(sql, *given)
        return original(Dying(), begin, make)
    original, engine.transact = engine.transact, transact
elif point == "k2":
    def transact(connection, begin, make):
        original(connection, begin, make)
        os.kill(os.getpid(), signal.SIGKILL)
    original, engine.transact = engine.transact, transact
print(outbox.put(Message("ada@example.org", "bob@example.net", "Minutes", "Dear Bob"), key="order-42"))
"""


@pytest.mark.parametrize(("point", "there"), [("k1", 0), ("k2", 1)])
def test_killed_around_the_commit_the_message_is_there_or_not(tmp_path: Path, point: str, there: int) -> None:
    place = tmp_path / "mail.db"
    code, out, error = run(PUTS, place, point)
    assert code == -signal.SIGKILL and not out, error
    with Outbox(place) as outbox:
        assert total(outbox) == there
        code, again, error = run(PUTS, place, "none")
        assert code == 0, error
        assert total(outbox) == 1 and states(outbox, again.strip()) == ["queued"]


def strace(log: Path, *options: str) -> list[str]:
    """The beginning of a command that writes down the writes and syncs of the rest of it."""
    found = shutil.which("strace")
    if not found or subprocess.run([found, "true"], capture_output=True).returncode:
        pytest.skip("strace is not installed, or may not look at other programs")
    return [found, "-f", "-y", "-o", str(log), "-e", "trace=write,pwrite64,fsync,fdatasync", *options]


def test_a_put_returns_after_the_disk_has_it(tmp_path: Path) -> None:
    """Between the octets of the message and the answer of put there is an fdatasync of the log."""
    log = tmp_path / "log"
    code = """
import os, sys
from mailwright import Message
from mailwright.outbox import Outbox
outbox = Outbox(sys.argv[1])
outbox.put(Message("ada@example.org", "bob@example.net", "Minutes", "first"))
os.write(2, b"BEFORE")
outbox.put(Message("ada@example.org", "bob@example.net", "Minutes", "second"))
os.write(2, b"AFTER")
"""
    command = [*strace(log), sys.executable, "-c", code, str(tmp_path / "mail.db")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    lines = log.read_text().splitlines()
    begin = next(n for n, line in enumerate(lines) if '"BEFORE"' in line)
    end = next(n for n, line in enumerate(lines) if '"AFTER"' in line)
    between = [line for line in lines[begin:end] if "mail.db-wal" in line]
    writes = [n for n, line in enumerate(between) if "pwrite64" in line]
    syncs = [n for n, line in enumerate(between) if "fdatasync" in line or "fsync" in line]
    assert writes and syncs and max(writes) < max(syncs)


FAILING_DISK = """
import os, sys
from mailwright import Message
from mailwright.errors import OutboxUnavailable
from mailwright.outbox import Outbox
outbox = Outbox(sys.argv[1])
for n in range(200):
    try:
        print(outbox.put(Message("ada@example.org", "bob@example.net", f"Number {n}", "Dear Bob")), flush=True)
    except OutboxUnavailable as problem:
        print("refused", problem.what)
        os.write(2, b"REFUSED")
        try:
            outbox.put(Message("ada@example.org", "bob@example.net", "Once more", "Dear Bob"))
        except OutboxUnavailable:
            print("refused again")
        os.write(2, b"AGAIN")
        break
"""


def test_after_a_failed_fsync_nothing_is_written_any_more(tmp_path: Path) -> None:
    log, place = tmp_path / "log", tmp_path / "mail.db"
    fault = strace(log, "-e", "inject=fdatasync,fsync:error=EIO:when=12+")
    command = [*fault, sys.executable, "-c", FAILING_DISK, str(place)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    *ids, refused, again = done.stdout.splitlines()
    assert refused.startswith("refused The disk failed") and again == "refused again" and ids
    lines = log.read_text().splitlines()
    begin = next(n for n, line in enumerate(lines) if '"REFUSED"' in line)
    end = next(n for n, line in enumerate(lines) if '"AGAIN"' in line)
    assert not [line for line in lines[begin:end] if "mail.db" in line]
    with Outbox(place) as outbox:
        assert {one.id for one in outbox.find()} >= set(ids) and total(outbox) <= len(ids) + 1


# Backups


def test_a_copy_made_under_load_is_whole_and_can_start_paused(outbox: Outbox, tmp_path: Path) -> None:
    stop, put = threading.Event(), []

    def work() -> None:
        while not stop.is_set():
            put.append(outbox.put(message(attachments={"a.bin": b"x" * 5000})))
            send_all(outbox)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        deadline = time.monotonic() + 30
        while len(put) < 20 and time.monotonic() < deadline:
            time.sleep(0.01)
        connection = sqlite3.connect(tmp_path / "mail.db")
        connection.execute("VACUUM INTO ?", (str(tmp_path / "backup.db"),))
        connection.close()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    (tmp_path / "backup.db").chmod(0o600)
    with Outbox(tmp_path / "backup.db", paused=True) as copy:
        assert copy.paused and copy.database.identity == outbox.database.identity
        found = {one.id for one in copy.find()}
        assert len(found) >= 19 and found <= {one.id for one in outbox.find()}
        waiting = sum(1 for one in copy.find() if not one.state.final)
        assert copy.restored() == waiting and claim(copy) == []


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE mw_message SET head = replace(CAST(head AS TEXT), 'Bob', 'Eve')",
        "UPDATE mw_message SET head = NULL",
        "UPDATE mw_message SET head = 7, digest = 'x'",
        "UPDATE mw_message SET sender = CAST(x'ff' AS TEXT), message_id = CAST(x'c3' AS TEXT)",
        "UPDATE mw_delivery SET rcpt = CAST(x'ff40' AS TEXT), last_text = CAST(x'ff' AS TEXT)",
        "DELETE FROM mw_message",
    ],
)
def test_a_damaged_row_is_read_so_far_that_it_can_be_set_aside_and_the_others_are_whole(
    outbox: Outbox, tmp_path: Path, damage: str
) -> None:
    hurt, whole = outbox.put(message("Hurt")), outbox.put(message("Whole"))
    with sqlite3.connect(tmp_path / "mail.db") as connection:
        column = "message_id" if "mw_delivery" in damage else "id"
        connection.execute(f"{damage} WHERE {column} = ?", (bytes.fromhex(hurt.replace("-", "")),))
    connection.close()
    rows = {row.id.hex(): row for row in claim(outbox)}
    good, bad = rows[whole.replace("-", "")], rows[hurt.replace("-", "")]
    assert sha256(good.head).digest() == good.digest and good.sender == "ada@example.org"
    assert sha256(bad.head).digest() != bad.digest or "\\xff" in bad.sender + bad.address
    assert settle(outbox, [bad], "held", 0, "unreadable") == 1


LONG = """
import os, signal, sys
from mailwright import Message
from mailwright.outbox import Outbox
from mailwright.outbox.sqlite.session import SqliteSession
each, seen = SqliteSession.each, 0
def dying(self, sql, rows):
    global seen
    seen += "mw_chunk" in sql
    if seen == 20:
        os.kill(os.getpid(), signal.SIGKILL)
    return each(self, sql, rows)
SqliteSession.each = dying
Outbox(sys.argv[1]).put(Message("ada@example.org", "bob@example.net", "Long", attachments={"a.bin": bytes(9 << 20)}), key="k")
"""


def test_a_long_put_that_was_killed_leaves_no_message_and_is_cleaned_up_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "mail.db"
    code, _, error = run(LONG, place)
    assert code == -signal.SIGKILL, error

    def rows(table: str) -> int:
        connection = sqlite3.connect(place)
        try:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        finally:
            connection.close()

    with Outbox(place) as outbox:
        assert total(outbox) == 0 and claim(outbox) == [] and rows("mw_chunk") > 0
        outbox.put(message("Another"), key="k")  # the key was not taken
        outbox.prune(0)
        assert rows("mw_chunk") > 0  # somebody may still be writing it
        monkeypatch.setattr("mailwright.outbox.staging.FORGOTTEN", -60_000)
        outbox.prune(0)
        assert (rows("mw_chunk"), rows("mw_message"), total(outbox)) == (0, 1, 1)


# Killed at any moment


OPENING = """
import itertools, sys
from mailwright.outbox import Outbox
outbox, numbers = Outbox(sys.argv[1]), itertools.count(int(sys.argv[2]))
"""


def test_what_was_acknowledged_is_there_whenever_the_process_is_killed(tmp_path: Path) -> None:
    place, acknowledged, begin = tmp_path / "mail.db", set[str](), 0
    for enough in (1, 3, 40, 150, 400):
        command = [sys.executable, "-c", OPENING + CALLERS, str(place), str(begin)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        told = [child.stdout.readline().strip() for _ in range(enough)]
        child.kill()
        rest = child.stdout.read().splitlines(keepends=True)
        child.stdout.close()
        child.wait(30)
        acknowledged |= {*told, *(line.strip() for line in rest if line.endswith("\n"))}
        begin += 10_000
    with Outbox(place) as outbox:
        found = {str(outbox.status(one.id).key): states(outbox, one.id) for one in outbox.find()}
        assert acknowledged <= set(found) and len(found) <= len(acknowledged) + 5 * 8
        assert set(map(tuple, found.values())) == {("queued",)}
        assert sqlite_is_sound(place)


def sqlite_is_sound(place: Path) -> bool:
    connection = sqlite3.connect(place)
    try:
        return connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        connection.close()
