"""The classic scripts: programs as tutorials have them, with one import changed and MAILWRIGHT_CATCH set.

`tests/data/scripts` holds them as they were written: whole programs, and lessons in pieces that a reader types one after
another. Their hosts are real ones; nothing of what they say may leave this machine.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailwright import Inbox
from mailwright.smtp.receiving import Rules
from tests.unit.cli.running import surroundings
from tests.unit.smtplib.conftest import Trust
from tests.unit.smtplib.scripted import mail_server, scripted

SCRIPTS = Path(__file__).parents[2] / "data" / "scripts"
LESSONS = {folder.name: sorted(folder.glob("*.py")) for folder in sorted(SCRIPTS.iterdir()) if folder.is_dir()}
WHOLE = [LESSONS["first"][1], LESSONS["second"][5]]
SECRETS = [b"YOUR_16_CHAR_APP_PASSWORD", b"your_password", b"from-the-environment"]
#: Types the pieces of a lesson one after another, as into one window.
LESSON = """
import sys
from mailwright import smtplib
names = {"__name__": "__main__", "smtplib": smtplib}
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        exec(compile(file.read(), path, "exec"), names)
"""


def changed(script: Path, folder: Path) -> Path:
    """A copy of the script with that one import changed."""
    text = script.read_text("utf-8")
    assert text.count("import smtplib\n") == ("import smtplib" in text)
    copy = folder / script.name
    copy.write_text(text.replace("import smtplib\n", "from mailwright import smtplib\n"), "utf-8")
    return copy


def run(folder: Path, port: int, *arguments: str | Path, scheme: str = "smtp") -> subprocess.CompletedProcess[str]:
    (folder / "path_to_file").write_bytes(b"%PDF-1.4 a file")
    env = surroundings(
        home=folder, MAILWRIGHT_CATCH=f"{scheme}://127.0.0.1:{port}",
        SENDER_EMAIL="your_email@gmail.com", EMAIL_PASSWORD="from-the-environment",
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox(tls=False) as made:
        yield made


@pytest.mark.parametrize("script", WHOLE, ids=lambda path: path.stem)
def test_a_whole_program(script: Path, inbox: Inbox, tmp_path: Path) -> None:
    done = run(tmp_path, inbox.server.port, changed(script, tmp_path))
    received = inbox.wait(subject="Test Email")
    assert [message.subject for message in inbox.messages] == ["Test Email"]
    assert received.sender is not None and received.sender.spec == "your_email@gmail.com" and received.login is None
    assert done.stdout in ("", "Email sent successfully!\n")
    assert done.stderr == (
        f"mailwright: MAILWRIGHT_CATCH is set: mail for smtp.gmail.com:587 goes to 127.0.0.1:{inbox.server.port} instead\n"
    )


@pytest.mark.parametrize(("lesson", "count"), [("first", 1), ("second", 3)])
def test_a_lesson_piece_by_piece(lesson: str, count: int, inbox: Inbox, tmp_path: Path) -> None:
    pieces = [changed(piece, tmp_path) for piece in LESSONS[lesson]]
    done = run(tmp_path, inbox.server.port, "-c", LESSON, *pieces)
    inbox.wait(subject="Test Email")
    assert len(inbox.messages) == count
    assert done.stderr.count("MAILWRIGHT_CATCH is set") == 1
    if lesson == "second":
        last = inbox.wait(subject="Test Email with Attachment").message
        assert [attachment.name for attachment in last.attachments] == ["file_to_attach.pdf"]


def test_every_script_is_run() -> None:
    assert sum(map(len, LESSONS.values())) == len(list(SCRIPTS.rglob("*.py"))) == 12


@pytest.mark.parametrize("lesson", LESSONS)
def test_no_credential_reaches_the_inbox(lesson: str, tmp_path: Path) -> None:
    """Whatever the inbox offers: only what is meant for it comes."""
    tempting = ("inbox.example", "AUTH PLAIN LOGIN CRAM-MD5", "STARTTLS", "8BITMIME")
    with scripted(mail_server({"auth": "235 thank you"}, tempting)) as there:
        run(tmp_path, there.port, "-c", LESSON, *(changed(piece, tmp_path) for piece in LESSONS[lesson]))
    heard = b"".join(client.heard for client in there.clients)
    assert b"mail from:" in heard.lower() and heard.isascii()
    assert b"auth" not in heard.lower() and b"starttls" not in heard.lower()
    assert [secret for secret in SECRETS if secret in heard] == []


HANDS = {
    "LOGIN in three": """
assert server.docmd("AUTH", "LOGIN")[0] == 334
assert server.docmd(b64(USER))[0] == 334
assert server.docmd(b64(SECRET))[0] == 235
""",
    "LOGIN in two": """
assert server.docmd("AUTH", "LOGIN " + b64(USER))[0] == 334
assert server.docmd(b64(SECRET))[0] == 235
""",
    "PLAIN at once": 'assert server.docmd("AUTH", "PLAIN " + b64("\\0" + USER + "\\0" + SECRET))[0] == 235',
    "XOAUTH2 in two": 'assert server.docmd("AUTH", "XOAUTH2")[0] == 334 and server.docmd(b64(SECRET))[0] == 235',
    "putcmd": 'server.putcmd("auth plain " + b64(SECRET)); assert server.getreply()[0] == 235',
    "send": 'server.send("AUTH PLAIN " + b64(SECRET) + "\\r\\n"); assert server.getreply()[0] == 235',
    "auth": 'assert server.auth("XOAUTH2", lambda challenge=None: SECRET)[0] == 235',
    "login": "assert server.login(USER, SECRET)[0] == 235",
    "login with nothing": "assert server.login(None, None)[0] == 235",
    "starttls and login": 'assert server.starttls()[0] == 220 and server.ehlo()[0] == 250 and server.has_extn("auth"); server.login(USER, SECRET)',
}


@pytest.mark.parametrize("kind", ["SMTP", "SMTP_SSL", "LMTP"])
@pytest.mark.parametrize("way", HANDS)
def test_no_credential_by_hand_either(way: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from base64 import b64encode

    from mailwright import smtplib

    with scripted(mail_server({"auth": "235 thank you"}, ("inbox", "AUTH PLAIN LOGIN"))) as there:
        monkeypatch.setenv("MAILWRIGHT_CATCH", f"smtp://127.0.0.1:{there.port}")
        with getattr(smtplib, kind)("mail.example.org", local_hostname="c") as server:
            server.ehlo()
            names = {
                "server": server,
                "USER": "ada",
                "SECRET": "canary-41",
                "b64": lambda text: b64encode(text.encode()).decode(),
            }
            exec(HANDS[way], names)
            assert server.noop() == (250, b"ok")
            assert server.sendmail("ada@example.org", ["bob@example.net", "eve@example.net"], "x") == {}
    assert (
        b"canary" not in there.heard
        and b64encode(b"canary-41") not in there.heard
        and b"auth" not in there.heard.lower()
    )
    assert b64encode(b"\0ada\0canary-41") not in there.heard


def test_an_inbox_with_tls(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    from mailwright import smtplib

    with scripted(mail_server(context=trust.server, at_once=True)) as there:
        monkeypatch.setenv("MAILWRIGHT_CATCH", f"smtps://127.0.0.1:{there.port}?ca_file={trust.ca_file}")
        for kind in (smtplib.SMTP, smtplib.SMTP_SSL):
            with kind("mail.example.org", local_hostname="c") as server:
                assert server.sendmail("ada@example.org", "bob@example.net", "x") == {}


def test_an_inbox_with_a_login_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from mailwright import smtplib

    with Inbox(("inbox", "its password"), security="starttls") as inbox:
        monkeypatch.setenv("MAILWRIGHT_CATCH", inbox.url)
        with smtplib.SMTP("mail.example.org", 587, "c") as server:
            server.starttls()
            assert server.login("ada", "canary-41")[0] == 235
            server.sendmail("ada@example.org", "bob@example.net", "Subject: x\n\nhi")
        received = inbox.wait(subject="x")
    assert received.login == "inbox" and received.tls is not None


@pytest.mark.parametrize("target", ["smtp://mail.example.org:25", "smtp://127.0.0.1", "nonsense"])
def test_a_target_that_is_not_on_this_machine(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mailwright import smtplib
    from mailwright.errors import ConfigError

    monkeypatch.setenv("MAILWRIGHT_CATCH", target)
    with pytest.raises(ConfigError, match="MAILWRIGHT_CATCH"):
        smtplib.SMTP("mail.example.org", 587, "c")


def test_a_slip_in_the_name_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    from mailwright import smtplib
    from mailwright.errors import ConfigError

    monkeypatch.setenv("MAILWRIGHT_CATHC", "smtp://127.0.0.1:1025")
    with pytest.raises(ConfigError, match="Did you mean MAILWRIGHT_CATCH"):
        smtplib.SMTP("mail.example.org", 587, "c")


def test_what_replaces_the_network_is_not_asked(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    from mailwright import smtplib

    class Own(smtplib.SMTP):
        def _get_socket(self, host: str, port: int, timeout: float) -> Any:
            raise AssertionError

    monkeypatch.setenv("MAILWRIGHT_CATCH", f"smtp://127.0.0.1:{inbox.server.port}")
    monkeypatch.setattr(smtplib, "socket", None)
    with Own(local_hostname="c") as server:
        assert server.connect("mail.example.org")[0] == 220


def test_an_inbox_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    from mailwright import smtplib

    monkeypatch.setenv("MAILWRIGHT_CATCH", "smtp://127.0.0.1:1")
    with pytest.raises(ConnectionRefusedError, match=r"127\.0\.0\.1:1"):
        smtplib.SMTP("mail.example.org", 587, "c")


def test_an_inbox_for_lmtp(monkeypatch: pytest.MonkeyPatch) -> None:
    from mailwright import smtplib

    with Inbox(tls=False, rules=Rules(protocol="lmtp")) as inbox:
        monkeypatch.setenv("MAILWRIGHT_CATCH", f"lmtp://127.0.0.1:{inbox.server.port}?security=none")
        with smtplib.LMTP("/run/store", local_hostname="c") as server:
            assert server.sendmail("ada@example.org", ["bob@example.net", "eve@example.net"], "x") == {}
