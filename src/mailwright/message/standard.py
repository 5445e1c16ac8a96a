"""Messages of the standard library's ``email`` package as octets.

Its generator has let line breaks in a value become fields of their own (CVE-2024-6923, CVE-2026-1299), and
lost the quotation marks of names while folding, so that one address became two. So every value is checked
before, the names of the fields are compared after, and address fields are written by our own hand, whatever
the interpreter's patch level.
"""

from __future__ import annotations

from io import BytesIO

from mailwright.message.entities import NESTING_LIMIT
from mailwright.message.fields import Field, body_start, header_addresses, read_fields
from mailwright.message.foreign import canonical, signature
from mailwright.message.headers import mailboxes
from mailwright.words.address import is_control
from mailwright.words.errors import AddressError, HeaderError, MessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from email.message import Message as EmailMessage
    from typing import Any

    Wanted = Sequence[tuple[str, object]]

PARTS_LIMIT = 10_000  # one part may stand in a tree many times, so that a few objects can mean any number

_ADDRESS_FIELDS = frozenset(
    f"{prefix}{name}" for prefix in ("", "resent-") for name in ("from", "sender", "reply-to", "to", "cc", "bcc")
)
# “John Q. Public <…>”, which everybody writes, and a local part that SMTPUTF8 can carry.
_HARMLESS = ("ObsoleteHeaderDefect: period in 'phrase'", "NonASCIILocalPartDefect: ")
_ENCODING = "content-transfer-encoding"
_ADVICE = "Build the message with mailwright.Message, or give its octets."


def octets_of(message: EmailMessage) -> bytes:
    """The octets of a message of the ``email`` package, with CRLF line ends.

    Raises `MessageError` or `HeaderError`.
    """
    sealed = _check_tree(message)
    # The generator may replace the transfer encoding, so that this field alone may differ.
    wanted = [(name, value) for name, value in message.raw_items() if name.lower() != _ENCODING]
    for name, value in wanted:
        _check_defects(name, value)
    data = canonical(_generated(message, wanted, sealed))
    start = body_start(data)
    fields = read_fields(data[:start])
    found = [field for field in fields if field.key != _ENCODING]
    if [field.name for field in found] != [name for name, _ in wanted]:
        names = {name for name, _ in wanted}
        strange = next((field.name for field in found if field.name not in names), "")
        raise HeaderError(
            f"The email package wrote other header fields than the message has ({strange or 'not all of them'}).",
            _ADVICE,
            field=strange,
        )
    if not signature(fields):
        own = {id(field): _own_hand(field, value) for field, (_, value) in zip(found, wanted, strict=True)}
        fields = [own.get(id(field), field) for field in fields]
    return b"".join([*(field.raw for field in fields), b"\r\n", data[start:]])


def _check_tree(message: EmailMessage) -> bool:
    """Check the fields of every part, and tell whether any of them is signed.

    With a stack of its own, because a tree may be deep or hold itself.
    """
    waiting: list[tuple[Any, int]] = [(message, 0)]
    seen, sealed = 0, False
    while waiting:
        part, depth = waiting.pop()
        seen += 1
        if depth > NESTING_LIMIT or seen > PARTS_LIMIT:
            raise MessageError(
                f"The message is over {NESTING_LIMIT} levels deep, or has over {PARTS_LIMIT:,} parts.",
                "Make it flat; a part must not hold itself.",
            )
        if not hasattr(part, "raw_items"):
            raise MessageError(f"A part of the message is {type(part).__name__}, which is no message.", _ADVICE)
        for name, value in part.raw_items():
            text = _checked(name, value)
            sealed = sealed or bool(signature([Field(name, f"{name}: {text}\r\n".encode("utf-8", "replace"))]))
        payload = part.get_payload()
        if isinstance(payload, list):
            waiting.extend((one, depth + 1) for one in payload)
    return sealed


def _checked(name: object, value: object) -> str:
    """The text of a header, if it and the name are sound."""
    if not isinstance(name, str) or not name or not all("!" <= c <= "~" and c != ":" for c in name):
        shown = ascii(name)[1:-1][:80]
        raise HeaderError(f"“{shown}” can't be the name of a header.", "Use letters, digits and hyphens.", field=shown)
    try:
        text = str(value)
    except Exception as problem:  # a Header of the package decodes here, and may stumble
        raise HeaderError(f"The header {name} can't be read: {problem}.", _ADVICE, field=name) from problem
    unfit = "" if text.isprintable() else _unfit(text)
    if unfit:
        raise HeaderError(
            f"The header {name} holds {unfit}.",
            "A header is one line of text: take it out.",
            field=name,
        )
    return text


def _unfit(text: str) -> str:
    """What a header's text holds that it may not. Folds, as in a message that was read, are allowed."""
    first, *folded = text.replace("\r\n", "\n").split("\n")
    if folded and not all(line[:1] in (" ", "\t") and line.strip(" \t") for line in folded):
        return "a line break"
    for character in "".join((first, *folded)):
        # Octets of a message that was read from bytes stand as surrogates; they come out as they went in.
        if is_control(character) and character != "\t" and not "\udc80" <= character <= "\udcff":
            return f"the control character {character!a}"
    return ""


def _check_defects(name: str, value: object) -> None:
    """Refuse addresses that the package itself has doubts about: it shows what it made of them, not what was given."""
    for defect in getattr(value, "defects", ()):
        known = f"{type(defect).__name__}: {defect}"
        if name.lower() in _ADDRESS_FIELDS and not known.startswith(_HARMLESS):
            raise AddressError(
                f"In the header {name}: the email package finds a defect in the address: {defect}.",
                "Write it like ada@example.org or Ada Lovelace <ada@example.org>.",
                text=str(value),
            )


def _generated(message: EmailMessage, wanted: Wanted, sealed: bool) -> bytes:
    from email.generator import BytesGenerator
    from email.policy import Compat32

    class Verbatim(Compat32):
        """The old policy would fold the fields of a part anew, which a signature may cover."""

        def fold_binary(self, name: str, value: Any) -> bytes:
            if not isinstance(value, str) or not value.isascii():
                return super().fold_binary(name, value)
            return f"{name}: {value}\r\n".replace("\r\n", "\n").replace("\n", "\r\n").encode("ascii")

    policy: Any = message.policy.clone(linesep="\r\n")
    if sealed and type(policy) is Compat32:
        policy = Verbatim(linesep="\r\n", cte_type=policy.cte_type, max_line_length=policy.max_line_length)
    elif hasattr(policy, "utf8") and hasattr(policy, "refold_source"):
        # Lines that were read from a message stay as they are. Raw UTF-8 (RFC 6532) only for addresses that
        # can't be written without it: the package would encode them, and so make other addresses of them.
        policy = policy.clone(refold_source="none", utf8=any(_needs_utf8(value) for _, value in wanted))
    target = BytesIO()
    try:
        BytesGenerator(target, mangle_from_=False, policy=policy).flatten(message)
    except Exception as problem:  # whatever a half-built message makes the package stumble over
        raise MessageError(
            f"The email package can't write the message: {type(problem).__name__}: {problem}.", _ADVICE
        ) from problem
    return target.getvalue()


def _needs_utf8(value: object) -> bool:
    return any(not one.username.isascii() for one in getattr(value, "addresses", ()))


def _own_hand(field: Field, value: object) -> Field:
    """A field that is a plain list of addresses, written anew; any other as it is.

    One that defies our grammar stays as well: it is refused if it is needed for the envelope.
    """
    text = str(value)
    if field.key not in _ADDRESS_FIELDS:
        return field
    if hasattr(value, "groups"):  # the text of such a value is decoded and has its quotation marks
        plain = all(group.display_name is None for group in value.groups)
    else:
        plain = ":" not in text and ";" not in text and "=?" not in text
    try:
        found = header_addresses(text.replace("\r\n", "").replace("\n", "")) if plain else []
        return Field(field.name, mailboxes(field.name, found).encode()) if found else field
    except (AddressError, HeaderError):
        return field
