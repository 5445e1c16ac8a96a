"""One SMTP reply: what its code means, and how hostile text in it is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.words.reply import Reply, visible

any_text = st.text(st.characters(), max_size=400)


@given(st.integers(200, 599))
def test_each_code_means_one_thing(code: int) -> None:
    reply = Reply(code)
    assert [reply.ok, reply.intermediate, reply.temporary, reply.permanent] == [
        200 <= code <= 299, 300 <= code <= 399, 400 <= code <= 499, 500 <= code <= 599
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "line", "enhanced"),
    [
        (535, "5.7.8 Bad credentials", "5.7.8"),
        (250, "2.0.0", "2.0.0"),
        (450, "4.123.456 Later", "4.123.456"),
        (550, "5.1.1", "5.1.1"),
        (550, "2.0.0 does not agree with the code", None),
        (354, "3.0.0 has no such class", None),
        (550, "5.1", None),
        (550, "5.1.1.1 four", None),
        (550, "5.1.1234 too long", None),
        (550, "5..1 empty", None),
        (550, "5.x.1", None),
        (550, "5.1.٣ other digits", None),
        (550, "5.1.² other digits", None),
        (550, " 5.1.1 after a space", None),
        (550, "-5.1.1", None),
        (550, "", None),
        (550, "No such user", None),
    ],
)
def test_enhanced_code(code: int, line: str, enhanced: str | None) -> None:
    assert Reply(code, (line,)).enhanced == enhanced


def test_no_lines_no_enhanced_code() -> None:
    assert Reply(550).enhanced is None
    assert str(Reply(550)) == "550"


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (("5.7.8 Bad credentials",), "550 5.7.8 Bad credentials"),
        (("5.7.8 Bad", "5.7.8 credentials"), "550 5.7.8 Bad credentials"),
        (("5.7.8", "5.7.8", "5.7.8 why"), "550 5.7.8 why"),
        (("5.7.8 Bad", "5.7.80 is not it"), "550 5.7.8 Bad 5.7.80 is not it"),
        (("5.7.8 Bad", "5.7.9 another"), "550 5.7.8 Bad 5.7.9 another"),
        (("  one ", "", "  ", "two"), "550 one two"),
        (("Go\x1b[31m away\r\n",), "550 Go\\x1b[31m away"),
    ],
)
def test_text_is_one_line(lines: tuple[str, ...], wanted: str) -> None:
    assert Reply(550, lines).text == str(Reply(550, lines)) == wanted


@given(st.integers(200, 599), st.lists(any_text, max_size=5).map(tuple))
def test_text_is_safe_to_print_and_bounded(code: int, lines: tuple[str, ...]) -> None:
    text = Reply(code, lines).text
    assert len(text) <= 300
    assert text.isprintable()
    assert text.startswith(str(code))


@given(any_text, st.integers(1, 60))
def test_visible_text_is_bounded_and_printable(text: str, limit: int) -> None:
    shown = visible(text, limit)
    assert len(shown) <= limit
    assert shown.isprintable()
    if len(shown) < len(text):
        assert shown.endswith("…")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    assert visible(text, 60) == text
    longer = text + "x" * 61
    assert visible(longer, 60) == longer[:59] + "…"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("\x1b]52;c;eA==\x07", "\\x1b]52;c;eA==\\x07"),
        ("a\u202eb\u2066c\u200bd\ufeff", "a\\u202eb\\u2066c\\u200bd\\ufeff"),
        ("\x85\x9b\x7f\0", "\\x85\\x9b\\x7f\\x00"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("Grüße, 世界 😀", "Grüße, 世界 😀"),
    ],
)
def test_what_could_steer_a_terminal_or_an_eye_is_made_visible(text: str, wanted: str) -> None:
    assert visible(text, 100) == wanted


def test_an_escape_is_never_cut_in_two() -> None:
    assert visible("\x1b" * 10, 10) == "\\x1b\\x1b…"
    assert visible("\x1b\x1b", 8) == "\\x1b\\x1b"
    assert visible("\x1b\x1b", 7) == "\\x1b…"
    assert visible("\x1b", 1) == "…"
