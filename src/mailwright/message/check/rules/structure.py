"""The MIME structure, character sets and transfer encodings."""

from __future__ import annotations

import re

from mailwright.message.check.finding import ERROR, INFO, WARNING, Group, listed, shown
from mailwright.message.decode import is_charset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.check.entity import Entity
    from mailwright.message.check.finding import Fault
    from mailwright.message.check.opened import Opened

group = Group("Structure")
DEEP = 10  # levels; real mail has four
_ENCODINGS = frozenset(("", "7bit", "8bit", "binary", "quoted-printable", "base64"))
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_SPACE = b" \t\r\n"
_BAD_QP = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*\r\n|[ \t]*\Z)")
_LOOKED_AT = 1 << 20  # octets of a quoted-printable body
_SAME = 0.2  # part of the words that a plain text must at least have
_MUCH = 600  # characters of HTML text; a shorter one may be said in other words
_CID = re.compile(r"cid:([^\s\"'<>)\\]{1,200})", re.IGNORECASE)


@group.rule(
    "no-text-part", WARNING,
    why="Watches, screen readers, terminals and filters read the plain text; HTML alone counts as a sign of spam.",
    source="RFC 2046 §5.1.4, SpamAssassin MIME_HTML_ONLY",
    fix="Give the text as well, as multipart/alternative (mailwright derives it from html=).",
)  # fmt: skip
def no_text_part(mail: Opened) -> Iterator[Fault]:
    """HTML without a plain text."""
    if mail.page is not None and not any(text.strip() for text in mail.texts):
        yield "The plain text is empty." if mail.texts else "There is HTML and no plain text.", ""


@group.rule(
    "thin-text-part", WARNING,
    why="Who reads the plain text misses most of it; filters compare the two.",
    source="RFC 2046 §5.1.4",
    fix="Say the same in both (mailwright derives the text from html=).",
)  # fmt: skip
def thin_text_part(mail: Opened) -> Iterator[Fault]:
    """A plain text that is much shorter than that of the HTML."""
    if mail.page is None or not any(text.strip() for text in mail.texts):
        return
    plain, rich = sum(len("".join(text.split())) for text in mail.texts), len("".join(mail.page.text.split()))
    if rich > _MUCH and plain < rich * _SAME:
        yield f"The plain text has {plain:,} letters, the HTML {rich:,}.", ""


@group.rule(
    "html-before-text", WARNING,
    why="Of alternatives the last one counts: readers show the plain text and never the HTML.",
    source="RFC 2046 §5.1.4",
    fix="Put text/plain first and text/html last.",
)  # fmt: skip
def html_before_text(mail: Opened) -> Iterator[Fault]:
    """In multipart/alternative the plain text comes behind the HTML."""
    for one in mail.entities:
        if one.kind == "multipart/alternative":
            kinds = [_main_kind(child) for child in one.children]
            if "text/html" in kinds and "text/plain" in kinds[kinds.index("text/html") :]:
                yield "The plain text stands behind the HTML.", one.where


def _main_kind(one: Entity) -> str:
    """What a part is to a reader: multipart/related is what its first part is."""
    return one.children[0].kind if one.kind == "multipart/related" and one.children else one.kind


@group.rule(
    "both-shown", WARNING,
    why="Readers show the parts of multipart/mixed one below the other: everything is there twice.",
    source="RFC 2046 §5.1.3, §5.1.4",
    fix='Put the two into multipart/alternative: MIMEMultipart("alternative"), add_alternative().',
)  # fmt: skip
def both_shown(mail: Opened) -> Iterator[Fault]:
    """In multipart/mixed an HTML body follows upon a plain text."""
    for one in mail.entities:
        if one.kind == "multipart/mixed":
            kinds = [child.kind for child in one.children if child.is_body]
            if kinds[:2] == ["text/plain", "text/html"]:
                yield "A plain text and HTML stand side by side.", one.where


@group.rule(
    "no-boundary", ERROR,
    why="Without its delimiter the parts can't be told apart: readers show source text, or nothing.",
    source="RFC 2046 §5.1.1",
    fix="Let a MIME library write the structure.",
)  # fmt: skip
def no_boundary(mail: Opened) -> Iterator[Fault]:
    """A multipart whose delimiter is missing or never occurs."""
    for one in mail.entities:
        if one.is_multipart and not one.framed:
            given = one.parameters.get("boundary", "")
            what = f"The boundary {shown(given)} never occurs." if given else f"{one.kind} names no boundary."
            yield what, one.where


@group.rule(
    "unclosed-multipart", ERROR,
    why="The message was cut off, or will look so: the last part may be incomplete.",
    source="RFC 2046 §5.1.1",
    fix="End it with the boundary between -- and --.",
)  # fmt: skip
def unclosed_multipart(mail: Opened) -> Iterator[Fault]:
    """A multipart without its closing delimiter."""
    for one in mail.entities:
        if one.is_multipart and one.framed and not one.closed:
            yield "The closing delimiter is missing.", one.where


@group.rule(
    "deep-structure", WARNING,
    why="Servers and filters give up on structures that nest deeply or have thousands of parts, and refuse them.",
    source="Postfix mime_nesting_limit, SpamAssassin",
    fix="Pack many files into one archive; don't wrap parts needlessly.",
)  # fmt: skip
def deep_structure(mail: Opened) -> Iterator[Fault]:
    """Parts that nest more than ten levels deep, or too many of them."""
    for one in mail.entities:
        if one.crowded or one.path.count(".") == DEEP:
            yield "The parts nest too deeply, or are too many to be looked at.", one.where
            return


@group.rule(
    "encoded-multipart", ERROR,
    why="Only leaves may be encoded: readers show the encoded text, or nothing.",
    source="RFC 2045 §6.4",
    fix="Encode each part by itself.",
)  # fmt: skip
def encoded_multipart(mail: Opened) -> Iterator[Fault]:
    """A multipart in base64 or quoted-printable."""
    for one in mail.entities:
        if one.is_multipart and one.encoding in ("base64", "quoted-printable"):
            yield f"{one.kind} is said to be {one.encoding}.", one.where


@group.rule(
    "unknown-encoding", ERROR,
    why="A reader that does not know it must treat the part as a file of unknown type.",
    source="RFC 2045 §6.4",
    fix="Use 7bit, quoted-printable or base64.",
)  # fmt: skip
def unknown_encoding(mail: Opened) -> Iterator[Fault]:
    """A Content-Transfer-Encoding that is none."""
    for one in mail.entities:
        if one.encoding not in _ENCODINGS:
            yield f"{shown(one.encoding)} is no transfer encoding.", one.where


@group.rule(
    "broken-base64", ERROR,
    why="The file arrives damaged, or as nothing.",
    source="RFC 2045 §6.8",
    fix="Encode it anew; whatever changed it on the way changes others, too.",
)  # fmt: skip
def broken_base64(mail: Opened) -> Iterator[Fault]:
    """Base64 with strange characters, or cut off."""
    for one in mail.encoded("base64"):
        letters = strange = 0
        for piece in one.slices():
            rest = piece.translate(None, _BASE64)
            letters += len(piece) - len(rest) + rest.count(b"=")
            strange += len(rest.translate(None, _SPACE + b"="))
        if strange or letters % 4:
            what = "holds characters that are not base64" if strange else "is not a whole number of groups"
            yield f"The body {what}.", one.where


@group.rule(
    "broken-quoted-printable", WARNING,
    why="Equals signs and digits are shown in the middle of words, or letters are lost.",
    source="RFC 2045 §6.7",
    fix="Encode it anew: an equals sign is written =3D.",
)  # fmt: skip
def broken_quoted_printable(mail: Opened) -> Iterator[Fault]:
    """Quoted-printable with an equals sign that means nothing."""
    for one in mail.encoded("quoted-printable"):
        body = mail.data[one.start : min(one.end, one.start + _LOOKED_AT)]
        found = _BAD_QP.search(body)
        if found and found.start() < len(body) - 2:
            text = body[found.start() : found.start() + 12].decode("latin-1")
            yield f"{shown(text)} is not quoted-printable.", one.where


@group.rule(
    "no-charset", WARNING,
    why="Without charset a text is ASCII; for other letters every reader guesses.",
    source="RFC 2046 §4.1.2",
    fix="Write Content-Type: text/plain; charset=utf-8.",
)  # fmt: skip
def no_charset(mail: Opened) -> Iterator[Fault]:
    """A text with letters outside ASCII and without a character set."""
    for one in mail.entities:
        if one.is_body and not one.parameters.get("charset") and not one.octets().isascii():
            yield "There are letters outside ASCII and no charset.", one.where


@group.rule(
    "unknown-charset", ERROR,
    why="A reader without that character set shows question marks, or an attachment.",
    source="RFC 2046 §4.1.2",
    fix="Use charset=utf-8.",
)  # fmt: skip
def unknown_charset(mail: Opened) -> Iterator[Fault]:
    """A text in a character set that nobody knows."""
    for one in mail.entities:
        charset = one.parameters.get("charset", "")
        if one.is_body and charset and not is_charset(charset):
            yield f"The character set {shown(charset)} is not known.", one.where


@group.rule(
    "wrong-charset", ERROR,
    why="The octets are not text in the character set that is named: letters turn into rubbish.",
    source="RFC 2046 §4.1.2",
    fix="Name the character set in which the text was encoded, best utf-8.",
)  # fmt: skip
def wrong_charset(mail: Opened) -> Iterator[Fault]:
    """A text that is not in the character set that it names."""
    for one in mail.entities:
        charset = one.parameters.get("charset", "").strip(" \"'").lower()
        if one.is_body and charset in ("utf-8", "utf8", "us-ascii", "ascii"):
            try:
                one.octets().decode(charset)
            except UnicodeDecodeError as problem:
                yield f"Octet {problem.start + 1:,} is not {charset}.", one.where


@group.rule(
    "missing-inline-part", ERROR,
    why="The reader shows a broken picture.",
    source="RFC 2392",
    fix="Send the part with that Content-ID along (inline= in mailwright).",
)  # fmt: skip
def missing_inline_part(mail: Opened) -> Iterator[Fault]:
    """The HTML shows cid:name, and no part has that Content-ID."""
    missing = sorted(_asked_for(mail) - {one.cid for one in mail.entities})
    if missing:
        yield f"No part is called {listed(missing)}.", "HTML"


@group.rule(
    "unused-inline-part", INFO,
    why="A part that says inline and is shown nowhere appears as an odd attachment, or not at all.",
    source="RFC 2183 §2.1, RFC 2387",
    fix='Show it with <img src="cid:name">, or attach it.',
)  # fmt: skip
def unused_inline_part(mail: Opened) -> Iterator[Fault]:
    """A picture inside multipart/related that the HTML does not show."""
    asked = _asked_for(mail)
    for one in mail.entities:
        if one.kind == "multipart/related" and mail.page is not None:
            for part in one.children[1:]:
                if part.kind.startswith("image/") and part.cid not in asked and part.disposition != "attachment":
                    yield f"The picture {shown(part.cid or part.name)} is not shown.", part.where


def _asked_for(mail: Opened) -> set[str]:
    """The Content-IDs of what the HTML shows."""
    from urllib.parse import unquote

    return {unquote(name) for name in _CID.findall(mail.page.html)} if mail.page is not None else set()
