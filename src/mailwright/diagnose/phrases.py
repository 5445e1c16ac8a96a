"""Known phrases found in a text, whatever its punctuation, case and accents.

A phrase is written in its `plain` form: lower-case words with one space between. ``*`` ends a word of which only
the beginning counts; ``…`` stands for up to six words that may be anything. A phrase in a script without spaces
(Chinese, Japanese, Korean) is found anywhere. No phrase costs more than one pass over the text for each gap, so
that a hostile text can't make the search slow.
"""

from __future__ import annotations

import re
from unicodedata import combining, normalize

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

GAP = "…"
_UNSPACED_LENGTH = 3  # a phrase of characters counts like one of so many words
_WORD = re.compile(r"[0-9]+(?:\.[0-9]+)+|[^\W_]+")
_JOINED = re.compile(r"[^\W_]*[a-z][A-Z][^\W_]*")
_JOINT = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
#: Apostrophes are dropped, and letters are folded whose strokes and ligatures Unicode does not take for accents.
_FOLDED = {
    **dict.fromkeys(map(ord, "'’‘`´")),
    **dict(zip(map(ord, "łøđıæœ"), ["l", "o", "d", "i", "ae", "oe"], strict=True)),
}
#: The letter before the quotation mark of bytes and of old Unicode texts in Python, which belongs to no word.
_QUOTED = re.compile(r"(?<![^\W_])[bu]['\"]")


def words_of(text: str) -> list[str]:
    """The words of a text, folded: numbers keep their dots (``5.7.8``), apostrophes and accents are dropped, and all
    other punctuation separates. ``ReadTimeout`` gives ``readtimeout``, ``read`` and ``timeout``.
    """
    text = _JOINED.sub(_taken_apart, _QUOTED.sub(" ", text))
    text = text.casefold().translate(_FOLDED)
    if not text.isascii():
        text = "".join(c for c in normalize("NFKD", text) if not combining(c))
    return _WORD.findall(text)


def _taken_apart(match: re.Match[str]) -> str:
    return f"{match[0]} {_JOINT.sub(' ', match[0][:200])}"


def plain(phrase: str) -> str:
    """A phrase in the form in which it is kept."""
    parts = []
    for part in phrase.split(GAP):
        folded = [(words_of(word), word.endswith("*")) for word in part.split()]
        parts.append(" ".join(" ".join(words) + "*" * open_ended for words, open_ended in folded if words))
    return f" {GAP} ".join(parts)


#: Words that say nothing by themselves: "closed the connection" is "closed connection".
_EMPTY = frozenset(
    "a an and are be been being had has have his i is it its just my of our please sorry that the their there these "
    "this those was we were which you your".split()
)
_NOT = dict.fromkeys(
    "cant cannot couldnt didnt doesnt dont hasnt havent isnt wasnt werent wont wouldnt arent never unable".split(),
    "not",
)
_CAN = frozenset("can could did do does will would may might".split())
_FAILS = frozenset(("failed", "fail", "fails", "not"))


def stems_of(text: str) -> list[str]:
    """What the words of a text come down to: without those that say nothing, each without its ending, and one "not"
    for what could not, did not, or failed to happen.
    """
    words: list[str] = []
    for word in words_of(text):
        if word in _EMPTY:
            continue
        word = _NOT.get(word, word)
        if word == "not" and words and words[-1] in _CAN:
            words.pop()
        elif word == "to" and words and words[-1] in _FAILS:
            words[-1] = "not"
            continue
        words.append(word)
    return [_stem(word) for word in words]


def _stem(word: str) -> str:
    """The word without its ending, so that ``connecting`` and ``connected`` are both ``connect``; no word by itself."""
    if len(word) < 4 or not word.isalpha():
        return word
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith(("ss", "us", "is")):
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls":
                word = word[:-1]
            break
    return word[:-1] if len(word) > 3 and word[-1] in "ey" else word


class PhraseBook:
    """Phrases, and what each of them means; `find` gives the meanings that a text holds."""

    __slots__ = ("_compiled", "_stems", "_unspaced", "_words")

    def __init__(self) -> None:
        # Every phrase waits under its longest whole word, or under "" where it has none: a text is compared only with
        # those whose word it holds.
        self._words: dict[str, list[tuple[str, Hashable]]] = {"": []}
        self._stems: dict[str, list[tuple[str, Hashable]]] = {}
        self._unspaced: list[tuple[str, Hashable]] = []
        self._compiled: dict[str, re.Pattern[str]] = {}

    def add(self, phrase: str, meaning: Hashable) -> None:
        """Learn a `plain` phrase."""
        if not phrase.isascii() and any(map(_is_unspaced, phrase)):
            self._unspaced.append((phrase, meaning))
            return
        words = phrase.split()
        if "*" in phrase or GAP in phrase:
            words = [word for word in words if word != GAP and word[-1] != "*"]
        self._words.setdefault(max(words, key=len, default=""), []).append((phrase, meaning))

    def find(self, text: str, *, loosely: bool = False) -> dict[Hashable, int]:
        """What the text means, each meaning with the number of words of its longest phrase in there; `loosely`,
        whatever the endings of its words and the small words between them.
        """
        words = words_of(text)
        found = self._found(self._words, words)
        if loosely:
            for meaning, length in self._found(self._stemmed(), stems_of(text)).items():
                found.setdefault(meaning, max(length - 1, 1))
        if not text.isascii():
            compact = "".join(words)
            for phrase, meaning in self._unspaced:
                if _in_order(phrase.replace(" ", "").split(GAP), compact):
                    found[meaning] = max(found.get(meaning, 0), _UNSPACED_LENGTH)
        return found

    def _found(self, book: dict[str, list[tuple[str, Hashable]]], words: list[str]) -> dict[Hashable, int]:
        spaced = f" {' '.join(words)} "
        found: dict[Hashable, int] = {}
        for word in ["", *dict.fromkeys(words)]:
            for phrase, meaning in book.get(word, ()):
                length = _length(phrase)
                if length > found.get(meaning, 0) and self._holds(phrase, spaced):
                    found[meaning] = length
        return found

    def _stemmed(self) -> dict[str, list[tuple[str, Hashable]]]:
        """The phrases in stems, made when they are needed. Those of which too little is left are not among them."""
        if not self._stems:
            for phrase, meaning in (known for learned in self._words.values() for known in learned):
                parts = [stems_of(part) for part in phrase.split(GAP)] if "*" not in phrase else []
                telling = [stem for part in parts for stem in part if len(stem) > 2 and stem != "not"]
                if len(telling) > 1 and all(parts):
                    stemmed = f" {GAP} ".join(" ".join(part) for part in parts)
                    self._stems.setdefault(max(telling, key=len), []).append((stemmed, meaning))
        return self._stems

    def _holds(self, phrase: str, spaced: str) -> bool:
        if "*" not in phrase and GAP not in phrase:
            return f" {phrase} " in spaced
        pattern = self._compiled.get(phrase)
        if pattern is None:
            pattern = self._compiled[phrase] = _pattern(phrase)
        return pattern.search(spaced) is not None


def _length(phrase: str) -> int:
    """The words of a phrase; the gaps do not count."""
    return phrase.count(" ") + 1 - 2 * phrase.count(GAP)


def _is_unspaced(character: str) -> bool:
    """Whether words of this script stand together: from CJK on, and Hangul, which folding takes apart."""
    return character >= "\u2e80" or "\u1100" <= character <= "\u11ff"


def _in_order(parts: list[str], text: str) -> bool:
    at = 0
    for part in parts:
        at = text.find(part.rstrip("*"), at)
        if at < 0:
            return False
        at += len(part)
    return True


def _pattern(phrase: str) -> re.Pattern[str]:
    pieces = []
    for word in phrase.split():
        if word == GAP:
            pieces.append("(?: [^ ]+){0,6}?")
        elif word.endswith("*"):
            pieces.append(f" {re.escape(word[:-1])}[^ ]*")
        else:
            pieces.append(f" {re.escape(word)}")
    return re.compile("".join(pieces) + " ")
