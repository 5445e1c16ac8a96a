"""Every example in the data leads to its entry: as the exception or reply that it was, and as pasted text."""

from __future__ import annotations

from typing import Any

import pytest

from mailwright import explain
from tests.unit.diagnose.known import EXAMPLES, met

NAMED = [pytest.param(*one, id=f"{number}-{one[0]}") for number, one in enumerate(EXAMPLES)]
PASTED = [
    pytest.param(*one, id=f"{number}-{one[0]}") for number, one in enumerate(EXAMPLES) if "exception" not in one[1]
]


@pytest.mark.parametrize(("kind", "example"), NAMED)
def test_as_it_was(kind: str, example: dict[str, Any]) -> None:
    failure, context = met(example)
    assert explain(failure, **context).kind == kind


@pytest.mark.parametrize(("kind", "example"), PASTED)
def test_as_text(kind: str, example: dict[str, Any]) -> None:
    _, context = met(example)
    parts = [str(example["code"])] if example.get("code", 0) > 0 else []
    parts += [example["enhanced"]] if example.get("enhanced") and example["enhanced"] not in example["text"] else []
    assert explain(" ".join([*parts, example["text"]]), **context).kind == kind


def test_each_kind_has_an_example() -> None:
    assert len(EXAMPLES) > 380
    assert {kind for kind, example in EXAMPLES if not example["text"]} == set()
