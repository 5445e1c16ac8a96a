"""The MIME structure of a message as it was written, faults included (RFC 2045, 2046).

`mailwright.message.bodies` shows what can be shown; here it matters what each part says of itself and whether that is
true. Work and memory are linear in the number of octets: nesting and the number of parts have limits, and a body is
looked at in slices.
"""

from __future__ import annotations

from mailwright.message.decode import body_octets, one_line, parameter
from mailwright.message.entities import NESTING_LIMIT, frame
from mailwright.message.fields import body_start, first, media_type, parameters, read_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.fields import Field

PARTS_LIMIT = 2000  # parts; real mail has less than fifty, and each one costs a kilobyte of memory
HEAD_LIMIT = 1 << 20  # octets of one header section that are read; real ones have some thousands
SLICE = 1 << 20  # octets of a body that are looked at together


class Entity:
    """One entity: the message itself or a part.

    `path` is empty for the message, ``"2.1"`` for the first part of its second one. `start` and `end` are the place of
    the body. Of a multipart, `closed` says whether the last delimiter is there, `framed` whether any is, and `crowded`
    that it nests too deeply or has too many parts to be looked into.
    """

    __slots__ = (
        "children",
        "closed",
        "crowded",
        "data",
        "disposition",
        "encoding",
        "end",
        "fields",
        "framed",
        "kind",
        "name",
        "parameters",
        "path",
        "start",
    )

    def __init__(self, data: bytes, start: int, end: int, path: str, default: str = "text/plain") -> None:
        self.data = data
        self.start = body_start(data, start, end)
        self.end = end
        self.path = path
        self.fields: list[Field] = read_fields(data[start : min(self.start, start + HEAD_LIMIT)], lenient=True)
        self.kind, self.parameters = media_type(self.fields, default)
        self.encoding = parameters(self.text("content-transfer-encoding"))[0]
        self.disposition, named = parameters(self.text("content-disposition"))
        self.name = one_line(parameter(named, "filename") or parameter(self.parameters, "name"))
        self.children: list[Entity] = []
        self.framed = self.closed = True
        self.crowded = False

    def text(self, key: str) -> str:
        """The value of the first field of that lower-case name, or the empty string."""
        field = first(self.fields, key)
        return field.text if field is not None else ""

    @property
    def where(self) -> str:
        """What the part is called in a finding."""
        return f"part {self.path}" if self.path else "the message"

    @property
    def size(self) -> int:
        """Octets of the body as it is written."""
        return self.end - self.start

    @property
    def decoded_size(self) -> int:
        """About how many octets the body has without base64; of another encoding as it is written."""
        return self.size * 57 // 78 if self.encoding == "base64" else self.size

    @property
    def is_multipart(self) -> bool:
        """Whether it consists of parts."""
        return self.kind.startswith("multipart/")

    @property
    def is_body(self) -> bool:
        """Whether it is a text to be read with the message, and no file."""
        return self.kind in ("text/plain", "text/html") and self.disposition != "attachment" and not self.name

    @property
    def cid(self) -> str:
        """The Content-ID without its angle brackets."""
        return one_line(self.text("content-id")).strip(" <>")

    def octets(self) -> bytes:
        """The body without its transfer encoding."""
        return body_octets(self.data[self.start : self.end], self.encoding)

    def slices(self) -> Iterator[bytes]:
        """The body as it is written, in pieces."""
        for start in range(self.start, self.end, SLICE):
            yield self.data[start : min(start + SLICE, self.end)]


def entities(data: bytes) -> list[Entity]:
    """The message and all of its parts, each before its own parts; at most `PARTS_LIMIT` of them.

    An attached message is a part like any file: nobody looks into it.
    """
    found: list[Entity] = []
    known = 1
    waiting = [(Entity(data, 0, len(data), ""), 0)]
    while waiting:
        one, depth = waiting.pop()
        found.append(one)
        if one.is_multipart:
            one.children = _children(one, PARTS_LIMIT - known) if depth < NESTING_LIMIT else []
            one.crowded = one.crowded or depth == NESTING_LIMIT
            known += len(one.children)
            waiting += [(child, depth + 1) for child in reversed(one.children)]
    return found


def _children(one: Entity, room: int) -> list[Entity]:
    """The parts of a multipart, after looking whether its delimiters are as they should be."""
    boundary = one.parameters.get("boundary", "")
    mark = b"\r\n--" + boundary.encode("ascii", "replace")
    if boundary and one.data.count(mark, max(one.start - 2, 0), one.end) > room:
        one.crowded = True
        return []
    parts = frame(one.data, one.start, one.end, boundary)
    if parts is None:
        one.framed = one.closed = False
        return []
    tail = one.data[max(one.start - 2, one.end - len(mark) - 10) : one.end].rstrip(b" \t\r\n")
    one.closed = parts.epilogue_start < one.end or tail.endswith(mark[2:] + b"--")
    default = "message/rfc822" if one.kind == "multipart/digest" else "text/plain"
    lead = f"{one.path}." if one.path else ""
    return [Entity(one.data, *place, f"{lead}{n}", default) for n, place in enumerate(parts.parts, 1)]
