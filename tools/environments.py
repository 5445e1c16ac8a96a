"""Interpreters that are on this machine, and the virtual environments made from them."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
CONSTRAINTS = ROOT / "constraints.txt"
OLDEST = (3, 11)

# Which groups of [dependency-groups] a kind of environment holds beside the project and its extras.
GROUPS: dict[str, tuple[str, ...]] = {"demo": (), "unit": ("test",), "test": ("test", "lint"), "bench": ("bench",)}

PROBE = (
    "import ensurepip, platform, sys, venv; v = sys.version_info; "
    "print(platform.python_implementation(), v.releaselevel, *v[:3], sys.executable, sep='|')"
)


class StepFailed(Exception):
    """A step did not succeed; the text says what happened, in one line or with the output of what failed."""


@dataclass(frozen=True)
class Interpreter:
    """A Python that can make environments."""

    path: str
    version: tuple[int, int, int]

    @property
    def name(self) -> str:
        """Such as ``3.12``."""
        return f"{self.version[0]}.{self.version[1]}"


def this_interpreter() -> Interpreter:
    """The Python that runs this; if that is one of an environment, the one it was made from."""
    return Interpreter(getattr(sys, "_base_executable", sys.executable), sys.version_info[:3])


def other_interpreters() -> list[Interpreter]:
    """Every other released CPython from 3.11 on, the newest of each minor version, oldest first."""
    newest: dict[str, Interpreter] = {}
    for path in _places():
        found = _probe(path)
        if found and (found.name not in newest or found.version > newest[found.name].version):
            newest[found.name] = found
    newest.pop(this_interpreter().name, None)
    return sorted(newest.values(), key=lambda python: python.version)


def _places() -> Iterator[str]:
    """Where a Python may be: the path, pyenv's folder, the launcher of Windows."""
    for minor in range(OLDEST[1], 30):
        if path := shutil.which(f"python3.{minor}"):
            yield path
    for name in ("python3", "python"):
        if path := shutil.which(name):
            yield path
    if pyenv := shutil.which("pyenv"):
        versions = Path(_output([pyenv, "root"]).strip()) / "versions"
        yield from map(str, sorted(versions.glob("3.*/bin/python3")))
    if launcher := shutil.which("py"):
        for line in _output([launcher, "-0p"]).splitlines():
            yield line.split(maxsplit=1)[-1].removeprefix("*").strip()


def _probe(path: str) -> Interpreter | None:
    """What is at that path, if it is a released CPython that is new enough and can make environments."""
    implementation, _, rest = _output([path, "-c", PROBE]).strip().partition("|")
    level, *numbers, executable = rest.split("|") if rest else ("", "")
    if implementation != "CPython" or level != "final":
        return None
    major, minor, micro = map(int, numbers)
    return Interpreter(executable, (major, minor, micro)) if (major, minor) >= OLDEST else None


def _output(command: Sequence[str]) -> str:
    """What a command prints; nothing if it fails (as a pyenv shim does whose version is not switched on)."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


@dataclass(frozen=True)
class Environment:
    """A virtual environment: the project, editable, and all it needs at the versions of constraints.txt."""

    folder: Path
    interpreter: Interpreter

    def command(self, name: str) -> str:
        """The path of a command in it, such as ``python``."""
        if os.name == "nt":
            return str(self.folder / "Scripts" / f"{name}.exe")
        return str(self.folder / "bin" / name)

    def prepare(self, kind: str) -> str:
        """Makes it hold what that kind needs. Returns what had to be done; does nothing when all is there."""
        stamp = self.folder / f"holds-{kind}"
        wanted = self._fingerprint(kind)
        if stamp.exists() and stamp.read_text() == wanted and self._works():
            return "already there"
        done = "refreshed"
        if not self._works() or self._was_moved():
            self._call([self.interpreter.path, "-m", "venv", "--clear", str(self.folder)])
            done = f"made with Python {platform_version(self.interpreter)}"
        tables = read_pyproject()
        groups = [line for group in GROUPS[kind] for line in tables["dependency-groups"][group]]
        options = ["--quiet", "--disable-pip-version-check", "--no-input", "--constraint", str(CONSTRAINTS)]
        pinned = [self.command("python"), "-m", "pip", "install", *options]
        self._call([*pinned, *tables["build-system"]["requires"], *groups])
        self._call([*pinned, "--no-build-isolation", "--editable", ".[all]"])
        for part in parts_of(kind):
            (self.folder / f"holds-{part}").write_text(self._fingerprint(part))
        (self.folder / "root").write_text(str(ROOT))
        return done

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs its Python, output shown as it comes."""
        return subprocess.run([self.command("python"), *arguments], cwd=ROOT, env=clean_environ(), text=True)

    def capture(
        self, *arguments: str, timeout: float | None = None, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs its Python, with these environment variables too, and keeps the output. `timeout` in seconds; raises
        subprocess.TimeoutExpired.
        """
        return subprocess.run(
            [self.command("python"), *arguments],
            cwd=ROOT,
            env=clean_environ() | dict(variables or {}),
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
        )

    def _works(self) -> bool:
        probe = "import sys, pip; print(*sys.version_info[:2], sep='.')"
        return _output([self.command("python"), "-c", probe]).strip() == self.interpreter.name

    def _was_moved(self) -> bool:
        """Whether the tree was moved or copied since: the commands inside still name the old place."""
        root = self.folder / "root"
        return root.exists() and root.read_text() != str(ROOT)

    def _fingerprint(self, kind: str) -> str:
        """Changes when anything changes that an installed environment depends on."""
        tables = read_pyproject()
        groups = [tables["dependency-groups"][group] for group in GROUPS[kind]]
        version = [line for line in version_file().splitlines() if line.startswith("__version__")]
        text = json.dumps([str(ROOT), tables["project"], groups, version, CONSTRAINTS.read_text(encoding="utf-8")])
        return hashlib.sha256(text.encode()).hexdigest()

    def _call(self, command: Sequence[str]) -> None:
        done = subprocess.run(
            command, cwd=ROOT, env=clean_environ(), text=True, capture_output=True, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            shown = " ".join(Path(word).name if os.sep in word else word for word in command)
            raise StepFailed(f"{shown}\n{(done.stdout + done.stderr).strip()}")


def parts_of(kind: str) -> list[str]:
    """The kinds that an environment of this kind is as well."""
    return [part for part, groups in GROUPS.items() if set(groups) <= set(GROUPS[kind])]


def platform_version(interpreter: Interpreter) -> str:
    """Such as ``3.12.1 on Linux``."""
    return f"{'.'.join(map(str, interpreter.version))} on {platform.system()}"


def read_pyproject() -> dict[str, dict[str, list[str]]]:
    """The tables of pyproject.toml that say what is to be installed."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def version_file() -> str:
    """The text of the module that holds the version."""
    return (ROOT / "src" / "mailwright" / "__init__.py").read_text(encoding="utf-8")


def clean_environ() -> dict[str, str]:
    """The environment for what is run: without what would let other packages in."""
    return {name: text for name, text in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
