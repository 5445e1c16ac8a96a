"""What is known of failures, read from the data of this package when it is first needed.

``data/failures.json`` holds the kinds of failure with the signs by which each is recognised, ``data/clues.json`` the
words that tell a symptom, a phase or a provider in many languages and programs, ``data/codes.json`` what is left to
say when only a code is known. ``data/README.md`` describes the fields.
"""

from __future__ import annotations

from functools import lru_cache

from mailwright.diagnose.phrases import PhraseBook
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@value
class Sign:
    """One way to recognise a kind of failure: all that is given must fit.

    `worded` says that one of the sign's phrases must stand in the text. With `strict` nothing may be unknown; without
    it words alone suffice where code, enhanced code or phase are not known. With `here` the provider must be known to
    be the entry's. A `weak` sign has words that are common elsewhere, too.
    """

    kind: str
    worded: bool = False
    symptoms: frozenset[str] = frozenset()
    codes: frozenset[int | str] = frozenset()
    enhanced: frozenset[str] = frozenset()
    phases: frozenset[str] = frozenset()
    ports: frozenset[int] = frozenset()
    security: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    doubt: bool = False
    strict: bool = False
    weak: bool = False
    here: bool = False


@value
class Entry:
    """One kind of failure, and what to say about it. `providers` are the ids it belongs to; `only_there`: it is not
    thought of elsewhere. `blames` names the field where the cause lies.
    """

    kind: str
    what: str
    priority: int
    signs: tuple[Sign, ...]
    causes: tuple[str, ...]
    fix: str
    retry: str
    wait: float | None
    certainty: str
    link: str
    providers: frozenset[str] = frozenset()
    only_there: bool = False
    instead_of: str = ""
    blames: str = ""


class Knowledge:
    """The entries by kind, and one book of all phrases.

    The meanings in the book are places in `signs` (the words of that sign were found) and pairs such as
    ``("symptom", "timeout")``, ``("phase", "auth")`` and ``("provider", "gmail")``.
    """

    __slots__ = ("book", "codes", "entries", "exceptions", "numbers", "replies", "signs", "wordless")

    def __init__(self, failures: dict[str, Any], clues: dict[str, Any], codes: dict[str, Any]) -> None:
        self.book = PhraseBook()
        self.entries: dict[str, Entry] = {}
        self.signs: list[Sign] = []
        self.wordless: list[int] = []
        families: dict[str, list[str]] = failures["families"]
        for row in failures["failures"]:
            self._learn(row, families)
        #: Class names and error numbers with the symptoms that they stand for.
        self.exceptions: dict[str, set[str]] = {}
        self.numbers: dict[str, set[str]] = {}
        self._learn_clues(clues)
        #: Enhanced codes without their class (``"1.1"``), and replies by code and phase.
        self.codes: dict[str, dict[str, Any]] = codes["enhanced"]
        self.replies: list[dict[str, Any]] = codes["replies"]

    def _learn(self, row: dict[str, Any], families: dict[str, list[str]]) -> None:
        first = len(self.signs)
        for given in row["signs"]:
            fields: dict[str, Any] = {k: frozenset(v) if isinstance(v, list) else v for k, v in given.items()}
            fields["worded"] = bool(fields.pop("phrases", ()))
            sign = Sign(row["kind"], **fields)
            place = len(self.signs)
            self.signs.append(sign)
            for phrase in given.get("phrases", ()):
                self.book.add(phrase, place)
            if not sign.worded:
                self.wordless.append(place)
        provider = row.get("provider")
        self.entries[row["kind"]] = Entry(
            row["kind"],
            row["what"],
            row["priority"],
            tuple(self.signs[first:]),
            tuple(row["causes"]),
            row["fix"],
            row["retry"],
            row["wait"],
            row["certainty"],
            row["link"],
            frozenset(families.get(provider, [provider]) if provider else ()),
            row.get("only_there", False),
            row.get("instead_of", ""),
            row["blames"],
        )

    def _learn_clues(self, clues: dict[str, Any]) -> None:
        for name, symptom in clues["symptoms"].items():
            for known in symptom["exceptions"]:
                self.exceptions.setdefault(known, set()).add(name)
            for number in [*symptom["numbers"], *symptom["names"]]:
                self.numbers.setdefault(str(number), set()).add(name)
            for phrase in symptom["phrases"]:
                self.book.add(phrase, ("symptom", name))
        for what, phrases_by_name in (("phase", clues["phases"]), ("provider", clues["providers"])):
            for name, phrases in phrases_by_name.items():
                for phrase in phrases:
                    self.book.add(phrase, (what, name))


@lru_cache(maxsize=1)
def knowledge() -> Knowledge:
    """All that is known, loaded once."""
    return Knowledge(*(_read(name) for name in ("failures", "clues", "codes")))


def _read(name: str) -> Any:
    import json

    loader: Any = __spec__.loader  # package data comes through the loader: it is found inside a zip, too
    folder = __file__.rpartition("knowledge")[0]
    return json.loads(loader.get_data(f"{folder}data/{name}.json"))
