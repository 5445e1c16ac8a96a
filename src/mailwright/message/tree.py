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
from mailwright.message.media_types import UNKNOWN
from mailwright.message.parameters import ascii_fallback, parse_media_type, with_parameters
from mailwright.message.source import Octets
from mailwright.message.transfer import Base64Stream, base64, encoded_octets, encoded_text, identity
from mailwright.words.errors import MessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.attachment import Attachment
    from mailwright.message.content import Stream

_HELD = 1 << 18  # octets of an attachment that are encoded at once; more are encoded while they are sent
_EMBEDDED = 1 << 25  # octets of an attached message, which must be looked at as a whole


class Part:
    """A leaf: its fields, and its body, encoded."""

    __slots__ = ("body", "encoding", "head")

    def __init__(self, head: str, encoding: str, body: bytes | Stream) -> None:
        self.head = f"{head}Content-Transfer-Encoding: {encoding}\r\n"
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
            out.append(f"{opening}{child.fields(mark)}\r\n".encode())
            child.write(mark, out)
            opening = f"\r\n--{boundary}\r\n"
        out.append(f"\r\n--{boundary}--\r\n".encode())


def text_part(subtype: str, text: str, eight_bit: bool) -> Part:
    """A body of text, ``text/plain`` or ``text/html``."""
    encoding, body = encoded_text(text, eight_bit)
    return Part(f"Content-Type: text/{subtype}; charset=utf-8\r\n", encoding, body)


def attached_part(attachment: Attachment, eight_bit: bool) -> Part:
    """An attachment or an inline part."""
    kind, parameters = parse_media_type(attachment.type or UNKNOWN)
    source = attachment.opened
    held = source.data if isinstance(source, Octets) and source.size <= _HELD else None
    body: tuple[str, bytes | Stream] | None = None
    if kind.startswith("message/"):
        # RFC 2046 §5.2.1 allows no encoding. What can't go as it is goes as a file, which readers open as well.
        body = _message(attachment, eight_bit)
        if body is None:
            kind, parameters = UNKNOWN, ()
    elif kind.startswith("text/"):
        if not any(key == "charset" for key, _ in parameters) and _is_utf8(attachment):
            parameters = (*parameters, ("charset", "utf-8"))
        if held is not None:
            body = encoded_octets(held, eight_bit)
    if body is None:
        body = "base64", base64(held) if held is not None else Base64Stream(source)
    return Part(_head(attachment, kind, parameters), *body)


def _head(attachment: Attachment, kind: str, parameters: tuple[tuple[str, str], ...]) -> str:
    name = attachment.name or ""
    disposition = "attachment" if attachment.cid is None else "inline"
    # The name in Content-Type is for readers that know no RFC 2231, so it is plain ASCII there; the exact
    # one is in Content-Disposition. Both forms in one field would be read differently by different programs.
    head = with_parameters("Content-Type", kind, (*parameters, ("name", ascii_fallback(name))))
    head += with_parameters("Content-Disposition", disposition, (("filename", name),))
    names = ["Content-Type", "Content-Disposition"]
    if attachment.cid is not None:
        head += f"Content-ID: <{attachment.cid}>\r\n"
        names.append("Content-ID")
    verify(head, names)
    return head


def _message(attachment: Attachment, eight_bit: bool) -> tuple[str, bytes] | None:
    if attachment.size > _EMBEDDED:
        return None
    data = attachment.read()
    if b"\r" not in data:
        data = data.replace(b"\n", b"\r\n")
    encoding = identity(data)
    return (encoding, data) if encoding == "7bit" or (encoding == "8bit" and eight_bit) else None


def _is_utf8(attachment: Attachment) -> bool:
    """Whether a file of text, if it is short enough to look at, is ASCII or UTF-8."""
    try:
        return attachment.size <= _HELD and attachment.read().decode() is not None
    except (UnicodeDecodeError, MessageError):  # one that changed is reported when it is sent
        return False
