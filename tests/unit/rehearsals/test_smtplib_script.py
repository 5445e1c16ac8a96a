"""From the traceback to delivered mail: a stranger's script for `smtplib` fails, and what it printed is all she has.

Each rehearsal runs the script as a program of its own, against a server that speaks as the provider does or is broken in
the way that is rehearsed. What was printed must name the cause and the next step; that step is taken, literally where
it is a word of code, and the script is run again. No rehearsal knows more than what was printed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mailwright import Inbox
from tests.unit.rehearsals.conftest import ADA, APP, GMAIL, GRACE, USUAL, Gmail, OwnServer
from tests.unit.rehearsals.town import Ran, Town, blackhole, hang_up, serving, silence, web_server


def script(
    opened: str = "smtplib.SMTP(HOST, 587, timeout=5)",
    *,
    host: str = GMAIL,
    starttls: bool = True,
    user: str = ADA,
    password: str = APP,
) -> str:
    """What everybody writes first, but for the import."""
    return f'''
from mailwright import smtplib

HOST = "{host}"
USER = "{user}"
PASSWORD = "{password}"

server = {opened}
{"server.starttls()" if starttls else ""}
server.login(USER, PASSWORD)
server.sendmail(USER, "{GRACE}", "Subject: Hello\\n\\nThis came from a script.")
server.quit()
print("sent")
'''


def failed(ran: Ran, *secrets: str) -> str:
    """What a program printed that ended with an error; the secrets are not in it, but for the script's own lines."""
    assert ran.code == 1 and "Traceback" in ran.err, ran
    for secret in (*secrets, USUAL):
        assert secret not in ran.told, ran.told
    for bad in ("unverified", "CERT_NONE", "check_hostname", "_create_unverified_context"):
        assert bad not in ran.told
    return ran.told.rpartition("Traceback (most recent call last)")[2]


def step(told: str, pattern: str) -> re.Match[str]:
    """The next step, in the program's own words; the rehearsal ends here if it was not said."""
    found = re.search(pattern, told, re.IGNORECASE | re.DOTALL)
    assert found, f"nothing here says {pattern!r}:\n{told}"
    return found


def sent(ran: Ran) -> None:
    assert (ran.code, ran.out.strip()) == (0, "sent"), ran


def test_it_works_where_nothing_is_wrong(town: Town, gmail: Gmail) -> None:
    sent(town.run(script()))
    assert gmail.delivered


def test_the_password_of_the_account(town: Town, gmail: Gmail) -> None:
    told = failed(town.run(script(password=USUAL)))
    assert "535" in told and "Username and Password not accepted" in told
    page = step(told, r"create an app password at (\S+apppasswords)")[1]
    assert page == "myaccount.google.com/apppasswords"
    letters = int(step(told, r"its (\d+) letters")[1])
    made_there = APP
    assert len(made_there) == letters
    sent(town.run(script(password=made_there)))
    assert gmail.delivered


@pytest.mark.parametrize("shut", ["closed", "dropped"])
def test_port_25(town: Town, gmail: Gmail, shut: str) -> None:
    """Without a port the interface takes 25, which networks block and Gmail does not have for programs."""
    if shut == "dropped":
        town.build(GMAIL, 25, town.enter(blackhole()))
    ran = town.run(script("smtplib.SMTP(HOST, timeout=1)"))
    assert f"{GMAIL}:25" in failed(ran)
    port = int(step(ran.err, r"\b(587) with")[1])
    sent(town.run(script(f"smtplib.SMTP(HOST, {port}, timeout=5)")))
    assert gmail.delivered


def test_port_25_hangs_up(town: Town, gmail: Gmail) -> None:
    """The same, where somebody answers: "Connection unexpectedly closed"."""
    town.build(GMAIL, 25, town.enter(serving(hang_up)))
    told = failed(town.run(script("smtplib.SMTP(HOST, timeout=5)")))
    assert "Connection unexpectedly closed" in told and "before it greeted us" in told
    port = int(step(told, r"\b(587) with")[1])
    sent(town.run(script(f"smtplib.SMTP(HOST, {port}, timeout=5)")))
    assert gmail.delivered


def test_starttls_was_forgotten(town: Town, gmail: Gmail) -> None:
    told = failed(town.run(script(starttls=False)), APP)
    step(told, r"(start TLS|starttls\(\)).*before (the )?login")
    sent(town.run(script(starttls=True)))
    assert gmail.delivered


def test_a_firewall_drops_587(town: Town, gmail: Gmail) -> None:
    town.build(GMAIL, 587, town.enter(blackhole()))
    told = failed(town.run(script("smtplib.SMTP(HOST, 587, timeout=1)")), APP)
    assert "no answer in time" in told
    port = int(step(told, r"other (?:right )?port[^.]*?\b(465)\b")[1])
    sent(town.run(script(f"smtplib.SMTP_SSL(HOST, {port}, timeout=5)", starttls=False)))
    assert gmail.delivered


def test_a_firewall_drops_465(town: Town, gmail: Gmail) -> None:
    town.build(GMAIL, 465, town.enter(blackhole()))
    told = failed(town.run(script("smtplib.SMTP_SSL(HOST, 465, timeout=1)", starttls=False)), APP)
    assert "no answer in time" in told
    port = int(step(told, r"\b(587)\b")[1])
    sent(town.run(script(f"smtplib.SMTP(HOST, {port}, timeout=5)")))
    assert gmail.delivered


def test_plain_on_465(town: Town, gmail: Gmail) -> None:
    told = failed(town.run(script("smtplib.SMTP(HOST, 465, timeout=1)")), APP)
    kind = step(told, r"TLS from the first byte.*?\b(SMTP_SSL)\b")[1]
    sent(town.run(script(f"smtplib.{kind}(HOST, 465, timeout=5)", starttls=False)))
    assert gmail.delivered


def test_tls_on_587(town: Town, gmail: Gmail) -> None:
    told = failed(town.run(script("smtplib.SMTP_SSL(HOST, 587, timeout=5)", starttls=False)), APP)
    step(told, r"587 use STARTTLS")
    sent(town.run(script("smtplib.SMTP(HOST, 587, timeout=5)")))
    assert gmail.delivered


@pytest.mark.parametrize("answer", [web_server, silence])
def test_something_else_listens_there(town: Town, gmail: Gmail, answer: Any) -> None:
    """The port of a web server: it says nothing until it is asked."""
    town.build(GMAIL, 443, town.enter(serving(answer)))
    told = failed(town.run(script("smtplib.SMTP(HOST, 443, timeout=1)")), APP)
    assert "before it greeted us" in told
    port = int(step(told, r"\b(587) with")[1])
    sent(town.run(script(f"smtplib.SMTP(HOST, {port}, timeout=5)")))
    assert gmail.delivered


def test_the_name_of_the_host_is_misspelt(town: Town, gmail: Gmail) -> None:
    told = failed(town.run(script(host="smtp.gmial.com")), APP)
    step(told, r"check the (spelling of the )?host name")
    sent(town.run(script(host=GMAIL)))
    assert gmail.delivered


def test_the_certificate_has_expired(town: Town, own_server: OwnServer) -> None:
    own_server.start("smtp.example.org", expired=True)
    mine = script(host="smtp.example.org", user="ada@example.org", password=USUAL)
    told = failed(town.run(mine))
    assert "has expired" in told
    step(told, r"clock|date and time")  # this machine's is right
    step(told, r"renew|operator")
    inbox = own_server.start("smtp.example.org")  # the owner did
    sent(town.run(mine))
    assert len(inbox.messages) == 1


def test_the_certificate_is_for_another_name(town: Town, own_server: OwnServer) -> None:
    inbox = own_server.start("smtp.example.org")
    told = failed(town.run(script(host="mail.example.org", user="ada@example.org", password=USUAL)))
    right = step(told, r"certificate is for (\S+?),? and not for mail\.example\.org")[1]
    step(told, r"use the .*host name")
    sent(town.run(script(host=right, user="ada@example.org", password=USUAL)))
    assert len(inbox.messages) == 1


def test_the_server_of_another_provider(town: Town, gmail: Gmail) -> None:
    """Her address is at Gmail, and the example that she copied names Yahoo."""
    yahoo = town.enter(Inbox(speaks_as="yahoo"))
    town.build("smtp.mail.yahoo.com", 587, yahoo.server.port)
    cas = [inbox.server.tls.ca_file for inbox in (yahoo, gmail.submission, gmail.submissions)]
    town.trust(*cas)
    ran = town.run(script(host="smtp.mail.yahoo.com"))
    failed(ran, APP)
    host = step(ran.told, r"(smtp\.gmail\.com)")[1]
    sent(town.run(script(host=host)))
    assert gmail.delivered


LESSON = Path(__file__).parents[2] / "data" / "scripts" / "first" / "02_starttls.py"


def test_the_lesson_as_it_stands(town: Town, gmail: Gmail) -> None:
    """A whole program from a tutorial, with its placeholders and one changed import."""
    program = LESSON.read_text("utf-8").replace("import smtplib\n", "from mailwright import smtplib\n")
    told = failed(town.run(program))
    program = program.replace(step(told, r"The user (\S+) is a placeholder")[1], ADA)
    told = failed(town.run(program))
    stand_in = step(told, r"password is a placeholder from an example: (\w+)")[1]
    step(told, r"https://(myaccount\.google\.com/apppasswords)")
    ran = town.run(program.replace(stand_in, APP))
    assert ran.code == 0 and gmail.arrived == [(ADA, ("recipient@example.com",))]


def test_the_app_password_as_the_page_shows_it(town: Town, gmail: Gmail) -> None:
    """In groups of four, with the no-break spaces of a web page."""
    sent(town.run(script(password="\u00a0".join(re.findall("....", APP)))))
    assert gmail.delivered


@pytest.mark.parametrize(("host", "speaks_as"), [("smtp.live.com", "outlook"), ("outlook.office365.com", "office365")])
def test_an_old_name_of_the_server(town: Town, host: str, speaks_as: str) -> None:
    """Such a name is in many guides; what it is today is said, and that no password is taken there any more."""
    right = town.enter(Inbox(speaks_as=speaks_as))
    told = failed(town.run(script(host=host, user="ada@hotmail.com")), APP)
    use = step(told, r"Use (\S+\.com)\.")[1]
    town.build(use, 587, right.server.port)
    town.trust(right.server.tls.ca_file)
    told = failed(town.run(script(host=use, user="ada@hotmail.com")), APP)
    step(told, r"mailwright login ada@hotmail\.com")
