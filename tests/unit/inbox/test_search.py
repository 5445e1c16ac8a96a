"""Searching: what a query means, that any text may be asked, and that what is there is found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailwright.inbox import database
from mailwright.inbox.search import LENGTH, TERMS, SearchError, contains, parse
from mailwright.inbox.store import Store
from mailwright.smtp.receiving import Received
from mailwright.words.envelope import Envelope

FILE = """\
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
\r
{text}\r
--b\r
Content-Type: application/pdf; name="{name}"\r
Content-Disposition: attachment; filename="{name}"\r
\r
%PDF\r
--b--\r
"""

UTF8 = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"


def mail(
    subject: str = "Hello",
    text: str = "Text",
    sender: str = "ada@example.org",
    to: tuple[str, ...] = ("bob@example.net",),
    head: str = "",
    name: str = "",
) -> Received:
    fields = f"From: Ada Łovelace <{sender}>\r\nTo: {', '.join(to)}\r\nSubject: {subject}\r\n{head}"
    body = FILE.format(text=text, name=name) if name else f"\r\n{text}\r\n"
    return Received(Envelope.of(sender, to), f"{fields}{body}".encode("utf-8", "surrogateescape"))


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store.open() as made:
        made.add(
            mail(
                "Your invoice", "Dear Bob, it is due on Friday: 100% of it.", to=("bob@example.net", "eve@example.com")
            )
        )
        made.add(
            mail("Draft of the offer", "The invoice_2 is attached.", "carl@sub.example.org", name="Rechnung März.pdf")
        )
        made.add(
            mail("Größe ☃", "日本語のテキスト and Straße http://example.com/?a=b", head="Cc: dora@example.com\r\n")
        )
        made.add(mail("", "", ""))
        made.mark(2, True)
        yield made


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {1, 2, 3, 4}),
        ("   ", {1, 2, 3, 4}),
        ("invoice", {1, 2}),
        ("INVOICE", {1, 2}),
        ("inv", {1, 2}),
        ("voice", set()),
        ("invoice friday", {1}),
        ("invoice -friday", {2}),
        ("-invoice", {3, 4}),
        ('"due on friday"', {1}),
        ('"due friday"', set()),
        ('-"due on friday" invoice', {2}),
        ('"due on', {1}),
        ("from:ada@example", {1, 3}),
        ("from:ada@example.org", {1, 3}),
        ("from:example.org", {1, 2, 3}),
        ("FROM:carl", {2}),
        ('from:"Ada Łovelace" -from:carl', {1, 3, 4}),
        ("to:eve", {1}),
        ("to:dora", {3}),
        ("to:ada", set()),
        ("subject:offer", {2}),
        ("subject:invoice", {1}),
        ('subject:"of the"', {2}),
        ("has:attachment", {2}),
        ("-has:attachment", {1, 3, 4}),
        ("rechnung", {2}),
        ("marz", {2}),
        ("grosse", set()),
        ("größe", {3}),
        ("grösse", set()),
        ("☃", {3}),
        ("subject:☃", {3}),
        ("from:☃", set()),
        ("本語", {3}),
        ("テキスト invoice", set()),
        ("-日本", {1, 2, 4}),
        ("%", {1}),
        ("_", {2}),
        ("http://example.com", {3}),
        ("a=b", {3}),
        ("is:unread", {1, 3, 4}),
        ("is:read", {2}),
        ("-is:read", {1, 3, 4}),
        ("size>200", {2}),
        ("size<200b", {1, 3, 4}),
        ("size<1mb size>1", {1, 2, 3, 4}),
        ("before:2001-01-01", set()),
        ("after:2001-01-01 before:9999-12-31", {1, 2, 3, 4}),
        ("-after:2001-01-01T12:30", set()),
        ("-", set()),
        ("AND", {3}),
        ("NEAR(a b)", set()),
        ("dear OR nothing", set()),
        ("subject:offer* ", {2}),
        ('"', {1, 2, 3, 4}),
        ('""', {1, 2, 3, 4}),
        ("'; DROP TABLE messages; --", set()),
    ],
)
def test_what_a_query_finds(store: Store, query: str, expected: set[int]) -> None:
    assert {row.id for row in store.rows(query)} == expected
    assert store.count(query) == len(expected)
    assert [row.id for row in store.rows_after(0, query)] == sorted(expected)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("before:soon", "Write before:2026-11-20"),
        ("after:2026-13-01", "Write after:2026-11-20"),
        ("has:wings", "Write has:attachment"),
        ("is:blue", "Write is:unread"),
        ("from:", "Write it like from:word"),
        ('subject:""', "Write it like subject:word"),
        ("before:", "Write it like before:2026-11-20"),
        ("size>", "Write it like size>100kb"),
        ("size>big", "Write size>5000"),
        ("size<-1", "Write size<5000"),
        ("size>1e9", "Write size>5000"),
        ("x" * (LENGTH + 1), "At most 1,000"),
        ("a " * (TERMS + 1), "At most 30"),
    ],
)
def test_a_query_that_is_none_says_how_to_write_it(store: Store, query: str, told: str) -> None:
    with pytest.raises(SearchError) as caught:
        store.rows(query)
    assert told in caught.value.advice


def test_what_is_asked_twice_is_asked_once(store: Store) -> None:
    assert parse("invoice -draft invoice -draft") == parse("invoice -draft")
    assert store.count("invoice " * TERMS) == 2


@pytest.mark.parametrize("ask", ["rows", "rows_after", "count"])
def test_a_question_that_is_too_much_work_is_given_up(monkeypatch: pytest.MonkeyPatch, ask: str) -> None:
    monkeypatch.setattr(database, "LONGEST_SEARCH", 0.05)  # of some ten seconds
    with Store.open(size_limit=1 << 30) as store:
        ids = store.add_all([mail(text="日" * 30_000, head=UTF8) for _ in range(100)])
        question = " ".join([f"-{'日' * 40}{number}x" for number in range(20)])
        with pytest.raises(SearchError, match="given up") as caught:
            store.rows_after(0, question) if ask == "rows_after" else getattr(store, ask)(question)
        assert caught.value.advice == "Look for fewer words, or longer ones."
        ids += store.add_all([mail("☃")])  # it goes on as before
        assert store.count() == store.count('-"nothing of this kind"') == len(ids)
        assert [row.id for row in store.rows("☃")] == ids[-1:]


def test_a_day_begins_at_its_midnight_here() -> None:
    day = datetime(2026, 11, 20).timestamp()
    assert parse("after:2026-11-20").parameters == parse("before:2026-11-20").parameters == (day,)
    assert parse("before:2026-11-20T01:00").parameters == (day + 3600,)


@given(st.text(max_size=60) | st.text("\"'-:<>()*^{}%_\\ fromANDORtosizehas\0\ud800☃", max_size=40))
@settings(max_examples=300)
def test_any_text_can_be_asked(store: Store, query: str) -> None:
    try:
        parse(query)
    except SearchError as problem:
        assert problem.advice
        return
    rows = store.rows(query)
    assert store.count(query) == len(rows) <= 4


@given(st.text(max_size=40))
@settings(max_examples=200)
def test_a_text_and_the_rest_are_everything(store: Store, text: str) -> None:
    quoted = '"' + text.replace('"', " ") + '"'
    assert store.count(quoted) + store.count("-" + quoted) in (4, 8)  # an empty one asks for nothing, twice


#: What SQLite and we call a letter may differ; those of these scripts and all others are looked for in different ways.
WORD = st.text(
    st.characters(categories=("L", "N"), max_codepoint=0x5FF) | st.characters(categories=("L", "N", "So")),
    min_size=1,
    max_size=12,
)


@given(st.lists(WORD, min_size=1, max_size=4), st.integers(0, 3))
@settings(max_examples=200)
def test_what_is_there_is_found(words: list[str], which: int) -> None:
    text = " ".join(words)
    with Store.open() as store:
        store.add(mail("Nothing", "of interest"))
        store.add(mail(text="Before it " + text + " and behind"))
        for query in (words[which % len(words)], f'"{text}"', " ".join(words)):
            assert 2 in [row.id for row in store.rows(query)], query
        assert store.wait(parse(words[0]), 0) is not None


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=30))
def test_a_part_of_the_text_is_found_exactly(part: str) -> None:
    with Store.open() as store:
        store.add(
            mail(
                text=f"Before{part}behind",
                head=UTF8,
            )
        )
        stored = part.replace("\0", " ")
        if "\r" not in part and "\n" not in part:
            assert store.wait(contains(stored), 0) is not None
        assert store.wait(contains(part + "☄"), 0) is None
