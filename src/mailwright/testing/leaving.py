"""The messages of a failing test, left as files to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mailwright.words.reply import visible

if TYPE_CHECKING:
    from mailwright.inbox import Inbox

MOST = 20  # messages of one test, the newest
_LENGTH = 100  # characters of a folder's name
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def folder_name(test: str) -> str:
    """A test's id as the name of a folder: nothing in it means anything to a file system."""
    plain = "".join(c if c in _PLAIN else "_" for c in test)
    if plain == test and len(plain) <= _LENGTH:
        return plain
    from hashlib import sha256

    return f"{plain[-_LENGTH:]}-{sha256(test.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}"


def leave(inbox: Inbox, place: Path, test: str) -> str:
    """Write the newest messages of `inbox` as ``001.eml`` … below `place`, in a folder of the test's own, and give the
    lines that tell of them. What an earlier run of this test left there is removed.
    """
    there = inbox.store.count()
    if not there:
        return "No mail was caught."
    folder = place / folder_name(test)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("[0-9]*.eml"):
        old.unlink()
    lines = [f"{there} caught, in {folder}:" if there <= MOST else f"{there} caught, the newest {MOST} in {folder}:"]
    for number, row in enumerate(reversed(inbox.store.rows(limit=MOST)), 1):
        name = f"{number:03}.eml"
        with open(folder / name, "wb") as file:
            file.writelines(inbox.store.chunks(row.id))
        to = ", ".join(row.recipients[:3]) + (" and more" if len(row.recipients) > 3 else "")
        lines.append(visible(f"{name}  from <{row.sender}> to {to}: {row.subject!r}", 300))
    return "\n".join(lines)
