"""The sender's papers, as the name system has them."""

from __future__ import annotations

from typing import Any

import pytest

from mailwright.diagnose.checkup import Line
from mailwright.diagnose.papers import examine_papers
from mailwright.words.address import Address
from mailwright.words.errors import MissingExtra
from tests.unit.doctor.conftest import ADDRESS, RECORDS, Lab
from tests.unit.doctor.world import check, lines_of


def papers(lab: Lab, records: dict[tuple[str, str], Any], names: Any = None, **others: Any) -> dict[str, Line]:
    """The lines of the papers where these records differ from those that are in order."""
    world = lab.world()
    world.records |= records
    world.names |= names or {}
    return lines_of(check(world, lab.case(**others)), "papers")


def test_all_in_order(lab: Lab) -> None:
    lines = papers(lab, {("TXT", "s1._domainkey.example.org"): ["v=DKIM1; k=rsa; p=MIIB"]}, selectors=("s1",))
    assert {name: line.verdict for name, line in lines.items()} == {
        "MX": "ok", "SPF": "ok", "DMARC": "ok", "DKIM": "ok", "PTR": "not checked",
    }  # fmt: skip
    assert "-all" in lines["SPF"].said and "p=reject" in lines["DMARC"].said and "mx.example.org" in lines["MX"].said


@pytest.mark.parametrize(
    ("texts", "verdict", "kind"),
    [
        ([], "warning", "no-spf"),
        (["v=spf1 -all", "v=spf1 mx ~all"], "failed", "spf-twice"),
        (["v=spf1 +all"], "failed", "spf-all"),
        (["v=spf1 mx ?all"], "warning", "spf-neutral"),
        (["v=spf1 mx"], "warning", "spf-neutral"),
        (["v=spf1 include:gone.example.net -all"], "failed", "spf-broken-include"),
        (["v=spf1 redirect=gone.example.net"], "failed", "spf-broken-include"),
        (["v=spf1 " + "mx " * 11 + "-all"], "failed", "spf-too-many-lookups"),
        (["v=spf1 " + "a:%{i}.example.net " * 10 + "-all"], "ok", ""),
        (["V=SPF1 MX ~ALL"], "ok", ""),
        (["v=spf10 -all", "v=spf1 ip4:192.0.2.0/24 -all"], "ok", ""),
        (["v=spf1 redirect=_spf.example.net"], "ok", ""),
        (["v=spf1 include:loop.example.net ~all"], "ok", ""),
    ],
)
def test_spf(lab: Lab, texts: list[str], verdict: str, kind: str) -> None:
    records = {
        ("TXT", "example.org"): texts,
        ("TXT", "_spf.example.net"): ["v=spf1 ip4:192.0.2.0/24 -all"],
        ("TXT", "loop.example.net"): ["v=spf1 include:loop.example.net include:example.org -all"],
    }
    line = papers(lab, records)["SPF"]
    assert (line.verdict, line.kind) == (verdict, kind), line
    assert bool(line.fix) == (verdict != "ok")


def test_lookups_of_included_records_count_too(lab: Lab) -> None:
    records: dict[tuple[str, str], Any] = {
        ("TXT", "example.org"): ["v=spf1 include:a.example.net include:b.example.net -all"]
    }
    for name in "ab":
        records["TXT", f"{name}.example.net"] = ["v=spf1 " + "exists:x.example.net " * 5 + "-all"]
    line = papers(lab, records)["SPF"]
    assert line.kind == "spf-too-many-lookups" and "(12)" in line.said


def test_an_endless_chain_of_records_ends(lab: Lab) -> None:
    records: dict[tuple[str, str], Any] = {("TXT", "example.org"): ["v=spf1 include:0.example.net -all"]}
    for number in range(200):
        records["TXT", f"{number}.example.net"] = [f"v=spf1 include:{number + 1}.example.net -all"]
    assert papers(lab, records)["SPF"].kind == "spf-too-many-lookups"


@pytest.mark.parametrize(
    ("records", "verdict", "kind"),
    [
        ({}, "warning", "no-dmarc"),
        ({"_dmarc.mail.example.org": ["v=DMARC1; p=none"]}, "ok", ""),
        ({"_dmarc.example.org": ["v=DMARC1;p=quarantine; rua=mailto:x@example.org"]}, "ok", ""),
        ({"_dmarc.mail.example.org": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, "failed", "dmarc-twice"),
        ({"_dmarc.mail.example.org": ["v=DMARC1; p=nothing"]}, "failed", "dmarc-invalid"),
        ({"_dmarc.mail.example.org": ["v=DMARC1"]}, "failed", "dmarc-invalid"),
        ({"_dmarc.mail.example.org": ["hello"], "_dmarc.example.org": ["v=DMARC1; p=none"]}, "ok", ""),
        ({"_dmarc.org": ["v=DMARC1; p=reject"]}, "warning", "no-dmarc"),
    ],
)
def test_dmarc_of_the_domain_or_the_one_above(lab: Lab, records: dict[str, list[str]], verdict: str, kind: str) -> None:
    told = {("TXT", "_dmarc.example.org"): [], **{("TXT", name): texts for name, texts in records.items()}}
    line = papers(lab, told, sender=Address("ada@mail.example.org"))["DMARC"]
    assert (line.verdict, line.kind) == (verdict, kind), line


@pytest.mark.parametrize(
    ("texts", "verdict", "kind"),
    [
        (["v=DKIM1; p=MIIB"], "ok", ""),
        (["k=rsa; p=MIIB"], "ok", ""),
        (["v=DKIM1; p="], "failed", "dkim-revoked"),
        ([], "failed", "no-dkim"),
        (["something else"], "failed", "no-dkim"),
    ],
)
def test_dkim_with_a_selector(lab: Lab, texts: list[str], verdict: str, kind: str) -> None:
    line = papers(lab, {("TXT", "s1._domainkey.example.org"): texts}, selectors=("s1",))["DKIM"]
    assert (line.verdict, line.kind) == (verdict, kind), line


def test_dkim_without_a_selector(lab: Lab) -> None:
    line = papers(lab, {})["DKIM"]
    assert line.verdict == "not checked" and "--selector" in line.fix


def test_dkim_of_an_own_domain_at_a_provider_with_usual_selectors(lab: Lab) -> None:
    from mailwright.providers.catalog import by_host

    provider = by_host("smtp.office365.com", "ada@example.org")
    assert papers(lab, {}, provider=provider)["DKIM"].verdict == "warning"
    records = {("TXT", "selector2._domainkey.example.org"): ["v=DKIM1; p=MIIB"]}
    assert papers(lab, records, provider=provider)["DKIM"].verdict == "ok"


@pytest.mark.parametrize(
    ("mx", "names", "verdict", "kind"),
    [
        ([(10, "a.example.net"), (20, "b.example.net")], {}, "ok", ""),
        ([(0, ".")], {}, "failed", "null-mx"),
        ([], {"example.org": ["192.0.2.9"]}, "warning", "no-mx"),
        ([], {}, "failed", "no-mx"),
    ],
)
def test_mx(lab: Lab, mx: Any, names: Any, verdict: str, kind: str) -> None:
    line = papers(lab, {("MX", "example.org"): mx}, names)["MX"]
    assert (line.verdict, line.kind) == (verdict, kind), line


@pytest.mark.parametrize(
    ("pointer", "back", "verdict"),
    [(["mail.example.org."], ["8.8.4.4"], "ok"), ([], [], "warning"), (["mail.example.org"], ["192.0.2.1"], "warning")],
)
def test_ptr(lab: Lab, pointer: list[str], back: list[str], verdict: str) -> None:
    """Where the server has a public address; the one here is that of somebody else, and is not spoken to."""
    from mailwright.diagnose.papers import _ptr
    from mailwright.diagnose.questions import Questions

    world = lab.world()
    world.records["PTR", "8.8.4.4"] = pointer
    world.names = {"mail.example.org": back}
    line = world.run(_ptr("8.8.4.4", False, Questions(world, 60.0)))
    assert line.verdict == verdict, line


def test_a_provider_keeps_its_own_papers(lab: Lab) -> None:
    from mailwright.providers.catalog import by_domain

    provider = by_domain("gmail.com")
    lines = papers(lab, {}, sender=Address("ada@gmail.com"), provider=provider)
    assert list(lines) == ["domain"] and "Gmail" in lines["domain"].said


@pytest.mark.parametrize(("sender", "word"), [(None, "no sender"), (Address("ada@[192.0.2.1]"), "not a domain")])
def test_nothing_to_look_at(lab: Lab, sender: Any, word: str) -> None:
    line = papers(lab, {}, sender=sender)["domain"]
    assert line.verdict == "not checked" and word in line.said


def test_without_the_extra(lab: Lab) -> None:
    problem = MissingExtra("Looking up needs dnspython.", "Install it with: pip install 'mailwright[dns]'")
    records = dict.fromkeys([*RECORDS], problem)
    lines = papers(lab, records)
    assert [line.verdict for line in lines.values()] == ["not checked"]
    assert "mailwright[dns]" in next(iter(lines.values())).fix


def test_nobody_answers(lab: Lab) -> None:
    """That is not the same as having no record."""
    problems: dict[tuple[str, str], Any] = {
        ("TXT", "example.org"): TimeoutError(),
        ("MX", "example.org"): OSError("SERVFAIL"),
    }
    lines = papers(lab, problems)
    assert lines["SPF"].verdict == lines["MX"].verdict == "not checked"
    assert "in time" in lines["SPF"].said and lines["DMARC"].verdict == "ok"


def test_hostile_records(lab: Lab) -> None:
    hostile = {
        ("TXT", "example.org"): ["v=spf1 include:\x1b[2Jevil.example -all"],
        ("TXT", "_dmarc.example.org"): ["v=DMARC1; p=none; " + "x=y;" * 100_000],
        ("MX", "example.org"): [(1, "\x1b[31mred.example")],
    }
    world = lab.world()
    world.records |= hostile
    checkup = check(world, lab.case())
    assert "\x1b" not in str(checkup) and len(str(checkup)) < 6000
    assert world.places[ADDRESS, 587]


def test_a_name_system_that_is_slow_each_time_is_given_up(lab: Lab) -> None:
    """Each answer takes four seconds, and there are dozens of questions."""
    world = lab.world()

    class Slow:
        asked = 0

        def __getattr__(self, name: str) -> Any:
            def answer(*given: Any) -> Any:
                self.asked += 1
                world.now += 4.0
                return getattr(world, name)(*given)

            return answer

    slow = Slow()
    for number in range(30):
        world.records["TXT", f"{number}.example.net"] = ["v=spf1 -all"]
    world.records["TXT", "example.org"] = [
        "v=spf1 " + " ".join(f"include:{n}.example.net" for n in range(30)) + " -all"
    ]
    begun = world.now
    lines = {line.what: line for line in world.run(examine_papers(lab.case(), lambda: slow, ""))}  # type: ignore[arg-type, return-value]
    assert lines["SPF"].verdict == "not checked" and "in time" in lines["SPF"].said
    assert world.now - begun < 60 and slow.asked < 20
