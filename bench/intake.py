"""How many small messages a second an inbox takes, beside aiosmtpd and npm's smtp-server, which throw them away.

    python bench/intake.py

Four connections on the loopback interface, each a process that says MAIL, RCPT, DATA and the content and waits for
every reply, as most clients do; then the same with MAIL, RCPT and DATA in one go (PIPELINING). Each server is a process
of its own, and they take turns. "Searchable": the time ends when a search for a word of the messages finds all of them.
Printed are the medians, and the processor time of the server, which a busy machine changes less. smtp-server is
measured where tools/get_servers.py has got it.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from conditions import conditions

from mailwright import Inbox
from mailwright.inbox.listening import Listener
from mailwright.smtp.receiving import Received, Rules, receive

CONNECTIONS = 4
MESSAGES = 500  # of each connection
RUNS = 5
NPM = Path(__file__).resolve().parent.parent / ".cache" / "servers" / "npm" / "node_modules" / "smtp-server"

MESSAGE = b"""\
Date: Fri, 20 Nov 2026 12:00:00 +0000
From: Ada Lovelace <ada@example.org>
To: Grace Hopper <grace@example.net>
Subject: Your order %07d
Message-ID: <%07d@example.org>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 7bit

Dear Grace,

thank you for your order. It was packed today and leaves the house tomorrow morning.
The invoice is due within thirty days.

Best wishes
Ada
.
""".replace(b"\n", b"\r\n")
WORD = "invoice"

PROGRAM = """
const { SMTPServer } = require(process.argv[1]);
const server = new SMTPServer({
    authOptional: true, disabledCommands: ['STARTTLS', 'AUTH'], disableReverseLookup: true, logger: false,
    onData(stream, session, callback) { stream.resume(); stream.on('end', () => callback(null)); }
});
server.listen(0, '127.0.0.1', () => console.log(server.server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
"""


# The servers: each tells its port, answers every question with how many messages it has, and ends with the pipe.


def serve_receiving(pipe: Connection) -> None:
    """The server's side of SMTP alone; what it takes is thrown away."""
    count = 0

    def discard(received: Received) -> None:
        nonlocal count
        count += 1

    listener = Listener(lambda peer: receive(Rules(), discard, peer))
    pipe.send(listener.start(0))
    answer(pipe, lambda: count)
    listener.stop()


def serve_inbox(pipe: Connection, save: str | None = None) -> None:
    """An inbox, in memory or in a file."""
    with Inbox(tls=False, limit=1_000_000, size_limit=1 << 40, save=save) as inbox:
        pipe.send(inbox.server.port)
        answer(pipe, lambda: inbox.store.count(WORD))


def serve_saving(pipe: Connection) -> None:
    """An inbox in a file on a disk."""
    with tempfile.TemporaryDirectory() as folder:
        serve_inbox(pipe, os.path.join(folder, "inbox.sqlite"))


def serve_aiosmtpd(pipe: Connection) -> None:
    """aiosmtpd, which throws everything away."""
    from aiosmtpd.controller import Controller
    from aiosmtpd.handlers import Sink

    class Counting(Sink):
        count = 0

        async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
            self.count += 1
            return "250 OK"

    handler = Counting()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    pipe.send(port)
    answer(pipe, lambda: handler.count)
    controller.stop()


def serve_npm(pipe: Connection) -> None:
    """npm's smtp-server, which throws everything away."""
    command = ["node", "-e", PROGRAM, str(NPM)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        pipe.send(int(process.stdout.readline()))
        answer(pipe, lambda: CONNECTIONS * MESSAGES)
        process.stdin.close()


def answer(pipe: Connection, count: Callable[[], int]) -> None:
    """Tell how many messages there are when asked, and come back when there are no more questions."""
    begin = time.process_time()
    while pipe.recv():
        found = count()
        pipe.send((found, time.process_time() - begin))


# The clients.


def send(port: int, number: int, pipelining: bool, ready: Connection) -> None:
    """One connection that sends its messages when it is told to."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def say(octets: bytes, replies: int = 1) -> bytes:
        sock.sendall(octets)
        heard = b""
        while heard.count(b"\r\n") < replies:
            heard += sock.recv(4096)
        return heard

    say(b"")
    heard = say(b"EHLO client.example.org\r\n")
    while b"\r\n250 " not in heard:
        heard += sock.recv(4096)
    envelope = (b"MAIL FROM:<ada@example.org>\r\n", b"RCPT TO:<grace@example.net>\r\n", b"DATA\r\n")
    ready.send(None)
    ready.recv()
    for n in range(number, number + MESSAGES):
        if pipelining:
            heard = say(b"".join(envelope), 3)
        else:
            for line in envelope:
                heard = say(line)
        assert b"354" in heard, heard
        heard = say(MESSAGE % (n, n))
        assert heard.startswith(b"250"), heard
    say(b"QUIT\r\n")
    ready.send(None)


def rate(serve: Callable[[Connection], None], pipelining: bool) -> tuple[float, float]:
    """Messages a second with a new server, until it has them all, and its microseconds for each."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there,))
    server.start()
    port = here.recv()
    ends, clients = [], []
    for n in range(CONNECTIONS):
        end, other = multiprocessing.Pipe()
        client = multiprocessing.Process(target=send, args=(port, n * MESSAGES, pipelining, other))
        client.start()
        ends.append(end)
        clients.append(client)
    for end in ends:
        end.recv()
    begin = time.perf_counter()
    for end in ends:
        end.send(None)
    for end in ends:
        end.recv()
    here.send(True)
    found, busy = here.recv()
    taken = time.perf_counter() - begin
    assert found == CONNECTIONS * MESSAGES, f"{found} messages"
    here.send(False)
    for process in (*clients, server):
        process.join()
    return found / taken, busy / found * 1e6


SIDES: dict[str, Callable[[Connection], None]] = {
    "mailwright, receiving alone": serve_receiving,
    "mailwright inbox in memory, searchable": serve_inbox,
    "mailwright inbox in a file, searchable": serve_saving,
    "aiosmtpd, discarding": serve_aiosmtpd,
    "smtp-server (npm), discarding": serve_npm,
}
COMPARED = "aiosmtpd, discarding"


def main() -> None:
    """Measure, and print a line for each server."""
    sides = dict(SIDES)
    if not (shutil.which("node") and NPM.is_dir()):
        del sides["smtp-server (npm), discarding"]
    found: dict[tuple[str, bool], list[tuple[float, float]]] = {(name, p): [] for name in sides for p in (False, True)}
    for _ in range(RUNS):
        for (name, pipelining), rates in found.items():
            rates.append(rate(sides[name], pipelining))
    say, size = sys.stdout.write, len(MESSAGE % (0, 0))
    say(f"{conditions()}, {CONNECTIONS} connections, {MESSAGES:,} messages of {size} octets each, {RUNS} runs\n")
    say(f"{'messages a second':40}{'waiting':>9}{'':>8}{'µs each':>9}{'pipelining':>12}{'':>8}{'µs each':>9}\n")
    for name in sides:
        line = f"{name:40}"
        for pipelining, width in ((False, 9), (True, 12)):
            rates, busy = (statistics.median(column) for column in zip(*found[name, pipelining], strict=True))
            theirs = statistics.median(column for column, _ in found[COMPARED, pipelining])
            line += f"{rates:{width},.0f}{rates / theirs:7.2f}×" + (f"{busy:9.0f}" if "npm" not in name else " " * 9)
        say(f"{line}\n")


if __name__ == "__main__":
    main()
