"""The MIME structure: as few levels as say what belongs together, and boundaries that hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.message.attachment import Attachment
from mailwright.message.message import Message
from tests.unit.message.reading import back, text_of, written

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
ID = "<0123456789abcdef@example.org>"
DATE = "Mon, 03 Feb 2025 10:00:00 +0000"


def shape(part: object) -> object:
    """The tree of types, such as ``{"multipart/mixed": ["text/plain", "application/pdf"]}``."""
    kind = part.get_content_type()  # type: ignore[attr-defined]
    children = [shape(child) for child in part.iter_parts()] if part.is_multipart() else []  # type: ignore[attr-defined]
    return {kind: children} if children else kind


def message(**options: object) -> Message:
    return Message("ada@example.org", "bob@example.net", "Minutes", date=DATE, message_id=ID, **options)  # type: ignore[arg-type]


ALTERNATIVE = {"multipart/alternative": ["text/plain", "text/html"]}
RELATED = {"multipart/related": ["text/html", "image/png"]}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "text/plain"),
        ({"text": "Hello"}, "text/plain"),
        ({"text": "", "html": "<p>Hello</p>"}, "text/html"),
        ({"html": "<p>Hello</p>"}, ALTERNATIVE),
        ({"text": "Hello", "html": "<p>Hello</p>"}, ALTERNATIVE),
        ({"text": "", "html": "<p>", "inline": {"logo": PNG}}, RELATED),
        (
            {"text": "Hello", "html": "<p>", "inline": {"logo": PNG}},
            {"multipart/alternative": ["text/plain", RELATED]},
        ),
        ({"text": "Hello", "attachments": {"a.pdf": b""}}, {"multipart/mixed": ["text/plain", "application/pdf"]}),
        (
            {"text": "Hello", "html": "<p>", "attachments": {"a.pdf": b"", "b.zip": b""}},
            {"multipart/mixed": [ALTERNATIVE, "application/pdf", "application/zip"]},
        ),
        (
            {"text": "", "html": "<p>", "inline": {"logo": PNG}, "attachments": {"a.pdf": b""}},
            {"multipart/mixed": [RELATED, "application/pdf"]},
        ),
        (
            {"text": "Hello", "html": "<p>", "inline": {"logo": PNG}, "attachments": {"a.pdf": b""}},
            {"multipart/mixed": [{"multipart/alternative": ["text/plain", RELATED]}, "application/pdf"]},
        ),
        ({"attachments": {"a.pdf": b"x"}}, "application/pdf"),
        ({"text": "", "attachments": {"a.pdf": b"x", "b.pdf": b"y"}}, {"multipart/mixed": ["application/pdf"] * 2}),
    ],
    ids=range(13),
)
def test_no_needless_level(options: dict[str, object], expected: object) -> None:
    assert shape(back(message(**options))) == expected


def test_the_fields_of_a_plain_message() -> None:
    assert written(message(text="Dear Bob,\n\nyes.\n")) == (
        b"Date: Mon, 03 Feb 2025 10:00:00 +0000\r\n"
        b"From: ada@example.org\r\n"
        b"To: bob@example.net\r\n"
        b"Subject: Minutes\r\n"
        b"Message-ID: <0123456789abcdef@example.org>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Dear Bob,\r\n\r\nyes.\r\n"
    )


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=80),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=80),
    st.binary(max_size=200),
    st.booleans(),
)
def test_every_part_is_read_back(text: str, html: str, data: bytes, eight_bit: bool) -> None:
    found = back(message(text=text + "!", html=html, attachments={"x.bin": data}), eight_bit=eight_bit)
    plain, marked = found.get_body(("plain",)), found.get_body(("html",))
    assert plain is not None and marked is not None
    assert text_of(plain) == _lf(text) + "!"
    assert text_of(marked) == _lf(html)
    assert [part.get_payload(decode=True) for part in found.iter_attachments()] == [data]


def test_a_body_alone_ends_its_last_line() -> None:
    assert text_of(back(message(text="Hello"))) == "Hello\n"
    assert text_of(back(message(text="Hello\n"))) == "Hello\n"


def test_a_body_in_a_multipart_ends_as_it_was_given() -> None:
    for text in ("Hello", "Hello\n", "Hello\n\n"):
        plain = back(message(text=text, html="<p>")).get_body(("plain",))
        assert plain is not None and text_of(plain) == text


class TestBoundaries:
    def test_they_derive_from_the_message_id(self) -> None:
        raw = written(message(text="x", html="y", attachments={"a.pdf": b""}))
        assert b'boundary="=_m_0123456789abcdef"' in raw
        assert raw == written(message(text="x", html="y", attachments={"a.pdf": b""}))

    @pytest.mark.parametrize("field", ["text", "html"])
    def test_another_is_chosen_when_a_body_holds_it(self, field: str) -> None:
        body = "before\n--=_m_0123456789abcdef\nContent-Type: text/evil\n\nafter\n--=_a_0123456789abcdef--\n"
        options = {"text": "x", "html": "y", "attachments": {"a.pdf": b"z"}, field: body}
        found = back(message(**options))
        assert shape(found) == {"multipart/mixed": [ALTERNATIVE, "application/pdf"]}
        part = found.get_body(("plain",) if field == "text" else ("html",))
        assert part is not None and text_of(part) == body

    def test_an_attached_message_may_hold_it_too(self) -> None:
        inner = written(message(text="x", html="y"))
        outer = message(text="see below", attachments=Attachment(inner, "inner.eml"))
        found = back(outer)
        assert shape(found) == {"multipart/mixed": ["text/plain", {"message/rfc822": [ALTERNATIVE]}]}
        assert inner in written(outer)

    def test_a_message_id_of_odd_characters(self) -> None:
        odd = Message("ada@example.org", text="x", html="y", message_id="<'/=?~!{}@example.org>")
        assert shape(back(odd)) == ALTERNATIVE
        long = Message("ada@example.org", text="x", html="y", message_id=f"<{'x' * 300}@example.org>")
        assert shape(back(long)) == ALTERNATIVE
        assert all(len(line) <= 80 for line in written(long).split(b"\r\n") if b"=_" in line)


class TestAttachedMessages:
    def test_never_encoded(self) -> None:
        found = back(message(text="x", attachments=Attachment(b"Subject: a\n\nb\n", "a.eml")))
        part = next(found.iter_attachments())
        assert part["Content-Transfer-Encoding"] == "7bit"
        assert part.get_content()["Subject"] == "a"

    def test_8bit_where_it_is_allowed(self) -> None:
        eml = Attachment("Subject: a\r\n\r\nGrüße\r\n".encode(), "a.eml")
        content = message(text="x", attachments=eml).render(eight_bit=True)
        assert content.eight_bit
        assert b"Content-Type: message/rfc822" in bytes(content)

    @pytest.mark.parametrize(
        "text", ["Subject: a\r\n\r\nGrüße\r\n", "no message", "From x Mon\nSubject: a\n", ": x\n", ""]
    )
    def test_else_as_a_file_that_is_exact(self, text: str) -> None:
        eml = text.encode()
        part = next(back(message(text="x", attachments=Attachment(eml, "a.eml"))).iter_attachments())
        assert part.get_content_type() == "application/octet-stream"
        assert (part.get_filename(), part.get_payload(decode=True)) == ("a.eml", eml)


def test_eight_bit_is_said_only_when_it_is_so() -> None:
    assert not message(text="plain").render(eight_bit=True).eight_bit
    assert message(text="Grüße").render(eight_bit=True).eight_bit
    assert not message(text="Grüße").render().eight_bit


def test_the_root_of_related_is_the_html_and_the_picture_has_its_name() -> None:
    found = back(message(text="", html='<img src="cid:logo">', inline={"logo": PNG}))
    assert found.get_param("type") == "text/html"
    html, picture = found.iter_parts()
    assert picture["Content-ID"] == "<logo>"
    assert picture.get_content_disposition() == "inline"
    assert picture.get_filename() == "logo.png"
    assert html.get_content_type() == "text/html"


def _lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
