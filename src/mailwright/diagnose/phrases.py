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
_APOSTROPHES = dict.fromkeys(map(ord, "'’‘`´"))


def words_of(text: str) -> list[str]:
    """The words of a text, folded: numbers keep their dots (``5.7.8``), apostrophes and accents are dropped, and all
    other punctuation separates. ``ReadTimeout`` gives ``readtimeout``, ``read`` and ``timeout``.
    """
    text = _JOINED.sub(_taken_apart, text)
    text = text.casefold().translate(_APOSTROPHES)
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


class PhraseBook:
    """Phrases, and what each of them means; `find` gives the meanings that a text holds."""

    __slots__ = ("_compiled", "_unspaced", "_words")

    def __init__(self) -> None:
        # Every phrase waits under its longest whole word, or under "" where it has none: a text is compared only with
        # those whose word it holds.
        self._words: dict[str, list[tuple[str, Hashable]]] = {"": []}
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

    def find(self, text: str) -> dict[Hashable, int]:
        """What the text means, each meaning with the number of words of its longest phrase in there."""
        words = words_of(text)
        spaced = f" {' '.join(words)} "
        found: dict[Hashable, int] = {}
        for word in ["", *dict.fromkeys(words)]:
            for phrase, meaning in self._words.get(word, ()):
                length = _length(phrase)
                if length > found.get(meaning, 0) and self._holds(phrase, spaced):
                    found[meaning] = length
        if not spaced.isascii():
            compact = "".join(words)
            for phrase, meaning in self._unspaced:
                if _in_order(phrase.replace(" ", "").split(GAP), compact):
                    found[meaning] = max(found.get(meaning, 0), _UNSPACED_LENGTH)
        return found

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
