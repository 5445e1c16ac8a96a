"""Messages that sound programs make are clean: what a rule says of them is a mistake of the rule."""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path

import pytest

from mailwright import Message
from mailwright.inbox import Inbox
from mailwright.message.check import check

ROOT = Path(__file__).resolve().parents[3]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
HTML = "<h1>Minutes</h1><p>Dear Bob, here are <a href='https://example.org/minutes'>the minutes</a>.</p>"
WHO = ("ada@example.org", "bob@example.net")

OURS = [
    Message(*WHO, "Minutes", "Dear Bob, …"),
    Message(
        "Ada Lovelace <ada@example.org>", ["Bob <bob@example.net>", "eve@example.com"], "Grüße", "Größe, naïve, 你好"
    ),
    Message(*WHO, "Minutes", html=HTML),
    Message(*WHO, "Minutes", "Dear Bob,\nhere are the minutes.", HTML),
    Message(*WHO, "A subject of many words, with one in Greek: Ελληνικά " * 2, "x" * 5000),
    Message(*WHO, "Files", "See there.", attachments={"minutes.pdf": b"%PDF-1.4", "Größen (neu).csv": b"a;b\r\n"}),
    Message(
        *WHO,
        "Chart",
        "The chart.",
        '<p>The chart:</p><img src="cid:chart" alt="Sales, going up">',
        inline={"chart": PNG},
    ),
    Message(
        *WHO,
        "Both",
        html='<p>Our logo:</p><img src="cid:logo" alt="">',
        inline={"logo": PNG},
        attachments={"a.zip": b"PK\x03\x04"},
    ),
    Message(
        *WHO,
        "Re: Minutes",
        "Yes.",
        in_reply_to="<1@example.net>",
        references=["<0@example.net>", "<1@example.net>"],
        priority="high",
    ),
    Message(*WHO, "Copies", "Hi", cc="eve@example.com", bcc=["x@example.com"] * 50, reply_to="office@example.org"),
    Message(*WHO, "Table", html="<table><tr><th>a</th></tr><tr><td>1</td></tr></table>"),
    Message(*WHO, "Long lines", html="<p>" + "many words in one line " * 500 + "</p>"),
    Message("ada@пример.рф", "bob@bücher.example", "Hi", "there"),
]


@pytest.mark.parametrize("message", OURS, ids=lambda message: message.subject[:20])
def test_what_mailwright_composes_is_clean(message: Message) -> None:
    assert check(message) == ()
    assert check(bytes(message.render(eight_bit=True)), message.envelope()) == ()


def test_a_newsletter_as_it_should_be_is_clean() -> None:
    message = Message(
        *WHO, "News", html=f'{HTML}<p><a href="https://example.org/leave">Unsubscribe</a></p>',
        headers={"List-Unsubscribe": "<https://example.org/leave/1>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
    )  # fmt: skip
    assert [one.rule for one in check(message)] == ["one-click-unsigned"]
    signed = b"DKIM-Signature: v=1; d=example.org; h=from:list-unsubscribe:list-unsubscribe-post; b=x\r\n" + bytes(
        message
    )
    assert check(signed) == ()


def test_what_the_standard_library_composes_is_clean() -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ada <ada@example.org>", "bob@example.net", "Grüße"
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="example.org")
    message.set_content("Dear Bob,\n\nGrüße")
    message.add_alternative(HTML, subtype="html")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="minutes.pdf")
    assert check(message) == ()


def test_what_django_composes_is_clean() -> None:
    from django.conf import settings
    from django.core.mail import EmailMultiAlternatives

    if not settings.configured:
        settings.configure()
    message = EmailMultiAlternatives("Grüße", "Dear Bob", "ada@example.org", ["bob@example.net"])
    message.attach_alternative(HTML, "text/html")
    message.attach("minutes.pdf", b"%PDF", "application/pdf")
    raw = message.message().as_bytes(linesep="\r\n")
    assert [one for one in check(raw) if one.rule != "local-message-id"] == []  # its domain is this machine's name


def test_what_yagmail_composes_is_nearly_clean() -> None:
    from yagmail.message import prepare_message

    to = {"recipients": ["bob@example.net"], "To": "bob@example.net"}
    made = prepare_message("ada@example.org", "ada@example.org", to, "Hello", ["Dear Bob", HTML], None, None, "utf-8")
    found = {one.rule for one in check(made.as_bytes())}
    # Its identifiers end in “yagmail”, and it puts the HTML into a document without a head.
    assert found == {"local-message-id", "no-doctype", "no-lang", "no-title"}


def examples_of_the_readme() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_messages_of_the_readme_are_clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "minutes.pdf").write_bytes(b"%PDF-1.4\n")
    (tmp_path / "prices.csv").write_bytes(b"item;price\r\n")
    (tmp_path / "logo.png").write_bytes(PNG)
    monkeypatch.chdir(tmp_path)
    with Inbox(tls=False) as inbox:
        monkeypatch.setenv("MAILWRIGHT_CATCH", f"smtp://127.0.0.1:{inbox.server.port}")  # whatever server they name
        monkeypatch.setenv("SENDER_EMAIL", "ada@example.org")
        names: dict[str, object] = {"__name__": "__main__"}
        for example in examples_of_the_readme():
            if "Inbox(" in example:
                continue  # it waits for its message in an inbox of its own
            try:
                exec(compile(example, "README.md", "exec"), names)
            except Exception:  # an example for another environment; tests/docs runs them all
                continue
        assert len(inbox.messages) >= 3
        for received in inbox.messages:
            assert check(received) == (), received.subject
