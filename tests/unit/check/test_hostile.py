"""Whatever the octets are, a check ends, in steps that grow no faster than their number, and raises nothing."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mailwright.message.check import SEVERITIES, check
from tests.unit.check.cases import CASES
from tests.unit.check.writing import NOW, mail, multipart, page, part

SOUND = [case.message for case in CASES if len(case.message) < 20_000]
MARKS = [
    b"\r\n", b"\n", b"\r", b"\0", b":", b";", b'"', b"=?", b"?=", b"<", b">", b"--=_b", b"--=_b--", b"--", b"{{", b"}}",
    b"{", b"}", b"/*", b"*/", b"url(", b"&#", b"%7B", b"@", b",", b"(", b"\xff", b"\xe2\x80\xae", b"=", b"cid:",
    b"data:", b"http://", b"<style>", b"<a href=", b"<img src=", b"<!--", b"\r\n\r\n", b"Content-Type: multipart/mixed; boundary=",
    b"Content-Transfer-Encoding: base64\r\n", b"charset=", b"\xf0\x9f\x98\x80", b"List-Unsubscribe: <", b"h=", b"[", b"://[",
]  # fmt: skip


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A message of some kind, cut up and put together with marks that mean something."""
    octets = draw(st.sampled_from(SOUND))
    for _ in range(draw(st.integers(0, 8))):
        start = draw(st.integers(0, len(octets)))
        end = min(len(octets), start + draw(st.integers(0, 40)))
        octets = octets[:start] + draw(st.sampled_from(MARKS)) * draw(st.integers(0, 3)) + octets[end:]
    return octets


def expect_findings(octets: bytes) -> None:
    for one in check(octets, now=NOW):
        assert one.severity in SEVERITIES and one.what
        assert (one.what + one.fix + one.where).isprintable()
        assert len(one.what) <= 500 and len(one.where) <= 100


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken())
def test_a_broken_message_is_checked_all_the_same(octets: bytes) -> None:
    expect_findings(octets)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=500))
@example(b"")
@example(b"\r\n")
@example(b":")
@example(b"From: =?\r\n\r\n")
def test_any_octets_are_checked(octets: bytes) -> None:
    expect_findings(octets)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300))
@example('<a href="http://[">x</a>')
@example('<a href="//[::1%25">x</a>')
@example('<a href="https://\ud800/">x</a>')
@example('<a href="https://²/">x</a>')
@example('<img src=" " width="²">')
@example('<a href="https://１.１.１.１/">x</a>')
@example('<img width="٣" height="٣" src="x:">')
def test_any_html_is_checked(html: str) -> None:
    expect_findings(page(html.encode("utf-8", "replace").decode()))
    expect_findings(
        page(
            f'<a href="https://{html}">{html}</a><img src="{html}"><p style="{html}">'.encode(
                "utf-8", "replace"
            ).decode()
        )
    )


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=60),
    st.sampled_from(
        [
            "From",
            "To",
            "Date",
            "Message-ID",
            "Subject",
            "List-Unsubscribe",
            "DKIM-Signature",
            "Content-Type",
            "Return-Path",
            "Precedence",
            "Content-Transfer-Encoding",
            "Content-Disposition",
        ]
    ),
)
def test_any_header_is_checked(text: str, name: str) -> None:
    expect_findings(mail(**{name: text.encode("utf-8", "replace"), "List-Unsubscribe-Post": "x"}))


def test_a_long_name_of_a_field_or_type_is_cut() -> None:
    expect_findings(b"X" * 5000 + b": a\x07\r\n" + mail(Content_Type=f"multipart/{'m' * 5000}"))


def steps(octets: bytes) -> int:
    """How many lines of Python a check runs, in our code and below it."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    check(b"", now=NOW)  # what is loaded once is not counted
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        check(octets, now=NOW)
    finally:
        sys.settrace(before)
    return count


def nested(count: int) -> bytes:
    inner = b"x"
    for level in range(count):
        inner = b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n%s\r\n--%d--\r\n" % (
            level,
            level,
            inner,
            level,
        )
    return inner


GROWING = {
    "parts": lambda n: multipart("mixed", *[part("x")] * n),
    "nesting": nested,
    "one delimiter": lambda n: mail(b"--b\r\n" * n, Content_Type="multipart/mixed; boundary=b"),
    "fields": lambda n: mail(X_A=["x"] * n),
    "one field": lambda n: mail(X_A="x\r\n " * n + "x"),
    "subject": lambda n: mail(Subject="=?utf-8?q?x?= " * n),
    "half encoded words": lambda n: mail(Subject="=?" * n),
    "addresses": lambda n: mail(To=", ".join(["a@example.org"] * n)),
    "quotation marks": lambda n: mail(To='"' * n),
    "brackets": lambda n: mail(List_Unsubscribe="<" * n),
    "signature tags": lambda n: mail(DKIM_Signature="h=a:;" * n, List_Unsubscribe="<a>", List_Unsubscribe_Post="x"),
    "parameters": lambda n: mail(Content_Type="text/plain" + "; a=b" * n),
    "file name sections": lambda n: mail(
        Content_Disposition="attachment" + "".join(f"; filename*{i}=a" for i in range(n))
    ),
    "lines": lambda n: mail(b"x\r\n" * n),
    "one line": lambda n: mail(b"x" * n),
    "braces in the text": lambda n: mail(b"{" * n),
    "percent signs": lambda n: mail(b"%A" * n),
    "links in the text": lambda n: mail(b"http://a " * n),
    "equals signs": lambda n: mail(b"=" * n, Content_Transfer_Encoding="quoted-printable"),
    "base64": lambda n: mail(b"!" * n, Content_Transfer_Encoding="base64"),
    "open tags": lambda n: page("<a href=x><div><p>" * n),
    "tags": lambda n: page("<" * n),
    "attributes": lambda n: page("<p" + " style=x" * n),
    "comments": lambda n: page("<!--" * n),
    "links": lambda n: page('<a href="https://a.b/">https://c.d</a>' * n),
    "pictures": lambda n: page('<img src="http://a.b/c.svg">' * n),
    "one link's text": lambda n: page("<a href=x>" + "y <b>" * n),
    "style sheets": lambda n: page("<style>a{b:c}</style>" * n),
    "blocks": lambda n: page(f"<style>{'{' * n}</style>"),
    "at-rules": lambda n: page(f"<style>{'@media{' * n}</style>"),
    "closed blocks": lambda n: page(f"<style>{'}' * n}</style>"),
    "style comments": lambda n: page(f"<style>{'/*' * n}</style>"),
    "slashes": lambda n: page(f"<style>{'/' * n}</style>"),
    "strings": lambda n: page(f"<style>{chr(34) * n}</style>"),
    "urls": lambda n: page(f"<style>{'url(' * n}</style>"),
    "declarations": lambda n: page(f'<p style="{"a:b;" * n}">'),
    "selectors": lambda n: page(f"<style>{'a::before,' * n}{{}}</style>"),
    "functions": lambda n: page(f'<p style="{"a:" + "calc(" * n}">'),
    "dots": lambda n: page(f'<a href="https://{"a." * n}com">{"a." * n}com</a>'),
    "letters outside ASCII": lambda n: page(f'<a href="https://{"ü" * n}.com">x</a>'),
    "character references": lambda n: page("&lt;" * n),
    "content ids": lambda n: page("cid:" * n),
}


@pytest.mark.parametrize("shape", GROWING)
def test_the_work_grows_no_faster_than_the_message(shape: str) -> None:
    few, many = steps(GROWING[shape](150)), steps(GROWING[shape](600))
    assert many < 4.5 * few, f"{few} steps for 150, {many} for 600"
