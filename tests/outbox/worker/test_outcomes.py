"""What a worker makes of what a server does: sockets, faults, and one recorded result for each recipient."""

from __future__ import annotations

from email import message_from_bytes
from typing import Any

import pytest

from mailwright.inbox import Inbox
from mailwright.outbox.work.retry import RETRIES
from mailwright.words.server import Server

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def test_what_was_put_is_sent_once_with_the_same_octets(place: Any, post_office: Inbox) -> None:
    place.put("bob@example.net")
    done = place.work(post_office.server)
    assert (done.sent, place.states()) == (1, {"bob@example.net": "sent"})
    (stored,) = place.sql("SELECT head, message_id FROM mw_message")
    (received,) = post_office.messages
    assert bytes(received.content) == stored[0]
    assert message_from_bytes(stored[0])["Message-ID"] == stored[1]
    assert place.work(post_office.server).sent == 0
    assert len(post_office.messages) == 1


def test_the_recipients_of_a_message_share_a_transaction(place: Any, post_office: Inbox) -> None:
    place.put("bob@example.net", "eve@example.com", "kim@example.net")
    place.work(post_office.server)
    (received,) = post_office.messages
    assert {one.spec for one in received.envelope.recipients} == {
        "bob@example.net", "eve@example.com", "kim@example.net",
    }  # fmt: skip
    assert set(place.states().values()) == {"sent"}


def test_a_refused_recipient_does_not_stop_the_others(place: Any, post_office: Inbox) -> None:
    post_office.faults.recipient_refused(recipient="eve@example.com")
    place.put("bob@example.net", "eve@example.com")
    place.work(post_office.server)
    rows = place.rows()
    assert rows["bob@example.net"][0] == "sent"
    assert rows["eve@example.com"] == ("failed", 550, "550 5.1.1 User unknown")


def test_who_has_a_yes_is_not_offered_the_message_again(place: Any, post_office: Inbox) -> None:
    post_office.faults.recipient_refused("450 4.2.1 Mailbox busy", recipient="eve@example.com", times=1)
    place.put("bob@example.net", "eve@example.com")
    place.work(post_office.server)
    assert place.states() == {"bob@example.net": "sent", "eve@example.com": "deferred"}
    place.go_on()
    place.work(post_office.server)
    assert place.states() == {"bob@example.net": "sent", "eve@example.com": "sent"}
    assert [[one.spec for one in message.envelope.recipients] for message in post_office.messages] == [
        ["bob@example.net"],
        ["eve@example.com"],
    ]
    first, second = post_office.messages
    assert bytes(first.content) == bytes(second.content)


@pytest.mark.parametrize(
    ("stage", "reply", "state", "kind"),
    [
        ("rcpt", "550 5.1.1 User unknown", "failed", ""),
        ("rcpt", "552 5.2.2 Mailbox full", "deferred", ""),
        ("rcpt", "552 too many recipients", "deferred", ""),
        ("rcpt", "450 4.2.1 Try later", "deferred", ""),
        ("rcpt", "451 4.7.1 Greylisted, please try again later", "deferred", ""),
        ("rcpt", "550 5.4.5 Daily user sending limit exceeded.", "deferred", "slow"),
        ("rcpt", "450 4.7.1 Error: too much mail from 127.0.0.1", "deferred", "slow"),
        ("dot", "552 5.3.4 Message too big", "failed", ""),
        ("dot", "554 5.7.1 Rejected as spam", "failed", ""),
        ("dot", "452 4.3.1 Insufficient system storage", "deferred", ""),
        ("dot", "550 5.4.5 Daily sending quota exceeded", "deferred", "slow"),
        ("dot", "454 4.7.0 Throttling failure: Maximum sending rate exceeded.", "deferred", "slow"),
        ("dot", "451 4.3.2 System not accepting messages", "deferred", "slow"),
        ("mail", "421 4.7.0 Too many messages", "deferred", "slow"),
        ("mail", "452 4.3.1 Out of space", "deferred", ""),
        ("mail", "530 5.7.0 Authentication required", "queued", "paused"),
        ("mail", "550 5.7.1 Your account has been suspended", "queued", "paused"),
        ("mail", "553 5.7.1 Sender address rejected: not owned by user ada", "queued", "paused"),
        ("mail", "501 5.1.7 Bad sender address syntax", "failed", ""),
        ("greeting", "554 5.7.1 You are not welcome here", "queued", "paused"),
        ("greeting", "421 4.3.2 Service not available", "deferred", "slow"),
        ("ehlo", "550 5.7.1 Your name is not good enough", "queued", "paused"),
    ],
)
def test_each_refusal_has_its_consequence(
    place: Any, post_office: Inbox, stage: str, reply: str, state: str, kind: str
) -> None:
    post_office.faults.add(stage, "reply", reply=reply)
    place.put()
    place.work(post_office.server)
    found = place.states()["bob@example.net"]
    stops = {event.kind for event in place.events if event.kind in ("slow", "paused", "dead")}
    assert (found, stops) == (state, {kind} - {""})
    assert post_office.messages == ()


def test_a_login_that_is_refused_pauses_the_account_and_keeps_the_mail(place: Any) -> None:
    with Inbox(("ada", "right"), tls=False) as inbox:
        server = inbox.server
        wrong = Server(server.host, server.port, server.security, type(server.login)("ada", "wrong"))
        place.put()
        place.work(wrong)
        assert place.states() == {"bob@example.net": "queued"}
        (paused,) = place.told("paused")
        assert "535" in paused.text and paused.seconds > 600
        assert place.work(server).sent == 0, "a pause holds for all workers"
        place.go_on()
        assert place.work(server).sent == 1


def test_nobody_there_defers_what_was_tried(place: Any) -> None:
    place.put()
    place.work(Server("127.0.0.1", 9))
    state, _, text = place.rows()["bob@example.net"]
    assert state == "deferred" and "127.0.0.1:9" in text
    assert place.told("dead")


def test_a_sender_whom_the_server_never_took_fails_alone(place: Any, post_office: Inbox) -> None:
    post_office.faults.sender_refused("553 5.7.1 Sender address rejected: not owned by user", sender="eve@example.org")
    place.put("one@example.net")
    place.put("two@example.net", sender="eve@example.org")
    place.put("three@example.net")
    place.work(post_office.server, concurrency=1, window=1)
    assert place.states() == {"one@example.net": "sent", "two@example.net": "failed", "three@example.net": "sent"}


@pytest.mark.parametrize(("in_doubt", "state"), [("retry", "deferred"), ("hold", "held")])
def test_no_reply_after_the_dot_is_doubt(place: Any, post_office: Inbox, in_doubt: str, state: str) -> None:
    post_office.faults.after_dot(drop=True, times=1)
    place.put(in_doubt=in_doubt)
    place.work(post_office.server, retries=RETRIES)  # not so soon that this worker sends it again
    found, _, text = place.rows()["bob@example.net"]
    assert found == state
    assert "twice" in text if state == "deferred" else "not sent again" in text
    place.go_on()
    place.work(post_office.server)
    copies = [bytes(message.content) for message in post_office.messages]
    assert len(copies) == (2 if in_doubt == "retry" else 1) and len(set(copies)) == 1


@pytest.mark.parametrize("in_doubt", ["retry", "hold"])
def test_what_breaks_in_the_content_is_tried_again(place: Any, post_office: Inbox, in_doubt: str) -> None:
    post_office.faults.in_content(10)
    place.put(in_doubt=in_doubt, text="x" * 60 + "\r\n")
    place.work(post_office.server)
    assert place.states()["bob@example.net"] in (("deferred",) if in_doubt == "retry" else ("deferred", "held"))
    assert post_office.messages == ()


@pytest.mark.parametrize("keywords", [(), ("CHUNKING",), ("CHUNKING", "PIPELINING")])
@pytest.mark.parametrize("in_doubt", ["retry", "hold"])
def test_every_way_of_sending_arrives(place: Any, post_office: Inbox, keywords: tuple[str, ...], in_doubt: Any) -> None:
    if keywords:
        post_office.faults.hides(*keywords)
    for number in range(20):
        place.put(f"bob{number}@example.net", in_doubt=in_doubt)
    assert place.work(post_office.server).sent == 20
    assert len(post_office.messages) == 20
    assert place.sql("SELECT count(*) FROM mw_delivery") == [(0,)]


def test_a_large_message_is_streamed_and_checked(place: Any, post_office: Inbox) -> None:
    text = "".join(f"{number:070}\r\n" for number in range(12_000))
    for in_doubt in ("retry", "hold"):
        place.put(f"{in_doubt}@example.net", text=text, in_doubt=in_doubt)
    assert place.sql("SELECT count(*) FROM mw_chunk")[0][0] >= 4
    assert place.work(post_office.server).sent == 2
    for message in post_office.messages:
        assert len(bytes(message.content)) > 800_000


@pytest.mark.parametrize("damage", [
    "UPDATE mw_message SET head = CAST(replace(CAST(head AS TEXT), 'Dear', 'Fear') AS BLOB)",
    "UPDATE mw_message SET head = NULL",
    "UPDATE mw_delivery SET rcpt = 'no address'",
    "UPDATE mw_chunk SET octets = CAST(replace(CAST(octets AS TEXT), '11999', '11998') AS BLOB)",
    "DELETE FROM mw_chunk WHERE place = 2",
])  # fmt: skip
def test_a_damaged_row_is_set_aside_and_its_neighbours_are_sent(place: Any, post_office: Inbox, damage: str) -> None:
    place.put(text="Dear Bob\r\n" + "".join(f"{number:070}\r\n" for number in range(12_000)))
    place.sql(damage)
    place.put("kim@example.net")
    place.work(post_office.server)
    states = place.states()
    damaged = next(state for address, state in states.items() if address != "kim@example.net")
    assert (damaged, states["kim@example.net"]) == ("held", "sent")
    assert [one.spec for message in post_office.messages for one in message.envelope.recipients] == ["kim@example.net"]


def test_suppressed_expired_and_cancelled_rows_are_not_sent(timed: Any, post_office: Inbox) -> None:
    timed.put("listed@example.net")
    timed.put("late@example.net", expires=timed.sql("SELECT at FROM test_clock")[0][0] / 1000 + 60)
    timed.put("flagged@example.net")
    timed.put("sound@example.net")
    timed.sql("INSERT INTO mw_suppression VALUES ('listed@example.net', 'bounced', 0, NULL)")
    timed.sql("UPDATE mw_delivery SET cancelled = 1 WHERE rcpt = 'flagged@example.net'")
    timed.set_time(61)
    timed.work(post_office.server)
    assert timed.states() == {
        "listed@example.net": "suppressed", "late@example.net": "expired", "flagged@example.net": "cancelled",
        "sound@example.net": "sent",
    }  # fmt: skip
    assert len(post_office.messages) == 1


def test_a_server_that_can_not_do_what_the_message_needs_fails_it(place: Any, post_office: Inbox) -> None:
    post_office.faults.hides("SMTPUTF8")
    place.put("bøb@example.net")
    place.put("kim@example.net")
    place.work(post_office.server)
    assert place.states() == {"bøb@example.net": "failed", "kim@example.net": "sent"}


def test_five_days_of_temporary_refusals_end_in_one_expired(timed: Any, post_office: Inbox) -> None:
    from mailwright.outbox.work.retry import RETRIES

    post_office.faults.recipient_refused("450 4.2.1 Mailbox busy")
    timed.put()
    tries = 0
    while timed.states() == {"bob@example.net": "deferred"} or not tries:
        timed.sql("UPDATE mw_destination SET until = 0")
        due = timed.sql("SELECT min(due_at) FROM mw_delivery")[0][0]
        timed.sql("UPDATE test_clock SET at = max(at, ?)", due)
        timed.work(post_office.server, retries=RETRIES)
        tries += 1
    assert timed.states() == {"bob@example.net": "expired"}
    (outcome,) = timed.sql("SELECT attempts, code, text, at - first_tried FROM mw_outcome")
    assert outcome[0] == tries and outcome[1] == 450 and "Given up after" in outcome[2]
    assert 0.999 < outcome[3] / 432_000_000 < 1.001
    assert 110 < tries < 160
