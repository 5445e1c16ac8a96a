"""SASLprep against RFC 4013 and against what it promises."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mailwright.sasl.saslprep import prepared, saslprep
from mailwright.words.errors import LoginError

EXAMPLES = [  # RFC 4013 §3
    ("I\u00adX", "IX"),
    ("user", "user"),
    ("USER", "USER"),
    ("\u00aa", "a"),
    ("\u2168", "IX"),
]
REFUSED = [
    ("\u0007", "a control character"),  # RFC 4013 §3
    ("\u0627\u0031", "begins or ends in another character"),  # RFC 4013 §3
    ("a\0b", "a control character"),
    ("\u0627a\u0627", "left to right"),
    ("\ue000", "a private-use character"),
    ("\ufdd0", "no character"),
    ("\ud800", "half of a character"),
    ("\ufffd", "unfit for plain text"),
    ("\u2ff0", "ideographic description"),
    ("\u202a", "direction-changing"),
    ("\U000e0041", "a tagging character"),
    ("\u0221", "Unicode 3.2 does not know"),
]


@pytest.mark.parametrize(("given_text", "expected"), EXAMPLES)
def test_examples_of_the_rfc(given_text: str, expected: str):
    assert saslprep(given_text) == expected


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_refusals_name_the_field_and_the_rule(text: str, reason: str):
    with pytest.raises(LoginError) as refused:
        saslprep(text, field="user name")
    assert "user name" in str(refused.value) and reason in str(refused.value)
    assert refused.value.phase == "auth"


def test_blanks_and_invisible_characters():
    assert saslprep("a\u00a0b\u3000c") == "a b c"
    assert saslprep("a\u200bb") == "a b"  # in both tables of §2.1; the first rule wins
    assert saslprep("a\ufe0fb\u2060c") == "abc"
    assert saslprep("e\u0301") == "é"


def test_a_query_may_hold_what_unicode_3_2_did_not_know():
    assert saslprep("😀", query=True) == "😀"
    with pytest.raises(LoginError):
        saslprep("😀")


def test_text_from_right_to_left():
    assert saslprep("\u0627\u0031\u0628") == "\u0627\u0031\u0628"


@given(st.text())
def test_preparing_twice_changes_nothing(text: str):
    try:
        once = saslprep(text)
    except LoginError:
        assume(False)
    assert saslprep(once) == once


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_printable_ascii_stays_as_it_is(text: str):
    assert saslprep(text) == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_password_is_never_refused_here(text: str):
    """What SASLprep does not allow goes out as written."""
    try:
        expected = saslprep(text)
    except LoginError:
        expected = text
    assert prepared(text) == expected.encode()
