"""The kill drill: real workers, a real database, a server that records, and SIGKILL at random or at a named moment.

    python -m bench.kill_drill [--kills N] [--messages N] [--in-doubt retry|hold] [--url URL] [--point A,B]

It prints how many were killed, lost, sent twice, and set aside. A message is lost when it is neither at the server nor
open nor set aside, and what is sent twice must be the same to the last octet.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
WINDOW, CONNECTIONS, FLUSH = 16, 2, 200
QUICK = ("PIPELINING", "CHUNKING", "8BITMIME")
CHATTY = ("8BITMIME",)  # one command at a time, so that each of them is a moment to die
BOUND = WINDOW * CONNECTIONS + FLUSH  # recipients for each worker killed that may get a message twice, at most

#: Moments at which a worker dies, and who sees to it: the server, which knows its process from EHLO, or the worker.
AT_SERVER = {
    "k4": "connect", "k5": "mail", "k6": "rcpt", "k7": "data", "k8": "content", "k10": "dot", "k13": "quit",
}  # fmt: skip
IN_WORKER = {"k3": "claimed", "k9": "marked", "k11": "read", "k12": "written", "k14": "writing"}


@dataclass
class Seen:
    """What the server took: for each recipient of a Message-ID, the digests of the copies."""

    copies: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    point: str = ""  # at which it kills its client,
    after: int = 0  # after so many times,
    taken: int = 0  # messages

    def take(self, recipients: list[str], content: bytes) -> None:
        """Keep a message."""
        found = re.search(rb"(?im)^message-id:\s*(<[^>]*>)", content)
        name, digest = found[1].decode() if found else "", hashlib.sha256(content).hexdigest()
        with self.lock:
            self.taken += 1
            for recipient in recipients:
                self.copies.setdefault((name, recipient), []).append(digest)

    def reached(self, point: str, process: int) -> None:
        """The talk has come so far."""
        with self.lock:
            if point != self.point or not process:
                return
            self.after -= 1
            if self.after >= 0:
                return
            self.point = ""
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


class Recorder(socketserver.ThreadingTCPServer):
    """A mail server that keeps what it takes. `keywords` are what EHLO offers."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, keywords: tuple[str, ...] = QUICK) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.seen = Seen()
        self.keywords = keywords
        self.port: int = self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no error."""


class _Talk(socketserver.StreamRequestHandler):
    server: Recorder

    def handle(self) -> None:
        seen, process = self.server.seen, 0
        self._say("220 drill.example ready")
        recipients: list[str] = []
        chunks = b""
        while line := self.rfile.readline():
            word = line.split(b" ", 1)[0].strip().upper()
            if word == b"EHLO":
                found = re.match(rb"EHLO w(\d+)\.", line)
                process = int(found[1]) if found else 0
                lines = ["drill.example", *self.server.keywords]
                seen.reached("connect", process)
                self._say(*[f"250-{one}" for one in lines[:-1]], f"250 {lines[-1]}")
            elif word == b"MAIL":
                recipients = []
                seen.reached("mail", process)
                self._say("250 2.1.0 go on")
            elif word == b"RCPT":
                recipients.append(line.split(b"<")[1].split(b">")[0].decode())
                seen.reached("rcpt", process)
                self._say("250 2.1.5 go on")
            elif word == b"DATA":
                seen.reached("data", process)
                self._say("354 go on")
                self._kept(recipients, self._dotted(process), process)
            elif word == b"BDAT":
                size, last = int(line.split()[1]), b"LAST" in line.upper()
                chunks += self._counted(size, process)
                if last:
                    self._kept(recipients, chunks, process)
                    chunks = b""
                else:
                    self._say("250 2.0.0 more")
            elif word == b"QUIT":
                seen.reached("quit", process)
                self._say("221 2.0.0 bye")
                return
            else:
                self._say("250 2.0.0 ok")

    def _kept(self, recipients: list[str], content: bytes, process: int) -> None:
        self.server.seen.take(recipients, content)
        self.server.seen.reached("dot", process)
        self._say("250 2.0.0 taken")

    def _dotted(self, process: int) -> bytes:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                raise ConnectionError
            lines.append(line[1:] if line.startswith(b".") else line)
            if len(lines) == 2:
                self.server.seen.reached("content", process)
        return b"".join(lines)

    def _counted(self, size: int, process: int) -> bytes:
        first = self.rfile.read(size // 2)
        self.server.seen.reached("content", process)
        content = first + self.rfile.read(size - size // 2)
        if len(content) < size:
            raise ConnectionError
        return content

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


@contextmanager
def recorder(keywords: tuple[str, ...] = QUICK) -> Iterator[Recorder]:
    """A server that records, in a thread of its own."""
    with Recorder(keywords) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Report:
    """How a drill ended, in recipients. `different`: copies that are not the same to the last octet."""

    kills: int
    put: int
    lost: int
    duplicates: int
    different: int
    held: int
    states: dict[str, int]
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.put} put, {self.lost} lost, {self.duplicates} sent twice "
            f"({self.different} of them different), {self.held} set aside, in {self.seconds:.0f} s: {self.states}"
        )


def start(url: str, port: int, die_at: str = "", *options: str) -> subprocess.Popen[bytes]:
    """A worker process; `die_at` is ``claimed:3`` to die the fourth time that something was claimed."""
    command = [sys.executable, "-m", "bench.drill_worker", url, str(port), *options]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "DRILL_DIE": die_at})


def fill(url: str, messages: int, in_doubt: str) -> list[tuple[str, str]]:
    """Put messages to one to three recipients each; gives id and recipient of each row."""
    from mailwright import Message
    from mailwright.outbox.outbox import Outbox
    from mailwright.outbox.putting import Put

    with Outbox(url) as outbox:
        put = []
        for number in range(messages):
            to = [f"r{number}-{n}@d{(number + n) % 7}.example" for n in range(1 + number % 3)]
            put.append((to, Put(Message("ada@example.org", to, f"Number {number}", "text\r\n" * 20), key=f"k{number}")))
        ids = outbox.put_many([one for _, one in put], in_doubt=in_doubt)  # type: ignore[arg-type]
        return [(id, recipient) for id, (to, _) in zip(ids, put, strict=True) for recipient in to]


def look(url: str) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    """The state of each row, and the Message-IDs by id."""
    from mailwright.outbox.asking import Query
    from mailwright.outbox.ids import text_of
    from mailwright.outbox.outbox import Outbox
    from mailwright.outbox.states import state_of

    async def plan() -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
        rows = await Query("SELECT message_id, rcpt, phase FROM mw_delivery", {})
        rows += await Query("SELECT message_id, rcpt, state FROM mw_outcome", {})
        return rows, await Query("SELECT id, message_id FROM mw_message", {})

    with Outbox(url) as outbox:
        rows, messages = outbox.database.read(plan)
    states = {(text_of(bytes(id)), rcpt): state_of(number).name for id, rcpt, number in rows}
    if len(states) != len(rows):
        raise AssertionError("a recipient has two recorded states")
    return states, {text_of(bytes(id)): name for id, name in messages}


def drill(
    url: str, messages: int, kills: int, in_doubt: str = "retry", points: Sequence[str] = ("random",), seed: int = 1,
    workers: int = 1, patience: float = 120.0,
) -> Report:  # fmt: skip
    """Kill workers so often, at one of `points` after the other; then let one finish. What became of everything."""
    luck = random.Random(seed)
    begun = time.monotonic()
    rows = fill(url, messages, in_doubt)
    done, turn = 0, 0
    with recorder() as server:
        while done < kills and is_open(url):
            point = points[turn % len(points)]
            turn += 1
            server.keywords = CHATTY if point in ("k4", "k5", "k6", "k7", "k8", "k10") else QUICK
            if point in AT_SERVER:
                server.seen.point, server.seen.after = AT_SERVER[point], luck.randrange(5)
            die_at = f"{IN_WORKER[point]}:{luck.randrange(3)}" if point in IN_WORKER else ""
            running = [start(url, server.port, die_at) for _ in range(workers)]
            if point == "random":
                _kill_in_the_middle(running, server.seen, luck.randrange(1, max(2, messages // kills)))
            for process in running:
                done += process.wait(patience) == -signal.SIGKILL
            server.seen.point = ""
        server.keywords = QUICK
        while is_open(url):
            if start(url, server.port).wait(patience):
                raise AssertionError("a worker that nobody killed failed")
            if time.monotonic() - begun > patience:
                raise AssertionError(f"it does not come to an end: {look(url)[0]}")
    return _report(url, rows, server.seen, done, begun)


def _kill_in_the_middle(running: list[subprocess.Popen[bytes]], seen: Seen, after: int) -> None:
    """Kill all of them when the server has taken so many more, or they have nothing to do any more."""
    enough = seen.taken + after
    while seen.taken < enough and any(process.poll() is None for process in running):
        time.sleep(0.001)
    for process in running:
        process.kill()


def is_open(url: str) -> bool:
    """Whether anything is still to be done."""
    states, _ = look(url)
    return any(state in ("queued", "deferred", "leased", "sending") for state in states.values())


def _report(url: str, rows: list[tuple[str, str]], seen: Seen, kills: int, begun: float) -> Report:
    states, names = look(url)
    lost = duplicates = different = 0
    for id, recipient in rows:
        state = states.get((id, recipient), "gone")
        copies = seen.copies.get((names.get(id, ""), recipient), [])
        lost += not copies and state != "held"
        duplicates += max(0, len(copies) - 1)
        different += len(set(copies)) > 1
    counts = Counter(states.values())
    return Report(
        kills, len(rows), lost, duplicates, different, counts["held"], dict(counts), time.monotonic() - begun
    )  # fmt: skip


def main() -> None:
    """The long drill."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--in-doubt", choices=("retry", "hold"), default="retry")
    names = ",".join(["random", *AT_SERVER, *IN_WORKER])
    parser.add_argument("--point", default="random", help=f"one or several of {names}")
    parser.add_argument("--url", help="postgresql://…; a new file of SQLite without it")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mailwright-drill-") as folder:
        url = given.url or f"sqlite:///{folder}/mail.db"
        points = given.point.split(",")
        report = drill(url, given.messages, given.kills, given.in_doubt, points, given.seed, given.workers, 36000.0)
    sys.stdout.write(f"{report}\n")
    sys.exit(bool(report.lost or report.different or (given.in_doubt == "hold" and report.duplicates)))


if __name__ == "__main__":
    main()
