"""Where the octets of an attachment come from when they are not simply held in memory.

A source has a `size` in octets, fixed when it is made, and `blocks`, which produces the octets again and
again. If they are not the same any more, `blocks` raises `MessageError`; the transfer then ends without its
final dot and nothing is delivered.
"""

from __future__ import annotations

import os
import stat
from _thread import allocate_lock

from mailwright.words.errors import MessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, NoReturn, Protocol

    class Readable(Protocol):
        """A file object in binary mode, or any other stream of octets."""

        def read(self, size: int = -1, /) -> bytes | None:
            """At most `size` octets; none at the end."""
            ...

    class Source(Protocol):  # one that has `pieces` as well can be sent without being read
        """Octets of known number that can be read again and again."""

        @property
        def size(self) -> int:
            """Number of octets."""
            ...

        def blocks(self, length: int) -> Iterator[bytes]:
            """The octets in blocks of `length`; only the last may be shorter."""
            ...


SPOOL = 1 << 20  # octets of a stream that are held in memory; more go to a temporary file
_READ = 1 << 16  # octets read at once
_PIECE = 1 << 18  # octets of a file that are handed to the system at once


class Octets:
    """Octets in memory."""

    __slots__ = ("data", "size")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def blocks(self, length: int) -> Iterator[bytes]:
        """The octets in blocks of `length`; only the last may be shorter."""
        for start in range(0, self.size, length):
            yield self.data[start : start + length]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Octets) and self.data == other.data

    def __hash__(self) -> int:
        return hash(self.data)


class FilePiece:
    """A piece of an open file that is to go out as it is: `size` octets of it. Good until the piece behind it is asked
    for.
    """

    __slots__ = ("_file", "_offset", "_source", "size")

    def __init__(self, source: StoredFile, file: int, offset: int, size: int) -> None:
        self._source, self._file, self._offset, self.size = source, file, offset, size

    def read(self) -> bytes:
        """The first 64 kB of it. Raises `MessageError` when they are not there any more."""
        try:
            block = os.pread(self._file, min(self.size, _READ), self._offset)
        except OSError as problem:
            raise self._source._unreadable(problem) from problem
        return block or self._missing()

    def copy_to(self, descriptor: int) -> int:
        """Have the system copy as much of it as an open `descriptor` takes now, which nobody reads on the way; 0 if it
        can't. Gives how many octets. Raises `MessageError` when they are not there any more, `BlockingIOError` and
        `ConnectionError`.
        """
        try:
            count = os.sendfile(descriptor, self._file, self._offset, self.size)
        except (BlockingIOError, ConnectionError):
            raise
        except OSError:
            return 0  # not of such a file, or for another reason that shows when it is read and sent
        return count or self._missing()

    def took(self, count: int) -> FilePiece | None:
        """What is left behind the first `count` octets."""
        self._offset += count
        self.size -= count
        return self if self.size else None

    def _missing(self) -> NoReturn:
        self._source._changed("it is shorter")


class StoredFile:
    """A file on disk, opened only while it is read. Raises `MessageError` if there is no such regular file.

    Symbolic links are followed: whoever names one means what it points to.
    """

    __slots__ = ("path", "size", "state")

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            found = os.stat(path)
            if not stat.S_ISREG(found.st_mode):  # asked before open(): opening a FIFO would wait for ever
                what = "a directory" if stat.S_ISDIR(found.st_mode) else "not a regular file"
                raise MessageError(f"{path} is {what} and can't be attached.", "Name a file, or attach its octets.")
            with open(path, "rb"):
                pass
        except (OSError, ValueError) as problem:
            if isinstance(problem, MessageError):
                raise
            reason = getattr(problem, "strerror", None) or str(problem)
            raise MessageError(
                f"{path!r} can't be attached: {reason}.", "Check the path and its permissions."
            ) from problem
        self.size = found.st_size
        self.state = _state(found)

    def blocks(self, length: int) -> Iterator[bytes]:
        """The file's octets in blocks of `length`; only the last may be shorter."""
        try:
            with open(self.path, "rb") as file:
                self._compare(os.fstat(file.fileno()))
                for offset in range(0, self.size, length):
                    wanted = min(length, self.size - offset)
                    block = file.read(wanted)
                    if len(block) != wanted:
                        self._changed("it is shorter")
                    if offset + wanted == self.size:
                        # Before the last block goes out: a change under way must not look like a whole
                        # message.
                        self._compare(os.fstat(file.fileno()))
                    yield block
        except OSError as problem:
            raise self._unreadable(problem) from problem

    def pieces(self) -> Iterator[bytes | FilePiece]:
        """The file's octets as pieces of it. The last 64 kB are read, and then it is looked at once more: the end is
        not said of a file that changed.
        """
        if not hasattr(os, "sendfile"):
            yield from self.blocks(_READ)
            return
        try:
            with open(self.path, "rb") as file:
                self._compare(os.fstat(file.fileno()))
                end = max(0, self.size - _READ)
                for offset in range(0, end, _PIECE):
                    yield FilePiece(self, file.fileno(), offset, min(_PIECE, end - offset))
                last = os.pread(file.fileno(), self.size - end, end)
                if len(last) != self.size - end:
                    self._changed("it is shorter")
                self._compare(os.fstat(file.fileno()))
                yield last
        except OSError as problem:
            raise self._unreadable(problem) from problem

    def check(self) -> None:
        """See that the file can be read and is what it was. Raises `MessageError`."""
        try:
            with open(self.path, "rb") as file:
                self._compare(os.fstat(file.fileno()))
        except OSError as problem:
            raise self._unreadable(problem) from problem

    def _unreadable(self, problem: OSError) -> MessageError:
        return MessageError(
            f"The attachment {self.path} can't be read any more: {problem.strerror or problem}.",
            "The message was not sent; attach the file again.",
        )

    def _compare(self, now: os.stat_result) -> None:
        if _state(now) != self.state:
            self._changed("its size, time or identity is another")

    def _changed(self, how: str) -> NoReturn:
        raise MessageError(
            f"The attachment {self.path} changed after it was attached: {how}.",
            "The message was not sent; attach the file again.",
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredFile) and (self.path, self.state) == (other.path, other.state)

    def __hash__(self) -> int:
        return hash((self.path, self.state))


class OpenFile:
    """A seekable file object, from where it stood when it was attached; it must stay open to be sent."""

    __slots__ = ("_file", "_lock", "_start", "_state", "size")

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._start = file.tell()
        self.size = max(0, file.seek(0, os.SEEK_END) - self._start)
        self._lock = allocate_lock()
        file.seek(self._start)
        self._state = self._now()

    def blocks(self, length: int) -> Iterator[bytes]:
        """The octets in blocks of `length`; only the last may be shorter."""
        for offset in range(0, self.size, length):
            wanted = min(length, self.size - offset)
            try:
                # Two threads may send the message at once, and both move the only position that there is.
                with self._lock:
                    self._file.seek(self._start + offset)
                    block = self._file.read(wanted)
            except (OSError, ValueError) as problem:
                raise MessageError(
                    f"An attached file object can't be read any more: {problem}.",
                    "Keep it open until the message is sent, or attach its path or its octets.",
                ) from problem
            if len(block) != wanted or (offset + wanted == self.size and self._now() != self._state):
                raise MessageError("An attached file object changed after it was attached.", "Attach it again.")
            yield block

    def _now(self) -> tuple[int, ...] | None:
        """The state of the file behind the object, if there is one."""
        try:
            return _state(os.fstat(self._file.fileno()))
        except (AttributeError, OSError, ValueError):
            return None

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open file can't be pickled: attach its path or its octets")


class SpooledFile(OpenFile):
    """A temporary file of our own; it is gone when the last message that needs it is."""

    __slots__ = ()

    def __del__(self) -> None:
        self._file.close()


def spooled(file: Readable) -> OpenFile | Octets:
    """What is left in a stream that can't be rewound, read once and kept: in memory, or if long in a file."""
    held: list[bytes] = []
    total = 0
    while total <= SPOOL and (block := _octets(file.read(_READ))):
        held.append(block)
        total += len(block)
    if total <= SPOOL:
        return Octets(b"".join(held))
    from tempfile import TemporaryFile  # 8 ms, and rare

    kept = TemporaryFile()
    kept.writelines(held)
    while block := _octets(file.read(_READ)):
        kept.write(block)
    kept.seek(0)
    return SpooledFile(kept)


def _octets(block: object) -> bytes:
    if block is None or not isinstance(block, (bytes, bytearray, memoryview)):
        raise MessageError(
            f"An attached file object gave {type(block).__name__} where octets were expected.",
            "Open it in binary mode ('rb').",
        )
    return bytes(block)


def _state(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
