"""The lock, the ID and the desk: one login at most, and never a message."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from mailwright.cli.exit_codes import NOPERM, TEMPFAIL, UNAVAILABLE, code_for
from mailwright.diagnose.checkup import Checkup
from mailwright.inbox.manners import rules_as
from mailwright.smtp.receiving import Rules
from mailwright.words.address import Address
from mailwright.words.errors import ConfigError, LoginError
from mailwright.words.reply import Reply
from mailwright.words.server import TLS, Login
from tests.dialogue import Answer, C, Drop, Rest, S, Secure
from tests.unit.doctor.conftest import ADA, ADDRESS, PASSWORD, RECORDS, Lab
from tests.unit.doctor.world import World, check, lines_of

LOGIN = Login(ADA, PASSWORD)
EHLO = C("EHLO [192.0.2.200]")


class Heard:
    """What a scripted server hears inside TLS after the first, anonymous visit; counts what matters."""

    def __init__(self, lab: Lab, *turns: Any, offers: tuple[str, ...] = ("AUTH PLAIN",)) -> None:
        self.lines: list[str] = []
        self._lab, self._turns, self._offers, self._visits = lab, turns, offers, 0

    def note(self, reply: str) -> Answer:
        """A line of the client, noted and answered."""

        def answer(line: str) -> str:
            self.lines.append(line)
            return reply

        return Answer(answer)

    def __call__(self) -> Any:
        from tests.dialogue import Script

        self._visits += 1
        known = [f"250-{word}" for word in ("mx", *self._offers)]
        begin = [S("220 hi"), EHLO, S("250-mx", "250 STARTTLS"), C("STARTTLS"), S("220 go")]
        begin += [Secure(self._lab.certificates.good), EHLO, S(*known, "250 SIZE 1000000")]
        rest = [C("QUIT"), S("221 bye")] if self._visits == 1 else list(self._turns)
        return Script([*begin, *rest]).play()


def run(lab: Lab, at: Any, login: Login | None = LOGIN, **others: Any) -> Checkup:
    return check(lab.world(587, at), lab.case(587, login=login, **others))


# The lock and the ID.


def test_who_is_let_in(lab: Lab) -> None:
    checkup = run(lab, None)
    assert lines_of(checkup, "ID")["login"].said == f"{ADA} is let in"
    assert "PLAIN" in lines_of(checkup, "lock")["logins"].said


def test_a_wrong_password_is_tried_once(lab: Lab) -> None:
    world = lab.world(587)
    heard: list[bytes] = world.said
    checkup = check(world, lab.case(587, login=Login(ADA, "last year", mechanism="PLAIN")))
    line = lines_of(checkup, "ID")["login"]
    assert line.verdict == "failed" and "535" in line.said and line.fix
    assert isinstance(checkup.error, LoginError) and code_for(checkup.error) == NOPERM
    assert not any(b"AUTH" in data for data in heard)  # what was said is said inside TLS, unreadable
    assert lines_of(checkup, "desk")["sender and recipient"].verdict == "not checked"


def test_one_attempt_is_one_attempt(lab: Lab) -> None:
    server = Heard(lab, offers=("AUTH PLAIN LOGIN CRAM-MD5",))
    server._turns = (server.note("535 5.7.8 No"), Rest())
    checkup = run(lab, server)
    assert lines_of(checkup, "ID")["login"].verdict == "failed"
    (line,) = server.lines
    assert line.startswith("AUTH PLAIN ")


def test_a_temporary_no_is_a_warning(lab: Lab) -> None:
    server = Heard(lab)
    server._turns = (server.note("454 4.7.0 Not now"), Rest())
    checkup = run(lab, server)
    assert lines_of(checkup, "ID")["login"].verdict == "warning" and checkup.ok


def test_a_password_that_a_server_repeats_is_masked(lab: Lab) -> None:
    secret = b64encode(f"\0{ADA}\0{PASSWORD}".encode()).decode()
    server = Heard(lab)
    server._turns = (server.note(f"535 5.7.8 {PASSWORD} {secret} is wrong"), Rest())
    checkup = run(lab, server)
    for shown in (str(checkup), repr(checkup), str(checkup.as_dict())):
        assert PASSWORD not in shown and secret not in shown
    assert "***" in str(checkup)


@pytest.mark.parametrize("offers", [(), ("AUTH GSSAPI NTLM",), ("AUTH XOAUTH2",)])
def test_nothing_that_both_can_do(lab: Lab, offers: tuple[str, ...]) -> None:
    server = Heard(lab, offers=offers)
    server._turns = (server.note("221 bye"),)
    checkup = run(lab, server)
    assert isinstance(checkup.error, LoginError)
    assert not any(line.startswith("AUTH") for line in server.lines)


def test_no_credential(lab: Lab) -> None:
    line = lines_of(run(lab, None, login=None), "ID")["login"]
    assert line.verdict == "not checked" and "SMTP_PASSWORD_FILE" in line.fix


def test_a_password_never_goes_out_in_clear(lab: Lab) -> None:
    rules = lab.rules("none", login_required=False)
    world = World({("127.0.0.1", 25): rules}, {"localhost": ["127.0.0.1"]}, dict(RECORDS))
    checkup = check(world, lab.case(25, "none", LOGIN, host="localhost"))
    line = lines_of(checkup, "ID")["login"]
    assert line.verdict == "not checked" and "not encrypted" in line.said
    assert not any(b"AUTH" in data for data in world.said)


def test_a_token_source_that_fails(lab: Lab) -> None:
    def source() -> str:
        raise ConfigError("The consent has ended.", "Run: mailwright login ada@example.org")

    server = Heard(lab, offers=("AUTH XOAUTH2",))
    server._turns = (server.note("221 bye"),)
    line = lines_of(run(lab, server, login=Login(ADA, token=source)), "ID")["login"]
    assert line.verdict == "failed" and line.said == "The consent has ended."


def service(lab: Lab, name: str, login: Login, known: Login | None = None, security: str = "starttls") -> Checkup:
    """The check of a server that speaks as that service."""
    tls = TLS(context=lab.certificates.good)
    rules = rules_as(Rules(accounts=(known,) if known else (), security=security, tls=tls), name)  # type: ignore[arg-type]
    world = World({(ADDRESS, 587): rules}, {rules.name: [ADDRESS]})
    return check(world, lab.case(587, login=login, host=rules.name, sender=Address(login.user)))


def test_what_gmail_takes_today(lab: Lab) -> None:
    app = Login("ada@gmail.com", "qzkwvutjxmrbplsd")
    checkup = service(lab, "gmail", app, app)
    assert checkup.ok and "app password" in lines_of(checkup, "lock")["accepted today"].said
    line = lines_of(service(lab, "gmail", Login("ada@gmail.com", "hunter2"), app), "ID")["login"]
    assert line.verdict == "failed" and "535 5.7.8" in line.said and "app password" in line.fix.lower()


def test_a_password_where_none_is_taken_is_not_even_tried(lab: Lab) -> None:
    checkup = service(lab, "outlook", Login("ada@outlook.com", "hunter2"))
    line = lines_of(checkup, "lock")["accepted today"]
    assert line.verdict == "failed" and "mailwright login ada@outlook.com" in line.fix
    assert lines_of(checkup, "ID")["login"].verdict == "not checked"
    assert checkup.error is not None and code_for(checkup.error) == NOPERM


# The desk.


def desk(lab: Lab, rules: Any = None, **others: Any) -> tuple[dict[str, Any], Checkup]:
    checkup = run(lab, rules, **others)
    return lines_of(checkup, "desk"), checkup


def test_the_desk_takes_sender_and_recipient_and_no_content(lab: Lab) -> None:
    server = Heard(lab, offers=("AUTH PLAIN", "LIMITS RCPTMAX=50", "PIPELINING", "SMTPUTF8"))
    replies = ["235 2.7.0 in", "250 ok", "250 ok", "250 ok", "221 bye"]
    server._turns = tuple(server.note(reply) for reply in replies)
    lines, checkup = desk(lab, server)
    assert checkup.ok and lines["sender"].verdict == lines["recipient"].verdict == "ok"
    assert lines["limits"].said == "messages up to 1.0 MB; 50 recipients at once; PIPELINING, SMTPUTF8"
    assert server.lines[1:] == [f"MAIL FROM:<{ADA}>", f"RCPT TO:<{ADA}>", "RSET", "QUIT"]


@pytest.mark.parametrize(
    ("refuse", "what", "code"),
    [("550 5.7.60 Not allowed to send as this sender", "sender", NOPERM), ("451 4.3.0 Later", "sender", 0)],
)
def test_a_sender_that_is_refused(lab: Lab, refuse: str, what: str, code: int) -> None:
    lines, checkup = desk(lab, lab.rules(refuse={ADA: refuse}))
    assert lines[what].verdict == ("warning" if code == 0 else "failed") and refuse[:10] in lines[what].said
    assert (code_for(checkup.error) if checkup.error else 0) == code


def test_a_recipient_that_is_refused_or_greylisted(lab: Lab) -> None:
    for reply, verdict in (("550 5.1.1 Unknown user", "failed"), ("450 4.2.0 Greylisted", "warning")):
        server = Heard(lab)
        answers = ["235 in", "250 ok", reply, "250 ok", "221 bye"]
        server._turns = tuple(server.note(answer) for answer in answers)
        lines, _ = desk(lab, server)
        assert lines["recipient"].verdict == verdict and reply in lines["recipient"].said
        assert server.lines[-2:] == ["RSET", "QUIT"]


def test_a_server_that_wants_a_login_which_nobody_gave(lab: Lab) -> None:
    lines, checkup = desk(lab, None, login=None)
    assert lines["sender"].verdict == "not checked" and "wants a login first" in lines["sender"].said
    assert checkup.ok


def test_nobody_said_who_sends(lab: Lab) -> None:
    lines, _ = desk(lab, None, sender=None)
    assert (
        lines["sender and recipient"].verdict == "not checked"
        and "mailwright doctor ADDRESS" in lines["sender and recipient"].fix
    )


def test_an_address_that_is_not_ascii(lab: Lab) -> None:
    lines, checkup = desk(lab, lab.rules(extensions=("PIPELINING",)), sender=Address("łucja@example.org"))
    assert lines["sender"].verdict == "failed" and "SMTPUTF8" in lines["sender"].said
    assert checkup.error is not None and code_for(checkup.error) == UNAVAILABLE
    lines, checkup = desk(lab, None, sender=Address("łucja@example.org"))
    assert lines["recipient"].verdict == "ok"


@pytest.mark.parametrize("ending", [Drop(), S("421 4.3.0 Shutting down")])
def test_the_server_leaves_in_the_middle(lab: Lab, ending: Any) -> None:
    server = Heard(lab)
    server._turns = (server.note("235 in"), C(f"MAIL FROM:<{ADA}>"), ending, Drop())
    _, checkup = desk(lab, server)
    problem = next(line for line in checkup.stages[5].lines if line.verdict != "ok")
    error = problem.error
    assert error is not None and code_for(error) == TEMPFAIL


def test_the_second_visit_is_not_welcome(lab: Lab) -> None:
    from tests.dialogue import Script

    visits = 0

    def at() -> Any:
        nonlocal visits
        visits += 1
        return Heard(lab)() if visits == 1 else Script([S("421 4.7.0 Too many connections"), Drop()]).play()

    checkup = run(lab, at)
    line = lines_of(checkup, "lock")["second visit"]
    assert line.verdict == "failed" and "421 4.7.0" in line.said
    assert isinstance(Reply(421), Reply) and not checkup.ok


# What is seen before anything is sent.


def test_an_address_of_another_provider(lab: Lab) -> None:
    """Both take an app password of sixteen letters, and so the reply of the wrong one misleads."""
    checkup = service(lab, "yahoo", Login("ada@gmail.com", "qzkwvutjxmrbplsd"))
    line = lines_of(checkup, "lock")["user"]
    assert line.verdict == "warning" and "Gmail" in line.said and "smtp.gmail.com:465" in line.fix
    refused = lines_of(checkup, "ID")["login"]
    assert refused.verdict == "failed" and "smtp.gmail.com:465" in refused.fix


def test_a_user_name_that_is_half_an_address(lab: Lab) -> None:
    tls = TLS(context=lab.certificates.good)
    rules = rules_as(Rules(security="starttls", tls=tls), "gmail")
    world = World({(ADDRESS, 587): rules}, {rules.name: [ADDRESS]})
    checkup = check(
        world, lab.case(587, login=Login("ada", "qzkwvutjxmrbplsd"), host=rules.name, sender=Address("ada@gmail.com"))
    )
    assert "whole address" in lines_of(checkup, "lock")["user"].fix


def test_an_app_password_as_the_page_shows_it(lab: Lab) -> None:
    """In groups, with the no-break spaces of a web page."""
    shown = Login("ada@gmail.com", "qzkw\u00a0vutj\u00a0xmrb\u00a0plsd")
    checkup = service(lab, "gmail", shown, Login("ada@gmail.com", "qzkwvutjxmrbplsd"))
    assert lines_of(checkup, "ID")["login"].verdict == "ok"


def test_a_password_that_does_not_look_like_one_of_the_provider(lab: Lab) -> None:
    checkup = service(lab, "gmail", Login("ada@gmail.com", "hunter2"))
    assert lines_of(checkup, "lock")["password"].verdict == "warning"
    assert "hunter2" not in str(checkup)


def test_a_placeholder_is_not_tried(lab: Lab) -> None:
    checkup = service(lab, "gmail", Login("ada@gmail.com", "YOUR_16_CHAR_APP_PASSWORD"))
    line = lines_of(checkup, "lock")["password"]
    assert line.verdict == "failed" and "placeholder" in line.said
    assert lines_of(checkup, "ID")["login"].verdict == "not checked"
