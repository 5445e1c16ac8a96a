"""The messages in files: one in each, or many in a mailbox or a folder."""

from __future__ import annotations

import os
import re
import sys

from mailwright.words.errors import MessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

READ_LIMIT = 256 << 20  # octets of one file; no server takes a message of that size
STANDARD_INPUT = "-"
_ENDINGS = (".eml", ".mbox", ".mbx")
_SEPARATOR = re.compile(rb"(?m)^From [^\r\n]*+\r?\n?")
_QUOTED = re.compile(rb"(?m)^>(>*+From )")


def paths(name: str) -> Iterator[str]:
    """The files meant by a name: itself, or of a folder every .eml, .mbox and Maildir below it, in order."""
    if name == STANDARD_INPUT or not os.path.isdir(name):
        yield name
        return
    for here, folders, names in os.walk(name):
        folders.sort()
        maildir = os.path.basename(here) in ("cur", "new") and os.path.isdir(os.path.join(here, os.pardir, "tmp"))
        for one in sorted(names):
            path = os.path.join(here, one)
            if (one.lower().endswith(_ENDINGS) or (maildir and not one.startswith("."))) and os.path.isfile(path):
                yield path


def messages(path: str) -> Iterator[tuple[str, bytes]]:
    """The messages in a file or in standard input, each with what to call it.

    Raises `MessageError` when it can't be read, is larger than 256 MB, or holds nothing.
    """
    place = "standard input" if path == STANDARD_INPUT else path
    octets = _read(path, place)
    if octets.startswith(b"From "):
        for number, one in enumerate(_mailbox(octets), 1):
            yield f"{place}, message {number}", one
    elif octets.strip():
        yield place, octets
    else:
        raise _unreadable(place, "it is empty")


def _read(path: str, place: str) -> bytes:
    try:
        if path == STANDARD_INPUT:
            octets = sys.stdin.buffer.read(READ_LIMIT + 1)
        else:
            with open(path, "rb") as file:
                octets = file.read(READ_LIMIT + 1)
    except OSError as problem:
        raise _unreadable(place, problem.strerror or type(problem).__name__) from problem
    except ValueError as problem:  # a name with a NUL
        raise _unreadable(place, "that is no name of a file") from problem
    if len(octets) > READ_LIMIT:
        raise _unreadable(place, f"it holds more than {READ_LIMIT >> 20} MB")
    return octets


def _unreadable(place: str, why: str) -> MessageError:
    return MessageError(f"{place} can't be checked: {why}.", "Name a file that holds a message as it is sent.")


def _mailbox(octets: bytes) -> Iterator[bytes]:
    """The messages of an mbox file (RFC 4155), what was quoted as ``>From`` as it was."""
    starts = [one for one in _SEPARATOR.finditer(octets) if _begins(octets, one.start())]
    ends = [one.start() for one in starts[1:]] + [len(octets)]
    for start, end in zip(starts, ends, strict=True):
        one = octets[start.end() : end]
        if one.endswith((b"\n\n", b"\n\r\n")):
            one = one[: -2 if one.endswith(b"\r\n") else -1]  # the empty line belongs to the mailbox
        yield _QUOTED.sub(rb"\1", one)


def _begins(octets: bytes, place: int) -> bool:
    return place == 0 or octets.endswith((b"\n\n", b"\n\r\n"), 0, place)
