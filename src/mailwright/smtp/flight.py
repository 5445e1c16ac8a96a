"""Commands and content on their way out, while replies arrive: what a transaction and the conveyor share."""

from __future__ import annotations

from mailwright.smtp import phases
from mailwright.smtp.refusals import ended, out_of_step
from mailwright.smtp.session import SERVICE_CLOSING, last_words, read_reply
from mailwright.smtp.wire import command_line, sound_chunks
from mailwright.steps import Clock, Exchange, Outgoing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailwright.message.content import Content
    from mailwright.message.source import FilePiece
    from mailwright.smtp.session import Session
    from mailwright.words.errors import DeliveryError
    from mailwright.words.reply import Reply


class Flight:
    """Commands on their way, and their replies in order: all at once with PIPELINING, else one by one. No reply is
    believed before its command has left.

    Replies are read while commands are still being written: thousands of recipients would otherwise fill both
    sides' buffers. `then` is what goes behind the commands, octets that are known to be sound: each as the transcript
    shows it, and as it is. `size` counts all octets where they go at once.
    """

    __slots__ = ("_lines", "_mark", "_outgoing", "_texts", "size", "together")

    def __init__(self, commands: list[str], together: bool, then: Sequence[tuple[str, bytes]] = ()) -> None:
        self.together = together
        lines = [command_line(text) for text in commands]  # all are checked before the first is sent
        if then:
            commands = commands + [shown for shown, _ in then]
            lines += [octets for _, octets in then]
        self.size = sum(map(len, lines))
        self._texts, self._lines = iter(commands), iter(lines)
        self._outgoing = Outgoing((b"".join(lines[i : i + 100]) for i in range(0, len(lines), 100)) if together else ())
        self._mark = 0  # where in `_outgoing` the present command ends

    @property
    def handed(self) -> int:
        """Octets that left this process."""
        return self._outgoing.handed

    async def leave(self, session: Session) -> None:
        """Hand over all commands, before the first reply is read."""
        if not session.replies.quiet:
            raise await _unasked(session)
        await hand_over(session, self._outgoing, self.size)

    async def next(self, session: Session, phase: str, timeout: float | None = None) -> Reply:
        """The reply to the next command, within `timeout` seconds if not the usual."""
        line = next(self._lines)
        session.phase = phase
        session.transcript.note("C", next(self._texts))
        if not self.together:
            self._outgoing, self._mark = Outgoing([line]), 0
        if self.handed == 0 and not session.replies.quiet:
            raise await _unasked(session)
        self._mark += len(line)
        await hand_over(session, self._outgoing, self._mark)
        reply = await read_reply(session, timeout or session.server.timeouts.reply)
        if reply.intermediate and phase != phases.DATA:
            raise out_of_step(session, reply)
        return reply


async def hand_over(session: Session, outgoing: Outgoing, mark: int) -> None:
    """Hand over the first `mark` octets, and more if they go with them; what arrives meanwhile is kept for reading."""
    limit = session.server.timeouts.block
    until: float | None = None
    while outgoing.handed < mark and not outgoing.done:
        arrived = await exchange(session, outgoing, limit)
        if not arrived:
            continue
        session.replies.feed(arrived)
        if outgoing.handed == 0:
            raise await _unasked(session)
        now = await Clock()
        until = now + limit if until is None else until
        if now > until:  # it talks and does not listen
            session.open = False
            raise phases.timed_out(session, limit)


async def _unasked(session: Session) -> DeliveryError:
    """The error for words that answer nothing of ours: a goodbye, or what would be taken for the next answer."""
    session.open = False
    reply = await read_reply(session, session.server.timeouts.reply)
    return ended(session, reply) if reply.code == SERVICE_CLOSING else out_of_step(session, reply)


async def exchange(session: Session, outgoing: Outgoing, timeout: float) -> bytes | None:
    """Write and read at once; trouble becomes an error that names the phase."""
    try:
        arrived = await Exchange(outgoing, timeout)
    except TimeoutError as problem:
        session.open = False
        raise phases.timed_out(session, timeout, problem) from None
    except ConnectionError as problem:
        session.open = False
        await last_words(session)
        raise phases.connection_lost(session) from problem
    if arrived == b"":
        session.open = False
        raise phases.connection_lost(session)
    return arrived


def as_chunk(content: Content) -> Iterator[bytes | FilePiece]:
    """The whole content as one chunk of CHUNKING (RFC 3030): its size goes in front, no dots are doubled."""
    chunks = sound_chunks(content)
    beginning = next(chunks, b"")
    assert isinstance(beginning, bytes)
    yield command_line(f"BDAT {content.size} LAST") + beginning
    yield from chunks


def of_content(content: Content) -> str:
    """How the transcript shows a content."""
    return f"({content.size:,} octets of content)"
