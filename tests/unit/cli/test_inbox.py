"""`mailwright inbox` prints what arrives, whatever it is, and ends when it is told to."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mailwright import Mailer, Message
from tests.unit.cli.running import PROGRAM, WHOLE, Command, program, surroundings, without


class Running:
    """The command while it runs."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, "inbox", "--port", "0", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=surroundings(), text=True, encoding="utf-8",
        )  # fmt: skip
        self.introduction = self.read_until("Ctrl-C ends it.")
        found = re.search("MAILWRIGHT_URL='(.*)'", self.introduction)
        assert found, self.introduction
        self.url = found[1]

    def read_until(self, text: str) -> str:
        assert self.process.stdout is not None
        seen = ""
        for line in self.process.stdout:
            seen += line
            if text in line:
                return seen
        pytest.fail(f"{text!r} was not printed: {seen}")

    def rest(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@contextmanager
def running(*words: str) -> Iterator[Running]:
    made = Running(*words)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
        made.process.communicate()


def raw(url: str, content: bytes) -> None:
    """One message, its content as it is."""
    host, port = url.rpartition("//")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        with connection.makefile("rb") as replies:
            replies.readline()
            for line in (
                b"HELO x",
                b"MAIL FROM:<>",
                b"RCPT TO:<bob@example.org>",
                b"DATA",
                content + b"\r\n.",
                b"QUIT",
            ):
                connection.sendall(line + b"\r\n")
                assert replies.readline()[:1] in b"23"


def test_it_prints_what_arrives_and_ends_after_the_count() -> None:
    with running("--count", "2") as inbox:
        assert "security  none" in inbox.introduction and "password" not in inbox.introduction
        with Mailer(inbox.url) as mailer:
            mailer.send(
                Message(
                    "ada@example.org", [f"r{n}@example.org" for n in range(12)], "Grüße ✉", "one\ntwo",
                    attachments={"table.csv": b"a;b"},
                )
            )  # fmt: skip
            mailer.send(Message("ada@example.org", "bob@example.org", "", html="<p>Only <b>HTML</b></p>", text=""))
        code, out, err = inbox.rest()
    assert (code, err) == (0, "")
    assert "── 1 ── from ada@example.org to r0@example.org, r1@" in out and " and 2 more" in out
    assert "   Subject: Grüße ✉\n   one\n   two\n   + table.csv, text/csv" in out
    assert "── 2 ──" in out and "Subject: (none)" in out and "Only HTML" in out


def test_login_and_tls_and_the_command_line_go_together(tmp_path: Path) -> None:
    with running("--tls", "--login", "ada@example.org", "--count", "1") as inbox:
        assert "security  starttls" in inbox.introduction and "(made up for this run)" in inbox.introduction
        authority = re.search(r"CA file +(\S+)", inbox.introduction)
        assert authority and Path(authority[1]).exists()
        ran = program("send", *WHOLE, env=surroundings(MAILWRIGHT_URL=inbox.url))
        assert ran == (0, "", "")
        assert inbox.rest()[0] == 0
    assert not Path(authority[1]).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_it_ends_politely(number: signal.Signals) -> None:
    with running("--tls") as inbox:
        authority = re.search(r"CA file +(\S+)", inbox.introduction)
        inbox.process.send_signal(number)
        assert inbox.rest() == (0, "", "")
    assert authority and not Path(authority[1]).exists()


def test_it_ends_when_nobody_reads_any_more() -> None:
    with running() as inbox:
        assert inbox.process.stdout is not None
        inbox.process.stdout.close()
        with suppress(OSError):  # it may end before its client has heard the last reply
            raw(inbox.url, b"Subject: x\r\n\r\nx")
        assert inbox.process.wait(30) == 0
        assert inbox.process.stderr is not None and inbox.process.stderr.read() == ""
        inbox.process.stdout = None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\0",
        b"no header at all",
        b"Subject: \x1b]0;owned\x07 \xe2\x80\xae\r\n\r\n\x1b[2J\x1b[31mred\r\n" + b"x" * 5000 + b"\r\n" * 200 + b"end",
        b"Subject: =?utf-8?q?=1B=5B2J?=\r\nContent-Type: text/html\r\n\r\n<p>&#27;[2J",
        b'Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: a/b; name="\x1b[2J"\r\n\r\n--y',
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!!",
        b"Content-Type: text/plain; charset=utf-7\r\n\r\n+",
    ],
    ids=lambda content: repr(content[:20]),
)
def test_hostile_messages_are_shown_harmlessly(content: bytes) -> None:
    with running("--count", "1") as inbox:
        raw(inbox.url, content)
        code, out, err = inbox.rest()
    assert (code, err) == (0, "") and "── 1 ── from <> to bob@example.org" in out
    assert all(line.isprintable() for line in out.splitlines())
    assert max(map(len, out.splitlines())) < 400 and out.count("\n") < 60
    assert "\u202e" not in out


def test_a_port_that_is_taken(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = command("inbox", "--port", str(port))
    assert ran.code == 78 and ran.out == "" and ran.err.count("\n") == 1
    assert f"another port than {port} with --port" in ran.err


@pytest.mark.parametrize(
    "words", [("--port", "70000"), ("--port", "-1"), ("--count", "0"), ("--login", ""), ("--port", "x"), ("stray",)]
)
def test_wrong_options(words: tuple[str, ...], command: Command) -> None:
    ran = command("inbox", *words)
    assert ran.code == 64 and ran.out == "" and ran.err.count("\n") == 1


def test_demo_shows_the_stages(command: Command) -> None:
    ran = command("demo")
    assert ran.code == 0 and ran.err == ""
    for stage in ("connected", "secured    TLSv1", "logged in  as ada@example.org", "accepted by", "Transcript"):
        assert stage in ran.out
    *_, equal, page = ran.out.splitlines()
    assert equal.startswith("The message came back equal") and page.endswith("http://127.0.0.1:8025/")
    assert command("demo", "--quiet") == (0, equal + "\n", "")


def test_demo_without_the_extra_says_which_one_adds_tls() -> None:
    ran = program("demo", start=without("trustme"))
    assert ran.code == 0 and "pip install 'mailwright[inbox]'" in ran.out and "came back equal" in ran.out


def test_demo_sees_what_is_different() -> None:
    from mailwright.cli.demo import compare, demo_message
    from mailwright.inbox import Inbox, Received

    message = demo_message()
    with Inbox(tls=False) as inbox, Mailer(inbox.server) as mailer:
        mailer.send(message)
        received = inbox.messages[0]
    assert compare(message, received) == []
    content = received.content
    for part, changed in ((b"Subject: ", b"Subject: x"), (b"iVBORw0KGgo", b"iVBORw0KGgA"), (b".csv", b".tsv")):
        assert part in content
        content = content.replace(part, changed)
    different = " ".join(compare(message, Received(received.envelope, content)))
    for what in ("the subject", "the picture", "the attachment's name"):
        assert what in different
