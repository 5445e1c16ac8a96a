"""A wrong keyword is answered with the right one."""

from __future__ import annotations

import inspect

import pytest

from mailwright.message.keywords import explain_unknown
from mailwright.message.message import Message


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("body", "text (or html)"),
        ("contents", "text (or html)"),
        ("from_", "sender"),
        ("from_addr", "sender"),
        ("from_email", "sender"),
        ("receivers", "to"),
        ("recipients", "to"),
        ("to_addrs", "to"),
        ("attachment", "attachments"),
        ("files", "attachments"),
        ("html_body", "html"),
        ("html_content", "html"),
        ("subjekt", "subject"),
        ("replyTo", "reply_to"),
        ("Subject", "subject"),
        ("require_tsl", "require_tls"),
    ],
)
def test_it_names_the_right_one(wrong: str, right: str) -> None:
    with pytest.raises(TypeError) as caught:
        Message("ada@example.org", **{wrong: "x"})  # type: ignore[arg-type]
    assert str(caught.value) == f"Message() has no keyword {wrong!r}; for {wrong!r} write {right}"


def test_every_word_of_the_table_leads_to_a_keyword() -> None:
    own = set(inspect.signature(Message).parameters) - {"unknown"}
    from mailwright.message import keywords

    assert set(keywords.OWN) == own
    for wrong, right in keywords.RIGHT.items():
        assert wrong not in own
        assert right in own or right == "text (or html)"


def test_a_word_from_nowhere_is_named_all_the_same() -> None:
    assert str(explain_unknown(["zzz"])) == "Message() has no keyword 'zzz'"


def test_another_call_adds_its_own_keywords() -> None:
    error = explain_unknown(["sever", "body"], "send", ["server"])
    assert str(error) == "send() has no keyword 'sever', 'body'; for 'sever' write server"
