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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.content import Stream


class Part:
    """A leaf: its header fields, their names, and its body, encoded."""

    __slots__ = ("body", "encoding", "head", "names")

    def __init__(self, head: str, names: tuple[str, ...], encoding: str, body: bytes | Stream) -> None:
        self.head = f"{head}Content-Transfer-Encoding: {encoding}\r\n"
        self.names = (*names, "Content-Transfer-Encoding")
        self.encoding = encoding
        self.body = body

    def parts(self) -> Iterator[Part]:
        """This part alone."""
        yield self

    def fields(self, mark: str) -> str:
        """The Content fields."""
        return self.head

    def write(self, mark: str, out: list[bytes | Stream]) -> None:
        """Append the body to `out`."""
        out.append(self.body)


class Multipart:
    """A branch: its children in order, between boundaries that derive from `mark`."""

    __slots__ = ("children", "subtype")

    names = ("Content-Type",)

    def __init__(self, subtype: str, children: list[Part | Multipart]) -> None:
        self.subtype = subtype
        self.children = children

    def parts(self) -> Iterator[Part]:
        """All leaves below."""
        for child in self.children:
            yield from child.parts()

    def boundary(self, mark: str) -> str:
        """No two levels have the same one, and "=_" never occurs in quoted-printable or base64."""
        return f"=_{self.subtype[0]}_{mark}"

    def fields(self, mark: str) -> str:
        """The Content fields."""
        # RFC 2387 §3.1: related says what its root is.
        root = '; type="text/html"' if self.subtype == "related" else ""
        return f'Content-Type: multipart/{self.subtype}{root};\r\n boundary="{self.boundary(mark)}"\r\n'

    def write(self, mark: str, out: list[bytes | Stream]) -> None:
        """Append the body to `out`."""
        boundary = self.boundary(mark)
        opening = f"--{boundary}\r\n"
        for child in self.children:
            head = child.fields(mark)
            verify(head, child.names)
            out.append(f"{opening}{head}\r\n".encode())
            child.write(mark, out)
            opening = f"\r\n--{boundary}\r\n"
        out.append(f"\r\n--{boundary}--\r\n".encode())


def text_part(subtype: str, text: str, eight_bit: bool) -> Part:
    """A body of text, ``text/plain`` or ``text/html``."""
    encoding, body = encoded_text(text, eight_bit)
    return Part(f"Content-Type: text/{subtype}; charset=utf-8\r\n", ("Content-Type",), encoding, body)
