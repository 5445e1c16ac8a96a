"""The report: what counts as bad, how it prints, and that it is plain data."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.diagnose.checkup import STAGES, WIDTH, Checkup, Line, Stage, stage_report
from mailwright.steps import Read, Write
from mailwright.words.errors import TLSError
from tests.unit.doctor.conftest import Lab
from tests.unit.doctor.world import check


def checkup(*stages: tuple[str, tuple[Line, ...]]) -> Checkup:
    made = tuple(Stage(name, lines) for name, lines in stages)
    return Checkup("ada@example.org", "mail.example.org:587", "starttls", "SMTP_HOST", made)


GOOD = Line("name", "ok", "it is there")
LEFT = Line("login", "not checked", "no credential is given")
ODD = Line("host", "warning", "an old name", "Use the new one.")
BAD = Line(
    "port 587",
    "failed",
    "it has expired",
    "Renew it.",
    "nobody looked",
    "cert-expired",
    error=TLSError("it has expired"),
)


@pytest.mark.parametrize(
    ("lines", "worst", "ok", "problem"),
    [
        ((GOOD,), "ok", True, None),
        ((GOOD, LEFT), "ok", True, None),
        ((LEFT,), "not checked", True, None),
        ((GOOD, ODD, LEFT), "warning", True, ODD),
        ((ODD, BAD), "failed", False, BAD),
        ((), "ok", True, None),
    ],
)
def test_the_worst_line_counts(lines: tuple[Line, ...], worst: str, ok: bool, problem: Line | None) -> None:
    made = checkup(("street", lines))
    assert (made.worst, made.ok, made.problem) == (worst, ok, problem)
    assert made.stages[0].worst == worst


def test_the_first_error_is_that_of_sending() -> None:
    quiet = Line("SPF", "failed", "two records", "Join them.")
    made = checkup(("hallway", (ODD, BAD)), ("papers", (quiet,)))
    assert made.error is BAD.error
    assert checkup(("papers", (quiet,))).error is None and not checkup(("papers", (quiet,))).ok


def test_how_it_prints() -> None:
    made = checkup(("street", (GOOD,)), ("hallway", (BAD,)), ("ID", (LEFT,)), ("papers", (ODD,)))
    assert str(made) == (
        "Checking ada@example.org through mail.example.org:587 (STARTTLS, from SMTP_HOST). No mail is sent.\n"
        "\n"
        "Street: is the way to the server free?\n"
        "  ok           name: it is there\n"
        "\n"
        "Hallway: is the connection encrypted, and to the right server?\n"
        "  FAILED       port 587: it has expired\n"
        "               why: nobody looked\n"
        "               fix: Renew it.\n"
        "\n"
        "ID: does it let us in?\n"
        "  not checked  login: no credential is given\n"
        "\n"
        "Papers: would others believe our mail?\n"
        "  warning      host: an old name\n"
        "               fix: Use the new one.\n"
        "\n"
        "1 check failed and 1 warning. No mail was sent.\n"
        "Begin with: Renew it."
    )


def test_how_it_ends_well() -> None:
    assert checkup(("street", (GOOD,))).conclusion == "Everything is in order."
    assert checkup(("street", (GOOD, LEFT))).conclusion == "Everything that was checked is in order."


def test_it_is_plain_data() -> None:
    made = checkup(("hallway", (BAD, ODD)))
    told = json.loads(json.dumps(made.as_dict()))
    assert told["worst"] == "failed" and told["ok"] is False and told["stages"][0]["verdict"] == "failed"
    assert told["stages"][0]["lines"][0] == {
        "what": "port 587", "verdict": "failed", "said": "it has expired", "why": "nobody looked", "fix": "Renew it.",
        "kind": "cert-expired", "link": "", "error": "TLSError",
    }  # fmt: skip
    assert copy.deepcopy(made).worst == "failed"
    assert str(pickle.loads(pickle.dumps(made))) == str(made)


@given(st.text(max_size=400), st.text(max_size=400), st.sampled_from(sorted(STAGES)))
def test_long_lines_are_broken_and_nothing_is_lost(said: str, fix: str, name: str) -> None:
    lines = [text for kind, text in stage_report(Stage(name, (Line("what", "warning", said, fix),))) if kind != "stage"]
    shown = " ".join(" ".join(lines).split())
    assert " ".join(f"warning what: {said}".split()) in shown
    longest = max(len(word) for word in f"{said} {fix}".split(" "))
    assert all(len(line) <= WIDTH + longest + 10 for line in lines)


@given(
    st.lists(st.binary(max_size=60), max_size=8),
    st.lists(st.sampled_from([b"220 hi\r\n", b"250-a\r\n250 STARTTLS\r\n", b"250 a\r\n", b"421 x\r\n"]), max_size=8),
)
def test_whatever_a_server_says_there_is_a_report(lab: Lab, noise: list[bytes], sense: list[bytes]) -> None:
    said = [piece for pair in zip(sense, noise, strict=False) for piece in pair] + noise[len(sense) :]

    async def babble() -> None:
        for piece in said:
            if piece:
                await Write(piece, 10)
            if not await Read(10):
                return

    for port in (465, 587):
        made = check(lab.world(port, babble), lab.case(port))
        assert all(character.isprintable() or character == "\n" for character in str(made))
        assert len(str(made)) < 8000
        json.dumps(made.as_dict())


def test_the_report_is_told_as_it_grows(lab: Lab) -> None:
    told: list[Any] = []
    made = check(lab.world(), lab.case(), told.append)
    assert [len(one.stages) for one in told] == list(range(len(made.stages) + 1))
    assert told[0].heading == made.heading and told[-1] == made
