"""Encoding a finished message anew so that every server can take it: ASCII, no NUL, no line over 998 octets.

Only leaves that need it are touched, and only their transfer encoding: not the media type, not the other
fields, not a part that is signed, and never an enclosed message as a whole (RFC 2046 §5.2.1 forbids to
encode it).
"""

from __future__ import annotations

from binascii import Error as BinasciiError
from binascii import a2b_base64, a2b_qp

from mailwright.message.entities import NESTING_LIMIT, frame, is_sound
from mailwright.message.fields import (
    Field,
    body_start,
    first,
    fold,
    media_type,
    needs_folding,
    parameters,
    read_fields,
)
from mailwright.message.transfer import base64, encoded
from mailwright.words.errors import MessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    Path = tuple[int, ...]  # the numbers of a part and of the parts around it; the message itself has none

_IDENTITIES = ("7bit", "8bit", "binary")
_SIGNED = frozenset(("multipart/signed", "multipart/encrypted"))


def seven_bit(message: bytes) -> bytes:
    """The same message with every body in 7 bits; the header fields of the message itself may stay UTF-8.

    Raises `MessageError` when a part can't be encoded anew.
    """
    pieces: list[bytes] = []
    _entity(message, 0, len(message), "text/plain", (), pieces)
    made = b"".join(pieces)
    return made if made.endswith(b"\r\n") else made + b"\r\n"


def _entity(data: bytes, start: int, end: int, default: str, path: Path, pieces: list[bytes]) -> None:
    """Append ``data[start:end]``, a message or a part with its header fields."""
    if len(path) > NESTING_LIMIT:
        raise MessageError(
            f"The message is nested more than {NESTING_LIMIT} levels deep.",
            "No program would show it: make it flat.",
        )
    body = body_start(data, start, end)
    fields = read_fields(data[start:body])
    kind, found = media_type(fields, default)
    encoding = _encoding(fields)
    if kind in _SIGNED and path:
        _verbatim(data[start:end], path, f"is {kind}, and its signature covers the octets as they are", pieces)
    elif kind.startswith("multipart/"):
        _head(fields, "7bit" if encoding in _IDENTITIES else "", path, pieces)
        _multipart(data, body, end, kind, found.get("boundary", ""), path, pieces)
    elif kind == "message/rfc822" and encoding in _IDENTITIES:
        _head(fields, "7bit", path, pieces)
        _entity(data, body, end, "text/plain", (*path, 1), pieces)
    elif kind.startswith("message/") and not kind.startswith("message/global"):
        # RFC 2046 §5.2 allows no encoding, which RFC 6532 §3.7 does for its own types only.
        _head(fields, "", path, pieces)
        _verbatim(data[body:end], path, f"is {kind}, which may not be encoded (it is {encoding[:40]})", pieces)
    else:
        _leaf(fields, data[body:end], kind, encoding, path, pieces)


def _multipart(data: bytes, start: int, end: int, kind: str, boundary: str, path: Path, pieces: list[bytes]) -> None:
    found = frame(data, start, end, boundary)
    if found is None:
        _verbatim(data[start:end], path, f"is {kind} without its boundary", pieces)
        return
    default = "message/rfc822" if kind == "multipart/digest" else "text/plain"  # RFC 2046 §5.1.5
    # What stands before the first and behind the last part is to be ignored (§5.1.1): if it does not fit, it goes.
    done = start if _fits(data[start : found.preamble_end]) else found.preamble_end
    for number, (part_start, part_end) in enumerate(found.parts, 1):
        pieces.append(data[done:part_start])
        if part_start < part_end:
            _entity(data, part_start, part_end, default, (*path, number), pieces)
        done = part_end
    pieces.append(data[done : found.epilogue_start])
    epilogue = data[found.epilogue_start : end]
    pieces.append(epilogue if _fits(epilogue) else b"\r\n")


def _leaf(fields: list[Field], body: bytes, kind: str, encoding: str, path: Path, pieces: list[bytes]) -> None:
    if _fits(body):
        _head(fields, "", path, pieces)
        pieces.append(body)
        return
    if encoding not in _IDENTITIES:
        body = _decoded(body, encoding, path)
    if kind.startswith(("text/", "message/")):
        encoding, octets = encoded(body, b"\r\n")
    else:
        encoding, octets = "base64", base64(body)
    if first(fields, "content-type") is None:
        # RFC 1428 §3: say the character set if it is known, and that it is not known if it is not.
        charset = "utf-8" if _is_utf8(body) else "unknown-8bit"
        fields = [*fields, Field("Content-Type", f"Content-Type: {kind}; charset={charset}\r\n".encode())]
    _head(fields, encoding, path, pieces)
    pieces.append(octets)


def _verbatim(octets: bytes, path: Path, problem: str, pieces: list[bytes]) -> None:
    """Append what must not be touched, if it needs not."""
    if not _fits(octets):
        raise _stuck(path, problem)
    pieces.append(octets)


def _head(fields: list[Field], encoding: str, path: Path, pieces: list[bytes]) -> None:
    """Append the fields with this transfer encoding; without one they keep theirs."""
    old = first(fields, "content-transfer-encoding")
    new = Field("Content-Transfer-Encoding", f"Content-Transfer-Encoding: {encoding}\r\n".encode())
    if encoding and old is not None:
        fields = [new if field is old else field for field in fields]
    elif encoding and encoding != "7bit":
        fields = [*fields, new]
        if not path and first(fields, "mime-version") is None:
            fields.append(Field("MIME-Version", b"MIME-Version: 1.0\r\n"))
    for field in fields:
        if b"\x00" in field.raw or (path and not field.raw.isascii()):
            raise _stuck(path, f"has a header {field.name} with a NUL or with octets outside ASCII")
        pieces.append(fold(field).raw if needs_folding(field) else field.raw)
    pieces.append(b"\r\n")


def _encoding(fields: list[Field]) -> str:
    field = first(fields, "content-transfer-encoding")
    return (parameters(field.text)[0] if field is not None else "") or "7bit"


def _decoded(body: bytes, encoding: str, path: Path) -> bytes:
    """A body that says it is encoded and is not quite: what a reader would make of it."""
    try:
        if encoding == "quoted-printable":
            return a2b_qp(body)
        if encoding == "base64":
            return a2b_base64(body)
    except BinasciiError:
        pass
    raise _stuck(path, f"holds octets that its encoding, {encoding[:40]}, does not allow")


def _fits(data: bytes) -> bool:
    return data.isascii() and is_sound(data)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _stuck(path: Path, problem: str) -> MessageError:
    where = f"Part {'.'.join(map(str, path[:10]))} of the message" if path else "The message"
    return MessageError(f"{where} {problem}.", "Encode that part as quoted-printable or base64.")
