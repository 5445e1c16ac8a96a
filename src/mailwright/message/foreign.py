"""Adopting a message from elsewhere: raw RFC 5322 octets become a content that may be sent, and an envelope.

As little as possible is changed, and nothing in a message that is signed:

=====================================  ==============================  ==========================
what comes in                          unsigned                        signed
=====================================  ==============================  ==========================
lines that end in LF only              CRLF                            CRLF (its canonical form)
a bare CR, or CRLF and LF mixed        refused                         refused
Bcc, Resent-Bcc                        taken out, used                 refused
no Date, no Message-ID, no From        added                           left (no From: refused)
a header line over 998 octets          folded anew                     refused
a body line over 998 octets, or a NUL  parts encoded anew              refused
a control in a header, a field twice   refused                         refused
=====================================  ==============================  ==========================
"""

from __future__ import annotations

from mailwright.message.content import Content
from mailwright.message.entities import is_sound
from mailwright.message.fields import (
    BLIND,
    ONCE,
    SIGNATURE_FIELDS,
    Field,
    body_start,
    check_sound,
    first,
    fold,
    header_addresses,
    media_type,
    needs_folding,
    read_fields,
)
from mailwright.message.glance import glance
from mailwright.message.headers import LIMIT
from mailwright.message.transfer import ends_in_crlf
from mailwright.words.address import Address, addresses
from mailwright.words.envelope import Envelope
from mailwright.words.errors import AddressError, HeaderError, MessageError
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    AddressLike = str | Address | tuple[str, str]

_RESENT = tuple(f"resent-{name}" for name in ("date", "from", "sender", "to", "cc", "bcc", "message-id"))
_SIGNED_TYPES = frozenset(
    ("multipart/signed", "multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
)


@value
class Adopted:
    """What became of the octets. `signed` names what the message is signed or sealed by; empty if by nothing."""

    envelope: Envelope
    message_id: str
    content: Content
    signed: str


def adopt(
    octets: bytes,
    *,
    now: float,
    token: str,
    envelope: Envelope | None = None,
    sender: AddressLike | None = None,
    to: AddressLike | Iterable[AddressLike] | None = None,
) -> Adopted:
    """Make finished octets ready to be sent; see the table above.

    With an `envelope` nothing is read from the header fields; otherwise `sender` and `to` replace what they
    say. `now` is in seconds since 1970, `token` is unique. Raises `MessageError`, `HeaderError` or
    `AddressError`.
    """
    sound = glance(octets)
    if sound is None:
        return adopt_thoroughly(octets, now, token, envelope, sender, to)
    if envelope is None:
        envelope = _envelope(sound.fields, sender, to)
    content = Content((octets,), eight_bit=not octets.isascii(), checked=True)
    return Adopted(envelope, sound.message_id, content, "")


def adopt_thoroughly(
    octets: bytes,
    now: float,
    token: str,
    envelope: Envelope | None,
    sender: AddressLike | None,
    to: AddressLike | Iterable[AddressLike] | None,
) -> Adopted:
    """What `adopt` does with a message that may need something."""
    data = canonical(octets)
    start = body_start(data)
    fields = read_fields(data[:start])
    check_fields(fields)
    signed = signature(fields)
    if envelope is None:
        envelope = _envelope(fields, sender, to)
    kept = _without_bcc(fields, signed)
    kept = [_well_folded(field, signed) for field in kept]
    if not signed or first(kept, "from") is None:
        kept = _completed(kept, envelope, signed, now, token)
    body = data[start:]
    if not is_sound(body):
        kept, body = _repaired(kept, body, signed)
    head = _written(kept)
    found = first(kept, "message-id")
    return Adopted(
        envelope,
        found.text if found is not None else "",
        Content((head, body), eight_bit=not body.isascii(), utf8=not head.isascii()),
        signed,
    )


def _written(fields: list[Field]) -> bytes:
    """The header section: these fields and no other, which is checked in the octets themselves."""
    head = b"".join([field.raw for field in fields]) + b"\r\n"
    if [field.name for field in read_fields(head)] != [field.name for field in fields]:
        raise HeaderError(
            "The header fields of the finished message are not the intended ones; it was not sent.",
            "This is a defect of mailwright: please report it.",
        )
    return head


def canonical(octets: bytes) -> bytes:
    """The octets with CRLF at the end of every line, the last one included. Raises `MessageError`.

    Only a message that has LF throughout is changed: what a bare CR or LF means is a matter on which servers
    disagree, and that has let one message pass for two (SMTP smuggling, RFC 5321 §2.3.8).
    """
    if b"\r" not in octets:
        octets = octets.replace(b"\n", b"\r\n")
    elif not ends_in_crlf(octets):
        raise _stray_line_end(octets)
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"


def _stray_line_end(octets: bytes) -> MessageError:
    rest = octets.replace(b"\r\n", b"  ")
    places = [(rest.find(octet), name) for octet, name in ((b"\r", "CR"), (b"\n", "LF")) if octet in rest]
    place, name = min(places)
    line = octets.count(b"\n", 0, place) + 1
    return MessageError(
        f"Line {line} of the message has a {name} that stands alone.",
        "End every line with CRLF, or every line with LF (RFC 5321 §2.3.8).",
    )


def check_fields(fields: list[Field]) -> None:
    """Refuse what no two programs read alike: controls, octets that are not UTF-8, a single field twice."""
    seen: set[str] = set()
    for field in fields:
        check_sound(field)
        key = field.key
        if key in ONCE and key in seen:
            raise HeaderError(
                f"The message has more than one {field.name} header.",
                "Keep one of them; several addresses go into one, separated by commas (RFC 5322 §3.6).",
                field=field.name,
            )
        seen.add(key)


def signature(fields: list[Field]) -> str:
    """By what a message is signed or sealed: the field or the media type; empty if it is not."""
    for field in fields:
        if field.key in SIGNATURE_FIELDS:
            return field.name
    kind = media_type(fields)[0]
    return kind if kind in _SIGNED_TYPES else ""


def _envelope(
    fields: list[Field], sender: AddressLike | None, to: AddressLike | Iterable[AddressLike] | None
) -> Envelope:
    prefix = "" if sender is not None and to is not None else _resent_prefix(fields)
    path = (Address.of(sender) if sender else None) if sender is not None else _sender(fields, prefix)
    if to is not None:
        return Envelope(path, addresses(to))
    found: list[Address] = []
    for key in ("to", "cc", "bcc"):
        for field in fields:
            if field.key == prefix + key:
                found.extend(_read(field))
    if not found:
        raise MessageError(
            f"No recipients: there is no address in the headers {prefix.title()}To, Cc or Bcc.",
            "Name them with to=.",
        )
    return Envelope(path, tuple(found))


def _resent_prefix(fields: list[Field]) -> str:
    """``resent-`` when the message has been given to the mail system anew (RFC 5322 §3.6.6), else nothing."""
    keys = [field.key for field in fields if field.key in _RESENT]
    if len(keys) != len(set(keys)):
        raise HeaderError(
            "The message was resent more than once, so that its headers don't say who gets it now.",
            "Name the envelope with sender= and to= (RFC 5322 §3.6.6).",
            field="Resent-To",
        )
    return "resent-" if any(key not in ("resent-date", "resent-message-id") for key in keys) else ""


def _sender(fields: list[Field], prefix: str) -> Address:
    # §3.6.2: Sender names who transmits the message, when that is not the author or there are several.
    for key in ("sender", "from"):
        field = first(fields, prefix + key)
        found = _read(field) if field is not None else []
        if len(found) == 1:
            return found[0]
        if found:
            raise HeaderError(
                f"{prefix.title()}{key.title()} has {len(found)} addresses, but one must send the message.",
                f"Add a {prefix.title()}Sender header (RFC 5322 §3.6.2), or give sender=.",
                field=prefix.title() + key.title(),
            )
    raise HeaderError(
        f"The message does not say who sends it: there is no address in {prefix.title()}From.",
        "Give sender=.",
        field=f"{prefix.title()}From",
    )


def _read(field: Field) -> list[Address]:
    try:
        return header_addresses(field.text)
    except AddressError as problem:
        raise AddressError(
            f"In the header {field.name}: {problem.what}",
            "Correct it, or name the envelope with sender= and to=.",
            text=problem.text,
            position=problem.position,
        ) from None


def _without_bcc(fields: list[Field], signed: str) -> list[Field]:
    blind = next((field for field in fields if field.key in BLIND), None)
    if blind is None:
        return fields
    if signed:
        raise HeaderError(
            f"{blind.name} would be seen by all, and can't be taken out: the message is signed ({signed}).",
            "Take it out before the message is signed, and name the recipients with to=.",
            field=blind.name,
        )
    return [field for field in fields if field.key not in BLIND]


def _well_folded(field: Field, signed: str) -> Field:
    if not needs_folding(field):
        return field
    if signed:
        raise HeaderError(
            f"{field.name} has an empty line or one over {LIMIT} octets, and the message is signed ({signed}).",
            "Fold it at 78 characters before the message is signed (RFC 5322 §2.1.1).",
            field=field.name,
        )
    return fold(field)


def _completed(fields: list[Field], envelope: Envelope, signed: str, now: float, token: str) -> list[Field]:
    """The fields with Date, From and Message-ID, which a message must have or should have (RFC 5322 §3.6)."""
    from mailwright.message.stamping import date_text, message_id

    kept = [field for field in fields if field.text or field.key not in ("date", "from", "message-id")]
    if first(kept, "from") is None:
        if signed or envelope.sender is None:
            raise HeaderError("The message has no From header.", "Say who writes (RFC 5322 §3.6.2).", field="From")
        kept.append(_made("From", envelope.sender.spec))
    if first(kept, "date") is None:
        kept.append(_made("Date", date_text(now)))
    if first(kept, "message-id") is None:
        kept.append(_made("Message-ID", message_id(token, _author_domain(kept, envelope))))
    return kept


def _made(name: str, text: str) -> Field:
    field = Field(name, f"{name}: {text}\r\n".encode())
    check_sound(field)
    return field


def _author_domain(fields: list[Field], envelope: Envelope) -> str:
    """The domain that vouches for the identifier: the author's if it can be read, else the envelope's."""
    author = first(fields, "from")
    try:
        found = header_addresses(author.text) if author is not None else []
    except AddressError:
        found = []
    if found:
        return found[0].domain
    return (envelope.sender or envelope.recipients[0]).domain


def _repaired(fields: list[Field], body: bytes, signed: str) -> tuple[list[Field], bytes]:
    if signed:
        raise MessageError(
            f"The body has a NUL or a line over {LIMIT} octets, and can't be encoded anew: the message "
            f"is signed ({signed}).",
            "Encode it as quoted-printable or base64 before it is signed (RFC 5322 §2.1.1).",
        )
    from mailwright.message.reencode import seven_bit

    data = seven_bit(b"".join([field.raw for field in fields]) + b"\r\n" + body)
    start = body_start(data)
    return read_fields(data[:start]), data[start:]
