"""Real worker processes and signals: nothing is lost, and what is sent twice stays within the bound that the
documentation names. The long form is `python -m bench.kill_drill`.
"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from bench.kill_drill import AT_SERVER, BOUND, IN_WORKER, drill, fill, is_open, look, recorder, start

POINTS = [point for point in (*IN_WORKER, *AT_SERVER) if point != "k13"]  # QUIT comes when all is done


@pytest.mark.parametrize("points", [POINTS, ["random"]], ids=["named", "random"])
@pytest.mark.parametrize("in_doubt", ["retry", "hold"])
def test_killed_workers_lose_nothing(tmp_path: Path, in_doubt: str, points: list[str]) -> None:
    points = [point for point in points if in_doubt == "hold" or point != "k9"]
    kills = max(len(points), 4)
    report = drill(f"sqlite:///{tmp_path}/mail.db", 150, kills, in_doubt, points)
    assert report.kills >= 3
    assert (report.lost, report.different) == (0, 0), report
    assert set(report.states) <= {"sent", "held"}, report
    assert report.duplicates <= (0 if in_doubt == "hold" else report.kills * BOUND), report


def freeze(process: subprocess.Popen[bytes], file: Path) -> None:
    """Stop it, but not while it holds the lock of the file: nobody could go on then."""
    while True:
        process.send_signal(signal.SIGSTOP)
        connection = sqlite3.connect(file, timeout=0.1, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            return
        except sqlite3.OperationalError:
            process.send_signal(signal.SIGCONT)
        finally:
            connection.close()


@pytest.mark.parametrize("in_doubt", ["retry", "hold"])
def test_a_worker_that_was_frozen_past_its_lease_is_fenced(tmp_path: Path, in_doubt: str) -> None:
    url = f"sqlite:///{tmp_path}/mail.db"
    rows = fill(url, 300, in_doubt)
    with recorder() as server:
        frozen = start(url, server.port, "", "0.5")
        while server.seen.taken < 20:
            assert frozen.poll() is None
            time.sleep(0.001)
        freeze(frozen, tmp_path / "mail.db")
        time.sleep(0.6)
        assert start(url, server.port, "", "60").wait(60) == 0
        after, _ = look(url)
        frozen.send_signal(signal.SIGCONT)
        assert frozen.wait(60) == 0
        states, names = look(url)
    # A late reply settles what was held in doubt, and changes nothing else.
    assert {pair: state for pair, state in states.items() if after[pair] != "held"} == {
        pair: state for pair, state in after.items() if state != "held"
    }
    assert set(states.values()) <= {"sent", "held"} and len(states) == len(rows)
    copies = [server.seen.copies.get((names[id], recipient), []) for id, recipient in rows]
    assert all(copies) or in_doubt == "hold"
    doubled = sum(len(each) > 1 for each in copies)
    assert doubled <= (0 if in_doubt == "hold" else BOUND)
    assert all(len(set(each)) <= 1 for each in copies)


def test_eight_workers_send_no_row_twice(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/mail.db"
    rows = fill(url, 5_000, "retry")
    assert len(rows) == 9_999
    with recorder() as server:
        workers = [start(url, server.port, "", "60") for _ in range(8)]
        assert [worker.wait(120) for worker in workers] == [0] * 8
        states, names = look(url)
    assert set(states.values()) == {"sent"}
    assert {len(server.seen.copies[names[id], recipient]) for id, recipient in rows} == {1}


def test_sigterm_lets_a_worker_finish_and_give_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/mail.db"
    rows = fill(url, 2_000, "retry")
    with recorder() as server:
        worker = start(url, server.port, "", "60")
        while server.seen.taken < 100:
            assert worker.poll() is None
            time.sleep(0.001)
        worker.terminate()
        assert worker.wait(30) == 0
        states, names = look(url)
        left = [pair for pair in rows if states[pair] != "sent"]
        assert 0 < len(left) < len(rows)
        assert {states[pair] for pair in left} == {"queued"}, "nothing stays leased"
        assert not [pair for pair in left if (names[pair[0]], pair[1]) in server.seen.copies]
        assert start(url, server.port).wait(60) == 0
        states, _ = look(url)
    assert set(states.values()) == {"sent"}
    assert {len(server.seen.copies[names[id], recipient]) for id, recipient in rows} == {1}


@pytest.mark.parametrize("in_doubt", ["retry", "hold"])
def test_what_kills_its_worker_three_times_is_set_aside(tmp_path: Path, in_doubt: str) -> None:
    """Its neighbours go on, and the third time is the last."""
    url = f"sqlite:///{tmp_path}/mail.db"
    rows = fill(url, 12, in_doubt)
    poison = rows[5][1]
    with recorder() as server:
        deaths, ended = 0, time.monotonic() + 60
        while is_open(url) and time.monotonic() < ended:
            deaths += start(url, server.port, f"poison={poison}:0").wait(60) == -signal.SIGKILL
        states, _ = look(url)
    assert deaths == 3
    held = {recipient for (_, recipient), state in states.items() if state == "held"}
    assert held >= {poison} and states[rows[0]] == "sent"
    assert set(states.values()) == {"sent", "held"}
