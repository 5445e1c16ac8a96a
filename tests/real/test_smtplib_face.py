"""The face against real servers, beside the original: the same calls, the same answers, the same octets in the mailbox."""

from __future__ import annotations

import smtplib as original
import ssl
import uuid
from email.message import EmailMessage
from typing import Any

import pytest

from mailwright import smtplib
from tests.servers import RealServer
from tests.servers.fixtures import real_servers

pytestmark = pytest.mark.real

SENDER, FRIEND = "ada@mail.test", "grace@analytical.test"
MODULES = {"smtplib": original, "mailwright.smtplib": smtplib}


@pytest.fixture(params=real_servers())
def server(request: pytest.FixtureRequest) -> RealServer:
    """Each real server in turn."""
    found: RealServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=MODULES)
def module(request: pytest.FixtureRequest) -> Any:
    """The original and ours."""
    return MODULES[request.param]


def enter(module: Any, real: RealServer, at_once: bool = False) -> Any:
    """A client, encrypted and logged in as far as the server can."""
    context = ssl.create_default_context(cafile=real.ca_file) if real.ca_file else None
    if at_once:
        client = module.SMTP_SSL(real.host, real.tls_port, "client.test", timeout=20, context=context)
    else:
        client = module.SMTP(real.host, real.port, "client.test", 20)
        if real.security == "starttls":
            assert client.starttls(context=context)[0] == 220
    if real.user and real.security != "none":
        assert client.login(real.user, real.password)[0] == 235
    return client


def raw(mark: str) -> bytes:
    return (
        f"From: {SENDER}\r\nTo: {FRIEND}\r\nSubject: {mark}\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{mark}@mail.test>\r\n\r\n.\r\n..\r\n.x\r\nthe end\r\n"
    ).encode()


@pytest.mark.parametrize("at_once", [False, True])
def test_octets_arrive_as_they_were_given(module: Any, server: RealServer, at_once: bool) -> None:
    if at_once and server.tls_port is None:
        at_once = False
    mark = f"mark{uuid.uuid4().hex}"
    client = enter(module, server, at_once)
    assert client.sendmail(SENDER, [FRIEND], raw(mark)) == {}
    assert client.quit()[0] == 221
    assert server.find(mark.encode()).endswith(raw(mark))


def test_refused_recipients(server: RealServer) -> None:
    accounts = []
    for module in MODULES.values():
        with enter(module, server) as client:
            some = client.sendmail(SENDER, [FRIEND, "reject.me@analytical.test", "later@analytical.test"], raw("some"))
            with pytest.raises(module.SMTPRecipientsRefused) as caught:
                client.sendmail(SENDER, ["reject.me@analytical.test"], raw("none"))
            accounts.append((some, caught.value.recipients, client.noop()[0], client.has_extn("size")))
    assert accounts[0] == accounts[1]
    assert {code for code, _ in accounts[1][0].values()} == {550, 450}


def test_a_message_of_the_email_package(module: Any, server: RealServer) -> None:
    mark = f"mark{uuid.uuid4().hex}"
    message = EmailMessage()
    message["From"], message["To"], message["Bcc"], message["Subject"] = SENDER, FRIEND, "carl@analytical.test", mark
    message.set_content("Grüße\n.\n")
    with enter(module, server) as client:
        assert client.send_message(message) == {}
    stored = server.find(mark.encode())
    assert b"carl@analytical.test" not in stored.partition(b"\r\nSubject:")[2] and b"Bcc" not in stored


def test_a_wrong_password(module: Any, server: RealServer) -> None:
    if not server.user or server.security == "none":
        return  # it has no login
    client = module.SMTP(server.host, server.port, "client.test", 20)
    client.starttls(context=ssl.create_default_context(cafile=server.ca_file))
    with pytest.raises(original.SMTPAuthenticationError) as caught:
        client.login(server.user, "wrong")
    assert caught.value.smtp_code in (535, 454)
    client.close()


def test_what_the_original_takes_for_a_login_is_one_here(server: RealServer) -> None:
    """Each mechanism that the server names and both know, by the caller's choice."""
    if not server.user or server.security == "none":
        return
    for mechanism in sorted(server.mechanisms & {"PLAIN", "LOGIN", "CRAM-MD5"}):
        with smtplib.SMTP(server.host, server.port, "client.test", 20) as client:
            client.starttls(context=ssl.create_default_context(cafile=server.ca_file))
            client.ehlo()
            client.user, client.password = server.user, str(server.password)
            assert client.auth(mechanism, getattr(client, f"auth_{mechanism.lower().replace('-', '_')}"))[0] == 235


def test_dovecot_answers_for_each_recipient(dovecot: RealServer) -> None:
    mark = f"mark{uuid.uuid4().hex}"
    with smtplib.LMTP(dovecot.host, dovecot.port, "client.test", timeout=20) as client:
        if dovecot.security == "starttls":
            client.starttls(context=ssl.create_default_context(cafile=dovecot.ca_file))
        refused = client.sendmail(SENDER, [FRIEND, "second@analytical.test"], raw(mark))
        assert refused == {} and client.noop()[0] == 250
    assert raw(mark) in dovecot.find(mark.encode())
