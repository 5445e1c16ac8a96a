"""What everybody meets with `smtplib` in the first hour, made here on request: a script of its own, what it printed, and
what `mailwright explain` makes of that.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mailwright import Inbox
from mailwright.testing import variables

SCRIPT = """
import os, smtplib, ssl

server = smtplib.SMTP("localhost", int(os.environ["SMTP_PORT"]), timeout=1)
{starttls}
server.login("ada", {password!r})
server.sendmail("ada@example.org", "grace@example.net", "Subject: Hello\\n\\nHi!")
server.quit()
"""
STARTTLS = "server.starttls(context=ssl.create_default_context(cafile=os.environ['NODE_EXTRA_CA_CERTS']))"
RIGHT = "correct horse"
#: The fault, the script, what it ends with, the kind, and words that the explanation must have.
ROWS = [
    ("drop connect", STARTTLS, RIGHT, "Connection unexpectedly closed", "closed-at-greeting", ("587", "STARTTLS")),
    ("drop greeting reset", STARTTLS, RIGHT, "Connection reset", "closed-at-greeting", ("587", "STARTTLS")),
    ("says gmail 'wrong password'", STARTTLS, RIGHT, "Username and Password not accepted", "gmail-535-bad", ("app password",)),
    ("drop auth", STARTTLS, RIGHT, "Connection unexpectedly closed", "closed-at-auth", ("app password", "TLS")),
    ("", STARTTLS, "another", "535", "auth-535-generic", ("app password", "user name")),
    ("", "", RIGHT, "AUTH extension not supported", "auth-not-offered", ("TLS",)),
    ("drop ehlo", "", RIGHT, "Connection unexpectedly closed", "closed-before-starttls", ("TLS", "587")),
    ("no_greeting", STARTTLS, RIGHT, "timed out", "greeting-timeout", ("port",)),
    ("drop mail silence", STARTTLS, RIGHT, "timed out", "timeout-in-talk", ("longer",)),
]  # fmt: skip


@pytest.fixture(scope="module")
def inbox() -> Iterator[Inbox]:
    with Inbox(login=("ada", RIGHT), tls=True) as opened:
        yield opened


def ran(inbox: Inbox, starttls: str, password: str) -> subprocess.CompletedProcess[bytes]:
    script = SCRIPT.format(starttls=starttls, password=password)
    return subprocess.run(
        [sys.executable, "-c", script], env=variables(inbox, os.environ), capture_output=True, timeout=60
    )


@pytest.mark.parametrize(
    ("fault", "starttls", "password", "ends", "kind", "words"), ROWS, ids=[f"{row[0]} {row[4]}" for row in ROWS]
)
def test_what_the_script_printed_is_explained(
    fault: str, starttls: str, password: str, ends: str, kind: str, words: tuple[str, ...], inbox: Inbox
) -> None:
    inbox.faults.replace()
    if fault:
        inbox.faults.add(fault)
    printed = ran(inbox, starttls, password)
    assert printed.returncode == 1 and ends.encode() in printed.stderr
    command = [sys.executable, "-m", "mailwright", "explain", "--json", "-"]
    told = json.loads(subprocess.run(command, input=printed.stderr, capture_output=True, timeout=60).stdout)
    assert told["kind"] == kind, told
    assert all(word in " ".join([*told["causes"], told["fix"]]) for word in words), told


def test_without_faults_the_script_is_right(inbox: Inbox) -> None:
    inbox.faults.clear()
    inbox.clear()
    assert ran(inbox, STARTTLS, RIGHT).returncode == 0
    assert [received.subject for received in inbox.messages] == ["Hello"]
