"""Each file here is one way to send mail, under its name. What a file has:

`version()`
    the version, as text; raises `Missing` with the reason when it is not installed.
`PACE`
    how many times as many messages it is given as a workload says, so that all runs take about as long (1 if left out).
`EXTERNAL`
    true for a foreign program: each act gives the `Command` to run, which is timed as a whole.
`OWN_CONTENT`
    true if it makes up its messages, so that there is nothing to compare them with.
`FLAWS`
    for an act what is known to be wrong with its messages: said beside its figures instead of being a fault of a check.

and functions for the acts that it can do, each with a `Job` as its one argument. A Python sender imports and prepares,
calls `job.start()`, perhaps `job.mark()`, does the work, and returns:

`finished`   send the octets of `job.finished()` over `job.connections` connections
`composed`   make `job.messages` small messages from text with the sender's own means, and send them over one connection
`attached`   send one message with the file `job.file`
`built`      build `job.messages` messages (`corpus.Rich`) without sending them; `job.built(octets)` keeps the last
`addressed`  build and send one message to `corpus.addresses(job.recipients)`
`anew`       send `job.finished()`, each over a connection of its own
`process`    gives the `Command` of a whole program that sends one small message; for Python senders, too

Where `job.place` asks for TLS or a login, they are used, with the checks that the sender makes by default.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import pkgutil
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.job import Command, Missing

ROOT = Path(__file__).resolve().parents[2]
UNPACKED = ROOT / ".cache" / "servers"  # where tools/get_servers.py leaves Debian's and npm's packages
ACTS = ("finished", "composed", "attached", "built", "addressed", "anew", "process")


@dataclass(frozen=True)
class Sender:
    """One way to send mail, by its full name such as ``mailwright:window=1000``."""

    name: str
    module: ModuleType
    options: dict[str, str]

    @property
    def pace(self) -> float:
        """How many times as many messages as a workload says it is given."""
        return float(getattr(self.module, "PACE", 1))

    @property
    def external(self) -> bool:
        """Whether it is a foreign program."""
        return bool(getattr(self.module, "EXTERNAL", False))

    @property
    def own_content(self) -> bool:
        """Whether it makes up its messages."""
        return bool(getattr(self.module, "OWN_CONTENT", False))

    def flaw(self, act: str) -> str | None:
        """What is known to be wrong with the messages of that act."""
        flaws: dict[str, str] = getattr(self.module, "FLAWS", {})
        return flaws.get(act)

    def version(self) -> str:
        """Its version. Raises `Missing`."""
        return str(self.module.version())

    def act(self, name: str) -> Callable[[Any], Any]:
        """What does that act. Raises `Missing`."""
        found: Callable[[Any], Any] | None = getattr(self.module, name, None)
        if name not in ACTS or found is None:
            raise Missing(f"{self.name} has nothing for {name}")
        return found


def names() -> list[str]:
    """All files here."""
    return sorted(found.name for found in pkgutil.iter_modules(__path__))


def find(name: str) -> Sender:
    """The sender of that name, perhaps with options behind a colon. Raises `Missing`."""
    plain, _, rest = name.partition(":")
    if plain not in names():
        raise Missing(f"there is no sender {plain}; there are {', '.join(names())}")
    options = {key: text or "yes" for key, _, text in (word.partition("=") for word in rest.split(",") if word)}
    return Sender(name, importlib.import_module(f"bench.senders.{plain}"), options)


def distribution(name: str) -> str:
    """The version of a Python package. Raises `Missing`."""
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        raise Missing(f"the Python package {name} is not installed") from None


@dataclass(frozen=True)
class Tool:
    """A program of the system, or one that tools/get_servers.py unpacked in `.cache/servers/<folder>`."""

    name: str
    package: str
    folder: str

    @property
    def path(self) -> str:
        """Where it is. Raises `Missing`."""
        unpacked = [str(UNPACKED / self.folder / "root" / "usr" / place) for place in ("bin", "sbin")]
        places = [os.environ.get("PATH", os.defpath), os.path.join(os.sep, "usr", "sbin"), *unpacked]
        found = shutil.which(self.name, path=os.pathsep.join(places))
        if found is None:
            raise Missing(f"{self.name} is not installed: python3 tools/get_servers.py {self.folder}")
        return found

    @property
    def variables(self) -> dict[str, str]:
        """What it needs to find its libraries."""
        libraries = UNPACKED / self.folder / "root" / "usr" / "lib"
        if not self.path.startswith(str(UNPACKED)):
            return {}
        places = [libraries / "postfix", *libraries.glob("*-linux-gnu"), libraries]
        return {"LD_LIBRARY_PATH": os.pathsep.join(map(str, places))}

    def command(self, *words: str, stdin: str | None = None) -> Command:
        """Run it with these words. Raises `Missing`."""
        return Command([self.path, *words], stdin, self.variables)

    def version(self) -> str:
        """The version of its Debian package. Raises `Missing`."""
        if self.variables:
            lines = (UNPACKED / self.folder / "packages.txt").read_text("ascii").splitlines()
            return next(line for line in lines if line.split()[0] == self.package)
        query = ["dpkg-query", "--showformat", "${Package} ${Version}", "--show", self.package]
        try:
            return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return f"{self.name} of this system"
