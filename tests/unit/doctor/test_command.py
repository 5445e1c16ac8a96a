"""`mailwright doctor`: what it prints, where to, and its exit code."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailwright import Inbox
from mailwright.cli import COMMANDS
from mailwright.cli.exit_codes import CONFIG, NOPERM, PROTOCOL, TEMPFAIL, USAGE
from tests.unit.cli.running import PROGRAM, Command, command, program, surroundings, terminal

__all__ = ["command"]

ADA, PASSWORD = "ada@example.org", "correct horse"


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is there."""
    monkeypatch.setitem(COMMANDS, "doctor", "check the way that mail would go, and send none")


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox(login=(ADA, PASSWORD)) as opened:
        yield opened


def asked(inbox: Inbox, *words: str) -> tuple[str, ...]:
    """A check of that port alone; nobody else is asked anything."""
    return ("doctor", "--port", str(inbox.server.port), "--no-papers", "--timeout", "5", *words)


def test_the_report(command: Command, inbox: Inbox) -> None:
    ran = command(*asked(inbox), MAILWRIGHT_URL=inbox.url)
    assert ran.code == 0, ran
    begin = f"Checking {ADA} through {inbox.server} (STARTTLS, from MAILWRIGHT_URL). No mail is sent.\n\nStreet: "
    assert ran.out.startswith(begin) and ran.err == ""
    assert f"login: {ADA} is let in" in ran.out
    assert ran.out.endswith("\n\nEverything that was checked is in order.\n")
    assert inbox.messages == () and PASSWORD not in ran.out


def test_as_json(command: Command, inbox: Inbox) -> None:
    ran = command(*asked(inbox, "--json"), MAILWRIGHT_URL=inbox.url)
    told = json.loads(ran.out)
    assert ran.code == told["exit_code"] == 0 and told["ok"] is True
    assert [stage["name"] for stage in told["stages"]][-1] == "papers"


def test_a_wrong_password(command: Command, inbox: Inbox) -> None:
    url = inbox.url.replace("correct%20horse", "last%20year")
    ran = command(*asked(inbox), MAILWRIGHT_URL=url)
    assert ran.code == NOPERM and "FAILED       login:" in ran.out and "535" in ran.out
    ran = command(*asked(inbox, "--json"), MAILWRIGHT_URL=url)
    assert ran.code == json.loads(ran.out)["exit_code"] == NOPERM


def test_a_port_where_nothing_listens(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:
        port = once.getsockname()[1]
    ran = command("doctor", "--server", f"smtps://127.0.0.1:{port}", "--port", str(port), "--timeout", "3")
    assert ran.code == TEMPFAIL and "refused" in ran.out


def test_the_wrong_security(command: Command) -> None:
    with Inbox(login=(ADA, PASSWORD), security="tls") as inbox:
        ran = command(*asked(inbox, "--timeout", "2"), MAILWRIGHT_URL=inbox.url.replace("smtps://", "smtp://"))
    assert ran.code == PROTOCOL and "speaks TLS from the first byte" in ran.out and "smtps://" in ran.out


@pytest.mark.parametrize(
    "words",
    [
        ("--account", "a", "--server", "smtps://x"),
        ("--port", "0"),
        ("--port", "x"),
        ("--timeout", "0"),
        ("--timeout", "nan"),
        ("--timeout", "1e9"),
        ("a@b", "c@d"),
        ("--password", "x"),
        ("--server", "smtp://ada:secret@localhost"),
        ("--strange",),
    ],
)
def test_a_command_line_that_can_not_be_meant(command: Command, words: tuple[str, ...]) -> None:
    ran = command("doctor", *words)
    assert ran.code == USAGE and ran.out == "" and ran.err.count("\n") == 1 and "secret@" not in ran.err


def test_settings_that_are_missing(command: Command) -> None:
    ran = command("doctor")
    assert ran.code == CONFIG and "No mail server is configured" in ran.err and ran.out == ""
    ran = command("doctor", "--json")
    assert json.loads(ran.out)["exit_code"] == CONFIG


def test_not_an_address(command: Command) -> None:
    ran = command("doctor", "ada at example")
    assert ran.code == USAGE and ran.out == "" and "is not an address" in ran.err
    ran = command("doctor", "ada at example", "--json")
    assert ran.code == json.loads(ran.out)["exit_code"] == USAGE


RUN = "import sys; from mailwright.cli import COMMANDS, main; COMMANDS.setdefault('doctor', ''); sys.exit(main())"


def test_each_stage_is_shown_as_it_comes_and_in_colour_where_somebody_looks(inbox: Inbox, tmp_path: Path) -> None:
    with terminal() as screen:
        env = surroundings(tmp_path, MAILWRIGHT_URL=inbox.url, TERM="xterm-256color", COLUMNS="100")
        ran = program(*asked(inbox), env=env, stdout=screen.theirs, start=(PROGRAM[0], "-c", RUN))
        screen.wait_for("is in order")
        drawn = screen.text
    assert ran.code == 0 and "\x1b[32m" in drawn and "\x1b[1mStreet" in drawn


def test_without_rich_and_without_the_name_system(inbox: Inbox, tmp_path: Path) -> None:
    """Neither extra is needed; what is not checked says what would do it."""
    code = f"import sys; sys.modules['rich'] = sys.modules['dns'] = None; {RUN}"
    env = surroundings(tmp_path, MAILWRIGHT_URL=inbox.url)
    words = [word for word in asked(inbox) if word != "--no-papers"]
    ran = program(*words, env=env, start=(sys.executable, "-c", code))
    assert ran.code == 0, ran
    assert "not checked  all of them" in ran.out and "pip install 'mailwright[dns]'" in ran.out
