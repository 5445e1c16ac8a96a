"""The MIME structure of a message (RFC 2046), and writing it.

A message is one `Part`, or `Multipart` upon parts without a needless level::

    mixed                      with attachments
    ├── alternative            with text and HTML
    │   ├── text/plain
    │   └── related            with inline parts
    │       ├── text/html
    │       └── image/png …
    └── application/pdf …
"""

from __future__ import annotations

from mailwright.message.headers import verify
from mailwright.message.transfer import encoded_text
from mailwright.words.remember import remember

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailwright.message.content import Stream

    Head = tuple[str, tuple[str, ...]]

_WORTH_KEEPING = 1 << 12  # characters of a body; to encode a shorter one costs little more than to look for it
_TYPE, _ENCODING = "Content-Type", "Content-Transfer-Encoding"
_HEADS = 100  # heads of parts that are remembered: those of texts, and of files of the same name and type

_openings: dict[Head, bytes] = {}
_text_heads: dict[tuple[str, str], Head] = {}


class Part:
    """A leaf: its header fields with their names, and its body, encoded."""

    __slots__ = ("body", "encoding", "head")

    def __init__(self, head: Head, encoding: str, body: bytes | Stream) -> None:
        self.head = head
        self.encoding = encoding
        self.body = body

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the Content fields."""
        return self.head[1]

    def fields(self, mark: str) -> str:
        """The Content fields."""
        return self.head[0]

    def opening(self, mark: str) -> bytes:
        """The Content fields in octets, checked, and the empty line behind them."""
        head = self.head
        return _openings.get(head) or remember(_openings, _HEADS, head, _checked(*head))

    def write(self, mark: str, out: list[bytes | Stream]) -> None:
        """Append the body to `out`."""
        out.append(self.body)


class Multipart:
    """A branch: its children in order, between boundaries that derive from `mark`."""

    __slots__ = ("children", "encoding", "subtype")

    def __init__(self, subtype: str, children: Sequence[Part | Multipart]) -> None:
        self.subtype = subtype
        self.children = children
        found = [child.encoding for child in children]
        self.encoding: str = "binary" if "binary" in found else "8bit" if "8bit" in found else "7bit"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the Content fields."""
        return (_TYPE,) if self.encoding == "7bit" else (_TYPE, _ENCODING)

    def boundary(self, mark: str) -> str:
        """No two levels have the same one, and "=_" never occurs in quoted-printable or base64."""
        return f"=_{self.subtype[0]}_{mark}"

    def fields(self, mark: str) -> str:
        """The Content fields."""
        # RFC 2387 §3.1: related says what its root is.
        root = '; type="text/html"' if self.subtype == "related" else ""
        # RFC 2045 §6.4: what holds a part with 8 bits or of any octets says so itself; without the field it would be
        # 7bit.
        wide = "" if self.encoding == "7bit" else f"Content-Transfer-Encoding: {self.encoding}\r\n"
        return f'Content-Type: multipart/{self.subtype}{root};\r\n boundary="{self.boundary(mark)}"\r\n{wide}'

    def opening(self, mark: str) -> bytes:
        """The Content fields in octets, and the empty line behind them."""
        # Nothing in them comes from outside: there is nothing to check.
        return f"{self.fields(mark)}\r\n".encode()

    def write(self, mark: str, out: list[bytes | Stream]) -> None:
        """Append the body to `out`."""
        delimiter = b"\r\n--" + self.boundary(mark).encode()
        line = delimiter[2:]  # the first one stands at the beginning of a line already
        for child in self.children:
            out += (line, b"\r\n", child.opening(mark))
            child.write(mark, out)
            line = delimiter
        out += (delimiter, b"--\r\n")


def _checked(head: str, names: tuple[str, ...]) -> bytes:
    verify(head, names)
    return f"{head}\r\n".encode()


def text_part(subtype: str, text: str, eight_bit: bool) -> Part:
    """A body of text, ``text/plain`` or ``text/html``."""
    if len(text) < _WORTH_KEEPING:
        return _text_part(subtype, text, eight_bit)
    from mailwright.message.kept import keep, kept

    form = (subtype, eight_bit)
    part = kept(text, form, Part)
    if part is None:
        part = _text_part(subtype, text, eight_bit)
        keep(text, form, part, len(part.body) if isinstance(part.body, bytes) else 0)
    return part


def _text_part(subtype: str, text: str, eight_bit: bool) -> Part:
    encoding, body = encoded_text(text, eight_bit)
    key = (subtype, encoding)
    head = _text_heads.get(key) or remember(
        _text_heads, _HEADS, key, complete(f"Content-Type: text/{subtype}; charset=utf-8\r\n", (_TYPE,), encoding)
    )
    return Part(head, encoding, body)


def complete(fields: str, names: tuple[str, ...], encoding: str) -> Head:
    """The head of a part: its fields, the one that says its transfer encoding, and their names."""
    return f"{fields}Content-Transfer-Encoding: {encoding}\r\n", (*names, "Content-Transfer-Encoding")
