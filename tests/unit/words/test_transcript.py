"""The transcript keeps the beginning and the end of a talk, and no more than it may."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.words.reply import Reply
from mailwright.words.transcript import LINE_LIMIT, Line, Transcript


@given(st.integers(2, 60), st.integers(0, 300))
def test_never_holds_more_than_its_limit(limit: int, count: int) -> None:
    transcript = Transcript(limit=limit)
    for number in range(count):
        transcript.note("C", str(number))
        assert len(transcript) <= limit
        assert len(transcript) + transcript.dropped == number + 1


def test_the_lines_in_the_middle_are_dropped_and_counted() -> None:
    transcript = Transcript(limit=6)
    for number in range(20):
        transcript.note("S", f"line {number}")
    assert [line.text for line in transcript] == [
        "line 0", "line 1", "line 2", "(14 lines left out)", "line 17", "line 18", "line 19"
    ]  # fmt: skip
    assert len(transcript) == 6
    assert transcript.dropped == 14


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_a_tiny_limit_is_no_leak(limit: int) -> None:
    transcript = Transcript(limit=limit)
    for number in range(100):
        transcript.note("C", str(number))
    assert len(transcript) <= max(limit, 2)
    assert next(iter(transcript)).text == "0"
    assert list(transcript)[-1].text == "99"


def test_times_count_from_the_beginning() -> None:
    times = iter([100.0, 100.5, 102.25])
    transcript = Transcript(lambda: next(times))
    transcript.note("S", "220 hello")
    transcript.note("C", "EHLO me")
    assert [line.seconds for line in transcript] == [0.5, 2.25]
    assert str(transcript) == "   0.500 S 220 hello\n   2.250 C EHLO me"


def test_without_a_clock_every_line_is_at_zero() -> None:
    transcript = Transcript()
    transcript.note("*", "TLS 1.3")
    assert list(transcript) == [Line(0.0, "*", "TLS 1.3")]
    assert repr(transcript) == "<Transcript of 1 lines>"


def test_an_empty_one_is_empty() -> None:
    assert list(Transcript()) == []
    assert str(Transcript()) == ""
    assert len(Transcript()) == 0


@given(st.text(max_size=1000))
def test_a_line_is_safe_to_print(text: str) -> None:
    shown = str(Line(1.5, "S", text))
    assert shown.isprintable()
    assert shown.startswith("   1.500 S ")
    assert len(shown) <= 411


def test_is_pickled_without_its_clock() -> None:
    transcript = Transcript(lambda: 3.0, limit=4)
    for number in range(9):
        transcript.note("C", str(number))
    back = pickle.loads(pickle.dumps(transcript))
    assert list(back) == list(transcript)
    assert (back.dropped, back.limit) == (transcript.dropped, 4)
    back.note("C", "later")
    assert list(back)[-1] == Line(0.0, "C", "later")


def test_each_line_of_a_reply_is_one() -> None:
    transcript = Transcript()
    transcript.note("C", "EHLO me")
    transcript.note_reply(Reply(250, ("mail.example.org", "PIPELINING ", "")))
    transcript.note_reply(Reply(221))
    assert [(line.mark, line.text) for line in transcript] == [
        ("C", "EHLO me"), ("S", "250-mail.example.org"), ("S", "250-PIPELINING"), ("S", "250")
    ]  # fmt: skip


@given(st.lists(st.integers(0, 40), max_size=40), st.integers(2, 60), st.sets(st.integers(0, 40)))
def test_replies_count_by_their_lines_whenever_it_is_read(sizes: list[int], limit: int, looks: set[int]) -> None:
    transcript, texts = Transcript(limit=limit), []
    for number, size in enumerate(sizes):
        lines = tuple(f"{number}.{place}" for place in range(size))
        transcript.note_reply(Reply(250, lines))
        texts += [f"250{'-' if place < size - 1 else ' '}{line}" for place, line in enumerate(lines)]
        if number in looks:
            assert len(transcript) + transcript.dropped == len(texts)
    kept = [line.text for line in transcript]
    if transcript.dropped:
        half = max(1, limit // 2)
        assert kept == [*texts[:half], f"({len(texts) - 2 * half} lines left out)", *texts[-half:]]
    else:
        assert kept == texts


def test_a_long_reply_is_cut_like_a_long_line() -> None:
    transcript = Transcript()
    transcript.note_reply(Reply(250, ("x" * 5000, "y" * 5000)))
    transcript.note("C", "z" * 5000)
    assert [len(line.text) for line in transcript] == [LINE_LIMIT] * 3


def test_what_nobody_has_read_is_pickled_too() -> None:
    transcript = Transcript(limit=4)
    transcript.note_reply(Reply(250, tuple("abcdefg")))
    back = pickle.loads(pickle.dumps(transcript))
    assert [line.text for line in back] == ["250-a", "250-b", "(3 lines left out)", "250-f", "250 g"]
