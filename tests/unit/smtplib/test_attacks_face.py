"""Nobody gets a credential out of the face who should not see it, and nobody's text steers a terminal."""

from __future__ import annotations

import base64
from email import message_from_bytes
from email.errors import MessageError
from email.mime.text import MIMEText
from typing import Any

import pytest

from mailwright import smtplib
from mailwright.options import TLS
from tests.unit.settings.test_secrecy import CANARY, leaks
from tests.unit.smtplib.scripted import CLOSE, mail_server, scripted

LINE = base64.b64encode(CANARY.encode()).decode()
FEATURES = ("mx.example", "AUTH PLAIN LOGIN", "SMTPUTF8", "8BITMIME")


def shown_by(error: BaseException | None) -> str:
    """All that an error and its causes show."""
    texts: list[str] = []
    while error is not None:
        texts += [str(error), repr(error), str(getattr(error, "transcript", ""))]
        error = error.__cause__
    return "\n".join(texts)


# Logins by hand


def test_a_login_that_went_out_of_step(capsys: pytest.CaptureFixture[str]) -> None:
    """The server did not ask, and the script says name and password all the same."""
    replies = {"auth": "503 5.5.1 not now", LINE[:4].lower(): f"500 5.5.1 what is {LINE}", "noop": CLOSE}
    with scripted(mail_server(replies, FEATURES)) as there:
        client = smtplib.SMTP("127.0.0.1", there.port, "c")
        client.set_debuglevel(1)
        client.ehlo()
        client.docmd("AUTH", "LOGIN")
        client.docmd(base64.b64encode(b"ada lovelace").decode())
        assert client.docmd(LINE) == (500, b"5.5.1 what is ***")
        with pytest.raises(smtplib.SMTPServerDisconnected) as caught:
            client.noop()
    assert not leaks(shown_by(caught.value)) and not leaks(capsys.readouterr().err)
    assert "C ***" in str(caught.value.__cause__.transcript)  # type: ignore[union-attr]


def test_commands_are_shown_all_the_same() -> None:
    with scripted(mail_server({"quit": CLOSE}, FEATURES)) as there:
        client = smtplib.SMTP("127.0.0.1", there.port, "c")
        for command in ("FROB", "rset", "NOOP", "help", "etrn", "FROB it"):
            client.docmd(command)
        with pytest.raises(smtplib.SMTPServerDisconnected) as caught:
            client.quit()
    told = str(caught.value.__cause__.transcript)  # type: ignore[union-attr]
    assert "***" not in told
    assert all(f"C {command}" in told for command in ("FROB", "rset", "NOOP", "help", "etrn", "FROB it"))


@pytest.mark.parametrize(
    "line", [f"AUTH PLAIN={LINE}", f"auth login {LINE} x", f" AUTH  PLAIN  {LINE}", f"AUTH PLAIN {LINE}"]
)
def test_an_odd_way_to_write_it(line: str) -> None:
    with scripted(mail_server({"auth": f"535 not {LINE}", "noop": CLOSE}, FEATURES)) as there:
        client = smtplib.SMTP("127.0.0.1", there.port, "c")
        response = client.docmd(line)
        with pytest.raises(smtplib.SMTPServerDisconnected) as caught:
            client.noop()
    assert not leaks(shown_by(caught.value)) and not leaks(repr(response))


@pytest.mark.parametrize("end", ["\n", "\t", "\x00", "\r\nRSET"])
@pytest.mark.parametrize("asked", [False, True])
def test_a_refused_line_does_not_show_the_credential(end: str, asked: bool) -> None:
    """As from `base64.encodebytes`, which ends its line."""
    with scripted(mail_server({"auth": "334 VXNlcm5hbWU6"}, FEATURES)) as there:
        with smtplib.SMTP("127.0.0.1", there.port, "c") as client:
            if asked:
                client.docmd("AUTH", "LOGIN")
            with pytest.raises(ValueError) as caught:
                client.docmd(LINE + end if asked else f"AUTH PLAIN {LINE}{end}")
            if not asked:
                with pytest.raises(ValueError, match="prohibited newline characters: noop.nquit"):
                    client.docmd("noop\nquit")
    assert not leaks(shown_by(caught.value))


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_a_server_that_repeats_the_password_in_clear(mechanism: str) -> None:
    """It was sent encoded, and comes back decoded."""
    challenge = base64.b64encode(b"<1@x>").decode()
    replies: dict[str, Any] = {"auth": f"535 not {CANARY}" if mechanism == "PLAIN" else f"334 {challenge}"}
    replies |= {base64.b64encode(text.encode()).decode()[:4].lower(): f"535 not {CANARY}" for text in (CANARY, "ada 0")}
    with scripted(mail_server(replies, FEATURES)) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        client.ehlo()
        client.user, client.password = "ada", CANARY
        method = getattr(client, f"auth_{mechanism.lower().replace('-', '_')}")
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            client.auth(mechanism, method)
    assert not leaks(shown_by(caught.value)) and b"not ***" in caught.value.smtp_error


# Texts of others


@pytest.mark.parametrize(
    "subject", ["x\n\nevil", "x\r\n\r\nevil", "x\nevil", "x\n\nsee https://example.com/", "x\nBcc: eve@example.com"]
)
@pytest.mark.parametrize("field", ["Subject", "To", "X-Name"])
def test_a_line_break_in_a_header_does_not_begin_the_body(field: str, subject: str) -> None:
    """The packages ``email`` of Python before 3.11.10 and 3.12.5 let it pass; newer ones raise an error of their own."""
    message = MIMEText("hello")
    message["From"], message["To"] = "ada@example.org", "bob@example.org"
    del message[field]
    message[field] = subject
    with scripted(mail_server()) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        with pytest.raises((ValueError, MessageError)):
            client.send_message(message, to_addrs="bob@example.org")
        assert client.noop()[0] == 250  # nothing was said that would have to be taken back
    assert b"evil" not in there.heard and b"mail " not in there.heard


def test_folded_and_odd_headers_go_out_as_they_are() -> None:
    raw = b"Subject: a\n b\nX-Empty:\nX-Twice: 1\nX-Twice: 2\nX-Long: " + b"word " * 300 + b"\n\nhello\n"
    with scripted(mail_server()) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        client.send_message(message_from_bytes(raw), "ada@example.org", "bob@example.org")
    assert b"X-Empty: \r\nX-Twice: 1\r\nX-Twice: 2\r\n" in there.heard and b"\r\n\r\nhello\r\n.\r\n" in there.heard


def test_a_nul_does_not_reach_the_wire() -> None:
    """Some servers drop it, and then find the end of a message where there is none."""
    text = b"Subject: x\r\n\r\nhi\r\n\0.\r\nmail from:<eve@example.com>\r\n"
    with scripted(mail_server()) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        client.sendmail("ada@example.org", "bob@example.org", text)
        with pytest.raises(smtplib.SMTPNotSupportedError, match="NUL.*signed"):
            client.sendmail("ada@example.org", "bob@example.org", b"DKIM-Signature: x\r\n" + text)
    assert b"\0" not in there.heard and b"\r\n=00.\r\nmail from:" in there.heard


def test_addresses_in_errors_steer_no_terminal() -> None:
    evil = "e\x9b31m\u202eve@example.org"
    with scripted(mail_server({"mail": "550 no", "rcpt": "550 no"}, FEATURES)) as there:
        for sender, to in ((evil, "bob@example.org"), ("ada@example.org", evil)):
            with smtplib.SMTP("127.0.0.1", there.port, "c") as client:
                if to == evil:
                    client.ehlo()
                    client.mail = lambda *_: (250, b"ok")  # type: ignore[method-assign]
                    client.command_encoding = "utf-8"
                with pytest.raises((smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused)) as caught:
                    client.sendmail(sender, [to], "Subject: x\n\nx", ["SMTPUTF8"])
            assert "\x9b" not in str(caught.value) and "\u202e" not in str(caught.value)


# Sockets


def test_a_name_that_can_t_be_encoded_leaves_no_connection_open() -> None:
    with scripted(mail_server({"star": "220 go"}, ("mx.example", "STARTTLS"))) as there:
        client = smtplib.SMTP("127.0.0.1", there.port, "c")
        with pytest.raises(OSError, match="can't stand in a certificate") as caught:
            client.starttls(context=TLS(name="\u2603" * 70))
        assert client.sock is None
    assert there.problems == [] and caught.value  # which holds all frames; the server saw the end nevertheless


# What is caught


def test_a_login_in_one_piece_with_something_else_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(mail_server(features=FEATURES)) as inbox:
        monkeypatch.setenv("MAILWRIGHT_CATCH", f"smtp://127.0.0.1:{inbox.port}")
        with smtplib.SMTP("smtp.example.org", 25, "c") as client:
            client.ehlo()
            client.send(f"NOOP\r\n auth plain {LINE}\r\n")
            assert client.getreply()[0] == 503 and client.noop()[0] == 250
            assert client.docmd("AUTH", f"PLAIN {LINE}")[0] == 235
    assert not leaks(inbox.heard.decode()) and inbox.heard.lower().count(b"noop\r\n") == 1


@pytest.mark.parametrize("text", [b"AUTH LOGIN\r\nhi\r\n", b"STARTTLS\r\n", b"Subject: x\r\n\r\nAUTH PLAIN x\r\n"])
def test_a_text_that_looks_like_a_login_is_a_text(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(mail_server()) as inbox:
        monkeypatch.setenv("MAILWRIGHT_CATCH", f"smtp://127.0.0.1:{inbox.port}")
        with smtplib.SMTP("smtp.example.org", 25, "c") as client:
            assert client.sendmail("ada@example.org", "bob@example.org", text) == {}
    assert b"data\r\n" + text + b".\r\n" in inbox.heard
