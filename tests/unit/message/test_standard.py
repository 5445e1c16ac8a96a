"""Messages of the email package: nothing becomes a field of its own, no address becomes another."""

from __future__ import annotations

import email
import email.policy
from email import encoders
from email.header import Header
from email.headerregistry import Address as PackageAddress
from email.message import EmailMessage
from email.message import Message as PackageMessage
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.message.fields import header_addresses, read_fields
from mailwright.message.mail import MailObject, mail_object
from mailwright.message.message import Message
from mailwright.words.envelope import Envelope
from mailwright.words.errors import AddressError, HeaderError, MailError, MessageError

ENVELOPE = Envelope.of("ada@example.org", "bob@example.net")


def new(**headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "ada@example.org", "bob@example.net"
    for name, text in headers.items():
        message[name] = text
    message.set_content("Hello\n")
    return message


def old(**headers: str) -> MIMEText:
    message = MIMEText("Hello\n")
    message["From"], message["To"] = "ada@example.org", "bob@example.net"
    for name, text in headers.items():
        message[name] = text
    return message


def mail_of(message: PackageMessage, **envelope: str) -> MailObject:
    return mail_object(message, now=0.0, token="t", **envelope)


def octets(message: PackageMessage) -> bytes:
    return bytes(mail_object((ENVELOPE, message), now=0.0, token="t").content_for(True))


def names(sent: bytes) -> list[str]:
    return [field.name for field in read_fields(sent.partition(b"\r\n\r\n")[0] + b"\r\n")]


def specs(mail: MailObject) -> list[str]:
    return [one.spec for one in mail.envelope.recipients]


BREAKS = [
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\r\n\r\n",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
    "\x00",
]


@pytest.mark.parametrize("line_break", BREAKS)
def test_a_break_in_a_value_is_refused(line_break: str) -> None:
    with pytest.raises(HeaderError, match="The header Subject holds (a line break|the control)") as caught:
        octets(old(Subject=f"a{line_break}Bcc: eve@example.org"))
    assert caught.value.field == "Subject"


@pytest.mark.parametrize("line_break", BREAKS)
def test_a_break_in_the_field_of_a_part_is_refused(line_break: str) -> None:
    message = MIMEMultipart()
    message["From"], message["To"] = "ada@example.org", "bob@example.net"
    inner = MIMEBase("application", "pdf")
    inner.set_payload(b"x")
    encoders.encode_base64(inner)
    inner["Content-Disposition"] = f'attachment; filename="a{line_break}X: y"'
    message.attach(inner)

    with pytest.raises(HeaderError, match="Content-Disposition"):
        octets(message)


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\x85", "\u2028"])
def test_a_break_that_hides_in_an_encoded_word_is_refused(line_break: str) -> None:
    hidden = "".join(f"={octet:02X}" for octet in line_break.encode())

    with pytest.raises(HeaderError, match="Subject"):
        octets(new(Subject=f"=?utf-8?q?a{hidden}Bcc:_eve?="))


@pytest.mark.parametrize("line_break", BREAKS)
def test_a_break_in_a_header_object_is_refused(line_break: str) -> None:
    message = old()
    message["X-Title"] = Header(f"ä{line_break}Bcc: eve@example.org", "utf-8")

    with pytest.raises(HeaderError, match="X-Title"):
        octets(message)


def test_a_header_object_whose_folds_are_not_white_space_is_caught_in_the_octets() -> None:
    message = old()
    message["X-Title"] = Header("ä" * 100, "utf-8", continuation_ws="Bcc: ")

    with pytest.raises(MessageError):  # by the package itself or by us, as its version has it
        octets(message)


@pytest.mark.parametrize("name", ["", "Sub ject", "Sub\nject", "Subject:", "Sübject", "A: b\r\nBcc"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    message = old()
    message._headers.append((name, "x"))  # type: ignore[attr-defined]

    with pytest.raises(MessageError):
        octets(message)


def test_values_that_were_folded_in_octets_that_were_read_are_fine() -> None:
    raw = b"From: ada@example.org\r\nTo: bob@example.net,\r\n\tc@example.net\r\nSubject: one\r\n two\r\n\r\nHello\r\n"
    for policy in (email.policy.default, email.policy.compat32, email.policy.SMTP, email.policy.SMTPUTF8):
        message = email.message_from_bytes(raw, policy=policy)
        assert b"Subject: one\r\n two\r\n" in octets(message)
        assert specs(mail_of(message)) == ["bob@example.net", "c@example.net"]


@pytest.mark.parametrize("policy", [email.policy.default, email.policy.compat32])
def test_no_octet_that_a_signature_may_cover_is_changed(policy: email.policy.Policy) -> None:
    body = b"--b\r\nX-Inner: " + b"long " * 40 + b"\r\n\tlonger\r\n\r\nx \r\n--b\r\n\r\ny\r\n--b--\r\n"
    raw = (
        b"DKIM-Signature: v=1; a=rsa-sha256;\r\n b=x\r\nFrom: ada@example.org\r\nTo: bob@example.net\r\n"
        b"Subject: " + b"long " * 40 + b"\r\n"
        b'Content-Type: multipart/signed; boundary="b"\r\n\r\n' + body
    )
    assert octets(email.message_from_bytes(raw, policy=policy)) == raw

    without_dkim = raw.partition(b"b=x\r\n")[2]
    assert octets(email.message_from_bytes(without_dkim, policy=policy)) == without_dkim

    enclosed = b"Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n" + raw + b"--c--\r\n"
    assert body in octets(email.message_from_bytes(enclosed, policy=policy))


@pytest.mark.parametrize(
    "name",
    [
        "Doe, Jane",
        "Jane <eve@evil.example>, x",
        '"quoted", Jane',
        "a@evil.example, Jane " + "very long name, " * 12,
        "Jürgen, Doktor " * 6,
        "Ünï " * 40,
        "=?utf-8?q?eve=40evil.example=2C?=",
        "x;y:z",
    ],
)
def test_a_display_name_never_becomes_an_address(name: str) -> None:
    message = EmailMessage()
    message["From"] = PackageAddress(name, "ada", "example.org")
    message["To"] = [PackageAddress(name, "bob", "example.net"), PackageAddress("", "carol", "example.net")]
    message.set_content("Hello\n")

    mail = mail_of(message)
    assert specs(mail) == ["bob@example.net", "carol@example.net"]
    assert mail.envelope.reverse_path == "ada@example.org"
    read = email.message_from_bytes(bytes(mail.content_for(True)), policy=email.policy.default)
    assert [one.addr_spec for one in read["To"].addresses] == ["bob@example.net", "carol@example.net"]
    found = Message.parse(bytes(mail.content_for(True)))
    assert found.to[0].name == found.sender.name == name.strip()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    [
        "user@good-corp.com(x)evil.com",
        '"a@gmail.com x"@internal@evil.com',
        "user@good-corp.com .evil.com",
        "<@relay.example:b@example.net>",
        "=?utf-8?q?b=40evil.com=2C?= b@example.net",
        "b@example.net; c@evil.com",
        "a@=?utf-8?q?evil?=.com",
    ],
)
@pytest.mark.parametrize("kind", [new, old])
def test_an_address_with_a_defect_is_refused(text: str, kind: type) -> None:
    message = kind()
    del message["To"]
    message["To"] = text

    with pytest.raises(AddressError, match="In the header To"):
        mail_of(message)


def test_domains_and_local_parts_outside_ascii() -> None:
    for kind in (new, old):
        message = kind()
        del message["To"]
        message["To"] = "Jürgen <j@bücher.example>"
        mail = mail_of(message)
        assert specs(mail) == ["j@xn--bcher-kva.example"]
        assert not mail.needs_utf8
        assert b"<j@xn--bcher-kva.example>" in bytes(mail.content_for(True))

        del message["To"]
        message["To"] = "jõhn@example.net"
        mail = mail_of(message)
        assert specs(mail) == ["jõhn@example.net"]
        assert mail.needs_utf8
        assert "To: jõhn@example.net\r\n".encode() in bytes(mail.content_for(True))


def test_text_outside_ascii_needs_no_special_server_even_if_the_policy_would_write_it_raw() -> None:
    message = EmailMessage(policy=email.policy.SMTPUTF8)
    message["From"], message["To"], message["Subject"] = "Jürgen <ada@example.org>", "bob@example.net", "Grüße"
    message.set_content("Grüße\n")

    assert not mail_of(message).needs_utf8


def test_groups() -> None:
    message = new()
    del message["To"]
    message["To"] = "undisclosed-recipients:;"
    message["Cc"] = "Team: x@example.net, y@example.net;"

    assert specs(mail_of(message)) == ["x@example.net", "y@example.net"]
    assert b"To: undisclosed-recipients:;\r\n" in octets(message)


def test_bcc_is_used_and_taken_out_and_the_message_is_left_alone() -> None:
    message = new(Bcc="eve@example.net")
    before = message.items()

    mail = mail_of(message)

    assert specs(mail) == ["bob@example.net", "eve@example.net"]
    assert b"eve" not in bytes(mail.content_for(True))
    assert message.items() == before


def test_a_field_that_was_set_twice_is_refused() -> None:
    message = old()
    message["To"] = "carol@example.net"

    with pytest.raises(HeaderError, match="more than one To"):
        mail_of(message)


def test_everything_that_the_package_builds_arrives() -> None:
    message = new(Subject="Grüße " * 30)
    message.add_alternative("<p>Grüße <img src='cid:x'>", subtype="html")
    message.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<x>")  # type: ignore[index, union-attr]
    message.add_attachment("a,b\n", subtype="csv", filename="Übersicht.csv")
    message.add_attachment(new(Subject="inner"))

    read = email.message_from_bytes(octets(message), policy=email.policy.default)

    assert read["Subject"].strip() == ("Grüße " * 30).strip()
    assert [one.get_content_type() for one in read.walk()] == [one.get_content_type() for one in message.walk()]
    assert [one.get_filename() for one in read.walk()] == [one.get_filename() for one in message.walk()]


def deep(levels: int) -> PackageMessage:
    message: PackageMessage = old()
    for _ in range(levels):
        outer = MIMEMultipart(boundary="b")
        outer.attach(message)
        message = outer
    return message


def ring() -> PackageMessage:
    message = MIMEMultipart()
    message.attach(message)
    return message


def lattice() -> PackageMessage:
    message: PackageMessage = old()
    for _ in range(40):
        outer = MIMEMultipart()
        outer.attach(message)
        outer.attach(message)
        message = outer
    return message


@pytest.mark.parametrize("build", [lambda: deep(10_000), ring, lattice])
def test_trees_that_no_recursion_would_survive_are_refused(build: object) -> None:
    with pytest.raises(MessageError, match="over 50 levels deep, or has over 10,000 parts"):
        octets(build())  # type: ignore[operator]


def test_what_the_package_can_t_write_is_a_message_error() -> None:
    message = MIMEBase("text", "plain")
    message.set_payload(["not a message"])
    with pytest.raises(MessageError, match="A part of the message is str"):
        octets(message)

    message = MIMEBase("text", "plain")
    message.set_payload(7)  # type: ignore[arg-type]
    with pytest.raises(MessageError, match="The email package can't write the message: AttributeError"):
        octets(message)


VALUES = st.text(st.sampled_from(list('ab ,;:<>"@.=?_()\\\r\n\t\x00\x0b\x85\u2028ü€\ud800\udcff')), max_size=24)
NAMES = st.sampled_from(["Subject", "To", "Cc", "Bcc", "Reply-To", "X-A", "Content-Type", "Content-Disposition"])


@given(st.lists(st.tuples(NAMES, VALUES), max_size=4), st.booleans())
def test_the_fields_in_the_octets_are_those_of_the_message(fields: list[tuple[str, str]], modern: bool) -> None:
    message: PackageMessage = EmailMessage() if modern else PackageMessage()
    message["From"] = "ada@example.org"
    for name, text in fields:
        try:
            message[name] = text
        except Exception:  # the package itself refuses some, with errors of many kinds
            return
    try:
        mail = mail_of(message)
    except MailError:
        return
    sent = bytes(mail.content_for(True))
    wanted = [name for name in message.keys() if name.lower() != "bcc"]
    assert [name for name in names(sent) if name not in ("Date", "Message-ID")] == wanted
    for address in mail.envelope.recipients:
        assert any(address.local.strip('"') in text for _, text in fields)


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=40), max_size=3)
)
def test_names_of_people_survive(people: list[str]) -> None:
    message = EmailMessage()
    message["From"] = "ada@example.org"
    message["To"] = [PackageAddress(name, f"user{number}", "example.net") for number, name in enumerate(people)]
    message["Cc"] = "carol@example.net"

    mail = mail_of(message)

    assert specs(mail) == [*(f"user{number}@example.net" for number in range(len(people))), "carol@example.net"]
    for field in read_fields(bytes(mail.content_for(True)).partition(b"\r\n\r\n")[0] + b"\r\n"):
        if field.key == "to" and field.text:
            assert len(header_addresses(field.text)) == len(people)
