"""Starting a server's process, waiting until it answers, and ending it with all that it started."""

from __future__ import annotations

import random
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers import HOST

START = 10  # seconds; a server that works needs less than one
END = 10  # seconds from the end of its input to the end of the process


@contextmanager
def living(command: Sequence[str], log: Path, greetings: Sequence[int]) -> Iterator[None]:
    """Run `command` while the context lasts; enter it once every port of `greetings` says 220.

    The command must end, with all that it started, as soon as its standard input ends. No signal is needed
    then, and it happens as well if this process is killed.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
    assert process.stdin is not None
    try:
        for port in greetings:
            _await_greeting(process, port, log)
        yield
    finally:
        process.stdin.close()
        try:
            process.wait(END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _await_greeting(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START
    while not _greets(port):
        if process.poll() is not None or time.monotonic() > deadline:
            logs = sorted(log.parent.rglob("*.log"))
            story = "\n".join(f"{file.name}: {file.read_text('utf-8', 'replace')}" for file in logs)
            raise RuntimeError(f"port {port} does not greet within {START} s\n{story}")
        time.sleep(0.02)


def _greets(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=START) as connection:
            return connection.recv(4) == b"220 "
    except OSError:
        return False


def free_ports(count: int) -> list[int]:
    """Different ports on which nothing listens now.

    They lie below the range from which systems take the local ports of outgoing connections (32768 on Linux,
    49152 elsewhere), so that no connection of a test sits on one of them before the server does.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports
