"""Content on its way in: the end of what follows DATA, the dots, and the limit (RFC 5321 §4.1.1.4, §4.5.2)."""

from __future__ import annotations

_END = b"\r\n.\r\n"


class Incoming:
    """Content that follows DATA, of which at most `limit` octets are kept.

    It ends at CRLF.CRLF and at nothing else: receivers that took LF.LF or LF.CRLF for the end let one message smuggle in another.
    The search goes on where it stopped, so that its time is linear however the octets are cut into pieces.
    """

    __slots__ = ("_octets", "_searched", "limit", "rest", "size")

    def __init__(self, limit: int) -> None:
        # The content begins at the beginning of a line, so that a lone dot there ends it: as if a CRLF came before.
        self._octets = bytearray(b"\r\n")
        self._searched = 0
        self.limit = limit
        self.size = 0  # octets that arrived
        self.rest: bytes | None = None  # what came behind the end, once that was found

    def feed(self, data: bytes) -> bool:
        """Take what arrived; true when the end was found."""
        octets = self._octets
        octets += data
        self.size += len(data)
        end = octets.find(_END, self._searched)
        if end >= 0:
            self.rest = bytes(octets[end + len(_END) :])
            self.size -= len(self.rest) + len(_END) - 2
            del octets[end + 2 :]
            return True
        if self.too_big and len(octets) > 4:
            del octets[:-4]
        self._searched = max(0, len(octets) - 4)
        return False

    @property
    def too_big(self) -> bool:
        """True when there was more than the limit. What arrived is thrown away then, as is all that follows."""
        return self.size > self.limit + 5  # the end that is not yet known for one may be among them

    def content(self) -> bytes | None:
        """The content with CRLF at its end, doubled dots undone; `None` when it was too big."""
        octets = self._octets
        if b"\r\n." in octets:
            # The first dot of a line is removed, whatever follows it (§4.5.2).
            octets = octets.replace(b"\r\n.", b"\r\n")
        return bytes(memoryview(octets)[2:]) if len(octets) - 2 <= self.limit and not self.too_big else None


def has_bare_line_end(content: bytes) -> bool:
    """True when a CR or LF stands there that is not part of a CRLF."""
    pairs = content.count(b"\r\n")
    return content.count(b"\n") != pairs or content.count(b"\r") != pairs
