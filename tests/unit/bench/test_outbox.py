"""The outbox's benchmark in its smallest form."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("only Linux tells what the benchmark measures", allow_module_level=True)

from bench.__main__ import main
from bench.outbox import acts, page
from bench.outbox.measuring import PEERS, ROWS, Measured, measure
from tests.servers import postgres

FIGURES = {"rate": 30_000.0, "cpu": 20.0, "p50": 1.0, "p95": 2.0, "p99": 3.0, "most": 4.0}


def test_every_row_is_an_act_and_every_ratio_has_its_rows() -> None:
    names = {row.name for row in ROWS}
    assert len(names) == len(ROWS) and names >= set(PEERS) | {one for ours in PEERS.values() for one in ours}
    for row in ROWS:
        assert row.package or callable(getattr(acts, row.act))
        assert set(row.goals) <= set(FIGURES)


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_what_is_put_is_drained(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    if engine == "postgres" and (reason := postgres.missing()):
        pytest.skip(reason)
    assert main(["outbox", "--quick", f"{engine}-drain", f"{engine}-batches"]) == 0
    shown = capsys.readouterr().out
    assert f"| {engine} | drained without SMTP |" in shown and "left out" not in shown


def test_the_figures_of_a_row_are_medians() -> None:
    runs = [({"rate": rate, "cpu": 1.0}, 0.0) for rate in (3.0, 1.0, 2.0)]
    one = Measured.of(ROWS[0], 10, runs)
    assert (one.figures["rate"], one.least, one.most, one.runs) == (2.0, 1.0, 3.0, 3)


def test_the_page_is_written_out_of_what_was_kept(tmp_path: Path) -> None:
    measured = [Measured(row.name, 10, 5, FIGURES, 1.0, 2.0, 0.0) for row in ROWS if row.name != "celery-put"]
    page.save(
        measured,
        {"celery-put": "celery is not installed"},
        {"date": "2026-01-01", "before": "0", "after": "0", "sync": "200"},
        tmp_path,
    )
    text = (tmp_path / page.PAGE).read_text("utf-8")
    assert "celery is not installed" in text and "1.0 × `celery-drain` | at least 15 × | **missed**" in text
    assert "≥ 2,500/s | reached" in text and len(json.loads((tmp_path / page.RESULTS).read_text())["rows"]) == len(
        measured
    )


def test_rows_that_are_measured_apart_take_their_place_and_say_so(tmp_path: Path) -> None:
    whole = [Measured(row.name, 10, 5, FIGURES, 1.0, 2.0, 0.0) for row in ROWS]
    page.save(whole, {}, {"date": "2026-01-01", "before": "0", "after": "0", "sync": "200"}, tmp_path)
    again = replace(whole[2], count=77)
    page.save([again], {}, {"date": "2026-02-02", "before": "1", "after": "2", "sync": "300"}, tmp_path)
    text = (tmp_path / page.PAGE).read_text("utf-8")
    assert "Taken on 2026-01-01, load 0 before" in text and "200 µs" in text
    assert f"`{again.name}` in a run of its own: 2026-02-02, load 1 before and 2 after." in text
    rows = json.loads((tmp_path / page.RESULTS).read_text())["rows"]
    assert [one["name"] for one in rows] == [row.name for row in ROWS] and rows[2]["count"] == 77


def test_what_is_missing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.outbox.places.postgres.missing", lambda: "there is no PostgreSQL")
    measured, left_out = measure(["postgres-drain"], 1, 0.01, lambda text: None)
    assert measured == [] and left_out == {"postgres-drain": "there is no PostgreSQL"}


def test_unknown_rows_are_refused() -> None:
    with pytest.raises(SystemExit):
        main(["outbox", "W1"])
