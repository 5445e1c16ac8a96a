"""A search that is too much work: every side gives it up, says so, and goes on."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from mailwright.inbox import database
from mailwright.smtp.receiving import Received
from mailwright.words.envelope import Envelope
from tests.unit.inbox.web.asking import FROM_OUR_PAGE, Client

HEAD = b"Subject: long\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
HEAVY = quote(" ".join([f"-{'日' * 40}{number}x" for number in range(20)]))  # some ten seconds


@pytest.fixture
def full(client: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    envelope = Envelope.of("ada@example.org", "bob@example.org")
    content = HEAD + "日".encode() * 30_000 + b"\r\n"
    client.inbox.store.add_all([Received(envelope, content) for _ in range(100)])
    monkeypatch.setattr(database, "LONGEST_SEARCH", 0.05)
    return client


def test_the_page_says_so_and_shows_no_half_of_it(full: Client) -> None:
    page = full.ask(f"/?q={HEAVY}")
    assert page.status == 200 and "The search was given up" in page.text
    assert "/m/100" not in page.text and "/m/100" in full.ask("/").text


@pytest.mark.parametrize("path", [f"/messages?q={HEAVY}", f"/wait?timeout=20&q={HEAVY}"])
def test_the_api_says_so(full: Client, path: str) -> None:
    told = full.api(path)
    assert told.status == 400 and told.json["error"] == {
        "what": "The search was given up: it is more than 0.05 seconds of work.",
        "advice": "Look for fewer words, or longer ones.",
    }
    assert full.api("/messages?q=long").json["count"] == 100


def test_a_stream_does_not_begin(full: Client) -> None:
    assert full.ask(f"/events?q={HEAVY}", **FROM_OUR_PAGE).status == 400


def test_a_stream_that_became_too_much_work_ends(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with client.stream(f"/events?q={HEAVY}") as stream:
        stream.next("count")
        monkeypatch.setattr(database, "LONGEST_SEARCH", -1.0)
        client.deliver()
        rest = stream.answer.read()
    assert b"event: rows" not in rest
    monkeypatch.undo()
    assert client.api("/about").json["messages"] == 1
