"""Each rule finds what it is for, and nothing in the message beside."""

from __future__ import annotations

from collections import Counter

import pytest

from mailwright.message.check import RULES, SEVERITIES, check
from tests.unit.check.cases import CASES, Case, feature_samples
from tests.unit.check.writing import NOW, mail, page


def name_of(case: Case) -> str:
    return f"{case.rule}-{'bad' if case.found else 'good'}"


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_rule_finds_what_it_is_for(case: Case) -> None:
    found = check(case.message, case.envelope, now=NOW, only=[case.rule])
    assert bool(found) == case.found, found


@pytest.mark.parametrize("case", [case for case in CASES if case.found], ids=name_of)
def test_a_finding_is_whole_and_harmless(case: Case) -> None:
    for one in check(case.message, case.envelope, now=NOW, only=[case.rule]):
        assert one.rule == case.rule and one.severity == RULES[one.rule].severity
        for text in (one.what, one.fix, one.where):
            assert text.isprintable() and len(text) < 700
        assert one.what.endswith(".") and one.fix.endswith((".", "…", ")")), one


def test_every_rule_is_tried() -> None:
    tried = Counter((case.rule, case.found) for case in CASES)
    assert {rule for rule, _ in tried} == set(RULES)
    assert all(tried[rule, True] and tried[rule, False] for rule in RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_rule_says_what_and_why(rule) -> None:
    assert rule.severity in SEVERITIES
    assert rule.id.replace("-", "").isalnum() and rule.id == rule.id.lower()
    for text in (rule.meaning, rule.why):
        assert text.endswith(".") and len(text) <= 130 and "\n" not in text
    assert rule.source and rule.fix[-1] in ".…)"


def test_the_usual_message_is_clean() -> None:
    assert check(mail(), now=NOW) == ()
    assert check(page("<p>Dear Bob,</p><p>here are the minutes.</p>"), now=NOW) == ()


@pytest.mark.parametrize("name", feature_samples())
def test_a_feature_that_readers_lack_is_found(name: str) -> None:
    found = check(page(feature_samples()[name]), only=["content-not-shown", "style-not-shown"])
    assert f"HTML, {name.partition(' ')[0]}" in [one.where for one in found], found


@pytest.mark.parametrize(
    "html",
    [
        "<style>@media (max-width: 600px) { p { display: flex } }</style><p>Hi</p>",
        "<style>@supports (display: grid) { p { display: grid } p::before { content: 'x' } }</style><p>Hi</p>",
        "<style>/* p { position: absolute } */ p { font-family: 'position: fixed; x' }</style><p>Hi</p>",
        "<p style=\"background: #fff url('x;y{}'); color: red\">Hi</p><!--[if mso]> <![endif]-->",
        '<!--[if mso]><table><![endif]--><div style="display: flex; border-radius: 3px">Hi</div>',
        "<!-- <video> --><p>Hi</p>",
        '<div style="display: none !important; visibility: hidden; opacity: 0">Hidden</div><p>Hi</p>',
        "<style>.preheader { opacity: 0; display: none; }</style><p>Hi</p>",
        '<div hidden style="display:none">Hidden</div><p>Hi</p>',
        '<p title="<video>">Hi</p>',
        '<img src="https://example.org/a.png?x=a.webp">',
    ],
)
def test_what_is_meant_for_some_readers_only_is_left_alone(html: str) -> None:
    assert check(page(html), only=["content-not-shown", "style-not-shown"]) == ()
