"""What a client says, read by the server: lines, verbs, paths, parameters (RFC 5321 §4.1).

Everything here takes octets or text that a stranger sent. What is not in the grammar is a `ProtocolError`
whose `reply` is what to answer; no step takes more than time linear in the length of a line, and lines are
bounded before they are kept.
"""

from __future__ import annotations

from functools import lru_cache

from mailwright.smtp.wire import COMMAND_LIMIT
from mailwright.words.address import Address
from mailwright.words.errors import AddressError, ProtocolError
from mailwright.words.reply import Reply

_DISCARD_LIMIT = 1 << 20  # octets of one line that are thrown away before the client is taken for a machine gone mad


def bad(code: int, text: str) -> ProtocolError:
    """The error for something that a client must not say; `text` begins with the enhanced status code."""
    return ProtocolError(text, reply=Reply(code, (text,)))


class Inflow:
    """Octets that the client sent and that nobody took yet.

    Lines are cut at LF. Only CRLF ends a command, but a line that ends in LF alone is seen and refused at
    once, since who sends it would otherwise wait for ever.
    """

    __slots__ = ("_discarded", "_octets")

    def __init__(self) -> None:
        self._octets = bytearray()
        self._discarded = 0  # octets thrown away of a line that is too long and has not ended

    def feed(self, data: bytes) -> None:
        """Add what arrived."""
        self._octets += data

    def __len__(self) -> int:
        return len(self._octets)

    def line(self, limit: int = COMMAND_LIMIT) -> str | None:
        """The next line without its end, or `None` until it is complete. `limit` counts octets, the line
        end included.

        Raises `ProtocolError` for a line that is too long, that holds a control character, or is not UTF-8.
        The line has been taken then, and the next one can be read.
        """
        octets = self._octets
        end = octets.find(b"\n")
        if end < 0:
            if len(octets) >= limit:
                self._discard(len(octets))
            return None
        if self._discarded or end >= limit:
            self._discard(end + 1)
            self._discarded = 0
            raise bad(500, "5.5.2 The line is too long")
        line = octets[:end]
        del octets[: end + 1]
        if line[-1:] != b"\r":
            raise bad(500, "5.5.2 A line ends with CR and LF, not with LF alone")
        try:
            text = line[:-1].decode()
        except UnicodeDecodeError:
            raise bad(500, "5.5.2 The line is not UTF-8") from None
        if not text.isprintable():
            raise bad(500, "5.5.2 The line holds a control character")
        return text

    def _discard(self, count: int) -> None:
        del self._octets[:count]
        self._discarded += count
        if self._discarded > _DISCARD_LIMIT:
            raise ConnectionAbortedError("the client sends a line that does not end")

    def take(self, count: int) -> bytes:
        """At most `count` octets, as they are."""
        octets = self._octets
        if count >= len(octets):
            return self.take_all()
        taken = bytes(octets[:count])
        del octets[:count]
        return taken

    def take_all(self) -> bytes:
        """All octets that are here."""
        taken = bytes(self._octets)
        self._octets.clear()
        return taken


def split_command(line: str) -> tuple[str, str]:
    """The verb in upper case, and what follows it without blanks around it."""
    verb, _, argument = line.partition(" ")
    return verb.upper(), argument.strip(" ")


def read_path(text: str, keyword: str) -> tuple[str, str]:
    """What stands between the angle brackets behind ``FROM:`` or ``TO:`` (`keyword`), and what follows them.

    A source route in front of the address is taken off (RFC 5321 §4.1.1.3: "SHOULD be ignored"). Blanks
    behind the colon are let pass, as most servers do.
    """
    if text[: len(keyword)].upper() != keyword:
        raise bad(501, f"5.5.4 {keyword}<address> is wanted here")
    start = len(keyword)
    while text[start : start + 1] == " ":
        start += 1
    if text[start : start + 1] != "<":
        raise bad(501, "5.1.7 The address must stand in angle brackets")
    start += 1
    if text[start : start + 1] == "@":
        start = text.find(":", start) + 1
        if not start:
            raise bad(501, "5.1.7 The source route does not end")
    end = _end_of_path(text, start)
    return text[start:end], text[end + 1 :]


def _end_of_path(text: str, start: int) -> int:
    """The place of the closing bracket; one inside a quoted local part is not it."""
    position = start
    if text[start : start + 1] == '"':
        position += 1
        while position < len(text) and text[position] != '"':
            position += 2 if text[position] == "\\" else 1
    end = text.find(">", position)
    if end < 0:
        raise bad(501, "5.1.7 The closing angle bracket is missing")
    return end


def read_address(path: str, utf8: bool, code: str) -> Address:
    """The address of a path; `code` is the enhanced status code for one that is none.

    Without `utf8` (SMTPUTF8 was not asked for) it must be ASCII (RFC 6531 §3.4).
    """
    if not utf8 and not path.isascii():
        raise bad(553, "5.6.7 An address that is not ASCII needs the parameter SMTPUTF8")
    try:
        return _address(path)
    except AddressError as problem:
        raise bad(501, f"{code} {problem.what}") from None


@lru_cache(256)  # who sends and gets mail in a test does so again and again
def _address(path: str) -> Address:
    return Address(path)


def read_parameters(text: str, known: frozenset[str]) -> dict[str, str]:
    """The parameters behind a path, names in upper case (RFC 5321 §4.1.2); one without a value has an empty
    one.
    """
    if text[:1] not in ("", " "):
        raise bad(501, "5.5.4 A blank is missing behind the closing angle bracket")
    found: dict[str, str] = {}
    for word in text.split():
        name, equals, given = word.partition("=")
        name = name.upper()
        if name not in known:
            raise bad(555, "5.5.4 A parameter is not known here")
        if name in found:
            raise bad(501, f"5.5.4 The parameter {name} stands there twice")
        if (equals and not given) or "=" in given:
            raise bad(501, f"5.5.4 The value of {name} is wrong")
        found[name] = given
    return found


def read_number(digits: str, name: str) -> int:
    """A number of at most 20 digits (RFC 1870 §3)."""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
        raise bad(501, f"5.5.4 {name} must be a number")
    return int(digits)


def read_xtext(text: str, name: str) -> str:
    """What RFC 3461 §4 calls xtext, decoded: ``+2B`` is a plus sign."""
    first, *others = text.split("+")
    parts = [first.encode()]
    for other in others:
        if len(other) < 2 or not set(other[:2]) <= set("0123456789ABCDEF"):
            raise bad(501, f"5.5.4 {name} is not encoded as xtext")
        parts += (bytes((int(other[:2], 16),)), other[2:].encode())
    return b"".join(parts).decode("utf-8", "replace")
