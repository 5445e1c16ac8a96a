"""An inbox that speaks as a service does: its offers, its words, and whom it lets in."""

from __future__ import annotations

import json
import re
import smtplib
import ssl
from importlib.resources import files
from typing import Any

import pytest

from mailwright import Inbox, Login, Mailer, Message
from mailwright.inbox import Rules
from mailwright.inbox.manners import hosts_of, rules_as, services
from mailwright.smtp.receiving import EXTENSIONS
from mailwright.words.errors import ConfigError, LoginError
from mailwright.words.value import replace

APP = {"gmail": "qzkwvutjxmrbplsd", "yahoo": "qzkwvutjxmrbplsd", "icloud": "qzkw-vutj-xmrb-plsd"}
HELLO = Message("ada@example.org", "bob@example.org", "Hello", "there")
WITH_APP_PASSWORD = pytest.mark.parametrize("service", sorted(APP))


def session(inbox: Inbox) -> smtplib.SMTP:
    """Somebody else's client."""
    return smtplib.SMTP("127.0.0.1", inbox.server.port, timeout=20)


def encrypted(inbox: Inbox) -> smtplib.SMTP:
    client = session(inbox)
    client.starttls(context=ssl.create_default_context(cafile=inbox.server.tls.ca_file))
    return client


def reply_of(inbox: Inbox, user: str, password: str) -> tuple[int, str]:
    """What it says to a login."""
    with encrypted(inbox) as client:
        client.ehlo()
        try:
            code, text = client.login(user, password)
        except smtplib.SMTPAuthenticationError as problem:
            code, text = problem.smtp_code, problem.smtp_error
        return code, text.decode() if isinstance(text, bytes) else text


def test_gmail_word_for_word() -> None:
    with Inbox(login=("ada@gmail.com", APP["gmail"]), speaks_as="gmail") as inbox:
        with session(inbox) as client:
            assert client.ehlo()[1].decode().splitlines()[0] == "smtp.gmail.com at your service, [127.0.0.1]"
            assert not client.has_extn("auth") and client.has_extn("starttls")
            for command in ("AUTH PLAIN AAAA", "MAIL FROM:<ada@gmail.com>"):
                code, text = client.docmd(command)
                assert code == 530 and text.startswith(b"5.7.0 Must issue a STARTTLS command first")
        with encrypted(inbox) as client:
            client.ehlo()
            assert client.esmtp_features["auth"].split()[:3] == ["LOGIN", "PLAIN", "XOAUTH2"]
            code, text = client.docmd("MAIL FROM:<ada@gmail.com>")
            assert code == 530 and b"WantAuthError" in text
        code, text = reply_of(inbox, "ada@gmail.com", "my usual password")
        assert code == 535 and "Username and Password not accepted" in text and "BadCredentials" in text
        assert reply_of(inbox, "ada@gmail.com", APP["gmail"])[0] == 235


@WITH_APP_PASSWORD
def test_only_an_app_password_lets_a_program_in(service: str) -> None:
    with Inbox(login=("ada@example.org", APP[service]), speaks_as=service) as inbox:
        with Mailer(inbox.server) as mailer:
            assert mailer.send(HELLO).complete
        assert inbox.wait().login == "ada@example.org"
    with (
        Inbox(login=("ada@example.org", "the account's own"), speaks_as=service) as inbox,
        Mailer(inbox.server) as mailer,
    ):
        with pytest.raises(LoginError) as caught:
            mailer.send(HELLO)
        assert caught.value.reply is not None and caught.value.reply.code in (534, 535)
        assert inbox.messages == ()


def test_gmail_tells_the_account_password_from_a_wrong_one() -> None:
    with Inbox(login=("ada@gmail.com", "the account's own"), speaks_as="gmail") as inbox:
        assert reply_of(inbox, "ada@gmail.com", "the account's own")[0] == 534
        assert reply_of(inbox, "ada@gmail.com", "another")[0] == 535


def test_outlook_takes_no_password_whatever_it_is() -> None:
    with Inbox(login=("ada@outlook.com", "secret"), speaks_as="outlook") as inbox:
        code, text = reply_of(inbox, "ada@outlook.com", "secret")
        assert code == 535 and text.startswith("5.7.139") and "basic authentication is disabled" in text
    with Inbox(login=Login("ada@outlook.com", token="ya29"), speaks_as="outlook") as inbox:
        with Mailer(inbox.server) as mailer:
            assert mailer.send(HELLO).complete
        with Mailer(replace(inbox.server, login=Login("ada@outlook.com", token="old"))) as mailer:
            with pytest.raises(LoginError, match=r"535 5\.7\.3 Authentication unsuccessful"):
                mailer.send(HELLO)


def test_office365_takes_one_until_the_organisation_forbids_it() -> None:
    with Inbox(login=("ada@example.org", "secret"), speaks_as="office365") as inbox:
        with Mailer(inbox.server) as mailer:
            assert mailer.send(HELLO).complete
        assert "user credentials were incorrect" in reply_of(inbox, "ada@example.org", "wrong")[1]
    with Inbox(login=("ada@example.org", "secret"), speaks_as="office365-without-smtp-auth") as inbox:
        assert "SmtpClientAuthentication is disabled" in reply_of(inbox, "ada@example.org", "secret")[1]


@pytest.mark.parametrize("service", services())
def test_nobody_has_an_account_there_unless_it_is_given(service: str) -> None:
    with Inbox(speaks_as=service) as inbox:
        assert reply_of(inbox, "ada@example.org", "whatever")[0] == 535
        with encrypted(inbox) as client:
            client.ehlo()
            assert client.docmd("MAIL FROM:<ada@example.org>")[0] == 530
        assert inbox.server.login is None


@pytest.mark.parametrize("service", services())
def test_its_certificate_is_for_the_names_that_people_use(service: str) -> None:
    with Inbox(speaks_as=service, security="tls") as inbox:
        context = ssl.create_default_context(cafile=inbox.server.tls.ca_file)
        for host in hosts_of(service):
            with smtplib.SMTP_SSL("127.0.0.1", inbox.server.port, context=_Named(context, host), timeout=20) as client:
                assert client.noop()[0] == 250


class _Named:
    """A context that expects another name than the one that is connected to."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._context, self._host = context, host

    def wrap_socket(self, sock: Any, server_hostname: str) -> ssl.SSLSocket:
        return self._context.wrap_socket(sock, server_hostname=self._host)


def test_a_service_that_is_not_known() -> None:
    with pytest.raises(ConfigError, match="gmail"):
        Inbox(speaks_as="gmial")


def test_what_is_said_by_the_rules_stays() -> None:
    refuse = {"nobody@example.org": "550 5.1.1 No such mailbox"}
    with Inbox(login=("a@b.org", APP["gmail"]), speaks_as="gmail", refuse=refuse, rules=Rules(recipients=3)) as inbox:
        with Mailer(inbox.server) as mailer:
            receipt = mailer.send(HELLO, to=["nobody@example.org", "bob@example.org"], on_refusal="report")
        assert len(receipt.accepted) == 1 and len(receipt.refused) == 1


def test_the_data_is_what_the_code_takes_it_for() -> None:
    data = json.loads(files("mailwright.inbox").joinpath("data", "manners.json").read_text("utf-8"))
    assert set(data) == {"about", "services"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", data["about"]["compiled"])
    occasions = {"no tls", "no login", "wrong password", "wrong token", "account password", "any password", "welcome"}
    for name, row in data["services"].items():
        assert set(row) == {"hosts", "greeting", "hello", "size", "extensions", "mechanisms", "password", "replies"}, (
            name
        )
        assert set(row["replies"]) <= occasions and set(row["extensions"]) <= set(EXTENSIONS)
        re.compile(row["password"])
        for occasion, (code, *lines) in row["replies"].items():
            assert lines and all(line.isprintable() for line in lines)
            assert code // 100 == (2 if occasion == "welcome" else 5), (name, occasion)
        assert rules_as(Rules(), name).login_required
