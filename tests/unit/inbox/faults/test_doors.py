"""TLS from the first byte, LMTP, and clients that knock at the wrong door."""

from __future__ import annotations

import smtplib
import ssl

import pytest

from mailwright import Inbox, Mailer, Message, Server, explain
from mailwright.errors import ContentRefused, DeliveryError, TLSError
from mailwright.inbox import Rules
from mailwright.options import TLS, Timeouts

MESSAGE = Message("ada@example.org", ["grace@example.net", "bob@example.net"], "Hello", "Hi!")


def failure(server: Server) -> DeliveryError:
    with Mailer(server) as mailer, pytest.raises(DeliveryError) as caught:
        mailer.send(MESSAGE)
    return caught.value


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("certificate expired", "cert-expired"),
        ("certificate self-signed", "cert-self-signed"),
        ("certificate wrong-name", "cert-hostname-mismatch"),
        ("tls_alert 40", "tls-no-cipher"),
        ("drop tls", "tls-eof"),
        ("drop connect", "tls-eof"),
        ("drop greeting", "closed-at-greeting"),
        ("greeting", "greeting-421"),
        ("after_dot", "lost-after-content"),
    ],
)
def test_with_tls_from_the_first_byte(fault: str, kind: str) -> None:
    with Inbox(security="tls") as inbox, inbox.faults.add(fault) as armed:
        error = failure(inbox.server)
        assert armed.fired and error.diagnosis is not None and error.diagnosis.kind == kind


def test_lmtp_refuses_for_each_recipient() -> None:
    with Inbox(tls=False, rules=Rules(protocol="lmtp")) as inbox:
        with inbox.faults.disk_full():
            error = failure(inbox.server)
        assert isinstance(error, ContentRefused) and error.temporary and inbox.messages == ()
        with Mailer(inbox.server) as mailer:
            mailer.send(MESSAGE)
        assert len(inbox.messages) == 1


def test_tls_to_the_port_of_starttls() -> None:
    with Inbox() as inbox:
        wrong = Server("127.0.0.1", inbox.server.port, "tls", tls=TLS(ca_file=inbox.server.tls.ca_file))
        error = failure(wrong)
    assert error.diagnosis is not None and error.diagnosis.kind == "tls-on-starttls-port"


def test_no_tls_to_the_port_of_tls() -> None:
    with Inbox(security="tls") as inbox:
        error = failure(Server("127.0.0.1", inbox.server.port, "none", timeouts=Timeouts(reply=0.3)))
    assert explain(error, port=465, security="none").kind in {"closed-plain-on-465", "greeting-timeout"}


def test_starttls_is_forgotten() -> None:
    with Inbox(speaks_as="gmail", login=("ada@gmail.com", "abcdabcdabcdabcd")) as inbox:
        with smtplib.SMTP("127.0.0.1", inbox.server.port) as client, pytest.raises(smtplib.SMTPSenderRefused) as caught:
            client.sendmail("ada@gmail.com", ["grace@example.net"], b"Subject: x\r\n\r\nx\r\n")
    assert explain(caught.value).kind == "must-starttls"


def test_the_account_password_at_gmail() -> None:
    with Inbox(speaks_as="gmail", login=("ada@gmail.com", "Correct Horse 1")) as inbox:
        context = ssl.create_default_context(cafile=inbox.server.tls.ca_file)
        with smtplib.SMTP("127.0.0.1", inbox.server.port) as client:
            client.starttls(context=context)
            with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
                client.login("ada@gmail.com", "Correct Horse 1")
    assert explain(caught.value).kind == "gmail-534-app-password"


def test_without_tls_a_broken_certificate_never_happens() -> None:
    with Inbox(tls=False) as inbox, inbox.faults.certificate() as armed:
        with Mailer(inbox.server) as mailer:
            mailer.send(MESSAGE)
        assert not armed.fired


def test_a_good_certificate_comes_back() -> None:
    with Inbox() as inbox:
        with inbox.faults.certificate(times=1):
            assert isinstance(failure(inbox.server), TLSError)
            with Mailer(inbox.server) as mailer:
                mailer.send(MESSAGE)


def test_what_is_said_behind_starttls_is_not_obeyed_whatever_is_late() -> None:
    import socket

    with Inbox() as inbox:
        inbox.faults.add("starttls delay=0.2")
        with socket.create_connection(("127.0.0.1", inbox.server.port), 20) as client:
            client.recv(1000)
            client.sendall(b"EHLO x\r\n")
            client.recv(1000)
            client.sendall(b"STARTTLS\r\n")
            client.sendall(b"MAIL FROM:<eve@example.org>\r\n")
            heard = b""
            try:
                while data := client.recv(1000):
                    heard += data
            except ConnectionResetError:
                pass
        assert b"250" not in heard and inbox.messages == ()
