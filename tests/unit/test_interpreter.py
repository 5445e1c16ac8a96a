"""However Python is started, and on a system where nothing can be written: the same code runs, and runs well."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mailwright
from mailwright import Inbox
from tests.unit.cli.running import WHOLE, surroundings

PACKAGE = Path(mailwright.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
each_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))


def narrows(node: ast.Assert) -> bool:
    """Whether it only tells a type checker what is so anyway: ``x is not None`` or ``isinstance(x, …)``."""
    test = node.test
    if isinstance(test, ast.Compare):
        plain = isinstance(test.left, ast.Name | ast.Attribute)
        return plain and ast.unparse(test) == f"{ast.unparse(test.left)} is not None"
    return isinstance(test, ast.Call) and ast.unparse(test.func) == "isinstance"


@each_source
def test_j182_no_assert_guards_anything(path: Path) -> None:
    """With -O they are gone, so that what they check must be so without them."""
    found = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Assert)]
    assert [ast.unparse(node) for node in found if not narrows(node)] == []


class Stripped(ast.NodeTransformer):
    """A module without its asserts."""

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return ast.copy_location(ast.Pass(), node)


@each_source
def test_j182_optimised_it_is_the_same_code(path: Path) -> None:
    """But for those asserts, -O changes not one instruction: nothing asks whether it is on."""
    source = path.read_bytes()
    plain = compile(Stripped().visit(ast.parse(source)), "module", "exec", optimize=0, dont_inherit=True)
    optimised = compile(Stripped().visit(ast.parse(source)), "module", "exec", optimize=1, dont_inherit=True)
    assert plain == optimised
    assert b"__debug__" not in source


MODES = {
    "-O": ["-O"],
    "-OO": ["-OO"],
    "-X dev -W error -bb": ["-X", "dev", "-W", "error", "-bb"],
    "-I -B": ["-I", "-B"],
}
each_mode = pytest.mark.parametrize("mode", MODES)

SEND_BY_EVERY_DOOR = """
import asyncio, trio
from mailwright import AsyncMailer, Inbox, Mailer, Message
message = Message("ada@example.org", "bob@bücher.example", "Grüße", "Guten Tag", "<p>Guten Tag</p>")

async def send(server):
    async with AsyncMailer(server) as mailer:
        return await mailer.send(message)

with Inbox(login=("ada", "sesame")) as inbox:
    with Mailer(inbox.server) as mailer:
        print(mailer.send(message))
    print(asyncio.run(send(inbox.server)))
    print(trio.run(send, inbox.server))
    print(len(inbox.messages), inbox.messages[0].message.text)
"""


def run(mode: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter, started in that way."""
    return subprocess.run(
        [sys.executable, *MODES[mode], *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=surroundings(),
    )


@each_mode
def test_j182_it_sends_however_python_is_started(mode: str) -> None:
    ran = run(mode, "-c", SEND_BY_EVERY_DOOR)
    assert ran.returncode == 0 and ran.stderr == "", ran.stderr
    assert ran.stdout.splitlines() == ["accepted by 127.0.0.1 for 1 of 1 recipients"] * 3 + ["3 Guten Tag"]


@each_mode
@pytest.mark.parametrize("words", [("--help",), ("send", "--help"), ("demo",)], ids=" ".join)
def test_j182_so_does_the_program(mode: str, words: tuple[str, ...]) -> None:
    ran = run(mode, "-m", "mailwright", *words)
    assert ran.returncode == 0 and ran.stderr == "" and ran.stdout, ran.stderr


WATCHED = """
import os, sys
seen = []
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "shutil.")

def watch(event, arguments):
    if event.startswith(CHANGES):
        seen.append((event, str(arguments)))
    elif event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        seen.append((event, str(arguments)))

sys.addaudithook(watch)
"""


def test_j181_a_send_writes_no_file() -> None:
    """So a home directory, or a whole system, that can't be written to is no hindrance."""
    with Inbox(tls=False) as inbox:
        code = f"{WATCHED}\nfrom mailwright.cli import main\ncode = main(sys.argv[1:])\nprint(code, seen)"
        words = [sys.executable, "-B", "-c", code, "send", *WHOLE, "--server", inbox.url]
        ran = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env=surroundings())
        assert (ran.stdout, ran.stderr) == ("0 []\n", "") and len(inbox.messages) == 1


def test_the_watch_sees_what_is_written(tmp_path: Path) -> None:
    code = f"{WATCHED}\nopen(sys.argv[1], 'w').close(); os.remove(sys.argv[1]); print([event for event, _ in seen])"
    words = [sys.executable, "-B", "-c", code, str(tmp_path / "x")]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "['open', 'os.remove']\n"


@pytest.mark.skipif(os.name != "posix", reason="another user is one of POSIX")
@pytest.mark.parametrize("place", ["home", "working directory"])
def test_j181_where_nothing_may_be_written(place: str, tmp_path: Path) -> None:
    """For root every directory can be written to, hence the test of what is opened above."""
    tmp_path.chmod(0o555)
    try:
        with Inbox(tls=False) as inbox:
            env = surroundings(tmp_path if place == "home" else os.devnull)
            words = [sys.executable, "-m", "mailwright", "send", *WHOLE, "--server", inbox.url]
            ran = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env=env, cwd=tmp_path)
            assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "") and len(inbox.messages) == 1
        assert list(tmp_path.iterdir()) == []
    finally:
        tmp_path.chmod(0o755)
