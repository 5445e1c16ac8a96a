"""The benchmark itself, in its smallest form: what it says would be worth nothing if it had rotted."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("only Linux tells what the benchmark measures", allow_module_level=True)

from bench import arrival, saving, senders, sink
from bench.__main__ import main
from bench.job import Job, Missing
from bench.place import Place
from bench.rounds import Plan, Rounds, Row, Table
from bench.running import Failed, measure
from bench.stage import Stage, staged
from bench.targets import TARGETS, verdicts
from bench.workloads import BY_NAME, WORKLOADS

# One workload of each kind; what differs only in numbers is left out.
SMALL = ["W1", "W1-pipelining", "W1-composed", "W2-10", "W3", "W4", "W5", "W6-new", "W6-kept", "W7", "W7-tls", "W10k"]


@pytest.fixture(scope="module", autouse=True)
def server() -> None:
    """The server can be compiled here."""
    try:
        sink.compiled()
    except Missing as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("sender", ["smtplib", "mailwright"])
@pytest.mark.parametrize("name", SMALL)
def test_what_arrives_is_what_was_sent(name: str, sender: str) -> None:
    usual = BY_NAME[name]
    workload = replace(usual, recipients=min(usual.recipients, 200), round_trip=usual.round_trip / 5)
    assert arrival.check(workload, sender, few=12 if workload.connections == 1 else 40) is None


@pytest.mark.parametrize("sender", ["mailwright_async", "mailwright:window=1000"])
def test_so_it_is_with_the_other_doors(sender: str) -> None:
    assert arrival.check(BY_NAME["W1"], sender, few=300) is None


class Thief(Stage):
    """A stage that is told the wrong number."""

    def run(self, sender: str, messages: int, file: Path | None = None, sample: Path | None = None):
        self._look_at(sink.Count(messages=messages - 1, recipients=messages - 1, octets=10**9), messages, file)


def test_a_run_that_lost_a_message_fails() -> None:
    with pytest.raises(Failed, match="4 messages for 4 recipients arrived, instead of 5 for 5"):
        Thief(BY_NAME["W1"], Place("127.0.0.1", 9), None, []).run("smtplib", 5)


def test_another_content_is_noticed(tmp_path: Path) -> None:
    said = b"MAIL FROM:<ada@example.org>\r\nRCPT TO:<grace@example.net>\r\n\r\nSubject: of somebody else\r\n\r\n"
    (tmp_path / "0").write_bytes(said)
    arrived = [arrival.Arrived.read(tmp_path / "0")]
    for act in ("finished", "composed", "process"):
        with pytest.raises(arrival.Wrong):
            arrival.LOOKS[act](arrived, 1, b"")
    with pytest.raises(arrival.Wrong):
        arrival.look_at_rich(arrived[0].content)


def test_dots_are_taken_off_and_chunks_put_together(tmp_path: Path) -> None:
    import socket

    with sink.running(folder=tmp_path) as running:
        with (
            socket.create_connection((running.place.host, running.place.port)) as client,
            client.makefile("rb") as lines,
        ):
            envelope = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n"
            client.sendall(b"EHLO me\r\n" + envelope + b"DATA\r\n")
            while not lines.readline().startswith(b"354"):
                pass
            client.sendall(b"..one\r\n.\r\n" + envelope + b"BDAT 4\r\n.a\r\nBDAT 3 LAST\r\n.\r\n")
            client.sendall(envelope + b"DATA\r\n.\r\nQUIT\r\n")
            assert lines.read().count(b"queued") == 3
        contents = [arrival.Arrived.read(path).content for path in sorted(tmp_path.iterdir())]
        assert contents == [b".one\r\n", b".a\r\n.\r\n", b""]
        assert running.count_after(3, sink.Count()).messages == 3


def plan() -> Plan:
    return Plan(rounds=2, warm_up=0, extra=0, share=0.001)


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    """Two small tables, one of which misses a sender."""
    chosen = {"W1": ["smtplib", "mailwright", "nobody"], "W5": ["smtplib", "mailwright"]}
    return {name: Rounds(BY_NAME[name], names, plan(), lambda _: None).table() for name, names in chosen.items()}


def test_rounds_give_medians_and_name_who_is_missing(tables: dict[str, Table]) -> None:
    table = tables["W1"]
    assert [row.sender for row in table.rows] == ["smtplib", "mailwright"]
    assert "there is no sender nobody" in table.left_out["nobody"]
    for row in table.rows:
        assert row.runs == 2
        assert row.least <= row.rate <= row.most
        assert row.cpu > 0
        assert row.memory >= row.memory_before > 5000
    ratio = table.ratio("mailwright", "smtplib")
    assert ratio is not None
    assert ratio == table.rows[1].rate / table.rows[0].rate


def test_the_page_shows_what_was_measured_and_nothing_of_the_machine(tables: dict[str, Table], tmp_path: Path) -> None:
    saving.save([tables["W1"]], tmp_path)
    saving.save([tables["W5"]], tmp_path)
    page = (tmp_path / saving.PAGE).read_text("utf-8")
    _, kept = saving.load(tmp_path)
    assert kept == tables
    for word in (
        "## W1\n",
        "## W5\n",
        "python -m bench W1",
        "`mailwright`",
        "at least 8 × smtplib",
        "there is no sender",
    ):
        assert word in page
    for place in (sys.prefix, str(tmp_path), str(senders.ROOT)):
        assert place not in page
        assert place not in (tmp_path / saving.RESULTS).read_text("utf-8")


def table(workload: str, **rates: float) -> Table:
    rows = [Row(name, "1", 1, rate, rate, rate, 0.1, 20_000, 0, 0, 0.0, 5, 0) for name, rate in rates.items()]
    return Table(workload, rows)


def test_a_target_is_reached_or_missed() -> None:
    found = verdicts({"W1": table("W1", smtplib=10, mailwright=79.9), "W7": table("W7", smtplib=10, mailwright=20)})
    assert [(one.workload, one.found, one.reached) for one in found] == [
        ("W1", "7.99 ×", False),
        ("W7", "0.50 ×", True),
    ]
    grown = {"W4-2kB": table("W4-2kB", mailwright=1.0), "W4": table("W4", mailwright=1.0)}
    assert [one.reached for one in verdicts(grown)] == [True]
    grown["W4"].rows[0] = replace(grown["W4"].rows[0], memory=20_000 + 5 * 1024)
    assert [(one.found, one.reached) for one in verdicts(grown)] == [("+5.0 MB", False)]


def test_every_target_names_what_is_measured() -> None:
    for target in TARGETS:
        names = BY_NAME[target.workload].senders
        assert target.sender in names
        assert getattr(target, "other", "smtplib") in {*names, "smtplib"}


def test_every_sender_of_a_workload_has_its_act() -> None:
    for workload in WORKLOADS:
        for name in workload.senders:
            assert callable(senders.find(name).act(workload.act))


def test_a_sender_that_fails_or_is_not_there_says_so() -> None:
    nobody = Place("127.0.0.1", 1)
    with pytest.raises(Failed, match="ConnectionRefusedError"):
        measure("smtplib", "finished", nobody, 1)
    with pytest.raises(Missing, match="there is no sender nobody"):
        measure("nobody", "finished", nobody, 1)
    with pytest.raises(Missing, match="nothing for composed"):
        measure("smtp_source", "composed", nobody, 1)


def test_a_job_survives_its_way_to_another_process(tmp_path: Path) -> None:
    place = Place("127.0.0.1", 25, "tls", "ca.pem", ("ada", "secret"))
    job = Job(place, 3, str(tmp_path), 2, 5, "file", True, {"window": "7"}, "sample")
    assert Job.from_json(job.to_json()) == job


def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["W1", "--quick", "--senders", "smtplib,mailwright"]) == 0
    assert "at least 8 × smtplib" in capsys.readouterr().out
    assert main(["W5", "--check", "--few", "2", "--senders", "mailwright,nobody"]) == 0
    said = capsys.readouterr().out
    assert " ok\n" in said
    assert "left out: there is no sender nobody" in said
    with pytest.raises(SystemExit):
        main(["W9"])


def test_a_long_way_takes_its_time() -> None:
    with staged(replace(BY_NAME["W3"], round_trip=0.02)) as stage:
        result = stage.run("smtplib", 2).result
    assert result.seconds > 2 * 4 * 0.02 * 0.9  # MAIL, RCPT, DATA and the content, each awaited
