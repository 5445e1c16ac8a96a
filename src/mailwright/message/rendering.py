"""A stamped `Message` becomes a `Content`: its header fields, its structure, and the octets of both."""

from __future__ import annotations

from mailwright.message.content import Content
from mailwright.message.headers import identifiers, mailboxes, unstructured, verify
from mailwright.message.stamping import now_and_token
from mailwright.message.tree import Multipart, Part, text_part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.message.attachment import Attachment
    from mailwright.message.content import Stream
    from mailwright.message.message import Message
    from mailwright.words.address import Address

    Stamp = tuple[str, str]  # Date and Message-ID

_MARK_LIMIT = 40  # characters; a whole boundary has at most 70 (RFC 2046 §5.1.1)
_RAW = ("7bit", "8bit", "binary")
_PRIORITY = {"high": "1", "low": "5"}


def render(message: Message, sender: Address, stamp: Stamp, eight_bit: bool, binary: bool = False) -> Content:
    """The octets of a message with the Date and Message-ID of its `stamp`; 8-bit bodies only if `eight_bit` allows, and
    attachments as they are only if `binary` does and they ask for it.
    """
    tree, leaves = structure(message, eight_bit, binary)
    mark = _mark(stamp[1], leaves) if isinstance(tree, Multipart) else ""
    names, fields = header_fields(message, sender, stamp)
    fields += ("MIME-Version: 1.0\r\n", tree.fields(mark))
    head = "".join(fields)
    verify(head, [*names, "MIME-Version", *tree.names])
    pieces: list[bytes | Stream] = [f"{head}\r\n".encode()]
    tree.write(mark, pieces)
    # Each piece is ours: fields that were verified, bodies of `transfer`, delimiters.
    return Content(
        _joined(pieces),
        eight_bit=tree.encoding in ("8bit", "binary"),
        utf8=not head.isascii(),
        binary=tree.encoding == "binary",
        checked=True,
    )


def header_fields(message: Message, sender: Address, stamp: Stamp) -> tuple[list[str], list[str]]:
    """The names of the fields about the message, and the fields as they are written."""
    date, message_id = stamp
    names, fields = ["Date", "From"], [f"Date: {date}\r\n", mailboxes("From", (sender,))]
    for name, found in (("To", message.to), ("Cc", message.cc), ("Reply-To", message.reply_to)):
        if found:
            names.append(name)
            fields.append(mailboxes(name, found))
    names += ("Subject", "Message-ID")
    fields += (unstructured("Subject", message.subject), f"Message-ID: {message_id}\r\n")
    if message.in_reply_to:
        names.append("In-Reply-To")
        fields.append(identifiers("In-Reply-To", message.in_reply_to))
    # RFC 5322 §3.6.4: a reply names at least its parent in References too, by which readers make threads.
    if references := message.references or message.in_reply_to:
        names.append("References")
        fields.append(identifiers("References", references))
    if message.priority in _PRIORITY:
        names += ("X-Priority", "Importance")
        fields += (f"X-Priority: {_PRIORITY[message.priority]}\r\n", f"Importance: {message.priority}\r\n")
    if message.headers:
        from mailwright.message.extra_headers import written

        names += [name for name, _ in message.headers]
        fields += [written(name, text) for name, text in message.headers]
    return names, fields


def structure(message: Message, eight_bit: bool, binary: bool = False) -> tuple[Part | Multipart, list[Part]]:
    """The parts, under as few levels as say what belongs together; and the parts alone."""
    leaves: list[Part] = []
    bodies: list[Part | Multipart] = []
    text, html = message.text, message.html
    if html is not None and text is None:
        text = _derived(html)
    if text or (html is None and not message.attachments):
        leaves.append(text_part("plain", text or "", eight_bit))
        bodies.append(leaves[0])
    if html is not None:
        shown = [text_part("html", html, eight_bit), *_attached(message.inline, eight_bit, binary)]
        leaves += shown
        bodies.append(Multipart("related", shown) if len(shown) > 1 else shown[0])
    if len(bodies) == 2:
        bodies = [Multipart("alternative", bodies)]
    attached = _attached(message.attachments, eight_bit, binary)
    leaves += attached
    bodies += attached
    return (bodies[0] if len(bodies) == 1 else Multipart("mixed", bodies)), leaves


def _derived(html: str) -> str:
    """The text of a message that has only HTML; for a newsletter it is derived once."""
    from mailwright.message.kept import keep, kept

    text = kept(html, ("text",), str)
    if text is None:
        from mailwright.message.markup.text import text_from_html

        text = text_from_html(html)
        keep(html, ("text",), text, len(text))
    return text


def _attached(found: tuple[Attachment, ...], eight_bit: bool, binary: bool) -> list[Part]:
    if not found:
        return []
    from mailwright.message.attached import attached_part  # most messages need none of it

    return [attached_part(one, eight_bit, binary) for one in found]


def _mark(message_id: str, leaves: list[Part]) -> str:
    """What makes this message's boundaries its own: derived from its Message-ID, and nowhere in a body."""
    left = message_id[1:].partition("@")[0]
    mark = (left if left.isalnum() else "".join(filter(str.isalnum, left)))[:_MARK_LIMIT]
    if any(leaf.encoding == "binary" and not isinstance(leaf.body, bytes) for leaf in leaves):
        mark = now_and_token()[1]  # nobody looks into a file that is not read: what stands in it can't know this
    # Only a body that is written as it is can hold a boundary: neither base64 nor quoted-printable has "=_".
    raw = [leaf.body for leaf in leaves if leaf.encoding in _RAW and isinstance(leaf.body, bytes)]
    while raw and any(mark.encode() in body for body in raw):
        from hashlib import sha256  # a body that held the next mark too would have to hold its own hash

        mark = sha256(b"\0".join((mark.encode(), *raw))).hexdigest()[:_MARK_LIMIT]
    return mark


def _joined(pieces: list[bytes | Stream]) -> list[bytes | Stream]:
    """Neighbouring octets in one piece, and CRLF at the end."""
    last = pieces[-1]
    if not isinstance(last, bytes) or (last and not last.endswith(b"\r\n")):
        pieces.append(b"\r\n")
    try:
        return [b"".join(pieces)]  # type: ignore[arg-type]
    except TypeError:  # there is a stream among them
        pass
    joined: list[bytes | Stream] = []
    held: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            held.append(piece)
        else:
            joined += (b"".join(held), piece)
            held = []
    joined.append(b"".join(held))
    return joined
