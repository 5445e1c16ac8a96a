"""An inbox with a file, what a test expects of an inbox, and messages too large for memory: over real connections."""

from __future__ import annotations

import asyncio
import smtplib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mailwright import Inbox, Mailer, Message
from mailwright.inbox import Rules
from mailwright.inbox.waiting import UnexpectedMail
from mailwright.words.errors import AddressError, ConfigError, Timeout

ROOT = Path(__file__).parents[3]


def hello(number: int = 0, to: str = "bob@example.org", html: str | None = None) -> Message:
    return Message("ada@example.org", to, f"Hello {number}", None if html else f"Your code is {number}.", html)


def test_messages_are_there_in_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "mails.sqlite"
    for number in range(3):
        with Inbox(tls=False, save=path) as inbox, Mailer(inbox.server) as mailer:
            mailer.send(hello(number))
            assert [received.subject for received in inbox.messages] == [f"Hello {n}" for n in range(number + 1)]
            assert inbox.wait(subject=f"Hello {number}", timeout=0).message.text == f"Your code is {number}."
            assert inbox.store.count("code") == number + 1
    assert [file.name for file in tmp_path.iterdir()] == ["mails.sqlite"]


def test_many_clients_save_at_once(tmp_path: Path) -> None:
    with Inbox(tls=False, save=tmp_path / "mails.sqlite") as inbox:

        def send(number: int) -> None:
            with smtplib.SMTP("127.0.0.1", inbox.server.port) as client:
                for n in range(25):
                    client.sendmail("a@b.org", f"r{number}@example.org", f"Subject: {number}-{n}\r\n\r\nText\r\n")
                    assert inbox.store.count(f"subject:{number}-{n}") >= 1  # the 250 says that it is there

        threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(inbox.expect(100, timeout=0)) == 100


def test_what_is_no_inbox_is_refused_before_anybody_can_send(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("my notes " * 200)
    with pytest.raises(ConfigError, match="not a database"):
        Inbox(tls=False, save=tmp_path / "notes.txt").open()
    assert (tmp_path / "notes.txt").read_text() == "my notes " * 200


FULL = """
import resource, signal, smtplib, sys
from mailwright import Inbox
with Inbox(tls=False, save=sys.argv[1]) as inbox, smtplib.SMTP("127.0.0.1", inbox.server.port) as client:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    client.sendmail("a@b.org", "c@d.org", "Subject: first\\r\\n\\r\\nText")
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    told = set()
    for size in (300_000, 3_000_000):
        try:
            client.sendmail("a@b.org", "c@d.org", "Subject: large\\r\\n\\r\\n" + ("x" * 70 + "\\r\\n") * (size // 72))
        except smtplib.SMTPDataError as error:
            told.add(error.smtp_code)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    client.sendmail("a@b.org", "c@d.org", "Subject: last\\r\\n\\r\\nText")
    print(sorted(told), [received.subject for received in inbox.messages], inbox.store.count("text"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a limit for the size of files is a thing of POSIX")
def test_a_disk_that_is_full_is_a_452_and_nothing_is_lost(tmp_path: Path) -> None:
    """Both where content is put away while it comes, and where it is committed."""
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "mails.sqlite")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert ran.stdout.strip() == "[452] ['first', 'last'] 2", ran


LARGE = """
import resource, socket, sys, threading
from mailwright import Inbox
from mailwright.inbox import Rules

MEGABYTES, way = 100, sys.argv[1]
line = b"x" * 70 + b"\\r\\n..\\r\\n" + b"." * 48 + b"\\r\\n"  # 128 octets, two of them dots that stand for one
with Inbox(tls=False, rules=Rules(size=200 << 20), save=sys.argv[2] if len(sys.argv) > 2 else None) as inbox:
    with socket.create_connection(("127.0.0.1", inbox.server.port)) as sock:
        file = sock.makefile("rb")
        def say(octets):
            sock.sendall(octets)
            while (heard := file.readline())[3:4] == b"-":
                pass
            return heard
        file.readline()
        say(b"EHLO c\\r\\n"), say(b"MAIL FROM:<a@b.org>\\r\\n"), say(b"RCPT TO:<c@d.org>\\r\\n")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        head, block = b"Subject: large\\r\\n\\r\\n", line * 8192
        if way == "data":
            say(b"DATA\\r\\n")
            sock.sendall(head)
            for _ in range(MEGABYTES):
                sock.sendall(block)
            heard, dots = say(b".\\r\\n"), 2 * 8192
        else:
            say(b"BDAT %d\\r\\n" % len(head) + head)
            for number in range(MEGABYTES):
                heard = say(b"BDAT %d%s\\r\\n" % (len(block), b" LAST" if number == MEGABYTES - 1 else b"") + block)
            dots = 0
    assert heard.startswith(b"250"), heard
    (row,) = inbox.store.rows("subject:large")
    size = len(head) + MEGABYTES * (len(block) - dots)
    total = last = 0
    for piece in inbox.store.chunks(row.id):
        total, last = total + len(piece), max(last, len(piece))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(row.size == total == size, last <= 1 << 18, grown)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss is that of Linux")
@pytest.mark.parametrize(("way", "file"), [("data", ""), ("bdat", "mails.sqlite")])
def test_a_message_of_100_megabytes_takes_little_memory(way: str, file: str, tmp_path: Path) -> None:
    words = [sys.executable, "-c", LARGE, way] + ([str(tmp_path / file)] if file else [])
    ran = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.stdout, ran
    right, pieces, grown = ran.stdout.split()
    assert (right, pieces) == ("True", "True") and int(grown) < 24, ran.stdout


@pytest.mark.parametrize("pieces", [[1], [7], [65_533, 3], [1 << 20], [100_000, 1, 1, 1]])
def test_content_in_any_pieces_is_exact(pieces: list[int]) -> None:
    """Dots, CRs and LFs where one portion ends and the next begins, below and above what is held in memory."""
    lines = [b"." * n + b"\r\n" for n in range(4)] + [b"\r\n"] * 5 + [b"x" * 61 + b"\r\n"]
    content = b"Subject: dots\r\n\r\n" + b"".join(lines) * (
        20 if pieces == [1] else 30_000 if len(pieces) < 4 else 25_000
    )
    wire = (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
    import socket

    with Inbox(tls=False) as inbox, socket.create_connection(("127.0.0.1", inbox.server.port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(b"EHLO c\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\n")
        at, number = 0, 0
        while at < len(wire):
            sock.sendall(wire[at : at + pieces[number % len(pieces)]])
            at, number = at + pieces[number % len(pieces)], number + 1
        assert inbox.wait(timeout=30).content == content


@pytest.mark.parametrize("bad", [b"\n", b"\r", b"\r\r\n"])
@pytest.mark.parametrize("place", [10, (1 << 20) + 5, 2_500_000])
def test_bare_line_ends_are_found_wherever_they_are(bad: bytes, place: int) -> None:
    line = b"x" * 62 + b"\r\n"
    content = b"Subject: x\r\n\r\n" + line * (place // 64) + b"y" + bad + b"y\r\n" + line * 100
    with Inbox(tls=False) as inbox, smtplib.SMTP("127.0.0.1", inbox.server.port) as client:
        client.ehlo()
        for command in ("MAIL FROM:<a@b.org>", "RCPT TO:<c@d.org>", "DATA"):
            assert client.docmd(command)[0] in (250, 354)
        client.send(content + b".\r\n")
        assert client.getreply()[0] == 554
        assert not inbox.messages and client.noop()[0] == 250
    with (
        Inbox(tls=False, rules=Rules(bare_line_ends=True)) as inbox,
        smtplib.SMTP("127.0.0.1", inbox.server.port) as client,
    ):
        client.ehlo()
        client.docmd("MAIL FROM:<a@b.org>"), client.docmd("RCPT TO:<c@d.org>"), client.docmd("DATA")
        client.send(content + b".\r\n")
        assert client.getreply()[0] == 250 and inbox.messages[0].content == content


# What a test expects.


def test_a_message_is_waited_for_by_its_text() -> None:
    with Inbox(tls=False) as inbox, Mailer(inbox.server) as mailer:
        mailer.send(hello(1))
        mailer.send(hello(2, html="<p>Your <b>code</b> is&nbsp;2</p>"))
        assert inbox.wait(contains="code is 1.").subject == "Hello 1"
        assert inbox.wait(contains="code", subject="2").subject == "Hello 2"
        with pytest.raises(Timeout, match="contains='code is 3'"):
            inbox.wait(contains="code is 3", timeout=0)
        with pytest.raises(AddressError):
            inbox.wait(to="not an address", timeout=0)
        assert asyncio.run(inbox.wait_async(contains="code is 1.", timeout=0)).subject == "Hello 1"


def test_so_many_are_expected() -> None:
    with Inbox(tls=False) as inbox, Mailer(inbox.server) as mailer:
        assert inbox.expect(0, timeout=0) == ()
        thread = threading.Thread(target=lambda: [mailer.send(hello(n)) for n in range(3)])
        thread.start()
        assert [received.subject for received in inbox.expect(3, timeout=60)] == ["Hello 0", "Hello 1", "Hello 2"]
        thread.join()
        mailer.send(hello(3, "eve@example.org"))
        assert [received.subject for received in inbox.expect(1, to="eve@example.org")] == ["Hello 3"]
        assert len(inbox.expect(count=4, subject="Hello", sender="ada@example.org")) == 4
        with pytest.raises(
            Timeout, match=r"3 of 5 messages with to='bob@example.org' arrived within 0 seconds. In the inbox: 4:"
        ):
            inbox.expect(5, timeout=0, to="bob@example.org")
        with pytest.raises(
            UnexpectedMail, match=r"4 messages arrived where 2 were expected(?s:.*)eve@example.org: 'Hello 3'"
        ) as caught:
            inbox.expect(2)
        assert isinstance(caught.value, AssertionError)
        with pytest.raises(UnexpectedMail):
            inbox.expect(0, timeout=0, to="eve@example.org")


def test_what_was_said_is_saved_as_it_is_kept_in_memory(tmp_path: Path) -> None:
    """Of each message on a connection: how that began, and its own lines, but for the middle of very many."""
    told = []
    for save in (None, tmp_path / "mails.sqlite"):
        with Inbox(tls=False, save=save, rules=Rules(name="here")) as inbox:
            with smtplib.SMTP("127.0.0.1", inbox.server.port, local_hostname="there") as client:
                for count in (1, 200, 2):
                    client.sendmail(
                        "a@b.org", [f"r{n}@example.org" for n in range(count)], "Subject: é\r\n\r\n".encode()
                    )
            found = [received.transcript for received in inbox.expect(3)]
            told.append([[(line.mark, line.text) for line in one or ()] for one in found])
            assert [one is not None and one.dropped > 100 for one in found] == [False, True, False]
    assert told[0] == told[1]
    assert [lines[0] for lines in told[1]] == [("S", "220 here ESMTP mailwright")] * 3
    assert [lines[-1] for lines in told[1][::2]] == [("S", "250 2.0.0 Taken")] * 2
    assert [("C", "rcpt TO:<r1@example.org>") in lines for lines in told[1]] == [False, True, True]
