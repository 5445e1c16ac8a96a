"""One mailbox: the only grammar for addresses in the house, for envelope and header alike.

It is the strict grammar of RFC 5321 §4.1.2 (``Mailbox``) with UTF-8 local parts (RFC 6531 §3.3) and IDNA 2008
domains, plus a display name in front. No comments, no folding, no routes, no obsolete forms: programs that
accept those disagree on where such mail goes, and every disagreement has been somebody's security hole.
Whatever is not in the grammar is an `AddressError` that points at the place. Reading is linear in the length
of the text.
"""

from __future__ import annotations

from mailwright.words.errors import AddressError
from mailwright.words.remember import remember
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    AddressLike = "str | Address | tuple[str, str]"

_LETTERS_DIGITS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
ATEXT = _LETTERS_DIGITS | frozenset("!#$%&'*+-/=?^_`{|}~")  # RFC 5322 §3.2.3
_LDH = _LETTERS_DIGITS | {"-"}
_HOW = "Write it like ada@example.org or Ada Lovelace <ada@example.org>."

LOCAL_LIMIT = 64  # octets, RFC 5321 §4.5.3.1.1
DOMAIN_LIMIT = 255  # octets, RFC 5321 §4.5.3.1.2
PATH_LIMIT = 254  # octets: a path of 256 (§4.5.3.1.3) holds two angle brackets
NAME_LIMIT = 1000  # characters; no standard sets one, but a longer one is an attack or an accident
TEXT_LIMIT = 4000  # characters of one address with its name

_KEPT = 1000  # texts whose addresses are remembered: a program writes from few addresses, and often to the same
_KEPT_LENGTH = 200  # characters of such a text


@value
class Address:
    """A mailbox such as ``ada@example.org``, with the `name` shown to readers.

    `spec` is checked and normalised: the domain in lower-case ASCII (A-labels), the local part exactly as
    given (quotes included if it was quoted). Raises `AddressError`.
    """

    spec: str
    name: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.spec, str) or not isinstance(self.name, str):
            raise AddressError("The parts of an address are text.", _HOW, text=repr(self.spec)[:80])
        object.__setattr__(self, "spec", _checked_spec(self.spec, self.spec, 0))
        if self.name:
            _check_name(self.name, self.name, 0)

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``ada@example.org``, ``<ada@example.org>`` or ``Ada Lovelace <ada@example.org>``; one address
        only.
        """
        found = _read(text)
        if len(found) != 1:
            what = "No address in an empty text." if not found else f"{len(found)} addresses where one is wanted."
            raise AddressError(what, _HOW, text=text)
        return found[0]

    @classmethod
    def of(cls, given: object) -> Address:
        """The address in any form that our calls take: text, an `Address`, or a pair ``(name, address)``."""
        if isinstance(given, Address):
            return given
        if isinstance(given, str):
            return cls.parse(given)
        if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str) and isinstance(given[1], str):
            return _of_pair(given)
        if hasattr(given, "addr_spec") and hasattr(given, "display_name"):  # email.headerregistry.Address
            return cls(given.addr_spec, given.display_name or "")
        raise AddressError(f"{type(given).__name__} is not an address.", _HOW, text=repr(given)[:80])

    @property
    def local(self) -> str:
        """The part before the ``@``, exactly as it goes over the wire."""
        return self.spec.rpartition("@")[0]

    @property
    def domain(self) -> str:
        """The part behind the ``@`` in ASCII, lower case; an address literal keeps its brackets."""
        return self.spec.rpartition("@")[2]

    @property
    def needs_utf8(self) -> bool:
        """True when the local part is not ASCII: only a server with SMTPUTF8 (RFC 6531) can take it."""
        return not self.spec.isascii()

    def __str__(self) -> str:
        if not self.name:
            return self.spec
        plain = all(c in ATEXT or c == " " or c > "\x7f" for c in self.name) and self.name == self.name.strip()
        name = self.name if plain else '"' + self.name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return f"{name} <{self.spec}>"


def addresses(
    given: str | Address | tuple[str, str] | Iterable[str | Address | tuple[str, str]] | None,
) -> tuple[Address, ...]:
    """All addresses in whatever a caller gave: one, several in one text separated by commas, or an iterable
    of them.
    """
    if not given:
        return ()
    if isinstance(given, str):
        return _read(given)
    if isinstance(given, Address):
        return (given,)
    if isinstance(given, tuple) and len(given) == 2 and _is_pair(given):
        return (Address.of(given),)
    if isinstance(given, (bytes, bytearray)) or not hasattr(given, "__iter__"):
        return (Address.of(given),)
    found: list[Address] = []
    for one in given:
        if isinstance(one, str):
            found.extend(_read(one))
        else:
            found.append(Address.of(one))
    return tuple(found)


def _is_pair(given: tuple[object, ...]) -> bool:
    # ("Ada", "ada@example.org") is a name and its address; ("ada@example.org", "bob@example.org") are two
    # addresses.
    return isinstance(given[0], str) and isinstance(given[1], str) and "@" not in given[0] and "@" in given[1]


def _read(text: str) -> tuple[Address, ...]:
    """The addresses in `text`, remembered for the next time that somebody writes the same."""
    known = _known.get(text)
    if known is None:
        known = tuple(parse_addresses(text))
        if len(text) <= _KEPT_LENGTH:
            remember(_known, _KEPT, text, known)
    return known


def _of_pair(pair: tuple[str, str]) -> Address:
    """The address of a name and a spec, remembered as well."""
    known = _known.get(pair)
    if known is None:
        known = (Address(pair[1], pair[0]),)
        if len(pair[0]) <= _KEPT_LENGTH:
            remember(_known, _KEPT, pair, known)
    return known[0]


_known: dict[str | tuple[str, str], tuple[Address, ...]] = {}


def parse_addresses(text: str) -> list[Address]:
    """Read a list separated by commas; commas in quoted names do not separate. Linear in the length of the
    text.
    """
    found: list[Address] = []
    start = 0
    while start < len(text):
        end = _end_of_one(text, start)
        if text[start:end].strip(" ") or end < len(text):
            found.append(_parse_one(text, start, end))
        start = end + 1
    return found


def _end_of_one(text: str, start: int) -> int:
    """The place of the comma that ends the address beginning at `start`, or the end of the text."""
    comma = text.find(",", start)
    if comma < 0:
        comma = len(text)
    quote = text.find('"', start, comma)
    if quote < 0:
        return comma
    position, quoted = quote, False
    while position < len(text):
        character = text[position]
        if character == "\\" and quoted:
            position += 1
        elif character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            return position
        position += 1
    return len(text)


def _parse_one(text: str, start: int, end: int) -> Address:
    one = text[start:end]
    lead = len(one) - len(one.lstrip(" "))
    start, one = start + lead, one.strip(" ")
    if len(one) > TEXT_LIMIT:
        _refuse(text, start, f"an address of {len(one)} characters is too long")
    if not one:
        _refuse(text, start, "nothing between two commas")
    opening = _bracket(one)
    if one[-1] != ">":
        if opening >= 0:
            _refuse(text, start + len(one) - 1, 'the closing ">" is missing at the end')
        return _made(_checked_spec(one, text, start), "")
    if opening < 0:
        _refuse(text, start + len(one) - 1, '">" without "<"')
    spec = _checked_spec(one[opening + 1 : -1], text, start + opening + 1)
    return _made(spec, _name_in_front(one[:opening].strip(" "), text, start))


def _bracket(one: str) -> int:
    """The place of the ``<`` before the address, which is not a quoted one; -1 if there is none."""
    if '"' not in one:
        return one.rfind("<")
    found, quoted, position = -1, False, 0
    while position < len(one):
        character = one[position]
        if character == "\\" and quoted:
            position += 1
        elif character == '"':
            quoted = not quoted
        elif character == "<" and not quoted:
            found = position
        position += 1
    return one.rfind("<") if quoted else found


def _made(spec: str, name: str) -> Address:
    made = object.__new__(Address)
    object.__setattr__(made, "spec", spec)
    object.__setattr__(made, "name", name)
    return made


def _name_in_front(raw: str, text: str, start: int) -> str:
    if raw.startswith('"'):
        if len(raw) < 2 or not raw.endswith('"'):
            _refuse(text, start, "the quotation mark of the name is not closed")
        name, position = "", 1
        parts: list[str] = []
        while position < len(raw) - 1:
            if raw[position] == '"':
                _refuse(text, start + position, 'a quotation mark inside the name (write \\")')
            if raw[position] == "\\":
                position += 1
                if position >= len(raw) - 1:
                    _refuse(text, start + position, "the name ends in a backslash")
            parts.append(raw[position])
            position += 1
        name = "".join(parts)
    else:
        name = raw
        plain = raw.replace(" ", "").isalnum()  # the most of them, seen at a glance
        for position, character in enumerate("" if plain else raw):
            if character in '<>@,;:\\"[]()':
                _refuse(text, start + position, f"{character!r} in a name (put the name in quotation marks)")
    _check_name(name, text, start)
    return name


def _check_name(name: str, text: str, start: int) -> None:
    if len(name) > NAME_LIMIT:
        _refuse(text, start, f"a name of {len(name)} characters is too long")
    if not (name.isascii() and name.isprintable()):
        for position, character in enumerate(name):
            if is_control(character):
                _refuse(text, start + position, f"the control character {character!a} in the name")


def is_control(character: str) -> bool:
    """C0, DEL, C1, line and paragraph separators, and lone surrogates: nothing that a header or command may
    hold.
    """
    number = ord(character)
    return number < 0x20 or 0x7F <= number < 0xA0 or number in (0x2028, 0x2029) or 0xD800 <= number < 0xE000


def _checked_spec(spec: str, text: str, start: int) -> str:
    """`spec` normalised, or an `AddressError` that points into `text`, where it begins at `start`."""
    local, at, domain = spec.rpartition("@")
    if not at:
        _refuse(text, start + len(spec), 'no "@"')
    if not local:
        _refuse(text, start, 'nothing before the "@"')
    if "?=" in local.partition("=?")[2]:
        _refuse(text, start, 'what readers may take for an encoded word ("=?") before the "@"')
    if local[0] == '"':
        _check_quoted_local(local, text, start)
    elif not (local.isascii() and all(map(str.isalnum, local.split(".")))):
        _check_dotted_local(local, text, start)
    domain = _checked_domain(domain, text, start + len(local) + 1)
    octets = len(local) if local.isascii() else len(local.encode())
    if octets > LOCAL_LIMIT:
        _refuse(text, start, f'more than {LOCAL_LIMIT} octets before the "@" (RFC 5321 §4.5.3.1.1)')
    if octets + 1 + len(domain) > PATH_LIMIT:
        _refuse(text, start, f"more than {PATH_LIMIT} octets in all (RFC 5321 §4.5.3.1.3)")
    return f"{local}@{domain}"


def _check_dotted_local(local: str, text: str, start: int) -> None:
    last = "."
    for position, character in enumerate(local):
        if character == ".":
            if last == ".":
                _refuse(text, start + position, "a dot at the beginning or two dots in a row")
        elif character not in ATEXT and not (character > "\x7f" and character.isprintable()):
            _refuse(text, start + position, f'{character!a} before the "@"')
        last = character
    if last == ".":
        _refuse(text, start + len(local) - 1, 'a dot right before the "@"')


def _check_quoted_local(local: str, text: str, start: int) -> None:
    if len(local) < 3 or local[-1] != '"':
        _refuse(text, start, 'the quotation mark before the "@" is not closed')
    position = 1
    while position < len(local) - 1:
        character = local[position]
        if character == "\\":
            position += 1
            character = local[position] if position < len(local) - 1 else "\x00"
            if not " " <= character <= "~":
                _refuse(text, start + position, "a backslash must stand before one printable ASCII character")
        elif character == '"' or not (" " <= character <= "~" or (character > "\x7f" and character.isprintable())):
            _refuse(text, start + position, f'{character!a} inside the quotation marks before the "@"')
        position += 1


def _checked_domain(domain: str, text: str, start: int) -> str:
    if not domain:
        _refuse(text, start, 'nothing behind the "@"')
    if domain[0] == "[":
        return _checked_literal(domain, text, start)
    if not domain.isascii():
        domain = _to_ascii(domain, text, start)
    domain = domain.lower()
    place = start
    for label in domain.split("."):
        if not label:
            _refuse(text, place, "a dot too many in the domain")
        if not label.isalnum() and not frozenset(label) <= _LDH:
            wrong = next(i for i, c in enumerate(label) if c not in _LDH)
            _refuse(text, place + wrong, f"{label[wrong]!a} in the domain")
        if label[0] == "-" or label[-1] == "-" or len(label) > 63:
            _refuse(
                text,
                place,
                "a label of the domain begins or ends with a hyphen or has more than 63 characters",
            )
        place += len(label) + 1
    if label.isdigit():
        _refuse(text, start, f"a bare number as domain (an IP address is written [{domain}])")
    if len(domain) > DOMAIN_LIMIT:
        _refuse(text, start, f"a domain of more than {DOMAIN_LIMIT} octets")
    return domain


def _to_ascii(domain: str, text: str, start: int) -> str:
    if len(domain) > DOMAIN_LIMIT:
        _refuse(text, start, f"a domain of more than {DOMAIN_LIMIT} characters")
    import idna  # 10 ms; only a domain that is not ASCII needs it

    try:
        for position, character in enumerate(domain):
            # UTS 46 silently drops joiners, variation selectors and fillers: two readers would then see two
            # domains.
            if not character.isprintable() or (character > "\x7f" and not idna.uts46_remap(character)):
                _refuse(text, start + position, f"the invisible character {character!a} in the domain")
        return idna.encode(domain, uts46=True, std3_rules=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as problem:
        _refuse(text, start, f"a domain that IDNA 2008 does not allow ({problem})")


def _checked_literal(domain: str, text: str, start: int) -> str:
    import ipaddress  # 6 ms; address literals are rare

    inside = domain[1:-1]
    try:
        if domain[-1] != "]":
            raise ValueError
        if inside[:5].lower() == "ipv6:":
            if "%" in inside:
                raise ValueError
            return f"[IPv6:{ipaddress.IPv6Address(inside[5:])}]"
        return f"[{ipaddress.IPv4Address(inside)}]"
    except ValueError:
        _refuse(text, start, "an address literal that is neither [192.0.2.1] nor [IPv6:2001:db8::1]")


def _refuse(text: str, position: int, reason: str) -> NoReturn:
    begin, end = max(0, position - 40), position + 40
    shown = ascii(text[begin:end])[1:-1] if not text.isprintable() else text[begin:end]
    shown = ("…" if begin else "") + shown + ("…" if end < len(text) else "")
    what = f"“{shown}” is not an address: {reason}, at position {position + 1}."
    raise AddressError(what, _HOW, text=text[:TEXT_LIMIT], position=position)
