"""Octets: the one place that makes command lines, the one that escapes dots, the one that reads replies.

What this file refuses does not reach the wire, whichever caller it came from.
"""

from __future__ import annotations

from mailwright.message.transfer import ends_in_crlf
from mailwright.words.errors import MessageError, ProtocolError
from mailwright.words.remember import remember
from mailwright.words.reply import Reply, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailwright.message.content import Content
    from mailwright.message.source import FilePiece

CRLF = b"\r\n"
COMMAND_LIMIT = 2048  # octets; RFC 5321 §4.5.3.1.4 says 512 and lets extensions add to it (SMTPUTF8, DSN: about 1,500)
AUTH_LIMIT = 12288  # octets of one line of an AUTH exchange, RFC 4954 §4
REPLY_LINE_LIMIT = 8192  # octets; the RFC says 512 (§4.5.3.1.5), and servers with long texts exist
REPLY_LIMIT = 65536  # octets of one reply
REPLY_LINES_LIMIT = 500  # lines of one reply: the longest EHLO seen has some 30
KNOWN_LIMIT = 64  # lines that are kept because they may be said again,
KNOWN_LENGTH = 200  # of at most so many octets
KEPT_LIMIT = 64  # replies that came alone, those to EHLO above all, that are kept for the next connection,
KEPT_LENGTH = 1000  # of at most so many octets
UNREAD_LIMIT = 1 << 20  # octets that arrived and nobody asked for: a whole flight of long replies has fewer

_kept: dict[bytes, Reply] = {}
_FORBIDDEN = bytes(range(32)) + b"\x7f"


def command_line(text: str, limit: int = COMMAND_LIMIT) -> bytes:
    """The octets of one command, line end included. Raises `MessageError` for CR, LF, NUL, any other C0, and
    DEL.

    Non-ASCII text is written in UTF-8; whether it may stand there is the caller's knowledge (SMTPUTF8).
    """
    if text.isascii() and text.isprintable() and len(text) <= limit - 2:
        return f"{text}\r\n".encode()
    try:
        line = text.encode()
    except UnicodeEncodeError as problem:
        what = f"A command would hold a lone surrogate at position {problem.start + 1}."
        raise MessageError(what, "Decode your input properly before you pass it on.") from None
    if line.translate(None, _FORBIDDEN) != line:
        place = next(i for i, c in enumerate(text) if ord(c) < 32 or ord(c) == 127)
        raise MessageError(
            f"A command to the server would hold the control character {text[place]!a}: {visible(text, 80)}",
            "Nothing was sent; remove it (a line break in an address or name is how mail is forged).",
        )
    if len(line) > limit - 2:
        verb = visible(text.split(" ", 1)[0], 20)
        raise MessageError(f"The command {verb} would have {len(line)} octets.", f"The limit is {limit - 2}.")
    return line + CRLF


def escape_dots(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Content as it goes behind DATA: a line that begins with a dot gets a second one (RFC 5321 §4.5.2), and
    the end is marked.

    Refuses content with a CR or LF that is not part of a CRLF: some servers take such a thing for the end of
    the content, and what follows for commands ("SMTP smuggling").
    """
    tail = CRLF  # the last octets before this chunk: the content begins at the beginning of a line
    for chunk in check_line_ends(chunks):
        first = b"." if chunk[:1] == b"." and tail == CRLF else b""
        if chunk[:2] == b"\n." and tail[-1:] == b"\r":
            chunk = b"\n." + chunk[1:]
        yield first + chunk.replace(b"\r\n.", b"\r\n..")
        tail = (tail + chunk[-2:])[-2:]
    # RFC 5321 §4.1.1.4: the CRLF before the final dot is that of the last line, "do not add an extra one".
    yield b".\r\n" if tail == CRLF else b"\r\n.\r\n"


def check_line_ends(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass chunks on unchanged; raise `MessageError` before one that would put a bare CR or LF on the
    wire.
    """
    carriage_return = False  # the last chunk ended in CR
    for chunk in chunks:
        if not chunk:
            continue
        # A CRLF that two chunks share is looked at as if it were not there.
        begins, ends = carriage_return and chunk[:1] == b"\n", chunk[-1:] == b"\r"
        inner = chunk[begins : len(chunk) - ends] if begins or ends else chunk
        if carriage_return != begins or not ends_in_crlf(inner):
            raise _bare_line_end()
        carriage_return = ends
        yield chunk
    if carriage_return:
        raise _bare_line_end()


def sound_chunks(content: Content) -> Iterator[bytes | FilePiece]:
    """The chunks of a content for BDAT: checked as they pass, unless it was made of nothing but sound ones. The first
    are octets.
    """
    return content.pieces() if content.checked else check_line_ends(content.chunks())


def refuse_bare_line_ends(octets: bytes) -> None:
    """`check_line_ends` for a content in one piece."""
    if not ends_in_crlf(octets):
        raise _bare_line_end()


def _bare_line_end() -> MessageError:
    return MessageError(
        "The content holds a CR or LF that is not part of a CRLF line end.",
        "Nothing more was sent and the message will not arrive; pass text through Message, or CRLF line ends "
        "throughout.",
    )


def xtext(text: str) -> str:
    """`text` in the encoding of RFC 3461 §4, for ENVID, ORCPT and AUTH parameters."""
    return "".join(c if "!" <= c <= "~" and c not in "+=" else "".join(f"+{b:02X}" for b in c.encode()) for c in text)


class ReplyReader:
    """Cuts what arrives into replies (RFC 5321 §4.2), whatever pieces it comes in.

    Reads wider than the standard where servers are known to be sloppy (LF alone ends a line; no text behind
    the code), and raises `ProtocolError` for what no mail server says: another code on a continuation line,
    no three ASCII digits, or more than the limits above.
    """

    __slots__ = ("_buffer", "_code", "_known", "_lines", "_problem", "_ready", "_size")

    keeps = True  # whether the octets of a whole reply decide what is read from them

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._code = b""
        self._lines: list[str] = []
        self._known: dict[bytes, Reply] = {}
        self._problem: ProtocolError | None = None
        self._ready: Reply | None = None
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Add what arrived. Raises `ProtocolError` for a flood: a server may talk while we write, and for a while."""
        self._buffer += data
        if len(self._buffer) > UNREAD_LIMIT:
            raise ProtocolError(f"The server said more than {UNREAD_LIMIT} octets that it was not asked for.")

    @property
    def pending(self) -> bytes:
        """What arrived and was not read yet; it includes the lines of a reply that is not complete."""
        whole = self._ready.text.encode() + CRLF if self._ready else b""
        begun = b"".join(self._code + b"-" + line.encode() + CRLF for line in self._lines)
        return whole + begun + bytes(self._buffer)

    @property
    def quiet(self) -> bool:
        """True when nothing arrived that was not read yet."""
        return not (self._buffer or self._lines or self._ready)

    @property
    def ready(self) -> bool:
        """True when a complete reply arrived and was not read yet."""
        if self._ready is None:
            self._ready = self._cut()
        return self._ready is not None

    def next(self) -> Reply | None:
        """The next complete reply, or `None` if more must arrive first."""
        if self._ready is not None:
            reply, self._ready = self._ready, None
            return reply
        return self._cut()

    def take(self) -> list[Reply]:
        """All complete replies that have arrived. With many messages in flight most lines were said before: those are
        not read again. What is no reply is raised when those before it were taken.
        """
        if self._problem is not None:
            raise self._problem
        replies: list[Reply] = []
        if self._ready is not None:
            replies.append(self._ready)
            self._ready = None
        block, newline, self._buffer = self._buffer.rpartition(b"\n")
        if newline:
            try:
                self._read(bytes(block).split(b"\n"), replies)
            except ProtocolError as problem:
                if not replies:
                    raise
                self._problem = problem
                return replies
        if len(self._buffer) > REPLY_LINE_LIMIT:
            raise ProtocolError(f"The server sent a line of more than {REPLY_LINE_LIMIT} octets.")
        self._refuse_early()
        return replies

    def _read(self, lines: list[bytes], replies: list[Reply]) -> None:
        known = self._known
        if not self._lines:
            try:
                replies += [*map(known.__getitem__, lines)]  # all of it was said before, as nearly always
                return
            except KeyError:
                pass
        for line in lines:
            found = known.get(line) if not self._lines else None
            if found is None:
                found = self._line(line)
                if found is None:
                    continue
                if len(found.lines) == 1 and len(line) <= KNOWN_LENGTH:
                    if len(known) >= KNOWN_LIMIT:
                        known.clear()
                    known[line] = found
            replies.append(found)

    def _cut(self) -> Reply | None:
        buffer = self._buffer
        if not buffer:
            return None
        whole = bytes(buffer) if self.keeps and not self._lines and len(buffer) <= KEPT_LENGTH else b""
        if (found := _kept.get(whole)) is not None:
            buffer.clear()
            return found
        while True:
            end = buffer.find(b"\n")
            if end < 0 or end >= REPLY_LINE_LIMIT:
                if end >= REPLY_LINE_LIMIT or len(buffer) > REPLY_LINE_LIMIT:
                    raise ProtocolError(f"The server sent a line of more than {REPLY_LINE_LIMIT} octets.")
                self._refuse_early()
                return None
            line = bytes(buffer[:end])
            del buffer[: end + 1]
            reply = self._line(line)
            if reply is not None:
                if whole and not buffer:
                    remember(_kept, KEPT_LIMIT, whole, reply)
                return reply

    def _line(self, line: bytes) -> Reply | None:
        """Read one line without its LF; gives the reply that it completes."""
        if len(line) > REPLY_LINE_LIMIT:
            raise ProtocolError(f"The server sent a line of more than {REPLY_LINE_LIMIT} octets.")
        return self._take(line[:-1] if line.endswith(b"\r") else line)

    def _take(self, line: bytes) -> Reply | None:
        code, separator = line[:3], line[3:4]
        if not (len(code) == 3 and code.isdigit() and code[:1] in b"2345" and separator in (b"", b" ", b"-")):
            raise ProtocolError(f"The server sent something that is not an SMTP reply: {shown(line)}.")
        if self._lines and code != self._code:
            raise ProtocolError(f"The server changed the code in the middle of a reply: {shown(line)}.")
        self._code = code
        self._size += len(line)
        self._lines.append(line[4:].decode("utf-8", "backslashreplace"))
        if separator == b"-":
            if self._size > REPLY_LIMIT or len(self._lines) > REPLY_LINES_LIMIT:
                raise ProtocolError(f"The server's reply does not end after {len(self._lines)} lines.")
            return None
        reply = Reply(int(code), tuple(self._lines))
        self._lines, self._size = [], 0
        return reply

    def _refuse_early(self) -> None:
        # Something that will never be a reply is refused before its line end comes: a TLS or SSH server would
        # wait for us.
        start = bytes(self._buffer[:3])
        if start and not (start[:1] in b"2345" and start.isdigit()) and len(self._buffer) >= 8:
            raise ProtocolError(f"The server sent something that is not an SMTP reply: {shown(bytes(self._buffer))}.")


def shown(data: bytes) -> str:
    """The first 60 octets of `data` in a form that is safe to print, in quotation marks."""
    return "“" + visible(data[:60].decode("utf-8", "backslashreplace"), 120) + ("…”" if len(data) > 60 else "”")
