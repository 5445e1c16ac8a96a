"""How long `mailwright.smtplib` takes beside the standard library's module, doing the same.

    python bench/smtplib_face.py

Both talk, in turns, to the same small server in a process of its own, over loopback. Printed are medians, and how many
times ours takes the other's time.
"""

from __future__ import annotations

import multiprocessing
import smtplib as original
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from mailwright import smtplib as face

RUNS = 15
LETTER = b"From: ada@example.org\r\nTo: grace@example.net\r\nSubject: Hello\r\n\r\n" + b"A line of the text.\r\n" * 50
FILE = LETTER + b"0123456789abcdef" * 4 + b"\r\n"
FILE += (b"." + b"x" * 75 + b"\r\n") * 65_000  # 5 MB, and each line begins with a dot


def serve(ready: Connection) -> None:
    """Answer every client as a mail server that takes everything, one client after another."""
    listener = socket.create_server(("127.0.0.1", 0))
    ready.send(listener.getsockname()[1])
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client, client.makefile("rb") as lines:
            client.sendall(b"220 bench\r\n")
            for line in lines:
                verb = line[:4].lower()
                if verb == b"ehlo":
                    client.sendall(b"250-bench\r\n250-SIZE 100000000\r\n250 8BITMIME\r\n")
                elif verb == b"data":
                    client.sendall(b"354 go on\r\n")
                    while lines.readline() != b".\r\n":
                        pass
                    client.sendall(b"250 taken\r\n")
                else:
                    client.sendall(b"221 bye\r\n" if verb == b"quit" else b"250 ok\r\n")
                    if verb == b"quit":
                        break


def connections(module: Any, port: int) -> None:
    """Connect, send one letter, say goodbye."""
    for _ in range(20):
        with module.SMTP("127.0.0.1", port, local_hostname="bench") as server:
            server.sendmail("ada@example.org", "grace@example.net", LETTER)


def letters(module: Any, port: int) -> None:
    """A hundred letters over one connection."""
    with module.SMTP("127.0.0.1", port, local_hostname="bench") as server:
        for _ in range(100):
            server.sendmail("ada@example.org", "grace@example.net", LETTER)


def lists(module: Any, port: int) -> None:
    """One letter to five hundred."""
    with module.SMTP("127.0.0.1", port, local_hostname="bench") as server:
        server.sendmail("ada@example.org", [f"list.{n}@example.net" for n in range(500)], LETTER)


def files(module: Any, port: int) -> None:
    """5 MB, with many dots to double."""
    with module.SMTP("127.0.0.1", port, local_hostname="bench") as server:
        server.sendmail("ada@example.org", "grace@example.net", FILE)


def start_up(module: Any, port: int) -> None:
    """A new process that sends one letter."""
    name = "smtplib" if module is original else "mailwright.smtplib"
    code = (
        f"import {name} as s; c = s.SMTP('127.0.0.1', {port}, local_hostname='bench'); "
        "c.sendmail('ada@example.org', 'grace@example.net', 'Subject: Hello\\n\\nHi'); c.quit()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


CASES: dict[str, Callable[[Any, int], None]] = {
    "20 connections, a letter each": connections,
    "100 letters, one connection": letters,
    "one letter to 500 recipients": lists,
    "5 MB full of dots": files,
    "a process that sends a letter": start_up,
}


def milliseconds(case: Callable[[Any, int], None], module: Any, port: int) -> float:
    """The time of one run."""
    start = time.perf_counter()
    case(module, port)
    return (time.perf_counter() - start) * 1000


def main() -> None:
    """Measure, and print a line for each case."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    port = ours.recv()
    sys.stdout.write(f"Python {'.'.join(map(str, sys.version_info[:3]))}, medians of {RUNS}\n")
    for name, case in CASES.items():
        times: dict[Any, list[float]] = {original: [], face: []}
        for _ in range(RUNS):
            for module, measured in times.items():
                measured.append(milliseconds(case, module, port))
        old, new = statistics.median(times[original]), statistics.median(times[face])
        sys.stdout.write(f"{name:32}smtplib {old:8.1f} ms   mailwright.smtplib {new:8.1f} ms   {new / old:5.2f}\n")
    server.terminate()
    server.join()


if __name__ == "__main__":
    main()
