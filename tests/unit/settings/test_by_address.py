"""An address and its password are enough: where the server follows from the address, and where not."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.resolver
import pytest

import mailwright
from mailwright import Attachment, Inbox, Message
from mailwright.mailer.settings import Settings, resolve
from mailwright.providers import catalog
from mailwright.providers.preflight import MailWarning
from mailwright.words.errors import ConfigError, MessageError, MissingExtra
from mailwright.words.secret import Secret
from mailwright.words.server import Login, Server
from tests.unit.providers.names import LOOPBACK, NameServer, name_server

APP_PASSWORD = "qwmxzkptaabbccdd"
GMAIL = Server(
    "smtp.gmail.com",
    465,
    "tls",
    Login("ada.lovelace@gmail.com", APP_PASSWORD),
    alternatives=(("smtp.gmail.com", 587, "starttls"),),
)
OWN = "analytical-engine.org"


def from_environment(**variables: str) -> Settings:
    return resolve(environ=variables, files=[])


def pair(address: str, password: str = APP_PASSWORD, **more: str) -> Settings:
    return from_environment(SENDER_EMAIL=address, EMAIL_PASSWORD=password, **more)


# Where it is enough


def test_from_the_environment() -> None:
    settings = pair("Ada <ada.lovelace@gmail.com>")
    assert settings.server == GMAIL and settings.sender == "Ada <ada.lovelace@gmail.com>"
    assert {
        name: settings.origins[name] for name in ("host", "port", "security", "user", "password", "alternatives")
    } == {
        "host": "provider Gmail",
        "port": "provider Gmail",
        "security": "provider Gmail",
        "user": "SENDER_EMAIL",
        "password": "EMAIL_PASSWORD",
        "alternatives": "provider Gmail",
    }


def test_from_the_arguments_of_a_call() -> None:
    settings = resolve(sender="ada.lovelace@gmail.com", password=APP_PASSWORD, environ={}, files=[])
    assert settings.server == GMAIL and settings.sender == "ada.lovelace@gmail.com"
    assert settings.origins["user"] == "sender and password arguments"


def test_from_an_account(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("qwmx zkpt aabb ccdd\n")
    (tmp_path / "pw").chmod(0o600)
    path = tmp_path / "config.toml"
    path.write_text('[accounts.mine]\nuser = "ada.lovelace@gmail.com"\npassword = {file = "pw"}\n')
    assert resolve(account="mine", environ={}, files=[str(path)]).server == GMAIL
    path.write_text('[accounts.mine]\nuser = "ada.lovelace@gmail.com"\nport = 587\npassword = {file = "pw"}\n')
    server = resolve(environ={}, files=[str(path)]).server
    assert (server.port, server.security) == (587, "starttls")


def test_from_a_dotenv_file_and_from_credentials_of_systemd(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"SENDER_EMAIL=ada.lovelace@gmail.com\nEMAIL_PASSWORD={APP_PASSWORD}\n")
    file.chmod(0o600)
    assert resolve(environ={}, files=[], dotenv=str(file)).server == GMAIL
    (tmp_path / "email_password").write_text(APP_PASSWORD)
    settings = from_environment(SENDER_EMAIL="ada.lovelace@gmail.com", CREDENTIALS_DIRECTORY=str(tmp_path))
    assert settings.server == GMAIL and settings.origins["host"] == "provider Gmail"


@pytest.mark.filterwarnings("ignore::mailwright.providers.preflight.MailWarning")
def test_at_every_provider_that_is_well_known_and_takes_a_password() -> None:
    enough = 0
    for provider in catalog.everything():
        known = provider.certainty.smtp == "high" and provider.takes_address
        for domain in provider.domains:
            address = f"ada.lovelace@{domain}"
            if known and provider.kind not in ("no_smtp", "local"):
                server = pair(address).server
                assert server.login is not None and server.login.user in (address, "ada.lovelace")
                assert server.host == provider.ways(domain)[0].host and server.security in ("tls", "starttls")
                enough += 1
            else:
                with pytest.raises(ConfigError) as caught:
                    _ = pair(address).server
                assert caught.value.what.startswith("SENDER_EMAIL: ") and caught.value.advice
    assert enough > 500


@pytest.mark.parametrize("address", ["ada@hotmail.com", "ada@outlook.com", "ada@live.com", "ada@msn.com"])
def test_where_only_oauth2_is_taken_the_login_command_is_named(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        pair(address)
    assert "takes no password from programs" in str(caught.value)
    assert caught.value.advice == f"Run: mailwright login {address}"
    with pytest.raises(ConfigError, match=f"mailwright login {address}"):
        mailwright.send("bob@example.org", "Hi", "there", sender=address, password="correct horse")


@pytest.mark.parametrize(
    ("address", "named"),
    [
        (
            "ada@freenet.de",
            ["mx.freenet.de", "medium certainty", "SMTP_HOST=mx.freenet.de", "mailwright login ada@freenet.de"],
        ),
        ("ada@ukr.net", ["low certainty", "server='smtps://ada%40ukr.net@smtp.ukr.net:465'"]),
        ("ada@tuta.com", ["lets no program send"]),
        ("ada@proton.me", ["mailwright providers proton"]),
        ("ada@localhost", ["SMTP_HOST=localhost"]),
        ("ada@[192.0.2.1]", ["address of a machine"]),
    ],
)
def test_where_more_is_needed_it_is_said(address: str, named: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        pair(address)
    assert all(text in str(caught.value) for text in named)


# Which source counts


def test_a_source_with_a_server_before_it_and_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[accounts.work]\nurl = "smtps://work:pw@work.example"\n')
    path.chmod(0o600)
    both = {"SENDER_EMAIL": "ada.lovelace@gmail.com", "EMAIL_PASSWORD": APP_PASSWORD}
    files = [str(path)]
    assert resolve(environ=both, files=files).server == GMAIL
    assert resolve(environ={**both, "SMTP_HOST": "h"}, files=files).server.host == "h"
    assert resolve(environ={**both, "MAILWRIGHT_URL": "smtps://u"}, files=files).server.host == "u"
    assert resolve(account="work", environ=both, files=files).server.host == "work.example"
    assert resolve(server="smtps://s", environ=both, files=files).server.host == "s"
    assert resolve(environ={"SENDER_EMAIL": "ada.lovelace@gmail.com"}, files=files).server.host == "work.example"
    mine = resolve(sender="ada.lovelace@gmail.com", password=APP_PASSWORD, environ={"SMTP_HOST": "h"}, files=files)
    assert mine.server == GMAIL


def test_half_a_pair_is_named() -> None:
    with pytest.raises(ConfigError, match="SENDER_EMAIL is set, but EMAIL_PASSWORD is not"):
        from_environment(SENDER_EMAIL="ada@gmail.com")
    with pytest.raises(ConfigError, match="EMAIL_PASSWORD is set, but SENDER_EMAIL is not"):
        from_environment(EMAIL_PASSWORD="x")
    with pytest.raises(ConfigError, match="SENDER_EMAIL is not an address"):
        pair("ada")


def test_port_and_security_may_be_chosen() -> None:
    server = pair("ada.lovelace@gmail.com", SMTP_PORT="587").server
    assert (server.port, server.security, server.alternatives) == (587, "starttls", (("smtp.gmail.com", 465, "tls"),))
    server = pair("ada.lovelace@gmail.com", SMTP_SECURITY="starttls").server
    assert (server.port, server.security) == (587, "starttls")


# A server that was named


def test_a_named_server_gets_what_was_left_open() -> None:
    settings = from_environment(
        SMTP_HOST="smtp.gmail.com", SMTP_USER="ada.lovelace@gmail.com", SMTP_PASSWORD=APP_PASSWORD
    )
    assert settings.server == GMAIL
    assert (settings.origins["host"], settings.origins["port"]) == ("SMTP_HOST", "provider Gmail")
    server = resolve(server=f"smtp://ada.lovelace%40gmail.com:{APP_PASSWORD}@smtp.gmail.com", environ={}).server
    assert (server.port, server.security) == (587, "starttls")


def test_a_contradiction_is_put_right_warned_of_and_its_origin_shown() -> None:
    settings = pair("ada.lovelace@gmail.com", SMTP_HOST="smtp.gmail.com", SMTP_PORT="587", SMTP_SECURITY="tls")
    assert settings.origins["security"] == "provider Gmail, not SMTP_SECURITY"
    with pytest.warns(MailWarning, match="speaks STARTTLS on port 587, not TLS from the first byte") as warned:
        server = settings.server
    assert warned[0].filename == __file__  # it shows the line of whoever asked
    assert (server.port, server.security) == (587, "starttls")
    settings = resolve(
        server=Server("imap.gmail.com", 465, login=Login("ada.lovelace@gmail.com", APP_PASSWORD)), environ={}
    )
    with pytest.warns(MailWarning, match=r"It is for reading mail \(IMAP\). Using smtp.gmail.com"):
        assert settings.server == GMAIL


def test_a_warning_can_be_made_an_error_by_its_kind() -> None:
    settings = pair("ada.lovelace@gmail.com", "Tr0ub4dor&3")
    with warnings.catch_warnings():
        warnings.simplefilter("error", MailWarning)
        with pytest.raises(MailWarning, match="does not look like an app password of Gmail"):
            _ = settings.server


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u202f"], ids=ascii)
def test_the_blanks_of_an_app_password(blank: str) -> None:
    assert pair("ada.lovelace@gmail.com", blank.join(["qwmx", "zkpt", "aabb", "ccdd"])).server == GMAIL
    kept = blank.join(["qwmx", "zkpt"])
    assert from_environment(SMTP_HOST="h", SMTP_USER="ada", SMTP_PASSWORD=kept).server.login == Login("ada", kept)
    login = pair("ada@gandi.net", kept).server.login
    assert login is not None and login.password is not None and login.password.reveal() == kept  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"SENDER_EMAIL": "your_email@gmail.com", "EMAIL_PASSWORD": "x"}, "your_email@gmail.com is a placeholder"),
        ({"SENDER_EMAIL": "ada@gmail.com", "EMAIL_PASSWORD": "YOUR_16_CHAR_APP_PASSWORD"}, "YOUR_16_CHAR_APP_PASSWORD"),
        ({"SENDER_EMAIL": "ada@gmail.com", "EMAIL_PASSWORD": "<password>"}, "<password>"),
        ({"SMTP_HOST": "smtp.gmail.com", "SMTP_USER": "you@example.com", "SMTP_PASSWORD": "x"}, "you@example.com"),
        (
            {"SMTP_HOST": "mail.firm.org", "SMTP_USER": "your_email@firm.org", "SMTP_PASSWORD": "x"},
            "user to log in with is",
        ),
        (
            {"SMTP_HOST": "mail.firm.org", "SMTP_USER": "ada", "SMTP_PASSWORD": "your_password"},
            "password is a placeholder",
        ),
        ({"MAILWRIGHT_URL": "smtps://ada:%24%7BPASSWORD%7D@mail.firm.org"}, "password is a placeholder"),
    ],
)
def test_placeholders_are_refused_by_name(variables: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _ = from_environment(**variables).server
    assert named in str(caught.value)


def test_a_server_of_this_machine_may_have_any_password() -> None:
    for host in ("localhost", "127.0.0.1"):
        server = from_environment(SMTP_HOST=host, SMTP_USER="your_email", SMTP_PASSWORD="your_password").server
        assert server.login == Login("your_email", "your_password")


def test_a_server_that_nobody_knows_is_left_as_it_is() -> None:
    server = Server("mail.firm.org", 465, "starttls", Login("ada", "password"))
    assert resolve(server=server, environ={}).server is server


def test_a_proxy_on_the_way_to_a_known_host() -> None:
    server = resolve(server="smtp://smtp.gmail.com?proxy=http%3A%2F%2Fproxy%3A3128", environ={}).server
    assert server.proxy == "http://proxy:3128" and server.host == "smtp.gmail.com"


# A domain of one's own


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """The name server that this machine seems to use."""
    with name_server({OWN: {"MX": [f"10 mx.{OWN}."]}}) as server:

        def configured(resolver: Any, *given: Any) -> None:
            resolver.nameservers, resolver.port = [LOOPBACK], server.port

        monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", configured)
        yield server


def test_it_is_looked_up_when_the_server_is_asked_for(names: NameServer) -> None:
    names.zone[f"_submissions._tcp.{OWN}"] = {"SRV": [f"0 1 465 mail.{OWN}."]}
    names.zone[f"_submission._tcp.{OWN}"] = {"SRV": [f"0 1 587 mail.{OWN}."]}
    settings = pair(f"ada@{OWN}", "correct horse")
    assert settings.finding == f"ada@{OWN}" and names.asked == []
    assert settings.origins["host"] == f"looked up for ada@{OWN} when a message is sent"
    alternatives: Any = ((f"mail.{OWN}", 587, "starttls"),)
    login = Login(f"ada@{OWN}", "correct horse")
    assert settings.server == Server(f"mail.{OWN}", 465, "tls", login, alternatives=alternatives)
    assert pair(f"ada@{OWN}", SMTP_PORT="587").server.ways[0].security == "starttls"
    with pytest.raises(ConfigError, match="is not reached by port 2525"):
        _ = pair(f"ada@{OWN}", SMTP_PORT="2525").server


def test_with_the_rest_of_an_account(names: NameServer, tmp_path: Path) -> None:
    names.zone[f"_submissions._tcp.{OWN}"] = {"SRV": [f"0 1 465 mail.{OWN}."]}
    path = tmp_path / "config.toml"
    path.write_text(
        f'[accounts.a]\nuser = "ada@{OWN}"\npassword = {{env = "PW"}}\nhello = "me.example"\ntimeout = 30\n'
    )
    server = resolve(environ={"PW": "x"}, files=[str(path)]).server
    assert (server.host, server.hello, server.timeouts.total) == (f"mail.{OWN}", "me.example", 30.0)


def test_at_a_provider_that_is_known_by_who_receives(names: NameServer) -> None:
    names.zone[OWN] = {"MX": ["1 aspmx.l.google.com."]}
    server = pair(f"ada@{OWN}", "qwmx zkpt aabb ccdd").server
    assert server.host == "smtp.gmail.com" and server.login == Login(f"ada@{OWN}", APP_PASSWORD)
    with pytest.raises(ConfigError, match="YOUR_16_CHAR_APP_PASSWORD"):
        _ = pair(f"ada@{OWN}", "YOUR_16_CHAR_APP_PASSWORD").server


def test_no_password_is_even_fetched_for_a_foreign_host(names: NameServer, tmp_path: Path) -> None:
    names.zone[f"_submissions._tcp.{OWN}"] = {"SRV": ["0 1 465 mail.evil.example."]}
    mark, path = tmp_path / "fetched", tmp_path / "config.toml"
    path.write_text(f'[accounts.a]\nuser = "ada@{OWN}"\npassword = {{command = ["touch", "{mark}"]}}\n')
    settings = resolve(environ={}, files=[str(path)])
    with pytest.raises(ConfigError, match="lies outside of"):
        _ = settings.server
    assert not mark.exists()


@pytest.mark.parametrize("door", ["blocking", "async"])
def test_sending_stops_before_anything_is_connected(names: NameServer, door: str) -> None:
    names.zone[f"_submission._tcp.{OWN}"] = {"SRV": ["0 1 587 mail.evil.example."]}
    given: Any = {"sender": f"ada@{OWN}", "password": "correct horse"}
    with pytest.raises(ConfigError, match="lies outside of"):
        if door == "blocking":
            mailwright.send("bob@example.org", "Hi", "there", **given)
        else:
            asyncio.run(mailwright.send_async("bob@example.org", "Hi", "there", **given))


def test_the_host_may_be_pinned(names: NameServer) -> None:
    names.zone[f"_submissions._tcp.{OWN}"] = {"SRV": ["0 1 465 mail.hoster.example."]}
    server = pair(f"ada@{OWN}", "correct horse", SMTP_HOST="mail.hoster.example", SMTP_PORT="465").server
    assert server.host == "mail.hoster.example" and names.asked == []


def test_without_the_resolver_the_next_step_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name == "dns" or name.startswith("dns.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dns.resolver", None)
    settings = pair(f"ada@{OWN}")
    with pytest.raises(MissingExtra, match=r"pip install 'mailwright\[dns\]'"):
        _ = settings.server


# The message


def test_limits_are_checked_before_anything_is_connected() -> None:
    many = [f"r{n}@example.org" for n in range(101)]
    given: Any = {"sender": "ada.lovelace@gmail.com", "password": APP_PASSWORD}
    with pytest.raises(MessageError, match="at most 100 recipients"):
        mailwright.send(many, "Hi", "there", **given)
    with pytest.raises(MessageError, match="at most 25 MB"):
        mailwright.send("bob@example.org", "Hi", "there", attachments=[Attachment(bytes(26 << 20), "a.bin")], **given)
    with pytest.raises(MessageError, match="at most 100 recipients"):
        asyncio.run(mailwright.send_async(many, "Hi", "there", **given))


def test_the_sender_of_a_finished_message_is_enough() -> None:
    with pytest.raises(ConfigError, match="mailwright login ada@hotmail.com"):
        mailwright.send(Message("Ada <ada@hotmail.com>", "bob@example.org", "Hi", "there"), password="x")
    with pytest.raises(ConfigError, match="A password is given, but no server|No mail server"):
        mailwright.send(b"From: ada@gmail.com\r\nTo: bob@example.org\r\n\r\nHi\r\n", password="x")


# What a plain send costs, and what is never shown

LOADED = "print([m for m in sys.modules if m.startswith(('mailwright.providers', 'json', 'dns'))])"


def printed(code: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\n{LOADED}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "", "HOME": "/nowhere", "PYTHONPATH": str(Path(mailwright.__file__).parents[1]), **variables},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


SENT = "from mailwright import send\nsend('bob@example.org', 'Hi', 'there', sender='ada@example.org')"


def test_with_a_server_given_nothing_of_this_is_loaded() -> None:
    with Inbox(tls=False) as inbox:
        assert printed(SENT, MAILWRIGHT_URL=inbox.url) == "[]\n"
        assert printed(SENT, SMTP_HOST="127.0.0.1", SMTP_PORT=str(inbox.server.port)) == "[]\n"
    resolved = "from mailwright.mailer.settings import resolve\nresolve().server"
    assert printed(resolved, MAILWRIGHT_URL="smtps://ada:pw@mail.firm.org") == "[]\n"
    assert "mailwright.providers" in printed(resolved, SENDER_EMAIL="ada@gandi.net", EMAIL_PASSWORD="pw")


CANARY = "kanarienvogel 7f3a Zwitschern"


def everything_about(error: BaseException) -> str:
    text = io.StringIO()
    seen: BaseException | None = error
    while seen is not None:
        text.write(f"{seen!s} {seen!r} {seen.__dict__!r}\n")
        seen = seen.__cause__ or seen.__context__
    text.write("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
    return text.getvalue()


def refused(sender: str, host: str) -> tuple[Exception, str]:
    """Why the canary was not sent, and what was shown before."""
    given: Any = {"server": Server(host, 465, login=Login(sender))} if host else {}
    shown = ""
    with warnings.catch_warnings():
        warnings.simplefilter("error", MailWarning)
        try:
            settings = resolve(sender=sender, password=Secret(CANARY), environ={}, files=[], **given)
            shown = repr(settings) + str(settings.described)
            _ = settings.server
        except (ConfigError, MailWarning) as error:
            return error, shown
    pytest.fail("it was not refused")


@pytest.mark.parametrize(
    ("sender", "host"),
    [
        ("ada@hotmail.com", ""), ("ada@freenet.de", ""), ("ada@tuta.com", ""), ("ada@gmail.com", ""), (f"ada@{OWN}", ""),
        ("your_email@gmail.com", ""), ("ada@gmail.com", "smtp.protonmail.com"), ("ada@gmail.com", "smtp.sendgrid.net"),
        ("ada@gmail.com", "gmail.com"), ("ada@gmail.com", "smtp.gmail.com"),
    ],
)  # fmt: skip
def test_the_canary_is_never_seen(names: NameServer, sender: str, host: str) -> None:
    names.zone[f"_submissions._tcp.{OWN}"] = {"SRV": ["0 1 465 mail.evil.example."]}
    error, shown = refused(sender, host)
    assert "kanarienvogel" not in everything_about(error) + shown
