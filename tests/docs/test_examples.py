"""Every example in README.md and docs/ is run as it stands there, and every link and path leads somewhere.

The conventions, for who writes a page:

- ``python`` blocks of one page share their names, in order. ``console`` blocks hold commands behind ``$ ``, each
  block in a shell of its own. Other blocks, such as ``sh``, are not run.
- A ``text`` block directly behind a ``python`` block is what it prints. In a ``console`` block the output follows the
  commands; the page may show only its beginning. ``…`` stands for what differs from run to run.
- The environment names a local `Inbox`, which is shown as ``smtp.example.org:587``. ``<!-- with NAME -->`` above a
  block chooses another environment: see `environment`. On a page with a ``toml`` block nothing is set, and the first
  such block is the user's config.toml.
- The working directory is empty but for `FILES`.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import mailwright
import mailwright.options
from mailwright.inbox import Inbox
from tests.unit.rehearsals.town import Town

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "mailwright"
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
LINKED = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]

USER, PASSWORD = "ada@example.org", "correct horse"
AT_GMAIL, APP_PASSWORD = "an address at Gmail", "hwtq kbzr mfxe uvjd"
REFUSED = {
    "nobody@example.net": "550 5.1.1 No such mailbox",
    "busy@example.net": "450 4.2.1 Mailbox busy, try again later",
}
FILES = {
    "minutes.pdf": b"%PDF-1.4\nThe minutes.\n",
    "prices.csv": b"item;price\r\ntea;2\r\n",
    "logo.png": b"\x89PNG\r\n\x1a\n and a picture",
    "letter.html": b"<p>Dear Grace</p>",
}
# What the environment of whoever runs the tests might say as well.
MAIL_VARIABLE = re.compile(r"MAIL|SMTP|SENDER|CREDENTIALS_DIRECTORY|XDG_CONFIG_HOME")


class Example(NamedTuple):
    """A fenced block: its language, its text, the number of its first line, and what the page says around it."""

    language: str
    code: str
    line: int
    note: str  # the name in <!-- with NAME --> above it
    output: str | None  # the text block directly behind it


def fences(page: str) -> Iterator[tuple[str, str, int, str]]:
    """Every fenced block as language, text, line number, and the nearest line above it that is not empty."""
    language, begun, code, above = "", 0, [], ""
    for number, line in enumerate(page.splitlines(), 1):
        if not line.startswith("```"):
            if begun:
                code.append(line)
            elif line.strip():
                above = line.strip()
        elif begun:
            yield language, "\n".join(code), begun + 1, above
            begun, above = 0, line
        else:
            language, begun, code = line[3:].strip(), number, []


def examples(page: str) -> list[Example]:
    """The blocks of a page, output joined to what prints it."""
    found: list[Example] = []
    for language, code, line, above in fences(page):
        if language == "text" and above == "```" and found and found[-1].language == "python":
            found[-1] = found[-1]._replace(output=code)
            continue
        note = re.fullmatch(r"<!-- with (.+) -->", above)
        found.append(Example(language, code, line, note[1] if note else "", None))
    return found


def agrees(shown: str, printed: str, beginning: bool = False) -> bool:
    """Whether a page shows what was printed; ``…`` stands for anything."""
    pattern = ".*?".join(re.escape(piece) for piece in tidy(shown).split("…")) + (r"(\n.*)?" if beginning else "")
    return re.fullmatch(pattern, tidy(printed), re.DOTALL) is not None


def tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


class Reader:
    """Somebody who types a page's examples, in a folder and with an environment of her own."""

    def __init__(self, page: Path, folder: Path, inbox: Inbox, patch: pytest.MonkeyPatch) -> None:
        self.page = page
        self.inbox = inbox
        self.patch = patch
        self.home = folder / "home"
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.examples = examples(page.read_text("utf-8"))
        self._furnish(folder)

    def _furnish(self, folder: Path) -> None:
        """The working directory, the home, and the command on the path."""
        desk, commands = folder / "desk", folder / "commands"
        for made in (desk, commands, self.home):
            made.mkdir()
        for name, data in FILES.items():
            (desk / name).write_bytes(data)
        command = commands / "mailwright"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mailwright "$@"\n')
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
        packages = str(Path(mailwright.__file__).parents[1])
        self.patch.setenv("PATH", os.pathsep.join([str(commands), os.environ.get("PATH", "")]))
        self.patch.setenv(
            "PYTHONPATH", os.pathsep.join([packages, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        )
        self.patch.setenv("PYTHONUTF8", "1")
        self.patch.setenv("HOME", str(self.home))
        self.patch.chdir(desk)
        for name in filter(MAIL_VARIABLE.search, list(os.environ)):
            self.patch.delenv(name)
        for config in [one.code for one in self.examples if one.language == "toml"][:1]:
            place = self.home / ".config" / "mailwright" / "config.toml"
            place.parent.mkdir(parents=True)
            place.write_text(config, "utf-8")
            place.chmod(0o600)

    def environment(self, name: str) -> dict[str, str]:
        """The variables for a block, by the name in its note; without one they name the inbox."""
        if not name and any(one.language == "toml" for one in self.examples):
            return {}
        if name == AT_GMAIL:
            return {"SENDER_EMAIL": "ada@gmail.com", "EMAIL_PASSWORD": APP_PASSWORD}
        url = self.inbox.url.replace("127.0.0.1", "localhost")
        urls = {
            "": url,
            "an old password": url.replace(":correct%20horse@", ":last%20year@"),
            "an account of smtp.example.org": "smtps://ada%40example.org:correct%20horse@smtp.example.org",
        }
        assert name in urls, f"there is no environment {name!r}"
        return {"MAILWRIGHT_URL": urls[name], "SENDER_EMAIL": USER}

    def shown(self, printed: str) -> str:
        """What was printed as a page shows it: the inbox has a name, and home is ``~``."""
        port = self.inbox.server.port
        text = printed.replace(f"localhost:{port}", "smtp.example.org:587").replace("localhost", "smtp.example.org")
        return text.replace(str(self.home), "~")

    def read(self) -> int:
        """Run every example, and give how many there were."""
        count = 0
        for example in self.examples:
            acts = {"python": self._python, "console": self._console}.get(example.language)
            if acts is not None:
                with self.patch.context() as patch:
                    for variable, text in self.environment(example.note).items():
                        patch.setenv(variable, text)
                    acts(example)
                count += 1
        return count

    def _python(self, example: Example) -> None:
        if example.note == AT_GMAIL:
            self._in_town(example)
            return
        # Empty lines in front make the line numbers of a traceback those of the page.
        code = compile("\n" * (example.line - 1) + example.code, str(self.page), "exec")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, self.names)
        if example.output is not None:
            self._compare(example, example.output, printed.getvalue(), beginning=False)

    def _in_town(self, example: Example) -> None:
        """Run it as a program of its own, in a world where smtp.gmail.com is an inbox that speaks like it."""
        town = Town(Path.cwd(), env=self.environment(AT_GMAIL))
        try:
            gmail = town.enter(
                Inbox(login=("ada@gmail.com", APP_PASSWORD.replace(" ", "")), speaks_as="gmail", security="tls")
            )
            town.build("smtp.gmail.com", 465, gmail.server.port)
            town.trust(gmail.server.tls.ca_file)
            ran = town.run(example.code)
        finally:
            town.close()
        assert ran.code == 0 and len(gmail.messages) == 1, ran.err
        self._compare(example, example.output or "", ran.out, beginning=False)

    def _console(self, example: Example) -> None:
        lines = example.code.splitlines()
        commands = [line[2:] for line in lines if line.startswith(("$ ", "> "))]
        output = "\n".join(line for line in lines if not line.startswith(("$ ", "> ")))
        assert commands, f"{self.page}:{example.line}: a console block without a command"
        done = subprocess.run(
            ["sh", "-c", "\n".join(commands)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False,
        )  # fmt: skip
        printed = done.stdout.decode("utf-8", "backslashreplace")
        if output.strip():
            self._compare(example, output, printed, beginning=True)
        else:
            assert done.returncode == 0, f"{self.page}:{example.line}: exit code {done.returncode}\n{printed}"

    def _compare(self, example: Example, expected: str, printed: str, beginning: bool) -> None:
        printed = self.shown(printed)
        assert agrees(expected, printed, beginning), (
            f"{self.page}:{example.line}: the page shows\n{expected}\n--- and what was printed is\n{printed}"
        )


@pytest.fixture(autouse=True)
def logging_stays_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox(login=(USER, PASSWORD), refuse=REFUSED) as opened:
        yield opened


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_says_what_happens(page: Path, tmp_path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    Reader(page, tmp_path, inbox, monkeypatch).read()


def test_the_first_pages_have_examples(tmp_path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Reader(ROOT / "README.md", tmp_path, inbox, monkeypatch).read() >= 5


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("```python\nprint(1)\n```\n\n```text\n2\n```\n", "the page shows"),
        ("```python\nprint(1)\n```\n```text\n1…2\n```\n", "the page shows"),
        ("```console\n$ mailwright --version\nmailwright 0.0.0\n```\n", "the page shows"),
        ("```console\n$ mailwright sned\n```\n", "exit code 64"),
        ("<!-- with a moon -->\n```python\n1\n```\n", "no environment"),
    ],
)
def test_a_page_that_is_wrong_is_noticed(
    page: str, reason: str, tmp_path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "page.md"
    wrong.write_text(page, "utf-8")
    with pytest.raises(AssertionError, match=reason):
        Reader(wrong, tmp_path, inbox, monkeypatch).read()


# Links, paths and names


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the usual renderers make them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    """The targets of all links that stay in the repository."""
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)) if "://" not in target]


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{name_of(page)}: nothing is at {target}"
        assert not anchor or anchor in anchors(there), f"{name_of(page)}: there is no heading for {target}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_source_path_exists(page: Path) -> None:
    # A path has a slash in it; words such as `minutes.pdf` are not paths of ours.
    for path in re.findall(r"`((?:[\w.-]+/)+(?:[\w.-]+\.(?:py|md|toml|txt))?)`", prose(page)):
        assert any((place / path).exists() for place in (ROOT, PACKAGE)), f"{name_of(page)}: there is no {path}"


def test_every_page_can_be_found() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            targets = [(page.parent / link.partition("#")[0]).resolve() for link in links(page) if link[0] != "#"]
            waiting += [target for target in targets if target.suffix == ".md"]
    assert sorted(name_of(page) for page in set(PAGES) - reached) == []


def words_of(*names: str) -> set[str]:
    """Every word that stands in code quotes on these pages of the reference."""
    text = " ".join((DOCS / "reference" / f"{name}.md").read_text("utf-8") for name in names)
    return set(re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`\n]+)`", text))))


def test_the_reference_knows_every_public_name() -> None:
    pages = [page.stem for page in (DOCS / "reference").glob("*.md")]
    assert set(mailwright.__all__) - words_of(*pages) == set()


def test_the_reference_knows_every_error() -> None:
    from mailwright.words import errors

    classes = {name for name, found in vars(errors).items() if isinstance(found, type)}
    assert classes - words_of("errors") == set()


@pytest.mark.parametrize("name", ["Server", "Login", "TLS", "Timeouts", "Limits", "Attachment", "DSN", "Envelope"])
def test_the_reference_knows_every_field(name: str) -> None:
    page = {"Attachment": "message", "DSN": "message", "Envelope": "message", "Limits": "sending"}.get(name, "server")
    found = getattr(mailwright, name, None) or getattr(mailwright.options, name)
    assert set(found.__match_args__) - words_of(page) == set()


def test_the_reference_knows_every_keyword_of_a_message() -> None:
    from inspect import signature

    keywords = set(signature(mailwright.Message.__init__).parameters) - {"self", "unknown"}
    assert keywords - words_of("message") == set()


def test_the_reference_knows_every_mechanism() -> None:
    from mailwright.sasl.choose import MECHANISMS

    names = {mechanism.name for mechanisms in MECHANISMS.values() for mechanism in mechanisms}
    assert names - words_of("sasl") == set()


def test_the_reference_knows_every_command_option_and_exit_code() -> None:
    import argparse
    from importlib import import_module

    from mailwright.cli import COMMANDS, exit_codes

    text = (DOCS / "reference" / "cli.md").read_text("utf-8")
    for command in COMMANDS:
        assert f"mailwright {command}" in text
        parser = argparse.ArgumentParser()
        import_module(f"mailwright.cli.{command}").add_arguments(parser)
        for action in parser._actions:
            if action.option_strings and action.dest != "help" and action.help != argparse.SUPPRESS:
                assert f"`{action.option_strings[0]}" in text, f"{command} {action.option_strings[0]}"
    codes = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}
    assert {code for code in codes if f"| {code} |" not in text} == set()


def test_the_architecture_names_every_room() -> None:
    text = (DOCS / "topics" / "architecture.md").read_text("utf-8")
    rooms = {f"`{path.name}`" for path in PACKAGE.glob("*.py") if path.name != "__init__.py"}
    rooms |= {f"`{path.parent.name}/`" for path in PACKAGE.glob("*/__init__.py")}
    assert {room for room in rooms if room not in text} == set()
