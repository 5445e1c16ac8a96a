"""`mailwright outbox` and `mailwright sendmail --queue`: what is printed, what is done, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailwright import Inbox, Message
from mailwright.outbox import Outbox
from tests.unit.cli.running import PROGRAM, WHOLE, Command, Ran, program, surroundings, terminal
from tests.unit.outbox_bounces.sent import complaint_on, put, report_on, send

BOB = "bob@example.org"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mail.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    with Outbox(path) as opened:
        yield opened


@pytest.fixture
def run(command: Command, path: Path):  # type: ignore[no-untyped-def]
    def run(*words: str, stdin: bytes = b"", **variables: str) -> Ran:
        return command("outbox", *words, stdin=stdin, **{"MAILWRIGHT_OUTBOX": str(path), **variables})

    return run


# put


def test_put_prints_the_id(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    ran = run("put", *WHOLE)
    assert (ran.code, ran.err) == (0, "")
    status = outbox.status(ran.out.strip())
    assert [one.address for one in status.deliveries] == [BOB]
    assert json.loads(run("put", *WHOLE, "--json").out)["id"] != status.id


def test_put_takes_what_send_takes(run, outbox: Outbox, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "page.html").write_text("<p>Hi</p>")
    (tmp_path / "a.txt").write_text("attached")
    ran = run(
        "put", "--to", BOB, "--cc", "c@example.org", "--bcc", "d@example.org", "--from", "ada@example.org", "-s", "Hi",
        "--html", str(tmp_path / "page.html"), "--attach", str(tmp_path / "a.txt"), "--header", "X-Team: billing",
    )  # fmt: skip
    assert ran.code == 0
    assert {one.address for one in outbox.status(ran.out.strip()).deliveries} == {BOB, "c@example.org", "d@example.org"}


def test_put_reads_the_text_from_standard_input(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    ran = run("put", "--to", BOB, "--from", "ada@example.org", stdin=b"The backup is done.\n")
    assert ran.code == 0 and outbox.status(ran.out.strip()).size > 0


def test_put_takes_the_sender_of_the_settings(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    ran = run("put", "--to", BOB, "--text", "x", SENDER_EMAIL="ada@example.org")
    assert ran.code == 0 and outbox.status(ran.out.strip()).sender == "ada@example.org"
    ran = run("put", "--to", BOB, "--text", "x")
    assert ran.code == 64 and "no sender" in ran.err


def test_a_key_makes_it_harmless_to_put_again(run) -> None:  # type: ignore[no-untyped-def]
    first = run("put", *WHOLE, "--key", "order-42")
    assert run("put", *WHOLE, "--key", "order-42").out == first.out
    other = run("put", *WHOLE, "--cc", "c@example.org", "--key", "order-42")
    assert other.code == 65 and "order-42" in other.err and other.err.count("\n") == 1


def test_put_options_reach_the_row(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    ran = run(
        "put", *WHOLE, "--lane", "urgent", "--account", "work", "--stream", "bills", "--at", "2h", "--expires", "5d",
        "--in-doubt", "hold", "--return-path", "bounces+*@example.org",
    )  # fmt: skip
    status = outbox.status(ran.out.strip())
    (one,) = status.deliveries
    assert (one.lane, one.account, status.stream, one.in_doubt) == ("urgent", "work", "bills", "hold")
    now = datetime.now(UTC)
    assert one.due is not None and timedelta(hours=1.9) < one.due - now < timedelta(hours=2.1)
    assert status.expires is not None and timedelta(days=4.9) < status.expires - now < timedelta(days=5.1)
    assert status.sender.startswith("bounces+mw")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["put"], 64, "no recipient"),
        (["put", "--to", "", "--from", "a@example.org", "--text", "x"], 64, "no recipient"),
        (["put", "--to", "bob@", "--from", "a@example.org", "--text", "x"], 65, "bob@"),
        (["put", *WHOLE, "--at", "soon"], 78, "no time"),
        (["put", *WHOLE, "--lane", "slow"], 64, "--lane"),
        (["put", *WHOLE, "--text-file", "/nothing/there"], 64, "either"),
        (["put", "--to", BOB, "--from", "a@example.org", "--text-file", "/nothing/there"], 66, "can't be read"),
        (["list", "--state", "gone"], 78, "There is no state"),
        (["list", "--limit", "-1"], 64, "--limit"),
        (["show", "nonsense"], 65, "no id"),
        (["show", "01a1fcf7-9c23-7877-8bf2-8f1261ccf51b"], 65, "no message"),
        (["cancel", "01a1fcf7-9c23-7877-8bf2-8f1261ccf51b"], 65, "no message"),
        (["settle", "01a1fcf7-9c23-7877-8bf2-8f1261ccf51b"], 64, "--as"),
        (["prune"], 64, "--older-than"),
        (["prune", "--older-than", "2026-01-01"], 78, "span"),
        (["suppress", "add"], 64, "needs an address"),
        (["suppress", "add", "grace"], 65, "neither an address"),
        (["suppress", "keep", "x"], 64, "invalid choice"),
        (["bounces", "/nothing/there"], 66, "/nothing/there"),
        (["work", "--window", "0"], 64, "--window"),
        (["work", "--limit", "10/s"], 78, "account"),
        (["work", "--limit", "default=fast"], 78, "no rate"),
        (["work", "--server", "smtps://ada:secret@smtp.example.org"], 64, "secret must not stand"),
        (["stats", "--outbox", "postgresql://ada:secret@db.example.org/app"], 64, "secret must not stand"),
        (["stats", "--outbox", "mysql://x/y"], 78, "mysql"),
        (["stats", "--outbox", "sqlite:///:memory:"], 78, "file"),
        (["sned"], 64, "ACTION"),
        ([], 64, "which action"),
        (["stats", "--nonsense"], 64, "--nonsense is not known"),
    ],
)  # fmt: skip
def test_misuse_has_a_code_and_one_line(run, words: list[str], code: int, said: str) -> None:  # type: ignore[no-untyped-def]
    ran = run(*words)
    assert ran.code == code, ran
    assert said in ran.err and ran.err.count("\n") == 1 and ran.out == "", ran


def test_without_an_outbox_it_says_how_to_name_one(command: Command) -> None:
    ran = command("outbox", "stats")
    assert ran.code == 78 and "MAILWRIGHT_OUTBOX" in ran.err and "--outbox" in ran.err


def test_a_database_that_cannot_be_used_is_no_end(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    other = tmp_path / "other.db"
    other.write_bytes(b"this is no database, and long enough to be taken for one" * 20)
    ran = run("put", *WHOLE, "--outbox", str(other))
    assert ran.code == 75 and ran.err.count("\n") == 1
    assert run("put", *WHOLE, "--outbox", str(tmp_path / "no" / "folder" / "mail.db")).code == 75


def test_the_outbox_of_the_configuration_file(command: Command, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('outbox = "sqlite:///beside.db"\n')
    ran = command("outbox", "put", *WHOLE, MAILWRIGHT_CONFIG=str(config))
    assert ran.code == 0 and (tmp_path / "beside.db").exists()
    config.write_text("outbox = 7\n")
    assert command("outbox", "stats", MAILWRIGHT_CONFIG=str(config)).code == 78


# list, show, stats


def test_list_and_show(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    first = put(outbox, BOB)
    send(outbox)
    second = put(outbox, "grace@example.net", "mary@example.net")
    assert [line.split()[:2] for line in run("list").out.splitlines()] == [
        [second, "queued"], [second, "queued"], [first, "sent"],
    ]  # fmt: skip
    assert run("list", "--state", "queued", "--ids").out.split() == [second]
    assert [json.loads(line)["address"] for line in run("list", "--to", BOB, "--json").out.splitlines()] == [BOB]
    assert run("list", "--since", "2h", "--until", "1h").out == ""
    assert len(run("list", "--limit", "1").out.splitlines()) == 1
    shown = run("show", first, second).out
    assert (
        first in shown
        and "250 2.0.0 Taken" in shown
        and f"{BOB}: sent" in shown
        and "mary@example.net: queued" in shown
    )
    facts = json.loads(run("show", first, "--json").out)
    assert facts["done"] and facts["sent"] and facts["deliveries"][0]["code"] == 250


def test_stats_for_people_and_programs(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    put(outbox, BOB)
    send(outbox)
    put(outbox, "grace@example.net")
    facts = json.loads(run("stats", "--json").out)
    assert facts["counts"]["sent"] == facts["counts"]["queued"] == facts["open"] == 1
    assert facts["waiting"][0]["destination"] == "example.net" and facts["oldest"] >= 0
    (reached,) = facts["reached"]
    assert reached["destination"] == BOB.partition("@")[2] and 0 <= reached["median"] <= reached["slow"] < 300
    text = run("stats").out
    assert re.search(r"sent to +sent/s failed/s +half in +95% in\n" + BOB.partition("@")[2] + r" +0\.0033 +- ", text)
    assert "queued" in text and "example.net" in text and "oldest open message" in text
    outbox.pause()
    assert "PAUSED" in run("stats").out


def test_what_a_server_said_steers_no_terminal(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    id = put(outbox, BOB)
    run("hold", id, "--reason", "\x1b[2Jhm\u202e")
    for words in (["list"], ["show", id]):
        out = run(*words).out
        assert "hm" in out and "\x1b" not in out and "\u202e" not in out


# Changing


def test_cancel_hold_release_retry_settle(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    id = put(outbox, BOB, "grace@example.net")

    def states() -> list[str]:
        return [one.state.name for one in outbox.status(id).deliveries]

    assert json.loads(run("hold", id, "--json").out) == {"messages": 1, "recipients": 2}
    assert states() == ["held", "held"]
    assert run("release", id, "--to", BOB).code == 0
    assert states() == ["queued", "held"]
    assert run("settle", id, "--as", "unknown").code == 0
    assert states() == ["queued", "unknown"]
    assert run("cancel", id).code == 0
    assert states() == ["cancelled", "unknown"]
    assert "0 recipients" in run("cancel", id).out
    assert run("retry", id).code == 0
    assert states() == ["queued", "queued"]
    assert run("cancel", id, "--to", "nobody@example.org").code == 65


def in_doubt(outbox: Outbox, id: str) -> None:
    """A worker ended after its mark and before the result: what is held so may have been sent."""
    store = outbox.database.store
    rows = outbox.database.write(lambda: store.claim(bytes(16), "default", 1, {"example.org": 1}, -1.0))
    assert outbox.database.write(lambda: store.mark_sending(bytes(16), rows))
    outbox.database.write(lambda: store.claim(bytes(15) + b"2", "default", 1, {"example.org": 1}, 60.0))
    assert outbox.status(id).deliveries[0].state.name == "held"


def test_retry_of_what_is_held_says_why_and_what_would(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    id = outbox.put(Message("ada@example.org", BOB, "Order", "…"), in_doubt="hold")
    in_doubt(outbox, id)
    said = run("retry", id)
    assert said.code == 0 and outbox.status(id).deliveries[0].state.name == "held"
    assert f"{id}  {BOB}: held (In doubt" in said.out and "release" in said.out and "settle" in said.out
    assert "0 recipients to be sent again." in said.out
    (one,) = json.loads(run("retry", id, "--json").out)["remarks"]
    assert (one["id"], one["address"], one["state"]) == (id, BOB, "held") and "settle" in one["remark"]
    shown = run("show", id).out
    assert f"mailwright outbox release {id}" in shown and f"settle {id} --as" in shown and " --to " not in shown
    assert f"{BOB}: it may have been sent before" in run("cancel", id).out
    assert outbox.status(id).deliveries[0].state.name == "unknown"


def test_retry_tells_of_the_held_ones_beside_the_others(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    id = put(outbox, BOB, "grace@example.net")
    run("hold", id, "--to", BOB)
    run("cancel", id, "--to", "grace@example.net")
    said = run("retry", id).out
    assert f"{BOB}: held (Held by request.)" in said and "grace" not in said and "1 recipient to be sent again." in said
    assert f"release {id} --to {BOB}" in run("show", id).out


def test_each_command_says_why_it_did_nothing(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    sent = put(outbox, BOB)
    send(outbox)
    waiting = put(outbox, BOB)
    assert "the next server took it" in run("retry", sent).out
    assert "the next server took it" in run("cancel", sent).out
    assert "it is queued, due now" in run("retry", waiting).out
    assert "not held, but queued" in run("release", waiting).out
    assert "not held, but sent" in run("settle", sent, "--as", "sent").out
    assert "1 recipient held." in run("hold", waiting).out and "held already" in run("hold", waiting).out
    assert "1 recipient taken back." in run("cancel", waiting).out
    assert "it has ended: cancelled" in run("cancel", waiting).out
    outbox.suppress(BOB, "asked us to")
    assert "suppress remove" in run("retry", waiting).out
    many = [put(outbox, "eve@example.com") for _ in range(23)]
    said = run("release", "-", stdin="\n".join(many).encode()).out
    assert said.count("\n") == 22 and "… and 3 more" in said


def test_what_a_worker_has_is_told_with_its_host(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    from mailwright.outbox.asking import Query

    id = put(outbox, BOB)
    store, worker = outbox.database.store, bytes(15) + b"\x07"
    outbox.database.write(lambda: store.claim(worker, "default", 1, {"example.org": 1}, 60.0))
    assert "worker 00000000-0000-0000-0000-000000000007" in run("show", id).out  # nobody knows where it runs
    given = {"worker": worker, "host": "mail-1", "version": "0"}

    async def seen() -> None:
        await Query(store.sql["seen_worker"], given)

    outbox.database.write(seen)
    assert "worker 00000000-0000-0000-0000-000000000007 on mail-1" in run("show", id).out
    (one,) = outbox.find(state="leased")
    assert (one.worker, one.host) == ("00000000-0000-0000-0000-000000000007", "mail-1")
    assert "000007 on mail-1 has it just now" in run("retry", id).out
    said = run("cancel", id).out
    assert "000007 on mail-1 has it: stopped unless" in said and "1 recipient taken back." in said
    assert "to be taken back" in run("show", id).out


def test_ids_come_from_standard_input(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    ids = [put(outbox, BOB) for _ in range(3)]
    listed = run("list", "--ids").out
    assert run("hold", "-", stdin=listed.encode()).code == 0
    assert {outbox.status(id).deliveries[0].state.name for id in ids} == {"held"}
    assert run("hold", "-", "-").code == 64


def test_pause_resume_restored_prune_migrate(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    id = put(outbox, BOB)
    assert run("pause").code == 0 and outbox.paused
    assert run("resume").code == 0 and not outbox.paused
    assert json.loads(run("restored", "--json").out) == {"held": 1, "paused": True}
    assert outbox.status(id).deliveries[0].state.name == "held"
    run("release", id)
    send(outbox)
    assert json.loads(run("prune", "--older-than", "0s", "--json").out) == {"messages": 1, "bodies": 0}
    assert json.loads(run("migrate", "--json").out) == {"version": 1}


# The suppression list


def test_the_list_goes_out_and_comes_in(run, outbox: Outbox, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert run("suppress", "add", "grace@example.net", "@example.com", "--reason", 'said "no", twice').code == 0
    assert run("suppress", "add", "mary@example.net", "--until", "30d").code == 0
    assert [json.loads(line)["address"] for line in run("suppress", "list", "--json").out.splitlines()] == [
        "@example.com", "grace@example.net", "mary@example.net",
    ]  # fmt: skip
    assert "for ever" in run("suppress", "list").out
    exported = run("suppress", "export").out
    assert json.loads(run("suppress", "remove", "GRACE@example.net", "--json").out) == {
        "removed": ["grace@example.net"]
    }
    outbox.unsuppress(["@example.com", "mary@example.net"])
    assert run("suppress", "import", "-", stdin=exported.encode()).code == 0
    assert run("suppress", "export").out == exported
    (tmp_path / "others.txt").write_text("# of the old system\na@example.org\nB@example.org\n\n")
    assert json.loads(run("suppress", "import", str(tmp_path / "others.txt"), "--json").out) == {"added": 2}


def test_a_list_with_a_mistake_is_not_imported(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    ran = run("suppress", "import", "-", stdin=b"a@example.org\nnonsense\n")
    assert ran.code == 65 and "Line 2" in ran.err and list(outbox.suppressions()) == []


# Bounces


def test_bounces_from_a_maildir(run, outbox: Outbox, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ids = [put(outbox, f"reader{n}@example.net") for n in range(3)]
    send(outbox)
    for folder in ("new", "cur", "tmp"):
        (tmp_path / "Maildir" / folder).mkdir(parents=True)
    for number, id in enumerate(ids):
        octets = report_on(f"reader{number}@example.net", envelope_id=id, own_id=f"<r{number}@x.example>")
        (tmp_path / "Maildir" / "new" / f"{number}.host").write_bytes(octets)
    (tmp_path / "Maildir" / "cur" / "9.host:2,S").write_bytes(b"From: a@b.example\nSubject: Hello\n\nNo report.\n")
    maildir = str(tmp_path / "Maildir")
    first = run("bounces", maildir)
    assert (
        first.code == 0 and "4 messages: 3 reports, 3 about messages from here, 3 of them new; 3 addresses" in first.out
    )
    assert all(id in first.out for id in ids)
    assert "0 of them new" in run("bounces", maildir).out
    assert len(list(outbox.suppressions())) == 3
    assert "3 messages" in run("bounces", "--new", maildir).out
    assert list((tmp_path / "Maildir" / "new").iterdir()) == []
    assert (tmp_path / "Maildir" / "cur" / "0.host:2,S").exists()
    assert "0 messages" in run("bounces", "--new", maildir).out


def test_bounces_from_an_mbox_and_from_a_pipe(run, outbox: Outbox, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ids = [put(outbox, f"reader{n}@example.net") for n in range(2)]
    send(outbox)
    octets = [
        report_on(f"reader{n}@example.net", envelope_id=id, own_id=f"<r{n}@x.example>") for n, id in enumerate(ids)
    ]
    mbox = tmp_path / "bounces"
    mbox.write_bytes(b"".join(b"From MAILER-DAEMON Thu Nov 19 08:16:02 2026\n" + one + b"\n" for one in octets))
    lines = [json.loads(line) for line in run("bounces", "--json", str(mbox)).out.splitlines()]
    assert [(one["address"], one["kind"], one["hard"], one["new"]) for one in lines] == [
        ("reader0@example.net", "bounced", True, True), ("reader1@example.net", "bounced", True, True),
    ]  # fmt: skip
    complaint = complaint_on("reader0@example.net", outbox.status(ids[0]).message_id)
    piped = run("bounces", "-", stdin=complaint)
    assert (piped.code, piped.out) == (0, "")
    assert [event.kind for event in outbox.status(ids[0]).events] == ["bounced", "complained"]


def test_a_report_on_a_name_that_may_be_guessed_is_told_as_such(run, outbox: Outbox, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    put(outbox, BOB, message_id="<order-43@example.org>")
    send(outbox)
    (tmp_path / "one.eml").write_bytes(report_on(BOB, message_id="<order-43@example.org>"))
    said = run("bounces", str(tmp_path / "one.eml")).out
    assert "nothing follows" in said and "0 addresses suppressed" in said
    (line,) = run("bounces", "--json", str(tmp_path / "one.eml")).out.splitlines()
    assert json.loads(line)["sure"] is False and not list(outbox.suppressions())


def test_an_mbox_of_any_size_takes_the_memory_of_one_message(tmp_path: Path) -> None:
    import tracemalloc

    from mailwright.cli.outbox.mbox import KEPT, mbox_messages

    path = tmp_path / "bounces"
    with path.open("wb") as file:
        for number in range(6):
            file.write(b"From MAILER-DAEMON Thu Nov 19 08:16:02 2026\nSubject: %d\n\n" % number)
            file.write(b">From the start\n>>From further\n\nFrom\n" + (b"x" * 999 + b"\n") * 20_000 + b"\n")
    tracemalloc.start()
    found = mbox_messages(str(path))
    assert found is not None
    heads = [(one[:10], len(one), one[12:45]) for one in found]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [head for head, _, _ in heads] == [b"Subject: %d" % number for number in range(6)]
    assert {text for _, _, text in heads} == {b"From the start\n>From further\n\nFro"}
    assert all(KEPT <= size < KEPT + 70_000 for _, size, _ in heads)
    assert peak < 6 * KEPT
    assert mbox_messages(str(tmp_path / "nothing")) is None and mbox_messages(__file__) is None


def test_a_pipe_into_a_database_that_is_away_asks_to_come_again(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ran = run("bounces", "-", "--outbox", str(tmp_path / "no" / "mail.db"), stdin=report_on("a@example.org"))
    assert ran.code == 75


def test_soft_bounces_count_as_they_are_told_to(run, outbox: Outbox, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    id = put(outbox, BOB)
    send(outbox)
    full = report_on(BOB, envelope_id=id, status="5.2.2", diagnostic="552 5.2.2 mailbox full")
    (tmp_path / "one.eml").write_bytes(full)
    assert "1 addresses suppressed" in run("bounces", "--soft", "1", str(tmp_path / "one.eml")).out
    (entry,) = outbox.suppressions()
    assert entry.until is not None


# work


def server_of(inbox: Inbox) -> str:
    return f"smtp+plain://{inbox.server.host}:{inbox.server.port}"


def test_work_once_delivers_and_tells(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    with Inbox(tls=False, refuse={"nobody@example.net": "550 5.1.1 No such mailbox"}) as inbox:
        id = put(outbox, BOB, "nobody@example.net")
        ran = run("work", "--once", "--server", server_of(inbox))
        assert len(inbox.messages) == 1
    assert ran.code == 0 and ran.err == ""
    lines = ran.out.splitlines()
    assert " started " in lines[0] and " stopped" in lines[-1]
    assert any(f"sent id={id} to={BOB}" in line for line in lines)
    assert any("failed" in line and "550 5.1.1" in line for line in lines)
    assert [one.state.name for one in outbox.status(id).deliveries] == ["sent", "failed"]


def test_work_in_json_and_quietly(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    with Inbox(tls=False) as inbox:
        put(outbox, BOB)
        events = [
            json.loads(line) for line in run("work", "--once", "--json", "--server", server_of(inbox)).out.splitlines()
        ]
        put(outbox, BOB)
        assert run("work", "--once", "--quiet", "--server", server_of(inbox)).out == ""
    assert events[0]["kind"] == "started"
    assert [(e["address"], e["state"], e["code"]) for e in events if e["kind"] == "result"] == [(BOB, "sent", 250)]


def test_a_paused_outbox_is_left_alone(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    with Inbox(tls=False) as inbox:
        id = put(outbox, BOB)
        assert run("work", "--once", "--paused", "--server", server_of(inbox)).code == 0
        assert outbox.paused and outbox.status(id).deliveries[0].state.name == "queued"
        run("resume")
        run("work", "--once", "--server", server_of(inbox))
        assert len(inbox.messages) == 1


def test_work_finds_the_server_of_the_settings(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    with Inbox(tls=False) as inbox:
        put(outbox, BOB)
        assert run("work", "--once", MAILWRIGHT_URL=server_of(inbox)).code == 0
        assert len(inbox.messages) == 1
    put(outbox, BOB)
    ran = run("work", "--once")
    assert ran.code == 78 and "No mail server is configured" in ran.err


def test_an_account_without_a_server_stops_no_other(run, outbox: Outbox) -> None:  # type: ignore[no-untyped-def]
    with Inbox(tls=False) as inbox:
        outbox.put(Message("ada@example.org", BOB, "News", "…"), account="a-first-one")
        assert run("work", "--once", MAILWRIGHT_URL=server_of(inbox)).code == 78  # there is none for any
        put(outbox, BOB)
        ran = run("work", "--once", MAILWRIGHT_URL=server_of(inbox))
        assert ran.code == 0 and "paused account=a-first-one" in ran.out, ran
        assert len(inbox.messages) == 1
    assert outbox.stats().counts["queued"] == 1


def test_sigterm_ends_it_cleanly(path: Path, outbox: Outbox) -> None:
    with Inbox(tls=False) as inbox:
        id = put(outbox, BOB)
        with subprocess.Popen(
            [*PROGRAM, "outbox", "work", "--outbox", str(path), "--server", server_of(inbox)],
            stdout=subprocess.PIPE, env=surroundings(PYTHONUNBUFFERED="1"),
        ) as process:  # fmt: skip
            assert process.stdout is not None
            for line in process.stdout:
                if b" sent id=" in line:
                    break
            process.send_signal(signal.SIGTERM)
            rest = process.stdout.read()
            assert process.wait(30) == 0
    assert b" stopping" in rest and b" stopped" in rest
    assert outbox.status(id).sent and outbox.stats().workers == ()


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_terminal_sees_one_line_that_moves(path: Path, outbox: Outbox) -> None:
    with Inbox(tls=False, refuse={"nobody@example.net": "550 5.1.1 No such mailbox"}) as inbox, terminal() as screen:
        for _ in range(3):
            put(outbox, BOB)
        put(outbox, "nobody@example.net")
        ran = program(
            "outbox", "work", "--once", "--outbox", str(path), "--server", server_of(inbox),
            stdout=screen.theirs, env=surroundings(),
        )  # fmt: skip
        assert ran.code == 0
        screen.wait_for("3 sent, 1 failed, 0 deferred, 0 held.")
    assert "\r" in screen.text and "550 5.1.1" in screen.text and " sent id=" not in screen.text


# sendmail --queue


def test_sendmail_hands_to_the_outbox(command: Command, path: Path, outbox: Outbox) -> None:
    message = b"From: ada@example.org\nTo: bob@example.org\nBcc: eve@example.org\nSubject: Backup\n\nIt is done.\n"
    ran = command("sendmail", "--queue", "-t", stdin=message, MAILWRIGHT_OUTBOX=str(path))
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    found = list(outbox.find())
    assert {one.address for one in found} == {BOB, "eve@example.org"}
    with Inbox(tls=False) as inbox:
        command("outbox", "work", "--once", "--server", server_of(inbox), MAILWRIGHT_OUTBOX=str(path))
        (received,) = inbox.messages
        assert received.subject == "Backup" and b"eve@" not in received.content


def test_sendmail_options_reach_the_outbox(command: Command, path: Path, outbox: Outbox) -> None:
    words = ["--queue", "--outbox", str(path), "-v", "-f", "bounces+*@example.org", "-V", "backup-1", BOB]
    ran = command("sendmail", *words, stdin=b"Subject: x\n\nhello\n")
    assert ran.code == 0 and "is in the outbox" in ran.out, ran
    assert outbox.status(ran.out.split()[0]).sender.startswith("bounces+mw")
    listed = command("sendmail", "--queue", "--outbox", str(path), "-bp")
    assert listed.code == 0 and BOB in listed.out
    empty = command("sendmail", "-bp")
    assert empty.out.startswith("Mail queue is empty")


@pytest.mark.parametrize("named", ["no/such/folder/mail.db", "mysql://x/y", None])
def test_sendmail_asks_to_try_again_when_the_outbox_is_away(
    command: Command, tmp_path: Path, named: str | None
) -> None:
    variables = {"DEAD": str(tmp_path / "dead.letter")}
    if named is not None:
        variables["MAILWRIGHT_OUTBOX"] = str(tmp_path / named) if "://" not in named else named
    ran = command("sendmail", "--queue", "-f", "ada@example.org", BOB, stdin=b"Subject: x\n\nhello\n", **variables)
    assert ran.code == 75 and ran.err.count("\n") == 1
    assert b"hello" in (tmp_path / "dead.letter").read_bytes()


TALK = (
    "EHLO me\nMAIL FROM:<ada@example.org>\nRCPT TO:<bob@example.org>\nDATA\nSubject: Backup\n\nIt is done.\n.\nQUIT\n"
)


def test_sendmail_speaks_smtp_for_the_outbox(path: Path, outbox: Outbox) -> None:
    ran = program("sendmail", "-bs", "--queue", "--outbox", str(path), stdin=TALK.encode(), env=surroundings())
    assert ran.code == 0 and "is in the outbox" in ran.out, ran
    (one,) = outbox.find()
    assert one.address == BOB and one.state.name == "queued"


def test_sendmail_says_451_when_the_outbox_is_away(tmp_path: Path) -> None:
    where = str(tmp_path / "no" / "mail.db")
    ran = program("sendmail", "-bs", "--queue", "--outbox", where, stdin=TALK.encode(), env=surroundings())
    assert "\n451 4.3.0 " in ran.out.replace("\r", ""), ran


def test_sendmail_refuses_a_bad_message_for_good(command: Command, path: Path, tmp_path: Path) -> None:
    ran = command(
        "sendmail", "--queue", "--outbox", str(path), "-f", "ada@example.org", "bob@", stdin=b"Subject: x\n\nhello\n",
        DEAD=str(tmp_path / "dead.letter"),
    )  # fmt: skip
    assert ran.code == 65


def test_the_same_over_postgresql(command: Command, postgres_url: str, tmp_path: Path) -> None:
    variables = {"MAILWRIGHT_OUTBOX": postgres_url}
    with Inbox(tls=False) as inbox:
        id = command("outbox", "put", *WHOLE, "--return-path", "bounces+*@example.org", **variables).out.strip()
        ran = command("outbox", "work", "--once", "--server", server_of(inbox), **variables)
        assert ran.code == 0 and f"sent id={id}" in ran.out, ran
        (received,) = inbox.messages
    report = report_on(BOB, to=str(received.envelope.reverse_path))
    assert command("outbox", "bounces", "-", stdin=report, **variables).code == 0
    facts = json.loads(command("outbox", "show", id, "--json", **variables).out)
    assert facts["sent"] and [event["kind"] for event in facts["events"]] == ["bounced"]
    assert command("outbox", "suppress", "list", **variables).out.startswith(BOB)
    assert json.loads(command("outbox", "stats", "--json", **variables).out)["counts"]["sent"] == 1
