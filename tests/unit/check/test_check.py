"""`check` takes a message in any form that there is, and only the rules that were asked for."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from email.mime.text import MIMEText

import pytest

from mailwright import Mailer, Message
from mailwright.errors import ConfigError, MessageError
from mailwright.inbox import Inbox
from mailwright.message.check import FINDINGS_LIMIT, RULES, SEVERITIES, check, chosen
from mailwright.message.content import Content
from mailwright.options import Envelope
from tests.unit.check.writing import file, mail, multipart, page, part


def ids(found) -> list[str]:
    return [one.rule for one in found]


def test_it_takes_every_form_of_a_message() -> None:
    raw = mail(Subject=None)
    for form in (raw, bytearray(raw), memoryview(raw), raw.decode(), Content.of(raw), message_from_bytes(raw)):
        assert ids(check(form)) == ["no-subject"]
    assert ids(check(message_from_bytes(raw, policy=policy.SMTP))) == ["no-subject"]
    assert ids(check(Message("ada@example.org", "bob@example.net", text="Hi"))) == ["no-subject"]


def test_what_an_inbox_received_comes_with_its_envelope() -> None:
    with Inbox() as inbox:
        with Mailer(inbox.server) as mailer:
            mailer.send((Envelope.of("eve@example.com", "bob@example.net"), mail()))
        received = inbox.messages[0]
    assert "from-not-aligned" in ids(check(received))
    assert "from-not-aligned" not in ids(check(received, Envelope.of("x@example.org", "bob@example.net")))


def test_a_message_of_ours_has_its_own_envelope() -> None:
    message = Message("ada@example.org", "bob@example.net", "Hi", "there", bcc="eve@example.com")
    assert check(message) == ()
    assert ids(check(message, Envelope.of("ada@example.com", "bob@example.net"))) == ["from-not-aligned"]


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(TypeError, match="int is no message"):
        check(7)  # type: ignore[arg-type]
    with pytest.raises(MessageError, match="no sender"):
        check(Message(to="bob@example.net", subject="Hi", text="there"))
    strange = EmailMessage()
    strange["From"] = "ada@example.org"
    strange.set_payload("Grüße \udcff", None)
    with pytest.raises(MessageError, match="email package"):
        check(strange)


def test_rules_are_chosen_by_their_ids() -> None:
    raw = mail(Subject=None, Date=None)
    assert ids(check(raw)) == ["no-date", "no-subject"]
    assert ids(check(raw, ignore=["no-date"])) == ["no-subject"]
    assert ids(check(raw, only=["no-date"])) == ["no-date"]
    assert check(raw, only=["no-date"], ignore=["no-date"]) == ()
    assert [rule.id for rule in chosen()] == list(RULES)


@pytest.mark.parametrize("options", [{"only": ["no-dat"]}, {"ignore": ["no-dat"]}])
def test_a_rule_that_does_not_exist_is_refused(options: dict[str, list[str]]) -> None:
    with pytest.raises(ConfigError, match="There is no rule “no-dat”. Did you mean no-date?"):
        check(mail(), **options)


def test_the_gravest_come_first() -> None:
    found = check(mail("{{name}}", Subject=None, Message_ID="<1@localhost>"))
    assert ids(found) == ["placeholder", "no-subject", "local-message-id"]
    assert [one.severity for one in found] == list(SEVERITIES)


def test_a_finding_can_be_printed_and_written_as_json() -> None:
    (found,) = check(mail(Subject="SHOUTING AT EVERYBODY"))
    assert str(found) == (
        "info shouting-subject: The Subject is written in capitals only. (header Subject) Write it in small letters."
    )
    assert found.as_dict() == {
        "rule": "shouting-subject",
        "severity": "info",
        "what": "The Subject is written in capitals only.",
        "fix": "Write it in small letters.",
        "where": "header Subject",
    }


def test_one_rule_does_not_fill_the_page() -> None:
    files = [file(f"{n}.exe") for n in range(FINDINGS_LIMIT * 3)]
    found = check(multipart("mixed", part("Hi"), *files))
    assert ids(found) == ["blocked-attachment"] * FINDINGS_LIMIT


def test_parts_are_named_by_their_place() -> None:
    inner = part(
        b"--=_i\r\n" + part("x") + b"\r\n--=_i\r\n" + file("a.exe") + b"\r\n--=_i--\r\n",
        'multipart/mixed; boundary="=_i"',
    )
    assert [one.where for one in check(multipart("mixed", part("Hi"), inner))] == ["part 2.2"]


def test_an_attached_message_is_not_looked_into() -> None:
    attached = part(mail("{{name}}", Subject=None), "message/rfc822")
    assert check(multipart("mixed", part("Hi"), attached)) == ()


def test_the_time_comes_from_the_caller() -> None:
    raw = mail(Date="Sat, 01 Jan 2050 00:00:00 +0000")
    assert check(raw) == ()
    assert ids(check(raw, now=0.0)) == ["date-in-future"]


def test_a_file_that_was_saved_on_unix_is_read_as_it_was_sent() -> None:
    raw = page("<p>Hi</p>").replace(b"\r\n", b"\n")
    assert check(raw) == ()


def test_text_that_is_only_a_file_is_no_body() -> None:
    raw = multipart("mixed", part("Hi"), part("{{name}}", 'text/plain; name="template.txt"'))
    assert check(raw) == ()


def test_a_message_of_the_oldest_kind_can_be_checked() -> None:
    old = MIMEText("Hi", "html")
    old["From"], old["To"], old["Subject"] = "ada@example.org", "bob@example.net", "Hello"
    assert ids(check(old)) == ["no-date", "no-message-id", "no-text-part"]
