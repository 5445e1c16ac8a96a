"""TLS that is not there, too old, stuck, speaks out of turn, or wants what we did not bring: the fault catalogue, C."""

from __future__ import annotations

import datetime
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailwright.drivers.tls import client_context
from mailwright.mailer.delivering import deliver
from mailwright.smtp.ledger import Ledger
from mailwright.smtp.session import Session, quit_session
from mailwright.words.errors import ProtocolError, Timeout, TLSError
from mailwright.words.server import TLS, Server
from tests.dialogue import (
    STAGES,
    C,
    Content,
    Drop,
    HangUp,
    Pause,
    Raw,
    Rest,
    S,
    Secure,
    Some,
    hello,
    play,
    raw_mail,
    send,
)
from tests.unit.smtp.secured import context, server, upgraded

each_stage = pytest.mark.parametrize("stage", STAGES)
in_memory = pytest.mark.parametrize("stage", ["memory", "bytes", "sevens"])
MESSAGE = [
    *[C("MAIL FROM:<ada@example.org>"), S("250 ok"), C("RCPT TO:<bob@example.org>"), S("250 ok")],
    *[C("DATA"), S("354 go"), Content(), S("250 ok")],
]


# Plain where TLS is meant, and TLS where plain is meant


@each_stage
def test_a7_plain_text_where_tls_is_meant(folder: Path, stage: str) -> None:
    """The greeting of a plain port stands where the handshake should: nothing is sent in clear instead."""
    rest = Rest()
    error = send([S("220 mx.example.org ready"), rest], stage=stage, server=server(folder, "tls")).error
    assert isinstance(error, TLSError) and not error.temporary and error.phase == "tls"
    assert "does not speak TLS on this port" in str(error) and "'starttls'" in str(error)
    assert b"EHLO" not in rest.octets and b"MAIL" not in rest.octets


@in_memory
def test_a6_a_silent_tls_port_names_the_cure(stage: str) -> None:
    """A port that waits for a ClientHello and a client that waits for a greeting would wait for ever."""
    error = send([HangUp()], stage=stage, server=Server("127.0.0.1", 465, "none")).error
    assert isinstance(error, Timeout) and error.temporary and error.phase == "greeting"
    assert "expects TLS from the first byte" in str(error)


@each_stage
def test_a6_the_alert_of_a_tls_port_names_the_cure(stage: str) -> None:
    error = send([Raw(b"\x15\x03\x01\x00\x02\x02\x46"), Raw(b"\r\n"), HangUp()], stage=stage).error
    assert isinstance(error, ProtocolError) and "a TLS port: use security 'tls'" in str(error)


# The certificate


def self_signed(folder: Path, common_name: str, *alternatives: str) -> ssl.SSLContext:
    """A server with a certificate of its own making, which no library for honest ones would write."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    day = datetime.datetime(2024, 1, 1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(day).not_valid_after(day.replace(year=2099))
    if alternatives:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in alternatives]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate = made.sign(key, hashes.SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    (folder / "own.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem")
    return context


@pytest.mark.parametrize(
    ("host", "common_name", "alternatives", "accepted"),
    [
        ("mx.example.org", "mx.example.org", ["mx.example.org"], True),
        ("mx.example.org", "mx.example.org", [], False),
        ("mx.example.org", "mx.example.org", ["other.example.org"], False),
        ("example.org", "x", ["*.org"], False),
        ("foo.example.org", "x", ["f*o.example.org"], False),
        ("foo.example.org", "x", ["f*.example.org"], False),
        ("mx.example.org", "x", ["*.*.org"], False),
        ("mx.example.org", "x", ["*"], False),
        ("127.0.0.1", "127.0.0.1", ["127.0.0.1"], False),
        ("127.0.0.1", "127.0.0.1", ["mx.example.org"], False),
    ],
)
def test_c41_whom_a_certificate_is_for(
    tmp_path: Path, host: str, common_name: str, alternatives: list[str], accepted: bool
) -> None:
    """Only alternative names count, a star only as the whole first label, an address only as an address."""
    turns = [Secure(self_signed(tmp_path, common_name, *alternatives)), *hello(), *MESSAGE]
    settings = Server(host, 2525, "tls", tls=TLS(ca_file=str(tmp_path / "own.pem")))
    result = send(turns if accepted else turns[:1], server=settings).result
    if accepted:
        assert result.complete and result.tls.verified
    else:
        assert isinstance(result, TLSError) and f"not for {host}" in str(result) and not result.temporary


def test_c40_the_names_in_the_certificate_are_told(tmp_path: Path) -> None:
    names = ["mx1.example.org", "mx2.example.org"]
    settings = Server("mx.example.org", 2525, "tls", tls=TLS(ca_file=str(tmp_path / "own.pem")))
    error = send([Secure(self_signed(tmp_path, "x", *names))], server=settings).error
    assert isinstance(error, TLSError) and all(name in str(error) for name in [*names, "not for mx.example.org"])


@each_stage
@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_c39_an_unknown_ca_names_the_ways_to_trust_it(folder: Path, stage: str, security: Any) -> None:
    turns = [Secure(context(folder))] if security == "tls" else upgraded(folder)[:6]
    error = send(turns, stage=stage, server=Server("127.0.0.1", 2525, security, tls=TLS())).error
    assert isinstance(error, TLSError) and "not from a CA that this machine trusts" in str(error)
    assert "ca_file" in str(error) and "pin" in str(error)


# The handshake


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.parametrize("stage", ["memory", "bytes", "sync", "aio", "trio"])
def test_c42_a_server_with_old_tls_only(folder: Path, stage: str, newest: ssl.TLSVersion) -> None:
    with pytest.warns(DeprecationWarning):
        old = context(folder, ssl.TLSVersion.MINIMUM_SUPPORTED, newest)
    old.set_ciphers("ALL:@SECLEVEL=0")
    error = send([Secure(old)], stage=stage, server=server(folder, "tls")).error
    assert isinstance(error, TLSError) and not error.temporary and error.phase == "tls"
    assert "only an outdated version of TLS" in str(error) and "TLS 1.2 or newer" in str(error)


@pytest.mark.filterwarnings("ignore:.*not verified:RuntimeWarning")
@pytest.mark.parametrize("given", [{}, {"unverified": True}, {"pin": "0" * 64}, {"name": "mx.example.org"}])
def test_c42_no_setting_of_ours_brings_old_tls_back(folder: Path, given: dict[str, Any]) -> None:
    assert client_context(TLS(ca_file=str(folder / "ca.pem"), **given)).minimum_version == ssl.TLSVersion.TLSv1_2


@in_memory
@pytest.mark.parametrize("said", [b"", b"\x16\x03\x03\x00\x50\x02\x00"], ids=["nothing", "a beginning"])
def test_c43_a_handshake_that_does_not_go_on(folder: Path, stage: str, said: bytes) -> None:
    turns = [*hello("STARTTLS"), C("STARTTLS"), S("220 go"), Some(), Raw(said), Pause(3600)]
    settings = server(folder)
    played = send(turns, stage=stage, server=settings)
    assert isinstance(played.error, Timeout) and played.error.temporary and played.error.phase == "tls"
    assert f"{settings.timeouts.connect:g} seconds" in str(played.error)


@in_memory
def test_c43_a_handshake_that_drips(folder: Path, stage: str) -> None:
    """One octet of a long record now and then: the time is that of the whole handshake."""
    drops = [turn for _ in range(100) for turn in (Raw(b"\x02"), Pause(5))]
    turns = [*hello("STARTTLS"), C("STARTTLS"), S("220 go"), Some(), Raw(b"\x16\x03\x03\x40\x00"), *drops]
    ended: list[float] = []

    async def client(session: Session) -> Any:
        mail = raw_mail()
        try:
            return await deliver(session, mail, Ledger(mail.envelope.recipients), "raise", False)
        finally:
            ended.append(session._clock())  # type: ignore[misc]

    error = play(turns, client, stage, server(folder)).error
    assert isinstance(error, Timeout) and error.phase == "tls" and ended[0] <= 21


def server_hello(*extensions: bytes) -> bytes:
    """A ServerHello of TLS 1.2 with these extensions, as a record."""
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\xc0\x2f" + b"\x00"
    joined = b"".join(extensions)
    body += len(joined).to_bytes(2, "big") + joined
    message = b"\x02" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x03" + len(message).to_bytes(2, "big") + message


H2 = b"\x00\x10\x00\x05\x00\x03\x02h2"  # ALPN (RFC 7301) that chooses HTTP/2


@each_stage
def test_c45_a_protocol_that_we_did_not_offer(folder: Path, stage: str) -> None:
    """We offer none by ALPN, so an answer that chooses one is a handshake for somebody else: it ends there."""
    rest = Rest()
    turns = [*hello("STARTTLS"), C("STARTTLS"), S("220 go"), Some(), Raw(server_hello(H2)), rest]
    error = send(turns, stage=stage, server=server(folder)).error
    assert isinstance(error, TLSError) and not error.temporary and "failed" in str(error)
    # The alert "unsupported extension", fatal, and no word more.
    assert rest.octets.endswith(b"\x15\x03\x03\x00\x02\x02\x6e")


@each_stage
def test_c45_a_server_of_another_protocol_behind_good_tls(folder: Path, stage: str) -> None:
    """Where the server chooses by itself (ALPACA), its first octets are not a greeting."""
    settings = b"\x00\x00\x0c\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00d\x00\x04\x00\x00\xff\xff"  # of HTTP/2
    error = send([Secure(context(folder)), Raw(settings), HangUp()], stage=stage, server=server(folder, "tls")).error
    assert isinstance(error, ProtocolError) and error.phase == "greeting" and not error.temporary


# What is asked of us


@each_stage
@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_c49_a_server_that_wants_a_client_certificate(folder: Path, stage: str, newest: ssl.TLSVersion) -> None:
    """With TLS 1.3 the refusal comes when the client believes that the handshake is over."""
    turns = [Secure(context(folder, newest=newest, client_ca=True))]
    error = send(turns, stage=stage, server=server(folder, "tls")).error
    assert isinstance(error, TLSError) and error.phase == "tls" and not error.temporary
    assert "client certificate" in str(error)


# The end


@each_stage
@pytest.mark.parametrize("ending", [[S("221 bye"), Drop()], [Drop()]], ids=["221", "no word"])
def test_c47_no_goodbye_of_tls_behind_quit(folder: Path, stage: str, ending: list[Any]) -> None:
    """Many servers close the socket at once, without a close_notify."""
    mail = raw_mail()

    async def client(session: Session) -> Any:
        receipt = await deliver(session, mail, Ledger(mail.envelope.recipients), "raise", False)
        await quit_session(session)
        return receipt

    turns = [*upgraded(folder), *MESSAGE, C("QUIT"), *ending]
    assert play(turns, client, stage, server(folder)).result.complete


def test_c46_no_check_at_all_takes_a_word_that_can_be_found_and_is_warned_of(folder: Path) -> None:
    for word in ({"verify": False}, {"check_hostname": False}, {"insecure": True}):
        with pytest.raises(TypeError):
            TLS(**word)  # type: ignore[arg-type]
    turns = [Secure(context(folder)), *hello(), *MESSAGE]
    with pytest.warns(RuntimeWarning, match="the server is not verified") as warned:
        receipt = send(turns, server=Server("127.0.0.1", 2525, "tls", tls=TLS(unverified=True))).result
    assert len(warned) == 1 and receipt.complete and not receipt.tls.verified


def test_c46_the_warning_is_shown_once(folder: Path) -> None:
    code = "from mailwright.drivers.tls import TLSLayer as L\nfrom mailwright.words.server import TLS\n"
    code += "for host in ('a.example', 'b.example', 'c.example'): L(TLS(unverified=True), host)"
    ran = subprocess.run([sys.executable, "-E", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stderr.count("the server is not verified") == 1
