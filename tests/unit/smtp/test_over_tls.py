"""Dialogues with real TLS in memory and over sockets: STARTTLS and TLS from the first byte, and what they must not let
through.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from mailwright.smtp.opening import open_session
from mailwright.smtp.session import Session
from mailwright.steps import Connect, Peer, PrepareTLS, Read, StartTLS, Write
from mailwright.words.errors import ConfigError, ConnectionLost, TLSError, Unsupported
from mailwright.words.receipt import TLSFacts
from mailwright.words.server import TLS, Server
from tests.dialogue import EHLO, RAW, STAGES, C, Content, Drop, HangUp, Raw, S, Secure, hello, send
from tests.unit.smtp.secured import context, server

each_stage = pytest.mark.parametrize("stage", STAGES)
ENVELOPE = [C("MAIL FROM:<ada@example.org>"), S("250 ok"), C("RCPT TO:<bob@example.org>"), S("250 ok")]


def message(*keywords: str) -> list[Any]:
    """EHLO and one message, as they go inside TLS."""
    return [*hello(*keywords)[1:], *ENVELOPE, C("DATA"), S("354 go"), Content(), S("250 ok")]


@each_stage
def test_starttls(folder: Path, stage: str) -> None:
    turns = [*hello("STARTTLS"), C("STARTTLS"), S("220 go"), Secure(context(folder)), *message()]
    played = send(turns, stage=stage, server=server(folder))
    assert played.result.complete and played.result.tls.version == "TLSv1.3"


def test_a_handshake_is_prepared_while_the_greeting_is_awaited(folder: Path) -> None:
    plan = open_session(Session(server(folder)))
    steps = [plan.send(None), plan.send(Peer("127.0.0.1", "127.0.0.1")), plan.send(None)]
    plan.close()
    assert [type(step) for step in steps] == [Connect, PrepareTLS, Read]


def test_while_the_server_works_out_its_part_of_a_handshake_there_is_time_for_something_else(folder: Path) -> None:
    """It sees what the server offered in clear, and nobody does when the handshake is over."""
    session, seen = Session(server(folder)), list[bool]()
    plan = open_session(session, lambda: seen.append("DSN" in session.features))
    steps: list[Any] = [plan.send(None)]
    for answer in (
        Peer("127.0.0.1", "127.0.0.1"), None,
        b"220 a\r\n", None, None, b"250-a\r\n250-DSN\r\n250 STARTTLS\r\n",
        None, b"220 go\r\n",
    ):  # fmt: skip
        steps.append(plan.send(answer))
    steps.append(plan.throw(TimeoutError()))  # nothing was waiting behind the 220
    kinds = [Connect, PrepareTLS, Read, Write, PrepareTLS, Read, Write, Read, Read, StartTLS]
    assert [type(step) for step in steps] == kinds and seen == []
    steps[-1].meanwhile.act()
    assert seen == [True]
    assert isinstance(plan.send(TLSFacts("TLSv1.3", "", "")), Write)
    plan.close()
    assert "DSN" not in session.features


@each_stage
def test_tls_from_the_first_byte(folder: Path, stage: str) -> None:
    turns = [Secure(context(folder)), S("220 a"), *message()]
    assert send(turns, stage=stage, server=server(folder, "tls")).result.complete


@each_stage
def test_c37_what_was_said_before_tls_is_forgotten(folder: Path, stage: str) -> None:
    """SIZE 10 and CHUNKING were offered in clear only: inside TLS neither holds."""
    turns = [
        *hello("STARTTLS", "SIZE 10", "CHUNKING", "DSN"),
        C("STARTTLS"),
        S("220 go"),
        Secure(context(folder)),
        *message(),
    ]
    assert send(turns, stage=stage, server=server(folder)).result.complete


@each_stage
@pytest.mark.parametrize("inside", [("SIZE 5000", "AUTH PLAIN", "DSN"), ("DSN",), ("SIZE 5000", "8BITMIME")])
def test_what_is_said_of_a_mail_is_what_is_offered_inside_tls(
    folder: Path, stage: str, inside: tuple[str, ...]
) -> None:
    """Whether that is what was offered in clear, or less, or something else."""
    said = f"MAIL FROM:<ada@example.org> SIZE={len(RAW)}" if "SIZE 5000" in inside else ENVELOPE[0].line
    turns = [
        *hello("SIZE 5000", "STARTTLS", "DSN"),
        C("STARTTLS"),
        S("220 go"),
        Secure(context(folder)),
        *hello(*inside)[1:],
        C(said),
        *message()[-7:],
    ]
    assert send(turns, stage=stage, server=server(folder)).result.complete


@each_stage
def test_c37_the_later_offer_counts(folder: Path, stage: str) -> None:
    turns = [*hello("STARTTLS"), C("STARTTLS"), S("220 go"), Secure(context(folder)), *hello("SIZE 10")[1:], HangUp()]
    error = send(turns, stage=stage, server=server(folder)).error
    assert isinstance(error, Unsupported) and str(len(RAW)) in str(error)


@each_stage
def test_c48_cut_inside_a_reply_is_no_reply(folder: Path, stage: str) -> None:
    turns = [
        *hello("STARTTLS"),
        C("STARTTLS"),
        S("220 go"),
        Secure(context(folder)),
        C(EHLO),
        Raw(b"250-mx\r\n250-SIZE\r\n"),
        Drop(),
    ]
    assert isinstance(send(turns, stage=stage, server=server(folder)).error, ConnectionLost)


@each_stage
def test_c48_cut_behind_the_dot_is_doubt(folder: Path, stage: str) -> None:
    turns = [
        *hello("STARTTLS"),
        C("STARTTLS"),
        S("220 go"),
        Secure(context(folder)),
        *message()[:-1],
        Raw(b"250-ok\r\n"),
        Drop(),
    ]
    error = send(turns, stage=stage, server=server(folder)).error
    assert isinstance(error, ConnectionLost) and error.in_doubt


@each_stage
def test_c40_the_wrong_name(folder: Path, stage: str) -> None:
    turns = [*hello("STARTTLS"), C("STARTTLS"), S("220 go"), Secure(context(folder))]
    error = send(turns, stage=stage, server=server(folder, name="mx.example.org")).error
    assert isinstance(error, TLSError) and "not for mx.example.org" in str(error) and not error.temporary


@each_stage
def test_c49_a_client_certificate(folder: Path, stage: str) -> None:
    turns = [Secure(context(folder, newest=ssl.TLSVersion.TLSv1_2, client_ca=True)), S("220 a"), *message()]
    settings = server(folder, "tls", certificate=str(folder / "client.pem"))
    assert send(turns, stage=stage, server=settings).result.complete
    refused = send(
        [Secure(context(folder, newest=ssl.TLSVersion.TLSv1_2, client_ca=True))],
        stage=stage,
        server=server(folder, "tls"),
    ).error
    assert isinstance(refused, (TLSError, ConnectionLost))


def test_c49_a_client_certificate_that_can_not_be_read(folder: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"right"))
    (folder / "key.pem").write_bytes(pem)
    for password in (None, "wrong-password"):
        tls = {"certificate": str(folder / "client.pem"), "key": str(folder / "key.pem"), "key_password": password}
        error = send([], server=server(folder, "tls", **tls)).error
        assert isinstance(error, ConfigError) and "client certificate" in str(error)
        assert "wrong-password" not in str(error) + repr(error)
    missing = send([], server=Server("127.0.0.1", 2525, "tls", tls=TLS(ca_file=str(folder / "no.pem")))).error
    assert isinstance(missing, ConfigError) and "no.pem" in str(missing)
