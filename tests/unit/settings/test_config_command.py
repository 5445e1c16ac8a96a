"""``mailwright config``: the effective server, each value with its origin."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mailwright.cli import main


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(("SMTP", "MAIL", "EMAIL", "SENDER", "CREDENTIALS")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("APPDATA", str(tmp_path))


def table(text: str) -> dict[str, list[str]]:
    """The printed table: name to value and origin."""
    rows = [re.split(r"  +", line) for line in text.partition("\n\n")[0].splitlines()]
    return {name: rest for name, *rest in rows}


def test_every_value_is_shown_with_its_origin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SMTP_HOST", "smtp.example.org")
    monkeypatch.setenv("SMTP_USER", "ada")
    monkeypatch.setenv("SMTP_PASSWORD", "correct horse")
    assert main(["config"]) == 0
    out = capsys.readouterr().out
    assert table(out) == {
        "host": ["smtp.example.org", "SMTP_HOST"],
        "port": ["587", "default"],
        "security": ["starttls", "default"],
        "user": ["ada", "SMTP_USER"],
        "password": ["***", "SMTP_PASSWORD"],
        "sender": ["-"],
    }
    assert "As a URL: smtp://ada:***@smtp.example.org:587" in out


def test_an_account_of_the_users_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mailwright" / "config.toml"
    path.parent.mkdir()
    mark = tmp_path / "ran"
    path.write_text(
        'default = "work"\n[accounts.work]\nurl = "smtps://ada@smtp.example.org?hello=me.example&timeout=60"\n'
        f'password = {{command = ["touch", "{mark}"]}}\nsender = "ada@example.org"\n'
        'proxy = "socks5://proxy:1080"\ntimeouts = {connect = 3}\n'
    )
    assert main(["config"]) == 0
    out = capsys.readouterr().out
    where = f"account work in {path}"
    assert table(out) == {
        "host": ["smtp.example.org", where],
        "port": ["465", "default"],
        "security": ["tls", where],
        "user": ["ada", where],
        "password": ["***", f"command touch …, {where}"],
        "sender": ["ada@example.org", where],
        "hello": ["me.example", where],
        "proxy": ["socks5://proxy:1080", where],
        "timeout": ["60", where],
        "timeouts": ["connect 3, reply 60, block 60, final 600, quit 5", where],
    }
    assert f"A config.toml may stand at {path}\n" in out
    assert not mark.exists()


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--json", "--server", "lmtp:///run/lmtp"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["url"] == "lmtp:///run/lmtp"
    assert shown["path"] == {"value": "/run/lmtp", "origin": "server argument"}
    assert shown["protocol"]["value"] == "lmtp"
    assert shown["host"]["value"] is None and shown["password"]["value"] is None


def test_a_dotenv_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "some.env").write_text("SMTP_HOST=h.example\n")
    assert main(["config", "--env-file", str(tmp_path / "some.env")]) == 0
    assert table(capsys.readouterr().out)["host"] == ["h.example", f"SMTP_HOST in {tmp_path / 'some.env'}"]


def test_nothing_that_steers_a_terminal_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "\x1b]0;title\x07.toml"
    path.write_text('[accounts."\\u001b[31mred"]\nhost = "h\\u202eexample"\nuser = "\\u009bada"\nauth = "EXTERNAL"\n')
    monkeypatch.setenv("MAILWRIGHT_CONFIG", str(path))
    assert main(["config"]) == 0
    path.write_text('default = "\\u001b"\n[accounts."\\u001b[31mred"]\nhost = "h"\n[accounts.x]\n"\\u001b" = 1\n')
    assert main(["config"]) == 78
    path.write_text("SMTP_HOST=h\n")
    assert main(["config", "--env-file", str(path)]) == 0
    out, err = capsys.readouterr()
    assert not set("\x1b\x07\x9b\u202e") & set(out + err)


def test_wrong_settings_end_with_the_code_for_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config"]) == 78
    assert "No mail server is configured" in capsys.readouterr().err
    assert main(["config", "--account", "work"]) == 78
    assert "There is no account work" in capsys.readouterr().err
    assert main(["config", "surplus"]) == 64


def test_a_whole_process(tmp_path: Path) -> None:
    environ = {**os.environ, "MAILWRIGHT_URL": "smtps://ada:canary@smtp.example.org"}
    done = subprocess.run(
        [sys.executable, "-m", "mailwright", "config"], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and done.stderr == ""
    assert table(done.stdout)["host"] == ["smtp.example.org", "MAILWRIGHT_URL"]
    assert "canary" not in done.stdout


def test_what_a_provider_decides_is_shown_as_that(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SENDER_EMAIL", "ada.lovelace@gmail.com")
    monkeypatch.setenv("EMAIL_PASSWORD", "qwmx zkpt aabb ccdd")
    assert main(["config"]) == 0
    assert table(capsys.readouterr().out) == {
        "host": ["smtp.gmail.com", "provider Gmail"],
        "port": ["465", "provider Gmail"],
        "security": ["tls", "provider Gmail"],
        "user": ["ada.lovelace@gmail.com", "SENDER_EMAIL"],
        "password": ["***", "EMAIL_PASSWORD"],
        "sender": ["ada.lovelace@gmail.com", "SENDER_EMAIL"],
        "alternatives": ["smtp.gmail.com:587 (starttls)", "provider Gmail"],
    }
    monkeypatch.setenv("SMTP_HOST", "smtp.gmail.com")
    monkeypatch.setenv("SMTP_PORT", "587")
    monkeypatch.setenv("SMTP_SECURITY", "tls")
    assert main(["config"]) == 0
    out = capsys.readouterr().out
    assert table(out)["security"] == ["starttls", "provider Gmail, not SMTP_SECURITY"]
    assert "Note: smtp.gmail.com speaks STARTTLS on port 587" in out
    assert main(["config", "--json"]) == 0
    assert "speaks STARTTLS" in json.loads(capsys.readouterr().out)["remarks"][0]


def test_a_server_that_must_be_looked_up_is_not_looked_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SENDER_EMAIL", "ada@analytical-engine.org")
    monkeypatch.setenv("EMAIL_PASSWORD", "correct horse")
    assert main(["config"]) == 0
    out = capsys.readouterr().out
    assert table(out)["host"] == ["-", "looked up for ada@analytical-engine.org when a message is sent"]
    assert table(out)["port"] == ["-"] and "mailwright providers ada@analytical-engine.org" in out
    assert main(["config", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["url"] is None


# While mail is caught


def test_it_tells_that_mail_is_caught(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SMTP_HOST", "smtp.example.org")
    monkeypatch.setenv("MAILWRIGHT_CATCH", "smtp://127.0.0.1:1025")
    assert main(["config"]) == 0
    out = capsys.readouterr().out
    assert table(out)["host"] == ["smtp.example.org", "SMTP_HOST"]
    assert "\nMAILWRIGHT_CATCH is set: mail goes to 127.0.0.1:1025 instead.\n" in out
    monkeypatch.setenv("MAILWRIGHT_CATCH_EXCEPT", "ada@example.org, *@Example.com")
    assert main(["config"]) == 0
    said = "mail goes to 127.0.0.1:1025 instead, except for *@example.com, ada@example.org.\n"
    assert said in capsys.readouterr().out
    assert main(["config", "--json"]) == 0
    caught = json.loads(capsys.readouterr().out)["caught"]
    assert caught == {"by": "127.0.0.1:1025", "except": ["*@example.com", "ada@example.org"]}


def test_it_tells_that_nothing_else_is_configured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAILWRIGHT_CATCH", "smtp://me:canary@127.0.0.1:1025")
    assert main(["config"]) == 0
    out = capsys.readouterr().out
    assert table(out)["host"] == ["127.0.0.1", "MAILWRIGHT_CATCH"]
    assert "MAILWRIGHT_CATCH is set: mail goes to 127.0.0.1:1025. No other server is configured.\n" in out
    assert "canary" not in out


def test_what_would_be_refused_is_noted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MAILWRIGHT_CATCH", "smtp://127.0.0.1:1025")
    monkeypatch.setenv("SENDER_EMAIL", "ada@hotmail.com")
    monkeypatch.setenv("EMAIL_PASSWORD", "hunter22")
    assert main(["config"]) == 0
    out = capsys.readouterr().out
    assert table(out)["host"] == ["smtp-mail.outlook.com", "provider data"]
    assert "\nNote: Outlook.com takes no password from programs" in out and "mailwright login ada@hotmail.com\n" in out


def test_a_slip_in_the_variable_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SMTP_HOST", "smtp.example.org")
    monkeypatch.setenv("MAILWRIGHT_CACTH", "smtp://127.0.0.1:1025")
    assert main(["config"]) == 78
    assert "Did you mean MAILWRIGHT_CATCH?" in capsys.readouterr().err


def test_without_catching_nothing_is_said_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SMTP_HOST", "smtp.example.org")
    assert main(["config"]) == 0
    assert "CATCH" not in capsys.readouterr().out
    assert main(["config", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["caught"] is None
