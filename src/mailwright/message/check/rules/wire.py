"""Octets and lines: what every program on the way has to be able to carry."""

from __future__ import annotations

import re

from mailwright.message.check.finding import ERROR, WARNING, Group, shown
from mailwright.message.fields import NAME_OCTETS
from mailwright.message.headers import LIMIT
from mailwright.message.transfer import lines_fit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.check.finding import Fault
    from mailwright.message.check.opened import Opened
    from mailwright.message.fields import Field

group = Group("Octets and lines")
HEADER_LIMIT = 102_400  # octets: Postfix cuts a longer field off (header_size_limit)
_SAMPLE = 1 << 16  # octets of a body whose line lengths are looked at
# Characters of a line in quoted-printable or base64. The standard says 76; Python's own library writes 78 of
# quoted-printable, which harms nobody.
_ENCODED_LIMIT = 78
_CONTROLS = bytes(c for c in (*range(32), 127) if c not in b"\t\r\n")
_LINE = re.compile(rb"[^\r\n]++")
_BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_LOOKED_AT = 1 << 20  # octets of the header


def _line_number(data: bytes, place: int) -> str:
    number = data.count(b"\n", 0, place) + 1
    return f"line {number}"


@group.rule(
    "line-too-long", ERROR,
    why="A server may cut or refuse a longer line, and a cut one breaks words, links and signatures.",
    source="RFC 5322 §2.1.1, RFC 5321 §4.5.3.1.6",
    fix="Encode the body as quoted-printable or base64; fold the header.",
)  # fmt: skip
def line_too_long(mail: Opened) -> Iterator[Fault]:
    """A line of more than 998 octets."""
    if not lines_fit(mail.data):
        for line in _LINE.finditer(mail.data):
            if line.end() - line.start() > LIMIT:
                yield f"A line has {line.end() - line.start():,} octets.", _line_number(mail.data, line.start())
                return


@group.rule(
    "bare-cr-lf", ERROR,
    why="Servers disagree on what a CR or LF alone means, which has let one message pass for two.",
    source="RFC 5321 §2.3.8",
    fix="End every line with CRLF; encode what holds other line ends as base64.",
)  # fmt: skip
def bare_cr_lf(mail: Opened) -> Iterator[Fault]:
    """Some lines end in CRLF, and others in CR or LF alone."""
    raw = mail.raw
    if raw is not mail.data and b"\r" in raw:  # a file with LF throughout was only saved on Unix
        found = _BARE.search(raw)
        if found:
            name = "CR" if found[0] == b"\r" else "LF"
            yield f"A {name} stands alone.", _line_number(raw, found.start())


@group.rule(
    "nul-octet", ERROR,
    why="Many servers and readers stop at a NUL, or drop it.",
    source="RFC 5322 §2.1, RFC 2045 §2.7",
    fix="Take it out, or encode the body as base64.",
)  # fmt: skip
def nul_octet(mail: Opened) -> Iterator[Fault]:
    """An octet of value zero."""
    place = mail.data.find(b"\0")
    if place >= 0:
        yield "There is a NUL.", _line_number(mail.data, place)


@group.rule(
    "malformed-header-line", ERROR,
    why="Where one reader skips such a line, another takes it and everything below for the text.",
    source="RFC 5322 §2.2",
    fix="Write Name: value; put an empty line before the text.",
)  # fmt: skip
def malformed_header_line(mail: Opened) -> Iterator[Fault]:
    """A line in the header that is no field and continues none."""
    begun = False
    for number, line in enumerate(mail.head[:_LOOKED_AT].split(b"\r\n"), 1):
        if line[:1] in (b" ", b"\t"):
            malformed = not begun
        else:
            name, colon, _ = line.partition(b":")
            begun = bool(colon and name) and not name.translate(None, NAME_OCTETS)
            malformed = not begun and bool(line)
        if malformed and len(mail.head) <= _LOOKED_AT:
            yield f"{shown(line[:200].decode('utf-8', 'replace'))} is no header field.", f"line {number}"


@group.rule(
    "control-in-header", ERROR,
    why="A control character in a header is dropped, shown as rubbish, or taken for the end of the line.",
    source="RFC 5322 §2.2, §3.2.3",
    fix="Take it out.",
)  # fmt: skip
def control_in_header(mail: Opened) -> Iterator[Fault]:
    """A control character in a header field."""
    for field in mail.fields:
        if len(field.raw.translate(None, _CONTROLS)) < len(field.raw):
            yield "There is a control character in a header field.", f"header {field.name}"


@group.rule(
    "undecodable-header", ERROR,
    why="Every reader guesses another text.",
    source="RFC 6532 §3, RFC 2047",
    fix="Write it as encoded words (RFC 2047) or in UTF-8.",
)  # fmt: skip
def undecodable_header(mail: Opened) -> Iterator[Fault]:
    """A header with octets above 127 that are not UTF-8."""
    for field in mail.fields:
        place = _not_utf8(field)
        if place is not None:
            yield f"The octet 0x{field.raw[place]:02x} is not UTF-8.", f"header {field.name}"


def _not_utf8(field: Field) -> int | None:
    """The place of the first octet that is no UTF-8, `None` if there is none."""
    try:
        field.raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        return problem.start
    return None


@group.rule(
    "utf8-header", WARNING,
    why="Only servers with SMTPUTF8, all along the way, take letters outside ASCII in a header; others send it back.",
    source="RFC 6531 §3.1, RFC 6532",
    fix="Write it as encoded words (RFC 2047), unless an address itself is outside ASCII.",
)  # fmt: skip
def utf8_header(mail: Opened) -> Iterator[Fault]:
    """A header in UTF-8 without encoded words."""
    for field in mail.fields:
        if not field.raw.isascii() and _not_utf8(field) is None:
            yield "Letters outside ASCII stand there unencoded.", f"header {field.name}"


@group.rule(
    "blank-folded-line", WARNING,
    why="Some programs take a line of nothing but spaces for the end of the header.",
    source="RFC 5322 §3.2.2",
    fix="Fold the header where a word begins.",
)  # fmt: skip
def blank_folded_line(mail: Opened) -> Iterator[Fault]:
    """A folded header with a line of nothing but white space."""
    for field in mail.fields:
        if b"\r\n" in field.raw[:-2] and not all(line.strip(b" \t") for line in field.raw[:-2].split(b"\r\n")):
            yield "A line of the folded field holds only white space.", f"header {field.name}"


@group.rule(
    "huge-header", WARNING,
    why="Servers limit the header: Postfix cuts a field after 102,400 octets.",
    source="Postfix header_size_limit",
    fix="Put long lists into the envelope or into an attachment.",
)  # fmt: skip
def huge_header(mail: Opened) -> Iterator[Fault]:
    """A header of more than 102,400 octets."""
    if len(mail.head) > HEADER_LIMIT:
        yield f"The header has {len(mail.head):,} octets.", ""


@group.rule(
    "undeclared-8bit", WARNING,
    why="What says 7bit, or nothing, may be stripped of its eighth bits or refused on the way.",
    source="RFC 2045 §2.7, §6.2",
    fix="Write quoted-printable or base64; or declare it as 8bit, for servers with 8BITMIME.",
)  # fmt: skip
def undeclared_8bit(mail: Opened) -> Iterator[Fault]:
    """A body with octets above 127 that is declared as 7bit or not at all."""
    if mail.data.isascii():
        return
    for one in mail.entities:
        # That a multipart around 8-bit parts should say so, too (§6.4), is heeded by few and looked at by nobody.
        if one.encoding in ("", "7bit", "quoted-printable", "base64") and not one.children:
            if not all(map(bytes.isascii, one.slices())):
                yield f"There are octets above 127 in what is said to be {one.encoding or '7bit'}.", one.where


@group.rule(
    "long-encoded-line", WARNING,
    why="Strict decoders stop at a longer line, and filters take it for a sign of forgery.",
    source="RFC 2045 §6.7, §6.8",
    fix="Break encoded lines at 76 characters, as any MIME library does.",
)  # fmt: skip
def long_encoded_line(mail: Opened) -> Iterator[Fault]:
    """A line of quoted-printable or base64 that is much longer than 76 characters."""
    for one in mail.encoded("quoted-printable", "base64"):
        lines = mail.data[one.start : min(one.end, one.start + _SAMPLE)].split(b"\r\n")
        longest = max(map(len, lines))
        if longest > _ENCODED_LIMIT:
            yield f"A line of {one.encoding} has {longest:,} characters.", one.where
