"""Whom a local name means: an alias, or the account's own sender; never a program, a file, or nobody."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright import Inbox
from mailwright.cli.sendmail.aliases import Directory, read_table
from mailwright.mailer.config_file import ConfigFile
from mailwright.mailer.files import TextFile
from mailwright.words.address import Address
from mailwright.words.errors import AddressError, ConfigError
from tests.unit.cli.running import Command

ADA = Address("ada@example.org")


def directory(folder: Path, aliases: str = "", config: str = "", own: Address | None = ADA) -> Directory:
    """The directory of a user who has these files."""
    (folder / "aliases").write_text(aliases)
    (folder / "config.toml").write_text(config)
    return Directory({"MAILWRIGHT_CONFIG": str(folder / "config.toml")}, lambda: own)


FILE = """
# like /etc/aliases
postmaster: root
root: grace@example.org, "Bob Brown" <bob@example.org>
Team:    eve@example.com,
         root,
\tcarl@example.org
self: self, dora@example.org
final: \\final
"quoted": x@example.org
program: "|/usr/bin/vacation, ada"
bare: |/usr/bin/vacation
file: /dev/null
list: :include:/etc/people
round: about
about: round
wrong: grace@@example.org
spaced: Grace Hopper
"""


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("nobody-knows", "ada"),
        ("root", "grace bob"),
        ("ROOT", "grace bob"),
        ("postmaster", "grace bob"),
        ("team", "eve grace bob carl"),
        ("self", "ada dora"),
        ("final", "ada"),
        ("quoted", "x"),
    ],
)
def test_names_lead_to_addresses(name: str, meant: str, tmp_path: Path) -> None:
    assert [address.local for address in directory(tmp_path, FILE).meant(name)] == meant.split()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("program", "leads to a program"),
        ("bare", "leads to a program"),
        ("file", "leads to a file"),
        ("list", "a list in another file"),
        ("round", "in a circle"),
        ("wrong", "not an address"),
        ("spaced", "not an address"),
    ],
)
def test_what_is_refused_is_said_with_its_place(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        directory(tmp_path, FILE).meant(name)
    assert said in str(caught.value) and (str(tmp_path) in str(caught.value) or name == "round")


@pytest.mark.parametrize("name", ["", "-t", "|x", "/etc/passwd", "a b", "a\n", "a,b", '"x"', "a:b", "é"])
def test_what_is_no_local_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(AddressError):
        directory(tmp_path).meant(name)


def test_the_table_counts_before_the_file(tmp_path: Path) -> None:
    config = '[aliases]\nroot = "eve@example.com"\nTeam = ["root", "carl@example.org, dora@example.org"]\n'
    found = directory(tmp_path, FILE, config)
    assert [one.local for one in found.meant("root")] == ["eve"]
    assert [one.local for one in found.meant("team")] == ["eve", "carl", "dora"]
    assert [one.local for one in found.meant("postmaster")] == ["eve"]


def test_without_a_sender_nothing_is_dropped_in_silence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Nobody knows where mail for the local name root"):
        directory(tmp_path, own=None).meant("root")


def test_too_many_and_too_deep(tmp_path: Path) -> None:
    many = "all: " + ", ".join(f"u{n}@example.org" for n in range(1001))
    with pytest.raises(ConfigError, match="more than 1000"):
        directory(tmp_path, many).meant("all")
    deep = "".join(f"n{n}: n{n + 1}\n" for n in range(50))
    with pytest.raises(ConfigError, match="circle"):
        directory(tmp_path, deep).meant("n0")
    # 2^18 ways lead to the end, and nobody walks them all.
    wide = "".join(f"n{n}: n{n + 1}, n{n + 1}\n" for n in range(18)) + "n18: end@example.org\n"
    assert [one.local for one in directory(tmp_path, wide).meant("n0")] == ["end"]


@pytest.mark.parametrize(
    "text", ["root ada@example.org\n", "root:\n", ": ada@example.org\n", "a: b@example.org\nroot: ,\n"]
)
def test_a_line_that_is_not_understood(text: str) -> None:
    with pytest.raises(ConfigError, match="Line [12] of aliases is not understood"):
        read_table(text, "aliases")


@given(st.text(st.sampled_from('ab:,|/"\\ \t\n#@.<>\x00é'), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        table = read_table(text, "aliases")
    except ConfigError as problem:
        assert "is not understood" in str(problem)
    else:
        assert all(targets and all(targets) for targets in table.entries.values())


@pytest.mark.parametrize(
    "toml",
    [
        "aliases = 1",
        "[aliases]\nroot = 1",
        "[aliases]\nroot = []",
        '[aliases]\nroot = ""',
        '[aliases]\nroot = ["a", 2]',
    ],
)
def test_a_table_that_is_wrong(toml: str) -> None:
    with pytest.raises(ConfigError, match="alias"):
        ConfigFile(TextFile("config.toml", toml))


def test_mail_for_a_local_name(tmp_path: Path, command: Command) -> None:
    (tmp_path / "aliases").write_text("ops: grace@example.org, bob@example.org\nbad: |/bin/sh\n")
    with Inbox(tls=False) as inbox:
        (tmp_path / "config.toml").write_text(f'[accounts.relay]\nurl = "{inbox.url}"\nsender = "ada@example.org"\n')
        variables = {"MAILWRIGHT_CONFIG": str(tmp_path / "config.toml"), "HOME": str(tmp_path)}
        assert command("sendmail", "-bv", "ops", "root@localhost", "x@example.com", **variables) == (
            0, "grace@example.org\nbob@example.org\nada@example.org\nx@example.com\n", "",
        )  # fmt: skip
        mail = b"To: ops, root@localhost\nCc: bad\nSubject: x\n\nx\n"
        assert command("sendmail", "ops", stdin=mail, **variables).code == 0
        (received,) = inbox.messages
        assert [one.spec for one in received.recipients] == ["grace@example.org", "bob@example.org"]
        assert b"To: ops <ada@example.org>, root <ada@example.org>\r\n" in received.content
        ran = command("sendmail", "-t", stdin=mail, **variables)
        assert (
            ran.code == 78 and "leads to a program" in ran.err and "was saved" in ran.err and len(inbox.messages) == 1
        )


def _as_another_user(found: Directory, pipe: Any) -> None:
    if os.geteuid() == 0:  # who may read everything
        os.setuid(65534)
    pipe.send([one.local for one in found.meant("root")])


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_file_that_this_user_may_not_read_does_not_count() -> None:
    with tempfile.TemporaryDirectory() as folder:  # one that other users may look into
        os.chmod(folder, 0o755)
        made = directory(Path(folder), FILE)
        os.chmod(Path(folder, "aliases"), 0)
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
        child = context.Process(target=_as_another_user, args=(made, theirs))
        child.start()
        assert ours.poll(20) and ours.recv() == ["ada"]
        child.join(20)
