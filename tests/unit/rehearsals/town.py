"""A small internet on the loopback interface, for programs that are run as they stand.

A program of its own process names ``smtp.gmail.com``, port 587, and is led to a server of the test: a file
`sitecustomize.py` on its path changes what it is told of host names, and nothing else. Every host has an address of
its own there; a host that is not in the town does not exist, and a port where nothing stands is closed. The town's
certificates are trusted by ``SSL_CERT_FILE``, as those of a company are.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mailwright

#: What is read by every interpreter that starts in the town.
SITECUSTOMIZE = """
import json, os, socket
with open(os.environ["TOWN"], encoding="utf-8") as file:
    hosts, ports, shut = json.load(file)
lookup = socket.getaddrinfo

def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
    name = host.decode() if isinstance(host, bytes) else host
    if name in ("127.0.0.1", "localhost", None, "") or family == socket.AF_INET6 and name in hosts:
        if name in hosts:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return lookup(host, port, family, type, proto, flags)
    address = hosts.get(name, name if name in hosts.values() else None)
    if address is None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    kind = type or socket.SOCK_STREAM
    if not port:
        return [(socket.AF_INET, kind, 6, "", (address, 0))]
    return [(socket.AF_INET, kind, 6, "", ("127.0.0.1", ports.get(f"{address}:{port}", shut)))]

socket.getaddrinfo = getaddrinfo
"""
OURS = ("MAILWRIGHT_", "SMTP_", "EMAIL_", "SENDER_", "CREDENTIALS_DIRECTORY", "XDG_CONFIG", "PYTHON", "SSL_CERT")


@dataclass
class Ran:
    """What a program left behind."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> str:
        """All that it printed."""
        return f"{self.out}\n{self.err}"


@dataclass
class Town:
    """Where programs run, in `folder`. `env` is what else their environment holds."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    _hosts: dict[str, str] = field(default_factory=dict)
    _ports: dict[str, int] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def build(self, host: str, port: int, at: int) -> None:
        """Let what listens on the loopback port `at` be `host`'s `port`."""
        self._ports[f"{self.address(host)}:{port}"] = at

    def address(self, host: str) -> str:
        """The address of a host in the town."""
        return self._hosts.setdefault(host, f"127.0.7.{len(self._hosts) + 1}")

    def trust(self, *ca_files: str | None) -> None:
        """Trust these authorities and nobody else."""
        trusted = self.folder / "trusted.pem"
        trusted.write_bytes(b"".join(Path(name).read_bytes() for name in ca_files if name is not None))
        self.env["SSL_CERT_FILE"] = str(trusted)

    def run(self, code: str, *words: str) -> Ran:
        """Run a program of these lines."""
        script = self.folder / "script.py"
        script.write_text(code, "utf-8")
        return self._start([sys.executable, str(script), *words])

    def command(self, *words: str) -> Ran:
        """Run mailwright's command line."""
        known = (
            "import sys; from mailwright.cli import COMMANDS, main; COMMANDS.setdefault('doctor', ''); sys.exit(main())"
        )
        return self._start([sys.executable, "-c", known, *words])

    def _start(self, command: list[str]) -> Ran:
        (self.folder / "sitecustomize.py").write_text(SITECUSTOMIZE, "utf-8")
        with socket.socket() as nobody:  # bound and not listening: whoever connects is refused
            nobody.bind(("127.0.0.1", 0))
            town = [self._hosts, self._ports, nobody.getsockname()[1]]
            (self.folder / "town.json").write_text(json.dumps(town), "utf-8")
            done = subprocess.run(
                command, env=self._environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
            )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    def _environment(self) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith(OURS)}
        packages = os.pathsep.join([str(self.folder), str(Path(mailwright.__file__).parents[1])])
        own = {
            "HOME": str(self.folder),
            "TOWN": str(self.folder / "town.json"),
            "PYTHONPATH": packages,
            "PYTHONUTF8": "1",
        }
        return {**kept, **own, **self.env}

    def enter(self, server: Any) -> Any:
        """Enter a context manager until the town is left."""
        return self._stack.enter_context(server)

    def close(self) -> None:
        """Stop all servers."""
        self._stack.close()


@contextmanager
def blackhole() -> Iterator[int]:
    """A port that answers nobody who knocks: its queue is full, and what arrives is dropped, as by a firewall."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield port


@contextmanager
def serving(answer: Any) -> Iterator[int]:
    """A port at which ``answer(connection)`` is called for each client, in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve_one(connection: socket.socket) -> None:
            with connection:
                connection.settimeout(20)
                try:
                    answer(connection)
                except OSError:
                    pass

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def web_server(connection: socket.socket) -> None:
    """It waits to be asked, and does not understand what it is asked."""
    if connection.recv(1000):
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def silence(connection: socket.socket) -> None:
    """It takes the connection, and says nothing."""
    while connection.recv(1000):
        pass


def hang_up(connection: socket.socket) -> None:
    """It takes the connection, and ends it."""
