"""Content on its way in that is too large for memory: a temporary file without a name."""

from __future__ import annotations

import tempfile
import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Spool:
    """A file that grows by `write` and is read with `blocks`, any number of times and from any thread. It is gone with
    the last reference to it, or with the process.
    """

    __slots__ = ("__weakref__", "_file", "_lock", "size")

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(
            prefix="mailwright-", buffering=0
        )  # mode 0600, and unlinked where it can be
        self._lock = threading.Lock()
        self.size = 0
        weakref.finalize(self, self._file.close)

    def write(self, data: bytes) -> None:
        """Add octets at the end. Raises `OSError`, as when the disk is full."""
        rest = memoryview(data)
        with self._lock:
            self._file.seek(self.size)
            while rest:
                count = self._file.write(rest) or 0
                rest = rest[count:]
        self.size += len(data)

    def blocks(self, length: int) -> Iterator[bytes]:
        """The octets in blocks of `length`; only the last may be shorter."""
        for at in range(0, self.size, length):
            with self._lock:
                self._file.seek(at)
                block = self._file.read(min(length, self.size - at))
            yield block
