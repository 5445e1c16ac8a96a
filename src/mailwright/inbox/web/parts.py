"""Parts of a message, given away without having all of them in memory."""

from __future__ import annotations

from binascii import a2b_base64, a2b_qp
from typing import TYPE_CHECKING

from mailwright.inbox.reading.structure import part, structure
from mailwright.message.decode import body_octets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.inbox.reading.structure import Node
    from mailwright.inbox.web.resources import Resources
    from mailwright.smtp.receiving import Received

LARGE = 8 << 20  # octets of a part that is decoded piece by piece
_BLOCK = 1 << 18
_OTHERS = bytes(
    c for c in range(256) if chr(c) not in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
)


def found(resources: Resources, received: Received, number: str) -> Node | None:
    """The part of that number, `None` if there is none."""
    with resources.opening(received.size):
        return part(structure(received.content), number)


def octets_of(received: Received, node: Node) -> Iterator[bytes]:
    """The body of a part without its transfer encoding, in pieces."""
    raw = _between(received.blocks(_BLOCK), node.body, node.end)
    if node.size <= LARGE:
        yield body_octets(b"".join(raw), node.encoding)
    elif node.encoding == "base64":
        yield from _from_base64(raw)
    elif node.encoding == "quoted-printable":
        yield from _from_quoted_printable(raw)
    else:
        yield from raw


def decoded_size(content: bytes, node: Node) -> int:
    """How many octets `octets_of` gives for a part of this content, nearly: base64 is counted, not decoded."""
    if node.encoding == "base64":
        letters = sum(
            len(content[place : min(place + _BLOCK, node.end)].translate(None, _OTHERS))
            for place in range(node.body, node.end, _BLOCK)
        )
        return letters * 3 // 4 - content.count(b"=", max(node.body, node.end - 8), node.end)
    if node.encoding == "quoted-printable" and node.size <= LARGE:
        return len(a2b_qp(content[node.body : node.end]))
    return node.size


def _between(blocks: Iterator[bytes], start: int, end: int) -> Iterator[bytes]:
    """The octets from `start` to `end` of all of them."""
    place = 0
    for block in blocks:
        piece = block[max(0, start - place) : max(0, end - place)]
        place += len(block)
        if piece:
            yield piece
        if place >= end:
            return


def _from_base64(raw: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for piece in raw:
        letters, padding, _ = (held + piece.translate(None, _OTHERS)).partition(b"=")
        if padding:  # nothing behind it belongs to it
            held = letters
            break
        whole = len(letters) - len(letters) % 4
        held = letters[whole:]
        yield a2b_base64(letters[:whole])
    held = held[: -1 if len(held) % 4 == 1 else None]
    yield a2b_base64(held + b"=" * (-len(held) % 4))


def _from_quoted_printable(raw: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for piece in raw:
        lines, end, held = (held + piece).rpartition(b"\n")
        yield a2b_qp(lines + end)
    yield a2b_qp(held)
