"""Reading what a server has delivered into a maildir."""

from __future__ import annotations

import re
from pathlib import Path


def read(folder: Path) -> list[bytes]:
    """The messages in `folder`, in the order of their delivery.

    Servers store line ends as LF; here they are CRLF again, as they were on the wire. A CR that was not part
    of a line end stays what it was.
    """
    files = sorted((folder / "new").glob("*"), key=lambda file: file.stat().st_mtime_ns)
    return [file.read_bytes().replace(b"\n", b"\r\n") for file in files]


def read_by_identity(folder: Path, identity: re.Pattern[bytes]) -> dict[bytes, bytes]:
    """One copy of each message, under the name that the server gave it: the first group of `identity`.

    Delivery may change the order of messages, and make more than one of a message; names tell.
    """
    messages = {}
    for message in read(folder):
        found = identity.search(message)
        assert found, f"no trace field of the server in front of {message[:1000]!r}"
        messages[found[1]] = message
    return messages
