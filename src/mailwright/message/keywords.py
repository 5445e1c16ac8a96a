"""The right name for a keyword that people bring from another library."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

RIGHT = {
    "attach": "attachments",
    "attachment": "attachments",
    "attachment_paths": "attachments",
    "bcc_addrs": "bcc",
    "bcc_emails": "bcc",
    "bcc_recipients": "bcc",
    "body": "text (or html)",
    "body_html": "html",
    "body_plain": "text",
    "body_text": "text",
    "cc_addrs": "cc",
    "cc_emails": "cc",
    "cc_recipients": "cc",
    "content": "text (or html)",
    "contents": "text (or html)",
    "email": "to",
    "embedded": "inline",
    "extra_headers": "headers",
    "file": "attachments",
    "filename": "attachments",
    "files": "attachments",
    "from_": "sender",
    "from_addr": "sender",
    "from_address": "sender",
    "from_email": "sender",
    "header": "headers",
    "html_body": "html",
    "html_content": "html",
    "html_message": "html",
    "images": "inline",
    "importance": "priority",
    "inline_images": "inline",
    "inlines": "inline",
    "mail_from": "sender",
    "mail_to": "to",
    "message": "text (or html)",
    "message_text": "text",
    "msg": "text (or html)",
    "msg_html": "html",
    "msg_plain": "text",
    "plain": "text",
    "plain_text": "text",
    "rcpt": "to",
    "receiver": "to",
    "receivers": "to",
    "recipient": "to",
    "recipient_list": "to",
    "recipients": "to",
    "reply": "reply_to",
    "replyto": "reply_to",
    "rcpt_to": "to",
    "send_to": "to",
    "sender_email": "sender",
    "subj": "subject",
    "text_body": "text",
    "text_content": "text",
    "title": "subject",
    "to_addr": "to",
    "to_addrs": "to",
    "to_address": "to",
    "to_email": "to",
    "to_emails": "to",
    "to_recipients": "to",
}

OWN = (
    "sender", "to", "subject", "text", "html", "attachments", "inline", "cc", "bcc", "reply_to", "headers",
    "in_reply_to", "references", "priority", "date", "message_id", "dsn", "require_tls",
)  # fmt: skip


def explain_unknown(names: Iterable[str], call: str = "Message", known: Collection[str] = ()) -> TypeError:
    """The error for keywords that `call` does not have; it names the right ones.

    `known`: the keywords that `call` has besides those of a message.
    """
    unknown = list(names)
    first = unknown[0]
    right = RIGHT.get(first.lower()) or _nearest(first, (*OWN, *known))
    listed = ", ".join(f"{name!r}" for name in unknown)
    what = f"{call}() has no keyword {listed}"
    return TypeError(f"{what}; for {first!r} write {right}" if right else what)


def _nearest(name: str, known: Collection[str]) -> str:
    from difflib import get_close_matches  # only on the way to an error

    return next(iter(get_close_matches(name.lower(), known, 1, 0.7)), "")
