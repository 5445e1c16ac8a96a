"""The MIME structure of a caught message (RFC 2045, 2046): which parts there are, and where their octets stand."""

from __future__ import annotations

from mailwright.message.decode import body_octets, one_line, parameter
from mailwright.message.entities import NESTING_LIMIT, frame
from mailwright.message.fields import body_start, first, media_type, parameters, read_fields
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.fields import Field

#: Parts of one message that are told apart; what comes behind them is counted as one octet stream.
PARTS_LIMIT = 1000
#: Octets of the header section of one part that are read.
HEAD_LIMIT = 256_000
#: Characters of a name that are kept; RFC 2231 allows any number.
NAME_LIMIT = 500

_KNOWN_ENCODINGS = frozenset(("", "7bit", "8bit", "binary", "base64", "quoted-printable"))
_PADDING = 1000  # octets of white space behind a boundary that are looked at
_NOT_BASE64 = bytes(
    c for c in range(256) if chr(c) not in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)


@value
class Node:
    """One entity: the message itself, a multipart, or a part.

    `number` is its place as IMAP counts (RFC 9051 §6.4.5): ``""`` for the message, ``"2.1"`` for the first part
    of its second. `kind`: the media type in lower case. `encoding`: the transfer encoding as it is named.
    `name`: the file name it would like to have, which may be anything and is never a path. `cid`: its
    Content-ID without brackets. The octets are those from `start` to `end`, its body begins at `body`. `remark`
    tells what is odd about it.
    """

    number: str
    kind: str
    charset: str
    encoding: str
    disposition: str
    name: str
    cid: str
    start: int
    body: int
    end: int
    children: tuple[Node, ...] = ()
    remark: str = ""

    @property
    def size(self) -> int:
        """Octets of the body as they were sent."""
        return self.end - self.body

    @property
    def is_multipart(self) -> bool:
        """Whether it only holds other parts together."""
        return bool(self.children)

    def walk(self) -> Iterator[Node]:
        """This node and all below it, in the order of the message."""
        yield self
        for child in self.children:
            yield from child.walk()


def structure(content: bytes) -> Node:
    """The structure of a message whose lines end in CRLF. Never raises: what is no MIME is one part of text."""
    return _entity(content, 0, len(content), "", "text/plain", _Budget())


def part(root: Node, number: str) -> Node | None:
    """The part of that number, `None` if there is none. ``"1"`` of a message without parts is its body."""
    if number == "1" and not root.children:
        return root
    return next((node for node in root.walk() if node.number == number and node.number), None)


def octets(content: bytes, node: Node) -> bytes:
    """The body of a part without its transfer encoding."""
    return body_octets(content[node.body : node.end], node.encoding)


def decoded_size(content: bytes, node: Node) -> int:
    """How many octets `octets` would give; base64 is counted, not decoded."""
    if node.encoding == "base64":
        return len(content[node.body : node.end].translate(None, _NOT_BASE64)) * 3 // 4
    return len(octets(content, node)) if node.encoding == "quoted-printable" else node.size


class _Budget:
    """How many parts may still be told apart."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = PARTS_LIMIT


def _entity(content: bytes, start: int, end: int, number: str, default: str, budget: _Budget) -> Node:
    body = body_start(content, start, end)
    fields = read_fields(content[start : min(body, start + HEAD_LIMIT)], lenient=True)
    kind, found = media_type(fields, default)
    children: tuple[Node, ...] = ()
    remark = ""
    if kind.startswith("multipart/"):
        children, remark = _children(content, body, end, number, kind, found.get("boundary", ""), budget)
    encoding = parameters(_text(fields, "content-transfer-encoding"))[0]
    if encoding not in _KNOWN_ENCODINGS and not remark:
        remark = "The transfer encoding is not one of RFC 2045; the body is taken as it is."
    disposition, named = parameters(_text(fields, "content-disposition"))
    name = parameter(named, "filename") or parameter(found, "name")
    return Node(
        number,
        kind[:NAME_LIMIT],
        found.get("charset", "")[:NAME_LIMIT],
        encoding[:NAME_LIMIT],
        disposition[:NAME_LIMIT],
        one_line(name)[:NAME_LIMIT],
        one_line(_text(fields, "content-id")).strip(" <>")[:NAME_LIMIT],
        start,
        body,
        end,
        children,
        remark,
    )


def _children(
    content: bytes, body: int, end: int, number: str, kind: str, boundary: str, budget: _Budget
) -> tuple[tuple[Node, ...], str]:
    """The parts of a multipart, and what is odd about it."""
    if number.count(".") >= NESTING_LIMIT - 1:
        return (), f"Nested deeper than {NESTING_LIMIT} levels: what is inside is not told apart."
    framed = frame(content, body, end, boundary)
    if framed is None:
        return (), "Its boundary does not occur, so that readers show it as text or not at all."
    default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
    prefix = f"{number}." if number else ""
    children: list[Node] = []
    for index, (start, stop) in enumerate(framed.parts, 1):
        if budget.left <= 0:
            return tuple(children), f"More than {PARTS_LIMIT} parts: the rest is not told apart."
        budget.left -= 1
        children.append(_entity(content, start, stop, f"{prefix}{index}", default, budget))
    ending = content[max(body, framed.epilogue_start - len(boundary) - _PADDING) : framed.epilogue_start]
    closed = ending.rstrip(b" \t").endswith(b"--" + boundary.encode("ascii") + b"--")
    return tuple(children), "" if closed else "It is not closed: the last boundary is missing."


def _text(fields: list[Field], key: str) -> str:
    field = first(fields, key)
    return field.text if field is not None else ""
