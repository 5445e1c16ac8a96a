"""Date and Message-ID: writing, checking, and making them (RFC 5322 §3.3, §3.6.1, §3.6.4)."""

from __future__ import annotations

import time
from os import urandom

from mailwright.message.headers import refuse_controls
from mailwright.words.errors import HeaderError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ID_LIMIT = 900  # characters, so that the field fits in one line

_HOW_DATE = "Give a datetime with a time zone, seconds since 1970, or text like 'Mon, 03 Feb 2025 10:00:00 +0000'."


def now_and_token() -> tuple[float, str]:
    """The clock, and 128 random bits in hex: for a message that is rendered before anybody stamped it."""
    return time.time(), urandom(16).hex()


def date_text(now: float) -> str:
    """The value of a Date field for `now`, in seconds since 1970, in UTC."""
    global _latest
    second = now // 1
    known, text = _latest
    if known != second:  # once a second, however many messages are written in it
        t = time.gmtime(now)
        day = f"{_DAYS[t.tm_wday]}, {t.tm_mday:02} {_MONTHS[t.tm_mon - 1]} {t.tm_year:04}"
        text = f"{day} {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} +0000"
        _latest = second, text
    return text


_latest: tuple[float, str] = (0, "Thu, 01 Jan 1970 00:00:00 +0000")


def message_id(token: str, domain: str) -> str:
    """A Message-ID in the sender's domain."""
    return f"<{token}@{domain}>"


def checked_date(given: str | float | datetime | None) -> str | None:
    """The value of a Date field from anything that names a moment. Raises `HeaderError`."""
    if given is None:
        return None
    if isinstance(given, str):
        return _checked_text(refuse_controls(given, "date"))
    try:
        if isinstance(given, (int, float)):
            return date_text(given)
        offset = given.utcoffset()
        if offset is not None:
            minutes = round(offset.total_seconds() / 60)
            zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
            day = f"{_DAYS[given.weekday()]}, {given.day:02} {_MONTHS[given.month - 1]} {given.year:04}"
            return f"{day} {given.hour:02}:{given.minute:02}:{given.second:02} {zone}"
    except (AttributeError, ValueError, OverflowError, OSError) as problem:
        raise HeaderError(f"date={given!r} is no moment.", _HOW_DATE, field="date") from problem
    raise HeaderError(f"date={given!r} has no time zone.", _HOW_DATE, field="date")


def _checked_text(text: str) -> str:
    """RFC 5322 §3.3: ``[day-name ","] day month year hour ":" minute [":" second] zone``."""
    words = text.replace(",", ", ", 1).split()
    if words and words[0].endswith(","):
        known = words.pop(0)[:-1].title() in _DAYS
    else:
        known = True
    if known and len(words) == 5:
        day, month, year, clock, zone = words
        hours = clock.split(":")
        if (
            all(one.isascii() and one.isdigit() for one in (day, year, *hours))
            and 1 <= int(day) <= 31
            and month.title() in _MONTHS
            and len(year) == 4
            and [len(one) for one in hours] in ([2, 2], [2, 2, 2])
            and all(int(one) <= most for one, most in zip(hours, (23, 59, 60), strict=False))
            and (zone in ("GMT", "UT") or (zone[0] in "+-" and len(zone) == 5 and zone[1:].isdigit()))
        ):
            return text
    raise HeaderError(f"“{text[:80]}” is not a date of RFC 5322.", _HOW_DATE, field="date")


def checked_ids(given: str | Iterable[str] | None, field: str) -> tuple[str, ...]:
    """Message identifiers, each in its angle brackets, from one text or several. Raises `HeaderError`."""
    if not given:
        return ()
    found: list[str] = []
    for text in (given,) if isinstance(given, str) else given:
        for one in refuse_controls(text, field).replace("><", "> <").split(" "):
            if one:
                found.append(_checked_id(one, field))
    return tuple(found)


def _checked_id(one: str, field: str) -> str:
    inside = one[1:-1] if one[0] == "<" and one[-1] == ">" else one
    left, at, right = inside.rpartition("@")
    if not (at and left and right and inside.isascii()) or "<" in inside or ">" in inside or len(inside) > _ID_LIMIT:
        raise HeaderError(
            f"“{one[:80]}” is not a message identifier.",
            "Write it like <left@right> (RFC 5322 §3.6.4).",
            field=field,
        )
    return f"<{inside}>"
