"""``python -m mailwright.smtplib``: the questions of the original, and a message to this machine's server."""

from __future__ import annotations

import subprocess
import sys

from mailwright import Inbox
from tests.unit.cli.running import surroundings


def test_it_asks_and_sends() -> None:
    with Inbox(tls=False) as inbox:
        catch = f"smtp://127.0.0.1:{inbox.server.port}"  # the server would be that of port 25
        done = subprocess.run(
            [sys.executable, "-m", "mailwright.smtplib"],
            input="ada@example.org\nbob@example.net,eve@example.net\nSubject: Hi\n\nA line\n",
            env=surroundings(MAILWRIGHT_CATCH=catch), capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        received = inbox.wait(subject="Hi")
    assert done.stdout == "From: To: Enter message, end with ^D:\nMessage length is 20\n"
    assert [address.spec for address in received.recipients] == ["bob@example.net", "eve@example.net"]
    assert "send: 'mail from:<ada@example.org> size=23\\r\\n'" in done.stderr
    assert "reply: retcode (221)" in done.stderr
