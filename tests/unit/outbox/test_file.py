"""The file of an outbox: what is asserted at opening, what is noticed while it runs, and what a crash leaves."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import warnings
from pathlib import Path

import pytest

from mailwright.errors import ConfigError, OutboxUnavailable
from mailwright.outbox import Outbox
from mailwright.outbox.migrating import VERSION
from mailwright.outbox.sqlite.mounts import network_file_system, network_kind
from tests.unit.outbox.steps import message, send_all, states, total

# Which file


@pytest.mark.parametrize("form", ["sqlite:///{}", "sqlite+pysqlite:///{}", "{}"])
def test_a_file_is_named_by_a_url_or_a_path(tmp_path: Path, form: str) -> None:
    place = tmp_path / "a b.db"
    text = str(place).replace(" ", "%20") if "://" in form else str(place)
    with Outbox(form.format(text)) as outbox:
        outbox.put(message())
    with Outbox(place) as outbox:
        assert total(outbox) == 1 and str(place) in repr(outbox)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "sqlite://",
        "sqlite:///",
        ":memory:",
        "sqlite:///:memory:",
        "mysql://root:secret@host/db",
        "sqlite://host/x",
        "sqlite:///x?mode=ro",
    ],
)
def test_what_names_no_file_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Outbox(wrong)
    assert "secret" not in str(caught.value)


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    kept = os.umask(0)
    try:
        with Outbox(tmp_path / "mail.db") as outbox:
            outbox.put(message())
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(kept)
    assert modes == {"mail.db": 0o600, "mail.db-wal": 0o600, "mail.db-shm": 0o600}


def test_what_others_may_read_or_replace_is_warned_of(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    place = tmp_path / "mail.db"
    place.touch(0o644)
    place.chmod(0o644)
    with pytest.warns(Warning, match="may read the mail"), pytest.warns(Warning, match="folder is writable by all"):
        Outbox(place).close()
    tmp_path.chmod(0o700)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Outbox(place).close()


def test_the_settings_that_keep_mail_are_on(outbox: Outbox, tmp_path: Path) -> None:
    connection = outbox.database.connection()  # type: ignore[attr-defined]
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert connection.execute("PRAGMA application_id").fetchone() == (0x4D576F62,)
    connection.close()


def test_a_file_of_the_application_keeps_what_it_says_of_itself(tmp_path: Path) -> None:
    place = tmp_path / "app.db"
    with sqlite3.connect(place) as connection:
        connection.executescript("CREATE TABLE orders (id); PRAGMA application_id = 7; PRAGMA user_version = 42;")
    connection.close()
    place.chmod(0o600)
    with Outbox(place) as outbox:
        outbox.put(message())
    with sqlite3.connect(place) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (7,)
        assert connection.execute("PRAGMA user_version").fetchone() == (42,)
    connection.close()


MOUNTS = r"""22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /mnt/share rw - nfs4 server:/share rw,vers=4.2
31 22 0:41 / /mnt/share/local rw - ext4 /dev/vdb rw
32 22 0:42 / /mnt/with\040space rw shared:7 - fuse.sshfs me@host: rw
33 22 0:43 / /mnt/c rw - 9p drvfs rw
34 22 0:44 / /srv rw - ext4 /dev/vdc rw
35 34 0:45 / /srv rw - cifs //server/share rw
garbage
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/mail.db", ""), ("/mnt/share/mail.db", "nfs4"), ("/mnt/shared/mail.db", ""), ("/mnt/share/local/x", ""),
        ("/mnt/with space/x", "fuse.sshfs"), ("/mnt/c/x", "9p"), ("/srv/mail.db", "cifs"), ("/mnt/share", "nfs4"),
    ],
)  # fmt: skip
def test_file_systems_of_the_network_are_known(path: str, kind: str) -> None:
    assert network_kind(path, MOUNTS) == kind


def test_this_folder_is_on_this_machine(tmp_path: Path) -> None:
    assert network_file_system(str(tmp_path)) == ""


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailwright.outbox.sqlite.file.network_file_system", lambda path: "nfs4")
    with pytest.raises(OutboxUnavailable, match=r"network file system \(nfs4\).*use PostgreSQL"):
        Outbox(tmp_path / "mail.db")
    assert list(tmp_path.iterdir()) == []


def test_what_can_not_be_an_outbox_is_left_alone(tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear Bob, this is no database. " * 200)
    letter.chmod(0o600)
    with pytest.raises(OutboxUnavailable, match="no database of SQLite"):
        Outbox(letter)
    with pytest.raises(OutboxUnavailable, match="can't be kept in"):
        Outbox(tmp_path / "not there" / "mail.db")
    with pytest.raises(OutboxUnavailable, match="can't be kept in"):
        Outbox(tmp_path)
    assert letter.read_text().startswith("Dear Bob") and letter.read_text().count("Bob") == 200


# Versions


def test_newer_tables_are_refused_and_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "mail.db"
    Outbox(place).close()
    with sqlite3.connect(place) as connection:
        connection.execute("UPDATE mw_meta SET value = ? WHERE name = 'version'", (str(VERSION + 1),))
    connection.close()
    with pytest.raises(OutboxUnavailable, match="newer mailwright"):
        Outbox(place)


def test_tables_of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "mail.db"
    with sqlite3.connect(place) as connection:
        connection.execute("CREATE TABLE mw_message (mine)")
    connection.close()
    place.chmod(0o600)
    with pytest.raises(OutboxUnavailable, match="none of an outbox"):
        Outbox(place)


def test_two_that_open_a_new_file_at_once_agree(tmp_path: Path) -> None:
    place, identities, gate = tmp_path / "mail.db", [], threading.Barrier(8)

    def work() -> None:
        gate.wait()
        with Outbox(place) as outbox:
            identities.append(outbox.database.identity)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(identities) == 8 and len(set(identities)) == 1


def test_whoever_writes_to_a_file_that_has_no_log_yet_is_waited_for(tmp_path: Path) -> None:
    """SQLite itself says "database is locked" there at once, whatever its time-out is."""
    application = sqlite3.connect(tmp_path / "mail.db", isolation_level=None, check_same_thread=False)
    (tmp_path / "mail.db").chmod(0o600)
    application.execute("BEGIN IMMEDIATE")
    application.execute("CREATE TABLE orders (id INTEGER)")
    timer = threading.Timer(0.3, application.execute, ["COMMIT"])
    timer.start()
    with Outbox(tmp_path / "mail.db") as outbox:
        outbox.put(message())
    timer.join()
    application.close()


# While it runs


def test_a_file_that_is_deleted_or_replaced_is_noticed(outbox: Outbox, tmp_path: Path) -> None:
    place = tmp_path / "mail.db"
    outbox.put(message())
    place.rename(tmp_path / "moved.db")
    with pytest.raises(OutboxUnavailable, match="deleted or replaced"):
        outbox.put(message())
    with Outbox(place) as other:
        other.put(message("of another file"))
        with pytest.raises(OutboxUnavailable, match="deleted or replaced.*start them paused"):
            outbox.put(message())
        with pytest.raises(OutboxUnavailable, match="deleted or replaced"):
            outbox.stats()
        assert total(other) == 1


def test_a_file_that_is_replaced_during_a_put_is_noticed_after_the_commit(outbox: Outbox, tmp_path: Path) -> None:
    place = tmp_path / "mail.db"

    async def plan() -> None:
        place.rename(tmp_path / "moved.db")

    with pytest.raises(OutboxUnavailable, match="deleted or replaced"):
        outbox.database.write(plan)


def test_a_full_disk_is_an_error_that_says_so_and_nothing_was_put(tmp_path: Path) -> None:
    place = tmp_path / "mail.db"
    with Outbox(place) as outbox:
        first = outbox.put(message())
        pages = _limit_pages(outbox)
        with pytest.raises(OutboxUnavailable, match=r"no room .* Make room on the disk; nothing was put"):
            outbox.put(message(attachments={"big.bin": b"x" * 200_000}), key="k")
        with pytest.raises(OutboxUnavailable, match="no room"):
            outbox.put(message(attachments={"big.bin": b"x" * 6_000_000}), key="k")  # in many transactions
        assert total(outbox) == 1 and states(outbox, first) == ["queued"]
        assert send_all(outbox) == 1  # there is room for results
        _limit_pages(outbox, pages * 1000)
        assert outbox.put(message(attachments={"big.bin": b"x" * 6_000_000}), key="k") and total(outbox) == 2


def _limit_pages(outbox: Outbox, most: int = 0) -> int:
    """Give the outbox's connections no more pages than there are, and some for small things."""
    with outbox.database._pool.connection() as connection:  # type: ignore[attr-defined]
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {most or pages + 12}")
    return int(pages)


def test_another_writer_is_waited_for_and_then_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "mail.db"
    monkeypatch.setattr("mailwright.outbox.sqlite.file.connect.__defaults__", (0.3,))
    with Outbox(place) as outbox:
        writer = sqlite3.connect(place, isolation_level=None, check_same_thread=False)
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutboxUnavailable, match=r"locked for writing.*nothing was put, so try again.*connection="):
            outbox.put(message(), key="k")
        timer = threading.Timer(0.1, writer.execute, ["COMMIT"])
        timer.start()
        outbox.put(message(), key="k")
        timer.join()
        writer.close()
        assert total(outbox) == 1
