"""Where it is measured: a file of SQLite, a PostgreSQL server, a Redis server, all on a disk and with fsync on."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.job import Missing
from tests.servers import postgres
from tests.servers.process import free_ports

REDIS = Path(__file__).resolve().parents[2] / ".cache" / "servers" / "redis" / "root" / "usr"
POSTGRES = {"shared_buffers": "512MB"}  # the rest is as PostgreSQL comes


@contextmanager
def sqlite_url() -> Iterator[str]:
    """The address of a file that is not there yet."""
    with tempfile.TemporaryDirectory(prefix="mailwright-bench-") as folder:
        yield f"sqlite:///{folder}/mail.db"


@contextmanager
def postgres_server() -> Iterator[postgres.PostgresServer]:
    """A server with nothing in it. Raises `Missing`."""
    if reason := postgres.missing():
        raise Missing(reason)
    with postgres.running(POSTGRES, kept=True) as server:
        yield server


@contextmanager
def redis_url() -> Iterator[str]:
    """A Redis server that writes every command to its disk before it answers. Raises `Missing`."""
    program = next(
        (path for path in (REDIS / "bin/redis-server", Path("/usr/bin/redis-server")) if path.exists()), None
    )
    if program is None:
        raise Missing("there is no Redis: python3 tools/get_servers.py redis")
    libraries = [str(path) for path in (REDIS / "lib").glob("*-linux-gnu*")]
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)} if program.is_relative_to(REDIS) else None
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="mailwright-bench-") as folder:
        settings = {
            "port": port,
            "bind": "127.0.0.1",
            "dir": folder,
            "appendonly": "yes",
            "appendfsync": "always",
            "save": '""',
        }
        command = [str(program), *(word for name, text in settings.items() for word in (f"--{name}", str(text)))]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            _await_port(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait(10)


def _await_port(port: int) -> None:
    import socket

    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.01)
    raise Missing("Redis does not answer")


def sync_time() -> float:
    """Microseconds that the disk takes to keep 4 kB more of a file, in the median."""
    with tempfile.TemporaryFile() as file:
        taken = []
        for _ in range(300):
            file.write(b"x" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1e6
