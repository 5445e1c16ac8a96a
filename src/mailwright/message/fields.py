"""Reading the header fields of finished octets (RFC 5322 §2.2): in one pass, without the ``email`` package.

Two readers who see two different headers in the same octets are a hole, so that `read_fields` refuses what
readers disagree on. `lenient=True` skips it instead; that is for showing a message, never for sending it.
"""

from __future__ import annotations

from mailwright.message.headers import FOLD, LIMIT
from mailwright.words.address import Address, addresses, is_control, parse_addresses
from mailwright.words.errors import AddressError, HeaderError
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NAME_OCTETS = bytes(c for c in range(33, 127) if c != ord(":"))  # RFC 5322 §3.6.8 ftext

#: RFC 5322 §3.6 and RFC 2045: at most once. Programs differ on which of two counts, and so show different mail.
ONCE = frozenset(
    "date from sender reply-to to cc bcc message-id in-reply-to references subject "
    "mime-version content-type content-transfer-encoding content-disposition content-id".split()
)
#: Nobody but those named in them may see them.
BLIND = frozenset(("bcc", "resent-bcc"))
#: Each of them covers others, which must stay as they are.
SIGNATURE_FIELDS = frozenset(
    ("dkim-signature", "domainkey-signature", "arc-message-signature", "arc-seal", "x-google-dkim-signature")
)

_SOUND_OCTETS = bytes(c for c in range(256) if c >= 32 and c != 127) + b"\t"


@value
class Field:
    """One header field: its `name` as written and all its octets, folded as they came, with the final CRLF."""

    name: str
    raw: bytes

    @property
    def key(self) -> str:
        """The name in lower case, as fields are compared (RFC 5322 §1.2.2)."""
        return self.name.lower()

    @property
    def text(self) -> str:
        """The value unfolded (§2.2.3), without white space around it; what is not UTF-8 is shown as ``�``."""
        unfolded = self.raw[len(self.name) + 1 :].replace(b"\r\n", b"").replace(b"\t", b" ")
        return unfolded.strip(b" ").decode("utf-8", "replace")


def body_start(data: bytes, start: int = 0, end: int | None = None) -> int:
    """Where the body of the entity in ``data[start:end]`` begins; `end` when there is no empty line."""
    end = len(data) if end is None else end
    if data.startswith(b"\r\n", start, end):
        return start + 2
    blank = data.find(b"\r\n\r\n", start, end)
    return end if blank < 0 else blank + 4


def read_fields(head: bytes, *, lenient: bool = False) -> list[Field]:
    """The fields of a header section whose lines end in CRLF. Raises `HeaderError`."""
    fields: list[Field] = []
    lines: list[bytes] = []
    name = ""
    for number, line in enumerate(head.split(b"\r\n"), 1):
        if line[:1] in (b" ", b"\t"):
            if lines:
                lines.append(line)
            elif not lenient:
                raise _malformed(number, line, "begins with white space, but there is no field to continue")
            continue
        if lines:
            fields.append(Field(name, b"\r\n".join(lines) + b"\r\n"))
            lines = []
        octets, colon, _ = line.partition(b":")
        if colon and octets and not octets.translate(None, NAME_OCTETS):
            name, lines = octets.decode("ascii"), [line]
        elif line and not lenient:
            raise _malformed(number, line, "is neither a header field nor the empty line before the text")
    if lines:  # the section did not end in CRLF
        fields.append(Field(name, b"\r\n".join(lines) + b"\r\n"))
    return fields


def _malformed(number: int, line: bytes, problem: str) -> HeaderError:
    shown = ascii(line[:60].decode("latin-1"))
    advice = "A message is header fields such as “Subject: Hello”, then an empty line, then the text."
    if line.startswith((b"From ", b">From ")):
        advice = "It is the separator of an mbox file: take that line out."
    return HeaderError(f"Line {number} of the message, {shown}, {problem} (RFC 5322 §2.2).", advice)


def check_sound(field: Field) -> None:
    """Refuse what no header may hold: controls of any kind, octets that are not UTF-8. Raises `HeaderError`."""
    value = field.raw.replace(b"\r\n", b"")
    wrong = value.translate(None, _SOUND_OCTETS)
    problem = f"the control character {chr(wrong[0])!a}" if wrong else ""
    if not problem and not value.isascii():
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError as error:
            problem = f"the octet 0x{value[error.start]:02x}, which is neither ASCII nor UTF-8,"
        else:
            control = next((c for c in text if c > "\x7f" and is_control(c)), "")
            problem = f"the control character {control!a}" if control else ""
    if problem:
        raise HeaderError(
            f"The header {field.name} holds {problem} and can't be sent.",
            "Take it out; text that is not ASCII is written as UTF-8 or as encoded words (RFC 2047).",
            field=field.name,
        )


def needs_folding(field: Field) -> bool:
    """True when a line of the field is too long or nothing but white space (RFC 5322 §2.1.1, §3.2.2)."""
    if len(field.raw) <= LIMIT and b"\r\n" not in field.raw[:-2]:
        return False
    return any(len(line) > LIMIT or not line.strip(b" \t") for line in field.raw[:-2].split(b"\r\n"))


def fold(field: Field) -> Field:
    """The field folded anew at its own white space. Raises `HeaderError` when one word is longer than a line."""
    value = field.raw[len(field.name) + 1 : -2].replace(b"\r\n", b"").replace(b"\t", b" ").strip(b" ")
    rest = f"{field.name}: ".encode("ascii") + value
    lines: list[bytes] = []
    start = 0
    first = len(field.name) + 2  # no break before the first word: an empty first line is what some relays lose
    while len(rest) - start > FOLD:
        place = rest.rfind(b" ", start + first, start + FOLD + 1)
        if place < 0 or not rest[start:place].strip(b" "):
            place = rest.find(b" ", start + max(first, FOLD), start + LIMIT + 1)
        if place < 0:
            break
        lines.append(rest[start:place])
        start, first = place, 1
    lines.append(rest[start:])
    if any(len(line) > LIMIT or not line.strip(b" ") for line in lines):
        raise HeaderError(
            f"The header {field.name} has a line of more than {LIMIT} octets that can't be folded (RFC 5322 §2.1.1).",
            "Shorten it or put spaces in.",
            field=field.name,
        )
    return Field(field.name, b"\r\n".join(lines) + b"\r\n")


def header_addresses(text: str) -> list[Address]:
    """The mailboxes of an address header in our strict grammar.

    A group (RFC 5322 §3.4), such as ``undisclosed-recipients:;``, gives its members. Raises `AddressError`.
    """
    text = text.replace("\t", " ").replace("\r", " ").replace("\n", " ")
    if ":" not in text and ";" not in text:
        return list(addresses(text))
    return [address for one in _without_groups(text) for address in parse_addresses(one)]


def _without_groups(text: str) -> Iterator[str]:
    """Split at commas and at the frame of groups (``name:`` and ``;``) that are not quoted or in brackets."""
    start, group, quoted, bracket = 0, False, False, ""
    framed = False  # the piece begins right behind the frame of a group, so that it may be empty
    position = 0
    while position < len(text):
        character = text[position]
        if quoted:
            if character == "\\":
                position += 1
            elif character == '"':
                quoted = False
        elif character == '"':
            quoted = True
        elif bracket:
            bracket = "" if character == bracket else bracket
        elif character in "<[":
            bracket = ">" if character == "<" else "]"
        elif character in ",:;":
            piece = text[start:position]
            if character == ":":
                if group or not piece.strip(" "):
                    raise _bad_group(text, position)
                group = True
            else:
                if piece.strip(" "):
                    yield piece
                elif character == "," and not framed:
                    raise _bad_group(text, position)
                if character == ";":
                    if not group:
                        raise _bad_group(text, position)
                    group = False
            start, framed = position + 1, character != ","
        position += 1
    if group:
        raise _bad_group(text, len(text))
    if text[start:].strip(" "):
        yield text[start:]


def _bad_group(text: str, position: int) -> AddressError:
    return AddressError(
        f"“{text[max(0, position - 40) : position + 40]}” is no list of addresses, at position {position + 1}.",
        "A group is written “Team: ada@example.org, bob@example.org;”.",
        text=text[:4000],
        position=position,
    )


def parameters(text: str) -> tuple[str, dict[str, str]]:
    """The value of a field such as Content-Type and its parameters (RFC 2045 §5.1); value and names in lower case.

    Never raises: what is not in the grammar is passed over. Of parameters of one name the first counts.
    """
    semicolon = text.find(";")
    main = text if semicolon < 0 else text[:semicolon]
    found: dict[str, str] = {}
    while semicolon >= 0:
        start = semicolon + 1
        semicolon = text.find(";", start)
        end = len(text) if semicolon < 0 else semicolon
        name, equals, given = text[start:end].partition("=")
        if not equals:
            continue
        if given.lstrip(" ").startswith('"'):
            given, closed = _quoted(text, text.index('"', start + len(name)))
            semicolon = text.find(";", closed) if 0 <= semicolon < closed else semicolon
        found.setdefault(name.strip(" ").lower(), given.strip(" "))
    words = main.split("(")[0].split()
    return (words[0].lower() if words else ""), found


def _quoted(text: str, start: int) -> tuple[str, int]:
    """The content of the quoted string that opens at `start`, and the place behind it."""
    end = text.find('"', start + 1)
    plain = text[start + 1 : end] if end >= 0 else text[start + 1 :]
    if "\\" not in plain:
        return plain, (end + 1 if end >= 0 else len(text))
    characters: list[str] = []
    position = start + 1
    while position < len(text) and text[position] != '"':
        position += text[position] == "\\"
        characters.append(text[position : position + 1])
        position += 1
    return "".join(characters), position + 1


def first(fields: Iterable[Field], key: str) -> Field | None:
    """The first field of that lower-case name."""
    return next((field for field in fields if field.key == key), None)


def media_type(fields: Iterable[Field], default: str = "text/plain") -> tuple[str, dict[str, str]]:
    """The media type of an entity and its parameters: `default` if there is none, ``text/plain`` if it is malformed
    (RFC 2045 §5.2).
    """
    field = first(fields, "content-type")
    if field is None:
        return default, {}
    kind, found = parameters(field.text)
    main, slash, sub = kind.partition("/")
    return (kind, found) if main and slash and sub else ("text/plain", {})
