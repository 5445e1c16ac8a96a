"""From failing settings to delivered mail by `mailwright doctor`: what it prints is all that she has.

`mailwright.send` takes its server from the environment; the doctor looks at the same settings, says what is wrong and
what to do, and sends nothing. Then one setting is changed as it says, and the mail arrives.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from mailwright import Inbox
from mailwright.cli.exit_codes import CONFIG, NOHOST, NOPERM, PROTOCOL, TEMPFAIL
from tests.unit.rehearsals.conftest import ADA, APP, GMAIL, GRACE, USUAL, Gmail, OwnServer
from tests.unit.rehearsals.town import Ran, Town, blackhole, serving, web_server

SEND = f"""
import mailwright
mailwright.send("{GRACE}", "Hello", "This came from a script.")
print("sent")
"""
MINE = {"SMTP_USER": "ada@example.org", "SMTP_PASSWORD": USUAL, "SENDER_EMAIL": "ada@example.org"}
AT_GMAIL = {"SMTP_HOST": GMAIL, "SMTP_USER": ADA, "SMTP_PASSWORD": APP, "SENDER_EMAIL": ADA}


def settings(town: Town, **variables: Any) -> None:
    """Set these variables; `None` takes one away."""
    for name, text in variables.items():
        if text is None:
            town.env.pop(name, None)
        else:
            town.env[name] = str(text)


def doctor(town: Town, code: int, *words: str) -> str:
    """The report, and that it ended with that code. It sends nothing and shows no secret."""
    ran = town.command("doctor", "--no-papers", "--timeout", "2", *words)
    assert ran.code == code, ran
    for secret in (APP, USUAL):
        assert secret not in ran.told
    return ran.out


def first_step(report: str) -> str:
    """What it says to begin with, in one line."""
    assert "No mail was sent." in report
    return " ".join(report.rpartition("Begin with: ")[2].split())


def failing(report: str) -> str:
    """The first line that failed, in one line."""
    found = re.search(r"^  FAILED +(.*?)(?=^  \w|^\w|\Z)", report, re.DOTALL | re.MULTILINE)
    assert found, report
    return " ".join(found[1].split())


def sent(ran: Ran) -> None:
    assert (ran.code, ran.out.strip()) == (0, "sent"), ran


def test_all_is_well(town: Town, gmail: Gmail) -> None:
    settings(town, **AT_GMAIL)
    report = doctor(town, 0)
    assert f"{ADA} is let in" in report and "FAILED" not in report
    assert gmail.arrived == []
    sent(town.run(SEND))
    assert gmail.delivered


def test_the_password_of_the_account(town: Town, gmail: Gmail) -> None:
    settings(town, **{**AT_GMAIL, "SMTP_PASSWORD": USUAL})
    assert town.run(SEND).code == 1
    report = doctor(town, NOPERM)
    assert failing(report).startswith("login:") and "535" in failing(report)
    assert "myaccount.google.com/apppasswords" in report
    settings(town, SMTP_PASSWORD=APP)
    sent(town.run(SEND))
    assert gmail.delivered


def test_both_ports_of_a_provider_are_known(town: Town, gmail: Gmail) -> None:
    """A firewall drops 465: mail goes through 587 by itself, and the doctor tells so."""
    town.build(GMAIL, 465, town.enter(blackhole()))
    settings(town, **AT_GMAIL)
    report = doctor(town, 0)
    assert re.search(r"warning +port 465: .*no answer in time", report) and "port 587 instead" in " ".join(
        report.split()
    )


@pytest.mark.parametrize("shut", ["closed", "dropped"])
def test_the_only_port_of_the_settings_is_shut(town: Town, own_server: OwnServer, shut: str) -> None:
    inbox = own_server.start("smtp.example.org")
    if shut == "dropped":
        town.build("smtp.example.org", 25, town.enter(blackhole()))
    settings(town, SMTP_HOST="smtp.example.org", SMTP_PORT=25, **MINE)
    report = doctor(town, TEMPFAIL)
    assert failing(report).startswith("port 25:")
    port = re.search(r"Use port (\d+) with security 'starttls'", first_step(report))
    assert port, report
    settings(town, SMTP_PORT=port[1])
    sent(town.run(SEND))
    assert len(inbox.messages) == 1


def test_there_is_no_such_host(town: Town, own_server: OwnServer) -> None:
    inbox = own_server.start("smtp.example.org")
    settings(town, SMTP_HOST="smpt.example.org", **MINE)
    report = doctor(town, NOHOST)
    assert "smpt.example.org" in failing(report) and "name" in first_step(report)
    settings(town, SMTP_HOST="smtp.example.org")
    sent(town.run(SEND))
    assert len(inbox.messages) == 1


def test_a_web_server(town: Town, own_server: OwnServer) -> None:
    inbox = own_server.start("smtp.example.org")
    town.build("smtp.example.org", 8080, town.enter(serving(web_server)))
    settings(town, SMTP_HOST="smtp.example.org", SMTP_PORT=8080, **MINE)
    report = doctor(town, PROTOCOL)
    port = re.search(r"web server.*Use port (\d+) with security 'starttls'", first_step(report))
    assert port, report
    settings(town, SMTP_PORT=port[1])
    sent(town.run(SEND))
    assert len(inbox.messages) == 1


@pytest.mark.parametrize(("port", "wrong"), [(587, "tls"), (465, "starttls")])
def test_the_wrong_security_for_the_port(town: Town, own_server: OwnServer, port: int, wrong: str) -> None:
    inbox = own_server.start("smtp.example.org")
    if port == 465:
        import ssl

        from mailwright.inbox import Rules
        from mailwright.options import TLS

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own_server.authority.issue_cert("smtp.example.org").configure_cert(context)
        rules = Rules(security="tls", tls=TLS(context=context))
        inbox = town.enter(Inbox(("ada@example.org", USUAL), False, rules=rules))
        town.build("smtp.example.org", 465, inbox.server.port)
    settings(town, SMTP_HOST="smtp.example.org", SMTP_PORT=port, SMTP_SECURITY=wrong, **MINE)
    report = doctor(town, PROTOCOL)
    right = re.search(rf"Keep port {port} and use security '(\w+)'", first_step(report))
    assert right, report
    settings(town, SMTP_SECURITY=right[1])
    sent(town.run(SEND))
    assert len(inbox.messages) == 1


def test_encryption_was_forgotten(town: Town, own_server: OwnServer) -> None:
    """A login in clear is refused before anything is connected, by whoever would have to send it."""
    inbox = own_server.start("smtp.example.org")
    settings(town, SMTP_HOST="smtp.example.org", SMTP_PORT=587, SMTP_SECURITY="none", **MINE)
    for ran in (town.run(SEND), town.command("doctor", "--no-papers")):
        assert ran.code in (1, CONFIG) and "unencrypted" in ran.err, ran
        right = re.search(r"SMTP_SECURITY=(?:tls or )?(\w+)", ran.err)
        assert right, ran
    settings(town, SMTP_SECURITY="starttls" if "starttls" in ran.err else right[1])
    sent(town.run(SEND))
    assert len(inbox.messages) == 1


def test_the_certificate_has_expired(town: Town, own_server: OwnServer) -> None:
    own_server.start("smtp.example.org", expired=True)
    settings(town, SMTP_HOST="smtp.example.org", **MINE)
    report = doctor(town, PROTOCOL)
    assert "has expired" in failing(report) and "not checked  login" in report
    inbox = own_server.start("smtp.example.org")
    sent(town.run(SEND))
    assert len(inbox.messages) == 1


def test_the_certificate_is_for_another_name(town: Town, own_server: OwnServer) -> None:
    inbox = own_server.start("smtp.example.org")
    settings(town, SMTP_HOST="mail.example.org", **MINE)
    report = doctor(town, PROTOCOL)
    assert "not for mail.example.org" in failing(report)
    right = re.search(r"as the host, (\S+?),", first_step(report))
    assert right, report
    settings(town, SMTP_HOST=right[1])
    sent(town.run(SEND))
    assert len(inbox.messages) == 1


def test_the_server_of_another_provider(town: Town, gmail: Gmail) -> None:
    yahoo = town.enter(Inbox(speaks_as="yahoo", security="tls"))
    town.build("smtp.mail.yahoo.com", 465, yahoo.server.port)
    town.trust(*(inbox.server.tls.ca_file for inbox in (yahoo, gmail.submission, gmail.submissions)))
    settings(town, **{**AT_GMAIL, "SMTP_HOST": "smtp.mail.yahoo.com"})
    report = " ".join(doctor(town, NOPERM).split())
    host = re.search(r"ada@gmail\.com is an address of Gmail.*?Use Gmail's own server, (\S+?):465", report)
    assert host, report
    settings(town, SMTP_HOST=host[1])
    sent(town.run(SEND))
    assert gmail.delivered


def test_a_provider_that_takes_no_password(town: Town) -> None:
    """Refused before anything is connected; the way out is named."""
    settings(town, SMTP_HOST="smtp-mail.outlook.com", SMTP_USER="ada@outlook.com", SMTP_PASSWORD=USUAL)
    ran = town.command("doctor", "--no-papers", "--timeout", "2")
    assert ran.code in (CONFIG, NOPERM), ran
    assert "mailwright login ada@outlook.com" in " ".join(ran.told.split())
