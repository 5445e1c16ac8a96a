"""The HTML of a message, written anew: what a reader shows stays, everything else goes, whatever its size."""

from __future__ import annotations

from base64 import b64encode
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.inbox.reading.bodies import bodies
from mailwright.inbox.reading.frame import SCHEMES, Framed, framed, policy
from mailwright.inbox.reading.sanitising import sanitised
from tests.unit.inbox.pages.hostile import HTML
from tests.unit.inbox.pages.looking import faults_of_frame, tags

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000080000000808020000004b6d29dc0000001249444154789c63706061c48a"
    "1886960400d6a71599d7aa1b500000000049454e44ae426082"
)


def clean(html: str) -> str:
    return sanitised(html, lambda address, picture: None if picture else address, lambda style: style)


def shown(html: str, images: bool = False, scheme: str = "light", more: bytes = b"") -> Framed:
    content = (
        b'Content-Type: multipart/related; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n'
        + html.encode()
        + b"\r\n--b\r\nContent-Type: image/png\r\nContent-ID: <logo>\r\nContent-Disposition: inline\r\n\r\n"
        + PNG
        + b"\r\n--b"
        + more
        + b"--\r\n"
    )
    found = bodies(content)
    assert found.html is not None
    return framed(content, found, found.html, images, scheme)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("<p class=a title='b'>x</p>", '<p class="a" title="b">x</p>'),
        ("<P ALIGN=center>x", '<p align="center">x'),
        ("a < b && c > d", "a &lt; b && c > d"),
        ("&lt;b&gt; &amp; &copy;", "&lt;b&gt; &amp; &copy;"),
        ('<a title="&quot;&lt;x&gt;">y</a>', '<a title="&quot;&lt;x&gt;">y</a>'),
        ("<b>x<script>1</script>y</b>", "<b>xy</b>"),
        ("x<!-- y -->z", "xz"),
        ("x<!--[if mso]>y<![endif]-->z", "xz"),
        ("x<![if !mso]>y<![endif]>z", "xyz"),
        ("<o:p>x</o:p>", "x"),
        ("x<svg><path d=1></svg>y", "xy"),
        ("x<svg/>y", "xy"),
        ("x<select>y", "xy"),
        ("<style>p{color:red}</style>x", "<style>p{color:red}</style>x"),
        ("<style media='(max-width:9em)'>p{}</style>", "<style>@media (max-width:9em){p{}}</style>"),
        ("<style>a</stylex></style>", ""),
        ("<p style='color:\"red\"'>x", '<p style="color:&quot;red&quot;">x'),
        ("<td background=x>y", '<td data-blocked="">y'),
        ("<p onclick=1 class=a class=b>x", '<p class="a">x'),
        ("<p", ""),
        ("<p a='", ""),
        ("<a href='mailto:a@b.example'>x</a>", '<a href="mailto:a@b.example" rel="noopener noreferrer nofollow">x</a>'),
        ("<a href='#top'>x</a>", '<a href="#top" target="_self">x</a>'),
    ],
)
def test_written_anew(given: str, expected: str) -> None:
    assert clean(given) == expected


@given(st.text(alphabet="<>/=\"'!-&; \nabcimgstylehrefonsvg:\0", max_size=200))
def test_what_is_written_reads_the_same_once_more(html: str) -> None:
    once = clean(html)
    assert clean(once) == once


@given(st.lists(st.sampled_from(HTML), min_size=1, max_size=4).map("".join), st.integers(0, 300))
def test_no_mixture_of_attacks_gets_through(html: str, cut: int) -> None:
    html = html.replace("EVILHOST", "evil.test").replace("EVIL", "http://evil.test")[cut:]
    document = shown(html).document.decode("utf-8")
    assert faults_of_frame(document) == []


@pytest.mark.parametrize(
    "piece",
    [
        "<svg>",
        "<div>",
        "<a href=",
        "<!--",
        "<style>",
        "<p a=b ",
        "<",
        "</",
        "<![",
        "&#",
        "<select><",
        "<p style='url(",
        "url(",
        "<img srcset='a,",
    ],
)
def test_a_million_of_the_same_are_no_more_work_than_their_number(piece: str) -> None:
    document = shown(piece * (1_000_000 // len(piece))).document
    assert faults_of_frame(document.decode()) == []
    assert len(document) < 5_000_000


def test_a_picture_that_came_along_is_written_in_and_others_wait_to_be_allowed() -> None:
    html = '<img src="cid:logo"><img src="http://a.example/x.png"><div style="background:url(https://b.example/y.png)">'
    blocked = shown(html)
    pictures = [tag.attributes.get("src", "") for tag in tags(blocked.document.decode()) if tag.name == "img"]
    assert pictures[0].startswith("data:image/png;base64,") and pictures[1] == ""
    assert (blocked.blocked, blocked.hosts) == (2, ("a.example", "b.example"))
    allowed = shown(html, images=True).document.decode()
    assert "http://a.example/x.png" in allowed and "https://b.example/y.png" in allowed


def test_the_policy_lets_pictures_in_and_nothing_else() -> None:
    assert "img-src data:;" in policy(False) and "http" not in policy(False)
    assert "img-src data: https: http:;" in policy(True)
    for images in (False, True):
        assert policy(images).startswith("default-src 'none'; ") and "script" not in policy(images)
        assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy(images)


def test_colours_follow_the_scheme_and_not_the_browser() -> None:
    html = "<style>@media (prefers-color-scheme: dark){p{color:red}} @media (PREFERS-COLOR-SCHEME:light){p{color:blue}}</style>"
    for scheme in SCHEMES:
        document = shown(html, scheme=scheme)
        assert document.dark and b"prefers-color-scheme" not in document.document.lower()
    assert b"@media (min-width: 0px){p{color:red}}" in shown(html, scheme="dark").document
    assert b"@media (max-width: 0px){p{color:red}}" in shown(html, scheme="light").document
    assert not shown("<p>x").dark


def test_one_picture_a_million_times_is_written_within_a_limit() -> None:
    assert len(shown('<img src="cid:logo">' * 90_000).document) < 25_000_000


def test_very_long_html_is_cut_and_that_is_told() -> None:
    found = shown("x" * 3_000_000)
    assert found.left_out >= 1_000_000 and len(found.document) < 2_100_000


def test_depth_is_bounded_and_its_text_stays() -> None:
    document = shown("<div>" * 50_000 + "deep" + "</div>" * 50_000 + "<p>after").document
    assert document.count(b"<div>") == document.count(b"</div>") == 200
    assert b"deep" in document and document.rstrip().endswith(b"<p>after")
    flat = shown("<p>x<li>y" * 5000).document
    assert flat.count(b"<p>") == flat.count(b"<li>") == 5000


@pytest.mark.parametrize(
    ("data", "stays"), [(PNG, True), (b"<svg/>", False), (PNG[:16] + b"\x00\x01\x00\x00" * 2 + PNG[24:], False)]
)
def test_a_picture_in_the_html_itself_is_looked_at_too(data: bytes, stays: bool) -> None:
    url = "data:image/png;base64," + b64encode(data).decode()
    assert (url in shown(f'<img src="{url}">').document.decode()) is stays


@pytest.mark.parametrize(
    "sheet",
    [
        '@import "http://evil.test/a.css";',
        '@im@import;port "http://evil.test/a.css";',
        '@\\import "http://evil.test/a.css";',
        '@\\69 mport "http://evil.test/a.css";',
        "p{background:u\\rl(http://evil.test/a.png)}",
        "p{background:\\u\\r\\l(http://evil.test/a.png)}",
        "p{background:u\\000072l(http://evil.test/a.png)}",
        "p{background:url(http://evil.test/a.png",
        "p{background:url('http://evil.test/a.png",
        "p{background:url('http://evil.test/a.png' crossorigin(anonymous))}",
        'p{background:image-set("http://evil.test/a.png" 1x)}',
        'p{background:image-@import;set("http://evil.test/a.png" 1x)}',
        'p{background:-webkit-\\image-set("http://evil.test/a.png" 1x)}',
        'p{background:im\\61ge-set("http://evil.test/a.png" 1x)}',
    ],
)
def test_no_spelling_of_an_address_in_a_style_sheet_asks_anybody(sheet: str) -> None:
    """The policy of the frame would refuse it; here it is not even written."""
    for html in (f"<style>{sheet}</style>", f'<p style="{escape(sheet)}">x</p>', f"<style>{sheet}"):
        document = shown(html).document.decode().lower()
        for way in ("@import", "url(", "image-set("):
            assert way not in document, (html, document[-200:])
        assert "\\" not in document


def test_a_style_sheet_of_nothing_but_imports_is_no_more_work_than_its_length() -> None:
    nested = "@im" * 100_000 + "port x;" * 100_000
    assert "@import" not in shown(f"<style>{nested}</style>").document.decode()


def test_a_query_in_a_link_stays_as_it_was_written() -> None:
    assert clean('<a href="https://a.example/?x=1&copy=2&region=3&amp;y=4">z</a>') == (
        '<a href="https://a.example/?x=1&amp;copy=2&amp;region=3&amp;y=4" rel="noopener noreferrer nofollow">z</a>'
    )
