"""The store: rows, marks, deletion, room, threads, and a file that outlives the run."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.inbox.database import StoreError
from mailwright.inbox.spool import Spool
from mailwright.inbox.store import Store
from mailwright.inbox.summary import READ, TEXT, summary
from mailwright.smtp.receiving import Received
from mailwright.words.envelope import DSN, Envelope
from mailwright.words.errors import ConfigError
from mailwright.words.receipt import TLSFacts
from mailwright.words.transcript import Transcript


def mail(number: int = 0, octets: int = 0) -> Received:
    text = f"Text {number} " + "x" * octets
    head = f"From: Ada <ada@example.org>\r\nTo: Bob <bob@example.net>\r\nDate: Fri, 20 Nov 2026 12:00:00 +0000\r\nSubject: Number {number}"
    return Received(
        Envelope.of("ada@example.org", ["bob@example.net", "eve@example.com"]), f"{head}\r\n\r\n{text}\r\n".encode()
    )


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with Store.open(None if request.param == "memory" else str(tmp_path / "inbox.sqlite")) as made:
        yield made


def test_a_row_tells_what_a_list_shows(store: Store) -> None:
    received = mail(1)
    received.login, received.tls, received.note = "ada", TLSFacts("TLSv1.3", "CIPHER", "00"), "a note"
    assert store.add(received) == 1 == store.latest
    (row,) = store.rows()
    assert row == store.row(1) == store.wait("number", 0)
    assert (row.id, row.sender, row.recipients) == (1, "ada@example.org", ("bob@example.net", "eve@example.com"))
    assert (row.subject, row.from_header, row.to_header) == (
        "Number 1",
        "Ada <ada@example.org>",
        "Bob <bob@example.net>",
    )
    assert (row.date, row.size, row.attachments, row.preview) == (
        "Fri, 20 Nov 2026 12:00:00 +0000",
        received.size,
        0,
        "Text 1",
    )
    assert (row.seen, row.login, row.tls, row.note) == (False, "ada", "TLSv1.3 CIPHER", "a note")
    assert 1e9 < row.arrived < 1e11


def test_pages_of_rows(store: Store) -> None:
    ids = [store.add(mail(number)) for number in range(7)]
    assert [row.id for row in store.rows(limit=3)] == ids[:3:-1]
    assert [row.id for row in store.rows(before=ids[4], limit=3)] == ids[3:0:-1]
    assert [row.id for row in store.rows(before=ids[0])] == []
    assert [row.id for row in store.rows_after(ids[4])] == ids[5:]
    assert [received.subject for received in store.messages()] == [f"Number {n}" for n in range(7)]


def test_marks_and_deletion(store: Store) -> None:
    ids = [store.add(mail(number)) for number in range(4)]
    assert store.mark(ids[1], True) and store.count("is:unread") == 3
    assert store.mark(ids[1], False) and store.count("is:unread") == 4
    assert store.delete([ids[0], ids[0], 99, -5, 1 << 80]) == 1
    assert store.count("number") == store.count() == 3
    assert store.row(ids[0]) is store.received(ids[0]) is None and list(store.chunks(ids[0])) == []
    for nothing in (0, -1, 99, 1 << 80, -(1 << 80)):
        assert store.row(nothing) is store.received(nothing) is None and not store.mark(nothing, True)
        assert store.rows(before=nothing) == store.rows(before=nothing, limit=50)
    assert store.delete() == 3 and store.delete() == 0
    assert store.rows() == [] and store.count("number") == 0
    assert store.add(mail(5)) == 5 and store.count("number") == 1  # an id never comes again


def test_a_received_message_comes_back_whole(store: Store) -> None:
    transcript = Transcript(iter(range(99)).__next__, limit=4)
    for number in range(6):
        transcript.note("C", f"LINE {number} ☃")
    received = Received(
        Envelope.of(None, ["bob@example.net", '"a b"@example.com'], DSN(("FAILURE",), "HDRS", "id"), True),
        b"Subject: x\r\n\r\n\x00\xff",
        hello="[127.0.0.1]",
        peer="127.0.0.1",
        login="ada ☃",
        tls=TLSFacts("TLSv1.3", "CIPHER", "ab", True, 5.0),
        mail_parameters={"SIZE": "5"},
        rcpt_parameters=({"NOTIFY": "FAILURE"}, {}),
        transcript=transcript,
        note="note",
    )  # fmt: skip
    back = store.received(store.add(received))
    assert back is not None
    for name in (
        "envelope",
        "content",
        "hello",
        "peer",
        "login",
        "tls",
        "mail_parameters",
        "rcpt_parameters",
        "note",
        "size",
    ):
        assert getattr(back, name) == getattr(received, name), name
    assert str(back.transcript) == str(transcript)
    plain = store.received(store.add(mail()))
    assert plain is not None and plain.transcript is plain.tls is plain.login is plain.envelope.dsn is None


def test_large_content_is_read_in_pieces(store: Store) -> None:
    spool = Spool()
    for number in range(30):
        spool.write(bytes([65 + number]) * 100_001)
    whole = b"".join(spool.blocks(1000))
    id = store.add(Received(Envelope.of(None, "b@c.de"), spool))
    received = store.received(id)
    assert received is not None and received.size == len(whole) == 3_000_030
    pieces = list(store.chunks(id))
    assert b"".join(pieces) == whole == received.content and max(map(len, pieces)) <= 1 << 18
    assert [len(piece) for piece in received.blocks(1_000_000)] == [1_000_000] * 3 + [30]


def test_the_oldest_make_room(tmp_path: Path) -> None:
    for path in (None, str(tmp_path / "x")):
        with Store.open(path, limit=3) as store:
            for number in range(10):
                store.add(mail(number))
            assert [row.id for row in store.rows()] == [10, 9, 8] and store.dropped == 7
            assert store.count("number") == 3 and store.received(7) is None
    with Store.open(str(tmp_path / "x"), limit=2) as store:  # a smaller limit holds for what is there
        assert [row.id for row in store.rows()] == [10, 9] and store.dropped == 8
    for path in (None, str(tmp_path / "y")):
        with Store.open(path, size_limit=25_000) as store:
            for number in range(6):
                store.add(mail(number, 8000))
            assert [row.id for row in store.rows()] == [6, 5] and store.dropped == 4
            store.add(mail(7, 100_000))  # one is always kept
            assert [row.id for row in store.rows()] == [7]


def test_many_threads_at_once(store: Store) -> None:
    problems: list[Exception] = []

    def write(number: int) -> None:
        try:
            for n in range(50):
                id = store.add(mail(number * 1000 + n))
                if n % 10 == 0:
                    store.mark(id, True)
        except Exception as problem:
            problems.append(problem)

    def read() -> None:
        try:
            for _ in range(50):
                for row in store.rows("number"):
                    assert store.received(row.id) is not None
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)] + [
        threading.Thread(target=read) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert store.count() == store.count("number") == 200 and store.count("is:read") == 20
    assert [row.id for row in store.rows(limit=500)] == list(range(200, 0, -1))


def test_who_watches_is_told_of_every_change(store: Store) -> None:
    seen: list[int] = []
    with store.watched(lambda: seen.append(store.latest)):
        store.add(mail())
        store.add_all([mail(), mail()])
        store.mark(1, True)
        store.delete([1])
        store.delete([1])
    store.add(mail())
    assert seen == [1, 3, 3, 3]


def test_what_waits_is_woken(store: Store) -> None:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(store.wait("subject:7", 60)))
    thread.start()
    for number in range(5, 9):
        store.add(mail(number))
    thread.join()
    assert found == store.rows("subject:7")
    assert store.wait("subject:9", 0) is None


# Files.


def test_a_file_outlives_the_run(tmp_path: Path) -> None:
    path = str(tmp_path / "inbox.sqlite")
    for number in range(3):
        with Store.open(path) as store:
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
            assert store.latest == number == store.count()
            store.add(mail(number))
            assert store.mark(store.latest, True) and store.count("is:read number") == number + 1
    with Store.open(path) as store:
        assert [received.subject for received in store.messages()] == ["Number 0", "Number 1", "Number 2"]
        store.delete()
    with Store.open(path) as store:
        assert store.add(mail(9)) == 4
    assert os.listdir(tmp_path) == ["inbox.sqlite"]
    with pytest.raises(StoreError, match="closed"):
        store.rows()
    with pytest.raises(StoreError, match="closed"):
        store.add(mail())
    store.close()


def test_what_was_kept_survives_the_death_of_the_process(tmp_path: Path) -> None:
    program = """
import os, sys
sys.path.insert(0, sys.argv[2])
from tests.unit.inbox.test_store import Store, mail
store = Store.open(sys.argv[1])
for number in range(20):
    store.add(mail(number))
os.kill(os.getpid(), 9)
"""
    path = str(tmp_path / "inbox.sqlite")
    root = str(Path(__file__).parents[3])
    assert subprocess.run([sys.executable, "-c", program, path, root], check=False).returncode == -9
    with Store.open(path) as store:
        assert store.count() == store.count("number") == store.latest == 20


def test_files_that_are_no_inbox_are_left_alone(tmp_path: Path) -> None:
    text, other, newer = tmp_path / "text", tmp_path / "other", tmp_path / "newer"
    text.write_text("Just a text, which is longer than the header of a database would be. " * 20)
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    Store.open(str(newer)).close()
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = {path: path.read_bytes() for path in (text, other, newer)}
    for path, told in (
        (text, "not a database"),
        (other, "none of an inbox"),
        (newer, "another version"),
        (tmp_path, "directory"),
    ):
        with pytest.raises(ConfigError, match=told):
            Store.open(str(path))
    with pytest.raises(ConfigError, match="No such file or directory"):
        Store.open(str(tmp_path / "nowhere" / "file"))
    assert before == {path: path.read_bytes() for path in before}


def test_a_file_belongs_to_one_inbox_at_a_time(tmp_path: Path) -> None:
    path = str(tmp_path / "inbox.sqlite")
    with Store.open(path) as store:
        with pytest.raises(ConfigError, match="in use by another inbox"):
            Store.open(path)
        store.add(mail())
    with Store.open(path) as store:
        assert store.count() == 1


def test_an_empty_file_becomes_an_inbox_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / ":memory:"
    path.touch(0o640)
    with Store.open(str(path)) as store:
        store.add(mail())
    assert stat.S_IMODE(path.stat().st_mode) == 0o640 and path.stat().st_size > 0


# Summaries.


def test_a_large_message_is_read_in_part() -> None:
    part = (
        b"\r\n--b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=%d.png\r\n\r\n"
        + b"QUJD\r\n" * 60_000
    )
    head = (
        b"Subject: Large\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nThe text"
    )
    whole = head + b"".join(part % n for n in range(9)) + b"\r\n--b--\r\n" + part % 99
    told = summary(whole)
    assert (told.attachments, told.text) == (9, "The text")
    for cut in (READ, len(head) + 3, len(whole) - len(part), *range(len(head) + len(part), len(head) + len(part) + 12)):
        for size in (1 << 20, 4096):
            rest = (whole[at : at + size] for at in range(cut, len(whole), size))
            told = summary(whole[:cut], rest)
            assert abs(told.attachments - 9) <= (cut < READ), cut


def test_texts_are_bounded() -> None:
    told = summary(b"Subject: " + b"x" * 5000 + b"\r\nTo: " + b"a@b.cd, " * 100_000 + b"\r\n\r\n" + b"word " * 100_000)
    assert (
        len(told.subject) < 1000 and len(told.to_header) < 1000 and len(told.text) == TEXT and len(told.preview) == 140
    )


@given(st.binary(max_size=400) | st.lists(st.sampled_from([b"From: ", b"Subject: =?utf-8?q?", b"=FF?=", b"\r\n", b"\n", b" ", b"\0", b"Content-Type: multipart/mixed; boundary=b", b"--b", b"--", b"Content-Type: text/html; charset=utf-16", b"<p>", b"\xff\xfe", b"Content-Transfer-Encoding: base64", b"Content-Disposition: attachment; filename*=utf-8''%00"]), max_size=30).map(b"".join))  # fmt: skip
def test_any_octets_are_kept_and_listed(octets: bytes) -> None:
    told = summary(octets, (octets[:7], octets))
    assert "\0" not in told.text and told.subject.isprintable() and told.attachments >= 0
    with Store.open() as store:
        store.add(Received(Envelope.of(None, "b@c.de"), octets))
        (row,) = store.rows()
        assert row.size == len(octets) and store.received(1).content == octets  # type: ignore[union-attr]
