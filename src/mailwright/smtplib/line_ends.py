"""Line ends: a CR or LF that stands alone never reaches the wire, for servers disagree on what it means."""

from __future__ import annotations


class Canonical(bytes):
    """Octets that are known to have no other line ends than CRLF, so that nobody needs to look again."""

    __slots__ = ()


def with_crlf(data: bytes) -> Canonical:
    """`data` with CRLF in place of every CR, LF or CRLF."""
    if isinstance(data, Canonical):
        return data
    pairs = data.count(b"\r\n")
    if data.count(b"\n") != pairs or data.count(b"\r") != pairs:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    return Canonical(data)


def text_with_crlf(text: str) -> str:
    """The same for text."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


class Joint:
    """The same for data that comes in pieces: remembers whether the last one ended in CR."""

    __slots__ = ("_returned",)

    def __init__(self) -> None:
        self._returned = False

    def with_crlf(self, piece: bytes) -> bytes:
        """`piece` as it goes out behind the one before. A CR at its end goes out with the next piece, or never."""
        if self._returned and piece:
            piece = b"\r" + piece
        self._returned = piece.endswith(b"\r")
        return with_crlf(piece[:-1] if self._returned else piece)
