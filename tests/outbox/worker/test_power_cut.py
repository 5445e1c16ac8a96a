"""The power is cut at any moment, and the disk holds what was synced and any part of the rest."""

from __future__ import annotations

import random
import re
import sqlite3
import subprocess
import sys
from bisect import bisect_left
from itertools import accumulate
from pathlib import Path

import pytest

from mailwright.inbox import Inbox
from mailwright.outbox import Outbox
from tests.outbox.worker.power import Call, calls, disk_after, traced

CUTS = 20  # of each kind in every run; by hand 60, with the same end
PROGRAM = """
import os, sys
from mailwright import Message, Server
from mailwright.outbox import Outbox
host, port, place, in_doubt = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]

def put(outbox, number, text="Dear Bob"):
    to = f"r{number}@example.net"
    id = outbox.put(Message("ada@example.org", to, f"Number {number};", text), in_doubt=in_doubt)
    os.write(2, f"PUT {id} {number};".encode())

outbox = Outbox(place)
for number in range(8):
    put(outbox, number)
put(outbox, 8, "a line of a larger text\\n" * 20_000)
outbox.work(Server(host, port), once=True)
outbox.put_many([Message("ada@example.org", "kim@example.net", "Many", "x" * 3000) for _ in range(400)], in_doubt="hold")
connection = __import__("sqlite3").connect(place)
connection.execute("PRAGMA wal_checkpoint(RESTART)")
for number in range(9, 14):
    put(outbox, number)
outbox.work(Server(host, port), once=True)
os._exit(0)
"""


@pytest.mark.parametrize("in_doubt", ["hold", "retry"])
def test_whatever_the_disk_holds_then_nothing_is_lost(tmp_path: Path, post_office: Inbox, in_doubt: str) -> None:
    """Each put that returned is there. Of hold, whose last octets had left is marked, and never sent again by itself."""
    log, place = tmp_path / "log", tmp_path / "mail.db"
    host, port = post_office.server.host, str(post_office.server.port)
    command = traced(log, [sys.executable, "-c", PROGRAM, host, port, str(place), in_doubt])
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    found = calls(log)
    said = [(one.begun, *_said(one)) for one in found if one.octets.startswith(b"PUT ")]
    left = _finished(found)
    assert len(said) == 14 and {number for _, number in left} == set(range(14))
    disk = [one for one in found if one.path.startswith(str(tmp_path)) and not one.path.endswith("-shm")]  # memory
    draw = random.Random(7)
    moments = [one.begun for one in disk]
    moments += [begun for begun, _ in (*[(one[0], 0) for one in said], *left)] * 20
    for cut in draw.sample(moments, CUTS):
        folder = tmp_path / f"cut-{cut}-{draw.random()}"
        folder.mkdir()
        disk_after(disk, cut, folder, draw)
        put = [(id, number) for begun, id, number in said if begun < cut]
        gone = {number for begun, number in left if begun < cut}
        if not put:
            continue
        check = sqlite3.connect(folder / "mail.db")
        assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        check.close()
        with Outbox(folder / "mail.db") as outbox:
            for id, number in put:
                states = {one.state.name for one in outbox.status(id).deliveries}
                assert states, (cut, number)
                if in_doubt == "hold" and number in gone:
                    assert states <= {"sending", "sent", "held"}, (cut, number, states)


def _said(call: Call) -> tuple[str, int]:
    id, number = call.octets[4:].decode().rstrip(";").split(" ")
    return id, int(number)


def _finished(found: list[Call]) -> list[tuple[int, int]]:
    """With which call the last octets of which message may have left."""
    left: list[tuple[int, int]] = []
    streams: dict[str, list[Call]] = {}
    for call in found:
        if call.path.startswith("socket:"):
            streams.setdefault(call.path, []).append(call)
    for sent in streams.values():
        whole = b"".join([call.octets for call in sent])
        ends = list(accumulate(len(call.octets) for call in sent))
        for chunk in re.finditer(rb"BDAT (\d+) LAST\r\n", whole):
            end = chunk.end() + int(chunk[1])
            number = re.search(rb"Subject: Number (\d+);", whole[chunk.end() : end])
            if number is not None:
                left.append((sent[bisect_left(ends, end)].begun, int(number[1])))
    return left
