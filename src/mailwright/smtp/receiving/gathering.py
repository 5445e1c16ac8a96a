"""Content as far as it came: small in memory, large in a spool that the floor above gives."""

from __future__ import annotations

from mailwright.steps import Ask
from mailwright.words.reply import Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from mailwright.message.source import Source
    from mailwright.smtp.receiving.visit import Storage

    class Spool(Source, Protocol):
        """A place outside of memory that octets are added to; nobody needs to tidy it up."""

        def write(self, data: bytes, /) -> None:
            """Add octets at the end. Raises `OSError`, as when the disk is full."""


MEMORY = 1 << 20  # octets of one content that are held in memory; the next ones go to its spool
_FULL = Reply(452, ("4.3.1 There is no room on the disk; try again later",))


class Gathered:
    """Octets that belong to one content: `size` of them, and the `refusal` when they could not be kept."""

    __slots__ = ("_cr", "_lf", "_memory", "_pairs", "_spool", "_storage", "refusal", "size")

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._memory = bytearray()
        self._spool: Spool | None = None
        self._cr = self._lf = self._pairs = 0  # of what is in the spool
        self.size = 0
        self.refusal: Reply | None = None

    def add(self, octets: bytes | bytearray | memoryview) -> None:
        """Add octets at the end; when `much`, `put_away` is to be awaited."""
        if self.refusal is None:
            self._memory += octets
            self.size += len(octets)

    def refuse(self, refusal: Reply) -> None:
        """Throw away what there is, and keep nothing more."""
        self.refusal = self.refusal or refusal
        self._memory.clear()
        self._spool = None
        self.size = 0

    @property
    def much(self) -> bool:
        """Whether more is in memory than should be."""
        return len(self._memory) > MEMORY and self._storage.spool is not None

    async def put_away(self) -> None:
        """What is in memory goes into the spool. A disk that is full makes a refusal."""
        # A CRLF must not be torn apart, or its halves would look like bare line ends.
        keep = 1 if self._memory.endswith(b"\r") else 0
        piece = bytes(self._memory[: len(self._memory) - keep])
        del self._memory[: len(piece)]
        self._cr += piece.count(b"\r")
        self._lf += piece.count(b"\n")
        self._pairs += piece.count(b"\r\n")
        make = self._storage.spool
        try:
            if self._spool is None and make is not None:
                self._spool = await Ask(make, blocking=True)
            spool = self._spool
            if spool is not None:
                await Ask(lambda: spool.write(piece), blocking=True)
        except OSError:
            self.refuse(_FULL)

    def has_bare_line_end(self) -> bool:
        """True when a CR or LF stands there that is not part of a CRLF."""
        memory = self._memory
        pairs = self._pairs + memory.count(b"\r\n")
        return self._lf + memory.count(b"\n") != pairs or self._cr + memory.count(b"\r") != pairs

    async def taken(self) -> bytes | Source | Reply:
        """All of it, or why there is none. To be asked once: nothing is held then."""
        if self._spool is not None and self.refusal is None and self._memory:
            # Nothing follows: now even a lone CR goes with the others.
            memory, spool = bytes(self._memory), self._spool
            self._memory.clear()
            try:
                await Ask(lambda: spool.write(memory), blocking=True)
            except OSError:
                self.refuse(_FULL)
        if self.refusal is not None:
            return self.refusal
        if self._spool is not None:
            return self._spool
        octets, self._memory = self._memory, bytearray()
        return bytes(octets)
