"""Small things told in words: moments, people, how much and how many."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailwright.inbox.kept import Row

#: Colours of the round initials.
HUES = 8


def moment(unix: float, now: float) -> str:
    """A moment as briefly as it can be told on the day of `now`, in the time of this machine."""
    then, today = _local(unix), _local(now)
    if then.date() == today.date():
        return f"{then:%H:%M}"
    if then.year == today.year:
        return f"{then.day} {then:%b}"
    return f"{then:%Y-%m-%d}"


def moment_in_full(unix: float) -> str:
    """The same with day and second: ``"Sat 21 Nov 2026, 14:03:22"``."""
    then = _local(unix)
    return f"{then:%a} {then.day} {then:%b %Y, %H:%M:%S}"


def moment_iso(unix: float) -> str:
    """The same for programs."""
    return _local(unix).isoformat(timespec="seconds")


def _local(unix: float) -> datetime:
    try:
        return datetime.fromtimestamp(unix, UTC).astimezone()
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)


def author(row: Row) -> tuple[str, str]:
    """Name and address of the author: as the message says, else as the envelope does."""
    return named(row.from_header) if row.from_header.strip() else ("", row.sender or "<>")


def named(mailbox: str) -> tuple[str, str]:
    """Name and address in the first mailbox of a header field, as it stands there; the name may be empty."""
    name, bracket, rest = mailbox.partition("<")
    if not bracket:
        return "", mailbox.strip()
    return name.strip(' "'), rest.partition(">")[0].strip()


def initial(name: str, address: str) -> str:
    """The letter in the round picture of somebody."""
    return next((letter.upper()[:1] for letter in name + address if letter.isalnum()), "?")


def hue(address: str) -> int:
    """Which of the `HUES` colours somebody has: always the same one."""
    total = 0
    for letter in address.lower()[:200]:
        total = (total * 31 + ord(letter)) % 65_521
    return total % HUES


def counted(number: int, one: str, many: str = "") -> str:
    """``"1 message"``, ``"1,200 messages"``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
