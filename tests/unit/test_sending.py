"""The front door: `send` and `send_async`, in every form in which a message may come."""

from __future__ import annotations

import asyncio
import email.message
from collections.abc import Iterator
from typing import Any

import pytest

import mailwright
from mailwright import DeliveryError, Inbox, Mailer, Message
from mailwright.errors import ConfigError, MessageError
from mailwright.options import Envelope


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Inbox]:
    """A local inbox that the environment points at, and nothing else configured."""
    for name in ("SMTP_HOST", "SMTP_USER", "SMTP_PASSWORD", "EMAIL_PASSWORD", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("APPDATA", str(tmp_path))
    with Inbox(tls=False, refuse={"reject": "550 5.1.1 unknown"}) as made:
        monkeypatch.setenv("MAILWRIGHT_URL", made.url)
        monkeypatch.setenv("SENDER_EMAIL", "ada@example.org")
        yield made


def test_the_parts_of_a_message(inbox: Inbox) -> None:
    receipt = mailwright.send("bob@example.org", "Hi", "there", cc="carl@example.org", bcc="dora@example.org")
    assert str(receipt) == "accepted by 127.0.0.1 for 3 of 3 recipients"
    got = inbox.wait(to="dora@example.org")
    assert got.message.subject == "Hi" and got.message.sender.spec == "ada@example.org"
    assert b"dora" not in got.content


def test_everything_at_once(inbox: Inbox, tmp_path: Any) -> None:
    (tmp_path / "table.csv").write_bytes(b"a;b\r\n")
    mailwright.send(
        ["bob@example.org", ("Carl", "carl@example.org")],
        "Grüße",
        html='<p>Look: <img src="cid:logo"></p>',
        attachments=[tmp_path / "table.csv"],
        inline={"logo": b"\x89PNG\r\n\x1a\n"},
        reply_to="help@example.org",
        headers={"X-Team": "billing"},
        sender=("Ada", "ada@example.org"),
    )
    got = inbox.wait(to="carl@example.org").message
    assert got.attachments[0].name == "table.csv" and "Look" in got.text and "cid:" in got.html


def test_a_finished_message(inbox: Inbox) -> None:
    assert mailwright.send(Message("ada@example.org", "bob@example.org", "Hi", "there")).complete
    assert mailwright.send(message=Message("ada@example.org", "bob@example.org", "Hi", "there")).complete


def test_an_email_message_of_the_standard_library(inbox: Inbox) -> None:
    made = email.message.EmailMessage()
    made["From"], made["To"], made["Bcc"], made["Subject"] = (
        "ada@example.org",
        "bob@example.org",
        "eve@example.org",
        "Hi",
    )
    made.set_content("there")
    assert len(mailwright.send(made).outcomes) == 2
    assert b"eve@example.org" not in inbox.wait(to="eve@example.org").content


def test_raw_octets(inbox: Inbox) -> None:
    raw = b"From: ada@example.org\nTo: bob@example.org\nSubject: raw\n\nthere\n"
    assert mailwright.send(raw).complete
    got = inbox.wait(subject="raw")
    assert b"\r\nMessage-ID: <" in got.content and b"\r\nDate: " in got.content and got.content.endswith(b"there\r\n")


def test_raw_octets_with_another_envelope(inbox: Inbox) -> None:
    raw = b"From: ada@example.org\r\nTo: bob@example.org\r\nSubject: raw\r\n\r\nthere\r\n"
    mailwright.send(message=raw, sender="bounce@example.org", to=["zoe@example.org"])
    got = inbox.wait(to="zoe@example.org")
    assert got.envelope.reverse_path == "bounce@example.org"
    assert [r.spec for r in got.envelope.recipients] == ["zoe@example.org"]
    mailwright.send(raw, sender="bounce@example.org", to="xenia@example.org")
    assert inbox.wait(to="xenia@example.org").envelope.reverse_path == "bounce@example.org"
    with Mailer(inbox.server) as mailer:
        mailer.send(raw, sender="", to="wim@example.org")
    assert inbox.wait(to="wim@example.org").envelope.sender is None
    mailwright.send((Envelope.of(None, "yann@example.org"), raw))
    assert inbox.wait(to="yann@example.org").envelope.sender is None


def test_inside_a_running_event_loop(inbox: Inbox) -> None:
    async def cell() -> Any:
        return mailwright.send("bob@example.org", "from a notebook", "there")

    assert asyncio.run(cell()).complete


def test_recipients_by_name_and_never_twice(inbox: Inbox) -> None:
    assert mailwright.send(to="bob@example.org", subject="Hi", text="there").complete
    with pytest.raises(TypeError, match="twice"):
        mailwright.send("bob@example.org", "Hi", "there", to="carl@example.org")


def test_async(inbox: Inbox) -> None:
    receipt = asyncio.run(mailwright.send_async("bob@example.org", "Hi", "there"))
    assert receipt.complete and receipt.message_id.endswith("@example.org>")


@pytest.mark.parametrize("door", ["blocking", "async"])
@pytest.mark.parametrize(
    ("wrong", "right"),
    [("body", "text"), ("contents", "text"), ("from_", "sender"), ("attachment", "attachments"), ("receivers", "to")],
)
def test_a_keyword_from_elsewhere_names_the_right_one(inbox: Inbox, door: str, wrong: str, right: str) -> None:
    call: Any = mailwright.send if door == "blocking" else lambda *a, **k: asyncio.run(mailwright.send_async(*a, **k))
    with pytest.raises(TypeError, match=right):
        call("bob@example.org", "Hi", **{wrong: "x"})
    assert not inbox.messages


def test_a_partial_refusal(inbox: Inbox) -> None:
    with pytest.raises(DeliveryError) as caught:
        mailwright.send(["bob@example.org", "reject@example.org"], "Hi", "there")
    assert not caught.value.temporary and caught.value.remaining is None
    assert inbox.wait(to="bob@example.org")


def test_the_rest_can_be_sent_later_with_the_same_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    with Inbox(tls=False, refuse={"late": "451 4.7.1 come back later"}) as busy, Inbox(tls=False) as idle:
        with pytest.raises(DeliveryError) as caught:
            mailwright.send(
                ["bob@example.org", "late@example.org"], "Hi", "x", sender="ada@example.org", server=busy.server
            )
        rest = caught.value.remaining
        receipt = mailwright.send(rest, server=idle.server)
        assert [a.spec for a in receipt.accepted] == ["late@example.org"]
        assert busy.messages[0].content == idle.messages[0].content


def test_nothing_configured_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("MAILWRIGHT_URL", "SMTP_HOST", "SENDER_EMAIL", "EMAIL_PASSWORD", "MAILWRIGHT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="MAILWRIGHT_URL"):
        mailwright.send("bob@example.org", "Hi", "there", sender="ada@example.org")


def test_what_can_not_be_sent_says_so_before_anything_is_connected() -> None:
    nowhere = "smtp+plain://127.0.0.1:9"
    with pytest.raises(MessageError, match="recipients"):
        mailwright.send([], "Hi", "there", sender="ada@example.org", server=nowhere)
    with pytest.raises(MessageError, match="not an address"):
        mailwright.send("bob@@example.org", "Hi", "there", sender="ada@example.org", server=nowhere)
    with pytest.raises(MessageError):
        mailwright.send(
            "bob@example.org", "Hi\r\nBcc: eve@example.org", "there", sender="ada@example.org", server=nowhere
        )
    with pytest.raises(TypeError, match="subject"):
        mailwright.send("bob@example.org", server=nowhere)


def test_it_logs_under_stable_names(inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    mailwright.send("bob@example.org", "Hi", "there", bcc="secret-friend@example.org")
    with pytest.raises(DeliveryError):
        mailwright.send("reject@example.org", "Hi", "there")
    ours = [r for r in caplog.records if r.name.startswith("mailwright")]
    assert {r.name for r in ours} == {"mailwright.mailer", "mailwright.smtp"}
    info = [r.getMessage() for r in ours if r.levelname == "INFO"]
    assert len(info) == 1 and "accepted by 127.0.0.1 for 2 of 2 recipients" in info[0]
    assert "secret-friend" not in info[0] and "bob@" not in info[0]
    assert any(r.levelname == "WARNING" and "550" in r.getMessage() for r in ours)
