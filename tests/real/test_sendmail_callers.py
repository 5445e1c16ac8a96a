"""The programs that call sendmail, as they are: git send-email and PHP's mail(). What they hand over must arrive whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import pytest

from mailwright import Inbox

pytestmark = pytest.mark.real

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "servers"
ADA, BOB = "ada@example.org", "bob@example.org"


def found(*candidates: Path | str | None, fetch: str) -> Path:
    """The first of these programs that is there; skips the test if none is."""
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            return Path(candidate)
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    pytest.skip(
        f"what it needs is not in .cache/servers; get it with: {'' if root else 'sudo '}python3 tools/get_servers.py {fetch}"
    )


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox(
        ("ada", "correct horse"), tls=False, refuse={"nobody": "550 5.1.1 No such mailbox", "busy": "450 4.2.1 Later"}
    ) as made:
        yield made


@pytest.fixture
def surroundings(tmp_path: Path, inbox: Inbox) -> dict[str, str]:
    """A user whose PATH has a link called sendmail, and whose config.toml names the inbox."""
    commands, config = tmp_path / "commands", tmp_path / ".config" / "mailwright" / "config.toml"
    commands.mkdir()
    (commands / "sendmail").symlink_to(Path(sys.executable).with_name("mailwright"))
    config.parent.mkdir(parents=True)
    config.write_text(f'[accounts.relay]\nurl = "{inbox.url}"\nsender = "{ADA}"\n')
    config.chmod(0o600)
    return {
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C.UTF-8",
    }


def parsed(octets: bytes) -> EmailMessage:
    return BytesParser(policy=policy.default).parsebytes(octets)  # type: ignore[arg-type]


def run(words: list[str], folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )


# git send-email


@pytest.fixture
def patches(tmp_path: Path, surroundings: dict[str, str]) -> list[str]:
    """A repository with two commits, and how git send-email is called in it."""
    git = shutil.which("git")
    assert git is not None, "git cannot be found"
    folder = subprocess.run([git, "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    program = found(
        f"{folder}/git-send-email", CACHE / "git-email/root/usr/lib/git-core/git-send-email", fetch="git-email"
    )
    surroundings["PERL5LIB"] = str(CACHE / "git-email/root/usr/share/perl5")
    surroundings["PATH"] = f"{program.parent}{os.pathsep}{surroundings['PATH']}"
    identity = ["-c", "user.name=Ada Łucja", "-c", f"user.email={ADA}", "-c", "init.defaultBranch=main"]
    assert run([git, *identity, "init", "."], tmp_path, surroundings).returncode == 0
    for number, text in enumerate(("one\n", "From now on\n.\n..\n>From\nГрюсе ✉\n")):
        (tmp_path / "file.txt").write_text(text, encoding="utf-8")
        run([git, *identity, "add", "file.txt"], tmp_path, surroundings)
        made = run([git, *identity, "commit", "-m", f"Größe {number}"], tmp_path, surroundings)
        assert made.returncode == 0, made
    return [
        git,
        *identity,
        "send-email",
        "--confirm=never",
        "--suppress-cc=all",
        "--from",
        f"Ada Łucja <{ADA}>",
        "--root",
    ]


@pytest.mark.parametrize("way", ["server", "command", "envelope"])
def test_git_send_email(
    way: str, patches: list[str], tmp_path: Path, surroundings: dict[str, str], inbox: Inbox
) -> None:
    link = str(tmp_path / "commands" / "sendmail")
    words = {
        "server": [f"--smtp-server={link}"],
        "command": ["--sendmail-cmd=sendmail -v"],
        "envelope": [f"--smtp-server={link}", "--envelope-sender=grace@example.org"],
    }
    ran = run(
        [*patches, *words[way], "--to", f"Bob Hüpper <{BOB}>", "--cc", "eve@example.com", "HEAD"],
        tmp_path,
        surroundings,
    )
    assert ran.returncode == 0, ran
    assert len(inbox.messages) == 2 and not (tmp_path / "dead.letter").exists()
    second = inbox.messages[1]
    assert [one.spec for one in second.recipients] == [BOB, "eve@example.com"] and second.login == "ada"
    assert second.envelope.reverse_path == ("grace@example.org" if way == "envelope" else ADA)
    message = parsed(second.content)
    assert message["Subject"] == "[PATCH 2/2] Größe 1" and message["From"] == f"Ada Łucja <{ADA}>"
    assert message["In-Reply-To"] == parsed(inbox.messages[0].content)["Message-ID"]
    assert second.content.partition(b"\r\n\r\n")[0].isascii()
    # The patch survives: it applies to the first commit and gives the second again.
    (tmp_path / "second.patch").write_bytes(second.content.replace(b"\r\n", b"\n"))
    git = patches[0]
    run([git, "checkout", "-q", "HEAD~1"], tmp_path, surroundings)
    applied = run([*patches[:7], "am", "second.patch"], tmp_path, surroundings)
    assert applied.returncode == 0, applied
    assert (tmp_path / "file.txt").read_text(encoding="utf-8") == "From now on\n.\n..\n>From\nГрюсе ✉\n"


def test_git_hears_of_a_refusal(patches: list[str], tmp_path: Path, surroundings: dict[str, str], inbox: Inbox) -> None:
    words = ["--sendmail-cmd=sendmail", "--to", "nobody@example.org", "-1"]
    ran = run([*patches[:-1], *words], tmp_path, surroundings)
    assert ran.returncode != 0 and "550 5.1.1 No such mailbox" in ran.stderr and not inbox.messages
    assert (
        "Größe" in (tmp_path / "dead.letter").read_text(encoding="utf-8")
        or "=?UTF-8?" in (tmp_path / "dead.letter").read_text()
    )


# PHP


@pytest.fixture
def php(tmp_path: Path) -> list[str]:
    """PHP as it comes, with sendmail_path set as Debian's php.ini has it by default: "sendmail -t -i"."""
    cached = sorted((CACHE / "php/root/usr/bin").glob("php[0-9].[0-9]"))
    program = found(shutil.which("php"), *cached, fetch="php")
    if subprocess.run([program, "-n", "-v"], capture_output=True, check=False).returncode:
        pytest.skip("what it needs is not in .cache/servers: a library of this PHP")
    return [str(program), "-n", "-d", f"sendmail_path={tmp_path / 'commands' / 'sendmail'} -t -i"]


def test_php_mail(php: list[str], tmp_path: Path, surroundings: dict[str, str], inbox: Inbox) -> None:
    code = (
        "exit(mail('Bob <bob@example.org>, carl@example.org', '=?UTF-8?B?' . base64_encode('Größe') . '?=', "
        "\"one\\n.\\ntwo\\r\\nGrüße\\n\", ['From' => 'Shop <shop@example.org>', 'Bcc' => 'eve@example.com', "
        "'Content-Type' => 'text/plain; charset=utf-8']) ? 0 : 1);"
    )
    ran = run([*php, "-r", code], tmp_path, surroundings)
    assert ran.returncode == 0 and ran.stderr == "", ran
    (received,) = inbox.messages
    message = parsed(received.content)
    assert [one.spec for one in received.recipients] == [BOB, "carl@example.org", "eve@example.com"]
    assert received.envelope.reverse_path == "shop@example.org" and b"eve@" not in received.content
    assert message["Subject"] == "Größe" and message["From"] == "Shop <shop@example.org>"
    assert message.get_content().replace("\r\n", "\n").rstrip("\n") == "one\n.\ntwo\nGrüße"  # PHP adds a line


def test_php_mail_as_old_scripts_call_it(
    php: list[str], tmp_path: Path, surroundings: dict[str, str], inbox: Inbox
) -> None:
    """Headers as text with either line end, a raw subject, no From, and the fifth parameter."""
    for end in ("\\r\\n", "\\n"):
        code = f'exit(mail("bob@example.org", "Größe", "text", "Cc: carl@example.org{end}X-Mailer: PHP", "-fbounce@example.org") ? 0 : 1);'
        ran = run([*php, "-r", code], tmp_path, surroundings)
        assert ran.returncode == 0, ran
        received = inbox.messages[-1]
        message = parsed(received.content)
        assert received.envelope.reverse_path == "bounce@example.org" and message["From"] == "bounce@example.org"
        assert [one.spec for one in received.recipients] == [BOB, "carl@example.org"]
        assert message["Subject"] == "Größe" and message["X-Mailer"] == "PHP" and received.content.isascii()


def test_php_hears_of_a_failure(php: list[str], tmp_path: Path, surroundings: dict[str, str], inbox: Inbox) -> None:
    for to in ("nobody@example.org", "busy@example.org"):
        ran = run(
            [*php, "-r", f'exit(mail("{to}", "x", "text", "From: ada@example.org") ? 0 : 1);'], tmp_path, surroundings
        )
        assert ran.returncode == 1 and to in ran.stderr and "dead.letter" in ran.stderr, ran
    assert (tmp_path / "dead.letter").read_text().count("X-Undelivered-To: ") == 2 and not inbox.messages
