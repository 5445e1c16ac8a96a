"""The house rules that a machine can hold: sizes, floors, who may touch the world, what is pinned."""

from __future__ import annotations

import ast
import graphlib
import importlib.metadata
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "mailwright"
LONGEST_FILE = 400  # lines
LONGEST_FUNCTION = 60  # lines

# Imports go strictly down. `mailwright/__init__.py` and `_lazy.py` stand outside: they import late, by name.
FLOORS = {
    "words": 0,
    "message": 1,
    "steps": 2, "smtp": 2, "sasl": 2,
    "providers": 3, "diagnose": 3,
    "drivers": 4,
    "mailer": 5,
    "outbox": 6, "inbox": 6, "testing": 6,
    "sending": 7, "checking": 7, "smtplib": 7, "integrations": 7, "cli": 7, "__main__": 7,
    "errors": 7, "options": 7,
}  # fmt: skip

# Which rooms of the same floor a room may look into.
SIDEWAYS = {
    "smtp": {"steps", "sasl"},
    "diagnose": {"providers"},
    "testing": {"inbox"},
    "smtplib": {"sending"},
    "integrations": {"sending"},
    "checking": {"sending"},
    "cli": {"sending", "checking", "integrations"},
    "__main__": {"cli"},
}

# Inside a room: a module named here imports only those before it. The ban on cycles binds the others too.
ORDER = {
    "words": "value secret reply transcript errors address envelope receipt server",
    "smtp": "wire features phases refusals session login opening transaction belt conveyor",
    "sasl": "mechanism plain login cram_md5 scram bearer xoauth2 oauthbearer external choose",
}

# What touches the world: sockets, files, clocks, the environment, randomness, threads, databases.
WORLD = set(
    "_thread asyncio concurrent ftplib glob http keyring multiprocessing os pathlib psycopg "
    "queue random sched secrets select selectors shutil signal smtplib socket socketserver sqlite3 ssl "
    "subprocess tempfile threading time trio urllib uuid webbrowser".split()
)
HARMLESS = {"urllib.parse"}
MAY_TOUCH_THE_WORLD = (
    "drivers",
    "mailer.files", "mailer.settings", "mailer.tokens", "mailer.catching",
    "outbox.sqlite", "outbox.postgres",
    "inbox.listening", "inbox.database", "inbox.store", "inbox.spool", "inbox.intake", "inbox.web",
    "testing",
    "integrations",
    "cli",
)  # fmt: skip

# The named exceptions: what a module imports or calls all the same, and why.
REASONS = {
    "message.attachment": ("glob os", "an attachment may be given as a path or as a pattern of paths"),
    "message.source": (
        "_thread open os tempfile",
        "the octets of an attachment stay in their file until they are sent",
    ),
    "message.message": ("_thread", "an unstamped message that two threads render is stamped once"),
    "message.stamping": ("os time", "an unstamped message that is rendered stamps itself"),
    "message.preview": ("pathlib tempfile webbrowser", "shows a message to its author in a browser, when asked to"),
    "smtp.login": ("secrets", "names the source of a nonce; the driver calls it, by the step Ask"),
    "smtp.receiving.admission": ("secrets", "names the source of a challenge, as smtp.login does"),
    "mailer.sync": ("os time", "shared between threads, notices a fork, ages its connections"),
    "mailer.outgoing": ("os time", "the counter where a message gets its time and its token"),
    "checking": ("time", "tells how long a certificate is still good"),
    "smtplib": ("socket", "callers replace smtplib.socket, and the face connects through what they put there"),
    "smtplib.dialogue": (
        "socket datetime.now",
        "the default time-out of the original; the time of day in its debugging output",
    ),
    "smtplib.kinds": ("socket", "the default time-out of the original"),
    "smtplib.trouble": ("socket ssl", "errors that are kinds of socket.gaierror and ssl.SSLError"),
    "smtplib.errors": ("smtplib", "exceptions that are kinds of those of the standard library"),
    "smtplib.entrance": ("os", "file names as the original takes them"),
    "inbox.faults": (
        "threading time",
        "tests add faults while the listener's thread meets them; each firing has its time",
    ),
    "inbox.faults.certificates": ("ssl datetime.now", "certificates out of date, loaded into a server's context"),
    "outbox.aio": ("asyncio", "the front door for asyncio"),
    "outbox.asking": ("asyncio", "an undo goes on although the task that needs it is cancelled"),
    "outbox.work.accounts": ("asyncio socket", "looks now and then which accounts have mail; names this host"),
    "outbox.work.ending": ("asyncio", "waits for what is under way, as long as there is patience"),
    "outbox.work.reporting": ("asyncio", "a sign of life now and then"),
    "outbox.rounds": ("asyncio", "tasks that share a commit"),
    "outbox.grouping": ("_thread os time", "threads that share a commit; notices a fork"),
    "outbox.ids": ("os time", "ids are UUIDs of version 7"),
    "outbox.outbox": ("time", "rests between the short transactions of prune"),
    "outbox.work.posting": ("asyncio", "tasks that send side by side"),
    "outbox.work.settling": ("asyncio", "results wait for others, but not for long"),
    "outbox.work.worker": ("asyncio signal threading", "where a worker begins, and the signals that end it"),
    "outbox.work.working": ("asyncio os random socket time", "the worker's tasks, its name, its clock and its lots"),
    "inbox.certificate": ("ssl", "loads the certificate into the context that the listener is given"),
}
EXCEPTIONS = {(module, what) for module, (names, _) in REASONS.items() for what in names.split()}


class Import(NamedTuple):
    """One imported module, and how."""

    target: str
    line: int
    at_start: bool  # runs when the importing module is loaded, not later inside a function
    for_types: bool  # under TYPE_CHECKING: never runs


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of the package by its dotted name, parsed."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("mailwright", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(path.read_text("utf-8"))
    return found


def is_package(module: str) -> bool:
    return (PACKAGE.parent / Path(*module.split(".")) / "__init__.py").exists()


def imports_of(module: str) -> Iterator[Import]:
    """Every import in a module, wherever it stands."""

    def walk(node: ast.AST, at_start: bool, for_types: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import | ast.ImportFrom):
                for target in targets_of(child, module):
                    yield Import(target, child.lineno, at_start, for_types)
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                for part in child.body:
                    yield from walk(ast.Module([part], []), at_start, True)
                for part in child.orelse:
                    yield from walk(ast.Module([part], []), at_start, for_types)
            else:
                inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from walk(child, at_start and not inside, for_types)

    yield from walk(sources()[module], True, False)


def targets_of(node: ast.Import | ast.ImportFrom, module: str) -> Iterator[str]:
    """The modules that an import statement names; `from package import module` names the module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        here = module.split(".") if is_package(module) else module.split(".")[:-1]
        base = ".".join([*here[: len(here) - node.level + 1], *([base] if base else [])])
    for alias in node.names:
        deeper = f"{base}.{alias.name}"
        if deeper in sources() or deeper in HARMLESS:
            yield deeper
        elif base == "mailwright" and alias.name == "__version__":
            continue  # a plain string that is there from the start
        else:
            yield base


def room_of(module: str) -> str:
    """The first name below `mailwright`; empty for the front door itself."""
    return module.partition(".")[2].partition(".")[0]


def place(module: str, line: int) -> str:
    return f"{module}:{line}"


def inner_imports() -> Iterator[tuple[str, Import]]:
    """Every import from one module of the package to another, the two that stand outside left out."""
    for module in sources():
        if room_of(module) not in ("", "_lazy"):
            for found in imports_of(module):
                if found.target.partition(".")[0] == "mailwright" and found.target != "mailwright._lazy":
                    yield module, found


def expect_none(found: Iterable[str]) -> None:
    """Fails with every line of what was found, not with an excerpt."""
    lines = list(found)
    if lines:
        pytest.fail("\n".join(["", *lines]), pytrace=False)


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(module) for module in sources()} - {"", "_lazy"}
    expect_none(rooms - set(FLOORS))


def test_imports_go_strictly_down() -> None:
    wrong = []
    for module, found in inner_imports():
        here, there = room_of(module), room_of(found.target)
        if here == there or there in SIDEWAYS.get(here, ()):
            continue
        if not there or FLOORS.get(there, 99) >= FLOORS[here]:
            wrong.append(f"{place(module, found.line)} imports {found.target}")
    expect_none(wrong)


def test_imports_inside_a_room_follow_its_order() -> None:
    wrong = []
    for module, found in inner_imports():
        room = room_of(module)
        order = [f"mailwright.{room}.{name}" for name in ORDER.get(room, "").split()]
        if found.at_start and not found.for_types and module in order and found.target in order:
            if order.index(found.target) >= order.index(module):
                wrong.append(f"{place(module, found.line)} imports {found.target}")
    expect_none(wrong)


def test_there_is_no_import_cycle() -> None:
    graph: dict[str, set[str]] = {module: set() for module in sources()}
    for module in sources():
        for found in imports_of(module):
            if found.at_start and not found.for_types and found.target in graph:
                graph[module].add(found.target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def touches() -> Iterator[tuple[str, str, int]]:
    """Where a module that may not do so touches the world: (module, what, line)."""
    for name, tree in sources().items():
        module = name.partition(".")[2]
        if any(module == room or module.startswith(f"{room}.") for room in MAY_TOUCH_THE_WORLD):
            continue
        for found in imports_of(name):
            top = found.target.partition(".")[0]
            if top in WORLD and found.target not in HARMLESS and not found.for_types:
                yield module, top, found.line
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called == "open" or re.fullmatch(r"(datetime\.)?(datetime|date)\.(now|utcnow|today)", called):
                    yield module, called, node.lineno


def test_only_the_named_rooms_touch_the_world() -> None:
    expect_none(f"{place(m, line)} {what}" for m, what, line in touches() if (m, what) not in EXCEPTIONS)


def test_every_exception_is_still_needed() -> None:
    unused = EXCEPTIONS - {(module, what) for module, what, _ in touches()}
    expect_none(f"{module}: {what}" for module, what in sorted(unused))


def test_no_file_is_too_long() -> None:
    sizes = {path: path.read_text("utf-8").count("\n") for path in PACKAGE.rglob("*.py")}
    expect_none(f"{path.relative_to(ROOT)}: {n} lines" for path, n in sizes.items() if n > LONGEST_FILE)


def test_no_function_is_too_long() -> None:
    long = []
    for module, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    long.append(f"{place(module, node.lineno)} {node.name}: {lines} lines")
    expect_none(long)


def undocumented(node: ast.Module | ast.ClassDef, name: str) -> Iterator[str]:
    """The public names in a module or class that have no docstring, itself included."""
    if not ast.get_docstring(node):
        yield name
    for child in node.body:
        if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or child.name.startswith("_"):
            continue
        if isinstance(child, ast.ClassDef):
            yield from undocumented(child, f"{name}.{child.name}")
        elif not ast.get_docstring(child) and not speaks_for_another(child):
            yield f"{name}.{child.name}"


def speaks_for_another(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether another definition of the same name carries the docstring: an overload, a setter."""
    marks = [ast.unparse(mark) for mark in function.decorator_list]
    return any(mark.endswith(("overload", ".setter", ".deleter")) for mark in marks)


def test_every_public_name_has_a_docstring() -> None:
    expect_none(name for module, tree in sources().items() for name in undocumented(tree, module))


@cache
def tracked_texts() -> dict[str, str]:
    """Every text file that is or would be under version control."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    texts = {}
    for name in filter(None, listing.stdout.split("\0")):
        try:
            texts[name] = (ROOT / name).read_text("utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
    return texts


def lines_with(pattern: str) -> list[str]:
    compiled = re.compile(pattern)
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in tracked_texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if compiled.search(line)
    ]


# The patterns are put together from pieces, so that this file does not hold what it looks for.


def test_no_path_of_a_machine_is_written_down() -> None:
    places = "|".join(["wo" + "rk", "ro" + "ot", "tm" + "p", "ho" + "me", "Us" + "ers"])
    expect_none(lines_with(rf"(^|[^\w.~)}}\]/-])/({places})/"))


def test_no_package_registry_is_written_down() -> None:
    hosts = [
        r"py" + r"pi\.(org|python\.org)",
        "python" + "hosted",
        "npm" + r"js\.",
        "deb" + r"\.debian\.",
        "crates" + r"\.io",
    ]
    expect_none(lines_with("|".join(hosts)))


def test_no_note_to_self_is_left() -> None:
    expect_none(lines_with(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + r")\b"))


@cache
def pyproject() -> dict[str, dict]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_the_version_stands_in_one_place() -> None:
    assert pyproject()["project"]["dynamic"] == ["version"]
    assert "version" not in pyproject()["project"]
    holders = [name for name, text in tracked_texts().items() if re.search(r'(?m)^__version__ = "', text)]
    assert holders == ["src/mailwright/__init__.py"]
    written = re.search(r'(?m)^__version__ = "(.+)"$', tracked_texts()[holders[0]])
    assert written and written[1] == importlib.metadata.version("mailwright")


def test_the_changelog_has_a_place_for_what_comes_next() -> None:
    headings = re.findall(r"(?m)^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"))
    assert headings[0] == "[Unreleased]"


def test_style_and_types_are_strict() -> None:
    tools = pyproject()["tool"]
    assert tools["mypy"]["strict"] is True
    assert {"E", "F", "I", "B"} <= set(tools["ruff"]["lint"]["select"])
    assert tools["pytest"]["ini_options"]["filterwarnings"][0] == "error"


def test_every_known_skip_says_why() -> None:
    for entry in tomllib.loads((ROOT / "tests" / "known_skips.toml").read_text("utf-8")).get("skip", []):
        assert set(entry) == {"test", "reason", "why"}
        assert re.compile(entry["test"]).fullmatch("") is None, f"matches every test: {entry}"
        assert re.compile(entry["reason"]).fullmatch("") is None, f"matches every reason: {entry}"
        assert len(entry["why"].split()) >= 4, f"not a reason: {entry}"


def pins() -> dict[str, str]:
    """The lines of constraints.txt; fails on one that is not `name==version`."""
    found = {}
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            match = re.fullmatch(r"([a-z0-9-]+)==([0-9][A-Za-z0-9.]*)", line)
            assert match, f"not a plain constraint: {line}"
            assert match[1] not in found, f"pinned twice: {line}"
            found[match[1]] = match[2]
    return found


def needed_here() -> Iterator[tuple[str, str]]:
    """What the project, its extras and its tests need in this environment, with the version that is here."""
    groups = pyproject()["dependency-groups"]
    waiting = [Requirement(line) for line in ["mailwright[all]", *groups["test"]]]
    seen = set()
    while waiting:
        wanted = waiting.pop()
        for extra in {"", *wanted.extras}:
            key = (canonicalize_name(wanted.name), extra)
            if key in seen:
                continue
            seen.add(key)
            found = importlib.metadata.distribution(wanted.name)
            needs = [Requirement(line) for line in found.requires or []]
            waiting += [need for need in needs if not need.marker or need.marker.evaluate({"extra": extra})]
            if not extra and key[0] != "mailwright":
                yield key[0], found.version


def test_everything_needed_is_pinned_and_installed_as_pinned() -> None:
    pinned = pins()
    assert {name: version for name, version in needed_here() if pinned.get(name) != version} == {}


@pytest.mark.env
def test_the_wheel_holds_the_package_and_asks_for_idna_alone(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = {name for name in packed.namelist() if name.startswith("mailwright/")}
        (metadata,) = (packed.read(name).decode() for name in packed.namelist() if name.endswith("/METADATA"))
    ours = {path.relative_to(PACKAGE.parent).as_posix() for path in PACKAGE.rglob("*") if path.is_file()}
    assert names == {name for name in ours if "__pycache__" not in name}
    assert "mailwright/py.typed" in names
    unconditional = [line for line in re.findall(r"(?m)^Requires-Dist: (.+)$", metadata) if "extra ==" not in line]
    assert [Requirement(line).name for line in unconditional] == ["idna"]


@pytest.mark.env
def test_the_source_package_can_be_tested(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    for wanted in (
        "LICENSE",
        "Makefile",
        "constraints.txt",
        "tests/conftest.py",
        "tools/run.py",
        "pyproject.toml",
    ):
        assert wanted in names
