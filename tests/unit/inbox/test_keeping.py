"""From the sender's last dot into the store: what is safe when, and what was said about it."""

from __future__ import annotations

import smtplib
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mailwright.inbox import Inbox, Received, Rules
from mailwright.inbox.spool import Spool
from mailwright.inbox.store import Store
from mailwright.words.envelope import DSN, Envelope
from mailwright.words.reply import Reply
from mailwright.words.transcript import Transcript

ROOT = Path(__file__).parents[3]


def last_said(received: Received) -> list[tuple[str, str]]:
    """The last command with what was heard on it."""
    assert received.transcript is not None
    lines = [(line.mark, line.text) for line in received.transcript]
    start = max(place for place, (mark, _) in enumerate(lines) if mark == "C")
    return lines[start:]


def full() -> Received:
    """A message with all that is known of one, and more than a piece of octets."""
    spool = Spool()
    spool.write(b"Subject: whole\r\n\r\n" + b"0123456789abcde\n" * 50_000)
    return Received(
        Envelope.of(None, ["bob@example.net", '"a b"@example.com'], DSN(("FAILURE",), "HDRS", "id"), True),
        spool,
        hello="[127.0.0.1]",
        peer="127.0.0.1",
        login="ada ☃",
        mail_parameters={"SIZE": "5"},
        rcpt_parameters=({"NOTIFY": "FAILURE"}, {}),
        transcript=Transcript(),
        note="a note",
    )


DEATH = """
import os, sys
from tests.unit.inbox.test_keeping import Store, full
store = Store.open(sys.argv[1])
store.add(full())
assert store.rows()[0].subject == "whole"
store.delete([1])
store.add_all([full(), full()])
os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a signal that ends at once is a thing of POSIX")
def test_a_message_that_nobody_looked_at_is_whole_after_the_death_of_the_process(tmp_path: Path) -> None:
    path = str(tmp_path / "mails.sqlite")
    assert subprocess.run([sys.executable, "-c", DEATH, path], cwd=ROOT, check=False).returncode == -9
    for _ in range(2):
        with Store.open(path) as store:
            assert [row.id for row in store.rows("whole")] == [3, 2] and store.latest == store.count() + 1 == 3
            assert abs(store.rows()[0].arrived - time.time()) < 60
            (back, _), asked = store.messages(), full()
            for name in ("envelope", "size", "content", "hello", "peer", "login", "mail_parameters", "note"):
                assert getattr(back, name) == getattr(asked, name), name
            assert back.rcpt_parameters == asked.rcpt_parameters and back.transcript is None
    with Store.open(path, limit=1) as store:
        assert [row.id for row in store.rows()] == [3]


FULL = """
import resource, signal, sys
from tests.unit.inbox.test_store import Store, StoreError, mail
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Store.open(sys.argv[1]) as store:
    store.add_all([mail(number) for number in range(150)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    told = set()
    for _ in range(3):
        try:
            store.rows()
        except StoreError as error:
            told.add(type(error).__name__)
        try:
            store.add_all([mail(number) for number in range(150)])
        except StoreError as error:
            told.add(type(error).__name__)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(*sorted(told), store.count(), store.count("text"), len({row.id for row in store.rows(limit=999)}))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a limit for the size of files is a thing of POSIX")
def test_what_was_taken_stays_when_there_is_no_room_for_the_list(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "mails.sqlite")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert ran.stdout.strip() == "StoreFull 150 150 150", ran


@pytest.mark.parametrize("saved", [False, True])
def test_the_last_reply_is_in_the_transcript(saved: bool, tmp_path: Path) -> None:
    """Even if somebody looks at once: those who wait are told after the sender."""
    path = tmp_path / "mails.sqlite" if saved else None
    seen: list[object] = []
    with Inbox(tls=False, save=path, answer=lambda _: Reply(250, ("2.0.0 Many thanks",))) as inbox:
        looking = threading.Event()

        def look() -> None:
            for number in range(1, 21):
                seen.append(inbox.store.wait(f"subject:n{number}", 20))
                looking.set()

        thread = threading.Thread(target=look)
        thread.start()
        with smtplib.SMTP("127.0.0.1", inbox.server.port) as client:
            for number in range(1, 21):
                client.sendmail("a@b.org", "c@d.org", f"Subject: n{number}\r\n\r\nText\r\n")
                assert looking.wait(20)
                looking.clear()
        thread.join()
        for received in inbox.messages:
            content = f"({received.size} octets of content)"
            assert last_said(received) == [("C", content), ("S", "250 2.0.0 Many thanks")]
    assert None not in seen and len(seen) == 20
    if path is not None:
        with Store.open(str(path)) as store:
            assert {last_said(received)[-1] for received in store.messages()} == {("S", "250 2.0.0 Many thanks")}


def test_all_replies_of_lmtp_are_in_the_transcript_as_far_as_it_goes() -> None:
    with Inbox(rules=Rules(protocol="lmtp"), tls=False) as inbox:
        for count in (3, 600):
            recipients = b"".join([b"RCPT TO:<r%d@example.org>\r\n" % number for number in range(count)])
            with socket.create_connection(("127.0.0.1", inbox.server.port)) as sock, sock.makefile("rb") as heard:
                sock.sendall(b"LHLO c\r\nMAIL FROM:<a@b.org>\r\n" + recipients + b"DATA\r\n\r\n.\r\nQUIT\r\n")
                assert heard.read().count(b"Taken") == count
        few, many = inbox.messages
        assert [mark for mark, _ in last_said(few)] == ["C", "S", "S", "S"]
        assert many.transcript is not None and len(many.transcript) <= 400 and many.transcript.dropped > 0


def test_mail_is_in_the_list_before_long_though_nobody_looks(tmp_path: Path) -> None:
    """So that a process that is killed has lost nothing, not even what was said."""
    log = tmp_path / "mails.sqlite-wal"
    with Inbox(tls=False, save=tmp_path / "mails.sqlite") as inbox:
        with smtplib.SMTP("127.0.0.1", inbox.server.port) as client:
            client.sendmail("a@b.org", "c@d.org", "Subject: x\r\n\r\nText\r\n")
            taken, end = log.stat().st_size, time.monotonic() + 20
            while log.stat().st_size == taken:
                assert time.monotonic() < end
                time.sleep(0.01)


def test_a_client_that_leaves_before_the_reply_has_delivered(tmp_path: Path) -> None:
    with Inbox(tls=False, save=tmp_path / "mails.sqlite") as inbox:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", inbox.server.port)) as sock:
                heard = b""
                sock.sendall(b"EHLO c\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\n")
                while b"\r\n354 " not in heard:
                    heard += sock.recv(1000)
                sock.sendall(b"Subject: gone\r\n\r\nText\r\n.\r\n")
        assert len(inbox.expect(20, timeout=20, subject="gone")) == 20
