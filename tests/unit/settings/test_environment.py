"""Environment variables, systemd's credentials and .env files as a source of settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.mailer.dotenv import variables_in
from mailwright.mailer.environment import FOREIGN, OURS
from mailwright.mailer.settings import Settings, resolve
from mailwright.words.errors import ConfigError
from mailwright.words.server import Login, Server


def from_environment(**variables: str) -> Settings:
    return resolve(environ=variables, files=[])


def refusal(**variables: str) -> str:
    with pytest.raises(ConfigError) as caught:
        from_environment(**variables)
    return str(caught.value)


@pytest.mark.parametrize(
    ("variables", "server"),
    [
        ({"MAILWRIGHT_URL": "smtps://ada:pw@h"}, Server("h", security="tls", login=Login("ada", "pw"))),
        ({"MAILWRIGHT_URL": "smtps://h\n"}, Server("h", security="tls")),
        ({"SMTP_HOST": "h"}, Server("h", 587, "starttls")),
        ({"SMTP_HOST": "h", "SMTP_PORT": "465"}, Server("h", 465, "tls")),
        ({"SMTP_HOST": "h", "SMTP_PORT": "25"}, Server("h", 25, "starttls")),
        ({"SMTP_HOST": "h", "SMTP_SECURITY": "tls"}, Server("h", 465, "tls")),
        ({"SMTP_HOST": "h", "SMTP_SECURITY": "NONE"}, Server("h", 25, "none")),
        ({"SMTP_HOST": "localhost"}, Server("localhost", 25, "none")),
        ({"SMTP_HOST": "127.0.0.1", "SMTP_PORT": "1025"}, Server("127.0.0.1", 1025, "none")),
        ({"SMTP_HOST": "::1", "SMTP_PORT": "465"}, Server("::1", 465, "tls")),
        ({"SMTP_HOST": "127.evil.example"}, Server("127.evil.example", 587, "starttls")),
        (
            {"SMTP_HOST": "localhost", "SMTP_USER": "ada", "SMTP_PASSWORD": "pw"},
            Server("localhost", 587, "starttls", Login("ada", "pw")),
        ),
        (
            {"SMTP_HOST": "localhost", "SMTP_USER": "ada", "SMTP_PASSWORD": "pw", "SMTP_SECURITY": "none"},
            Server("localhost", 25, "none", Login("ada", "pw")),
        ),
        (
            {"SMTP_HOST": "h", "SMTP_USER": "ada", "SMTP_PASSWORD": " spaces stay ", "SMTP_PORT": ""},
            Server("h", 587, "starttls", Login("ada", " spaces stay ")),
        ),
        (
            {"SMTP_HOST": "h", "SENDER_EMAIL": "Ada <ada@example.org>", "EMAIL_PASSWORD": "pw"},
            Server("h", 587, "starttls", Login("ada@example.org", "pw")),
        ),
        (
            {
                "SMTP_HOST": "h",
                "SMTP_USER": "key",
                "SMTP_PASSWORD": "one",
                "SENDER_EMAIL": "ada@example.org",
                "EMAIL_PASSWORD": "two",
            },
            Server("h", 587, "starttls", Login("key", "one")),
        ),
    ],
)
def test_variables_mean_their_server(variables: dict[str, str], server: Server) -> None:
    assert from_environment(**variables).server == server


def test_a_url_speaks_alone() -> None:
    settings = from_environment(
        MAILWRIGHT_URL="smtps://h", SMTP_HOST="other", SMTP_USER="ada", SMTP_PASSWORD="pw", SENDER_EMAIL="a@example.org"
    )
    assert settings.server == Server("h", security="tls")
    assert settings.sender == "a@example.org"


def test_origins_name_the_variables() -> None:
    origins = from_environment(SMTP_HOST="h", SENDER_EMAIL="ada@example.org", EMAIL_PASSWORD="pw").origins
    assert {name: origins[name] for name in ("host", "port", "security", "user", "password", "sender")} == {
        "host": "SMTP_HOST",
        "port": "default",
        "security": "default",
        "user": "SENDER_EMAIL",
        "password": "EMAIL_PASSWORD",
        "sender": "SENDER_EMAIL",
    }


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"SMTP_HOST": "h", "SMTP_PORT": "smtp"}, "SMTP_PORT is not a port"),
        ({"SMTP_HOST": "h", "SMTP_SECURITY": "yes"}, "SMTP_SECURITY is not known. Use tls, starttls or none."),
        ({"SMTP_HOST": "h", "SMTP_SECURITY": "SSL"}, "What some call SSL is tls"),
        ({"SMTP_HOST": "h", "SMTP_USER": "ada"}, "Set SMTP_PASSWORD, or SMTP_PASSWORD_FILE"),
        ({"SMTP_HOST": "h", "SMTP_USER": "ada", "EMAIL_PASSWORD": "pw"}, "Set SMTP_PASSWORD"),
        ({"SMTP_HOST": "h", "SMTP_PASSWORD": "pw"}, "Set SMTP_USER too"),
        ({"SMTP_HOST": "h", "SMTP_PASSWORD": "pw", "SENDER_EMAIL": "ada@example.org"}, "Set SMTP_USER too"),
        ({"SMTP_HOST": "h", "EMAIL_PASSWORD": "pw"}, "Set SENDER_EMAIL too"),
        ({"SMTP_HOST": "h", "SENDER_EMAIL": "ada", "EMAIL_PASSWORD": "pw"}, "SENDER_EMAIL is not an address"),
        ({"SMTP_HOST": "h", "SENDER_EMAIL": "ada"}, "SENDER_EMAIL is not an address"),
        ({"SMTP_HOST": "smtps://h"}, "not a host name"),
        ({"SMTP_HOST": "h", "SMTP_USER": "u", "SMTP_PASSWORD": "p", "SMTP_PASSWORD_FILE": "f"}, "Keep one of them"),
        (
            {"SMTP_HOST": "h", "SMTP_USER": "u", "SMTP_PASSWORD": "p", "SMTP_SECURITY": "none"},
            "Set SMTP_SECURITY=tls or SMTP_SECURITY=starttls",
        ),
        ({"MAILWRIGHT_URL": "smtps://ada:p/w@h"}, "MAILWRIGHT_URL: The user name or password in the URL holds “/”"),
        ({"MAILWRIGHT_URL": "smtps://ada@h"}, "MAILWRIGHT_URL: A user is named, but no password"),
    ],
)
def test_what_is_wrong_is_named(variables: dict[str, str], named: str) -> None:
    assert named in refusal(**variables)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"MAILWRIGHT_ULR": "smtps://h"}, "Did you mean MAILWRIGHT_URL?"),
        ({"MAILRIGHT_URL": "smtps://h"}, "Did you mean MAILWRIGHT_URL?"),
        ({"SMPT_HOST": "h"}, "Did you mean SMTP_HOST?"),
        ({"SMTP_HSOT": "h"}, "did you mean SMTP_HOST?"),
        ({"SMTP_HOST": "h", "SMTP_PROT": "465"}, "Did you mean SMTP_PORT?"),
        ({"SMTP_HOST": "h", "STMP_USER": "ada"}, "Did you mean SMTP_USER?"),
        ({"SMTP_HOST": "h", "SMTP_USER": "ada", "SMTP_PASSWRD": "pw"}, "Did you mean SMTP_PASSWORD?"),
        ({"SMTP_HOST": "h", "SMTP_SECURTY": "tls"}, "Did you mean SMTP_SECURITY?"),
    ],
)
def test_a_misspelt_variable_names_the_nearest(variables: dict[str, str], named: str) -> None:
    assert named in refusal(**variables)


@pytest.mark.parametrize("name", sorted(FOREIGN))
def test_variables_of_other_tools_are_named_and_not_read(name: str) -> None:
    text = refusal(**{name: "smtp.example.org"})
    assert text.startswith("No mail server is configured")
    assert name in text and FOREIGN[name] in text


@pytest.mark.parametrize(
    ("name", "ours"),
    [("SMTP_USERNAME", "SMTP_USER"), ("SMTP_PASS", "SMTP_PASSWORD"), ("SMTP_SERVER_PORT", "SMTP_PORT")],
)
def test_a_foreign_variable_beside_ours_is_not_passed_over(name: str, ours: str) -> None:
    assert name in (text := refusal(SMTP_HOST="h", **{name: "25"})) and f"Did you mean {ours}?" in text


def test_variables_that_only_look_alike_do_not_disturb() -> None:
    settings = from_environment(
        SMTP_HOST="h", SMTP_TIMEOUT="3", SMTP_USERNAME="", EMAIL_HOST="x", SMTP_FROM="y", PATH="z", MAILWRIGHT_DEBUG="1"
    )
    assert settings.server == Server("h", 587, "starttls")


def test_no_name_is_both_ours_and_foreign() -> None:
    assert set(OURS) & set(FOREIGN) == set()
    assert set(FOREIGN.values()) <= set(OURS)


def test_nothing_configured_tells_the_ways() -> None:
    text = refusal(HOME="/nowhere", SMTP_USER="ada", SENDER_EMAIL="ada@example.org")
    for way in ("server=", "MAILWRIGHT_URL", "SMTP_HOST", "/nowhere/.config/mailwright/config.toml"):
        assert way in text
    assert "SMTP_USER is set, but SMTP_HOST is not" in text


def test_a_password_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse\n")
    file.chmod(0o600)
    settings = from_environment(SMTP_HOST="h", SMTP_USER="ada", SMTP_PASSWORD_FILE=str(file))
    assert settings.server.login == Login("ada", "correct horse")
    assert settings.origins["password"] == f"file {file}, SMTP_PASSWORD_FILE"


def test_systemd_credentials(tmp_path: Path) -> None:
    (tmp_path / "smtp_password").write_text("correct horse")
    (tmp_path / "smtp_password").chmod(0o440)  # what an access list looks like
    here = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    settings = from_environment(SMTP_HOST="h", SMTP_USER="ada", **here)
    assert settings.server.login == Login("ada", "correct horse")
    assert "credential smtp_password" in settings.origins["password"]
    assert "Set SMTP_USER too" in refusal(SMTP_HOST="h", **here)
    given = from_environment(SMTP_HOST="h", SMTP_USER="ada", SMTP_PASSWORD="other", **here)
    assert given.server.login == Login("ada", "other")

    (tmp_path / "email_password").write_text("battery")
    (tmp_path / "smtp_password").unlink()
    settings = from_environment(SMTP_HOST="h", SENDER_EMAIL="ada@example.org", **here)
    assert settings.server.login == Login("ada@example.org", "battery")

    (tmp_path / "mailwright_url").write_text("smtps://bob:staple@h\n")
    settings = from_environment(**here)
    assert settings.server == Server("h", security="tls", login=Login("bob", "staple"))
    assert settings.origins["host"] == "credential mailwright_url"


def test_a_dotenv_file_only_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("SMTP_HOST=from-file.example\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="No mail server"):
        resolve(environ={}, files=[])
    settings = resolve(environ={}, files=[], dotenv=".env")
    assert settings.server.host == "from-file.example"
    assert settings.origins["host"] == "SMTP_HOST in .env"


def test_the_environment_counts_before_the_dotenv_file_and_is_not_mixed_with_it(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SMTP_HOST=file.example\nSMTP_USER=ada\nSMTP_PASSWORD=pw\n")
    file.chmod(0o600)
    assert resolve(environ={"SMTP_HOST": "env.example"}, files=[], dotenv=str(file)).server == Server(
        "env.example", 587, "starttls"
    )
    assert resolve(environ={"SMTP_USER": "bob"}, files=[], dotenv=str(file)).server.login == Login("ada", "pw")


def test_a_dotenv_file_with_a_password_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SMTP_HOST=h\nSMTP_USER=ada\nSMTP_PASSWORD=pw\n")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match=r"chmod 600 .*/\.env"):
        resolve(environ={}, files=[], dotenv=str(file))


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("X=plain", "plain"),
        ("export X = spaced ", "spaced"),
        ("X=", ""),
        ("X= # comment", ""),
        ("X=p#ss # comment", "p#ss"),
        ("X='it is # $HOME \\n'", "it is # $HOME \\n"),
        ('X="a \\"b\\" \\\\ \\n $HOME"  # comment', 'a "b" \\ \n $HOME'),
        ("\ufeffX=bom".lstrip("\ufeff"), "bom"),
        ("X=one\r\nX=two\r", "two"),
    ],
)
def test_dotenv_lines(line: str, value: str) -> None:
    assert variables_in(f"# head\n\n{line}\nY=1", "file") == {"X": value, "Y": "1"}


@pytest.mark.parametrize("line", ["canary", "X='canary", 'X="canary\\"', "a b=canary", "X='canary' canary", "=canary"])
def test_a_dotenv_line_that_is_not_understood_is_numbered_and_not_shown(line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        variables_in(f"A=1\n{line}\n", "some.env")
    assert "Line 2 of some.env" in str(caught.value) and "canary" not in str(caught.value)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_a_quoted_dotenv_value_is_what_it_says(value: str) -> None:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    assert variables_in(f'X="{escaped}"', "file") == {"X": value}
