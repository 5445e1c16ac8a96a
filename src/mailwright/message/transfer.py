"""Content transfer encodings (RFC 2045 §6): which one a body needs, and doing it.

"Safe" means that every server passes it on unchanged: printable ASCII and tabs, CRLF line ends, and lines of
at most 998 octets.
"""

from __future__ import annotations

from binascii import b2a_base64, b2a_qp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.source import Source

LINE_LIMIT = 998  # octets without CRLF, RFC 5322 §2.1.1

_ROW = 57  # octets that make a line of 76 characters in base64
_ROWS = 840  # lines in one chunk: 65,520 octets
_SAFE = bytes(range(32, 127)) + b"\t\r\n"
_QP_LITERAL = bytes(octet for octet in range(33, 127) if octet != ord("=")) + b" \t"


def encoded_text(text: str, eight_bit: bool) -> tuple[str, bytes]:
    """A text body as ``(encoding, octets)``; line ends of any kind become CRLF.

    7bit where it is safe; 8bit if `eight_bit` allows and nothing but letters outside ASCII stands against it;
    else quoted-printable or base64, whichever is shorter.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    data = text.encode()
    octets = data.replace(b"\n", b"\r\n") if "\n" in text else data
    if lines_fit(octets):
        strange = octets.translate(None, _SAFE)
        if not strange:
            return "7bit", octets
        if eight_bit and min(strange) > 127:
            return "8bit", octets
    return encoded(octets, b"\r\n")


def encoded_octets(data: bytes, eight_bit: bool) -> tuple[str, bytes]:
    """A file of text as ``(encoding, octets)``; read back it is the same to the last octet, line ends too."""
    safety = identity(data)
    if safety == "7bit" or (safety == "8bit" and eight_bit):
        return safety, data
    return encoded(data, b"")


def identity(data: bytes) -> str:
    """``"7bit"`` or ``"8bit"`` if `data` can stand in a message as it is, else the empty string."""
    ends = data.count(b"\r\n")
    if not (ends == data.count(b"\n") == data.count(b"\r") and lines_fit(data)):
        return ""
    strange = data.translate(None, _SAFE)
    if not strange:
        return "7bit"
    return "8bit" if min(strange) > 127 else ""


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
    line = b2a_base64(data, newline=False)
    if len(line) <= 76:
        return line
    from struct import unpack_from  # one call that cuts a string into hundreds: twice as fast as slicing

    rows, rest = divmod(len(line), 76)
    return b"\r\n".join(unpack_from("76s" * rows + f"{rest}s" * (rest > 0), line))


class Base64Stream:
    """A source in base64 that is encoded while it is read: constant memory, whatever its size."""

    __slots__ = ("_source", "size")

    def __init__(self, source: Source) -> None:
        self._source = source
        self.size = base64_size(source.size)

    def chunks(self) -> Iterator[bytes]:
        """The encoded octets in chunks of at most 64 kB."""
        separator = b""
        for block in self._source.blocks(_ROW * _ROWS):
            yield separator + base64(block)
            separator = b"\r\n"
