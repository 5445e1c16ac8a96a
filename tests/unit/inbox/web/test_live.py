"""The stream of what arrives."""

from __future__ import annotations

import json

import pytest

from mailwright.inbox.web.live import event
from tests.unit.inbox.web.asking import Client


def test_what_arrives_is_told_with_its_id(client: Client) -> None:
    client.deliver("Subject: before\r\n\r\n")
    with client.stream() as stream:
        assert (
            stream.answer.status == 200
            and stream.answer.getheader("content-type") == "text/event-stream; charset=utf-8"
        )
        assert json.loads(stream.next("count")[1]) == {"total": 1, "unread": 1}
        for number in range(3):
            id = client.deliver(f"Subject: number {number} <b>\r\n\r\n")
            told, rows = stream.next("rows")
            assert told == str(id) and f"number {number} &lt;b&gt;" in rows and "before" not in rows
            assert json.loads(stream.next("count")[1]) == {"total": number + 2, "unread": number + 2}


def test_what_is_marked_or_thrown_away_is_counted(client: Client) -> None:
    id = client.deliver()
    with client.stream() as stream:
        stream.next("count")
        client.api(f"/messages/{id}", "PATCH", {"seen": True})
        assert json.loads(stream.next("count")[1]) == {"total": 1, "unread": 0}
        client.api("/messages", "DELETE")
        assert json.loads(stream.next("count")[1]) == {"total": 0, "unread": 0}


def test_who_was_away_hears_what_came_meanwhile(client: Client) -> None:
    ids = [client.deliver(f"Subject: number {number}.\r\n\r\n") for number in range(3)]
    for options in ({"Last-Event-ID": str(ids[0])}, {}):
        path = "/events" if options else f"/events?after={ids[0]}"
        with client.stream(path, **options) as stream:
            told, rows = stream.next("rows")
        assert told == str(ids[2]) and rows.index("number 2.") < rows.index("number 1.") and "number 0." not in rows


def test_a_search_narrows_the_stream(client: Client) -> None:
    with client.stream("/events?q=subject:wanted") as stream:
        stream.next("count")
        client.deliver("Subject: other\r\n\r\n")
        wanted = client.deliver("Subject: wanted\r\n\r\n")
        told, rows = stream.next("rows")
        assert told == str(wanted) and "other" not in rows
    with client.stream("/events?q=before:never") as stream:
        assert stream.answer.status == 400 and b"before:2026-11-20" in stream.answer.read()
    with client.stream("/events?after=x") as stream:
        assert stream.answer.status == 404


def test_many_at_once_reach_whoever_looks(client: Client) -> None:
    seen: set[str] = set()
    with client.stream() as stream:
        stream.next("count")
        for number in range(120):
            client.deliver(f"Subject: mail-{number:03}.\r\n\r\n")
        while len(seen) < 120:
            seen |= {part[:3] for part in stream.next("rows")[1].split("mail-")[1:]}
    assert seen == {f"{number:03}" for number in range(120)}


@pytest.mark.parametrize("text", ["", "a\nb", "a\r\nevent: x\r\n\r\ndata: y", "\u2028z", "\r", "\0", "\ud800"])
def test_no_text_ends_an_event(text: str) -> None:
    octets = event("rows", text, 7)
    assert octets.startswith(b"id: 7\nevent: rows\ndata: ") and octets.endswith(b"\n\n")
    assert octets.count(b"\n\n") == 1 and b"\r" not in octets
    assert all(line.startswith((b"id: ", b"event: rows", b"data: ")) for line in octets[:-2].split(b"\n"))
