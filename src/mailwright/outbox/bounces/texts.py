"""What reports are made of, read without trust: parts, addresses, lines that are safe to keep."""

from __future__ import annotations

from mailwright.message.decode import body_octets, decoded_words, one_line, text_of
from mailwright.message.entities import frame
from mailwright.message.fields import Field, body_start, first, media_type, parameters, read_fields
from mailwright.outbox.bounces.marks import mark_in
from mailwright.words.address import Address
from mailwright.words.errors import AddressError
from mailwright.words.reply import visible
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OCTETS_LIMIT = 4 << 20  # octets of a report that are read; what is behind them is the returned message's own text
PARTS_LIMIT = 100
DEPTH_LIMIT = 8  # levels of multiparts
TEXT_LIMIT = 1 << 16  # octets of one part that are read
HEAD_LIMIT = 1 << 18  # octets of a header section that are read
SAID_LIMIT = 500  # characters of what a server said
_LISTS = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to", "to")
_RETURNED = ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")


@value
class Part:
    """A leaf of a message: its media type and its octets, decoded and cut at `TEXT_LIMIT`."""

    kind: str
    octets: bytes
    charset: str = ""

    @property
    def text(self) -> str:
        """Its octets as text with ``\\n`` at line ends."""
        return text_of(self.octets, self.charset).replace("\r\n", "\n")

    @property
    def is_returned(self) -> bool:
        """Whether it is what was sent, or its header."""
        return self.kind in _RETURNED


def normal(octets: bytes) -> bytes:
    """The octets, as many as are read, with CRLF at every line end."""
    octets = octets[:OCTETS_LIMIT]
    if not octets.count(b"\r\n") == octets.count(b"\n") == octets.count(b"\r"):
        octets = octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    return octets


def fields_in(octets: bytes) -> list[Field]:
    """The header fields at the beginning of normal octets."""
    return read_fields(octets[: min(body_start(octets), HEAD_LIMIT)], lenient=True)


def parts_of(octets: bytes) -> list[Part]:
    """The leaves of a message, in order; those of a message in it are not told apart."""
    return list(_leaves(octets, 0, len(octets), 0, [PARTS_LIMIT]))


def _leaves(octets: bytes, start: int, end: int, depth: int, left: list[int]) -> Iterator[Part]:
    body = body_start(octets, start, end)
    fields = read_fields(octets[start : min(body, start + HEAD_LIMIT)], lenient=True)
    kind, found = media_type(fields)
    if kind.startswith("multipart/") and depth < DEPTH_LIMIT:
        framed = frame(octets, body, end, found.get("boundary", ""))
        for part_start, part_end in framed.parts if framed is not None else ():
            if left[0] <= 0:
                return
            yield from _leaves(octets, part_start, part_end, depth + 1, left)
        if framed is not None:
            return
        kind = "text/plain"
    left[0] -= 1
    encoding = parameters(text_in(fields, "content-transfer-encoding"))[0]
    # Encoded, a text takes at most three times its octets; cut before it is decoded.
    raw = octets[body : min(end, body + 3 * TEXT_LIMIT)]
    yield Part(kind, body_octets(raw, encoding)[:TEXT_LIMIT], found.get("charset", ""))


def text_in(fields: Iterable[Field], key: str, limit: int = 2000) -> str:
    """The text of the first field of that name, at most so many characters; empty if there is none."""
    field = first(fields, key)
    return field.text[:limit] if field is not None else ""


def said(text: str) -> str:
    """What a server said, as one line that is safe to print."""
    return visible(" ".join(one_line(decoded_words(text[:4000])).split()), SAID_LIMIT)


def address_in(text: str) -> str:
    """The address that `text` is, in our strict grammar and in lower case; empty if it is none."""
    bare = text.strip(" \t<>'\"()[]:;,*").removeprefix("mailto:")
    if not 3 <= len(bare) <= 320 or "@" not in bare:
        return ""
    try:
        return Address(bare).spec.lower()
    except AddressError:
        return ""


def typed_address(text: str) -> str:
    """The address in a field such as ``rfc822; ada@example.org`` (RFC 3464 §2.3.1, RFC 6533 §3)."""
    kind, semicolon, bare = text.partition(";")
    if not semicolon:
        return address_in(text)
    return address_in(_unescaped(bare) if kind.strip().lower() == "utf-8" else bare)


def _unescaped(text: str) -> str:
    """``utf-8-addr-xtext``: ``\\x{E9}`` for a character."""
    pieces = text.split("\\x{")
    out = [pieces[0]]
    for piece in pieces[1:100]:
        digits, brace, rest = piece.partition("}")
        sound = brace and 1 < len(digits) <= 6 and all(c in "0123456789abcdefABCDEF" for c in digits)
        number = int(digits, 16) if sound else 0x110000
        out.append(chr(number) + rest if 0xA0 <= number < 0x110000 and not 0xD800 <= number < 0xE000 else piece)
    return "".join(out)


def message_id_in(text: str) -> str:
    """The first message identifier in `text`, with its brackets; empty if there is none."""
    start = text.find("<")
    end = text.find(">", start)
    if start < 0 or end < 0:
        return ""
    found = text[start : end + 1]
    return found if 5 <= len(found) <= 1000 and "@" in found and found.isprintable() and " " not in found else ""


def mark_for(fields: Iterable[Field]) -> str:
    """The mark in the addresses that a report came to."""
    for field in list(fields)[:200]:
        if field.key in _LISTS and (mark := mark_in(field.text[:4000])):
            return mark
    return ""
