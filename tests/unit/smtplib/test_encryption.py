"""STARTTLS and SMTP_SSL: who is on the other side is checked, the caller's context counts, and an error says what to do."""

from __future__ import annotations

import hashlib
import smtplib as original
import socket
import ssl
from typing import Any

import pytest

from mailwright import smtplib
from mailwright.options import TLS
from tests.unit.smtplib.conftest import Trust
from tests.unit.smtplib.scripted import Client, mail_server, scripted

STARTTLS = ("mx.example", "STARTTLS", "AUTH PLAIN", "8BITMIME")


def fingerprint(port: int) -> str:
    """The SHA-256 of the certificate that a server with TLS from the first byte shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port)) as sock, context.wrap_socket(sock) as secured:
        certificate = secured.getpeercert(binary_form=True)
        assert certificate
        return hashlib.sha256(certificate).hexdigest()


def test_starttls_with_a_context_is_that_of_the_original(trust: Trust) -> None:
    accounts = []
    for module in (original, smtplib):
        with scripted(mail_server(features=STARTTLS, context=trust.server)) as there:
            with module.SMTP("127.0.0.1", there.port, "c.example", 5) as client:
                client.ehlo()
                said = client.starttls(context=trust.client)
                after = client.helo_resp, client.ehlo_resp, client.does_esmtp, dict(client.esmtp_features)
                assert isinstance(client.sock, ssl.SSLSocket)
                assert client.sock.server_hostname == "127.0.0.1" and client.sock.getpeercert() and client.sock.cipher()
                refused = client.sendmail("ada@example.org", "bob@example.net", "Subject: x\n\nhi")
        accounts.append((said, after, refused, there.heard.lower()))
    assert accounts[0] == accounts[1]
    assert accounts[0][0] == (220, b"go ahead")


@pytest.mark.parametrize("how", ["starttls", "SMTP_SSL"])
@pytest.mark.parametrize("settings", ["context", "ca_file", "pin"])
def test_a_server_that_proves_itself(how: str, settings: str, trust: Trust) -> None:
    at_once = how == "SMTP_SSL"
    with scripted(mail_server(features=STARTTLS, context=trust.server, at_once=at_once)) as there:
        with scripted(mail_server(context=trust.server, at_once=True)) as other:
            digest = fingerprint(other.port)
        context: Any = {"context": trust.client, "ca_file": TLS(ca_file=trust.ca_file), "pin": TLS(pin=digest)}[
            settings
        ]
        if at_once:
            with smtplib.SMTP_SSL("127.0.0.1", there.port, context=context) as client:
                assert client.noop()[0] == 250 and isinstance(client.sock, ssl.SSLSocket)
        else:
            with smtplib.SMTP("127.0.0.1", there.port) as client:
                client.starttls(context=context)
                assert client.noop()[0] == 250 and isinstance(client.sock, ssl.SSLSocket)


@pytest.mark.parametrize("how", ["starttls", "SMTP_SSL"])
def test_without_a_context_a_certificate_is_verified(how: str, trust: Trust) -> None:
    with scripted(mail_server(features=STARTTLS, context=trust.server, at_once=how == "SMTP_SSL")) as there:
        if how == "SMTP_SSL":
            with pytest.raises(ssl.SSLCertVerificationError) as caught:
                smtplib.SMTP_SSL("127.0.0.1", there.port)
        else:
            client = smtplib.SMTP("127.0.0.1", there.port)
            with pytest.raises(ssl.SSLCertVerificationError) as caught:
                client.starttls()
            assert client.sock is None
    error: Any = caught.value
    assert b"AUTH" not in there.heard and b"mail" not in there.heard
    assert error.reason == "CERTIFICATE_VERIFY_FAILED" and error.verify_code in (18, 19, 20, 21)
    assert error.args[0] == 1 and "certificate verify failed" in str(error).splitlines()[0]
    with scripted(mail_server(context=trust.server, at_once=True)) as other:
        digest = fingerprint(other.port)
    assert f'context=TLS(pin="{digest}")' in str(error)
    assert 'context=TLS(ca_file="ca.pem")' in str(error)
    assert str(error).index("Compare it first") < str(error).index("context=")
    assert error.phase == "tls" and error.diagnosis.kind.startswith("cert")


def test_the_lines_that_the_error_shows_are_right(trust: Trust) -> None:
    """Whoever does what the text says gets in: the pin is taken from it as it stands."""
    with scripted(mail_server(features=STARTTLS, context=trust.server)) as there:
        with pytest.raises(ssl.SSLError) as caught:
            smtplib.SMTP("127.0.0.1", there.port).starttls()
        line = next(line for line in str(caught.value).splitlines() if "pin=" in line)
        with smtplib.SMTP("127.0.0.1", there.port) as client:
            assert client.starttls(**eval(f"dict({line.strip()})", {"TLS": TLS}))[0] == 220


def test_the_certificate_of_another_host(elsewhere: Trust) -> None:
    with scripted(mail_server(features=STARTTLS, context=elsewhere.server)) as there:
        with pytest.raises(ssl.SSLCertVerificationError, match=r"not for 127\.0\.0\.1"):
            smtplib.SMTP("127.0.0.1", there.port).starttls(context=elsewhere.client)
        with smtplib.SMTP("127.0.0.1", there.port) as client:
            client.starttls(context=TLS(ca_file=elsewhere.ca_file, name="mail.example.org"))
        client = smtplib.SMTP("127.0.0.1", there.port)
        client._host = "mail.example.org"  # how it is done with the original
        client.starttls(context=elsewhere.client)
        client.quit()


def test_another_pin(trust: Trust) -> None:
    with scripted(mail_server(features=STARTTLS, context=trust.server)) as there:
        client = smtplib.SMTP("127.0.0.1", there.port)
        with pytest.raises(ssl.SSLCertVerificationError, match="not the pinned one"):
            client.starttls(context=TLS(pin="00" * 32))
        assert client.sock is None


def test_a_context_that_checks_nothing_is_the_callers_word(trust: Trust) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with scripted(mail_server({"auth": "235 in"}, STARTTLS, context=trust.server)) as there:
        with smtplib.SMTP("127.0.0.1", there.port) as client:
            client.starttls(context=context)
            assert client.login("ada", "secret")[0] == 235


def test_the_name_is_that_of_connect_where_the_constructor_had_none(trust: Trust) -> None:
    with scripted(mail_server(features=STARTTLS, context=trust.server)) as there:
        client = smtplib.SMTP()
        client.connect("localhost", there.port)
        assert client.starttls(context=trust.client)[0] == 220
        assert isinstance(client.sock, ssl.SSLSocket) and client.sock.server_hostname == "localhost"
        client.quit()
        client.connect(f"127.0.0.1:{there.port}")
        assert client.starttls(context=trust.client)[0] == 220
        assert client.sock.server_hostname == "127.0.0.1"
        client.quit()


@pytest.mark.parametrize("late", [False, True])
def test_bytes_behind_the_220_end_it(late: bool, trust: Trust) -> None:
    def act(client: Client) -> None:
        client.say("220 mx.example")
        client.line()
        client.say("250-mx.example", "250 STARTTLS")
        client.line()
        client.say("220 go ahead", "250 injected") if not late else client.say("220 go", "220-half of a reply")
        client.line()

    with scripted(act) as there:
        client = smtplib.SMTP("127.0.0.1", there.port)
        with pytest.raises(smtplib.SMTPException, match="unencrypted data behind its answer to STARTTLS"):
            client.starttls(context=trust.client)
        assert client.sock is None
    assert there.heard.endswith(b"STARTTLS\r\n")


def test_starttls_refused(trust: Trust) -> None:
    with (
        scripted(mail_server({"star": "454 4.7.0 not now"}, STARTTLS)) as there,
        smtplib.SMTP("127.0.0.1", there.port) as client,
    ):
        with pytest.raises(smtplib.SMTPResponseException) as caught:
            client.starttls()
        assert (caught.value.smtp_code, caught.value.smtp_error) == (454, b"4.7.0 not now")
        assert client.noop()[0] == 250


def test_starttls_that_is_missing() -> None:
    with scripted(mail_server()) as there, smtplib.SMTP("127.0.0.1", there.port) as client:
        with pytest.raises(smtplib.SMTPNotSupportedError, match="STARTTLS extension not supported by server"):
            client.starttls()


def test_tls_to_a_server_that_begins_in_plain_text() -> None:
    with scripted(mail_server()) as there, pytest.raises(ssl.SSLError) as caught:
        smtplib.SMTP_SSL("127.0.0.1", there.port)
    assert "does not speak TLS on this port" in str(caught.value) and "pin" not in str(caught.value)


def test_a_server_that_leaves_during_the_handshake() -> None:
    def act(client: Client) -> None:
        client.sock.recv(1)

    with scripted(act) as there, pytest.raises(OSError) as caught:
        smtplib.SMTP_SSL("127.0.0.1", there.port)
    assert not isinstance(caught.value, original.SMTPException)
    assert "TLS handshake" in str(caught.value)


def test_a_server_that_says_nothing_during_the_handshake() -> None:
    def act(client: Client) -> None:
        while client.sock.recv(65536):
            pass

    with scripted(act) as there, pytest.raises(TimeoutError, match="TLS handshake"):
        smtplib.SMTP_SSL("127.0.0.1", there.port, timeout=0.3)


# The context.


def test_the_context_of_smtp_ssl_is_ones_own() -> None:
    one, other = smtplib.SMTP_SSL(), smtplib.SMTP_SSL()
    assert one.context is one.context and one.context is not other.context
    assert one.context.verify_mode == ssl.CERT_REQUIRED and one.context.check_hostname
    one.context.check_hostname = False
    assert other.context.check_hostname and smtplib.SMTP_SSL().context.check_hostname


def test_what_is_changed_in_the_context_counts(trust: Trust) -> None:
    with scripted(mail_server(context=trust.server, at_once=True)) as there:
        client = smtplib.SMTP_SSL(local_hostname="c")
        client.context.load_verify_locations(trust.ca_file)
        assert client.connect("127.0.0.1", there.port)[0] == 220
        client.close()
        client.context = trust.client
        assert client.connect("127.0.0.1", there.port)[0] == 220
        client.quit()


def test_a_pin_holds_whatever_happens_to_the_context(trust: Trust) -> None:
    with scripted(mail_server(context=trust.server, at_once=True)) as there:
        client = smtplib.SMTP_SSL(context=TLS(pin="00" * 32), local_hostname="c")
        assert client.context.verify_mode == ssl.CERT_NONE  # the pin is checked instead
        with pytest.raises(ssl.SSLError, match="not the pinned one"):
            client.connect("127.0.0.1", there.port)


@pytest.mark.parametrize("given", ["certfile", "keyfile"])
def test_files_of_older_signatures_exclude_a_context(given: str, trust: Trust) -> None:
    files: Any = {given: "x"}
    with pytest.raises(ValueError, match=f"context and {given} arguments are mutually exclusive"):
        smtplib.SMTP_SSL(context=trust.client, **files)
    with pytest.raises(ValueError, match=f"context and {given} arguments are mutually exclusive"):
        smtplib.SMTP().starttls(context=trust.client, **files)


def test_a_client_certificate_in_files(tmp_path: Any, trust: Trust) -> None:
    import trustme

    authority = trustme.CA()
    ours, path = authority.issue_cert("client@example.org"), tmp_path / "client.pem"
    ours.private_key_and_cert_chain_pem.write_to_path(path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    seen = []

    def act(client: Client) -> None:
        client.encrypt(server)
        seen.append(client.sock.getpeercert())  # type: ignore[attr-defined]
        mail_server()(client)

    with scripted(act) as there:
        with pytest.warns(DeprecationWarning, match="use a custom context instead"):
            client = smtplib.SMTP_SSL(certfile=path, local_hostname="c")
        authority.configure_trust(client.context)
        client.connect("127.0.0.1", there.port)
        client.quit()
    assert seen[0]["subjectAltName"] == (("email", "client@example.org"),)


def test_a_client_certificate_that_is_not_there() -> None:
    with scripted(mail_server({"star": "220 go"}, STARTTLS)) as there:
        client = smtplib.SMTP("127.0.0.1", there.port)
        with pytest.warns(DeprecationWarning), pytest.raises(OSError, match="client certificate"):
            client.starttls(certfile="/nowhere/cert.pem", keyfile="/nowhere/key.pem")


# Subclasses and sockets of the caller's.


def test_a_subclass_that_wraps_its_socket_itself(trust: Trust) -> None:
    class Own(smtplib.SMTP_SSL):
        def _get_socket(self, host: str, port: int, timeout: float) -> Any:
            plain = socket.create_connection((host, port))
            return self.context.wrap_socket(plain, server_hostname="localhost")

    with scripted(mail_server({"auth": "235 in"}, ("mx", "AUTH PLAIN"), context=trust.server, at_once=True)) as there:
        with Own("127.0.0.1", there.port, context=trust.client) as client:
            assert client.login("ada", "secret") == (235, b"in")


def test_a_subclass_that_asks_for_the_socket_of_smtp_ssl(trust: Trust) -> None:
    class Own(smtplib.SMTP_SSL):
        def _get_socket(self, host: str, port: int, timeout: float) -> Any:
            made = super()._get_socket(host, port, timeout)
            assert isinstance(made, ssl.SSLSocket)
            return made

    with (
        scripted(mail_server(context=trust.server, at_once=True)) as there,
        Own("127.0.0.1", there.port, context=trust.client) as client,
    ):
        assert client.noop() == (250, b"ok")


def test_a_caller_who_encrypts_by_hand(trust: Trust) -> None:
    """How it was done before there was `starttls`."""
    with scripted(mail_server({"auth": "235 in"}, STARTTLS, context=trust.server)) as there:
        client = smtplib.SMTP("127.0.0.1", there.port, "c")
        client.ehlo()
        assert client.docmd("STARTTLS")[0] == 220
        assert client.sock is not None
        client.sock = trust.client.wrap_socket(client.sock, server_hostname="localhost")
        client.file = None
        client.ehlo()
        client.ALLOW_CLEARTEXT_LOGIN = False
        assert client.login("ada", "secret") == (235, b"in")
        client.quit()


def test_a_context_that_wraps_in_its_own_way(trust: Trust) -> None:
    class Context(ssl.SSLContext):
        def wrap_socket(self, sock: Any, *args: Any, **options: Any) -> Any:
            return super().wrap_socket(sock, *args, **{**options, "server_hostname": "localhost"})

    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(trust.ca_file)
    with (
        scripted(mail_server(features=STARTTLS, context=trust.server)) as there,
        smtplib.SMTP("127.0.0.1", there.port) as client,
    ):
        client.starttls(context=context)
        assert client.sock is not None and client.sock.server_hostname == "localhost"  # type: ignore[attr-defined]
