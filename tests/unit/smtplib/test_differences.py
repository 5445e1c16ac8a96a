"""What is meant to differ from the original, each with both sides where the original's can be shown."""

from __future__ import annotations

import smtplib as original
from email.message import EmailMessage
from email.policy import SMTP as CRLF_POLICY
from typing import Any

import pytest

from mailwright import smtplib
from mailwright.errors import Unsupported
from tests.unit.smtplib.scripted import CLOSE, Client, mail_server, scripted

ADA, BOB, EVE = "ada@example.org", "bob@example.net", "eve@example.net"
SEVEN_BIT = ("mx.example", "SIZE 1000000")
GREETING = "Subject: Hi\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"


def sent(module: Any, message: Any, features: tuple[str, ...] | None = None, **options: Any) -> bytes:
    """What a server hears of ``sendmail``."""
    server = mail_server() if features is None else mail_server(features=features)
    with scripted(server) as there, module.SMTP("127.0.0.1", there.port, "c") as client:
        assert client.sendmail(ADA, BOB, message, **options) == {}
    return there.heard


def content(heard: bytes) -> bytes:
    return heard.split(b"data\r\n")[1].split(b"\r\n.\r\n")[0] + b"\r\n"


# Line ends.


@pytest.mark.parametrize(
    "given",
    [
        b"Subject: x\n\nhi\n",
        b"Subject: x\r\rhi\r",
        b"Subject: x\n\r\nhi\r",
        b"Subject: x\r\n\r\nhi\r\n",
        bytearray(b"Subject: x\n\nhi"),
    ],
)
def test_octets_go_out_with_crlf(given: bytes) -> None:
    heard = sent(smtplib, given)
    assert content(heard) == b"Subject: x\r\n\r\nhi\r\n"
    assert heard.count(b"\n") == heard.count(b"\r") == heard.count(b"\r\n")
    if b"\r\n\r\n" not in given:
        assert b"\r\n\r\n" not in sent(original, bytes(given))


def test_a_dot_behind_a_bare_line_feed_ends_no_message() -> None:
    smuggled = b"Subject: x\r\n\r\nhi\n.\r\nmail from:<eve@example.net>\r\n"
    assert content(sent(smtplib, smuggled)) == b"Subject: x\r\n\r\nhi\r\n..\r\nmail from:<eve@example.net>\r\n"


@pytest.mark.parametrize(
    "pieces", [["NOOP\n"], ["NOOP\r\n"], ["NO", "OP", "\r", "\n"], [b"NOOP\r", b"\n"], ["NOOP\r", "RSET\r\n"]]
)
def test_send_has_crlf_too(pieces: list[Any]) -> None:
    with scripted(mail_server()) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        for piece in pieces:
            client.send(piece)
        assert client.getreply() == (250, b"ok")
        if pieces[-1] == "RSET\r\n":
            assert client.getreply() == (250, b"ok")
    assert there.heard.count(b"\n") == there.heard.count(b"\r\n")


def test_the_socket_takes_octets_as_they_are() -> None:
    with scripted(mail_server()) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        assert client.sock is not None
        client.sock.sendall(b"NOOP\n")
        assert client.getreply() == (250, b"ok")
    assert there.heard.startswith(b"NOOP\n")


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f", "\t"])
def test_a_control_character_in_a_command(character: str) -> None:
    with scripted(mail_server()) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        with pytest.raises(ValueError, match="control character"):
            client.docmd("NOOP", f"a{character}b")
        with pytest.raises(ValueError, match="control character"):
            client.mail(f'"a{character}b"@example.org')
    assert there.heard == b"QUIT\r\n"


# 8-bit content.


def test_8_bit_content_is_encoded_anew_where_8bitmime_is_missing() -> None:
    message = (GREETING + "Viele Grüße an alle, die das lesen\r\n").encode()
    heard = sent(smtplib, message, SEVEN_BIT)
    assert heard.isascii()
    assert b"Content-Transfer-Encoding: quoted-printable\r\n" in heard and b"Gr=C3=BC=C3=9Fe" in heard
    assert f"size={len(content(heard))}".encode() in heard
    assert not sent(original, message, SEVEN_BIT).isascii()


def test_8_bit_content_is_announced_where_8bitmime_is_offered() -> None:
    message = (GREETING + "Grüße\r\n").encode()
    assert b"> size=" + str(len(message)).encode() + b" body=8bitmime\r\n" in sent(smtplib, message)
    assert sent(smtplib, message, mail_options=["BODY=8BITMIME"]).lower().count(b"body=8bitmime") == 1
    assert b"body=" not in sent(smtplib, b"Subject: x\r\n\r\nhi")
    assert content(sent(smtplib, message)) == message


def test_a_message_of_the_email_package_for_an_old_server() -> None:
    message = EmailMessage(policy=CRLF_POLICY)
    message["From"], message["To"], message["Subject"] = ADA, BOB, "Grüße"
    message.set_content("Grüße\n", cte="8bit")
    with scripted(mail_server({"ehlo": "502 what?"})) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        assert client.send_message(message) == {}
    assert there.heard.isascii() and b"Gr=C3=BC=C3=9Fe" in there.heard
    assert b"mail from:<ada@example.org>\r\n" in there.heard


@pytest.mark.parametrize("field", ["DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=a; h=from; bh=a; b=a\r\n", ""])
def test_what_is_signed_is_not_touched(field: str) -> None:
    kind = "multipart/signed; boundary=x" if not field else "text/plain; charset=utf-8"
    body = "--x\r\n\r\nGrüße\r\n--x--\r\n"
    message = f"{field}Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: {kind}\r\n\r\n{body}".encode()
    with scripted(mail_server(features=SEVEN_BIT)) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        with pytest.raises(smtplib.SMTPNotSupportedError, match="it is signed"):
            client.sendmail(ADA, BOB, message)
        assert client.noop() == (250, b"ok")
    assert b"mail" not in there.heard


def test_what_can_not_be_encoded_anew() -> None:
    with scripted(mail_server(features=SEVEN_BIT)) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        with pytest.raises(smtplib.SMTPNotSupportedError, match="8BITMIME") as caught:
            client.sendmail(ADA, BOB, "Content-Transfer-Encoding: base64\r\n\r\nGrüße!\r\n".encode())
    assert caught.value.__cause__ is not None and not isinstance(caught.value.__cause__, Unsupported)


# Recipients.


def test_an_address_that_is_named_twice_and_refused() -> None:
    """The original counts the refused addresses, not the refusals, and goes on to DATA without a recipient."""
    with scripted(mail_server({"rcpt": "550 no"})) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            client.sendmail(ADA, [BOB, BOB], "x")
    assert caught.value.recipients == {BOB: (550, b"no")}
    assert b"data" not in there.heard


def test_recipients_without_a_length_are_refused_before_anything_is_said() -> None:
    with scripted(mail_server()) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        client.ehlo()
        with pytest.raises(TypeError):
            client.sendmail(ADA, (each for each in [BOB]), "x")  # type: ignore[arg-type]
    assert b"mail" not in there.heard


# A message that is none.


@pytest.mark.parametrize("given", [7, None, ["a"], object()])
def test_a_message_of_another_type(given: Any) -> None:
    with (
        scripted(mail_server()) as there,
        smtplib.SMTP("127.0.0.1", there.port, "c") as client,
        pytest.raises(TypeError),
    ):
        client.sendmail(ADA, BOB, given)


def test_text_that_is_not_ascii_says_what_to_do() -> None:
    with scripted(mail_server()) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        with pytest.raises(UnicodeEncodeError) as caught:
            client.sendmail(ADA, BOB, "Subject: Grüße\n\nHi")
    assert any("send_message()" in note for note in caught.value.__notes__)


# A connection that ends.


@pytest.mark.parametrize(
    ("replies", "greeting", "phase", "words"),
    [
        ({}, CLOSE, "greeting", "before it greeted us"),
        ({"ehlo": CLOSE}, "220 mx", "ehlo", "while it introduced itself"),
        ({"mail": CLOSE}, "220 mx", "mail", "when told the sender"),
        ({"rcpt": CLOSE}, "220 mx", "rcpt", "when told the recipients"),
        ({"data": CLOSE}, "220 mx", "data", "before the content"),
        ({".": CLOSE}, "220 mx", "final reply", "after the whole content was sent"),
    ],
)
def test_a_closed_connection_says_where(replies: dict[str, Any], greeting: str, phase: str, words: str) -> None:
    with scripted(mail_server(replies, greeting=greeting)) as there:
        with pytest.raises(original.SMTPServerDisconnected) as caught:
            smtplib.SMTP("127.0.0.1", there.port, "c").sendmail(ADA, BOB, "x")
    error: Any = caught.value
    assert error.args == ("Connection unexpectedly closed",)
    assert str(error).startswith("Connection unexpectedly closed\n") and words in str(error)
    assert error.phase == phase and error.__cause__.in_doubt == (phase == "final reply")
    if phase == "final reply":
        assert "sending it again" in str(error.__cause__)


def test_a_refusal_in_the_middle_of_the_content_is_told() -> None:
    def act(client: Client) -> None:
        client.say("220 mx")
        for reply in ("250 mx", "250 ok", "250 ok", "354 go on"):
            client.line()
            client.say(reply)
        client.sock.recv(1)
        client.say("552 5.3.4 too big")

    with scripted(act) as there:
        client = smtplib.SMTP("127.0.0.1", there.port, "c")
        with pytest.raises(smtplib.SMTPServerDisconnected) as caught:
            client.sendmail(ADA, BOB, b"x" * 50_000_000)
    assert client.sock is None
    assert caught.value.phase == "content"


# Limits.


@pytest.mark.parametrize("what", [b"250-" + b"a" * 8000 + b"\r\n", b"250-a\r\n"])
def test_a_reply_that_does_not_end(what: bytes) -> None:
    def act(client: Client) -> None:
        client.say("220 mx")
        client.line()
        try:
            while True:
                client.sock.sendall(what * 100)
        except OSError:
            pass

    with scripted(act) as there:
        client = smtplib.SMTP("127.0.0.1", there.port, "c")
        with pytest.raises(smtplib.SMTPResponseException, match="does not end"):
            client.noop()
        assert client.sock is None


def test_octets_that_are_no_reply_and_have_no_end() -> None:
    """A TLS or SSH server waits for us: the original waits, too."""

    def act(client: Client) -> None:
        client.sock.sendall(b"\x15\x03\x01\x00\x02\x02\x50 and more")
        client.line()

    with scripted(act) as there, pytest.raises(smtplib.SMTPConnectError) as caught:
        smtplib.SMTP("127.0.0.1", there.port, "c")
    assert caught.value.smtp_code == -1 and "TLS" in str(caught.value)


def test_a_trickle_does_not_hold_us_for_ever() -> None:
    def act(client: Client) -> None:
        client.sock.settimeout(0.1)
        for _ in range(100):
            client.sock.sendall(b"2")
            try:
                if not client.sock.recv(1):
                    return
            except TimeoutError:
                pass

    with scripted(act) as there, pytest.raises(smtplib.SMTPServerDisconnected, match=r"within 0\.3 seconds"):
        smtplib.SMTP("127.0.0.1", there.port, "c", 0.3)
