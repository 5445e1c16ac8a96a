"""The first source that names a server answers, and answers alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailwright.mailer.settings import resolve
from mailwright.words.errors import ConfigError
from mailwright.words.server import Login, Server


@pytest.fixture
def everything(tmp_path: Path) -> dict[str, Any]:
    """Arguments under which every source names a server, each with a host, a user and a sender of its own."""
    user, system, dotenv = tmp_path / "user.toml", tmp_path / "system.toml", tmp_path / ".env"
    for path, names in ((user, ("user", "named")), (system, ("system", "named", "other"))):
        path.write_text(
            f'default = "{names[0]}"\n'
            + "".join(
                f'[accounts.{name}]\nurl = "smtps://{name}:pw@{name}.{path.stem}"\n'
                f'sender = "{name}@{path.stem}.example"\n'
                for name in names
            )
        )
        path.chmod(0o600)
    dotenv.write_text("SMTP_HOST=dotenv\nSMTP_USER=dotenv\nSMTP_PASSWORD=pw\nSENDER_EMAIL=a@dotenv.example\n")
    dotenv.chmod(0o600)
    return {
        "server": "smtps://argument:pw@argument",
        "environ": {
            "SMTP_HOST": "environment",
            "SMTP_USER": "environment",
            "SMTP_PASSWORD": "pw",
            "SENDER_EMAIL": "a@environment.example",
        },
        "dotenv": str(dotenv),
        "files": [str(user), str(system)],
    }


def falling_silent(everything: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each source with the arguments under which it and everything after it still speaks."""
    user, system = everything["files"]
    yield "argument", everything
    yield "environment", everything | {"server": None}
    yield "dotenv", everything | {"server": None, "environ": {}}
    yield "user.user", everything | {"server": None, "environ": {}, "dotenv": None}
    yield (
        "system.system",
        everything | {"server": None, "environ": {}, "dotenv": None, "files": [user + ".not", system]},
    )


def test_the_order_and_that_nothing_is_mixed(everything: dict[str, Any]) -> None:
    for host, arguments in falling_silent(everything):
        settings = resolve(**arguments)
        assert settings.server.host == host
        assert settings.server.login == Login(host.partition(".")[0], "pw")
        place = host.rpartition(".")[2]
        assert settings.sender == (
            None if place == "argument" else f"{'a' if '.' not in host else place}@{place}.example"
        )


def test_a_named_account_counts_before_the_environment(everything: dict[str, Any]) -> None:
    del everything["server"]
    assert resolve(account="named", **everything).server.host == "named.user"
    assert resolve(account="other", **everything).server.host == "other.system"


def test_half_a_source_is_not_completed_by_another(everything: dict[str, Any]) -> None:
    del everything["server"], everything["dotenv"]
    environ = {"SMTP_USER": "ada", "SMTP_PASSWORD": "secret", "SENDER_EMAIL": "ada@example.org"}
    settings = resolve(**everything | {"environ": environ})
    assert settings.server == Server("user.user", security="tls", login=Login("user", "pw"))
    assert settings.sender == "user@user.example"
    with pytest.raises(ConfigError, match="A user is named, but no password"):
        resolve(server="smtps://ada@h", **everything)


def test_a_file_without_a_default_leaves_the_word_to_the_next(everything: dict[str, Any]) -> None:
    user, system = everything["files"]
    Path(user).write_text('[accounts.a]\nhost = "a"\n[accounts.b]\nhost = "b"\n')
    assert resolve(environ={}, files=[user, system]).server.host == "system.system"


def test_the_file_that_a_variable_names_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        resolve(environ={"MAILWRIGHT_CONFIG": str(tmp_path / "missing.toml")})
    (tmp_path / "mine.toml").write_text('[accounts.a]\nhost = "a.example"\n')
    assert resolve(environ={"MAILWRIGHT_CONFIG": str(tmp_path / "mine.toml")}).server.host == "a.example"


def test_the_place_of_the_platform_is_found(tmp_path: Path) -> None:
    (tmp_path / "mailwright").mkdir()
    (tmp_path / "mailwright" / "config.toml").write_text('[accounts.a]\nhost = "a.example"\n')
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "APPDATA": str(tmp_path)}
    assert resolve(environ=environ, account="a").server.host == "a.example"


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILWRIGHT_URL", "smtps://from-process.example")
    assert resolve().server == Server("from-process.example", security="tls")


def test_arguments(everything: dict[str, Any]) -> None:
    server = Server("h", security="tls", login=Login("ada", "pw"))
    settings = resolve(server=server, environ={})
    assert settings.server is server and settings.origins["host"] == "server argument"
    assert resolve(server="smtps://ada@h", password="pw", environ={}).server == server
    assert resolve(server=Server("h", security="tls", login=Login("ada")), password="pw", environ={}).server == server

    settings = resolve(server="smtps://h", sender="ada@example.org", environ=everything["environ"])
    assert (settings.sender, settings.origins["sender"]) == ("ada@example.org", "sender argument")
    settings = resolve(sender="ada@example.org", environ=everything["environ"])
    assert (settings.sender, settings.server.host) == ("ada@example.org", "environment")


def test_a_password_completes_the_account_that_the_call_names(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[accounts.a]\nurl = "smtps://ada@h"\n')
    files = [str(tmp_path / "c.toml")]
    assert resolve(account="a", password="pw", environ={}, files=files).server.login == Login("ada", "pw")
    (tmp_path / "c.toml").write_text('[accounts.a]\nurl = "smtps://ada@h"\npassword = {file = "pw"}\n')
    with pytest.raises(ConfigError, match="has a password already"):
        resolve(account="a", password="pw", environ={}, files=files)
    with pytest.raises(ConfigError, match=r"not sent to the one of account a in .*server= or account="):
        resolve(password="pw", environ={}, files=files)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"server": "smtps://h", "account": "a"}, "Both a server and an account"),
        ({"server": "smtps://ada:pw@h", "password": "pw"}, "given twice"),
        ({"server": "smtps://h", "password": "pw"}, "no user"),
        ({"server": "smtps://ada@h", "password": ""}, "password is empty"),
        ({"server": Server("h", security="tls"), "password": "pw"}, "no login"),
        ({"server": Server("h", login=Login("a", "b")), "password": "pw"}, "already"),
        ({"server": Server("h", login=Login("a", token="b")), "password": "pw"}, "already"),
        ({"server": Server("h", 25, "none", Login("a", "b"))}, "unencrypted"),
        ({"server": "smtps://h", "sender": "ada"}, "sender argument is not an address"),
        ({"password": "pw"}, "not sent to the one of SMTP_HOST"),
    ],
)
def test_arguments_that_contradict_each_other(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(**{"environ": {"SMTP_HOST": "h"}, "files": [], **arguments})
    assert named in str(caught.value)


def test_a_program_may_say_in_so_many_words_that_a_login_goes_in_clear() -> None:
    server = Server("h", 25, "none", Login("a", "b"), cleartext_login=True)
    assert resolve(server=server, environ={}).server is server
