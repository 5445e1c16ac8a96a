"""A message as programs pipe it into sendmail, made into octets with CRLF line ends and a header section that ends.

Such input has LF line ends or both kinds, may begin with the separator of an mbox file or have no header at all, and
is never refused for that.
"""

from __future__ import annotations

import re

from mailwright.message.fields import read_fields
from mailwright.message.foreign import signature
from mailwright.words.errors import MessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

LIMIT = 100 << 20  # octets of one message; providers take between 10 and 150 MB
BLOCK = 65536
_FIELD = re.compile(rb"([!-9;-~]+)([ \t]*):")  # RFC 5322 §3.6.8, and §4.5 for the blanks that old programs put there
_KNOWN = re.compile(
    rb"(?i:from|sender|reply-to|to|cc|bcc|subject|date|message-id|in-reply-to|references|comments|keywords|received|"
    rb"return-path|mime-version|auto-submitted|precedence|errors-to|priority|importance|organization|user-agent|"
    rb"(x|content|resent|list|dkim|arc)-.*)"
)
_BLANK_BEFORE_COLON = re.compile(rb"^([!-9;-~]+)[ \t]+:", re.MULTILINE)


def read_message(stream: BinaryIO, dot_ends: bool) -> bytes:
    """All of `stream`, or what stands before a line with a lone dot. Raises `MessageError` beyond `LIMIT`."""
    kept = bytearray(b"\n")  # so that a dot in the first line stands behind a line end too
    searched = 0
    while block := _block(stream):
        kept += block
        if dot_ends:
            ends = [place for mark in (b"\n.\n", b"\n.\r\n") if (place := kept.find(mark, searched)) >= 0]
            if ends:
                return bytes(memoryview(kept)[1 : min(ends) + 1])
            searched = max(0, len(kept) - 3)
        if len(kept) > LIMIT:
            raise MessageError(
                f"The message has more than {LIMIT >> 20} MB, which no mail server takes; it was not read to its end.",
                "Send a link to the file instead.",
            )
    if dot_ends and kept.endswith(b"\n."):
        del kept[-1:]
    return bytes(memoryview(kept)[1:])


def _block(stream: BinaryIO) -> bytes:
    try:
        block: bytes = stream.read1(BLOCK)  # type: ignore[attr-defined]  # what there is: a dot may be typed
        return block
    except OSError as problem:
        raise MessageError(
            f"Standard input can't be read: {problem.strerror}.", "Check what is piped into it."
        ) from problem


def tidied(octets: bytes) -> bytes:
    """`octets` with CRLF line ends, without an mbox separator, the body behind an empty line.

    A CR alone in the body of a message that nobody signed becomes a line end: programs that draw their progress with it
    would else not be heard of at all. In a header it stays, and is refused later. Blanks before a colon go.
    """
    octets = plain(octets)
    end = _head_end(octets)
    head, body = octets[:end], octets[end:]
    if body.startswith(b"\n"):
        body = body[1:]
    if head and not head.endswith(b"\n"):
        head += b"\n"
    closer = _BLANK_BEFORE_COLON.sub(rb"\1:", head)
    if (b"\r" in body or closer != head) and not signature(read_fields(head.replace(b"\n", b"\r\n"), lenient=True)):
        head, body = closer, body.replace(b"\r", b"\n")
    return head.replace(b"\n", b"\r\n") + b"\r\n" + body.replace(b"\n", b"\r\n")


def plain(octets: bytes) -> bytes:
    """`octets` with LF line ends, without the separator of an mbox file: that is “From …” before a header field."""
    octets = re.sub(rb"(?<!\r)\r+\n", b"\n", octets)  # a run of CR is looked at from its beginning alone
    if octets.startswith((b"From ", b">From ")) and not begins_with_field(octets):
        message = octets.partition(b"\n")[2]
        if begins_with_field(message):
            return message
    return octets


def begins_with_field(octets: bytes) -> bool:
    """Whether the first line may be a header field."""
    return _FIELD.match(octets) is not None


def _head_end(octets: bytes) -> int:
    """Where the header section ends: before an empty line, or before the first line that can't be part of it.

    There is none where no field is of mail: “ERROR: the disk is full” is a text that somebody should see.
    """
    position, known = 0, False
    while position < len(octets):
        end = octets.find(b"\n", position) + 1 or len(octets)
        field = _FIELD.match(octets, position, end)
        of_mail = field is not None and _KNOWN.fullmatch(field[1]) is not None
        if field is not None and field[2] and not of_mail:
            break  # “Usage : 90 %” is text
        if not field and not (position and octets[position : position + 1] in (b" ", b"\t")):
            break
        known = known or of_mail
        position = end
    return position if known else 0
