"""A message laid open: everything that the rules ask for, found once."""

from __future__ import annotations

from mailwright.message.check.entity import Entity, entities
from mailwright.message.check.page import Page
from mailwright.message.decode import decoded_words, one_line, text_of
from mailwright.message.fields import body_start, header_addresses
from mailwright.words.errors import AddressError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.message.fields import Field
    from mailwright.words.address import Address
    from mailwright.words.envelope import Envelope

TEXT_LIMIT = 1 << 20  # octets of one text that are read; Gmail shows 102,000 of them
TEXTS_LIMIT = 4 << 20  # octets of all texts together
_ADDRESSES_LIMIT = 1 << 16  # characters of an address header that are read


class Opened:
    """One message.

    `raw` are the octets as given, `data` the same with CRLF line ends. `entities` holds the message and its parts, each
    before its own. `page` is the first HTML to be read and `html_size` its octets, decoded; `texts` are the plain
    texts. `now` is the time in seconds since 1970, if it is known.
    """

    def __init__(self, raw: bytes, envelope: Envelope | None, now: float | None) -> None:
        self.raw = raw
        self.envelope = envelope
        self.now = now
        self.data = data = _with_crlf(raw)
        self.head = data[: body_start(data)]
        self.entities: list[Entity] = entities(data)
        self.top = self.entities[0]
        self.fields: list[Field] = self.top.fields
        self.keys = {field.key for field in self.fields}
        self.texts: list[str] = []
        self.page: Page | None = None
        self.html_size = 0
        self._room = TEXTS_LIMIT
        for one in self.entities:
            if one.is_body:
                self._read_body(one)
        self.subject = self.header("subject")

    def _read_body(self, one: Entity) -> None:
        if one.kind == "text/html" and self.page is not None:
            return
        octets = one.octets()
        text = text_of(octets[: min(TEXT_LIMIT, self._room)], one.parameters.get("charset", ""))
        self._room = max(0, self._room - len(octets))
        if one.kind == "text/plain":
            self.texts.append(text)
        else:
            self.html_size, self.page = len(octets), Page(text)

    def all(self, key: str) -> list[Field]:
        """The fields of that lower-case name."""
        return [field for field in self.fields if field.key == key]

    def header(self, key: str) -> str:
        """The first field of that name as a reader sees it, or the empty string."""
        return one_line(decoded_words(self.top.text(key)))

    def addresses(self, key: str) -> list[Address]:
        """The addresses of all fields of that name; none from a field that is outside the grammar."""
        found: list[Address] = []
        for field in self.all(key):
            try:
                found += header_addresses(without_comments(one_line(field.text)[:_ADDRESSES_LIMIT]))
            except AddressError:
                continue
        return found

    def encoded(self, *encodings: str) -> list[Entity]:
        """The parts that hold no parts and are in one of these transfer encodings."""
        return [one for one in self.entities if one.encoding in encodings and not one.is_multipart]

    @property
    def files(self) -> list[Entity]:
        """The parts that are no text to be read and hold no parts."""
        return [one for one in self.entities if not (one.is_multipart or one.is_body)]

    @property
    def shown_text(self) -> str:
        """The subject and all that is read below it."""
        return "\n".join([self.subject, *self.texts, self.page.text if self.page else ""])


def without_comments(text: str) -> str:
    """An address header without its comments (RFC 5322 §3.2.2), as in ``ada@example.org (Ada Lovelace)``."""
    if "(" not in text:
        return text
    kept: list[str] = []
    depth, quoted, escaped = 0, False, False
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"' and not depth:
            quoted = not quoted
        elif not quoted and (character == "(" or (character == ")" and depth)):
            depth += 1 if character == "(" else -1
            continue
        if not depth:
            kept.append(character)
    return "".join(kept)


def _with_crlf(octets: bytes) -> bytes:
    if octets.count(b"\r\n") == octets.count(b"\n") == octets.count(b"\r"):
        return octets
    return octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
