"""What the server said it can do, read from its reply to EHLO (RFC 5321 §4.1.1.1)."""

from __future__ import annotations

from mailwright.words.remember import remember
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.words.reply import Reply


KEPT = 32  # replies whose meaning is kept: a server says the same to every connection

_OF_THE_WAY = ("STARTTLS", "AUTH")

_read: dict[tuple[str, ...], Features] = {}


@value
class Features:
    """The server's `name` for itself, and its `keywords` in upper case with their parameters, in the order
    given.
    """

    name: str = ""
    keywords: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __contains__(self, keyword: str) -> bool:
        for name, _ in self.keywords:  # a loop: it is asked for every message
            if name == keyword:
                return True
        return False

    def without(self, keyword: str) -> Features:
        """The same, as if this was not offered."""
        return Features(self.name, tuple(pair for pair in self.keywords if pair[0] != keyword))

    @property
    def for_mail(self) -> list[tuple[str, tuple[str, ...]]]:
        """The keywords that have to do with mail, and not with the way to it."""
        return [pair for pair in self.keywords if pair[0] not in _OF_THE_WAY]

    def parameters(self, keyword: str) -> tuple[str, ...]:
        """The parameters of a keyword; of all its lines, if a server repeats it; empty when it is not
        offered.
        """
        return tuple(word for name, words in self.keywords if name == keyword for word in words)

    @property
    def size(self) -> int | None:
        """The largest message the server takes, in octets, or `None` where it sets no limit (RFC 1870 §4)."""
        limits = [int(word) for word in self.parameters("SIZE") if word.isascii() and word.isdigit() and len(word) < 20]
        return max(limits, default=0) or None

    @property
    def recipients(self) -> int | None:
        """The number of recipients the server takes in one transaction, where it says so (RFC 9422)."""
        for word in self.parameters("LIMITS"):
            name, _, number = word.upper().partition("=")
            if name == "RCPTMAX" and number.isascii() and number.isdigit() and len(number) < 7 and int(number):
                return int(number)
        return None

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """The SASL mechanisms offered, in upper case, each once."""
        return tuple(dict.fromkeys(word.upper() for word in self.parameters("AUTH")))


def features_of(reply: Reply) -> Features:
    """Read the reply to EHLO: keywords in any case, stray blanks, and the old form ``AUTH=LOGIN PLAIN``."""
    return _read.get(reply.lines) or remember(_read, KEPT, reply.lines, _features_in(reply))


def _features_in(reply: Reply) -> Features:
    keywords: list[tuple[str, tuple[str, ...]]] = []
    for line in reply.lines[1:]:
        words = line.replace("=", " ", 1).split() if line.lstrip().upper().startswith("AUTH=") else line.split()
        if words:
            keywords.append((words[0].upper(), tuple(words[1:])))
    first = reply.lines[0].split() if reply.lines else []
    return Features(first[0] if first else "", tuple(keywords))
