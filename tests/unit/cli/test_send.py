"""What `mailwright send` makes of its options, and what it says when all is well."""

from __future__ import annotations

import json
import subprocess
import sys
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import pytest

from mailwright import Inbox
from mailwright.cli import COMMANDS
from tests.unit.cli.running import PROGRAM, WHO, WHOLE, Command, program, surroundings


def parsed(octets: bytes) -> EmailMessage:
    return BytesParser(policy=policy.default).parsebytes(octets)  # type: ignore[arg-type]


def test_every_option_arrives(tmp_path: Path, command: Command) -> None:
    (tmp_path / "page.html").write_text('<p>Grüße <img src="cid:logo"></p>', encoding="utf-8")
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n...")
    (tmp_path / "table.csv").write_text("a;b\n")
    with Inbox(tls=False) as inbox:
        ran = command(
            "send", "--to", "Bob Brown <bob@example.org>, carol@example.org", "--to", "dave@example.org",
            "--cc", "erin@example.org", "--bcc", "frank@example.org", "--from", "Ada <ada@example.org>",
            "--reply-to", "desk@example.org", "-s", "Grüße ✉", "--text", "Guten Tag", "--html",
            str(tmp_path / "page.html"), "--inline", f"logo={tmp_path / 'logo.png'}", "--attach",
            str(tmp_path / "table.csv"), "--header", "X-Team: billing", "--header", "X-Team: again",
            "--server", inbox.url,
        )  # fmt: skip
        assert ran == (0, "", "")  # silent: nobody looks
        (received,) = inbox.messages
    names = "bob carol dave erin frank".split()
    assert [address.spec for address in received.recipients] == [f"{name}@example.org" for name in names]
    message = parsed(received.content)
    assert b"frank" not in received.content
    assert (message["Subject"], message["From"], message["Reply-To"]) == (
        "Grüße ✉", "Ada <ada@example.org>", "desk@example.org",
    )  # fmt: skip
    assert message.get_all("X-Team") == ["billing", "again"]
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None and text.get_content().strip() == "Guten Tag"
    assert html is not None and "Grüße" in html.get_content()
    files = [part.get_filename() for part in message.walk() if part.get_filename()]
    assert files == ["logo.png", "table.csv"]


@pytest.mark.parametrize(
    ("words", "stdin", "text"),
    [
        (("--text", "Grüße"), b"ignored", "Grüße"),
        ((), "Grüße\nan alle\n".encode(), "Grüße\nan alle"),
        (("--text-file", "-"), "\ufeffGrüße\r\n".encode(), "Grüße"),
        ((), "Grüße".encode("utf-16"), "Grüße"),  # what PowerShell writes into a file
        ((), b"", ""),
        (("--text", ""), b"", ""),
    ],
)
def test_where_the_text_comes_from(words: tuple[str, ...], stdin: bytes, text: str, command: Command) -> None:
    with Inbox(tls=False) as inbox:
        assert command("send", *WHO, *words, "--server", inbox.url, stdin=stdin).code == 0
        body = inbox.messages[0].message.text or ""
    assert body.replace("\r\n", "\n").strip() == text


def test_html_alone_gets_a_text_of_its_own(command: Command) -> None:
    with Inbox(tls=False) as inbox:
        ran = command("send", *WHO, "--html", "-", "--server", inbox.url, stdin=b"<p>Hello <b>there</b></p>")
        assert ran.code == 0 and "Hello there" in (inbox.messages[0].message.text or "")


@pytest.mark.parametrize(("stdin", "sent"), [(b"", 0), (b" \n\t\n", 0), (b"x", 1)])
def test_skip_empty(stdin: bytes, sent: int, command: Command) -> None:
    with Inbox(tls=False) as inbox:
        ran = command("send", *WHO, "--skip-empty", "--server", inbox.url, stdin=stdin)
        assert ran == (0, "", "") and len(inbox.messages) == sent


def test_the_sender_comes_from_the_settings(command: Command) -> None:
    with Inbox(tls=False) as inbox:
        words = ("send", "--to", "bob@example.org", "--text", "x")
        assert command(*words, MAILWRIGHT_URL=inbox.url, SENDER_EMAIL="Ada <ada@example.org>").code == 0
        assert inbox.messages[0].envelope.reverse_path == "ada@example.org"


def test_an_account(tmp_path: Path, command: Command) -> None:
    folder = tmp_path / ".config" / "mailwright"
    folder.mkdir(parents=True)
    with Inbox(("ada", "secret"), tls=False) as inbox:
        config = folder / "config.toml"
        config.write_text(f'[accounts.work]\nurl = "{inbox.url}"\nsender = "ada@example.org"\n')
        config.chmod(0o600)
        ran = command("send", "--to", "bob@example.org", "--text", "x", "--account", "work", HOME=str(tmp_path))
        assert ran == (0, "", "") and inbox.messages[0].login == "ada"


def test_json_tells_the_receipt(command: Command) -> None:
    with Inbox(tls=False) as inbox:
        ran = command("send", *WHOLE, "--json", "--server", inbox.url)
        (received,), port = inbox.messages, inbox.server.port
    facts = json.loads(ran.out)
    assert ran.code == 0 and ran.err == "" and ran.out.count("\n") == 1
    assert facts["message_id"] in received.content.decode() and facts["port"] == port
    assert facts["recipients"] == [
        {"address": "bob@example.org", "fate": "accepted", "reply": facts["recipients"][0]["reply"]}
    ]
    assert facts["recipients"][0]["reply"].startswith("250")


def test_a_dry_run_prints_the_message_and_sends_nothing(command: Command) -> None:
    with Inbox(tls=False) as inbox:
        ran = command("send", *WHOLE, "--bcc", "eve@example.org", "--dry-run", "--server", inbox.url)
        assert not inbox.messages
    message = parsed(ran.out.encode())
    assert (ran.code, ran.err) == (0, "") and "eve" not in ran.out and "\r" not in ran.out
    assert (message["To"], message["Subject"]) == ("bob@example.org", "Hi")
    assert message.get_content().strip() == "there"


def test_a_dry_run_needs_no_server_and_no_sender(command: Command) -> None:
    ran = command("send", "--to", "bob@example.org", "--text", "x", "--dry-run", "--json")
    facts = json.loads(ran.out)
    assert ran.code == 0 and facts["recipients"] == ["bob@example.org"] and facts["sender"] == "you@example.invalid"


def test_a_dry_run_of_a_large_message_has_plain_line_ends_everywhere(tmp_path: Path, command: Command) -> None:
    (tmp_path / "large.bin").write_bytes(bytes(range(256)) * 4000)
    ran = command("send", *WHOLE, "--attach", str(tmp_path / "large.bin"), "--dry-run")
    (part,) = parsed(ran.out.encode()).iter_attachments()
    assert "\r" not in ran.out and part.get_payload(decode=True) == bytes(range(256)) * 4000


def test_a_preview_opens_a_page(tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {shown}\n')
    browser.chmod(0o700)
    env = surroundings(BROWSER=str(browser), TMPDIR=str(tmp_path))
    ran = program("send", *WHOLE, "--preview", env=env)
    assert ran == (0, "", "")
    page = Path(shown.read_text().strip().removeprefix("file://"))
    assert page.parent == tmp_path and "there" in page.read_text(encoding="utf-8")


def test_a_preview_that_can_not_be_written(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    ran = command("send", *WHOLE, "--preview")
    assert ran.code == 73 and "TMPDIR" in ran.err and ran.err.count("\n") == 1


HEAVY = ("dataclasses", "inspect", "typing", "email", "asyncio", "ssl", "logging", "rich", "json", "difflib", "urllib")


def test_a_plain_send_loads_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(bytes(3_000_000))
    code = (
        "import sys; from mailwright.cli import main; code = main(sys.argv[1:]); "
        f"print(code, [name for name in {HEAVY!r} if name in sys.modules])"
    )
    with Inbox(tls=False) as inbox:
        words = ("send", *WHOLE, "--attach", str(tmp_path / "large.bin"), "--server", inbox.url)
        ran = program(*words, start=(sys.executable, "-c", code))
        assert len(inbox.messages) == 1
    assert ran == (0, "0 []\n", "")


def test_help_is_for_everybody(command: Command) -> None:
    ran = command("--help")
    assert ran.code == 0 and ran.err == "" and all(name in ran.out for name in COMMANDS)
    assert command("help").out == ran.out and command().code == 64
    for name in COMMANDS:
        asked = command(name, "--help")
        assert asked.code == 0 and asked.err == "" and asked.out == command("help", name).out
        assert max(map(len, asked.out.splitlines())) <= 120
    told = command("send", "--help").out
    for code in (0, 64, 65, 66, 67, 68, 69, 74, 75, 76, 77, 78):
        assert f" {code} " in told


def test_the_version(command: Command) -> None:
    from mailwright import __version__

    assert command("--version") == command("-V") == (0, f"mailwright {__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [(("sned",), "Did you mean send?"), (("frobnicate",), "send, sendmail"), (("--json", "send"), "behind")],
)
def test_a_wrong_command(words: tuple[str, ...], said: str, command: Command) -> None:
    ran = command(*words)
    assert ran.code == 64 and said in ran.err and ran.err.count("\n") == 1 and ran.out == ""


def test_it_is_a_program_of_its_own() -> None:
    script = Path(sys.executable).with_name("mailwright")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True, env=surroundings())
    assert done.stdout == program("--version", start=PROGRAM).out
