"""The preview of a message: everything is shown, nothing runs, nothing is fetched."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.message.attachment import Attachment
from mailwright.message.message import Message
from mailwright.message.preview import PICTURES_LIMIT, notebook, page, readable_size
from tests.unit.message.reading import header_text

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
URL = "data:image/png;base64,iVBORw0KGgpwaXhlbHM="


class Reader(HTMLParser):
    """Collects the elements and the text of a page, as a parser that is not ours sees them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def message(html: str | None = None, **more: object) -> Message:
    given = {"sender": "Ada <ada@example.org>", "to": "bob@example.net", "subject": "Minutes", "html": html}
    return Message(**(given | more))  # type: ignore[arg-type]


def frame(shown: str) -> Reader:
    """The document in the only frame of a page."""
    (attributes,) = Reader(shown).all("iframe")
    return Reader(attributes["srcdoc"])


def policy(document: Reader) -> dict[str, str]:
    """The content security policy of a document, from the only element that sets one."""
    (found,) = [m["content"] for m in document.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    return {part.split()[0]: " ".join(part.split()[1:]) for part in found.split(";")}


@pytest.fixture(params=[page, notebook], ids=["page", "notebook"])
def show(request: pytest.FixtureRequest) -> object:
    return request.param


# What is shown


def test_headers_text_and_attachments_are_shown(show) -> None:
    shown = Reader(
        show(
            message(
                text="Dear Bob,\n  2 < 3",
                cc="Grace <grace@example.org>",
                reply_to="office@example.org",
                headers={"X-Tag": "blue"},
                date=0.0,
                attachments={"a.txt": b"x" * 1234, "Übersicht.pdf": b"%PDF"},
            )
        )
    ).text
    for wanted in (
        "Ada <ada@example.org>", "bob@example.net", "Grace <grace@example.org>", "office@example.org", "Minutes",
        "Thu, 01 Jan 1970", "X-Tagblue", "Dear Bob,\n  2 < 3", "a.txttext/plain1.2 kB",
        "Übersicht.pdfapplication/pdf4 bytes",
    ):  # fmt: skip
        assert wanted in shown


def test_blind_copies_are_not_shown(show) -> None:
    assert "secret@example.org" not in show(message(bcc="secret@example.org"))


def test_the_text_that_will_be_derived_is_shown(show) -> None:
    shown = Reader(show(message("<p>See <a href='https://example.org/x'>this</a></p>")))
    assert "See this (https://example.org/x)" in shown.text


def test_no_text_is_shown_where_none_will_be_sent(show) -> None:
    assert Reader(show(message("<p>x</p>", text=""))).all("pre") == []


def test_an_unfinished_message_is_shown(show) -> None:
    assert "Hello" in show(Message(subject="Hello"))


def test_raw_octets_and_messages_of_the_standard_library_are_shown(show) -> None:
    raw = b"From: ada@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello\r\n"
    standard = EmailMessage()
    standard["Subject"] = "Grüße"
    standard.set_content("Hello")
    for one in (raw, bytearray(raw), raw.decode(), standard):
        shown = Reader(show(one)).text
        assert "Grüße" in shown
        assert "Hello" in shown


def test_a_page_is_whole_and_takes_the_colours_of_the_browser() -> None:
    shown = page(message())
    assert shown.startswith("<!doctype html>")
    assert "color-scheme: light dark" in shown
    assert "<title>Minutes</title>" in shown
    assert "<title>(no subject)</title>" in page(Message())


def test_a_notebook_shows_a_piece_whose_style_touches_nothing_else() -> None:
    shown = message("<p>x</p>")._repr_html_()
    assert shown == notebook(message("<p>x</p>"))
    (style,) = [words for words in Reader(shown).words if "{" in words]
    selectors = [one for rule in style.split("}")[:-1] for one in rule.partition("{")[0].split(",")]
    assert selectors
    assert all(one.strip().startswith(".mailwright ") or one.strip() == ".mailwright" for one in selectors)
    assert not {tag for tag, _ in Reader(shown).elements} & {"html", "head", "body", "meta", "title"}


@pytest.mark.parametrize(
    ("octets", "wanted"),
    [
        (0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (20_300, "20.3 kB"), (999_949, "999.9 kB"),
        (999_950, "1.0 MB"), (1_500_000, "1.5 MB"), (25_000_000_000, "25.0 GB"),
    ],
)  # fmt: skip
def test_sizes_are_readable(octets: int, wanted: str) -> None:
    assert readable_size(octets) == wanted


# Nothing runs

BREAKS_OUT = [
    "<script>alert(1)</script>", '"><script>alert(1)</script>', "'><img src=x onerror=alert(1)>", "</pre><script>",
    "</title><script>", "</td></table><script>", "</iframe><script>", '" onload="alert(1)', "&lt;script&gt;", "<!--",
    "]]><script>", "</style><script>", "javascript:alert(1)", "<svg/onload=alert(1)>",
]  # fmt: skip
OURS = {
    "html", "head", "meta", "title", "style", "body", "div", "table", "tr", "th", "td", "bdi", "iframe", "details",
    "summary", "pre",
}  # fmt: skip


def check_inert(shown: str) -> None:
    """Whatever was shown, the page holds our elements only, without handlers, and one locked frame at most."""
    found = Reader(shown)
    assert {tag for tag, _ in found.elements} <= OURS
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
    for attributes in found.all("iframe"):
        assert attributes["sandbox"] == ""
        assert "src" not in attributes


@pytest.mark.parametrize("attack", BREAKS_OUT)
def test_markup_in_any_field_is_shown_as_it_is_written(show, attack: str) -> None:
    attacked = message(
        attack + "<p>x</p>",
        sender=(attack, "ada@example.org"),
        to=[(attack, "bob@example.net")],
        subject=f"S {attack}",
        text=f"T {attack}",
        headers={"X-Tag": f"H {attack}"},
        attachments=[Attachment(b"x", name=attack.replace("/", ""), type="text/html")],
    )
    shown = show(attacked)
    check_inert(shown)
    text = Reader(shown).text
    for wanted in (f"{attack} <ada@example.org>", f"S {attack}", f"T {attack}", f"H {attack}", attack.replace("/", "")):
        assert wanted in text


@given(header_text, st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_no_text_makes_an_element(words: str, body: str) -> None:
    for show in (page, notebook):
        check_inert(show(message(body, subject=words, text=body, headers={"X-Tag": words})))


def test_a_raw_message_full_of_markup_is_inert(show) -> None:
    for attack in BREAKS_OUT:
        octets = attack.encode()
        raw = (
            b"From: " + octets + b" <ada@example.org>\r\nSubject: " + octets + b"\r\nX-" + octets + b": " + octets
            + b'\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n' + octets
            + b'\r\n--b\r\nContent-Type: image/svg+xml; name="' + octets + b'"\r\nContent-ID: <' + octets + b">\r\n\r\n"
            + octets + b"\r\n--b--\r\n"
        )  # fmt: skip
        check_inert(show(raw))


def test_the_frame_has_no_rights_and_a_policy_before_anything_of_the_message(show) -> None:
    html = "<meta http-equiv=refresh content='0;url=https://evil.example'><base href=https://evil.example><p>x</p>"
    shown = show(message(html))
    (attributes,) = Reader(shown).all("iframe")
    assert attributes["sandbox"] == ""
    assert attributes["srcdoc"].endswith(html)
    ours = Reader(attributes["srcdoc"].removesuffix(html))
    found = policy(ours)
    assert found["default-src"] == found["form-action"] == found["base-uri"] == "'none'"
    assert found.get("script-src", "'none'") == "'none'"
    assert {source for directive in found.values() for source in directive.split()} <= {
        "'none'", "data:", "'unsafe-inline'"
    }  # fmt: skip
    assert {"http-equiv": "x-dns-prefetch-control", "content": "off"} in ours.all("meta")
    assert ours.all("base") == [{"target": "_blank"}]
    assert not ours.words


def test_the_page_has_the_same_policy() -> None:
    assert policy(Reader(page(message("<p>x</p>")))) == policy(frame(page(message("<p>x</p>"))))


@pytest.mark.parametrize(
    "element",
    ["<link rel=preconnect", "<LINK/rel=preconnect", "<link\nrel=x", "<iframe src=x", "<IFrame\tsrc=x", "<frame src=x",
     "<object data=x", "<embed src=x", "<portal src=x", "<fencedframe src=x", "<applet code=x"],
)  # fmt: skip
def test_elements_that_connect_before_a_policy_is_asked_are_taken_apart(show, element: str) -> None:
    names = {tag for tag, _ in frame(show(message(f"{element} href='https://evil.example'>"))).elements}
    assert names <= {"meta", "base", *(name for name in names if name.startswith("x-"))}
    assert any(name.startswith("x-") for name in names)


def test_directions_and_invisible_letters_do_not_mislead(show) -> None:
    shown = show(
        message(
            text="x",
            sender=("Ada \u202egro.live", "ada@example.org"),
            subject="x\u202ey 👩\u200d🚀",
            attachments=[Attachment(b"x", name="invoice\u202efdp.exe")],
        )
    )
    assert "<bdi>Ada \u202egro.live</bdi> &lt;<bdi>ada@example.org</bdi>&gt;" in shown  # ends with its name
    assert "<bdi>x\u202ey 👩\u200d🚀</bdi>" in shown
    assert "invoice\\u202efdp.exe" in shown


def test_a_long_header_is_cut(show) -> None:
    assert len(show(message(text="x", subject="x" * 100_000))) < 10_000


# Pictures


@pytest.mark.parametrize(
    "html",
    ["<img src='{}'>", '<img src="{}">', "<img src={}>", "<td background='{}'>", "<p style='background: url({})'>",
     '<p style="background: url( \'{}\' )">', "<style>p {{ background: url(\"{}\") }}</style>", '<img src=" {}">'],
)  # fmt: skip
def test_pictures_that_came_along_are_written_into_the_html(show, html: str) -> None:
    shown = show(message(html.format("cid:logo"), inline={"logo": PNG}))
    (attributes,) = Reader(shown).all("iframe")
    assert attributes["srcdoc"].endswith(html.format(URL))


def test_pictures_are_found_by_their_whole_name(show) -> None:
    html = "<img src='cid:logo.png'><img src='cid:logo%40x'><img src='CID:logo'><img src='cid:other'><b>cid:logo</b>"
    (attributes,) = Reader(show(message(html, inline={"logo": PNG, "logo@x": b"\x89PNG\r\n\x1a\nother"}))).all("iframe")
    assert attributes["srcdoc"].endswith(
        "<img src='cid:logo.png'><img src='data:image/png;base64,iVBORw0KGgpvdGhlcg=='>"
        f"<img src='{URL}'><img src='cid:other'><b>cid:logo</b>"
    )


def test_only_pictures_are_written_into_the_html(show) -> None:
    part = Attachment(b"<script>alert(1)</script>", name="x.html", type="text/html", cid="x")
    (attributes,) = Reader(show(message("<img src='cid:x'>", inline=[part]))).all("iframe")
    assert attributes["srcdoc"].endswith("<img src='cid:x'>")


def test_a_type_can_not_break_out_of_its_attribute(show) -> None:
    part = Attachment(b"x", name="x.png", type="image/x'onerror", cid="x")
    (attributes,) = Reader(show(message("<img src='cid:x'>", inline=[part]))).all("iframe")
    assert attributes["srcdoc"].endswith("<img src='cid:x'>")


def test_a_picture_that_is_gone_is_left_out(show, tmp_path: Path) -> None:
    path = tmp_path / "logo.png"
    path.write_bytes(PNG)
    given = message("<img src='cid:logo'>", inline={"logo": path})
    path.unlink()
    assert frame(show(given)).all("img") == [{"src": "cid:logo"}]


def test_pictures_shown_again_and_again_do_not_fill_the_memory() -> None:
    html = "<img src='cid:logo'>" * 1000
    shown = page(message(html, text="x", inline={"logo": PNG + bytes(1_000_000)}))
    assert 1_000_000 < len(shown) < PICTURES_LIMIT + 100_000


def test_a_picture_beyond_the_limit_is_not_read() -> None:
    shown = page(message("<img src='cid:logo'>", inline={"logo": PNG + bytes(PICTURES_LIMIT)}))
    assert frame(shown).all("img") == [{"src": "cid:logo"}]


# The browser

SHOW = """
import sys
from mailwright.message.message import Message
from mailwright.message.preview import open_in_browser
print(open_in_browser(Message("ada@example.org", "bob@example.net", "Grüße", "Hello")))
"""


def run(tmp_path: Path, browser: str) -> subprocess.CompletedProcess[str]:
    """Open a preview in another process: which browser there is, is asked once and for all."""
    kept = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    paths = os.pathsep.join(sys.path)
    environment = kept | {"BROWSER": browser, "TMPDIR": str(tmp_path), "PYTHONPATH": paths, "PATH": str(tmp_path)}
    return subprocess.run(
        [sys.executable, "-X", "utf8", "-c", SHOW], env=environment, capture_output=True, text=True, encoding="utf-8"
    )


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for a browser is a shell script")
def test_the_page_is_opened_in_the_browser_and_private(tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o700)
    done = run(tmp_path, f"{browser} %s")
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert opened.read_text().strip() == path.as_uri()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "<bdi>Grüße</bdi>" in path.read_text("utf-8")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there is always a browser")
def test_without_a_browser_the_error_says_where_the_page_is(tmp_path: Path) -> None:
    done = run(tmp_path, str(tmp_path / "nothing"))
    assert done.returncode == 1
    assert "ConfigError: There is no web browser" in done.stderr
    (path,) = tmp_path.glob("mailwright-*.html")
    assert str(path) in done.stderr
