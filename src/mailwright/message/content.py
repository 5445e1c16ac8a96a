"""The finished octets of a message: their exact size, and chunks of them again and again."""

from __future__ import annotations

from mailwright.message.transfer import ends_in_crlf
from mailwright.words.errors import MessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Protocol

    from mailwright.message.source import FilePiece

    class Stream(Protocol):
        """Octets that are not held in memory: `size` of them, produced anew by every call of `chunks`."""

        @property
        def size(self) -> int:
            """Exact number of octets."""
            ...

        def chunks(self) -> Iterator[bytes]:
            """The octets, from the first to the last."""
            ...


CHUNK = 65536  # octets: enough to make the cost of a step vanish, small enough to stay constant in memory


class Content:
    """The octets of a message as they are signed, queued and sent: CRLF line ends, dots not yet doubled.

    `size`: exact number of octets. `eight_bit`: a body holds octets above 127, so the server must offer
    8BITMIME (RFC 6152). `utf8`: a header field holds them, so it must offer SMTPUTF8 (RFC 6531). `binary`: a part is
    any octets at all, so it must offer BINARYMIME, and they travel by BDAT (RFC 3030). `checked`: every CR and LF is
    known to be part of a CRLF, or of a binary part, and the last octets are one; nobody needs to look again.
    """

    #: Whether the octets may be asked for before they are wanted.
    lasting = True

    __slots__ = ("_pieces", "binary", "checked", "eight_bit", "size", "utf8")

    def __init__(
        self,
        pieces: Iterable[bytes | Stream],
        *,
        eight_bit: bool = False,
        utf8: bool = False,
        binary: bool = False,
        checked: bool = False,
    ) -> None:
        self._pieces = pieces = tuple(pieces)
        size = 0
        for piece in pieces:
            size += len(piece) if isinstance(piece, bytes) else piece.size
        self.size = size
        self.eight_bit = eight_bit
        self.utf8 = utf8
        self.binary = binary
        self.checked = checked

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview) -> Content:
        """Content from finished octets; a missing CRLF at the end is added (RFC 5321 §4.1.1.4).

        Raises `MessageError` for a CR or LF that stands alone: servers disagree on what it means, and
        that has let one message pass for two.
        """
        octets = data if type(data) is bytes else bytes(data)
        if not octets.endswith(b"\r\n"):
            octets += b"\r\n"
        if not ends_in_crlf(octets):
            raise MessageError(
                "The message holds a CR or LF that stands alone.",
                "End every line with CRLF (RFC 5321 §2.3.8).",
            )
        made = cls.__new__(cls)  # what `__init__` would make of it, in half the time: there may be a million
        made._pieces, made.size = (octets,), len(octets)
        made.eight_bit = made.utf8 = made.binary = False
        made.checked = True
        if not octets.isascii():
            head, _, body = octets.partition(b"\r\n\r\n")
            made.eight_bit, made.utf8 = not body.isascii(), not head.isascii()
        return made

    def content(self, eight_bit: bool) -> Content:
        """Itself: it is a message in its one and only form."""
        return self

    def chunks(self) -> Iterator[bytes]:
        """The octets in order, in chunks of at most 64 kB; every call begins anew.

        Raises `MessageError` when a file that is streamed changed or vanished since it was attached.
        """
        for piece in self._pieces:
            if not isinstance(piece, bytes):
                yield from piece.chunks()
            elif len(piece) <= CHUNK:
                yield piece
            else:
                for start in range(0, len(piece), CHUNK):
                    yield piece[start : start + CHUNK]

    def pieces(self) -> Iterator[bytes | FilePiece]:
        """The same for who can send a piece of a file without reading it: the octets that are a file's as they are come
        as such.
        """
        for piece in self._pieces:
            if hasattr(piece, "pieces"):
                yield from piece.pieces()
            else:
                yield from Content((piece,)).chunks()

    @property
    def in_memory(self) -> bool:
        """Whether all of it is held as octets, so that it can't change."""
        return all(isinstance(piece, bytes) for piece in self._pieces)

    def whole(self) -> bytes:
        """All octets in one piece."""
        pieces = self._pieces
        if len(pieces) == 1 and isinstance(pieces[0], bytes):
            return pieces[0]
        return b"".join([piece if isinstance(piece, bytes) else b"".join(piece.chunks()) for piece in pieces])

    __bytes__ = whole

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        needs = " 8BITMIME" * self.eight_bit + " SMTPUTF8" * self.utf8 + " BINARYMIME" * self.binary
        return f"<Content of {self.size:,} octets{', needs' + needs if needs else ''}>"
