"""An attachment as a part of the message: its encoding, its type, its names."""

from __future__ import annotations

from mailwright.message.media_types import UNKNOWN
from mailwright.message.parameters import ascii_fallback, parse_media_type, with_parameters
from mailwright.message.source import Octets
from mailwright.message.transfer import LINE_LIMIT, Base64Stream, base64, encoded_octets, identity
from mailwright.message.tree import Part
from mailwright.words.errors import MessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.message.attachment import Attachment
    from mailwright.message.content import Stream

    Parameters = tuple[tuple[str, str], ...]

_HELD = 1 << 18  # octets of an attachment that are encoded at once; more are encoded while they are sent
_EMBEDDED = 1 << 25  # octets of an attached message, which must be looked at as a whole


def attached_part(attachment: Attachment, eight_bit: bool) -> Part:
    """An attachment or an inline part."""
    kind, parameters = parse_media_type(attachment.type or UNKNOWN)
    source = attachment.opened
    held = source.data if isinstance(source, Octets) and source.size <= _HELD else None
    body: tuple[str, bytes | Stream] | None = None
    if kind.startswith("message/"):
        # RFC 2046 §5.2.1 allows no encoding. What can't go as it is goes as a file, which readers open as well.
        body = _message(attachment, eight_bit)
        if body is None:
            kind, parameters = UNKNOWN, ()
    elif kind.startswith("text/"):
        if not any(key == "charset" for key, _ in parameters) and _is_utf8(attachment):
            parameters = (*parameters, ("charset", "utf-8"))
        if held is not None:
            body = encoded_octets(held, eight_bit)
    if body is None:
        body = "base64", base64(held) if held is not None else Base64Stream(source)
    return Part(*_head(attachment, kind, parameters), *body)


def _head(attachment: Attachment, kind: str, parameters: Parameters) -> tuple[str, tuple[str, ...]]:
    """The header fields and their names."""
    name = attachment.name or ""
    disposition = "attachment" if attachment.cid is None else "inline"
    # The name in Content-Type is for readers that know no RFC 2231, so it is plain ASCII there; the exact
    # one is in Content-Disposition. Both forms in one field would be read differently by different programs.
    head = with_parameters("Content-Type", kind, (*parameters, ("name", ascii_fallback(name))))
    head += with_parameters("Content-Disposition", disposition, (("filename", name),))
    names: tuple[str, ...] = ("Content-Type", "Content-Disposition")
    if attachment.cid is not None:
        head += f"Content-ID: <{attachment.cid}>\r\n"
        names += ("Content-ID",)
    return head, names


def _message(attachment: Attachment, eight_bit: bool) -> tuple[str, bytes] | None:
    if attachment.size > _EMBEDDED:
        return None
    data = attachment.read()
    name, colon, _ = data[:LINE_LIMIT].partition(b":")
    if not (name and colon) or min(name) <= 32:
        return None  # it does not begin with a header field, so it is something else
    if b"\r" not in data:
        data = data.replace(b"\n", b"\r\n")
    encoding = identity(data)
    return (encoding, data) if encoding == "7bit" or (encoding == "8bit" and eight_bit) else None


def _is_utf8(attachment: Attachment) -> bool:
    """Whether a file of text, if it is short enough to look at, is ASCII or UTF-8."""
    try:
        return attachment.size <= _HELD and attachment.read().decode() is not None
    except (UnicodeDecodeError, MessageError):  # one that changed is reported when it is sent
        return False
