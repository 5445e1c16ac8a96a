"""The mail object: one value for whatever can be sent."""

from __future__ import annotations

import pickle
import subprocess
import sys
from email.message import EmailMessage
from email.mime.text import MIMEText
from pathlib import Path

import pytest

from mailwright.message.attachment import Attachment
from mailwright.message.mail import MailObject, mail_object
from mailwright.message.message import Message
from mailwright.words.address import Address
from mailwright.words.envelope import DSN, Envelope
from mailwright.words.errors import AddressError, MessageError, Unsupported

NOW = 1_700_000_000.0
TOKEN = "5f1c"
RAW = b"From: ada@example.org\r\nTo: bob@example.net\r\nSubject: Hello\r\n\r\nHello Bob\r\n"
OTHER = Envelope.of("bounces@example.org", "carol@example.com")


def made(given: object, **changes: object) -> MailObject:
    return mail_object(given, now=NOW, token=TOKEN, **changes)  # type: ignore[arg-type]


def octets(mail: MailObject, eight_bit: bool = False) -> bytes:
    return bytes(mail.content_for(eight_bit))


def specs(mail: MailObject) -> list[str]:
    return [one.spec for one in mail.envelope.recipients]


def email_message() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ada@example.org", "bob@example.net", "Hello"
    message.set_content("Hello Bob\n")
    return message


EVERY_KIND = {
    "message": lambda: Message("ada@example.org", "bob@example.net", "Hello", "Hello Bob\n"),
    "bytes": lambda: RAW,
    "bytearray": lambda: bytearray(RAW),
    "memoryview": lambda: memoryview(RAW),
    "str": lambda: RAW.decode(),
    "lf": lambda: RAW.replace(b"\r\n", b"\n"),
    "email": email_message,
    "mail object": lambda: made(RAW),
}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_kind_of_message_has_the_envelope_of_its_headers(kind: str) -> None:
    mail = made(EVERY_KIND[kind]())

    assert mail.envelope == Envelope.of("ada@example.org", "bob@example.net")
    assert mail.message_id == f"<{TOKEN}@example.org>"
    sent = octets(mail)
    assert f"Message-ID: {mail.message_id}\r\n".encode() in sent
    assert b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n" in sent
    assert b"Subject: Hello\r\n" in sent
    assert sent.endswith(b"\r\n\r\nHello Bob\r\n")


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_sender_and_to_replace_the_envelope_and_leave_the_headers(kind: str) -> None:
    mail = made(EVERY_KIND[kind](), sender="bounces@example.org", to=["x@example.com", "y@example.com"])

    assert mail.envelope == Envelope.of("bounces@example.org", ["x@example.com", "y@example.com"])
    assert b"From: ada@example.org\r\n" in octets(mail)
    assert b"To: bob@example.net\r\n" in octets(mail)
    assert b"x@example.com" not in octets(mail)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_an_empty_sender_is_the_null_reverse_path(kind: str) -> None:
    mail = made(EVERY_KIND[kind](), sender="")

    assert mail.envelope.sender is None
    assert specs(mail) == ["bob@example.net"]


@pytest.mark.parametrize("kind", ["bytes", "str", "email"])
def test_a_pair_of_envelope_and_message(kind: str) -> None:
    mail = made((OTHER, EVERY_KIND[kind]()))

    assert mail.envelope == OTHER
    assert b"To: bob@example.net\r\n" in octets(mail)


def test_the_envelope_of_a_pair_keeps_its_options() -> None:
    envelope = Envelope.of("a@example.org", "b@example.org", DSN(notify=("FAILURE",)), require_tls=True)

    assert made((envelope, RAW)).envelope == envelope
    changed = made((envelope, RAW), to="c@example.org").envelope
    assert (changed.dsn, changed.require_tls) == (envelope.dsn, True)
    assert [one.spec for one in changed.recipients] == ["c@example.org"]


def test_a_message_keeps_its_wishes_for_the_envelope() -> None:
    message = Message(
        "ada@example.org",
        "bob@example.net",
        "Hello",
        "Hi",
        bcc="eve@example.net",
        dsn=DSN(ret="HDRS"),
        require_tls=True,
    )

    assert made(message).envelope == message.envelope()
    changed = made(message, to="carol@example.com").envelope
    assert (changed.dsn, changed.require_tls) == (DSN(ret="HDRS"), True)
    assert [one.spec for one in changed.recipients] == ["carol@example.com"]


def test_to_alone_makes_up_for_a_message_without_recipients() -> None:
    assert specs(made(Message("ada@example.org", subject="Hello"), to="bob@example.net")) == ["bob@example.net"]


def test_sender_makes_up_for_a_message_without_one() -> None:
    mail = made(Message(to="bob@example.net", text="Hi"), sender="Ada <ada@example.org>")

    assert mail.envelope.sender == Address("ada@example.org", "Ada")
    assert b"From: Ada <ada@example.org>\r\n" in octets(mail)
    assert mail.message_id.endswith("@example.org>")


def test_a_message_without_sender_or_recipients_is_refused() -> None:
    with pytest.raises(MessageError, match="no sender"):
        made(Message(to="bob@example.net"))
    with pytest.raises(MessageError, match="no recipients"):
        made(Message("ada@example.org"))


def test_a_stamped_message_keeps_its_stamp() -> None:
    message = Message("ada@example.org", "b@example.org", message_id="<mine@example.org>", date=0)

    mail = made(message)

    assert mail.message_id == "<mine@example.org>"
    assert b"Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n" in octets(mail)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_readdressed_is_the_same_octets_for_others(kind: str) -> None:
    mail = made(EVERY_KIND[kind]())

    other = mail.readdressed((Address("carol@example.com"),))

    assert specs(other) == ["carol@example.com"]
    assert other.envelope.sender == mail.envelope.sender
    assert other.message_id == mail.message_id
    assert octets(other) == octets(mail)
    assert octets(other, True) == octets(mail, True)


def test_a_message_takes_eight_bits_only_where_they_are_offered() -> None:
    mail = made(Message("ada@example.org", "bob@example.net", "Grüße", "Grüße aus Köln, der schönen Stadt"))

    eight, seven = mail.content_for(True), mail.content_for(False)

    assert eight.eight_bit and "Grüße aus Köln".encode() in bytes(eight)
    assert not seven.eight_bit and bytes(seven).isascii()
    assert not eight.utf8 and not seven.utf8
    assert Message.parse(bytes(eight)).text == Message.parse(bytes(seven)).text


def test_the_octets_are_made_once_for_all_copies() -> None:
    mail = made(EVERY_KIND["message"]())

    assert mail.content_for(False) is mail.readdressed(mail.envelope.recipients).content_for(False)
    assert mail.content_for(True) is mail.content_for(True)


def test_foreign_octets_that_are_fit_are_not_changed() -> None:
    whole = b"Message-ID: <a@b>\r\nDate: Thu, 01 Jan 1970 00:00:00 +0000\r\n" + RAW

    assert octets(made(whole)) == whole


@pytest.mark.parametrize(
    "given, needed",
    [
        (Message("ada@example.org", "bob@example.net", "Grüße", "ä"), False),
        (Message("jõhn@example.org", "bob@example.net"), True),
        (Message("ada@example.org", "bob@example.net", reply_to="jõhn@example.org"), True),
        ("From: a@example.org\r\nTo: b@example.org\r\nSubject: Grüße\r\n\r\nx", True),
        ("From: a@example.org\r\nTo: b@example.org\r\n\r\nGrüße", False),
        ("From: a@example.org\r\nTo: jõhn@example.org\r\n\r\nx", True),
        ((Envelope.of("a@example.org", "jõhn@example.org"), RAW), True),
    ],
)
def test_needs_utf8_for_the_envelope_or_for_the_headers(given: object, needed: bool) -> None:
    assert made(given).needs_utf8 is needed


def test_eight_bit_octets_of_a_signed_message_need_a_server_that_takes_them() -> None:
    mail = made(b"DKIM-Signature: v=1\r\n" + RAW + "ä\r\n".encode())

    assert mail.content_for(True).eight_bit
    with pytest.raises(Unsupported, match=r"8BITMIME.*signed \(DKIM-Signature\)"):
        mail.content_for(False)


def test_a_mail_object_survives_a_task_queue() -> None:
    for kind in ("message", "bytes"):
        mail = made(EVERY_KIND[kind]())
        copy = pickle.loads(pickle.dumps(mail))
        assert copy.envelope == mail.envelope
        assert copy.message_id == mail.message_id
        assert octets(copy) == octets(mail)


@pytest.mark.parametrize("given", [None, 7, ["a"], (RAW, OTHER), (OTHER,), (OTHER, Message("a@example.org")), object()])
def test_what_is_no_message_is_refused(given: object) -> None:
    with pytest.raises(MessageError, match="is not a message"):
        made(given)


def test_text_that_was_decoded_wrongly_is_refused() -> None:
    with pytest.raises(MessageError, match="surrogate.* at position 3"):
        made("To\udcff: x")


def test_a_bad_address_is_refused_where_it_enters() -> None:
    with pytest.raises(AddressError):
        made(RAW, to="bob@")
    with pytest.raises(AddressError):
        made(RAW, sender="ada@example.org, eve@example.org")


def test_a_vanished_file_is_a_message_error(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_bytes(b"x" * 100)
    mail = made(Message("ada@example.org", "bob@example.net", attachments=Attachment(path)))
    path.unlink()

    with pytest.raises(MessageError):
        octets(mail)


def test_a_plain_send_loads_nothing_heavy() -> None:
    program = """
import sys
from mailwright.message.mail import mail_object
from mailwright.message.message import Message
mail = mail_object(Message("ada@example.org", "bob@example.net", "Hello", "Hi"), now=0.0, token="t")
bytes(mail.content_for(True))
mail = mail_object(b"From: a@example.org\\r\\nTo: b@example.org\\r\\n\\r\\nHi", now=0.0, token="t")
bytes(mail.content_for(False))
print(sorted({"email", "dataclasses", "inspect", "typing", "asyncio", "ssl", "re", "enum", "pathlib"} &
set(sys.modules)))
"""
    base = "import sys; print(sorted(sys.modules))"
    run = [sys.executable, "-I", "-S", "-c"]
    source = f"import sys; sys.path[:0] = {sys.path!r}\n"
    already = set(eval(subprocess.run([*run, base], capture_output=True, text=True, check=True).stdout))
    done = subprocess.run([*run, source + program], capture_output=True, text=True, check=True).stdout

    assert set(eval(done)) - already == set()


def test_a_message_of_the_old_email_api_is_taken_too() -> None:
    message = MIMEText("Hello\n")
    message["From"], message["To"] = "ada@example.org", "bob@example.net"

    assert made(message).envelope == Envelope.of("ada@example.org", "bob@example.net")
