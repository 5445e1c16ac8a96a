"""Logins that are refused late, never come to an end, or to a weaker one: the fault catalogue, D."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from mailwright.drivers import memory
from mailwright.smtp.opening import open_session
from mailwright.smtp.session import Session
from mailwright.steps import Read, Write
from mailwright.words.errors import LoginError, SenderRefused
from mailwright.words.server import Login
from tests.dialogue import ANYTHING, STAGES, C, HangUp, S, hello, patient, play, send

each_stage = pytest.mark.parametrize("stage", STAGES)
MECHANISMS = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER", "EXTERNAL"]
CHALLENGES = {
    "nothing": b"",
    "words": b"go on",
    "JSON": b'{"status":"400"}',
    "SCRAM": b"r=abcdef,s=c2FsdA==,i=4096",
    "error": b"e=other-error",
}


class Asking:
    """A server that answers every line with the same challenge, and counts what it heard."""

    def __init__(self, mechanism: str, challenge: bytes) -> None:
        self.mechanism = mechanism
        self.challenge = challenge
        self.lines: list[bytes] = []

    async def play(self) -> None:
        """Until the client closes."""
        await Write(b"220 mx\r\n", 10)
        arrived = b""
        while data := await Read(3600):
            arrived += data
            while b"\r\n" in arrived:
                line, _, arrived = arrived.partition(b"\r\n")
                if line.startswith(b"EHLO"):
                    await Write(b"250-mx\r\n250 AUTH " + self.mechanism.encode() + b"\r\n", 10)
                    continue
                self.lines.append(line)
                await Write(b"334 " + b64encode(self.challenge) + b"\r\n", 10)


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("challenge", CHALLENGES)
def test_d59_endless_challenges(mechanism: str, challenge: str) -> None:
    """After a few the login is taken back with "*"; nothing else is tried on that connection."""
    kind: dict[str, Any] = {"token": "a-token"} if mechanism in ("XOAUTH2", "OAUTHBEARER") else {"password": "sesame"}
    login = Login("ada", mechanism=mechanism, **({} if mechanism == "EXTERNAL" else kind))
    time = memory.Time()
    near, far = memory.pair(time)
    server = Asking(mechanism, CHALLENGES[challenge])
    session = Session(patient(login=login), time)
    error, _ = memory.converse((open_session(session), near), (server.play(), far), time=time)
    assert isinstance(error, LoginError) and error.phase == "auth" and not error.temporary
    assert server.lines[-1] == b"*" and len(server.lines) <= 8
    assert not session.open and session.login is None
    assert "sesame" not in str(error) and "a-token" not in str(error)


@each_stage
@pytest.mark.parametrize("offered", ["PLAIN LOGIN", "CRAM-MD5 SCRAM-SHA-1", "SCRAM-SHA-256-PLUS"])
def test_d57_a_mechanism_that_was_demanded_is_not_replaced(stage: str, offered: str) -> None:
    """Whoever takes the strong ones off the list gets no weaker one instead."""
    server = patient(login=Login("ada", "sesame", mechanism="SCRAM-SHA-256"))
    error = play([*hello(f"AUTH {offered}"), HangUp()], open_session, stage, server).error
    assert isinstance(error, LoginError) and "SCRAM-SHA-256" in str(error) and not error.temporary


@each_stage
def test_d54_a_password_transition_is_needed(stage: str) -> None:
    """432 (RFC 4954 §4.7.12) is a 4yz; what it asks for stands in the server's words."""
    server = patient(login=Login("ada", "sesame"))
    turns = [*hello("AUTH PLAIN"), C(ANYTHING), S("432 4.7.12 A password transition is needed"), HangUp()]
    error = play(turns, open_session, stage, server).error
    assert isinstance(error, LoginError) and error.temporary and "A password transition is needed" in str(error)


@each_stage
@pytest.mark.parametrize(
    ("reply", "wanted"),
    [("530 5.7.0 Authentication required", "a login"), ("530 Must issue a STARTTLS command first", "encryption")],
)
def test_d52_a_login_or_encryption_is_demanded_at_mail(stage: str, reply: str, wanted: str) -> None:
    error = send([*hello(), C("MAIL FROM:<ada@example.org>"), S(reply)], stage=stage).error
    assert isinstance(error, SenderRefused) and not error.temporary
    assert f"The server wants {wanted} " in str(error) and reply in str(error)
