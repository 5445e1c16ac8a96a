"""The header fields that a caller adds: which may be set, which only once, and how each is written."""

from __future__ import annotations

from mailwright.message.headers import check_field_name, mailboxes, refuse_controls, structured, unstructured
from mailwright.words.address import parse_addresses
from mailwright.words.errors import AddressError, HeaderError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Headers = Mapping[str, str] | Iterable[tuple[str, str]]

#: Fields that a message writes itself, and the keyword that sets each.
OWN = {
    "from": "sender",
    "to": "to",
    "cc": "cc",
    "bcc": "bcc",
    "reply-to": "reply_to",
    "subject": "subject",
    "date": "date",
    "message-id": "message_id",
    "in-reply-to": "in_reply_to",
    "references": "references",
}

#: Fields that nobody sets: the MIME structure, and what only a delivering server may write (RFC 5321 §4.4).
FORBIDDEN = frozenset(("mime-version", "return-path", "resent-bcc"))

#: Fields of addresses; a name in them may be encoded, an address never.
ADDRESSES = frozenset(
    """
    disposition-notification-to errors-to mail-followup-to mail-reply-to resent-cc resent-from
    resent-sender resent-to return-receipt-to sender x-confirm-reading-to
    """.split()
)

# Machines read these: no encoded words. In fields that no standard knows they may stand (RFC 2047 §5).
_MACHINE = frozenset(
    """
    accept-language archived-at authentication-results auto-submitted autocrypt content-language
    dkim-signature domainkey-signature expires feedback-id importance list-archive list-help
    list-owner list-post list-subscribe list-unsubscribe list-unsubscribe-post original-message-id
    precedence priority received received-spf require-recipient-valid-since resent-date
    resent-message-id sensitivity supersedes tls-required x-auto-response-suppress x-entity-ref-id
    x-msmail-priority x-priority
    """.split()
)
_ONCE = frozenset(
    """
    auto-submitted disposition-notification-to importance list-archive list-help list-id list-owner
    list-post list-subscribe list-unsubscribe list-unsubscribe-post precedence priority sender
    sensitivity x-priority
    """.split()
)


def checked_headers(given: Headers | None) -> tuple[tuple[str, str], ...]:
    """Names and values as given, if a message may carry them. Raises `HeaderError` or `AddressError`."""
    if not given:
        return ()
    pairs = given.items() if hasattr(given, "items") else given
    found: list[tuple[str, str]] = []
    seen: set[str] = set()
    for name, text in pairs:
        key = check_field_name(name).lower()
        refuse_controls(text, name)
        if key in OWN:
            raise HeaderError(f"{name} can't be set in headers.", f"Write {OWN[key]}=… instead.", field=name)
        if key in FORBIDDEN or (key.startswith("content-") and key != "content-language"):
            raise HeaderError(f"{name} can't be set in headers.", "The message writes it itself.", field=name)
        if key in _ONCE and key in seen:
            raise HeaderError(f"{name} stands twice in headers.", "It may stand only once.", field=name)
        seen.add(key)
        written(name, text)  # whatever can't be written is refused where it enters
        found.append((name, text))
    return tuple(found)


def written(name: str, text: str) -> str:
    """The whole field."""
    key = name.lower()
    if key in ADDRESSES:
        try:
            return mailboxes(name, parse_addresses(text))
        except AddressError as problem:
            raise AddressError(
                f"{name}: {problem.what}", problem.advice, text=problem.text, position=problem.position
            ) from None
    if key in _MACHINE or key.startswith("arc-") or (key == "list-id" and text.isascii()):
        return structured(name, text)
    if key == "list-id":
        return _list_id(name, text)
    return unstructured(name, text)


def _list_id(name: str, text: str) -> str:
    # RFC 2919 §3: a phrase, which may be encoded, and the identifier in angle brackets, which may not.
    phrase, bracket, identifier = text.rpartition("<")
    if not bracket or not identifier.isascii():
        return structured(name, text)
    return unstructured(name, phrase.strip(" ") + " " + bracket + identifier.strip(" "))
