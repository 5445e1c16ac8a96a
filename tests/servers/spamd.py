"""SpamAssassin's `spamd` with the rules of its package: no network, no DNS, nothing learned, nothing kept.

All its folders can be named, so that it needs no mount namespace. Debian's package is used where it is installed,
otherwise what `tools/get_servers.py spamassassin` has unpacked.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import HOST
from tests.servers.process import free_ports, living

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "servers" / "spamassassin" / "root"
START = 60  # seconds until it has read its rules; on an idle machine two

# The shell ends the server when its input ends, and so with this process, however that ended.
LIVE = 'exec 3<&0; "$@" </dev/null 3<&- & server=$!; cat <&3 >/dev/null; kill -TERM $server; wait $server; true'


def missing() -> str | None:
    """Why it can't run here, and what would help."""
    if not shutil.which("perl"):
        return "perl is not installed"
    if _root() is None:
        return "spamassassin is not in .cache/servers; get it with: python3 tools/get_servers.py spamassassin"
    return None


@contextmanager
def running() -> Iterator[int]:
    """The port of one that listens."""
    with tempfile.TemporaryDirectory(prefix="mailwright-spamd-") as made:
        folder, root = Path(made), _root()
        assert root is not None
        folder.chmod(0o755)
        state = folder / "state"
        state.mkdir()
        (port,) = free_ports(1)
        with living(["sh", "-c", LIVE, "sh", *_command(_reachable(root, folder), state, port)], folder / "log", []):
            _await_answer(port, folder / "log")
            yield port


def _root() -> Path | None:
    return next((root for root in (Path("/"), CACHE) if (root / "usr/sbin/spamd").is_file()), None)


def _reachable(root: Path, folder: Path) -> Path:
    """The files where whom it runs as may read them: as root it judges as nobody."""
    if os.geteuid() or all(parent.stat().st_mode & 0o005 == 0o005 for parent in (root, *root.parents)):
        return root
    shutil.copytree(root, folder / "root", symlinks=True)
    return folder / "root"


def _command(root: Path, state: Path, port: int) -> list[str]:
    libraries = [root / "usr/share/perl5", *(root / "usr/lib").glob("*-linux-gnu*/perl5/*")]
    return [
        "perl", "-T", *(f"-I{library}" for library in libraries if root != Path("/")), str(root / "usr/sbin/spamd"),
        "--local", "--nouser-config", f"--configpath={root / 'usr/share/spamassassin'}",
        f"--siteconfigpath={root / 'etc/spamassassin'}", f"--helper-home-dir={state}", "--cf=use_bayes 0",
        "--ipv4", f"--listen={HOST}:{port}", "--min-children=1", "--max-children=1", "--max-spare=1", "--min-spare=1",
        "--syslog=stderr",
    ]  # fmt: skip


def _await_answer(port: int, log: Path) -> None:
    """Until it says that it is there (``PING`` of its protocol)."""
    deadline = time.monotonic() + START
    while b"PONG" not in _said(port):
        if time.monotonic() > deadline:
            raise RuntimeError(f"spamd does not answer within {START} s\n{log.read_text('utf-8', 'replace')}")
        time.sleep(0.05)


def _said(port: int) -> bytes:
    try:
        with socket.create_connection((HOST, port), timeout=START) as connection:
            connection.sendall(b"PING SPAMC/1.5\r\n\r\n")
            return connection.recv(100)
    except OSError:
        return b""
