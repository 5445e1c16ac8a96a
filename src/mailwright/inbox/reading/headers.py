"""Header fields as they stand, as they are meant, and what each is for (data: ``inbox/data/headers.json``)."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from mailwright.inbox.reading.structure import HEAD_LIMIT
from mailwright.message.decode import decoded_words, one_line
from mailwright.message.fields import ONCE, body_start, read_fields
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import Counter

#: Header fields of one message that are shown.
FIELDS_LIMIT = 300
#: Characters of one field that are shown.
VALUE_LIMIT = 4000

_PRIVATE = "Private to the program that wrote it; RFC 6648 advises against names that begin with X-."
_UNKNOWN = "No standard that is known here describes it."


@value
class HeaderField:
    """One field. `meant`: its value with encoded words decoded; `raw`: as it was sent, where that differs, or
    empty. `meaning` and `rfc`: what it is for, and who says so. `remark`: what is wrong with it.
    """

    name: str
    meant: str
    raw: str
    meaning: str
    rfc: str
    remark: str = ""


@value
class Headers:
    """The fields in their order, at most `FIELDS_LIMIT`; `left_out` counts the others. `missing`: those that
    every message must have and this one lacks (RFC 5322 §3.6).
    """

    fields: tuple[HeaderField, ...]
    left_out: int
    missing: tuple[str, ...]


def headers(content: bytes) -> Headers:
    """The header fields of a message. Never raises."""
    found = read_fields(content[: min(body_start(content), HEAD_LIMIT)], lenient=True)
    from collections import Counter

    counts = Counter(field.key for field in found)
    shown = tuple(_told(field.name, field.text, counts) for field in found[:FIELDS_LIMIT])
    missing = tuple(name for name in ("From", "Date") if not counts[name.lower()])
    return Headers(shown, max(0, len(found) - FIELDS_LIMIT), missing)


def meaning_of(name: str) -> tuple[str, str]:
    """What a header field is for, and the document that says so; the latter empty if none is known."""
    key = name.lower()
    known = _meanings().get(key)
    if known is not None:
        return known[0], known[1]
    return (_PRIVATE, "") if key.startswith("x-") else (_UNKNOWN, "")


def known_names() -> tuple[str, ...]:
    """The names of which a meaning is known, in lower case."""
    return tuple(_meanings())


def _told(name: str, text: str, counts: Counter[str]) -> HeaderField:
    raw = one_line(text)[:VALUE_LIMIT]
    meant = one_line(decoded_words(raw))
    meaning, rfc = meaning_of(name)
    remark = ""
    if name.lower() in ONCE and counts[name.lower()] > 1:
        remark = "Stands here more than once; readers differ on which one counts (RFC 5322 §3.6)."
    elif len(text) > VALUE_LIMIT:
        remark = f"{len(text):,} characters; the beginning is shown."
    return HeaderField(name, meant, raw if raw != meant else "", meaning, rfc, remark)


@cache
def _meanings() -> dict[str, list[str]]:
    text = files("mailwright.inbox").joinpath("data", "headers.json").read_text("utf-8")
    rows: dict[str, list[str]] = json.loads(text)["headers"]
    return rows
