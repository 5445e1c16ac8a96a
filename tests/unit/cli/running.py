"""Running the command line: in this process, as a program of its own, and on a terminal."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mailwright.cli import main

OURS = ("MAILWRIGHT_", "SMTP_", "EMAIL_", "SENDER_", "CREDENTIALS_DIRECTORY", "XDG_CONFIG", "COLUMNS", "PYTHON")
WHO = ("--to", "bob@example.org", "--from", "ada@example.org", "--subject", "Hi")
WHOLE = (*WHO, "--text", "there")


class Ran(NamedTuple):
    """What a run left behind."""

    code: int
    out: str
    err: str


def surroundings(home: str | Path = os.devnull, **more: str) -> dict[str, str]:
    """The environment without anything of ours, and with `more`."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(OURS)}
    return {**kept, "HOME": str(home), **more}


@dataclass
class Command:
    """The command line in this process."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *words: str, stdin: bytes = b"", **variables: str) -> Ran:
        """Run it with these words and environment variables."""
        with self.monkeypatch.context() as patch:
            for name in os.environ:
                if name.startswith(OURS):
                    patch.delenv(name)
            patch.setenv("HOME", os.devnull)
            for name, text in variables.items():
                patch.setenv(name, text)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            self.capsys.readouterr()
            code = main(words)
        return Ran(code, *self.capsys.readouterr())


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line in this process, its output captured."""
    return Command(monkeypatch, capsys)


PROGRAM = (sys.executable, "-m", "mailwright")


def without(package: str) -> tuple[str, ...]:
    """How the program is started as if that package were not installed."""
    code = f"import sys; sys.modules[{package!r}] = None; from mailwright.cli import main; sys.exit(main())"
    return (sys.executable, "-c", code)


def program(
    *words: str | bytes,
    stdin: bytes | int = b"",
    env: Mapping[str, str] | None = None,
    redirected: str = "",
    start: Sequence[str] = PROGRAM,
    **options: Any,
) -> Ran:
    """Run it as a program; `redirected` is what a shell is told about its streams, such as ``>&-``."""
    given: dict[str, Any] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    command: list[str | bytes] = [*start, *words]
    if redirected:
        command = ["sh", "-c", f'exec "$@" {redirected}', "sh", *command]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    done = subprocess.run(
        command, **given, **streams, env=dict(env or surroundings()), timeout=60, check=False
    )  # fmt: skip
    return Ran(done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode())


class Terminal:
    """A pseudo-terminal; `text` is all that was drawn on it so far."""

    def __init__(self) -> None:
        import pty

        self._ours, self.theirs = pty.openpty()
        self._seen: list[bytes] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        """What was drawn."""
        return b"".join(self._seen).decode()

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._ours, text.encode())

    def wait_for(self, text: str) -> None:
        """Wait until that was drawn."""
        with self._changed:
            assert self._changed.wait_for(lambda: text in self.text, 30), self.text

    def close(self) -> None:
        """Read the rest, and end."""
        os.close(self.theirs)
        self._reader.join(30)
        os.close(self._ours)

    def _read(self) -> None:
        while True:
            try:
                seen = os.read(self._ours, 65536)
            except OSError:  # how Linux says that nobody has the other end any more
                return
            if not seen:
                return
            with self._changed:
                self._seen.append(seen)
                self._changed.notify_all()


@contextmanager
def terminal() -> Iterator[Terminal]:
    """A pseudo-terminal, for streams of a program."""
    made = Terminal()
    try:
        yield made
    finally:
        made.close()
