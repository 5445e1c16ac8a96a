"""Whatever a stranger sends: every page of it is ours from the first tag to the last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailwright.inbox.faults import parse, written
from mailwright.inbox.faults.words import occasions
from mailwright.inbox.reading.frame import SCHEMES
from mailwright.inbox.store import Store
from mailwright.inbox.web import pages
from mailwright.inbox.web.pages.faults import OFFERED
from tests.unit.inbox.pages.hostile import RUN, WORDS, messages
from tests.unit.inbox.pages.looking import faults_of_frame, faults_of_page, kept, tags, words

ELSEWHERE = "http://evil.test:4711"
MAIL = dict(messages(ELSEWHERE))
PAGE = pages.Page(nonce="the-nonce", csrf="the-token", smtp="smtp+plain://127.0.0.1:1025", now=1_795_000_000)
LARGEST = 3_000_000  # characters of a page, whatever the message


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store.open() as made:
        yield made


@pytest.mark.parametrize("name", MAIL)
def test_every_view_of_a_hostile_message_is_ours(store: Store, name: str) -> None:
    id = kept(store, MAIL[name])
    for view in pages.VIEWS:
        html = pages.message(store, id, view, PAGE)
        assert html is not None
        assert faults_of_page(html, "the-nonce") == [], view
        assert len(html) < LARGEST
        html.encode("utf-8")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_frame_of_a_hostile_message_holds_more_than_a_reader_shows(store: Store, scheme: str) -> None:
    for name, content in MAIL.items():
        received = store.received(kept(store, content))
        assert received is not None
        document = pages.frame(received, scheme=scheme).decode("utf-8")  # type: ignore[arg-type]
        assert faults_of_frame(document) == [], name


def test_a_list_of_hostile_messages_is_ours(store: Store) -> None:
    for content in MAIL.values():
        kept(store, content)
    seen = before = 0
    while before is not None:
        html = pages.listing(store, before=before or None, page=PAGE)
        assert faults_of_page(html, "the-nonce") == []
        rows = [tag for tag in tags(html) if tag.name == "li" and "data-id" in tag.attributes]
        seen += len(rows)
        before = int(rows[-1].attributes["data-id"]) if rows else None  # type: ignore[assignment]
    assert seen >= len(MAIL)


@pytest.mark.parametrize("text", WORDS)
def test_what_is_looked_for_is_shown_as_text(store: Store, text: str) -> None:
    html = pages.listing(store, text, page=PAGE)
    assert faults_of_page(html, "the-nonce") == []
    asked = next(tag for tag in tags(html) if tag.attributes.get("name") == "q")
    assert asked.attributes["value"] == text[:1000]


def test_a_fragment_of_the_list_carries_no_token(store: Store) -> None:
    fragment = pages.rows_fragment(store.rows(limit=50), PAGE)
    assert "the-token" not in fragment and faults_of_page(fragment, "the-nonce") == []


def test_hostile_words_are_still_there_to_be_read(store: Store) -> None:
    id = kept(store, dict(messages(ELSEWHERE))["subject 0"])
    html = pages.message(store, id, "text", PAGE)
    assert html is not None
    assert words(html).count(f"<script>{RUN}</script>") >= 2  # the subject and the text


def test_notes_faults_and_problems_are_escaped(store: Store) -> None:
    kept(store, b"Subject: x\r\n\r\nx", note=f"<script>{RUN}</script>")
    for html in (
        pages.charts(store, PAGE),
        pages.faults([f"<script>{RUN}</script>"], PAGE),
        pages.problem(404, f"<script>{RUN}</script>", PAGE),
        pages.listing(store, page=PAGE),
    ):
        assert faults_of_page(html, "the-nonce") == []
        assert f"<script>{RUN}" in words(html)


@pytest.mark.parametrize(
    "text", [text for _, text in OFFERED] + [f'says {service} "{occasion}"' for service, occasion in occasions()]
)
def test_every_fault_that_is_offered_is_one(text: str) -> None:
    assert parse(written(parse(text))) == parse(text)
    assert text in next(
        iter([tag.attributes["value"] for tag in tags(pages.faults([], PAGE)) if tag.attributes.get("value") == text])
    )
