"""The inbox as a whole: real sockets on the loopback interface, other people's clients and our own."""

from __future__ import annotations

import asyncio
import base64
import gc
import os
import smtplib
import socket
import ssl
import stat
import sys
import threading
from email.message import EmailMessage
from pathlib import Path

import pytest

from mailwright import AsyncMailer, Login, Mailer, Message, Server
from mailwright.inbox import Inbox, Received, Rules
from mailwright.inbox.listening import CONNECTIONS
from mailwright.testing import assert_sent
from mailwright.words.errors import ConfigError, MailError, MissingExtra, RecipientsRefused, Refused, Timeout
from mailwright.words.reply import Reply

HELLO = Message("ada@example.org", "bob@example.org", "Hello", "Text\n.\n..dots")


def deliver(inbox: Inbox, to: str = "bob@example.org", subject: str = "Hello", sender: str = "a@b.org") -> None:
    with smtplib.SMTP(inbox.server.host, inbox.server.port) as client:
        client.sendmail(sender, to, f"Subject: {subject}\r\n\r\nText\r\n")


def connect(inbox: Inbox) -> socket.socket:
    return socket.create_connection((inbox.server.host, inbox.server.port), timeout=20)


def hear(sock: socket.socket) -> bytes:
    """Everything until the other side closes."""
    heard = b""
    while data := sock.recv(65536):
        heard += data
    return heard


# With our own mailer.


@pytest.mark.parametrize(
    "inbox",
    [
        Inbox(tls=False),
        Inbox(),
        Inbox(tls=True, security="tls"),
        Inbox(login=("ada", "secret")),
        Inbox(login=("ada", "sécret ☃"), tls=False),
        Inbox(login=("ada", "secret"), security="tls"),
        Inbox(login=Login("ada", "secret", mechanism="SCRAM-SHA-256-PLUS")),
        Inbox(login=Login("ada", token="token")),
        Inbox(rules=Rules(extensions=())),
        Inbox(rules=Rules(protocol="lmtp")),
    ],
    ids=["clear", "default", "tls", "login", "login in clear", "login over tls", "bound", "token", "bare", "lmtp"],
)
def test_a_message_from_our_mailer(inbox: Inbox) -> None:
    with inbox, Mailer(inbox.server) as mailer:
        receipt = mailer.send(HELLO)
        assert receipt.complete
        received = inbox.wait(to="bob@example.org")
        assert received.message.subject == "Hello"
        assert received.message.text == HELLO.text
        assert received.login == receipt.login == (inbox.server.login.user if inbox.server.login else None)
        assert (received.tls is None) == (receipt.tls is None) == (inbox.server.security == "none")
        assert received.peer == "127.0.0.1"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_the_url_leads_to_the_same_place(security: str) -> None:
    with Inbox(login=("a/d@a", "se:cr@t?"), security=security) as inbox:  # type: ignore[arg-type]
        server = Server.from_url(inbox.url)
        assert server == inbox.server
        with Mailer(server) as mailer:
            mailer.send(HELLO)
        assert inbox.wait(to="bob@example.org").login == "a/d@a"


@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
def test_the_url_without_tls(protocol: str) -> None:
    with Inbox(tls=False, rules=Rules(protocol=protocol)) as inbox:  # type: ignore[arg-type]
        assert Server.from_url(inbox.url) == inbox.server


def test_a_wrong_password_is_not_let_in() -> None:
    with Inbox(login=("ada", "secret")) as inbox, smtplib.SMTP("127.0.0.1", inbox.server.port) as client:
        client.starttls(context=ssl.create_default_context(cafile=inbox.server.tls.ca_file))
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("ada", "wrong")
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.sendmail("a@b.org", "c@d.org", "Text")


def test_the_certificate_is_for_this_inbox_alone() -> None:
    with Inbox() as one, Inbox() as other:
        server = Server("127.0.0.1", one.server.port, "starttls", tls=other.server.tls)
        with Mailer(server) as mailer, pytest.raises(MailError, match="certificate"):
            mailer.send(HELLO)


def test_refusals_and_answers() -> None:
    def answer(received: Received) -> Reply | None:
        return Reply(554, ("5.7.1 Looks like spam",)) if "spam" in received.subject else None

    with Inbox(refuse={"nobody": "550 5.1.1 No such mailbox"}, answer=answer) as inbox:
        with Mailer(inbox.server) as mailer:
            with pytest.raises(RecipientsRefused) as caught:
                mailer.send(Message("a@b.org", ["bob@example.org", "nobody@example.org"], "One", "Text"))
            assert caught.value.receipt is not None
            assert [str(outcome.reply) for outcome in caught.value.receipt.refused] == ["550 5.1.1 No such mailbox"]
            with pytest.raises(Refused, match="Looks like spam"):
                mailer.send(Message("a@b.org", "bob@example.org", "spam", "Text"))
        assert [received.subject for received in inbox.messages] == ["One"]


def test_an_answer_that_fails_is_shown_to_who_waits() -> None:
    def answer(received: Received) -> None:
        raise KeyError("a mistake in the test")

    with Inbox(answer=answer, tls=False) as inbox:
        with pytest.raises(smtplib.SMTPDataError) as caught:
            deliver(inbox)
        assert caught.value.smtp_code == 451
        with pytest.raises(Timeout) as waited:
            inbox.wait(timeout=0)
        assert isinstance(waited.value.__cause__, KeyError)
        assert isinstance(inbox.problem, KeyError)


# With other clients.


def test_smtplib_with_everything() -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ada@example.org", "bob@example.org", "Grüße"
    message.set_content("Text with ☃\n.\n..")
    with Inbox(login=("ada", "secret")) as inbox:
        with smtplib.SMTP("127.0.0.1", inbox.server.port) as client:
            client.starttls(context=ssl.create_default_context(cafile=inbox.server.tls.ca_file))
            client.login("ada", "secret")
            client.send_message(message)
            assert client.verify("bob")[0] == 252
            assert client.noop()[0] == 250
            assert b"BDAT" in client.help()
        received = inbox.wait(subject="Grüße")
        assert (received.login, received.message.text) == ("ada", "Text with ☃\n.\n..")


def test_smtplib_over_tls_and_lmtp() -> None:
    with Inbox(security="tls") as inbox:
        context = ssl.create_default_context(cafile=inbox.server.tls.ca_file)
        with smtplib.SMTP_SSL("127.0.0.1", inbox.server.port, context=context) as client:
            client.sendmail("a@b.org", "c@d.org", "Subject: over TLS\r\n\r\n")
        assert inbox.wait(subject="over TLS").tls is not None
    with Inbox(rules=Rules(protocol="lmtp"), tls=False) as inbox:
        with smtplib.LMTP("127.0.0.1", inbox.server.port) as client:
            client.sendmail("a@b.org", "c@d.org", "Subject: local\r\n\r\n")
        assert inbox.wait(subject="local").hello


def test_asyncio_sends_and_waits_in_one_task() -> None:
    async def main() -> str:
        async with Inbox() as inbox, AsyncMailer(inbox.server) as mailer:
            waiting = asyncio.create_task(inbox.wait_async(subject="Hello"))
            await mailer.send(HELLO)
            received = await waiting
            with pytest.raises(Timeout, match=r"to bob@example\.org: 'Hello'"):
                await inbox.wait_async(to="eve@example.org", timeout=0)
            return received.message.subject

    assert asyncio.run(main()) == "Hello"


# Waiting and looking.


def test_wait_finds_what_is_there_and_what_comes() -> None:
    with Inbox(tls=False) as inbox:
        deliver(inbox, "bob@example.org", "one")
        deliver(inbox, "eve@example.org", "two", "ada@example.org")
        assert inbox.wait().subject == "one"
        assert inbox.wait(to="eve@EXAMPLE.org").subject == "two"
        assert inbox.wait(sender="ada@example.org").subject == "two"
        assert inbox.wait(subject="tw").subject == "two"
        found: list[str] = []
        thread = threading.Thread(target=lambda: found.append(inbox.wait(subject="three", timeout=60).subject))
        thread.start()
        deliver(inbox, subject="still not it")
        deliver(inbox, subject="three")
        thread.join()
        assert found == ["three"]
        assert [received.subject for received in inbox.messages] == ["one", "two", "still not it", "three"]
        inbox.clear()
        assert inbox.messages == ()


def test_a_wait_in_vain_shows_what_arrived() -> None:
    with Inbox(tls=False) as inbox:
        with pytest.raises(Timeout, match="the inbox is empty"):
            inbox.wait(timeout=0)
        for number in range(12):
            deliver(inbox, f"r{number}@example.org", f"Subject {number}\x1b[31m")
        with pytest.raises(TimeoutError) as caught:
            inbox.wait(to="bob@example.org", subject="x", timeout=0)
        text = str(caught.value)
        assert isinstance(caught.value, MailError)
        assert "to='bob@example.org' and subject='x'" in text
        assert "12, the newest 10 of them" in text
        assert "r11@example.org: 'Subject 11" in text and "r1@" not in text
        assert "\x1b" not in text


def test_a_null_sender_can_be_waited_for() -> None:
    with Inbox(tls=False) as inbox:
        deliver(inbox, subject="a mail")
        deliver(inbox, subject="a report", sender="")
        assert inbox.wait(sender="").subject == "a report"


def test_the_oldest_make_room() -> None:
    with Inbox(tls=False, limit=3) as inbox:
        for number in range(5):
            deliver(inbox, subject=f"{number}")
        assert [received.subject for received in inbox.messages] == ["2", "3", "4"]
        assert inbox.dropped == 2
        assert inbox.wait(subject="4").subject == "4"
    with Inbox(tls=False, size_limit=25_000) as inbox:
        for number in range(5):
            deliver(inbox, subject=f"{number}" + "x" * 900 + "\r\n " * 3000)
        assert [received.subject[0] for received in inbox.messages] == ["3", "4"]


# Beginning and end.


def test_after_the_end_nothing_is_left() -> None:
    with Inbox() as inbox:
        port, path = inbox.server.port, Path(inbox.server.tls.ca_file or "")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        guest = connect(inbox)
        with pytest.raises(smtplib.SMTPException):
            deliver(inbox, "not an address")
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.sendmail("a@b.org", "c@d.org", "Subject: kept\r\n\r\n")
    with guest:
        assert hear(guest).startswith(b"220 ")  # and then the end, not a hang
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    assert not path.exists()
    assert not [thread for thread in threading.enumerate() if thread.name == "mailwright inbox"]
    assert inbox.messages[0].subject == "kept"
    with pytest.raises(ConfigError, match="not open"):
        _ = inbox.server
    inbox.close()
    gc.collect()


def test_an_inbox_can_be_opened_again() -> None:
    inbox = Inbox(tls=False)
    for subject in ("one", "two"):
        with inbox:
            deliver(inbox, subject=subject)
    assert [received.subject for received in inbox.messages] == ["one", "two"]


def test_a_port_that_is_taken() -> None:
    with Inbox(tls=False) as inbox:
        with pytest.raises(ConfigError, match=f"port {inbox.server.port}"):
            Inbox(tls=False, port=inbox.server.port).open()
        deliver(inbox)


def test_without_trustme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)  # what Python does for a module that must not be found
    with Inbox() as inbox:
        assert "mailwright[inbox]" in inbox.notice
        assert inbox.server.security == "none"
        deliver(inbox)
    with pytest.raises(MissingExtra, match=r"mailwright\[inbox\]"):
        Inbox(tls=True).open()
    with Inbox(tls=False) as inbox:
        assert inbox.notice == ""


def test_a_security_that_is_none() -> None:
    with pytest.raises(ConfigError):
        Inbox(security="ssl")  # type: ignore[arg-type]


# Hostile clients.


def test_a_hostile_client_disturbs_nobody() -> None:
    with Inbox(tls=False, rules=Rules(size=1000)) as inbox:
        hostile = [connect(inbox) for _ in range(20)]
        for number, sock in enumerate(hostile):
            sock.sendall(
                [b"", b"EHLO", b"\x16\x03\x01\x02\x00", b"BDAT 10\r\n", b"\r\n" * 9, b"\xff" * 9000][number % 6]
            )
        deliver(inbox)
        assert inbox.wait(to="bob@example.org").subject == "Hello"
        for sock in hostile:
            sock.close()
        deliver(inbox, subject="again")
        assert inbox.wait(subject="again")


def test_who_does_not_read_is_not_waited_for_by_others() -> None:
    with Inbox(tls=False) as inbox, connect(inbox) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(1)
        with pytest.raises(TimeoutError):
            for _ in range(10_000):  # replies to it pile up until the server takes no more of its commands
                deaf.sendall(b"EHLO c\r\n" * 4096)
        deliver(inbox)
        assert inbox.wait(to="bob@example.org")


def test_connections_are_limited() -> None:
    with Inbox(tls=False) as inbox:
        guests = []
        for _ in range(CONNECTIONS):
            guests.append(connect(inbox))
            assert guests[-1].recv(100).startswith(b"220 ")
        with connect(inbox) as late:
            assert hear(late).startswith(b"421 4.3.2 ")
        for guest in guests:
            guest.sendall(b"QUIT\r\n")
            hear(guest)
            guest.close()
        deliver(inbox)


def test_commands_behind_starttls_never_count() -> None:
    with Inbox() as inbox, connect(inbox) as sock:
        sock.sendall(b"EHLO c\r\nSTARTTLS\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\n.\r\n")
        heard = hear(sock)
        assert heard.splitlines()[-1].startswith(b"421 ")
        assert b"354" not in heard
        assert inbox.messages == ()


def test_no_secret_is_shown() -> None:
    with Inbox(login=("ada", "hunter2-canary")) as inbox:
        for shown in (repr(inbox), repr(inbox.server), str(inbox.server)):
            assert "canary" not in shown and base64.b64encode(b"hunter2-canary").decode() not in shown


def test_a_wait_in_vain_shows_the_faults_that_happened() -> None:
    with Inbox(tls=False) as inbox, Mailer(inbox.server) as mailer:
        for fault in ("rcpt reply='450 4.2.0 Later' times=1", *["says gmail 'mailbox full'"] * 6):
            with inbox.faults.add(fault), pytest.raises(MailError):
                mailer.send(Message("ada@example.org", "bob@example.org", "Hello", "Text"))
        with pytest.raises(Timeout) as caught:
            inbox.wait(timeout=0)
        assert "the inbox is empty.\nFaults that happened: 7, the last 5:\n  rcpt 'reply=452 4.2.2" in str(caught.value)
        assert "does the code send" not in str(caught.value) and "Check that the code" not in str(caught.value)
        with pytest.raises(Timeout, match="0 of 2 messages arrived(.|\\n)*Faults that happened: 7"):
            inbox.expect(2, timeout=0)
        mailer.send(Message("ada@example.org", "bob@example.org", "Hello", "Text"))
        with pytest.raises(Timeout, match="In the inbox: 1:(.|\\n)*'Hello'\\nFaults that happened: 7"):
            inbox.wait(subject="Other", timeout=0)
        with pytest.raises(AssertionError, match="other subject(.|\\n)*Faults that happened: 7"):
            assert_sent(inbox, subject="Other", timeout=0)


def test_a_fault_in_an_error_can_not_steer_a_terminal() -> None:
    with Inbox(tls=False) as inbox, Mailer(inbox.server) as mailer:
        with inbox.faults.add("rcpt", "reply", reply="550 \u202eno"), pytest.raises(MailError):
            mailer.send(HELLO)
        with pytest.raises(Timeout) as caught:
            inbox.wait(timeout=0)
    assert "\\u202eno" in str(caught.value) and "\u202e" not in str(caught.value)
