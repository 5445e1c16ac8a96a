"""The fault catalogue, D: the login has one mechanism and one try, and says what a refusal means."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from mailwright.smtp.features import Features
from mailwright.smtp.login import log_in
from mailwright.smtp.opening import open_session
from mailwright.smtp.session import Session
from mailwright.steps import Ask, Write
from mailwright.words.errors import ConfigError, ConnectionLost, DeliveryError, LoginError
from mailwright.words.receipt import TLSFacts
from mailwright.words.server import Login, Server
from tests.dialogue import ANYTHING, STAGES, C, Drop, HangUp, S, hello, play

each_stage = pytest.mark.parametrize("stage", STAGES)


def b64(text: str) -> str:
    """Base64 as it stands on the wire."""
    return base64.b64encode(text.encode()).decode()


PLAIN = C(f"AUTH PLAIN {b64(chr(0) + 'ada' + chr(0) + 'sesame')}")


def server(**login: Any) -> Server:
    """A loopback server with a login."""
    return Server("127.0.0.1", 2525, "none", Login("ada", **(login or {"password": "sesame"})))


@each_stage
def test_plain(stage: str) -> None:
    played = play([*hello("AUTH PLAIN LOGIN"), PLAIN, S("235 ok")], open_session, stage, server())
    assert played.result is None and played.session.login == "ada" and played.session.phase == "ready"


@each_stage
def test_login_when_it_is_all_there_is(stage: str) -> None:
    turns = [
        *hello("AUTH LOGIN"),
        C("AUTH LOGIN"),
        S("334 VXNlcm5hbWU6"),
        C(b64("ada")),
        S("334 UGFzc3dvcmQ6"),
        C(b64("sesame")),
        S("235 ok"),
    ]
    assert play(turns, open_session, stage, server()).session.login == "ada"


@each_stage
@pytest.mark.parametrize(
    ("reply", "temporary", "advice"),
    [
        ("535 5.7.8 Username and Password not accepted", False, "app password"),
        ("534 5.7.9 Application-specific password required", False, "app password"),
        ("530 Must issue a STARTTLS command first", False, "encryption before a login"),
        ("538 5.7.11 Encryption required", False, "encryption before a login"),
        ("454 4.7.0 Temporary authentication failure", True, "wait some minutes"),
        ("504 5.5.4 Unrecognized type", False, "another mechanism"),
        ("503 5.5.1 already authenticated", False, ""),
    ],
)
def test_d50_to_d54_refused(stage: str, reply: str, temporary: bool, advice: str) -> None:
    error = play([*hello("AUTH PLAIN"), PLAIN, S(reply), HangUp()], open_session, stage, server()).error
    assert isinstance(error, LoginError) and error.phase == "auth"
    assert error.temporary is temporary
    assert reply in str(error) and advice in str(error)


@each_stage
def test_d50_one_try_only(stage: str) -> None:
    """With three mechanisms on offer a refused login is not repeated with the next: that locks accounts."""
    turns = [
        *hello("AUTH PLAIN LOGIN CRAM-MD5"),
        C("AUTH CRAM-MD5"),
        S(f"334 {b64('<1@x>')}"),
        C(b64(_cram("<1@x>"))),
        S("535 no"),
        HangUp(),
    ]
    assert isinstance(play(turns, open_session, stage, server()).error, LoginError)


def _cram(challenge: str) -> str:
    import hmac

    return "ada " + hmac.new(b"sesame", challenge.encode(), "md5").hexdigest()


@each_stage
def test_d55_nothing_in_common(stage: str) -> None:
    error = play([*hello("AUTH GSSAPI NTLM"), HangUp()], open_session, stage, server()).error
    assert isinstance(error, LoginError)
    assert "GSSAPI" in str(error) and "PLAIN" in str(error)


@each_stage
def test_d55_no_login_offered(stage: str) -> None:
    assert isinstance(play([*hello(), HangUp()], open_session, stage, server()).error, LoginError)


def test_d56_no_credential_in_clear_to_another_machine() -> None:
    away = Server("mail.example.org", 25, "none", Login("ada", "sesame"))
    error = play([HangUp()], open_session, "memory", away).error
    assert isinstance(error, ConfigError) and "unencrypted" in str(error)


@each_stage
def test_d59_a_challenge_that_is_not_base64(stage: str) -> None:
    turns = [*hello("AUTH CRAM-MD5"), C("AUTH CRAM-MD5"), S("334 !!!"), C("*"), S("501 cancelled"), HangUp()]
    assert "not base64" in str(play(turns, open_session, stage, server()).error)


@each_stage
def test_d59_endless_challenges(stage: str) -> None:
    turns = [
        *hello("AUTH CRAM-MD5"),
        C("AUTH CRAM-MD5"),
        S(f"334 {b64('<1@x>')}"),
        C(b64(_cram("<1@x>"))),
        S(f"334 {b64('<1@x>')}"),
    ]
    assert isinstance(play(turns, open_session, stage, server()).error, DeliveryError)


@each_stage
def test_d60_xoauth2_error_is_answered_and_told(stage: str) -> None:
    detail = b64('{"status":"401","schemes":"bearer","scope":"https://mail.example.org/"}')
    first = b64("user=ada\x01auth=Bearer token-one\x01\x01")
    turns = [*hello("AUTH XOAUTH2"), C(f"AUTH XOAUTH2 {first}"), S(f"334 {detail}"), C(""), S("535 5.7.8 no"), HangUp()]
    error = play(turns, open_session, stage, server(token="token-one")).error
    assert isinstance(error, LoginError) and "401" in str(error) and "token-one" not in str(error)


@each_stage
def test_d63_a_long_token_goes_behind_the_334(stage: str) -> None:
    token = "t" * 5000
    response = b64(f"user=ada\x01auth=Bearer {token}\x01\x01")
    turns = [*hello("AUTH XOAUTH2"), C("AUTH XOAUTH2"), S("334 "), C(response), S("235 ok")]
    assert play(turns, open_session, stage, server(token=token)).session.login == "ada"


@each_stage
def test_d63_a_token_that_is_too_long_for_any_login(stage: str) -> None:
    turns = [*hello("AUTH XOAUTH2"), C("AUTH XOAUTH2"), S("334 "), HangUp()]
    error = play(turns, open_session, stage, server(token="t" * 20000)).error
    assert isinstance(error, LoginError) and "octets" in str(error)


@each_stage
def test_d63_passwords_are_utf8(stage: str) -> None:
    turns = [*hello("AUTH PLAIN"), C(f"AUTH PLAIN {b64(chr(0) + 'ada' + chr(0) + 'Schlüssel =')}"), S("235 ok")]
    assert play(turns, open_session, stage, server(password="Schlüssel =")).session.login == "ada"


def test_d63_nul_in_a_password_is_refused_unsent() -> None:
    error = play([*hello("AUTH PLAIN"), HangUp()], open_session, "memory", server(password="a\0b")).error
    assert "NUL" in str(error) and "a\0b" not in str(error)


@each_stage
def test_d64_lost_during_the_login(stage: str) -> None:
    error = play([*hello("AUTH PLAIN"), PLAIN, Drop()], open_session, stage, server()).error
    assert isinstance(error, ConnectionLost) and error.temporary and "during the login" in str(error)


@each_stage
def test_a_token_source_is_asked_once(stage: str) -> None:
    asked: list[int] = []

    def source() -> str:
        asked.append(1)
        return "fresh"

    first = b64("user=ada\x01auth=Bearer fresh\x01\x01")
    turns = [*hello("AUTH XOAUTH2"), C(f"AUTH XOAUTH2 {first}"), S("235 ok")]
    assert play(turns, open_session, stage, server(token=source)).session.login == "ada"
    assert asked == [1]


@each_stage
def test_external(stage: str) -> None:
    external = Server("127.0.0.1", 2525, "none", Login("ada", mechanism="EXTERNAL"))
    turns = [*hello("AUTH EXTERNAL"), C(f"AUTH EXTERNAL {b64('ada')}"), S("235 ok")]
    assert play(turns, open_session, stage, external).session.login == "ada"


@each_stage
def test_d58_a_235_without_the_server_proof_is_no_login(stage: str) -> None:
    """SCRAM: whoever says 235 and never proved to know the password is somebody else."""
    turns = [*hello("AUTH SCRAM-SHA-256"), C(ANYTHING), S("235 welcome"), HangUp()]
    error = play(turns, open_session, stage, server()).error
    assert isinstance(error, LoginError)


@pytest.mark.parametrize(
    ("offered", "asked"),
    [
        (("PLAIN", "LOGIN"), []),
        (("PLAIN", "SCRAM-SHA-256"), ["Ask", "BindChannel"]),
        (("SCRAM-SHA-256-PLUS", "PLAIN"), ["Ask", "BindChannel"]),
    ],
)
def test_randomness_and_a_binding_are_got_where_scram_may_need_them(offered: tuple[str, ...], asked: list[str]) -> None:
    session = Session(server())
    session.features = Features("mx", (("AUTH", offered),))
    session.secured = TLSFacts("TLSv1.3", "", "")
    plan, steps = log_in(session, Login("ada", "sesame")), []
    answer: Any = None
    while not isinstance(step := plan.send(answer), Write):
        steps.append(type(step).__name__)
        answer = step.act() if isinstance(step, Ask) else None
    plan.close()
    assert steps == asked
