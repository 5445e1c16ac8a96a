"""An attachment far larger than memory should be: it streams from the disk, by every driver. The fault catalogue, G119."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is counted as Linux counts it")

GROWTH_LIMIT = 32 << 20  # octets by which the process may grow, whatever the size of the file

SENDER = """
import asyncio, sys
from mailwright import AsyncMailer, Mailer, Message, Server
door, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
server = Server("127.0.0.1", port, "none")

def send(*attachments):
    message = Message("ada@example.org", "bob@example.org", "Hi", "see file", attachments=attachments)
    if door == "sync":
        with Mailer(server) as mailer:
            return mailer.send(message)
    async def main():
        async with AsyncMailer(server) as mailer:
            return await mailer.send(message)
    if door == "asyncio":
        return asyncio.run(main())
    import trio
    return trio.run(main)

def most():
    # Not getrusage(): what that tells began with the process that started us.
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024

send()  # everything that is imported late is there now
before = most()
receipt = send(path)
growth = most() - before
keep = bytearray(64 << 20)  # so that the figure can be trusted: this much is seen
keep[::4096] = bytes(len(keep[::4096]))
print(receipt.complete, receipt.size, growth, most() - before - growth > 32 << 20)
"""


@contextmanager
def sink(chunking: bool) -> Iterator[tuple[int, list[int]]]:
    """A server that throws content away and counts it; gives its port and the numbers."""
    counts: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                with sock, sock.makefile("rb") as lines:
                    sock.sendall(b"220 sink\r\n")
                    while line := lines.readline():
                        word = line[:4].upper()
                        if word == b"EHLO":
                            sock.sendall(b"250-sink\r\n250 CHUNKING\r\n" if chunking else b"250 sink\r\n")
                        elif word == b"BDAT":
                            counts.append(swallow(lines, int(line.split()[1])))
                            sock.sendall(b"250 gone\r\n")
                        elif word == b"DATA":
                            sock.sendall(b"354 go\r\n")
                            counts.append(until_dot(lines))
                            sock.sendall(b"250 gone\r\n")
                        else:
                            sock.sendall(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], counts
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def swallow(lines: object, size: int) -> int:
    buffer = memoryview(bytearray(1 << 20))
    left = size
    while left:
        got = lines.readinto1(buffer[: min(left, len(buffer))])  # type: ignore[attr-defined]
        if not got:
            break
        left -= got
    return size - left


def until_dot(lines: object) -> int:
    """Read up to the line that is a lone dot; gives the octets before it (no line here begins with a dot)."""
    buffer = bytearray(1 << 20)
    view, count, tail = memoryview(buffer), 0, b""
    while not tail.endswith(b"\r\n.\r\n"):
        got = lines.readinto1(view)  # type: ignore[attr-defined]
        if not got:
            break
        count += got
        tail = (tail + bytes(view[max(0, got - 5) : got]))[-5:]
    return count - 3


def send_a_file(door: str, chunking: bool, size: int, folder: Path) -> None:
    path = folder / "large.bin"
    with path.open("wb") as file:
        file.truncate(size)  # sparse: it takes no room on the disk
    with sink(chunking) as (port, counts):
        ran = subprocess.run(
            [sys.executable, "-c", SENDER, door, str(port), str(path)], capture_output=True, text=True, check=False
        )
    assert ran.returncode == 0, ran.stderr
    complete, told, growth, seen = ran.stdout.split()
    assert complete == seen == "True" and int(told) == counts[-1] > size * 4 // 3
    assert int(growth) < GROWTH_LIMIT, f"{int(growth) / 1e6:.1f} MB more for {size / 1e6:.0f} MB"
    print(f"{door} {'BDAT' if chunking else 'DATA'}: {int(growth) / 1e6:.1f} MB more for {size / 1e6:.0f} MB")


@pytest.mark.parametrize("door", ["sync", "asyncio", "trio"])
@pytest.mark.parametrize("chunking", [False, True], ids=["DATA", "BDAT"])
def test_g119_memory_stays_constant(door: str, chunking: bool, tmp_path: Path) -> None:
    send_a_file(door, chunking, 100 << 20, tmp_path)


@pytest.mark.drill
@pytest.mark.parametrize("door", ["sync", "asyncio", "trio"])
@pytest.mark.parametrize("chunking", [False, True], ids=["DATA", "BDAT"])
def test_g119_two_gigabytes(door: str, chunking: bool, tmp_path: Path) -> None:
    send_a_file(door, chunking, 2 << 30, tmp_path)


MAKE_IDS = """
import os, sys
from mailwright import Message
from mailwright.mailer.outgoing import outgoing_mail
count, children = int(sys.argv[1]), int(sys.argv[2])
message = Message("ada@example.org", "bob@example.org", "Hi", "there")
ours = outgoing_mail(message, None, None).message_id  # every child inherits what making one leaves behind
pipes = []
for _ in range(children):
    reading, writing = os.pipe()
    if os.fork() == 0:
        with os.fdopen(writing, "w") as out:
            for _ in range(count):
                out.write(outgoing_mail(message, None, None).message_id + "\\n")
        os._exit(0)
    os.close(writing)
    pipes.append(os.fdopen(reading))
made = [ours] + [line.strip() for pipe in pipes for line in pipe]
print(len(made), len(set(made)), all(one.endswith("@example.org>") for one in made))
"""


def make_ids(count: int, children: int) -> None:
    words = [sys.executable, "-c", MAKE_IDS, str(count), str(children)]
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    total = count * children + 1
    assert ran.stdout.split() == [str(total), str(total), "True"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes that share what was before them are made by fork")
def test_g124_no_two_processes_make_the_same_message_id() -> None:
    make_ids(2_000, 8)


@pytest.mark.drill
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes that share what was before them are made by fork")
def test_g124_nor_do_they_after_very_many() -> None:
    make_ids(100_000, 8)
