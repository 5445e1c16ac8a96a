"""From the traceback to delivered mail, with `mailwright.send` and nothing but an address and a password."""

from __future__ import annotations

import re
import socket

import pytest

from mailwright import Inbox
from tests.unit.rehearsals.conftest import ADA, APP, GMAIL, GRACE, USUAL, Gmail, OwnServer
from tests.unit.rehearsals.test_smtplib_script import failed, sent, step
from tests.unit.rehearsals.town import Town


def script(password: str = APP, user: str = ADA, more: str = "password=PASSWORD") -> str:
    """The shortest script there is."""
    return f"""
import mailwright
PASSWORD = "{password}"
mailwright.send("{GRACE}", "Hello", "This came from a script.", sender="{user}", {more})
print("sent")
"""


def test_an_address_and_an_app_password_are_enough(town: Town, gmail: Gmail) -> None:
    sent(town.run(script()))
    assert gmail.delivered


def test_the_password_of_the_account(town: Town, gmail: Gmail) -> None:
    ran = town.run(script(USUAL))
    assert "535" in failed(ran)
    step(ran.err, r"app password.*(myaccount\.google\.com/apppasswords)")
    sent(town.run(script(APP)))
    assert gmail.delivered


def test_the_password_as_the_page_shows_it(town: Town, gmail: Gmail) -> None:
    """In groups of four, with the no-break spaces of a web page: nothing has to be done."""
    sent(town.run(script("\u00a0".join(re.findall("....", APP)))))
    assert gmail.delivered


@pytest.mark.parametrize("password", ["YOUR_16_CHAR_APP_PASSWORD", "your_password"])
def test_the_password_of_the_example(town: Town, gmail: Gmail, password: str) -> None:
    ran = town.run(script(password))
    assert ran.code == 1 and gmail.arrived == []
    step(ran.err, r"placeholder")
    step(ran.err, r"(myaccount\.google\.com/apppasswords)")
    sent(town.run(script(APP)))
    assert gmail.delivered


def test_465_is_shut(town: Town, gmail: Gmail) -> None:
    """Gmail has another right port, and mail goes there by itself."""
    with socket.create_server(("127.0.0.1", 0)) as once:
        town.build(GMAIL, 465, once.getsockname()[1])
    sent(town.run(script()))
    assert len(gmail.submission.messages) == 1


def test_a_provider_that_takes_no_password(town: Town) -> None:
    """It is said before anything is connected, and so is the way out."""
    inbox = town.enter(Inbox(speaks_as="outlook"))
    town.build("smtp-mail.outlook.com", 587, inbox.server.port)
    told = failed(town.run(script(USUAL, "ada@outlook.com")))
    step(told, r"mailwright login ada@outlook\.com")


def test_the_certificate_is_for_another_name(town: Town, own_server: OwnServer) -> None:
    inbox = own_server.start("smtp.example.org")
    town.env["SMTP_PASSWORD"] = USUAL
    town.env |= {"SMTP_USER": "ada@example.org", "SMTP_HOST": "mail.example.org"}
    told = failed(town.run(script("", "ada@example.org", "")))
    right = step(told, r"certificate is for (\S+?),? and not for mail\.example\.org")[1]
    town.env["SMTP_HOST"] = right
    sent(town.run(script("", "ada@example.org", "")))
    assert len(inbox.messages) == 1


MAILER = f"""
from mailwright import Login, Mailer, Message, Server
with Mailer(Server("HOST", PORT, "SECURITY", Login("{ADA}", "PASSWORD"))) as mailer:
    mailer.send(Message("{ADA}", "{GRACE}", "Hello", "This came from a script."))
print("sent")
"""


def mailer(host: str = GMAIL, port: int = 465, security: str = "tls", password: str = APP) -> str:
    """A program that makes a `Mailer` itself."""
    found = MAILER
    for name, text in (("HOST", host), ("PORT", str(port)), ("SECURITY", security), ("PASSWORD", password)):
        found = found.replace(name, text)
    return found


def test_a_mailer_that_is_told_the_wrong_way(town: Town, gmail: Gmail) -> None:
    """TLS where STARTTLS belongs, a name for reading mail, and the password in groups: each is put right, and said."""
    for program, said in (
        (mailer(port=587), "speaks STARTTLS on port 587"),
        (mailer(host="imap.gmail.com"), "It is for reading mail"),
        (mailer(password=" ".join(re.findall("....", APP))), ""),
    ):
        ran = town.run(program)
        sent(ran)
        assert said in ran.err
    assert gmail.arrived == [(ADA, (GRACE,))] * 3


def test_a_mailer_with_the_password_of_the_example(town: Town, gmail: Gmail) -> None:
    ran = town.run(mailer(password="YOUR_16_CHAR_APP_PASSWORD"))
    assert ran.code == 1 and gmail.arrived == []
    step(ran.err, r"placeholder.*(myaccount\.google\.com/apppasswords)")
    sent(town.run(mailer()))
