"""The wheel in an environment that holds it and what it depends on, and nothing else."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement

from mailwright import Inbox

pytestmark = pytest.mark.env
ROOT = Path(__file__).resolve().parents[2]


class Built(NamedTuple):
    """What was built from this tree."""

    sdist: Path
    wheel: Path


class Bare(NamedTuple):
    """An environment: its folder, and where its programs are."""

    folder: Path
    programs: Path

    def run(self, program: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program of it, away from this tree."""
        kept = ("PATH", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT")
        env = {name: os.environ[name] for name in kept if name in os.environ} | {"HOME": str(self.folder)} | variables
        words = (str(self.programs / program), *words)
        return subprocess.run(
            words, cwd=self.folder, env=env, capture_output=True, encoding="utf-8", timeout=60, check=False
        )  # fmt: skip

    def python(self, code: str) -> str:
        """What its interpreter prints for `code`; nothing may go wrong."""
        done = self.run("python", "-X", "utf8", "-W", "error", "-c", code)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built")
    words = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", str(folder)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return Built(sdist, wheel)


@pytest.fixture(scope="module")
def bare(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Bare:
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    environment = Bare(folder, folder / ("Scripts" if os.name == "nt" else "bin"))
    python = str(environment.programs / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    # Without an index: what it depends on is taken from the environment of the tests.
    subprocess.run([*pip, "install", "-q", "--no-index", "--no-deps", str(built.wheel)], check=True)
    site = Path(environment.python("import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    for name in needed_by("mailwright"):
        for file in importlib.metadata.files(name) or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(Path(str(file.locate())), site / file)
    subprocess.run([*pip, "check"], check=True, capture_output=True)  # nothing is missing
    return environment


def needed_by(name: str) -> Iterator[str]:
    """What a distribution needs whatever extras are asked for, all the way down."""
    for line in importlib.metadata.requires(name) or ():
        wanted = Requirement(line)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            yield wanted.name
            yield from needed_by(wanted.name)


def in_wheel(path: Path) -> dict[str, bytes]:
    """The files of the package in a wheel."""
    with zipfile.ZipFile(path) as packed:
        return {name: packed.read(name) for name in packed.namelist() if name.startswith("mailwright/")}


def test_only_the_wheel_and_idna_are_there(bare: Bare) -> None:
    code = "import importlib.metadata as m; print(sorted(d.name for d in m.distributions()))"
    assert bare.python(code) == "['idna', 'mailwright']\n"


def test_sdist_and_wheel_hold_the_same_package(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built.sdist) as packed:
        packed.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    source = tree / "src"
    in_sdist = {path.relative_to(source).as_posix(): path.read_bytes() for path in source.rglob("*") if path.is_file()}
    assert in_sdist == in_wheel(built.wheel) and "mailwright/py.typed" in in_sdist
    # And who builds from the sdist gets the same once more.
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "again")]
    subprocess.run(words, cwd=tree, check=True, capture_output=True)
    (again,) = (tmp_path / "again").glob("*.whl")
    assert in_wheel(again) == in_sdist


def test_the_demo_works_and_says_which_extra_adds_tls(bare: Bare) -> None:
    done = bare.run("mailwright", "demo", PYTHONUTF8="1")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert "pip install 'mailwright[inbox]'" in done.stdout.splitlines()[0]
    assert done.stdout.splitlines()[-1].startswith("The message came back equal")


def test_an_inbox_and_a_send(bare: Bare) -> None:
    printed = bare.python(
        "from mailwright import Inbox, Message, send\n"
        "message = Message('ada@example.org', 'bob@bücher.example', 'Grüße', 'Guten Tag', '<p>Guten Tag</p>')\n"
        "with Inbox() as inbox:\n"
        "    print(inbox.notice)\n"
        "    print(inbox.server.security, send(message, server=inbox.server))\n"
        "    print(inbox.wait(to='bob@bücher.example').subject)\n"
    )
    notice, receipt, subject = printed.splitlines()
    assert "pip install 'mailwright[inbox]'" in notice and subject == "Grüße"
    assert receipt == "none accepted by 127.0.0.1 for 1 of 1 recipients"


def test_an_inbox_and_a_send_with_asyncio(bare: Bare) -> None:
    printed = bare.python(
        "import asyncio\nfrom mailwright import Inbox, send_async\n"
        "async def main():\n"
        "    async with Inbox(('ada', 'secret')) as inbox:\n"
        "        print(await send_async('bob@example.org', 'Hi', 'x', sender='ada@example.org', server=inbox.server))\n"
        "        print((await inbox.wait_async()).login)\n"
        "asyncio.run(main())"
    )
    assert printed == "accepted by 127.0.0.1 for 1 of 1 recipients\nada\n"


def test_the_command_line_sends(bare: Bare) -> None:
    with Inbox(tls=False) as inbox:
        words = ("send", "--to", "bob@example.org", "--from", "ada@example.org", "--text", "x", "--server", inbox.url)
        done = bare.run("mailwright", *words)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert len(inbox.messages) == 1


def test_what_needs_an_extra_names_it(bare: Bare) -> None:
    done = bare.run("mailwright", "inbox", "--tls", "--port", "0")
    assert done.returncode == 69 and "pip install 'mailwright[inbox]'" in done.stderr
    words = ("send", "--to", "bob@example.org", "--from", "ada@example.invalid", "--text", "x")
    done = bare.run("mailwright", *words, "--server", "smtps://127.0.0.1:9", SMTP_PASSWORD="x")
    assert done.returncode == 75, "that needs none"
    done = bare.run("mailwright", "providers", "ada@example.invalid")
    assert "pip install 'mailwright[dns]'" in done.stderr and done.stderr.count("\n") == 1


WATCHED = """
import sys, threading
seen = []
WORLD = ("socket.", "_thread.start", "subprocess.", "os.fork", "os.posix_spawn", "os.exec", "os.system", "urllib.",
         "shutil.", "tempfile.", "os.mkdir", "os.remove", "os.rename", "sqlite3.", "signal.")
def watch(event, arguments):
    if event.startswith(WORLD) or (event == "open" and "w" in str(arguments[1])):
        seen.append((event, str(arguments)[:80]))
sys.dont_write_bytecode = True
sys.addaudithook(watch)
"""


def test_an_import_opens_no_socket_and_starts_no_thread(bare: Bare) -> None:
    assert bare.python(f"{WATCHED}\nimport mailwright\nprint(seen, threading.active_count())") == "[] 1\n"
    loaded = "for name in mailwright.__all__: getattr(mailwright, name)"
    printed = bare.python(f"{WATCHED}\nimport mailwright\n{loaded}\nprint(seen, threading.active_count())")
    assert printed == "[] 1\n"
    # The watch itself works:
    watched = bare.python(f"{WATCHED}\nimport socket; socket.socket().close(); print([event for event, _ in seen])")
    assert "socket.__new__" in watched


# Modules that stand for an extra: whoever names one of them has it.
FOR_AN_EXTRA = {
    "mailwright.drivers.trio": "trio",
    "mailwright.drivers.trio_loop": "trio",
    "mailwright.inbox.web.answers": "starlette",
    "mailwright.inbox.web.api": "starlette",
    "mailwright.inbox.web.app": "starlette",
    "mailwright.inbox.web.browsing": "starlette",
    "mailwright.inbox.web.changing": "starlette",
    "mailwright.inbox.web.downloads": "starlette",
    "mailwright.inbox.web.live": "starlette",
    "mailwright.inbox.web.openapi": "starlette",
    "mailwright.inbox.web.operations": "starlette",
    "mailwright.inbox.web.patience": "h11",
    "mailwright.inbox.web.security": "starlette",
    "mailwright.outbox.postgres": "psycopg",
    "mailwright.testing.plugin": "pytest",
}


def test_every_other_module_loads_without_any_extra(bare: Bare) -> None:
    printed = bare.python(
        f"{WATCHED}\nimport pkgutil, importlib, mailwright\n"
        "names = [m.name for m in pkgutil.walk_packages(mailwright.__path__, 'mailwright.')]\n"
        "missing = {}\n"
        "for name in names:\n"
        "    try: importlib.import_module(name)\n"
        "    except ImportError as problem: missing[name] = problem.name\n"
        "print(len(names) > 50, seen, threading.active_count(), missing)"
    )
    assert printed == f"True [] 1 {FOR_AN_EXTRA}\n"
