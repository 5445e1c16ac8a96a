"""Replies as the original gives them: a code and octets, whatever a server wrote."""

from __future__ import annotations

from mailwright.smtp.wire import REPLY_LIMIT, REPLY_LINES_LIMIT, ReplyReader
from mailwright.words.errors import ProtocolError
from mailwright.words.reply import Reply

_BLANKS = b" \t\r\n"


class Replies(ReplyReader):
    """Cuts what arrives into replies, and keeps the last one as it came.

    Reads what no standard allows as the original does: a line without a code ends the reply, with code -1; the
    code of a reply is that of its last line. The limits of `ReplyReader` hold.
    """

    __slots__ = ("lines", "raw")

    keeps = False

    def __init__(self) -> None:
        super().__init__()
        #: The last reply: its code, and its lines without code, joined by LF.
        self.raw: tuple[int, bytes] = (-1, b"")
        #: The lines of the last reply as they came, without line ends.
        self.lines: list[bytes] = []

    def _take(self, line: bytes) -> Reply | None:
        if not self._lines:
            self.lines = []
        self.lines.append(line)
        digits = line[:3]
        code = int(digits) if digits.isdigit() else -1
        self._code, self._size = digits, self._size + len(line)
        self._lines.append(line[4:].strip(_BLANKS).decode("utf-8", "backslashreplace"))
        if code >= 0 and line[3:4] == b"-":
            if self._size > REPLY_LIMIT or len(self._lines) > REPLY_LINES_LIMIT:
                raise ProtocolError(f"The server's reply does not end after {len(self._lines)} lines.")
            return None
        self.raw = (code, b"\n".join([each[4:].strip(_BLANKS) for each in self.lines]))
        reply = Reply(code, tuple(self._lines))
        self._lines, self._size = [], 0
        return reply


def reply_of(code: int, message: bytes) -> Reply:
    """The value that stands for a reply of the original's form."""
    return Reply(code, tuple(message.decode("utf-8", "backslashreplace").split("\n")))


def features_in(message: bytes) -> dict[str, str]:
    """The extensions in the message of a reply to EHLO: names in lower case, each with its parameters."""
    found: dict[str, str] = {}
    for line in message.decode("latin-1").split("\n")[1:]:
        if line[:5].lower() == "auth=":  # how some servers of old said it
            found["auth"] = f"{found.get('auth', '')} {line[5:]}"
            continue
        end = _end_of_name(line)
        if end:
            name, parameters = line[:end].lower(), line[end:].strip()
            found[name] = f"{found.get('auth', '')} {parameters}" if name == "auth" else parameters
    return found


def _end_of_name(line: str) -> int:
    """Where the keyword at the beginning of `line` ends: letters and digits, and hyphens behind the first."""
    for place, c in enumerate(line):
        if not ((c.isascii() and c.isalnum()) or (c == "-" and place)):
            return place
    return len(line)
