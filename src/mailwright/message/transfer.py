"""Content transfer encodings (RFC 2045 §6): which one a body needs, and doing it.

"Safe" means that every server passes it on unchanged: printable ASCII and tabs, CRLF line ends, and lines of
at most 998 octets. Whatever these functions give has CRLF line ends and no other CR or LF.
"""

from __future__ import annotations

from binascii import b2a_base64, b2a_qp

from mailwright.words.remember import remember

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailwright.message.source import FilePiece, Source

LINE_LIMIT = 998  # octets without CRLF, RFC 5322 §2.1.1

_ROWS = 840  # lines of base64 in one block: 65,520 octets with their line ends, which a processor's cache can hold
_BLOCK = 57 * _ROWS  # the octets that make them, 57 for a line of 76 characters
_CUTS = 32  # lengths whose cut is remembered
_PAYS = 1 << 22  # octets to encode in this process, from which on pybase64 saves more time than it takes to load
_SAFE = bytes(range(32, 127)) + b"\t\r\n" + bytes(range(128, 256))  # in lines that may have 8 bits
_QP_LITERAL = bytes(octet for octet in range(33, 127) if octet != ord("=")) + b" \t"


def encoded_text(text: str, eight_bit: bool) -> tuple[str, bytes]:
    """A text body as ``(encoding, octets)``; line ends of any kind become CRLF.

    7bit where it is safe; 8bit if `eight_bit` allows and nothing but letters outside ASCII stands against it;
    else quoted-printable or base64, whichever is shorter.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    data = text.encode()
    octets = data.replace(b"\n", b"\r\n")
    seven_bit = octets.isascii()
    if (seven_bit or eight_bit) and lines_fit(octets) and not octets.translate(None, _SAFE):
        return "7bit" if seven_bit else "8bit", octets
    # A character outside ASCII has at least four octets for every three more than one, each of which would be escaped.
    if base64_size(len(octets)) < len(octets) + 8 * (len(data) - len(text)) // 3:
        return "base64", base64(octets)
    return encoded(octets, b"\r\n")


def encoded_octets(data: bytes, eight_bit: bool) -> tuple[str, bytes]:
    """A file of text as ``(encoding, octets)``; read back it is the same to the last octet, line ends too."""
    safety = identity(data)
    if safety == "7bit" or (safety == "8bit" and eight_bit):
        return safety, data
    return encoded(data, b"")


def identity(data: bytes) -> str:
    """``"7bit"`` or ``"8bit"`` if `data` can stand in a message as it is, else the empty string."""
    if not (ends_in_crlf(data) and lines_fit(data)) or data.translate(None, _SAFE):
        return ""
    return "7bit" if data.isascii() else "8bit"


def ends_in_crlf(data: bytes) -> bool:
    """Whether every CR and every LF in `data` is part of a CRLF."""
    # Without its LFs, and with one behind every CR, it must be what it was: that is three times as fast as counting.
    return data.replace(b"\n", b"").replace(b"\r", b"\r\n") == data


def lines_fit(data: bytes) -> bool:
    """Whether no line is longer than 998 octets."""
    start = 0
    while len(data) - start > LINE_LIMIT:
        # From the last line end in reach: a leap over many lines at once.
        end = data.rfind(b"\r\n", start, start + LINE_LIMIT + 2)
        if end < 0:
            return False
        start = end + 2
    return True


def encoded(data: bytes, line_ends: bytes) -> tuple[str, bytes]:
    """Quoted-printable or base64, whichever is shorter, as ``(encoding, octets)``.

    `line_ends`: ``CRLF`` if those in `data` are line ends and stay such in quoted-printable, else empty.
    """
    if not base64_is_shorter(data, line_ends):
        # b2a_qp ends its lines, soft breaks included, as its input's first line ends; CR and LF that are data
        # are =0D and =0A by then, so whatever it chose becomes CRLF.
        quoted = b2a_qp(data.replace(b"\r\n", b"\n")) if line_ends else b2a_qp(data, istext=False)
        quoted = quoted.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if len(quoted) <= base64_size(len(data)):
            return "quoted-printable", quoted
    return "base64", base64(data)


def base64_is_shorter(data: bytes, line_ends: bytes) -> bool:
    """Whether base64 needs fewer octets than quoted-printable at its best: without soft breaks."""
    escaped = len(data.translate(None, _QP_LITERAL + line_ends))
    return base64_size(len(data)) < len(data) + 2 * escaped


def base64_size(size: int) -> int:
    """How many octets `size` octets make in base64 with lines of 76; no CRLF at the end."""
    characters = (size + 2) // 3 * 4
    return characters + max(0, (characters - 1) // 76) * 2


def base64(data: bytes) -> bytes:
    """`data` in base64, lines of 76 characters separated by CRLF."""
    _count(len(data))
    if len(data) <= _BLOCK:
        return _rows(data)
    return b"\r\n".join([_rows(data[start : start + _BLOCK]) for start in range(0, len(data), _BLOCK)])


class Base64Stream:
    """A source in base64 that is encoded while it is read: constant memory, whatever its size."""

    __slots__ = ("_source", "size")

    def __init__(self, source: Source) -> None:
        self._source = source
        self.size = base64_size(source.size)

    def chunks(self) -> Iterator[bytes]:
        """The encoded octets in chunks of at most 64 kB."""
        _count(self._source.size)
        left = self._source.size
        for block in self._source.blocks(_BLOCK):
            left -= len(block)
            yield _rows(block, not left)


class Plain:
    """A source as it is, for servers that take binary parts (RFC 3030)."""

    __slots__ = ("_source", "size")

    def __init__(self, source: Source) -> None:
        self._source = source
        self.size = source.size

    def chunks(self) -> Iterator[bytes]:
        """The octets in chunks of at most 64 kB."""
        return self._source.blocks(1 << 16)

    def pieces(self) -> Iterator[bytes | FilePiece]:
        """The octets, where they are a file's as pieces of it."""
        return self._source.pieces() if hasattr(self._source, "pieces") else self.chunks()


def _rows(block: bytes, last: bool = True) -> bytes:
    """At most `_BLOCK` octets in lines of base64; CRLF at the end if it is not the `last` block."""
    line = _encode(block)
    if len(line) <= 76 and last:
        return line
    key = len(line) if last else -len(line)
    cut = _cuts.get(key) or _cut(key)
    return b"\r\n".join(cut(line))


def _cut(key: int) -> Callable[[bytes], tuple[bytes, ...]]:
    """One call that cuts a string into hundreds: three times as fast as slicing."""
    from struct import Struct  # many messages need none

    rows, rest = divmod(abs(key), 76)
    # What is empty behind the last line makes the line end behind it.
    form = "76s" * rows + f"{rest}s" * (rest > 0) + "0s" * (key < 0)
    return remember(_cuts, _CUTS, key, Struct(form).unpack)


def _count(octets: int) -> None:
    """Take `octets` more to encode into account: when they are many, the quickest encoder is worth loading."""
    global _waiting, _encode
    if _waiting > 0:
        _waiting -= octets
        if _waiting <= 0:
            try:
                from pybase64 import b64encode  # ten times as fast; the extra `fast`
            except ImportError:
                return
            _encode = b64encode


def _in_one_line(data: bytes) -> bytes:
    return b2a_base64(data, newline=False)


_cuts: dict[int, Callable[[bytes], tuple[bytes, ...]]] = {}  # by the length of the line, negative for all but the last
_encode: Callable[[bytes], bytes] = _in_one_line
_waiting = _PAYS
