"""What can be asked of the inbox, from the text in the search box to conditions of SQL.

::

    invoice -draft "due on Friday" from:ada@example.org to:bob subject:offer
    has:attachment is:unread before:2026-11-20 after:2026-11-18 size>100kb

A query is put together from the fragments below alone. Nothing that somebody wrote is ever part of SQL, and in the
language of FTS5 it stands between quotation marks, which are doubled: any text can be looked for, and none commands.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta

from mailwright.words.errors import MailError
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LENGTH = 1000  # characters of a query
TERMS = 30  # of a query

_MATCH = "id IN (SELECT rowid FROM search WHERE search MATCH ?)"
_PLACES = {  # where a part of a text is looked for: columns of `messages`, and of `texts`
    "": (("subject", "from_header", "sender", "recipients"), ("text", "names", "addressed")),
    "from": (("from_header", "sender"), ()),
    "to": (("recipients",), ("addressed",)),
    "subject": (("subject",), ()),
}
_AS_IT_IS, _IN_ANY_CASE = "instr({}, ?)", "{} LIKE ? ESCAPE '\\'"


def _part_of(test: str) -> dict[str, str]:
    """The condition that a part stands somewhere, by field."""
    found = {}
    for field, (rows, texts) in _PLACES.items():
        conditions = [test.format(column) for column in rows]
        if texts:
            conditions.append(f"id IN (SELECT id FROM texts WHERE {' OR '.join([test.format(c) for c in texts])})")
        found[field] = f"({' OR '.join(conditions)})"
    return found


_ESCAPE, _SPECIAL = "\\", "\\%_"
_EXACT, _LIKE = _part_of(_AS_IT_IS), _part_of(_IN_ANY_CASE)
_COLUMNS = {"": "", "from": "sender : ", "to": "recipients : ", "subject": "subject : "}
_HAS = {"attachment": "attachments > 0", "attachments": "attachments > 0"}
_IS = {"unread": "seen = 0", "unseen": "seen = 0", "read": "seen = 1", "seen": "seen = 1"}
_UNITS = {"": 1, "b": 1, "k": 1024, "kb": 1024, "m": 1 << 20, "mb": 1 << 20, "g": 1 << 30, "gb": 1 << 30}
_KEYS = "from:, to:, subject:, has:attachment, is:unread, before:, after:, size>, size<"

# SQLite splits text into words by its own table of Unicode. What it and we agree on, in scripts that put blanks between
# words, is left to its index; everything else is looked for as a part of the text.
_OLD = unicodedata.ucd_3_2_0.category
_BLANKLESS = 0x0E00  # from Thai on; what of it has blanks is found all the same


class SearchError(MailError):
    """A query that can't be understood; the advice says how to write it."""


@value
class Query:
    """Conditions on the table of messages: `where` with a question mark for each of `parameters`."""

    where: str = "1"
    parameters: tuple[str | float, ...] = ()

    def __and__(self, other: Query) -> Query:
        if other.where == "1":
            return self
        if self.where == "1":
            return other
        return Query(f"{self.where} AND {other.where}", self.parameters + other.parameters)

    def __invert__(self) -> Query:
        return Query(f"NOT ({self.where})", self.parameters)


def parse(text: str) -> Query:
    """The query that this text means; an empty one fits all. Raises `SearchError`, as whoever asks it does where the
    answer is too much work.

    Words, each of which must be there or begin a word that is; ``"a phrase"``; ``from:``, ``to:`` and ``subject:``
    with a word or phrase; ``has:attachment``; ``is:unread`` and ``is:read``; ``before:`` and ``after:`` with a date
    in the time of this machine (the day that is named counts as after); ``size>`` and ``size<`` with octets, kB or
    MB. A ``-`` in front of any of them turns it around. At most 1,000 characters and 30 terms. A colon behind any
    other word is looked for as it stands.
    """
    if len(text) > LENGTH:
        raise SearchError(f"The search has {len(text):,} characters.", f"At most {LENGTH:,} can be looked for.")
    # What SQLite is given must be UTF-8; half a character (a lone surrogate) is in no text.
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    found = Query()
    terms = list(_terms(text))
    if len(terms) > TERMS:
        raise SearchError("The search has too many terms.", f"At most {TERMS} can be asked for at once.")
    for key, term, phrase, negated in dict.fromkeys(terms):  # what is asked twice is asked once
        one = _KEYWORDS[key](term) if key in _KEYWORDS else _words(key, term, phrase)
        found &= ~one if negated else one
    return found


def _terms(text: str) -> Iterator[tuple[str, str, bool, bool]]:
    """The terms: key, what is asked of it, whether that stood in quotation marks, and whether it is negated."""
    at = 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at >= len(text):
            return
        negated = text[at] == "-" and at + 1 < len(text) and not text[at + 1].isspace()
        at += negated
        key = ""
        end = _word_end(text, at)
        for mark in (":", ">", "<"):
            name, there, _ = text[at:end].partition(mark)
            wanted = name.lower() + (mark if mark != ":" else "")
            if there and '"' not in name and (wanted in _KEYWORDS or (mark == ":" and wanted in _FIELDS)):
                key, at = wanted, at + len(name) + 1
                break
        phrase = at < len(text) and text[at] == '"'
        if phrase:
            close = text.find('"', at + 1)
            end = len(text) if close < 0 else close
            term, at = text[at + 1 : end], end + 1
        else:
            term, at = text[at:end], end
        if key and not term.strip():
            example = {"before": "before:2026-11-20", "after": "after:2026-11-20", "size>": "size>100kb"}
            shown = key if key[-1] in "<>" else f"{key}:"
            raise SearchError(f"Nothing follows {shown}", f"Write it like {example.get(key, shown + 'word')}.")
        if term.strip():
            yield key, term, phrase, negated


def _word_end(text: str, at: int) -> int:
    while at < len(text) and not text[at].isspace():
        at += 1
    return at


def _words(field: str, term: str, phrase: bool) -> Query:
    """Text in the messages: by the index if it can find it, else in every one."""
    if _in_index(term):
        quoted = '"' + term.replace('"', '""') + '"'
        # The last word may go on, as when somebody is still typing; a phrase is meant as it stands.
        return Query(_MATCH, (f"{_COLUMNS[field]}({quoted}{'' if phrase else ' *'})",))
    part = term.strip()
    if part.lower() == part.upper():  # without letters that have a case: what is exact is twice as fast
        where = _EXACT[field]
    else:
        where = _LIKE[field]
        part = f"%{''.join([f'{_ESCAPE}{c}' if c in _SPECIAL else c for c in part])}%"
    return Query(where, (part,) * where.count("?"))


def _in_index(term: str) -> bool:
    word = False
    for character in term:
        category = _OLD(character)
        if category == "Cn" or ord(character) >= _BLANKLESS:
            return False
        word = word or category[0] in "LN"
    return word


def contains(part: str) -> Query:
    """Messages in whose text this stands, exactly."""
    return Query("id IN (SELECT id FROM texts WHERE instr(text, ?))", (_sound(part),))


def subject_contains(part: str) -> Query:
    """Messages in whose subject this stands, exactly."""
    return Query("instr(subject, ?)", (_sound(part),))


def recipient(spec: str) -> Query:
    """Messages that have this recipient in their envelope."""
    return Query("instr(recipients, char(10) || ? || char(10))", (_sound(spec),))


def sender(spec: str) -> Query:
    """Messages from this sender of the envelope; empty for the null one."""
    return Query("sender = ?", (_sound(spec),))


def _sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _has(term: str) -> Query:
    return _known("has", term, _HAS, "has:attachment")


def _is(term: str) -> Query:
    return _known("is", term, _IS, "is:unread or is:read")


def _known(key: str, term: str, known: dict[str, str], advice: str) -> Query:
    where = known.get(term.lower())
    if where is None:
        raise SearchError(f"{key}:{term:.40} is not known.", f"Write {advice}.")
    return Query(where)


def _before(term: str) -> Query:
    return Query("arrived < ?", (_moment("before", term),))


def _after(term: str) -> Query:
    return Query("arrived >= ?", (_moment("after", term),))


def _moment(key: str, term: str) -> float:
    try:
        moment = datetime.fromisoformat(term)
        # mktime knows no more than the years of the platform's clock.
        if not 1970 < moment.year < 9000:
            return (moment.replace(tzinfo=None) - datetime(1970, 1, 1)) / timedelta(seconds=1)
        return moment.timestamp()
    except (ValueError, OverflowError, OSError):
        problem = f"{key}:{term:.40} is no date."
        raise SearchError(problem, f"Write {key}:2026-11-20, or {key}:2026-11-20T14:30.") from None


def _larger(term: str) -> Query:
    return Query("size > ?", (_octets("size>", term),))


def _smaller(term: str) -> Query:
    return Query("size < ?", (_octets("size<", term),))


def _octets(key: str, term: str) -> float:
    found = octets(term)
    if found is None:
        raise SearchError(f"{key}{term:.40} is no size.", f"Write {key}5000, {key}100kb or {key}2mb.")
    return float(found)


def octets(size: str) -> int | None:
    """``"5000"``, ``"100kb"`` or ``"2MB"`` as a number of octets; `None` for what is no size."""
    digits = size.lower().rstrip("bkmg")
    unit = _UNITS.get(size.lower()[len(digits) :])
    if unit is None or not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        return None
    return int(digits) * unit


_FIELDS = ("from", "to", "subject")
_KEYWORDS: dict[str, Callable[[str], Query]] = {
    "has": _has,
    "is": _is,
    "before": _before,
    "after": _after,
    "size>": _larger,
    "size<": _smaller,
}
