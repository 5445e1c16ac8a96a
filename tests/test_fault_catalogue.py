"""Every fault that has a number has tests that prove its outcome, and the page for operators says the same.

`python tests/test_fault_catalogue.py` writes that page anew.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
TABLE = tomllib.loads((ROOT / "tests" / "fault_catalogue.toml").read_text("utf-8"))
CASES: list[dict[str, Any]] = TABLE["case"]
PAGE = ROOT / "docs" / "topics" / "faults.md"
NUMBERS = {"A": (1, 21), "B": (22, 32), "C": (33, 49), "D": (50, 66), "E": (67, 84), "F": (85, 100), "G": (101, 125), "H": (126, 161), "I": (162, 178), "J": (179, 183)}  # fmt: skip
EVERY = [f"{letter}{number}" for letter, (first, last) in NUMBERS.items() for number in range(first, last + 1)]

each_case = pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])


def test_every_fault_has_one_entry_in_order() -> None:
    assert [case["id"] for case in CASES] == EVERY
    assert list(TABLE["groups"]) == list(NUMBERS)


@each_case
def test_an_entry_says_what_happens_and_what_becomes_of_it(case: dict[str, Any]) -> None:
    assert {"id", "fault", "outcome", "tests"} <= set(case) <= {"id", "fault", "outcome", "tests", "limit", "later"}
    assert all(
        case[field].strip() and "|" not in case[field] and "\n" not in case[field] for field in set(case) - {"tests"}
    )
    assert len(case["tests"]) == len(set(case["tests"])) > 0


class Proof:
    """A test as it stands in its file: how it may be left out, and whether it can fail."""

    def __init__(self, function: ast.FunctionDef | ast.AsyncFunctionDef, marks: list[str]) -> None:
        self.marks = marks
        self.checks = any(
            isinstance(node, ast.Assert | ast.With | ast.Raise) or (isinstance(node, ast.Call) and _may_fail(node))
            for node in ast.walk(function)
        )


def _may_fail(call: ast.Call) -> bool:
    """Whether a call is to a function of the same file or class that checks something."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name.startswith(("check", "expect", "make", "send", "fail"))


@cache
def proofs_in(path: str) -> dict[str, Proof]:
    """The tests of a file by the end of their ids."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    marks = [
        ast.unparse(n.value)
        for n in tree.body
        if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "pytestmark"
    ]
    found: dict[str, Proof] = {}

    def collect(body: list[ast.stmt], prefix: str, marks: list[str]) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
                collect(node.body, f"{prefix}{node.name}::", [*marks, *map(ast.unparse, node.decorator_list)])
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found[prefix + node.name] = Proof(node, [*marks, *map(ast.unparse, node.decorator_list)])

    collect(tree.body, "", marks)
    return found


@each_case
def test_its_tests_exist_and_run(case: dict[str, Any]) -> None:
    """A condition may leave one out on another system; nothing else may."""
    for test in case["tests"]:
        path, _, name = test.partition("::")
        found = proofs_in(path).get(name)
        assert found is not None, f"{case['id']}: there is no {test}"
        assert not [mark for mark in found.marks if re.search(r"mark\.(skip|xfail)\b", mark)], f"{test} does not run"
        assert found.checks, f"{test} checks nothing"


@each_case
def test_not_all_its_tests_are_long_drills(case: dict[str, Any]) -> None:
    drills = [test for test in case["tests"] if any("drill" in mark for mark in _found(test).marks)]
    assert len(drills) < len(case["tests"])


def _found(test: str) -> Proof:
    path, _, name = test.partition("::")
    return proofs_in(path)[name]


def numbers_in(name: str) -> list[str]:
    """The faults that the name of a test speaks of: ``test_a12_to_a14_…`` of three, ``test_b26_b27_…`` of two."""
    words = name.removeprefix("test_").split("_")
    found: list[str] = []
    while words and re.fullmatch(r"[a-hj]\d{1,3}", words[0]):
        found.append(words.pop(0).upper())
        if words[:1] == ["to"] and len(words) > 1 and re.fullmatch(r"[a-hj]\d{1,3}", words[1]):
            letter, first, last = found[-1][0], int(found[-1][1:]), int(words[1][1:])
            found += [f"{letter}{number}" for number in range(first + 1, last + 1)]
            words = words[2:]
    return found


def test_names_are_read() -> None:
    assert numbers_in("test_a12_to_a14_another_protocol") == ["A12", "A13", "A14"]
    assert numbers_in("test_b26_b27_what_is_no_reply") == ["B26", "B27"]
    assert numbers_in("test_a_message_is_accepted") == numbers_in("test_sha_256") == []


def test_every_test_with_a_number_stands_at_its_fault() -> None:
    listed = {(case["id"], test) for case in CASES for test in case["tests"]}
    missing = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        name = path.relative_to(ROOT).as_posix()
        for end in proofs_in(name):
            for number in numbers_in(end.rpartition("::")[2]):
                if (number, f"{name}::{end}") not in listed:
                    missing.append(f"{number}: {name}::{end}")
    assert missing == []


def tables() -> str:
    """The table of each group, as the page has it."""
    parts = []
    for letter, title in TABLE["groups"].items():
        rows = [f"## {title}", "", "| | what happens | what mailwright does |", "|---|---|---|"]
        for case in CASES:
            if case["id"][0] == letter:
                outcome = "; but: ".join(case[field] for field in ("outcome", "limit") if field in case)
                rows.append(f"| {case['id']} | {case['fault']} | {outcome} |")
        parts.append("\n".join(rows))
    later = [f"| {case['id']} | {case['later'].replace(': ', ' | ', 1)} |" for case in CASES if "later" in case]
    parts.append("\n".join(["## Not there yet", "", "| | part | what it will do |", "|---|---|---|", *later]))
    return "\n\n".join(parts) + "\n"


def test_the_page_says_the_same() -> None:
    assert PAGE.read_text("utf-8").endswith("\n\n" + tables()), "write it anew: python tests/test_fault_catalogue.py"


def write() -> None:
    """Put the present tables into the page, below what stands before the first of them."""
    first = next(iter(TABLE["groups"].values()))
    head = PAGE.read_text("utf-8").partition(f"## {first}\n")[0]
    PAGE.write_text(head.rstrip("\n") + "\n\n" + tables(), "utf-8")


if __name__ == "__main__":
    sys.exit(write())
