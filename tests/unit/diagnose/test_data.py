"""The data keeps its own form, and says nothing that nobody should be told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mailwright import explain
from mailwright.diagnose.diagnosis import RETRIES
from mailwright.diagnose.failure import PHASES
from mailwright.diagnose.phrases import plain
from tests.unit.diagnose.known import ENTRIES, read

ENTRY = {
    "kind",
    "what",
    "blames",
    "priority",
    "signs",
    "causes",
    "fix",
    "retry",
    "wait",
    "certainty",
    "link",
    "examples",
}
SIGN = {
    "phrases", "symptoms", "codes", "enhanced", "phases", "ports", "security", "names", "doubt", "strict", "weak", "here"
}  # fmt: skip
KINDS = {entry["kind"] for entry in ENTRIES}
CLUES: dict[str, Any] = read("clues")
CODES: dict[str, Any] = read("codes")
#: The enhanced status codes that IANA lists, without their class (RFC 3463 and its successors).
IANA = [
    *(f"0.{n}" for n in range(1)), *(f"1.{n}" for n in range(11)), *(f"2.{n}" for n in range(5)),
    *(f"3.{n}" for n in range(7)), *(f"4.{n}" for n in range(8)), *(f"5.{n}" for n in range(7)),
    *(f"6.{n}" for n in range(11)), *(f"7.{n}" for n in range(31)),
]  # fmt: skip


def advice() -> list[tuple[str, str]]:
    """Everything that the data may tell somebody to do."""
    own = [*CODES["enhanced"].items(), *((str(row["codes"]), row) for row in CODES["replies"])]
    told = [(entry["kind"], " ".join([entry["what"], *entry["causes"], entry["fix"]])) for entry in ENTRIES]
    return told + [(name, f"{row['what']} {row['causes']} {row['fix']}") for name, row in own if "kind" not in row]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["kind"])
def test_an_entry(entry: dict[str, Any]) -> None:
    assert set(entry) - {"provider", "only_there", "instead_of"} == ENTRY
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry["kind"])
    assert entry["retry"] in RETRIES and entry["certainty"] in ("high", "medium", "low")
    assert entry["wait"] is None or entry["wait"] > 0
    assert entry["what"].endswith(".") and entry["fix"].endswith((".", ")")) and entry["causes"]
    assert entry["link"].startswith("https://") and " " not in entry["link"]
    assert entry["signs"] and entry["examples"]
    for cause in entry["causes"]:
        assert cause and not cause.endswith("."), "a cause is printed as part of a sentence"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["kind"])
def test_a_sign(entry: dict[str, Any]) -> None:
    for sign in entry["signs"]:
        assert set(sign) <= SIGN and set(sign) - {"weak", "strict", "here"}
        assert sign.get("phrases") != [] and set(sign.get("symptoms", ())) <= set(CLUES["symptoms"])
        assert set(sign.get("phases", ())) <= {*PHASES, ""}
        assert [phrase for phrase in sign.get("phrases", ()) if phrase != plain(phrase) or not phrase] == []


def test_what_stands_for_another_kind_at_a_provider() -> None:
    named = [entry for entry in ENTRIES if "instead_of" in entry]
    assert named and {entry["instead_of"] for entry in named} <= KINDS
    assert all(entry["provider"] for entry in named)


def test_each_kind_stands_once() -> None:
    assert len(KINDS) == len(ENTRIES) >= 200


def test_clues() -> None:
    assert set(CLUES["phases"]) <= set(PHASES)
    phrases = [p for symptom in CLUES["symptoms"].values() for p in symptom["phrases"]]
    phrases += [p for group in ("phases", "providers") for ps in CLUES[group].values() for p in ps]
    assert [phrase for phrase in phrases if phrase != plain(phrase) or not phrase] == []


def test_providers_are_known() -> None:
    from mailwright.providers.catalog import everything

    ids = {provider.id for provider in everything()}
    families: dict[str, list[str]] = read("failures")["families"]
    used = {entry["provider"] for entry in ENTRIES if entry.get("provider")}
    meant = {member for name in used for member in families.get(name, [name])} | set(CLUES["providers"])
    assert sorted(meant - ids) == []


def test_every_enhanced_code_of_the_registry_is_explained() -> None:
    assert [code for code in IANA if code not in CODES["enhanced"]] == []
    for code in IANA:
        for kind in "45":
            told = explain(f"{kind}50 {kind}.{code} qqq")
            assert told.kind != "unknown" and told.what and told.fix, code


def test_codes_lead_to_kinds_that_exist() -> None:
    rows = [*CODES["enhanced"].values(), *CODES["replies"]]
    assert [row["kind"] for row in rows if "kind" in row and row["kind"] not in KINDS] == []
    for row in rows:
        assert "kind" in row or (row["what"] and row["causes"] and row["fix"] and row["retry"] in RETRIES)


FORBIDDEN = (
    r"verify[_ ]?(mode|peer|ssl)?\s*[=:]?\s*(off|false|none|no)\b",
    r"cert_none|insecureskipverify|rejectunauthorized|--insecure|allow_self_signed",
    r"(disable|switch off|turn off|skip|ignore)\b[^.;]{0,40}\b(verif|certificate|tls|ssl|encryption|check)",
    r"\bless secure apps?\b",
    r"(accept|trust) (any|all|every|invalid) cert",
)


@pytest.mark.parametrize(("name", "text"), advice(), ids=[name for name, _ in advice()])
def test_no_advice_to_give_up_protection(name: str, text: str) -> None:
    assert [rule for rule in FORBIDDEN if re.search(rule, text, re.IGNORECASE)] == []


@pytest.mark.parametrize("phase", ["data", "final_reply"])
@pytest.mark.parametrize(
    "words",
    ["Connection unexpectedly closed", "The read operation timed out", "[Errno 104] Connection reset by peer",
     "[Errno 32] Broken pipe", "EOF occurred in violation of protocol", "server hung up", "qqq"],
)  # fmt: skip
def test_no_advice_to_repeat_what_may_have_been_accepted(phase: str, words: str) -> None:
    told = explain(words, phase=phase)
    assert told.retry == "no" and told.wait is None


def test_the_reference_names_every_kind() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "explain.md").read_text(encoding="utf-8")
    table = page.partition("## Kinds")[2]
    rows = dict(re.findall(r"^\| (\w+) \| (`.+`) \|$", table, re.MULTILINE))
    told = {blamed: re.findall(r"`([^`]+)`", kinds) for blamed, kinds in rows.items()}
    known: dict[str, list[str]] = {}
    for entry in ENTRIES:
        known.setdefault(entry["blames"], []).append(entry["kind"])
    assert told == known
