"""Reading a message back from its octets: text, HTML, attachments, inline parts, and the header fields.

Mail is odd, and nobody who wants to see it is helped by an error: `parse` raises none. What can't be a part
of a `Message`, such as an address outside the grammar, is left out. The work is linear in the number of
octets.
"""

from __future__ import annotations

from mailwright.message.bodies import Bodies
from mailwright.message.decode import decoded_words, encoded_word, one_line
from mailwright.message.extra_headers import checked_headers
from mailwright.message.fields import Field, body_start, first, header_addresses, read_fields
from mailwright.message.message import Message
from mailwright.message.stamping import checked_date, checked_ids
from mailwright.words.address import NAME_LIMIT, Address
from mailwright.words.errors import AddressError, HeaderError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.message import Priority

# Read into keywords of their own, or written anew by every rendering; and signatures, which would not hold for it.
_READ = frozenset(
    "from to cc bcc reply-to subject date message-id in-reply-to references importance x-priority "
    "mime-version dkim-signature domainkey-signature x-google-dkim-signature return-path resent-bcc".split()
)
_LENGTH_LIMIT = 100_000  # octets of a header that is kept; real ones have hundreds, at most thousands
_PRIORITIES: dict[str, Priority] = {
    **dict.fromkeys(("high", "1", "2"), "high"),
    **dict.fromkeys(("low", "4", "5"), "low"),
}


def parse(raw: bytes | bytearray | memoryview | str) -> Message:
    """The message in these octets (RFC 5322). Line ends of any kind and malformed MIME are put up with."""
    octets = raw.encode("utf-8", "replace") if isinstance(raw, str) else bytes(raw)
    if not octets.count(b"\r\n") == octets.count(b"\n") == octets.count(b"\r"):
        octets = octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    fields = read_fields(octets[: body_start(octets)], lenient=True)
    bodies = Bodies()
    bodies.read(octets, 0, len(octets))
    inline, attached = bodies.inline_and_attached()
    # With HTML alone an empty text: nothing is to be derived that was not there.
    text = "\n".join(bodies.texts) if bodies.texts or bodies.html is not None else None
    return Message(
        next(iter(_mailboxes(fields, "from")), None),
        _mailboxes(fields, "to"),
        one_line(decoded_words(_text(fields, "subject"))),
        text,
        bodies.html,
        attachments=attached,
        inline=inline,
        cc=_mailboxes(fields, "cc"),
        bcc=_mailboxes(fields, "bcc"),
        reply_to=_mailboxes(fields, "reply-to"),
        headers=_others(fields),
        in_reply_to=_identifiers(fields, "in-reply-to"),
        references=_identifiers(fields, "references"),
        priority=_priority(fields),
        date=_date(fields),
        message_id=next(iter(_identifiers(fields, "message-id")), None),
    )


def _text(fields: list[Field], key: str) -> str:
    field = first(fields, key)
    return field.text if field is not None else ""


def _mailboxes(fields: list[Field], key: str) -> list[Address]:
    """The addresses of all fields of that name, their names decoded."""
    found: list[Address] = []
    for field in fields:
        if field.key == key:
            text = one_line(field.text)
            try:
                found.extend([_named(one.spec, one.name) for one in header_addresses(text)])
            except AddressError:
                found.extend(_tolerated(text))
    return found


def _named(spec: str, name: str) -> Address:
    return Address(spec, one_line(decoded_words(name))[:NAME_LIMIT].strip(" "))


def _tolerated(text: str) -> Iterator[Address]:
    """The sound addresses in a list that has unsound ones."""
    for one in _pieces(text):
        name, comment = one, ""
        if one.endswith(")") and "(" in one:  # “ada@example.org (Ada Lovelace)”, the obsolete form
            name, _, comment = one[:-1].partition("(")
            if "(" in comment or ")" in comment:
                continue  # what stands between two comments is part of the address to some readers
        name, bracket, spec = name.rpartition("<")
        spec, name = (spec.rstrip(" ").removesuffix(">"), name) if bracket else (spec, comment)
        try:
            # No more than the white space around it is taken off, for two readers must see the same address.
            yield _named(spec.strip(" "), name.strip(' "').replace("\\", ""))
        except AddressError:
            continue


def _pieces(text: str) -> Iterator[str]:
    """Split at commas and semicolons outside quotation marks, angle brackets and encoded words."""
    start = position = 0
    closing = ""
    while position < len(text):
        character = text[position]
        if closing:
            if character == "\\" and closing == '"':
                position += 1
            elif text.startswith(closing, position):
                closing = ""
        elif character in '"<':
            closing = '"' if character == '"' else ">"
        elif text.startswith("=?", position) and (word := encoded_word(text, position)) is not None:
            position = word[2]
            continue
        elif character in ",;":
            yield text[start:position].strip(" ")
            start = position + 1
        elif character == ":":
            start = position + 1  # the name of a group
        position += 1
    yield text[start:].strip(" ")


def _identifiers(fields: list[Field], key: str) -> list[str]:
    """The message identifiers that are sound; In-Reply-To of old mail has other words between them."""
    found: list[str] = []
    for piece in one_line(_text(fields, key)).split("<")[1:]:
        identifier, bracket, _ = piece.partition(">")
        try:
            found.extend(checked_ids(f"<{identifier}>", key) if bracket and " " not in identifier else ())
        except HeaderError:
            continue
    return found


def _date(fields: list[Field]) -> str | None:
    text = one_line(_text(fields, "date")).partition("(")[0].strip(" ")[:100]
    if not text:
        return None
    try:
        return checked_date(text)
    except HeaderError:
        from email.utils import parsedate_to_datetime  # knows the obsolete forms

        try:
            return checked_date(parsedate_to_datetime(text))
        except (HeaderError, ValueError, TypeError, IndexError, OverflowError):
            return None


def _priority(fields: list[Field]) -> Priority | None:
    said = _text(fields, "importance").lower() or _text(fields, "x-priority")[:1]
    return _PRIORITIES.get(said)


def _others(fields: list[Field]) -> list[tuple[str, str]]:
    """The header fields without a keyword of their own, as far as a message may carry them."""
    found: list[tuple[str, str]] = []
    seen: set[str] = set()
    for field in fields:
        key = field.key
        if key in _READ or key.startswith("arc-") or len(field.raw) > _LENGTH_LIMIT:
            continue
        text = one_line(field.text)
        for value in dict.fromkeys((one_line(decoded_words(text)), text)):
            pair = (field.name, value)
            try:
                checked_headers((pair, pair) if key in seen else (pair,))
            except (HeaderError, AddressError):
                continue
            found.append(pair)
            seen.add(key)
            break
    return found
