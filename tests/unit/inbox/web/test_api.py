"""The REST API, as programs in any language use it."""

from __future__ import annotations

import json
import smtplib
import threading
from email.message import EmailMessage

import pytest

from mailwright.inbox import Inbox
from mailwright.inbox.web import Site
from mailwright.message.check import check
from tests.unit.inbox.web.asking import Client, heard, opened


def rich() -> bytes:
    """A message with everything that an API tells of."""
    message = EmailMessage()
    message["From"] = "Ada Łucja <ada@example.org>"
    message["To"] = "Bob <bob@example.org>"
    message["Subject"] = "Grüße ✉"
    message["Date"] = "Sat, 21 Nov 2026 03:00:00 +0000"
    message.set_content("Plain text.\n")
    message.add_alternative("<p>Rich <b>text</b>.</p>", subtype="html")
    message.add_attachment(b"a;b\r\n", maintype="text", subtype="csv", filename="Größe.csv")
    return message.as_bytes(policy=message.policy.clone(linesep="\r\n"))


def test_a_message_is_told_as_it_is(client: Client) -> None:
    id = client.deliver(rich(), ["bob@example.org", "eve@example.org"])
    told = client.api(f"/messages/{id}").json
    assert told["subject"] == "Grüße ✉" and told["from"] == "Ada Łucja <ada@example.org>"
    assert told["sender"] == "ada@example.org" and told["recipients"] == ["bob@example.org", "eve@example.org"]
    assert told["text"] == "Plain text.\n" and told["html"].strip() == "<p>Rich <b>text</b>.</p>"
    assert told["attachments"] == 1 and told["seen"] is False and told["login"] is None and told["peer"] == "127.0.0.1"
    assert {"name": "Subject", "value": "Grüße ✉"} in told["headers"]
    assert [(part["number"], part["type"], part["name"]) for part in told["parts"]] == [
        ("", "multipart/mixed", ""), ("1", "multipart/alternative", ""), ("1.1", "text/plain", ""),
        ("1.2", "text/html", ""), ("2", "text/csv", "Größe.csv"),
    ]  # fmt: skip
    assert told["parts"][-1]["size"] == 5


def test_the_octets_are_those_that_came(client: Client) -> None:
    id = client.deliver(rich())
    content = client.inbox.messages[0].content
    answer = client.api(f"/messages/{id}/raw")
    assert answer.body == content and answer.fields["content-length"] == str(len(content))
    assert client.ask(f"/m/{id}/raw").body == content
    assert client.api(f"/messages/{id}/parts/2").body == b"a;b\r\n"
    assert client.api(f"/messages/{id}/parts/1.1").body == b"Plain text.\r\n"


def test_the_checks_are_those_of_lint_and_of_the_page(client: Client) -> None:
    id = client.deliver(b"Subject: x\r\nFrom: ada@example.org\r\n\r\n<b>y</b>\r\n" + b"z" * 1200 + b"\r\n")
    received, row = client.inbox.messages[0], client.inbox.store.row(id)
    assert row is not None
    lint = check(received, now=row.arrived)
    assert client.api(f"/messages/{id}/checks").json == {"findings": [one.as_dict() for one in lint]}
    page = client.ask(f"/m/{id}/checks").text
    assert {"no-date", "no-message-id", "line-too-long"} <= {one.rule for one in lint}
    assert all(f"<bdi>{one.rule}</bdi>" in page for one in lint)
    assert client.api("/messages/99/checks").status == 404


def test_how_many_had_to_make_room_is_told() -> None:
    with Inbox(tls=False, limit=2) as inbox, Site(inbox.store, inbox.faults, port=0) as site:
        client = Client(site, inbox)
        assert client.api("/about").json["dropped"] == 0 and "made room" not in client.ask("/").text
        for _ in range(3):
            client.deliver()
        assert client.api("/about").json["dropped"] == 1 and "1 older one made room" in client.ask("/").text


def test_the_list_has_pages_and_can_be_searched(client: Client) -> None:
    for number in range(7):
        client.deliver(f"Subject: No {number}\r\nFrom: ada@example.org\r\n\r\nBody {number % 2}\r\n")
    first = client.api("/messages?limit=3").json
    assert [row["subject"] for row in first["messages"]] == ["No 6", "No 5", "No 4"] and first["count"] == 7
    second = client.api(f"/messages?limit=3&before={first['messages'][-1]['id']}").json
    assert [row["subject"] for row in second["messages"]] == ["No 3", "No 2", "No 1"]
    found = client.api("/messages?q=subject%3A4").json
    assert [row["subject"] for row in found["messages"]] == ["No 4"] and found["count"] == 1
    wrong = client.api("/messages?q=before%3Anever")
    assert wrong.status == 400 and "Write before:2026-11-20" in wrong.json["error"]["advice"]


def test_marking_and_deleting(client: Client) -> None:
    ids = [client.deliver() for _ in range(4)]
    assert client.api(f"/messages/{ids[0]}", "PATCH", {"seen": True}).json["seen"] is True
    assert client.api("/about").json | {"version": ""} == {
        "version": "", "messages": 4, "unread": 3, "latest": ids[3], "dropped": 0,
        "smtp": {"host": "127.0.0.1", "port": client.inbox.server.port, "security": "none"},
    }  # fmt: skip
    assert client.api(f"/messages/{ids[0]}", "PATCH", {"seen": False}).json["seen"] is False
    assert client.api(f"/messages/{ids[0]}", "DELETE").json == {"deleted": 1}
    assert client.api(f"/messages/{ids[0]}", "DELETE").status == 404
    assert client.api(f"/messages?id={ids[1]}&id={ids[2]}&id=999", "DELETE").json == {"deleted": 2}
    assert client.api("/messages", "DELETE").json == {"deleted": 1}
    assert client.inbox.store.count() == 0


def test_deleting_with_a_list_that_can_not_be_read_deletes_nothing(client: Client) -> None:
    client.deliver()
    for query in ("id=", "id=x", "id=1&id=", "ids=1", "id=-1", "id=1e3", "id=%FF", "id=1_0", "id=%D9%A3"):
        assert client.api(f"/messages?{query}", "DELETE").status == 400
    assert client.inbox.store.count() == 1


@pytest.mark.parametrize(
    "id", ["0", "-1", "999", "1e9", "x", "", "1.0", "9" * 30, "9" * 5000, "%00", "..%2f..%2fetc%2fpasswd", "1%2f..", "１", "%EF%BC%91", "1;x", "' OR 1=1"],
    ids=lambda id: id[:20],
)  # fmt: skip
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/messages/{}",
        "/api/v1/messages/{}/raw",
        "/api/v1/messages/{}/parts/1",
        "/m/{}",
        "/m/{}/raw",
        "/m/{}/frame",
        "/m/{}/part/1",
        "/m/{}/source",
    ],
)
def test_ids_that_are_none(path: str, id: str, shared: Client) -> None:
    from urllib.parse import quote

    answer = shared.ask(quote(path.format(id), safe="/%;"))
    assert answer.status in (404, 405), answer
    assert b"defect" not in answer.body


@pytest.mark.parametrize(
    "number", ["0", "2", "1.1", "..", "%2e%2e%2f", "%00", "1" * 1000, "-1", "x", "1.", ".1", "1..1"]
)
def test_parts_that_are_none(number: str, shared: Client) -> None:
    assert shared.ask(f"/m/1/part/{number}").status in (404,)
    assert shared.ask(f"/api/v1/messages/1/parts/{number}").status in (404,)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"seen=true", "application/x-www-form-urlencoded", 415),
        (b'{"seen": true}', "text/plain", 415),
        (b'{"seen": true}', "", 415),
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
        (b'{"seen": ' + b"1" * 5000 + b"}", "application/json", 400),
        (b'{"seen": "yes"}', "application/json", 400),
        (b'{"seen": 1}', "application/json", 400),
        (b'{"seen": true, "all": true}', "application/json", 400),
        (b'{"seen": null}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"\\ud800": 1}', "application/json", 400),
        (b" " * 70_000, "application/json", 413),
    ],
    ids=lambda one: repr(one)[:30],
)
def test_bodies_that_can_not_be_meant(body: bytes, kind: str, status: int, shared: Client) -> None:
    answer = shared.ask("/api/v1/messages/1", "PATCH", body, Content_Type=kind)
    assert answer.status == status and answer.json["error"]["what"]
    assert shared.inbox.store.count("is:unread") == 1


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=1001", "limit=x", "limit=1&limit=2", "limit=1.5", "limit=", "before=x", "strange=1", "q=%FF", "q=" + "x" * 1001, "&".join(["q=x"] * 200), "limit=١", "limit=1_0", "before=9999999999999999999999"],
    ids=lambda query: query[:20],
)  # fmt: skip
def test_queries_that_can_not_be_meant(query: str, shared: Client) -> None:
    from urllib.parse import quote

    answer = shared.ask(f"/api/v1/messages?{quote(query, safe='=&%')}")
    assert answer.status == 400 and answer.json["error"]["advice"]


def test_text_from_a_stranger_is_valid_json(client: Client) -> None:
    client.deliver(
        b"Subject: \xff\x00\x1b[2J =?utf-8?b?7aCA?= =?utf-16?b?2AA=?=\r\nContent-Type: text/plain; charset=utf-16\r\n\r\n\xd8\x00\r\n"
    )
    answer = client.api("/messages/1")
    assert answer.status == 200
    answer.body.decode("utf-8")
    assert json.loads(answer.body)["id"] == 1


# Waiting.


def test_waiting_finds_what_is_there(client: Client) -> None:
    client.deliver("Subject: One\r\n\r\nThe code is 4711.\r\n", "bob@example.org")
    client.deliver("Subject: Two\r\n\r\nNothing.\r\n", "eve@example.org", "")
    for query, subject in (
        ("", "One"), ("to=eve@example.org", "Two"), ("to=eve%40EXAMPLE.org", "Two"), ("subject=Tw", "Two"), ("sender=", "Two"), ("sender=ada@example.org", "One"),
        ("contains=4711", "One"), ("q=nothing", "Two"), ("after=1", "Two"), ("to=bob@example.org&subject=One&contains=code", "One"),
    ):  # fmt: skip
        found = client.api(f"/wait?{query}&timeout=10" if query else "/wait").json
        assert [row["subject"] for row in found["messages"]] == [subject], query
    assert [row["id"] for row in client.api("/wait?count=2").json["messages"]] == [1, 2]


def test_waiting_in_vain_shows_what_did_arrive(client: Client) -> None:
    empty = client.api("/wait?timeout=0")
    assert empty.status == 404 and "inbox is empty" in empty.json["error"]["advice"] and empty.json["fired"] == []
    with client.inbox.faults.add("rcpt reply='450 4.2.0 Later'"), pytest.raises(smtplib.SMTPRecipientsRefused):
        client.deliver()
    refused = client.api("/wait?timeout=0").json
    assert refused["fired"] == ["rcpt 'reply=450 4.2.0 Later': connection 1, message 1, bob@example.org"]
    assert "Faults happened" in refused["error"]["advice"]
    client.deliver()
    for query in (
        "to=nobody@example.org",
        "subject=hello",
        "contains=text",
        "count=2",
        "after=1",
        "sender=",
        "q=-hello",
    ):
        answer = client.api(f"/wait?{query}&timeout=0.05")
        assert answer.status == 404, query
        assert [row["subject"] for row in answer.json["messages"]] == ["Hello"]
    assert "with to='nobody@example.org'" in client.api("/wait?to=nobody@example.org&timeout=0").json["error"]["what"]


def test_waiting_hears_what_comes(client: Client) -> None:
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(client.api("/wait?subject=late&count=2&timeout=60")))
    waiting.start()
    for number in range(3):
        client.deliver(f"Subject: early {number}\r\n\r\n")
    first, second = client.deliver("Subject: late 1\r\n\r\n"), client.deliver("Subject: late 2\r\n\r\n")
    waiting.join(30)
    assert [row["id"] for row in answers[0].json["messages"]] == [first, second]


@pytest.mark.parametrize(
    "query",
    [
        "timeout=61",
        "timeout=-1",
        "timeout=nan",
        "timeout=inf",
        "timeout=1e400",
        "count=0",
        "to=x",
        "to=",
        "to=a@b@c",
        "subject=" + "x" * 1001,
    ],
)
def test_waiting_for_what_can_not_be_meant(query: str, shared: Client) -> None:
    assert shared.api(f"/wait?{query}").status == 400


def test_those_who_wait_go_home_when_the_page_closes() -> None:
    with opened() as client:
        waiting = [client.connect() for _ in range(3)]
        for one in waiting:
            one.sendall(b"GET /api/v1/wait?timeout=60 HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % client.port)
        with client.stream() as stream:
            stream.next("count")  # whoever asked before has a seat by now
            client.site.close()
            assert stream.answer.read() == b""
    for one in waiting:
        with one:
            assert heard(one).startswith(b"HTTP/1.1 503 ")


def test_only_so_many_wait_at_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from mailwright.inbox.web import live

    monkeypatch.setattr(live, "SEATS", 1)
    with client.stream() as stream:
        stream.next("count")
        full = client.api("/wait")
        assert full.status == 503 and full.json["error"]["advice"]


def test_what_is_off_says_how_it_is_switched_on(shared: Client) -> None:
    for answer, option in (
        (shared.api("/messages/1/spam"), "--spamd"),
        (shared.api("/messages/1/release", "POST", {}), "--release-to"),
    ):
        assert answer.status == 409 and option in answer.json["error"]["advice"]


def test_a_large_message_is_streamed(client: Client) -> None:
    content = b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 76 + b"\r\n") * 100_000
    with smtplib.SMTP("127.0.0.1", client.inbox.server.port) as smtp:
        smtp.sendmail("a@example.org", "b@example.org", content)
    assert client.api("/messages/1/raw").body == content
    assert len(client.api("/messages/1").json["text"]) <= 2_000_000


# Faults.


def test_faults_are_played_told_and_taken_back(client: Client) -> None:
    asked = {"faults": ['rcpt reply="550 5.1.1 No such mailbox"', "after_dot times=1"]}
    told = client.api("/faults", "PUT", asked).json
    assert len(told["faults"]) == 2 and told["fired"] == []
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        client.deliver()
    assert caught.value.recipients["bob@example.org"] == (550, b"5.1.1 No such mailbox")
    told = client.api("/faults").json
    assert len(told["fired"]) == 1 and "550 5.1.1 No such mailbox" in told["faults"][0]
    assert client.api("/faults", "PUT", {"faults": told["faults"]}).json["faults"] == told["faults"]
    assert client.api("/faults", "DELETE").json["faults"] == []
    client.deliver()
    assert client.inbox.store.count() == 1


@pytest.mark.parametrize(
    "faults",
    [["nonsense"], ["rcpt"], [""], ["x" * 1001], ["greeting delay=x"], [1], "rcpt", None, ["mail drop", "nonsense"]],
)
def test_faults_that_are_none_change_nothing(faults: object, client: Client) -> None:
    client.api("/faults", "PUT", {"faults": ["rcpt drop"]})
    answer = client.api("/faults", "PUT", {"faults": faults})
    assert answer.status == 400 and answer.json["error"]["what"]
    assert len(client.api("/faults").json["faults"]) == 1


def test_faults_by_form(client: Client) -> None:
    assert client.form("/faults", {"faults": "greeting delay=1\r\nrcpt drop\r\n\r\n"}).fields["location"] == "/faults"
    assert len(client.inbox.faults.active) == 2
    assert client.form("/faults", {"faults": "nonsense"}).status == 400 and len(client.inbox.faults.active) == 2
    assert client.form("/faults", {"clear": "1"}).status == 303 and not client.inbox.faults.active


def test_without_a_server_there_are_no_faults(client: Client) -> None:
    from mailwright.inbox.web import Site

    with Site(client.inbox.store, port=0) as site:
        alone = Client(site, client.inbox)
        assert alone.api("/faults").status == 409 and alone.api("/about").json["smtp"] is None
        assert alone.ask("/faults").status == 200
