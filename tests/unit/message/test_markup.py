"""The text that is derived from HTML: what a person would have written, from any HTML however broken."""

from __future__ import annotations

import re
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.message.markup.text import text_from_html
from mailwright.message.message import Message
from tests.unit.message.reading import back, text_of


def lines(*wanted: str) -> str:
    return "\n".join(wanted)


RUNNING_TEXT = {
    "one paragraph": ("<p>Hello</p>", "Hello"),
    "nothing": ("", ""),
    "no markup": ("Hello\n  there", "Hello there"),
    "white space collapses": ("<p>one\n\t <b>two </b> three<i> four</i></p>", "one two three four"),
    "paragraphs part by a blank line": ("<p>one</p><p>two</p>", lines("one", "", "two")),
    "unclosed paragraphs": ("<p>one<p>two", lines("one", "", "two")),
    "empty paragraphs leave one blank line": ("<p>one</p><p></p><p>&nbsp;</p><p>two</p>", lines("one", "", "two")),
    "divisions are lines": ("<div>one</div><div>two</div>three", lines("one", "two", "three")),
    "an empty line between divisions": ("<div>one</div><div><br></div><div>two</div>", lines("one", "", "two")),
    "line breaks": ("one<br>two<br/>three<br><br>four", lines("one", "two", "three", "", "four")),
    "a break at the end of a block": ("<div>one<br></div>two", lines("one", "two")),
    "no break space": ("a&nbsp;b&nbsp; c&nbsp;", "a b  c"),
    "references": ("&lt;a&gt; &amp; &euro; &#8364; &#x20AC; &eacute;&copy;", "<a> & € € € é©"),
    "references without semicolon": ("AT&T &amp B &notin; &unknown;", "AT&T & B ∉ &unknown;"),
    "no tag": ("1 < 2 > 0, a<3, x <- y", "1 < 2 > 0, a<3, x <- y"),
    "comments": ("a<!-- <p>b</p> -->c<!-->d<!--->e<!-- x --!>f", "acdef"),
    "declarations": ("<!doctype html><?php x ?>a<![if !mso]>b<![endif]>", "ab"),
    "conditional comments": ("<!--[if mso]><p>Outlook</p><![endif]-->a<!--[if !mso]><!-->b<!--<![endif]-->", "ab"),
    "rule": ("one<hr>two", lines("one", "", "-" * 20, "", "two")),
    "quotation in the line": ("He said <q>no</q>.", "He said “no”."),
    "mark of a signature": ("<div>Regards</div><div>-- <br>Ada</div>", lines("Regards", "-- ", "Ada")),
    "unknown elements": ("<o:p>one</o:p> <x-y>two</x-y>", "one two"),
    "upper case": ("<P>ONE</P><BR><DIV STYLE='DISPLAY: NONE'>x</DIV><P>TWO", lines("ONE", "", "TWO")),
}

SCRIPTS_AND_HIDDEN = {
    "script": ("a<script>if (a<b) document.write('</p>')</script>b", "ab"),
    "style and title": ("<head><title>T</title><style>p{}</style></head><body>a</body>", "a"),
    "head without end": ("<html><head><title>T</title><body>a", "a"),
    "unclosed script": ("a<script>alert(1)", "a"),
    "end tag of a script": ("<script></scripty></SCRIPT\n>a", "a"),
    "preheader": ('<div style="display:none;max-height:0">Read this<div>x</div></div><p>Body</p>', "Body"),
    "hidden attribute": ("<p hidden>x</p>a<span hidden>x<span>y</span>z</span>b", "ab"),
    "important": ("<span style='color: red; DISPLAY : none !important'>x</span>a", "a"),
    "squeezed to nothing": ("<div style='max-height:0px; overflow:hidden'>x</div>a", "a"),
    "not visible": ("<p style='visibility:hidden'>x</p><p style='opacity:0'>x</p>a", "a"),
    "not quite hidden": ("<p style='display:block;opacity:0.9;max-height:0'>a</p>", "a"),
    "unclosed hidden paragraph": ("<p style='display:none'>x<p>a", "a"),
    "hidden in a cell ends with it": ("<table><tr><td><div hidden>x</td><td>a</td></tr></table>b", lines("a", "", "b")),
    "hidden image and break": ("a<img alt=x hidden><br style='display:none'>b", "ab"),
    "drawing, form, frame": ("<svg><text>x</text></svg><select><option>x</select><iframe>x</iframe>a", "a"),
    "padding of preheaders": ("a&zwnj;\u00ad\u200b&#847;&#8203;\ufeffb", "a\u200cb"),
    "controls and halves of characters": ("a\0b\x07c\x7f\x9b\ud800d", "abcd"),
}

LINKS_AND_IMAGES = {
    "link": (
        "See <a href='https://example.org/a?b=1&amp;c=2'>the page</a>.",
        "See the page (https://example.org/a?b=1&c=2).",
    ),
    "target as text": ("<a href='https://example.org/x'>https://example.org/x</a>", "https://example.org/x"),
    "target without scheme": ("<a href='https://example.org/'>example.org</a>", "example.org"),
    "another target": ("<a href='https://evil.example'>example.org</a>", "example.org (https://evil.example)"),
    "mail": ("<a href='mailto:ada@example.org'>ada@example.org</a>", "ada@example.org"),
    "mail with a name": ("<a href='mailto:ada@example.org'>Ada</a>", "Ada (ada@example.org)"),
    "mail with a subject": (
        "<a href='mailto:ada@example.org?subject=Hi'>Ada</a>",
        "Ada (mailto:ada@example.org?subject=Hi)",
    ),
    "telephone": ("<a href='tel:+49301234'>+49 (30) 12-34</a> <a href='tel:112'>help</a>", "+49 (30) 12-34 help (112)"),
    "nothing to follow": (
        "<a href='#top'>a</a> <a href=' java\tscript:x()'>b</a> <a href='data:,x'>c</a> <a name=x>d</a> <a href=''>e",
        "a b c d e",
    ),
    "no text": ("<a href='https://example.org'><img src=x></a>", "https://example.org"),
    "query that looks like a reference": (
        "<a href='https://example.org/?a=1&copy=2&region=3&amp;d=4'>x</a>",
        "x (https://example.org/?a=1&copy=2&region=3&d=4)",
    ),
    "space behind the text": ("<a href='https://example.org'>here </a>now", "here (https://example.org) now"),
    "side by side": (
        "<a href='https://a.example'>A</a><a href='https://b.example'>B</a>",
        "A (https://a.example) B (https://b.example)",
    ),
    "around a block": (
        "<a href='https://example.org'><div>Buy</div></a><p>x",
        lines("Buy (https://example.org)", "", "x"),
    ),
    "around a table": (
        "<a href='https://example.org'><table><tr><td>Buy</td></tr></table></a>now",
        lines("Buy (https://example.org)", "", "now"),
    ),
    "with empty lines": (
        "See <a href='https://example.org'>this<br><br></a>",
        lines("See this", "", "(https://example.org)"),
    ),
    "unclosed": ("<a href='https://example.org'>one<p>two", lines("one", "", "two (https://example.org)")),
    "white space in the target": ("<a href=' https://exa\nmple.org/a b '>x</a>", "x (https://example.org/a%20b)"),
    "picture": ("<p>Yours <img src='cid:x' alt='Ada &amp; Bob'></p>", "Yours Ada & Bob"),
    "picture without words": ("a<img src=pixel.gif><img src=x alt=''>b", "ab"),
    "linked picture": ("<a href='https://example.org'><img alt='Our shop'></a>", "Our shop (https://example.org)"),
}

BLOCKS = {
    "headings": (
        "<h1>Title</h1><p>a</p><h2>Part <i>one</i></h2>b<h3>Third</h3>c",
        lines("Title", "=====", "", "a", "", "Part one", "--------", "", "b", "", "Third", "", "c"),
    ),
    "heading in wide letters": ("<h1>日本</h1>", lines("日本", "====")),
    "list": ("x<ul><li>one</li><li>two</li></ul>y", lines("x", "", "- one", "- two", "", "y")),
    "list without end tags": ("<ul><li>one<li>two</ul>", lines("- one", "- two")),
    "numbers": ("<ol><li>one<li>two<li value=9>nine<li>ten</ol>", lines("1. one", "2. two", "9. nine", "10. ten")),
    "start": ("<ol start=-1><li>a<li>b</ol>", lines("-1. a", "0. b")),
    "letters": ("<ol type=a start=26><li>z<li>aa</ol>", lines("z. z", "aa. aa")),
    "Roman numbers": (
        "<ol type=I start=3><li>x<li>y</ol><ol type=i start=4999><li>z</ol>",
        lines("III. x", "IV. y", "", "4999. z"),
    ),
    "absurd start": ("<ol start=99999999999999><li>a</ol><ol start=x><li>b</ol>", lines("1. a", "", "1. b")),
    "nested": (
        "<ul><li>one<ul><li>a<li>b</ul><li>two<ol><li>c</ol></ul>",
        lines("- one", "  - a", "  - b", "- two", "  1. c"),
    ),
    "list right in a list": ("<ul><li>a</li><ul><li>b</li></ul><li>c</li></ul>", lines("- a", "  - b", "- c")),
    "end of an item that is not there": ("<ul><li>a<ul></li><li>b</ul>c</ul>", lines("- a", "  - b", "  c")),
    "paragraphs in an item": ("<ol><li><p>a</p><p>b</p><li>c</ol>", lines("1. a", "", "   b", "2. c")),
    "item without a list": ("<li>a<li>b", lines("- a", "- b")),
    "definitions": (
        "<dl><dt>Term<dd>Meaning<br>more<dt>Two<dd>x</dl>",
        lines("Term", "    Meaning", "    more", "Two", "    x"),
    ),
    "quotation": (
        "<p>You wrote:</p><blockquote><p>one</p><p>two</p></blockquote>No.",
        lines("You wrote:", "", "> one", ">", "> two", "", "No."),
    ),
    "quotation in a quotation": ("<blockquote>a<blockquote>b</blockquote></blockquote>", lines("> a", ">", "> > b")),
    "list in a quotation": ("<blockquote><ul><li>a<br>b</ul></blockquote>", lines("> - a", ">   b")),
    "preformatted": (
        "<pre>\ndef f():\n\n\treturn  1 &lt; 2  \n</pre>x",
        lines("def f():", "", "\treturn  1 < 2", "", "x"),
    ),
    "preformatted with markup": ("<pre>a\r\n <b>b</b>\rc<br>d</pre>", lines("a", " b", "c", "d")),
    "block ends a paragraph": ("<p>a<ul><li>b</ul>c", lines("a", "", "- b", "", "c")),
    "end tags out of order": ("<b><i>a</b></i><div>b</span></p></table></li></div>c", lines("a", "b", "c")),
    "end tag that is a break": ("a</br>b", lines("a", "b")),
}

TABLES = {
    "with headings": (
        "<table><tr><th>Fruit<th>Price<tr><td>Apple<td>1.50<tr><td>日本 pear<td>10.25</table>",
        lines("Fruit      Price", "---------  -----", "Apple       1.50", "日本 pear  10.25"),
    ),
    "data frame": (
        """<table border="1" class="dataframe">
          <thead><tr style="text-align: right;"><th></th><th>n</th><th>x</th></tr></thead>
          <tbody><tr><th>0</th><td>a</td><td>NaN</td></tr><tr><th>10</th><td>bb</td><td>-1.5</td></tr></tbody>
        </table>""",
        lines("    n      x", "--  --  ----", " 0  a    NaN", "10  bb  -1.5"),
    ),
    "unmarked data": (
        "<table><tr><td>Total<td>12 €<tr><td>VAT<td>2.10 €</table>",
        lines("Total    12 €", "VAT    2.10 €"),
    ),
    "caption": ("<table><caption>Prices</caption><tr><td>a<td>1</table>", lines("Prices", "a  1")),
    "lines in a cell": (
        "<table border=1><tr><td>a<br>b<td>c<tr><td>d<td>e<br>f</table>",
        lines("a  c", "b", "d  e", "   f"),
    ),
    "spans": (
        "<table border=1><tr><td rowspan=2>a<td>b<tr><td>c<tr><td colspan=2>wide cell<tr><td>d<td>e</table>",
        lines("a  b", "   c", "wide cell", "d  e"),
    ),
    "empty cells and columns": (
        "<table border=1><tr><td>a<td><td>b<tr><td><td><td>c<tr><td><td><td></table>",
        lines("a  b", "   c"),
    ),
    "too wide, with headings": (
        f"<table><tr><th>Name<th>Text<tr><td>Ada<td>{'word ' * 30}<tr><td>Bob<td></table>",
        lines("Name: Ada", "Text:" + " word" * 30, "", "Name: Bob"),
    ),
    "too wide, without": (
        f"<table border=1><tr><td>Ada<td>{'word ' * 30}<tr><td>Bob<td>x</table>",
        lines("Ada |" + " word" * 30, "", "Bob | x"),
    ),
    "layout says so": (
        "<table role=presentation><tr><td>a<td>b<tr><td>c<td>d</table>",
        lines("a", "", "b", "", "c", "", "d"),
    ),
    "layout holds blocks": (
        "<table><tr><td><p>a</p><p>b</p><td>c<tr><td>d<td><ul><li>e</ul></table>",
        lines("a", "", "b", "", "c", "", "d", "", "- e"),
    ),
    "layout in layout": (
        """<table width=600><tr><td><table><tr><td><img alt=Logo></td></tr></table></td></tr>
        <tr><td><a href='https://example.org'>Buy</a></td></tr></table>""",
        lines("Logo", "", "Buy (https://example.org)"),
    ),
    "data in layout": (
        "<table><tr><td>Hi</td></tr><tr><td><table><tr><th>a<th>b<tr><td>1<td>2</table></td></tr></table>bye",
        lines("Hi", "", "a  b", "-  -", "1  2", "", "bye"),
    ),
    "layout of headings only": ("<table><tr><th>a</th><th>b</th></tr></table>", lines("a", "", "b")),
    "one row is no data": ("<table><tr><td>Home<td>Shop</table>", lines("Home", "", "Shop")),
    "parts missing": (
        "<table><td>a<td>1<tr><td>b<td>2</td></tr></tr></td></table></table>c",
        lines("a  1", "b  2", "", "c"),
    ),
    "cell without a table": ("a<td>b</td>c", lines("a", "b", "c")),
    "text between rows": ("<table><tr>lost<td>a<td>1<tr><td>b<td>2</table>", lines("lost", "", "a  1", "b  2")),
    "table right in a table": ("<table><tr><table><tr><td>a</table>b", lines("a", "", "b")),
    "headings that are plain cells": (
        "<table><thead><tr><td>a</td> <td>b</td></tr></thead><tr><td>1</td><td>2</td></tr></table>",
        lines("a  b", "-  -", "1  2"),
    ),
    "numbers around a note": (
        "<table border=1><tr><td>1<td>a<tr><td colspan=2>note<tr><td>10<td>b</table>",
        lines(" 1  a", "note", "10  b"),
    ),
    "form around rows": ("<table><form><tr><td>a<td>1</form><tr><td>b<td>2</table>", lines("a  1", "b  2")),
}

ALL = RUNNING_TEXT | SCRIPTS_AND_HIDDEN | LINKS_AND_IMAGES | BLOCKS | TABLES


@pytest.mark.parametrize(("html", "wanted"), ALL.values(), ids=ALL.keys())
def test_reads_like_a_person_would_have_written_it(html: str, wanted: str) -> None:
    assert text_from_html(html) == wanted


def test_is_the_text_part_of_a_message_without_one() -> None:
    html = "<h1>Grüße</h1><p>See <a href='https://example.org/'>this</a>.</p>"
    found = back(Message("ada@example.org", "bob@example.org", html=html))
    part = found.get_body(("plain",))
    assert isinstance(part, EmailMessage)
    assert text_of(part).rstrip("\n") == text_from_html(html)


# Long lines


def test_a_long_line_is_broken_at_spaces() -> None:
    text = " ".join(["Wörter"] * 1000)
    found = text_from_html(f"<p>{text}</p>").split("\n")
    assert max(len(line.encode()) for line in found) <= 998
    assert " ".join(found) == text


def test_a_long_word_is_broken_between_characters() -> None:
    text = "x" + "€😀" * 1000
    found = text_from_html(text).split("\n")
    assert max(len(line.encode()) for line in found) <= 998
    assert "".join(found) == text


def test_a_broken_line_stays_quoted() -> None:
    found = text_from_html(f"<blockquote><blockquote>{'word ' * 500}</blockquote></blockquote>").split("\n")
    assert len(found) > 2
    assert all(line.startswith("> > word") for line in found)


def test_a_line_just_short_enough_is_left_alone() -> None:
    assert text_from_html("x" * 998) == "x" * 998
    assert text_from_html("x" * 999) == "x" * 998 + "\nx"


# Hostile input: without linear time these would not end

REPEATED = 5000
HOSTILE = [
    "<", "<!", "<!--", "<!-- -", "<!----!>", "</", "<?", "<a ", "<a href=x ", "<a b='", '<a b="', "<a b = ", "&", "&#",
    "&#9", "&amp", " ", "\0", "<br>", "&nbsp;", "<script>", "<script></scrip", "<title>", "<style></style>", "<svg>",
    "<b>", "<span hidden>", "<div>", "<div hidden>", "<p>", "<h1>x", "<pre>x\n", "<blockquote>x", "<blockquote>x<br>",
    "<ul>", "<ul><li>x", "<li><ul>", "<ul><li>x</ul>", "<ol type=a start=999999999><li>x", "<dl><dd>x", "<li>x",
    "<a href=x>y", "<a href=x><div>y</div></a>", "<table>", "<table><tr><td>x", "<table><td><ul><li><blockquote>x",
    "<table><form><tr><td></form>", "<td>x", "<tr><td>x", "<q>", "<img alt=x>", "<hr>", "<x-y>",
    "<table border=1><tr><td colspan=999999999 rowspan=999999999>x",
]  # fmt: skip
FRAMED = [
    ("", "</i>", "<b>"), ("", "</span>", "<div>"), ("<table border=1>", "<tr><td rowspan=999999999>x<td>y", ""),
    ("<table border=1><tr>", "<th>x", "<tr><td>y"), ("<table>", "<tr><th>h<th>i", "<tr><td>x<td>y"),
    ("<table border=1><tr><th>" + "w " * 3000 + "<th>b", "<tr><td>a<td>b", ""), ("<a ", "b='x' ", ">"),
    ("<p style='", "a:b;", "'>"), ("<blockquote>" * 50, "x<br>", ""), ("<blockquote>" * 50, "x ", ""),
    ("<table><td>" * 1000, "</tr>", ""), ("<table><td>" * 1000, "</table>", ""), ("&#", "9", ";"), ("&#x", "f", ";"),
    ("<a href='", "x ", "'>y</a>"), ("<a href=x>", "<div>y</div>", "</a>"), ("<ul>" * 100, "<li>x", "</ul>" * 100),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "piece", "after"),
    [*(("", piece, "") for piece in HOSTILE), *FRAMED],
    ids=lambda part: part[:30],
)
def test_hostile_html_is_read_in_linear_time_and_bounded_space(before: str, piece: str, after: str) -> None:
    html = before + piece * REPEATED + after
    found = text_from_html(html)
    assert len(found) <= 20 * len(html) + 1000
    assert all(len(line.encode()) <= 998 for line in found.split("\n"))


def test_what_stands_behind_hostile_html_is_still_read() -> None:
    assert text_from_html("<blockquote>" * 5000 + "x" + "</blockquote>" * 5000 + "end").endswith("\nend")
    assert text_from_html("<table><tr><td>" * 5000 + "x" + "</td></tr></table>" * 5000 + "end").endswith("\nend")
    assert text_from_html("</div>" * 5000 + "end") == "end"


# Properties

NAMES = (
    "a b p q div span ul ol li dl dt dd table thead tbody tr td th caption blockquote pre h1 h2 br hr img script style"
    " title svg textarea o:p"
).split()
markup = st.lists(
    st.one_of(
        st.sampled_from(NAMES).map(lambda name: f"<{name}>"),
        st.sampled_from(NAMES).map(lambda name: f"</{name}>"),
        st.sampled_from(
            [
                "<a href='https://example.org'>", "<td colspan=3>", "<p hidden>", "<img alt='x y'>", "<!--", "-->",
                "<ol type=i>", "<th rowspan=2>", "<table border=1>", "<table role=none>", "&nbsp;", "&lt;", "&#0;",
                "<", ">", '"', "'", "=",
            ]
        ),
        st.text(max_size=8),
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(markup)
def test_any_markup_gives_clean_text(html: str) -> None:
    found = text_from_html(html)
    assert found == found.strip("\n")
    assert "\n\n\n" not in found or "<pre>" in html
    assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", found)


@given(st.text(max_size=200))
def test_any_text_at_all_is_taken(html: str) -> None:
    found = text_from_html(html)
    assert isinstance(found, str)
    found.encode()


WORD = st.text("abcdefghijklmnopqrstuvwxyzäß", min_size=1, max_size=6).map(lambda word: f"{word}·")
inline = st.recursive(
    WORD,
    lambda inside: (
        st.lists(inside, min_size=1, max_size=3)
        .map(" ".join)
        .flatmap(
            lambda text: st.sampled_from([f"<b>{text}</b>", f"<span class=x>{text}</span>", f"<a name=x>{text}</a>"])
        )
    ),
    max_leaves=4,
)
blocks = st.recursive(
    st.lists(inline, min_size=1, max_size=4).map(" ".join),
    lambda inside: st.lists(inside, min_size=1, max_size=4).flatmap(
        lambda parts: st.sampled_from(
            [
                "".join(f"<p>{part}</p>" for part in parts),
                "".join(f"<div>{part}</div>" for part in parts),
                f"<blockquote>{'<br>'.join(parts)}</blockquote>",
                "<ul>" + "".join(f"<li>{part}" for part in parts) + "</ul>",
                "<ol>" + "".join(f"<li>{part}</li>" for part in parts) + "</ol>",
                "<table>" + "".join(f"<tr><td>{part}</td></tr>" for part in parts) + "</table>",
                "<table border=1><tr>" + "".join(f"<td>{part}</td>" for part in parts) + "</table>",
                "<h2>" + " ".join(parts) + "</h2>",
                "<p hidden>hidden</p>" + "<hr>".join(parts),
            ]
        )
    ),
    max_leaves=12,
)  # fmt: skip


@given(blocks)
def test_every_visible_word_is_there_once_and_in_order(html: str) -> None:
    words = re.findall(r"\w+·", re.sub("<p hidden>.*?</p>", "", html))
    found = re.findall(r"\w+·", text_from_html(html))
    if "<table border=1>" in html:  # lines of one cell stand beside those of the next
        words, found = sorted(words), sorted(found)
    assert found == words
