"""The page about the rules says what the rules say, and the table of readers has its form."""

from __future__ import annotations

import re
from datetime import date

import pytest

from mailwright.message.check.rules.readers import Feature, readers
from tests.unit.check.table import PAGE, filled


def test_the_page_has_every_rule_as_it_is() -> None:
    page = PAGE.read_text("utf-8")
    assert page == filled(page), "run python -m tests.unit.check.table"


@pytest.mark.parametrize("row", readers().features, ids=lambda row: row.id)
def test_a_feature_has_its_source_and_date(row: Feature) -> None:
    assert row.loss in ("content", "look")
    assert row.no and not set(row.no) & set(row.partly)
    assert {*row.no, *row.partly} <= set(readers().names)
    assert date(2019, 1, 1) <= date.fromisoformat(row.tested) <= date.fromisoformat(readers().as_of)
    assert row.instead.endswith(".")
    for sign in row.signs:
        assert re.fullmatch(
            r"(element|attribute|link|style|at|property|function|pseudo|image):[a-z0-9-]+(=[a-z-]+)?", sign
        )


def test_no_feature_is_there_twice() -> None:
    for key in ("id", "feature"):
        names = [getattr(row, key) for row in readers().features]
        assert len(names) == len(set(names))
    signs = [sign for row in readers().features for sign in row.signs]
    assert len(signs) == len(set(signs))
