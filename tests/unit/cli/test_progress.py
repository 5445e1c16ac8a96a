"""A large upload draws how far it is on a terminal, and only there; nothing of it stays."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mailwright import Inbox
from mailwright.words.reply import Reply
from tests.unit.cli.running import PROGRAM, WHOLE, program, surroundings, terminal, without

pytest.importorskip("pty", reason="a terminal is played by a pseudo-terminal of POSIX")

RICH, PLAIN = PROGRAM, without("rich")


@pytest.fixture
def large(tmp_path: Path) -> str:
    """A file that is worth a bar."""
    file = tmp_path / "film.bin"
    file.write_bytes(bytes(8_000_000))
    return str(file)


def sent_on_a_terminal(start: Sequence[str], words: Sequence[str], **variables: str) -> tuple[int, str, str]:
    """Exit code, standard output (a pipe) and what was drawn on standard error (a terminal)."""
    with terminal() as tty:
        done = subprocess.run(
            [*start, "send", *WHOLE, *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=tty.theirs,
            env=surroundings(TERM="xterm", **variables), timeout=60, check=False,
        )  # fmt: skip
    return done.returncode, done.stdout.decode(), tty.text


@pytest.mark.parametrize("start", [RICH, PLAIN], ids=["rich", "plain"])
def test_a_large_upload_is_drawn_and_wiped_out(start: Sequence[str], large: str) -> None:
    with Inbox(tls=False) as inbox:
        code, out, drawn = sent_on_a_terminal(start, ["--attach", large, "--server", inbox.url])
        (received,) = inbox.messages
    assert code == 0 and out == ""  # standard output is no terminal: success is silent there
    assert "MB" in drawn and "waiting for the server's answer" in drawn
    assert len(received.content) > 10_000_000 and received.message.attachments[0].size == 8_000_000
    assert ends_clean(drawn)


def ends_clean(drawn: str) -> bool:
    """Whether the last thing that was done to the line of the bar is that it was wiped out."""
    last = drawn.rpartition("\n")[2].rstrip("\r")
    for wiped in ("\x1b[2K", "\x1b[?25h"):
        last = last.rpartition(wiped)[2]
    return not last.rpartition("\r")[2].strip() or last == ""


@pytest.mark.parametrize("start", [RICH, PLAIN], ids=["rich", "plain"])
def test_an_error_stands_on_a_line_of_its_own_below_it(start: Sequence[str], large: str) -> None:
    with Inbox(tls=False, answer=lambda received: Reply(554, ("5.6.0 No films",))) as inbox:
        code, out, drawn = sent_on_a_terminal(start, ["--attach", large, "--json", "--server", inbox.url])
    assert code == 65 and json.loads(out)["error"] == "ContentRefused"
    assert "MB" in drawn
    last = drawn.rstrip().rpartition("\n")[2].rpartition("\r")[2]
    assert last.rpartition("\x1b[2K")[2].startswith("mailwright: ") and last.endswith(".") and "No films" in last


@pytest.mark.parametrize("start", [RICH, PLAIN], ids=["rich", "plain"])
@pytest.mark.parametrize("why", ["small", "dumb"])
def test_it_is_not_drawn(why: str, start: Sequence[str], large: str) -> None:
    with Inbox(tls=False) as inbox:
        words = ["--server", inbox.url, *(["--attach", large] if why == "dumb" else [])]
        with terminal() as tty:
            done = subprocess.run(
                [*start, "send", *WHOLE, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=tty.theirs, env=surroundings(TERM="dumb" if why == "dumb" else "xterm"), timeout=60, check=True,
            )  # fmt: skip
        assert len(inbox.messages) == 1
    assert (done.stdout, tty.text) == (b"", "")


def test_off_a_terminal_a_large_upload_is_silent(large: str) -> None:
    with Inbox(tls=False) as inbox:
        assert program("send", *WHOLE, "--attach", large, "--server", inbox.url) == (0, "", "")
        assert len(inbox.messages) == 1


def test_no_thread_draws() -> None:
    code = (
        "import sys, threading; from mailwright.cli.progress import _RichBar\n"
        "bar = _RichBar(100); bar.show(50); print(threading.active_count()); bar.close()"
    )
    assert program(start=(sys.executable, "-c", code)).out == "1\n"
