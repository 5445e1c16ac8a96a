"""Messages of the standard library's ``email`` package as octets.

Its generator has let line breaks in a value become fields of their own (CVE-2024-6923, CVE-2026-1299) and
lost the quotation marks of names while folding, so that one address became two. So values are checked
before, names and number of the fields are compared after, and address fields are written by our own hand,
whatever the interpreter's patch level.
"""

from __future__ import annotations

from io import BytesIO

from mailwright.message.entities import NESTING_LIMIT
from mailwright.message.fields import Field, body_start, header_addresses, read_fields
from mailwright.message.foreign import canonical, signature
from mailwright.message.headers import mailboxes
from mailwright.words.address import Address, is_control
from mailwright.words.errors import AddressError, HeaderError, MessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from email.message import Message as EmailMessage

PARTS_LIMIT = 10_000  # a part may stand in a tree twice, so that a few objects can mean any number of parts

_ADDRESS_FIELDS = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "resent-")
    for name in ("from", "sender", "reply-to", "to", "cc", "bcc")
)
_ENCODING = "content-transfer-encoding"


def octets_of(message: EmailMessage) -> bytes:
    """The octets of a message of the ``email`` package, with CRLF line ends. Raises `MessageError` or
    `HeaderError`.
    """
    _check_tree(message)
    # The generator may replace the transfer encoding, so that this field alone may differ.
    wanted = [(name, value) for name, value in message.raw_items() if name.lower() != _ENCODING]
    data = canonical(_generated(message, wanted))
    start = body_start(data)
    fields = read_fields(data[:start])
    found = [field for field in fields if field.key != _ENCODING]
    if [field.name for field in found] != [name for name, _ in wanted]:
        names = {name for name, _ in wanted}
        strange = next((field.name for field in found if field.name not in names), "")
        raise HeaderError(
            f"The email package wrote other header fields than the message has{f' ({strange})' if strange else ''}.",
            "Build the message with mailwright.Message, or give its octets.",
            field=strange,
        )
    if not signature(fields):
        own = {id(field): _own_hand(field, value) for field, (_, value) in zip(found, wanted, strict=True)}
        fields = [own.get(id(field), field) for field in fields]
    return b"".join([*(field.raw for field in fields), b"\r\n", data[start:]])


def _check_tree(message: EmailMessage) -> None:
    """Check the fields of every part; an explicit stack, because the tree may be deep or lead back to
    itself.
    """
    waiting = [(message, 0)]
    seen = 0
    while waiting:
        part, depth = waiting.pop()
        seen += 1
        if depth > NESTING_LIMIT or seen > PARTS_LIMIT:
            raise MessageError(
                f"The message is nested more than {NESTING_LIMIT} levels deep or has more than {PARTS_LIMIT:,} parts.",
                "Make it flat; a part must not contain itself.",
            )
        for name, value in part.raw_items():
            _check(name, value)
        payload = part.get_payload() if part.is_multipart() else None
        if isinstance(payload, list):
            waiting.extend((one, depth + 1) for one in payload)  # type: ignore[misc]


def _check(name: object, value: object) -> None:
    if not isinstance(name, str) or not name or not all("!" <= c <= "~" and c != ":" for c in name):
        raise HeaderError(
            f"“{ascii(name)[1:-1][:80]}” can't be the name of a header.",
            "Use letters, digits and hyphens.",
            field=str(name),
        )
    text = str(value)
    if text.isprintable():
        return
    first, *folded = text.replace("\r\n", "\n").split("\n")
    problem = ""
    if not all(line[:1] in (" ", "\t") and line.strip(" \t") for line in folded) or (
        folded and not first.strip(" \t")
    ):
        problem = "a line break"
    else:
        # Octets of a message that was read from bytes stand as surrogates; they come out as they went in.
        wrong = next(
            (c for c in text if is_control(c) and c not in "\t\r\n" and not "\udc80" <= c <= "\udcff"), ""
        )
        if wrong or "\r" in "".join((first, *folded)):
            problem = f"the control character {wrong or chr(13)!a}"
    if problem:
        raise HeaderError(
            f"The header {name} holds {problem}.", "A header is one line of text: take it out.", field=name
        )


def _generated(message: EmailMessage, wanted: list[tuple[str, object]]) -> bytes:
    from email.generator import BytesGenerator

    policy = message.policy.clone(linesep="\r\n")
    if hasattr(policy, "utf8") and hasattr(policy, "refold_source"):
        # Lines that were read from a message stay as they are; raw UTF-8 only where there is no other way
        # (RFC 6532).
        policy = policy.clone(refold_source="none", utf8=any(_needs_utf8(value) for _, value in wanted))
    target = BytesIO()
    try:
        BytesGenerator(target, mangle_from_=False, policy=policy).flatten(message)
    except Exception as problem:  # whatever a half-built message makes the package stumble over
        raise MessageError(
            f"The email package can't write the message: {type(problem).__name__}: {problem}",
            "Build the message with mailwright.Message, or give its octets.",
        ) from problem
    return target.getvalue()


def _needs_utf8(value: object) -> bool:
    return any(not one.username.isascii() for one in getattr(value, "addresses", ()))


def _own_hand(field: Field, value: object) -> Field:
    """An address field written anew, when it is a plain list of addresses; one that defies our grammar stays
    as it is.
    """
    text = str(value)
    if field.key not in _ADDRESS_FIELDS or not text.strip():
        return field
    groups = getattr(value, "groups", ())
    if any(group.display_name is not None for group in groups) or (
        not groups and (":" in text or "=?" in text)
    ):
        return field
    try:
        if groups:
            found = [Address(one.addr_spec, one.display_name) for one in value.addresses]  # type:
            ignore[attr-defined]
        else:
            found = header_addresses(text.replace("\r\n", "\n").replace("\n", " "))
        return Field(field.name, mailboxes(field.name, found).encode())
    except (AddressError, HeaderError):
        return field
