"""Reports joined to what was sent, and what follows from them; forged ones, from which nothing follows."""

from __future__ import annotations

import pytest

from mailwright.outbox import Outbox
from mailwright.outbox.bounces import Rules, mark_of
from mailwright.outbox.ids import id_of, text_of
from tests.unit.outbox_bounces.sent import WORKER, complaint_on, put, report_on, send

OWN = "<news.17@example.org>"


def listed(outbox: Outbox) -> dict[str, str]:
    return {one.address: one.reason for one in outbox.suppressions()}


def kinds(outbox: Outbox, id: str) -> list[tuple[int | None, str, str]]:
    return [(event.n, event.address, event.kind) for event in outbox.status(id).events]


@pytest.mark.parametrize("way", ["verp", "envid", "message-id", "made message-id", "own envid"])
def test_a_report_is_joined_by_what_it_brings_back(outbox: Outbox, way: str) -> None:
    from mailwright import Message
    from mailwright.options import DSN

    if way == "own envid":
        id = outbox.put(Message("ada@example.org", "grace@example.net", "News", "…", dsn=DSN(envid="invoice-17")))
    else:
        sender = "bounces+*@example.org" if way == "verp" else None
        id = put(outbox, "grace@example.net", message_id=OWN if way == "message-id" else None, sender=sender)
    put(outbox, "grace@example.net")
    send(outbox)
    status = outbox.status(id)
    facts = {
        "verp": {"to": status.sender},
        "envid": {"envelope_id": id},
        "own envid": {"envelope_id": "invoice-17"},
        "message-id": {"message_id": OWN},
        "made message-id": {"message_id": status.message_id},
    }[way]
    if way == "verp":
        assert status.sender == f"bounces+{mark_of(id_of(id))}@example.org"
    (heard,) = outbox.hear(report_on("grace@example.net", **facts))
    sure = way not in ("message-id", "own envid")  # what its author named, others may guess
    assert (heard.id, heard.n, heard.new, heard.sure, heard.suppressed) == (id_of(id), 0, True, sure, sure)
    assert heard.by == way.split()[-1]
    assert kinds(outbox, id) == [(0, "grace@example.net", "bounced")]
    assert list(listed(outbox)) == ["grace@example.net"] * sure


def test_an_outcome_is_never_rewritten(outbox: Outbox) -> None:
    id = put(outbox, "grace@example.net")
    send(outbox)
    before = outbox.status(id).deliveries
    outbox.hear(report_on("grace@example.net", envelope_id=id))
    assert outbox.status(id).deliveries == before
    assert before[0].state.name == "sent"


def test_a_report_counts_once(outbox: Outbox) -> None:
    id = put(outbox, "grace@example.net")
    send(outbox)
    soft = report_on("grace@example.net", envelope_id=id, status="5.2.2", diagnostic="552 5.2.2 mailbox full")
    assert [outbox.hear(soft)[0].new for _ in range(5)] == [True, False, False, False, False]
    assert len(outbox.status(id).events) == 1
    assert listed(outbox) == {}


def test_the_same_report_by_another_way_counts_once(outbox: Outbox) -> None:
    id = put(outbox, "grace@example.net")
    send(outbox)
    octets = report_on("grace@example.net", envelope_id=id)
    assert outbox.hear(octets)[0].new
    assert not outbox.hear(b"Received: from x by y\nDelivered-To: ada\n" + octets.replace(b"\n", b"\r\n"))[0].new


def test_a_suppressed_address_gets_nothing_more(outbox: Outbox) -> None:
    id = put(outbox, "grace@example.net")
    send(outbox)
    outbox.hear(report_on("grace@example.net", envelope_id=id))
    again = put(outbox, "Grace@Example.net", "mary@example.net")
    assert [str(one.state) for one in outbox.status(again).deliveries] == ["suppressed", "queued"]
    assert "User unknown" in outbox.status(again).deliveries[0].text


def test_soft_bounces_count_up(outbox: Outbox) -> None:
    rules = Rules(soft=3, days=14, pause=30)
    for number in range(3):
        id = put(outbox, "grace@example.net")
        send(outbox)
        full = report_on(
            "grace@example.net", envelope_id=id, status="5.2.2", diagnostic="552 5.2.2 mailbox full",
            own_id=f"<r.{number}@mx.example.net>",
        )  # fmt: skip
        (heard,) = outbox.hear(full, rules)
        assert heard.suppressed is (number == 2)
    (entry,) = outbox.suppressions()
    assert entry.address == "grace@example.net" and "3 times" in entry.reason
    assert entry.until is not None and entry.created is not None
    assert 29.9 < (entry.until - entry.created).total_seconds() / 86400 < 30.1


def test_soft_bounces_never_count_when_that_is_said(outbox: Outbox) -> None:
    for number in range(4):
        id = put(outbox, "grace@example.net")
        send(outbox)
        full = report_on(
            "grace@example.net", envelope_id=id, status="5.2.2", own_id=f"<r.{number}@x>", diagnostic="full"
        )
        outbox.hear(full, Rules(soft=None))
    assert listed(outbox) == {}


def test_a_soft_bounce_does_not_shorten_what_holds_for_ever(outbox: Outbox) -> None:
    outbox.suppress(["grace@example.net"], "asked us to")
    id = put(outbox, "mary@example.net")
    send(outbox)
    outbox.unsuppress(["grace@example.net"])
    outbox.suppress(["mary@example.net"], "asked us to")
    outbox.hear(report_on("mary@example.net", envelope_id=id, status="5.2.2", diagnostic="full"), Rules(soft=1))
    (entry,) = outbox.suppressions()
    assert (entry.reason, entry.until) == ("asked us to", None)


@pytest.mark.parametrize(
    ("action", "kind"), [("delayed", "delayed"), ("delivered", "delivered"), ("relayed", "relayed")]
)
def test_what_is_no_bounce_is_recorded_and_no_more(outbox: Outbox, action: str, kind: str) -> None:
    id = put(outbox, "grace@example.net")
    send(outbox)
    outbox.hear(report_on("grace@example.net", envelope_id=id, action=action, status="4.4.1", diagnostic="later"))
    assert kinds(outbox, id) == [(0, "grace@example.net", kind)]
    assert listed(outbox) == {}


def test_a_complaint_suppresses(outbox: Outbox) -> None:
    id = put(outbox, "grace@example.net")
    send(outbox)
    (heard,) = outbox.hear(complaint_on("grace@example.net", outbox.status(id).message_id))
    assert heard.suppressed and kinds(outbox, id) == [(0, "grace@example.net", "complained")]
    assert "complaint" in listed(outbox)["grace@example.net"]


# Forged


def test_a_report_about_nothing_that_was_sent_is_nothing(outbox: Outbox) -> None:
    put(outbox, "grace@example.net")
    send(outbox)
    forged = [
        report_on("grace@example.net"),
        report_on("grace@example.net", message_id="<guessed@example.org>"),
        report_on("grace@example.net", envelope_id="01a1fcee-aadc-740e-990b-9a6b1427f85d"),
        report_on("grace@example.net", envelope_id="%"),
        report_on("grace@example.net", to="bounces+mwaajptfybv4gfg3cg5ndd7cyxu4@example.org"),
    ]
    for octets in forged:
        (heard,) = outbox.hear(octets)
        assert heard.id is None and not heard.suppressed
    assert listed(outbox) == {}


def test_who_got_a_message_can_speak_for_nobody_else(outbox: Outbox) -> None:
    mine = put(outbox, "mallory@example.com", sender="bounces+*@example.org")
    send(outbox)
    status = outbox.status(mine)
    for facts in ({"to": status.sender}, {"envelope_id": mine}, {"message_id": status.message_id}):
        (heard,) = outbox.hear(report_on("grace@example.net", **facts))
        assert heard.address != "grace@example.net"
    assert "grace@example.net" not in listed(outbox)


def test_one_of_several_recipients_cannot_silence_another(outbox: Outbox) -> None:
    id = put(outbox, "mallory@example.com", "grace@example.net")
    send(outbox)
    (heard,) = outbox.hear(report_on("grace@example.net", message_id=outbox.status(id).message_id))
    assert heard.new and not heard.suppressed
    assert kinds(outbox, id) == [(1, "grace@example.net", "bounced")]
    assert listed(outbox) == {}


def test_one_of_several_recipients_cannot_help_it_along_either(outbox: Outbox) -> None:
    shared = put(outbox, "mallory@example.com", "grace@example.net")
    mine = put(outbox, "grace@example.net")
    send(outbox)
    for number in range(5):
        outbox.hear(report_on("grace@example.net", envelope_id=shared, own_id=f"<forged.{number}@x>"))
    full = {"status": "5.2.2", "diagnostic": "552 5.2.2 mailbox full"}
    for number in range(3):  # three reports on one message are one bounce
        (heard,) = outbox.hear(report_on("grace@example.net", envelope_id=mine, own_id=f"<full.{number}@x>", **full))
        assert heard.new and not heard.suppressed
    assert listed(outbox) == {}


def test_reports_without_end_are_not_all_kept(outbox: Outbox) -> None:
    from mailwright.outbox.bounces.recording import EVENTS_LIMIT

    id = put(outbox, *[f"r{number}@example.net" for number in range(300)])
    send(outbox)
    fields = "".join(
        f"\nFinal-Recipient: rfc822; r{number}@example.net\nAction: delayed\nStatus: 4.4.1\n" for number in range(300)
    )
    for number in range(3):
        octets = report_on("r0@example.net", envelope_id=id, action="delayed", own_id=f"<r.{number}@x>").decode()
        outbox.hear(octets.replace("\n\nFinal-Recipient", f"\n{fields}\nFinal-Recipient", 1).encode())
    assert len(outbox.status(id).events) == EVENTS_LIMIT


def test_what_is_held_in_doubt_can_be_heard_of(outbox: Outbox) -> None:
    """Its worker died after the mark: whether it was sent, the report tells."""
    from mailwright import Message

    id = outbox.put(Message("ada@example.org", "grace@example.net", "Order", "…"), in_doubt="hold")
    store = outbox.store
    rows = outbox.database.write(lambda: store.claim(WORKER, "default", 1, {"example.net": 1}, -1.0))
    assert outbox.database.write(lambda: store.mark_sending(WORKER, rows))
    outbox.database.write(lambda: store.claim(bytes(15) + b"2", "default", 1, {"example.net": 1}, 60.0))
    assert outbox.status(id).deliveries[0].state.name == "held"
    (heard,) = outbox.hear(report_on("grace@example.net", envelope_id=id, action="delivered", status="2.0.0"))
    assert heard.new and outbox.status(id).deliveries[0].state.name == "held"
    assert kinds(outbox, id) == [(0, "grace@example.net", "delivered")]


def test_another_reports_name_keeps_none_from_being_read(outbox: Outbox) -> None:
    mine, hers = put(outbox, "mallory@example.com"), put(outbox, "grace@example.net")
    send(outbox)
    name = "<the.real.one@mx.example.net>"
    outbox.hear(report_on("mallory@example.com", envelope_id=mine, own_id=name))
    (heard,) = outbox.hear(report_on("grace@example.net", envelope_id=hers, own_id=name))
    assert heard.new and heard.suppressed


def test_what_was_never_tried_cannot_bounce(outbox: Outbox) -> None:
    id = put(outbox, "grace@example.net")
    (heard,) = outbox.hear(report_on("grace@example.net", envelope_id=id))
    assert heard.id is None
    assert outbox.status(id).events == () and listed(outbox) == {}


def test_mail_that_is_no_report_is_passed_over(outbox: Outbox) -> None:
    id = put(outbox, "grace@example.net")
    send(outbox)
    letter = f"From: grace@example.net\nTo: ada@example.org\nIn-Reply-To: {outbox.status(id).message_id}\n\nThanks!\n"
    assert outbox.hear(letter.encode()) == []


def test_behind_a_forwarding_the_path_tells(outbox: Outbox) -> None:
    id = put(outbox, "grace@example.net", sender="bounces+*@example.org")
    send(outbox)
    (heard,) = outbox.hear(report_on("grace@elsewhere.example", to=outbox.status(id).sender))
    assert heard.address == "grace@example.net" and heard.by == "verp"
    assert listed(outbox) == {}  # it is the other address that does not exist


# What anybody may guess


def guessed(outbox: Outbox, way: str, to: str) -> dict[str, str]:
    """A message to `to` with a name that its author gave it, and what a forged report says to be about it."""
    from mailwright import Message
    from mailwright.options import DSN

    if way == "envid":
        outbox.put(Message("ada@example.org", to, "Order", "…", dsn=DSN(envid="order-43")))
        return {"envelope_id": "order-43"}
    put(outbox, to, message_id=OWN)
    return {"message_id": OWN}


@pytest.mark.parametrize("way", ["envid", "message-id"])
def test_a_name_that_its_author_gave_suppresses_nobody(outbox: Outbox, way: str) -> None:
    put(outbox, "mallory@example.com", message_id=OWN)  # who got the same Message-ID, and so knows it
    named = guessed(outbox, way, "grace@example.net")
    send(outbox)
    (heard,) = outbox.hear(report_on("grace@example.net", **named))
    assert (heard.address, heard.by, heard.new, heard.sure) == ("grace@example.net", way, True, False)
    assert kinds(outbox, text_of(heard.id or b"")) == [(0, "grace@example.net", "bounced")]
    if way == "message-id":
        (heard,) = outbox.hear(complaint_on("grace@example.net", OWN))
        assert heard.new and not heard.suppressed
    assert listed(outbox) == {}


@pytest.mark.parametrize("way", ["envid", "message-id"])
def test_what_is_guessed_does_not_count_as_a_soft_bounce_either(outbox: Outbox, way: str) -> None:
    full = {"status": "5.2.2", "diagnostic": "552 5.2.2 mailbox full"}
    for number in range(3):
        named = guessed(outbox, way, "grace@example.net")
        send(outbox)
        outbox.hear(report_on("grace@example.net", own_id=f"<forged.{number}@x>", **named, **full))
    mine = put(outbox, "grace@example.net")
    send(outbox)
    (heard,) = outbox.hear(report_on("grace@example.net", envelope_id=mine, own_id="<true@x>", **full))
    assert heard.new and heard.sure and not heard.suppressed
    assert listed(outbox) == {}


def test_guesses_without_end_keep_no_true_report_from_being_heard(outbox: Outbox) -> None:
    from mailwright.outbox.bounces.recording import EVENTS_LIMIT

    id = put(outbox, "grace@example.net", message_id=OWN)
    send(outbox)
    for number in range(EVENTS_LIMIT + 1):
        outbox.hear(report_on("grace@example.net", message_id=OWN, action="delayed", own_id=f"<forged.{number}@x>"))
    assert len(outbox.status(id).events) == EVENTS_LIMIT
    sender = f"bounces+{mark_of(id_of(id))}@example.org"
    (heard,) = outbox.hear(report_on("grace@example.net", to=sender, own_id="<true@x>"))
    assert heard.new and heard.suppressed


# The list


def test_the_list_holds_addresses_and_domains(outbox: Outbox) -> None:
    assert outbox.suppress(["Grace@Example.net", "@Example.com"], "asked us to") == 2
    assert listed(outbox) == {"@example.com": "asked us to", "grace@example.net": "asked us to"}
    id = put(outbox, "grace@example.net", "anybody@example.com", "sub@deep.example.com")
    assert [str(one.state) for one in outbox.status(id).deliveries] == ["suppressed", "suppressed", "queued"]
    assert outbox.unsuppress(["GRACE@example.net", "nobody@example.org"]) == ["grace@example.net"]
    assert list(listed(outbox)) == ["@example.com"]


def test_an_entry_ends_by_itself(outbox: Outbox) -> None:
    from datetime import UTC, datetime, timedelta

    outbox.suppress(["grace@example.net"], "away", until=datetime.now(UTC) - timedelta(seconds=1))
    outbox.suppress(["mary@example.net"], "away", until=timedelta(hours=1))
    assert list(listed(outbox)) == ["mary@example.net"]
    id = put(outbox, "grace@example.net", "mary@example.net")
    assert [str(one.state) for one in outbox.status(id).deliveries] == ["queued", "suppressed"]


@pytest.mark.parametrize("name", ["", "grace", "@", "grace@", "@exa mple.org", "a\nb@example.org"])
def test_what_is_no_entry(outbox: Outbox, name: str) -> None:
    from mailwright.errors import AddressError

    with pytest.raises(AddressError):
        outbox.suppress([name], "x")


def test_a_long_list_comes_in_pieces(outbox: Outbox) -> None:
    assert outbox.suppress([f"reader{number:05}@example.net" for number in range(2500)], "moved") == 2500
    assert len(listed(outbox)) == 2500


def test_the_asynchronous_door(outbox: Outbox, where: str) -> None:
    import asyncio

    from mailwright.outbox import AsyncOutbox

    id = put(outbox, "grace@example.net")
    send(outbox)

    async def hear() -> tuple[list[str], list[str], list[str]]:
        async with AsyncOutbox(where) as door:
            await door.hear(report_on("grace@example.net", envelope_id=id))
            await door.suppress("@example.com", "asked us to")
            both = [one.address async for one in door.suppressions()]
            gone = await door.unsuppress(["@example.com", "nobody@example.org"])
            return both, gone, [one.address async for one in door.suppressions()]

    assert asyncio.run(hear()) == (["@example.com", "grace@example.net"], ["@example.com"], ["grace@example.net"])


def test_reports_are_found_by_an_index(outbox: Outbox) -> None:
    """However many messages there are: nothing of a report is looked for row by row."""
    for number in range(200):
        put(outbox, f"reader{number}@example.net", message_id=f"<n.{number}@example.org>" if number % 2 else None)
    store = outbox.store
    statement = store.sql["ids_named"]
    if store.dialect.name == "sqlite":
        import sqlite3

        with sqlite3.connect(outbox.database.place) as db:
            plan = " ".join(
                row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", {"message_id": "<n.1@example.org>"})
            )
        db.close()
    else:
        from mailwright.outbox.asking import Query

        async def explained() -> str:
            await Query("SET LOCAL enable_seqscan = off", {})
            rows = await Query(f"EXPLAIN {statement}", {"message_id": "<n.1@example.org>"})
            return " ".join(row[0] for row in rows)

        plan = outbox.database.write(explained)
    assert "mw_message_named" in plan
