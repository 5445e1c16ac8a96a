"""Failures that people met and whose cause was settled: most of them are explained rightly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mailwright import explain
from tests.unit.diagnose.known import EXAMPLES

MET: list[dict[str, Any]] = json.loads(
    (Path(__file__).resolve().parents[2] / "data" / "failures_met.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("half", ["development", "held out"])
def test_the_first_cause_is_right(half: str) -> None:
    met = [one for one in MET if one["half"] == half]
    right = [one for one in met if explain(one["text"], **one.get("context", {})).kind in one["right"]]
    assert len(met) > 60 and len(right) / len(met) >= 0.85


def test_none_of_them_is_an_example() -> None:
    examples = {example["text"].strip().lower() for _, example in EXAMPLES}
    assert [one["text"] for one in MET if one["text"].strip().lower() in examples] == []
    assert len({(one["text"], str(one.get("context"))) for one in MET}) == len(MET) > 120
    assert all(one["met"].startswith("https://") and one["right"] for one in MET)
