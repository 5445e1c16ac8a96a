"""A stamped `Message` becomes a `Content`: its header fields, its structure, and the octets of both."""

from __future__ import annotations

from mailwright.message.content import Content
from mailwright.message.extra_headers import written
from mailwright.message.headers import identifiers, mailboxes, unstructured, verify
from mailwright.message.tree import Multipart, Part, text_part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailwright.message.attachment import Attachment
    from mailwright.message.content import Stream
    from mailwright.message.message import Message
    from mailwright.words.address import Address

_MARK_LIMIT = 40  # characters; a whole boundary has at most 70 (RFC 2046 §5.1.1)
_RAW = ("7bit", "8bit")
_PRIORITY = {"high": "1", "low": "5"}


def render(message: Message, sender: Address, eight_bit: bool) -> Content:
    """The octets of a message that has its Date and Message-ID; 8-bit bodies only if `eight_bit` allows."""
    tree = structure(message, eight_bit)
    mark = _mark(message.message_id or "", tree) if isinstance(tree, Multipart) else ""
    fields = [*header_fields(message, sender), ("MIME-Version", "MIME-Version: 1.0\r\n")]
    head = "".join([field for _, field in fields]) + tree.fields(mark)
    verify(head, [*[name for name, _ in fields], *tree.names])
    pieces: list[bytes | Stream] = [f"{head}\r\n".encode()]
    tree.write(mark, pieces)
    raw = any(part.encoding == "8bit" for part in tree.parts())
    return Content(_joined(pieces), eight_bit=raw, utf8=not head.isascii())


def header_fields(message: Message, sender: Address) -> list[tuple[str, str]]:
    """The fields about the message, each with its name and as it is written."""
    fields = [("Date", f"Date: {message.date}\r\n"), ("From", mailboxes("From", (sender,)))]
    for name, found in (("To", message.to), ("Cc", message.cc), ("Reply-To", message.reply_to)):
        if found:
            fields.append((name, mailboxes(name, found)))
    fields.append(("Subject", unstructured("Subject", message.subject)))
    fields.append(("Message-ID", f"Message-ID: {message.message_id}\r\n"))
    if message.in_reply_to:
        fields.append(("In-Reply-To", identifiers("In-Reply-To", message.in_reply_to)))
    # RFC 5322 §3.6.4: a reply names at least its parent in References too, by which readers make threads.
    if references := message.references or message.in_reply_to:
        fields.append(("References", identifiers("References", references)))
    if message.priority in _PRIORITY:
        fields.append(("X-Priority", f"X-Priority: {_PRIORITY[message.priority]}\r\n"))
        fields.append(("Importance", f"Importance: {message.priority}\r\n"))
    fields += [(name, written(name, text)) for name, text in message.headers]
    return fields


def structure(message: Message, eight_bit: bool) -> Part | Multipart:
    """The parts, under as few levels as say what belongs together."""
    bodies: list[Part | Multipart] = []
    text, html = message.text, message.html
    if html is not None and text is None:
        from mailwright.message.markup.text import text_from_html

        text = text_from_html(html)
    if text:
        bodies.append(text_part("plain", text, eight_bit))
    if html is not None:
        shown: Part | Multipart = text_part("html", html, eight_bit)
        if message.inline:
            shown = Multipart("related", [shown, *_attached(message.inline, eight_bit)])
        bodies.append(shown)
    if len(bodies) == 2:
        bodies = [Multipart("alternative", bodies)]
    if message.attachments:
        bodies += _attached(message.attachments, eight_bit)
    if len(bodies) > 1:
        return Multipart("mixed", bodies)
    return bodies[0] if bodies else text_part("plain", "", eight_bit)


def _attached(found: Iterable[Attachment], eight_bit: bool) -> list[Part]:
    from mailwright.message.attached import attached_part  # most messages need none of it

    return [attached_part(one, eight_bit) for one in found]


def _mark(message_id: str, tree: Multipart) -> str:
    """What makes this message's boundaries its own: derived from its Message-ID, and nowhere in a body."""
    left = message_id[1:].partition("@")[0]
    mark = (left if left.isalnum() else "".join(filter(str.isalnum, left)))[:_MARK_LIMIT]
    # Only a body that is written as it is can hold a boundary: neither base64 nor quoted-printable has "=_".
    raw = [part.body for part in tree.parts() if isinstance(part.body, bytes) and part.encoding in _RAW]
    while any(mark.encode() in body for body in raw):
        from hashlib import sha256  # a body that held the next mark too would have to hold its own hash

        mark = sha256(b"\0".join((mark.encode(), *raw))).hexdigest()[:_MARK_LIMIT]
    return mark


def _joined(pieces: list[bytes | Stream]) -> list[bytes | Stream]:
    """Neighbouring octets in one piece, and CRLF at the end."""
    joined: list[bytes | Stream] = []
    held: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            held.append(piece)
        else:
            joined += (b"".join(held), piece)
            held = []
    last = b"".join(held)
    if not last.endswith(b"\r\n"):
        last += b"\r\n"
    return [*joined, last]
