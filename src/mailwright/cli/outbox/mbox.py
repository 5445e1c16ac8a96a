"""An mbox file (RFC 4155) message by message, so that one of any size takes the memory of one message."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

KEPT = 4 << 20  # octets of a message; of a report no more is read
_LINE = 1 << 16  # octets of a line that are read at once


def mbox_messages(path: str) -> Iterator[bytes] | None:
    """The messages of an mbox, the first octets of each; `None` for a file that is none, or can't be opened."""
    try:
        file = open(path, "rb")
    except (OSError, ValueError):
        return None  # whoever reads it otherwise says why
    if file.peek(5)[:5] == b"From ":
        return _split(file)
    file.close()
    return None


def _split(file: BinaryIO) -> Iterator[bytes]:
    with file:
        file.readline()
        held: list[bytes] = []
        size, blank, whole = 0, False, True
        while line := file.readline(_LINE):
            if whole and blank and line.startswith(b"From "):
                yield b"".join(held)
                held, size = [], 0
                while not line.endswith(b"\n") and (line := file.readline(_LINE)):
                    pass
                blank = False
                continue
            if size < KEPT:
                held.append(
                    line[1:] if whole and line.startswith(b">") and line.lstrip(b">").startswith(b"From ") else line
                )
                size += len(line)
            blank = whole and line in (b"\n", b"\r\n")
            whole = line.endswith(b"\n")
        yield b"".join(held)
