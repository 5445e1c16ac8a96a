"""How many small messages a second an inbox takes, beside aiosmtpd and npm's smtp-server, which throw them away.

    python bench/intake.py

Four connections on the loopback interface. On each MAIL, RCPT, DATA and the content are said, and every reply is waited
for, as most clients do; then the same with MAIL, RCPT and DATA in one go (PIPELINING). The clients are one process,
which does as little as it can, so that the server is measured and not they; each server is a process of its own, and
they take turns. "Searchable": the time ends when a search for a word of the messages finds all of them. Printed are the
medians, and the processor time of server and clients, which a busy machine changes less. smtp-server is measured where
tools/get_servers.py has got it.
"""

from __future__ import annotations

import multiprocessing
import os
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
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


def send(port: int, pipelining: bool, pipe: Connection) -> None:
    """All connections, which send their messages when they are told to. Tells the processor time that it took."""
    ready = select.poll()
    talks: dict[int, tuple[socket.socket, Generator[bytes, bytes, None]]] = {}
    for n in range(CONNECTIONS):
        sock = entered(port)
        talks[sock.fileno()] = sock, conversation(n * MESSAGES, pipelining)
        ready.register(sock, select.POLLIN)
    pipe.send(None)
    pipe.recv()
    begin = time.process_time()
    for sock, talk in talks.values():
        sock.sendall(next(talk))
    while talks:
        for number, _ in ready.poll():
            sock, talk = talks[number]
            heard = sock.recv(4096)
            assert heard, "the server left"
            try:
                words = talk.send(heard)
            except StopIteration:
                ready.unregister(sock)
                del talks[number]
                sock.close()
            else:
                if words:
                    sock.sendall(words)
    pipe.send(time.process_time() - begin)


def entered(port: int) -> socket.socket:
    """A connection, as far as the reply to EHLO."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    heard = b""
    while not heard.endswith(b"\r\n"):
        heard += sock.recv(4096)
    sock.sendall(b"EHLO client.example.org\r\n")
    heard = b""
    while b"\r\n250 " not in heard or not heard.endswith(b"\r\n"):
        heard += sock.recv(4096)
    return sock


def conversation(first: int, pipelining: bool) -> Generator[bytes, bytes, None]:
    """What a client says, given what it hears: nothing until a reply is whole."""
    envelope = (b"MAIL FROM:<ada@example.org>\r\n", b"RCPT TO:<grace@example.net>\r\n", b"DATA\r\n")
    groups = ((b"".join(envelope), 3),) if pipelining else tuple((line, 1) for line in envelope)
    for n in range(first, first + MESSAGES):
        for words, replies in groups:
            heard = yield words
            while heard.count(b"\r\n") < replies:
                heard += yield b""
        assert b"354" in heard, heard
        heard = yield MESSAGE % (n, n)
        while not heard.endswith(b"\r\n"):
            heard += yield b""
        assert heard.startswith(b"250"), heard
    yield b"QUIT\r\n"


def rate(serve: Callable[[Connection], None], pipelining: bool) -> tuple[float, float, float]:
    """Messages a second with a new server, until it has them all, and for each the microseconds of the server and of
    the clients.
    """
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there,))
    server.start()
    end, other = multiprocessing.Pipe()
    clients = multiprocessing.Process(target=send, args=(here.recv(), pipelining, other))
    clients.start()
    end.recv()
    begin = time.perf_counter()
    end.send(None)
    spent = end.recv()
    here.send(True)
    found, busy = here.recv()
    taken = time.perf_counter() - begin
    assert found == CONNECTIONS * MESSAGES, f"{found} messages"
    here.send(False)
    for process in (clients, server):
        process.join()
    return found / taken, busy / found * 1e6, spent / found * 1e6


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
    found: dict[tuple[str, bool], list[tuple[float, float, float]]]
    found = {(name, pipelining): [] for name in sides for pipelining in (False, True)}
    for _ in range(RUNS):
        for (name, pipelining), rates in found.items():
            rates.append(rate(sides[name], pipelining))
    say, size = sys.stdout.write, len(MESSAGE % (0, 0))
    say(f"{conditions()}, {CONNECTIONS} connections, {MESSAGES:,} messages of {size} octets each, {RUNS} runs\n")
    say("each: microseconds of the server, and of the clients\n")
    say(f"{'messages a second':40}{'waiting':>10}{'':>8}{'each':>11}{'pipelining':>12}{'':>8}{'each':>11}\n")
    for name in sides:
        line = f"{name:40}"
        for pipelining, width in ((False, 10), (True, 12)):
            rates, busy, spent = (statistics.median(column) for column in zip(*found[name, pipelining], strict=True))
            theirs = statistics.median(column for column, *_ in found[COMPARED, pipelining])
            each = f"{spent:11.0f}" if "npm" in name else f"{busy:7.0f} {spent:3.0f}"
            line += f"{rates:{width},.0f}{rates / theirs:7.2f}×{each}"
        say(f"{line}\n")


if __name__ == "__main__":
    main()
