"""config.toml: accounts, what an account may say, and what is said about one that is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailwright.mailer.settings import Settings, resolve
from mailwright.words.errors import ConfigError
from mailwright.words.server import TLS, Login, Server, Timeouts


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.touch(0o600)
    return path


def read(config: Path, text: str, account: str | None = None, **environ: str) -> Settings:
    config.write_text(text)
    return resolve(account=account, environ=environ, files=[str(config)])


def refusal(config: Path, text: str, account: str | None = None, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(config, text, account, **environ)
    return str(caught.value)


@pytest.mark.parametrize(
    ("account", "server"),
    [
        ('url = "smtps://h"', Server("h", security="tls")),
        ('url = "smtps://ada:pw@h?hello=me"', Server("h", security="tls", login=Login("ada", "pw"), hello="me")),
        ('url = "smtps://ada@h"\npassword = "pw"', Server("h", security="tls", login=Login("ada", "pw"))),
        ('host = "h"', Server("h", 587, "starttls")),
        ('host = "h"\nport = 465', Server("h", 465, "tls")),
        ('host = "localhost"\nport = 1025', Server("localhost", 1025, "none")),
        ('host = "h"\nsecurity = "none"', Server("h", 25, "none")),
        ('host = "h"\nuser = "ada"\npassword = "pw"', Server("h", 587, "starttls", Login("ada", "pw"))),
        ('host = "h"\nprotocol = "lmtp"', Server("h", 24, "starttls", protocol="lmtp")),
        ('path = "/run/lmtp"\nprotocol = "lmtp"', Server("localhost", 24, "none", path="/run/lmtp", protocol="lmtp")),
        ('host = "h"\ntimeout = 30', Server("h", 587, "starttls", timeouts=Timeouts(total=30))),
        (
            'url = "smtps://h"\ntimeouts = {connect = 3, total = 9.5}',
            Server("h", security="tls", timeouts=Timeouts(connect=3, total=9.5)),
        ),
        ('url = "smtps://h"\nserver_name = "other"', Server("h", security="tls", tls=TLS(name="other"))),
        ('url = "smtps://h"\nca_file = "/etc/ca.pem"', Server("h", security="tls", tls=TLS(ca_file="/etc/ca.pem"))),
        ('url = "smtps://h"\nauth = "external"', Server("h", security="tls", login=Login("", mechanism="EXTERNAL"))),
        (
            'url = "smtps://ada@h"\nauth = "external"',
            Server("h", security="tls", login=Login("ada", mechanism="EXTERNAL")),
        ),
        ('url = "smtps://h"\nproxy = "socks5://p:1"', Server("h", security="tls", proxy="socks5://p:1")),
    ],
)
def test_an_account_means_its_server(config: Path, account: str, server: Server) -> None:
    assert read(config, f"[accounts.work]\n{account}\n").server == server


def test_the_sender_and_the_origins(config: Path) -> None:
    settings = read(config, '[accounts.work]\nurl = "smtps://h"\nsender = "Ada <ada@example.org>"\n')
    where = f"account work in {config}"
    assert settings.sender == "Ada <ada@example.org>"
    assert [settings.origins[name] for name in ("host", "sender", "port")] == [where, where, "default"]


def test_paths_start_beside_the_file_or_at_home(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", os.sep + "h")
    (config.parent / "pw").write_text("correct horse")
    (config.parent / "pw").chmod(0o600)
    settings = read(
        config,
        '[accounts.a]\nurl = "smtps://ada@h"\npassword = {file = "pw"}\nca_file = "ca.pem"\ncertificate = "~/me.pem"',
    )
    assert settings.server.login == Login("ada", "correct horse")
    assert settings.server.tls == TLS(
        ca_file=str(config.parent / "ca.pem"), certificate=os.path.join(os.sep, "h", "me.pem")
    )


def test_a_password_from_a_variable(config: Path) -> None:
    text = '[accounts.work]\nurl = "smtps://ada@h"\npassword = {env = "WORK"}'
    assert read(config, text, WORK="correct horse").server.login == Login("ada", "correct horse")
    assert "The variable WORK for the password is not set" in refusal(config, text)


def test_the_default_account(config: Path) -> None:
    two = '[accounts.a]\nhost = "a.example"\n[accounts.b]\nhost = "b.example"\n'
    assert read(config, f'default = "b"\n{two}').server.host == "b.example"
    assert read(config, f'default = "b"\n{two}', "a").server.host == "a.example"
    assert "has the accounts a, b, but no default" in refusal(config, two)
    assert "Did you mean b?" in refusal(config, f'default = "bb"\n{two}')
    assert "There is no account c" in (text := refusal(config, two, "c")) and "There are a, b." in text
    assert "Did you mean work?" in refusal(config, '[accounts.work]\nhost = "h"\n', "wrok")
    assert "No mail server" in refusal(config, "")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('defualt = "a"', "the key defualt is not known. Did you mean default?"),
        (
            '[accounts.work]\nurl = "smtps://h"\npasword = "x"',
            "pasword of account work is not known. Did you mean password?",
        ),
        ('[accounts.work]\nhots = "h"', "Did you mean host?"),
        ('[accounts.work]\nhost = "h"\nxyzzy = 1', "Known are url"),
        ('[accounts.work]\nhost = "h"\n[accounts.other]\nhots = "h"', "hots of account other"),
        ('[accounts.work]\nhost = "h"\ntimeouts = {conect = 3}', "Did you mean connect?"),
        ('[accounts.work]\nhost = "h"\ntimeouts = 3', "timeouts is not a table"),
        ('[accounts.work]\nhost = "h"\ntimeouts = {connect = -1}', "not a number of seconds"),
        ('[accounts.work]\nhost = "h"\ntimeout = true', "timeout is not a number of seconds"),
        ('[accounts.work]\nhost = "h"\ntimeout = 1\ntimeouts = {total = 1}', "say the same"),
        ('accounts = "work"', "accounts are tables"),
        ("[accounts]\nwork = 3", "accounts are tables"),
        ("[accounts.work]", "No host"),
        ("[accounts.work]\nhost = 3", "host is not text"),
        ("[accounts.work]\nhost = ''", "host is empty"),
        ('[accounts.work]\nhost = "h"\nport = 70000', "port is not a port"),
        ('[accounts.work]\nhost = "h"\nport = true', "port is not a port"),
        ('[accounts.work]\nhost = "h"\nprotocol = "http"', "Use smtp or lmtp"),
        ("[accounts.work]\nurl = 3", "url is not text"),
        ('[accounts.work]\nurl = "smtps://h"\nport = 465', "port is given beside url"),
        ('[accounts.work]\nurl = "smtps://h?hello=a"\nhello = "b"', "hello is given beside url"),
        ('[accounts.work]\nurl = "smtps://u:p@h"\npassword = "q"', "password is given beside url"),
        ('[accounts.work]\nurl = "smtps://u@h"', "no password. Add password = {command"),
        ('[accounts.work]\nhost = "h"\npassword = "x"', "no user"),
        ('[accounts.work]\nurl = "smtps://u@h"\npassword = ""', "password is empty"),
        ('[accounts.work]\nurl = "smtps://u@h"\npassword = 3', "neither text nor a table"),
        ('[accounts.work]\nurl = "smtps://u@h"\npassword = {}', "exactly one place"),
        ('[accounts.work]\nurl = "smtps://u@h"\npassword = {env = "A", file = "b"}', "exactly one place"),
        ('[accounts.work]\nurl = "smtps://u@h"\npassword = {comand = "x"}', "Did you mean command?"),
        ('[accounts.work]\nurl = "smtps://u@h"\npassword = {command = []}', "the words of a command"),
        ('[accounts.work]\nurl = "smtps://u@h"\npassword = {command = [1]}', "the words of a command"),
        ('[accounts.work]\nurl = "smtps://u@h"\npassword = {keyring = false}', "the name of the service"),
        ('[accounts.work]\nhost = "h"\npassword = {keyring = true}', "needs a user"),
        ('[accounts.work]\nurl = "smtps://u@h"\npassword = {file = 3}', "the path of a file"),
        ('[accounts.work]\nurl = "smtps://h"\nsender = 3', "sender is not text"),
        ('[accounts.work]\nurl = "smtps://h"\nsender = "ada"', "sender is not an address"),
        ('[accounts.work]\nurl = "smtps://h?timout=3"', "Did you mean timeout?"),
        (
            '[accounts.work]\nhost = "h"\nuser = "u"\npassword = "p"\nsecurity = "none"',
            'Write security = "tls" or security = "starttls"',
        ),
        ("x = y", "is not TOML at line 1, column 5"),
        ("x = ", "is not TOML at end of document"),
        ("x = " + "9" * 5000, "is not TOML"),
        ("x = " + "[" * 5000, "is not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(config: Path, text: str, named: str) -> None:
    complaint = refusal(config, text)
    assert named in complaint and str(config) in complaint


@pytest.mark.skipif(os.name != "posix", reason="permission bits and the shell of POSIX")
@pytest.mark.parametrize(
    "secret", ['password = "pw"', 'url = "smtps://ada:pw@h"', 'proxy = "socks5://u:pw@p"', 'url = "smtps://ada:p/w@h"']
)
def test_a_file_that_holds_a_password_is_for_its_owner_alone(config: Path, secret: str) -> None:
    text = f'[accounts.other]\n{secret}\n[accounts.work]\nhost = "h"\n'
    for mode in (0o640, 0o604):
        config.chmod(mode)
        assert f"chmod 600 {config}" in refusal(config, text, "work")
    config.chmod(0o600)
    assert read(config, text, "work").server.host == "h"


@pytest.mark.skipif(os.name != "posix", reason="permission bits and the shell of POSIX")
def test_a_file_that_only_says_where_the_password_is_may_be_read_by_all(config: Path) -> None:
    config.chmod(0o644)
    text = '[accounts.work]\nurl = "smtps://ada@h"\npassword = {command = ["pass", "mail"]}'
    assert read(config, text).described.host == "h"


def test_a_file_that_is_no_text_is_named(config: Path) -> None:
    config.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"config\.toml is not UTF-8"):
        resolve(environ={}, files=[str(config)])
