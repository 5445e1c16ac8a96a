"""A newsletter of fifty thousand letters: killed in the middle, begun again, and nobody is written to twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from mailwright import Inbox
from mailwright.outbox import Outbox
from tests.unit.cli.running import surroundings

ROOT = Path(__file__).resolve().parents[3]
READERS = 50_000
SENT = 500  # of them over SMTP


def write(path: Path, count: int, kill_at: int | None = None) -> str:
    """Run the program that writes; kill it when it has come to `kill_at`."""
    env = surroundings(PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'src'}")
    command = [sys.executable, "-m", "tests.unit.integrations.letters", str(path), str(count)]
    with subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        last = ""
        for line in process.stdout:
            last = line.strip()
            if kill_at is not None and last == str(kill_at):
                process.send_signal(signal.SIGKILL)
        assert (process.wait() == 0) is (kill_at is None)
        return last


@pytest.mark.once
def test_fifty_thousand_letters(tmp_path: Path) -> None:
    path = tmp_path / "news.db"
    for kill_at in (3_000, 9_000):
        write(path, READERS, kill_at)
    with sqlite3.connect(path) as db:
        ((before,),) = db.execute("SELECT count(*) FROM mw_message").fetchall()
    db.close()
    assert 0 < before < READERS and before % 1000 == 0
    assert write(path, READERS) == f"done {READERS} {READERS}"
    with sqlite3.connect(path) as db:
        ((messages,),) = db.execute("SELECT count(*) FROM mw_message").fetchall()
        ((rows, readers),) = db.execute("SELECT count(*), count(DISTINCT rcpt) FROM mw_delivery").fetchall()
    db.close()
    assert (messages, rows, readers) == (READERS, READERS, READERS)


def test_a_newsletter_arrives_once(tmp_path: Path) -> None:
    path = tmp_path / "news.db"
    write(path, 3_000, 2_000)
    write(path, SENT)
    with Outbox(path) as outbox, Inbox(tls=False) as inbox:
        surplus = [one.id for one in outbox.find(stream="newsletter") if int(one.address[6:].partition("@")[0]) >= SENT]
        for id in surplus:
            outbox.cancel(id)
        outbox.work(f"smtp+plain://{inbox.server.host}:{inbox.server.port}", once=True)
        got = Counter(received.recipients[0].spec for received in inbox.messages)
        assert set(got.values()) == {1} and len(got) == SENT
        fields = {name for name, _ in inbox.messages[0].message.headers}
        assert {"List-Unsubscribe", "List-Unsubscribe-Post"} <= fields
        assert not [one for one in inbox.messages[0].message.check() if "unsubscribe" in one.rule.lower()]
