"""An attachment as a part of the message: its encoding, its type, its names."""

from __future__ import annotations

from mailwright.message.content import CHUNK
from mailwright.message.kept import keep, kept
from mailwright.message.media_types import UNKNOWN
from mailwright.message.parameters import ascii_fallback, parse_media_type, with_parameters
from mailwright.message.source import Octets, StoredFile
from mailwright.message.transfer import LINE_LIMIT, Base64Stream, Plain, base64, encoded_octets, identity
from mailwright.message.tree import Part, complete
from mailwright.words.errors import MessageError
from mailwright.words.remember import remember

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.attachment import Attachment
    from mailwright.message.content import Stream
    from mailwright.message.source import Source
    from mailwright.message.tree import Head

    Parameters = tuple[tuple[str, str], ...]

_HELD = 1 << 18  # octets of an attachment that are encoded at once; more are encoded while they are sent
_EMBEDDED = 1 << 25  # octets of an attached message, which must be looked at as a whole
_HEADS = 100  # header fields that are remembered

_heads: dict[tuple[str, Parameters, str, str | None, str], Head] = {}


def attached_part(attachment: Attachment, eight_bit: bool, binary: bool) -> Part:
    """An attachment or an inline part; one that many messages have is made once (`mailwright.message.kept`)."""
    source = attachment.opened
    if binary and attachment.binary:
        kind, parameters = parse_media_type(attachment.type or UNKNOWN)
        body = source.data if isinstance(source, Octets) else Plain(source)
        return _complete(attachment, UNKNOWN if kind.startswith("message/") else kind, parameters, "binary", body)
    if not isinstance(source, Octets) or source.size > _HELD:
        return _part(attachment, None, eight_bit)
    form = (attachment.name, attachment.type, attachment.cid, eight_bit)
    part = kept(source.data, form, Part)
    if part is None:
        part = _part(attachment, source.data, eight_bit)
        keep(source.data, form, part, len(part.body) if isinstance(part.body, bytes) else 0)
    return part


def _part(attachment: Attachment, held: bytes | None, eight_bit: bool) -> Part:
    """The part anew; `held` are its octets, if they are to be encoded now."""
    kind, parameters = parse_media_type(attachment.type or UNKNOWN)
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
        body = "base64", base64(held) if held is not None else _stream(attachment.opened)
    return _complete(attachment, kind, parameters, *body)


def _complete(attachment: Attachment, kind: str, parameters: Parameters, encoding: str, body: bytes | Stream) -> Part:
    # A thousand invoices, each with a file of that name, have the same head.
    key = (kind, parameters, attachment.name or "", attachment.cid, encoding)
    return Part(_heads.get(key) or remember(_heads, _HEADS, key, _head(*key)), encoding, body)


def _stream(source: Source) -> Base64Stream:
    small = isinstance(source, StoredFile) and source.size <= _HELD
    return _SmallFile(source) if small else Base64Stream(source)


class _SmallFile(Base64Stream):
    """A file in base64 that is encoded once for all messages that have it, for as long as it does not change."""

    __slots__ = ()

    _source: StoredFile

    def chunks(self) -> Iterator[bytes]:
        file = self._source
        form = ("base64", file.state)
        whole = kept(file.path, form, bytes)
        if whole is None:
            whole = keep(file.path, form, b"".join(super().chunks()), self.size)
        else:
            file.check()
        for start in range(0, self.size, CHUNK):
            if 0 < start and self.size <= start + CHUNK:
                file.check()  # a change under way must not look like a whole message
            yield whole[start : start + CHUNK]


def _head(kind: str, parameters: Parameters, name: str, cid: str | None, encoding: str) -> Head:
    """The header fields and their names."""
    disposition = "attachment" if cid is None else "inline"
    # The name in Content-Type is for readers that know no RFC 2231, so it is plain ASCII there; the exact
    # one is in Content-Disposition. Both forms in one field would be read differently by different programs.
    head = with_parameters("Content-Type", kind, (*parameters, ("name", ascii_fallback(name))))
    head += with_parameters("Content-Disposition", disposition, (("filename", name),))
    names: tuple[str, ...] = ("Content-Type", "Content-Disposition")
    if cid is not None:
        head += f"Content-ID: <{cid}>\r\n"
        names += ("Content-ID",)
    return complete(head, names, encoding)


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
