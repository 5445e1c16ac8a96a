"""Our own server for the client side of a measurement: `sink.c`, compiled when it is needed, and what it has taken."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.job import Missing
from bench.place import Place

SOURCE = Path(__file__).with_suffix(".c")
CACHE = SOURCE.parent.parent / ".cache" / "bench"


@dataclass(frozen=True)
class Count:
    """What a sink has taken so far; `cpu` is its processor time in seconds."""

    connections: int = 0
    messages: int = 0
    recipients: int = 0
    octets: int = 0
    resumed: int = 0
    cpu: float = 0.0

    def since(self, earlier: Count) -> Count:
        """What came after `earlier`."""
        mine, theirs = vars(self), vars(earlier)
        return Count(**{name: mine[name] - theirs[name] for name in mine})


def compiled() -> Path:
    """The program; compiled anew when its source is newer. Raises `Missing` without a compiler or OpenSSL's headers."""
    program = CACHE / "sink"
    if program.exists() and program.stat().st_mtime >= SOURCE.stat().st_mtime:
        return program
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise Missing("there is no C compiler for bench/sink.c: apt install gcc libssl-dev")
    CACHE.mkdir(parents=True, exist_ok=True)
    part = program.with_name(f"sink.{os.getpid()}")
    command = [compiler, "-O2", "-pthread", "-o", str(part), str(SOURCE), "-lssl", "-lcrypto"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Missing("bench/sink.c can't be compiled (OpenSSL's headers are needed: apt install libssl-dev)")
    part.rename(program)
    return program


@dataclass(frozen=True)
class Certificate:
    """Two PEM files: what the server shows, with its key, and the authority that a client must trust."""

    chain_file: str
    ca_file: str


@contextmanager
def certified() -> Iterator[Certificate]:
    """A certificate for localhost and 127.0.0.1, with a key as most mail servers have it: RSA, 2048 bits."""
    import trustme

    authority = trustme.CA(key_type=trustme.KeyType.RSA)
    issued = authority.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.RSA)
    with tempfile.TemporaryDirectory(prefix="mailwright-bench-") as folder:
        found = Certificate(f"{folder}/chain.pem", f"{folder}/ca.pem")
        issued.private_key_and_cert_chain_pem.write_to_path(found.chain_file)
        authority.cert_pem.write_to_path(found.ca_file)
        yield found


class Sink:
    """A running sink. `place` is where it is, for a sender."""

    def __init__(self, place: Place, process: int) -> None:
        self.place, self.process = place, process
        self._control = socket.create_connection((place.host, place.port), 10) if place.security != "tls" else None
        if self._control is not None:
            self._lines = self._control.makefile("rb")
            self._lines.readline()

    def count(self) -> Count:
        """What it has taken so far. Not for one that speaks TLS from the first octet."""
        assert self._control is not None
        self._control.sendall(b"XCOUNT\r\n")
        connections, messages, recipients, octets, resumed, cpu = map(int, self._lines.readline().split()[1:])
        return Count(connections, messages, recipients, octets, resumed, cpu / 1e6)

    def count_after(self, messages: int, earlier: Count) -> Count:
        """What came since `earlier`, once so many messages are there or none comes for a while: a client that is told
        "250" may be gone before the sink has counted the next.
        """
        for _ in range(100):
            seen = self.count().since(earlier)
            if seen.messages >= messages:
                break
            time.sleep(0.01)
        return seen

    def close(self) -> None:
        """End the conversation about counts."""
        if self._control is not None:
            self._lines.close()
            self._control.close()


@contextmanager
def running(
    hidden: str = "", certificate: Certificate | None = None, implicit: bool = False, folder: Path | None = None
) -> Iterator[Sink]:
    """A sink on loopback. `hidden` are the keywords that it does not offer; with a `certificate` it offers STARTTLS, or
    speaks TLS at once if `implicit`, and its place has a login; what comes is kept in `folder`, if one is given.
    """
    words = [str(compiled()), "-x", hidden]
    words += ["-c", certificate.chain_file] if certificate else []
    words += ["-i"] if implicit else []
    words += ["-d", str(folder)] if folder else []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().split()[1])
            place = Place("127.0.0.1", port)
            if certificate:
                place = Place(
                    "127.0.0.1", port, "tls" if implicit else "starttls", certificate.ca_file, ("ada", "correct horse")
                )
            sink = Sink(place, process.pid)
            try:
                yield sink
            finally:
                sink.close()
        finally:
            process.kill()
