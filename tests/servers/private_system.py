"""Debian's servers without installing them: a view of the system that only the server has.

In a mount namespace of its own a server sees three layers as one system, which it cannot write to: its own
configuration (`folder/over`), the unpacked packages (`.cache/servers/<name>/root`), and the real system
below. Beside them `/srv` is `folder`, and `/run` is empty memory. So every program finds its files and its
users where its makers compiled them in, and nothing of the real system is changed.

The namespace for process ids ends everything at once: its first process waits for the end of its input, and
when a first process ends, the kernel kills all the others.
"""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.process import living

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "servers"

# The users that the servers want, in this view only. The numbers need not be free outside: they own nothing
# but files in `folder`.
ACCOUNTS = {
    "root": 0,
    "mail": 8,
    "postfix": 61001,
    "postdrop": 61002,
    "dovecot": 61003,
    "dovenull": 61004,
    "Debian-exim": 61005,
    "opensmtpd": 61006,
    "opensmtpq": 61007,
    "box": 61008,  # owns the stored messages
    "nobody": 65534,
}


def missing(*names: str) -> str | None:
    """Why servers out of these folders of `.cache/servers` cannot run here, and what would help."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    lacking = " ".join(name for name in names if not (CACHE / name / "packages.txt").exists())
    if lacking:
        command = f"{'' if root else 'sudo '}python3 tools/get_servers.py {lacking}"
        return f"what it needs is not in .cache/servers; get it with: {command}"
    if not root:
        return "only root can give it a mount namespace of its own; run: sudo .venv/bin/python -m pytest"
    if not _namespaces_allowed():
        return "mount namespaces are forbidden here; in a container: docker run --privileged"
    return None


@functools.cache
def _namespaces_allowed() -> bool:
    """Whether the very things that `running` does are allowed: containers often forbid them even to root."""
    if not shutil.which("unshare"):
        return False
    trial = "mount -t overlay overlay -o lowerdir=/usr:/etc /mnt"
    return subprocess.run(_unshare(trial), capture_output=True).returncode == 0


def _unshare(script: str) -> list[str]:
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-e", "-c", script]


def configure(folder: Path, path: str, text: str) -> None:
    """Let the server in `folder` see a file at the absolute `path`."""
    file = folder / "over" / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    os.utime(file, (0, 0))  # Postfix waits, for over a second, until its settings are not brand-new


def owned(folder: Path, path: str, owner: str, mode: int = 0o700) -> None:
    """Make a folder that the server sees at `/srv/path`."""
    made = folder / path
    made.mkdir(parents=True)
    os.chown(made, ACCOUNTS[owner], ACCOUNTS[owner])
    made.chmod(mode)


@contextmanager
def running(folder: Path, names: Sequence[str], script: str, greetings: Sequence[int]) -> Iterator[None]:
    """Run the shell lines of `script`, which start a server, over the packages in the folders `names`.

    They must leave the server in the background. `greetings` are the ports that say 220 when it is ready.
    """
    folder.chmod(0o755)
    configure(folder, "/etc/passwd", "".join(f"{n}:x:{i}:{i}::/srv:/bin/sh\n" for n, i in ACCOUNTS.items()))
    configure(folder, "/etc/group", "".join(f"{n}:x:{i}:\n" for n, i in ACCOUNTS.items()))
    configure(folder, "/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
    layers = [folder / "over", *(CACHE / name / "root" for name in names)]
    lines = [f"cd {shlex.quote(str(folder))}"]
    for top in ("etc", "usr", "var"):
        below = [str(layer / top) for layer in layers if (layer / top).is_dir()]
        if below:
            stacked = shlex.quote(f"lowerdir={':'.join(below)}:/{top}")
            lines.append(f"mount -t overlay overlay -o {stacked} /{top}")
    # Last, and by the working directory: the way to `folder` may lead through any of these.
    lines += ["mount -t tmpfs tmpfs /run", "mount --no-canonicalize --bind . /srv", "cd /srv"]
    lines += [script, "exec cat >/dev/null"]
    with living(_unshare("\n".join(lines)), folder / "console.log", greetings):
        yield
