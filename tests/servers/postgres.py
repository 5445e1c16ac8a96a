"""PostgreSQL: a cluster for one run, and an empty database for each test.

The server does not run as root. There it runs as `postgres`, or as `nobody`, in a folder that this user owns; else as
ourselves. Debian's package is used where it is installed, otherwise what `tools/get_servers.py postgresql` has
unpacked: PostgreSQL finds its files beside its programs, so that it needs no mount namespace.

Durable settings stay as they are by default (`fsync`, `synchronous_commit`), for the outbox insists on them. Tests are
quick all the same where the system has a file system in memory, on which fsync costs nothing.
"""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from tests.servers import HOST
from tests.servers.process import free_ports

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "servers" / "postgresql"
MEMORY = Path("/dev/shm")
ROOM = 500_000_000  # octets that must be free there
START = 20  # seconds
END = 10

# The shell ends the server when its input ends, and so with this process, however that ended; a line of input has it
# started anew. SIGQUIT is PostgreSQL's immediate shutdown: what comes after it begins with crash recovery.
LIVE = (
    'exec 3<&0; "$@" </dev/null 3<&- & server=$!; while read -r _ <&3; do kill -QUIT $server; wait $server; '
    '"$@" </dev/null 3<&- & server=$!; done; kill -QUIT $server; wait $server'
)


@dataclass(frozen=True)
class PostgresServer:
    """A cluster that runs now: `host` and `port` on loopback, the folder of its Unix `socket`."""

    host: str
    port: int
    socket: Path
    process: int
    """The shell that holds the server."""

    again: Callable[[], object] = field(repr=False)
    numbers: Iterator[int] = field(repr=False, default_factory=itertools.count)

    def url(self, database: str = "postgres") -> str:
        """Its address for psycopg, over TCP."""
        return f"postgresql://mailwright@{self.host}:{self.port}/{database}"

    def local(self, database: str) -> str:
        """The same over the Unix socket, as a database on one's own machine is usually reached."""
        return f"postgresql://mailwright@/{database}?host={quote(str(self.socket), safe='')}&port={self.port}"

    def database(self, template: str = "template0") -> str:
        """The address of a new database, in UTF-8 and with the locale C."""
        name = f"test_{next(self.numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, with whoever is connected to it."""
        self.run(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def run(self, statement: str, database: str = "postgres") -> None:
        """One statement of whoever owns the cluster, outside of a transaction."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def main_process(self) -> int:
        """The id of PostgreSQL's own first process."""
        return int((self.socket / "data" / "postmaster.pid").read_text("ascii").split()[0])

    def restart(self) -> None:
        """End it at once, as ``pg_ctl restart -m immediate`` does, and wait until it has recovered and answers."""
        before, deadline = self.main_process(), time.monotonic() + START
        self.again()
        while not (self._is_another(before) and _answers(self.socket, self.port)):
            assert time.monotonic() < deadline, "PostgreSQL does not come back"
            time.sleep(0.02)

    def _is_another(self, before: int) -> bool:
        try:
            return self.main_process() != before
        except (OSError, IndexError):
            return False


def missing() -> str | None:
    """Why PostgreSQL can't run here, and what would help."""
    if os.name != "posix":
        return "PostgreSQL is started for tests on POSIX systems only"
    if find_spec("psycopg") is None:
        return "psycopg is not installed; install it with: pip install 'psycopg[binary]'"
    if _programs() is None:
        return "PostgreSQL is neither installed nor in .cache/servers; get it with: python3 tools/get_servers.py postgresql"
    return None


@functools.cache
def _programs() -> Path | None:
    """The folder of `initdb` and `postgres`: the newest that is installed, or unpacked."""
    for root in (Path("/"), CACHE / "root"):
        found = sorted(root.glob("usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.parts[-3]))
        if found:
            return found[-1].parent
    if initdb := shutil.which("initdb"):
        return Path(initdb).resolve().parent
    return None


def _user() -> str | None:
    """As whom it runs; `None` for ourselves."""
    import pwd

    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _place(kept: bool) -> Path:
    """A folder that the server's user can reach and owns. pytest's own ones are closed to others."""
    memory = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    folder = Path(tempfile.mkdtemp(prefix="mailwright-pg-", dir=MEMORY if memory and not kept else None))
    if user := _user():
        shutil.chown(folder, user)
    return folder


def _reachable(programs: Path, folder: Path) -> Path:
    """The programs where the server's user may read them: unpacked ones below a closed folder are copied."""
    if _user() is None or all(parent.stat().st_mode & 0o005 == 0o005 for parent in programs.parents):
        return programs
    shutil.copytree(CACHE / "root", folder / "root", symlinks=True)
    return folder / "root" / programs.relative_to(CACHE / "root")


def _environment(programs: Path) -> dict[str, str]:
    """Without the settings of a PostgreSQL that somebody uses; with the libraries that were unpacked."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PG")}
    libraries = [str(path) for path in (programs.parents[3] / "lib").glob("*-linux-gnu*")]
    if programs.parents[4] != Path("/") and libraries:
        kept["LD_LIBRARY_PATH"] = ":".join([*libraries, str(programs.parents[3] / "lib")])
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


@contextmanager
def running(
    settings: Mapping[str, str] | None = None, *, kept: bool = False, host: str = HOST, prefix: Sequence[str] = ()
) -> Iterator[PostgresServer]:
    """A new cluster with these `settings`. `kept`: on a disk, even where there is memory. `prefix` comes before the
    server's command, such as that of a network namespace, in which it listens at `host`.
    """
    found = _programs()
    assert found is not None, missing()
    folder = _place(kept)
    try:
        programs = _reachable(found, folder)
        _create(programs, folder)
        (port,) = free_ports(1)
        chosen = {"listen_addresses": host, "port": str(port), "unix_socket_directories": str(folder)}
        chosen |= {"max_connections": "200", "autovacuum_naptime": "5s", **(settings or {})}
        command = [*_as_user(prefix), str(programs / "postgres"), "-D", str(folder / "data")]
        for name, text in chosen.items():
            command += ["-c", f"{name}={text}"]
        user = None if prefix else _user()
        with _living(command, _environment(programs), folder, port, user) as process:
            assert process.stdin is not None
            again = functools.partial(os.write, process.stdin.fileno(), b"\n")
            yield PostgresServer(host, port, folder, process.pid, again)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_user(prefix: Sequence[str]) -> list[str]:
    """The prefix, which wants our rights, and behind it what gives them up."""
    user = _user()
    if not prefix or user is None:
        return list(prefix)
    import pwd

    entry = pwd.getpwnam(user)
    return [*prefix, "setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "--"]


def _create(programs: Path, folder: Path) -> None:
    """The files of a cluster: whoever reaches its port may do everything, and it listens on this machine only."""
    command = [
        str(programs / "initdb"),
        "--pgdata",
        "data",
        "--no-sync",
        "--encoding=UTF8",
        "--locale=C",
        "--auth=trust",
    ]
    command.append("--username=mailwright")
    done = subprocess.run(command, cwd=folder, env=_environment(programs), user=_user(), capture_output=True)
    if done.returncode:
        raise RuntimeError(f"initdb failed\n{done.stdout.decode()}{done.stderr.decode()}")
    with (folder / "data" / "pg_hba.conf").open("a") as allowed:
        allowed.write("host all all samenet trust\n")


@contextmanager
def _living(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, port: int, user: str | None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server while the context lasts; enter it once it takes connections at its socket."""
    log = folder / "console.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-c", LIVE, "sh", *command], cwd=folder, env=environment, user=user,
            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    assert process.stdin is not None
    try:
        deadline = time.monotonic() + START
        while not _answers(folder, port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not answer\n{log.read_text('utf-8', 'replace')}")
            time.sleep(0.02)
        yield process
    finally:
        process.stdin.close()
        try:
            process.wait(END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _answers(folder: Path, port: int) -> bool:
    import psycopg

    try:
        psycopg.connect(host=str(folder), port=port, user="mailwright", dbname="postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
