"""Whatever the streams, the locale and the home directory are like: the work is done, and the exit code is defined."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailwright import Inbox
from tests.unit.cli.running import PROGRAM, WHO, WHOLE, Ran, program, surroundings, terminal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="streams are closed as POSIX shells do it")


@contextmanager
def a_pipe_that_nobody_reads() -> Iterator[int]:
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        yield theirs
    finally:
        os.close(theirs)


def expect_no_noise(ran: Ran) -> None:
    assert "Traceback" not in ran.err and "Exception ignored" not in ran.err and "BrokenPipe" not in ran.err, ran.err


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("--version",),
        ("send", "--help"),
        ("demo",),
        ("send", *WHOLE, "--dry-run"),
        ("config", "--server", "smtp+plain://localhost:1025"),
    ],
    ids=" ".join,
)
def test_who_read_the_output_may_leave(words: tuple[str, ...]) -> None:
    with a_pipe_that_nobody_reads() as pipe:
        ran = program(*words, stdout=pipe)
    assert ran.code == 0 and ran.err == ""


def test_a_broken_pipe_does_not_hide_what_became_of_the_message() -> None:
    with a_pipe_that_nobody_reads() as pipe, Inbox(tls=False, refuse={"eve@example.org": "550 5.1.1 No"}) as inbox:
        good = program("send", *WHOLE, "--json", "--server", inbox.url, stdout=pipe)
        bad = program("send", *WHOLE, "--to", "eve@example.org", "--json", "--server", inbox.url, stdout=pipe)
        deaf = program("send", *WHOLE, "--to", "eve@example.org", "--server", inbox.url, stdout=pipe, stderr=pipe)
        assert len(inbox.messages) == 3
    assert good == (0, "", "") and bad.code == 67 and bad.err.count("\n") == 1 and deaf.code == 67


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_closed_streams(closed: str) -> None:
    with Inbox(tls=False, refuse={"eve@example.org": "450 4.2.1 Later"}) as inbox:
        words = ("send", *WHO, "--server", inbox.url)
        sent = program(*words, redirected=closed)
        loud = program(*words, "--json", redirected=closed)
        late = program("send", "--to", "eve@example.org", *WHOLE[2:], "--server", inbox.url, redirected=closed)
        wrong = program("send", "--unknown", redirected=closed)
        skipped = program(*words, "--skip-empty", redirected=closed)
        assert len(inbox.messages) == 2
        for received in inbox.messages:  # nothing that we print went to the server
            assert received.message.subject == "Hi" and (received.message.text or "").strip() == ""
    assert [ran.code for ran in (sent, loud, late, wrong, skipped)] == [0, 0, 75, 64, 0]
    for ran in (sent, loud, late, wrong, skipped):
        expect_no_noise(ran)
    assert program("demo", redirected=closed).code == 0
    assert program("send", *WHOLE, "--dry-run", redirected=closed).code == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")
def test_a_full_disk() -> None:
    with Inbox(tls=False) as inbox, open("/dev/full", "wb") as full:
        sent = program("send", *WHOLE, "--json", "--server", inbox.url, stdout=full)
        quiet = program("send", *WHOLE, "--server", inbox.url, stdout=full)
        shown = program("send", *WHOLE, "--dry-run", stdout=full)
        deaf = program("send", "--unknown", stdout=full, stderr=full)
        assert len(inbox.messages) == 2
    assert sent.code == 74 and sent.err.startswith("mailwright: the message was sent, but")
    assert quiet == (0, "", "") and deaf.code == 64
    assert shown.code == 74 and "can't be written" in shown.err and shown.err.count("\n") == 1
    expect_no_noise(sent)
    expect_no_noise(shown)


def bare(**more: str) -> dict[str, str]:
    """A locale that knows only ASCII, without Python's rescue."""
    return surroundings(LC_ALL="C", LANG="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0", **more)


def test_a_locale_that_is_not_utf_8(tmp_path: Path) -> None:
    probe = program("-c", "import sys; print(sys.stdout.encoding, sys.argv)", start=[sys.executable], env=bare())
    assert "utf" not in probe.out.lower(), "the locale of this test is one of UTF-8 after all"
    file = tmp_path / "Grüße.txt"
    file.write_text("x")
    with Inbox(tls=False) as inbox:
        words = ("--from", "Ada Łucja <ada@example.org>", "--subject", "Grüße ✉", "--server", inbox.url)
        encoded = [word.encode() for word in ("--to", "Bob Hüpper <bob@example.org>", *words)]
        ran = program("send", *encoded, "--attach", os.fsencode(file), stdin="Guten Tag, Łucja".encode(), env=bare())
        assert ran == (0, "", "")
        (received,) = inbox.messages
        message = received.message
        assert message.subject == "Grüße ✉" and message.sender is not None and message.sender.name == "Ada Łucja"
        assert message.to[0].name == "Bob Hüpper" and (message.text or "").strip() == "Guten Tag, Łucja"
        listed = program("send", *encoded, "--text", "x", "--json", env=bare())
        assert listed.code == 0 and json.loads(listed.out)
        refused = program("send", *encoded, "--text", "x", "--to", "bob@Grüße@x".encode(), env=bare())
        assert refused.code == 65 and refused.err.isascii() and refused.err.count("\n") == 1
        shown = program("send", *encoded, "--text", "Grüße".encode(), "--dry-run", env=bare())
        assert shown.code == 0
        wrong = program("send", *encoded, "--to", "Grüße".encode(), "--text", "x", env=bare())
        assert wrong.code == 65 and wrong.err.count("\n") == 1 and wrong.err.isascii()


def test_octets_that_are_no_text_at_all() -> None:
    for env in (bare(), surroundings(LC_ALL="C.UTF-8")):
        words = ("send", "--to", "bob@example.org", "--from", "ada@example.org", "--subject", b"Gr\xfc\xdfe")
        ran = program(*words, "--text", "x", "--dry-run", env=env)
        assert ran.code == 65 and "--subject" in ran.err and ran.err.count("\n") == 1
        ran = program("send", *WHO, "--dry-run", stdin=b"Gr\xfc\xdfe", env=env)
        assert ran.code == 65 and "not UTF-8" in ran.err and ran.err.count("\n") == 1


def test_the_output_of_every_command_survives_ascii() -> None:
    for words in (
        ("demo",),
        ("--help",),
        ("send", "--help"),
        ("config", "--help"),
        ("config", "--server", "smtp+plain://localhost"),
    ):
        ran = program(*words, env=bare())
        assert ran.code == 0 and ran.err == "" and ran.out.isascii()


@pytest.mark.parametrize("place", ["missing", "file", "unreadable", "unset"])
def test_any_home(place: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    if place == "file":
        home.write_text("")
    elif place == "unreadable":
        home.mkdir(0o500)
        (tmp_path / "home").chmod(0)
    env = surroundings(home, TMPDIR=str(tmp_path))
    if place == "unset":
        del env["HOME"]
    with Inbox(tls=False) as inbox:
        assert program("send", *WHOLE, env={**env, "MAILWRIGHT_URL": inbox.url}) == (0, "", "")
        assert len(inbox.messages) == 1
    ran = program("send", *WHOLE, env=env)
    assert ran.code == 78 and ran.err.count("\n") == 1
    assert program("config", "--server", "smtp+plain://localhost", env=env).code == 0
    assert program("demo", "--quiet", env=env).code == 0
    if home.is_dir():
        home.chmod(0o700)
        assert not list(home.iterdir())


def test_endless_input_is_not_read_for_ever() -> None:
    with open("/dev/zero", "rb") as zeros:
        ran = program("send", *WHO, "--dry-run", stdin=zeros)  # type: ignore[arg-type]
    assert ran.code == 65 and "64 MB" in ran.err and "--attach" in ran.err


def test_a_terminal_is_told_and_asked() -> None:
    with Inbox(tls=False) as inbox, terminal() as tty:
        words = [*PROGRAM, "send", *WHO, "--server", inbox.url]
        streams = {"stdin": tty.theirs, "stdout": tty.theirs, "stderr": tty.theirs}
        with subprocess.Popen(words, env=surroundings(), **streams) as process:  # type: ignore[call-overload]
            tty.wait_for("Ctrl-D on a line of its own.")
            tty.type("Hello there\n\x04")
            assert process.wait(30) == 0
        tty.wait_for("accepted by 127.0.0.1 for 1 of 1 recipients")
        assert (inbox.messages[0].message.text or "").strip() == "Hello there"
        with subprocess.Popen(words, env=surroundings(), **streams) as process:  # type: ignore[call-overload]
            tty.type("\x04")
            assert process.wait(30) == 65
        tty.wait_for("nothing was sent. A message without a text is sent by --text ''.")
        wrong = [*PROGRAM, "send", *WHO, "--to", "nobody", "--server", inbox.url]
        with subprocess.Popen(wrong, env=surroundings(), **streams) as process:  # type: ignore[call-overload]
            assert process.wait(30) == 65  # told before anybody types a text in vain
        assert len(inbox.messages) == 1
