"""The plans that move a belt: many messages in flight on one connection.

=========================  ===============================================================  ======================
the server offers          what leaves behind one another, without waiting                  bound by
=========================  ===============================================================  ======================
PIPELINING and CHUNKING    whole messages: MAIL, RCPT, BDAT LAST and the content            the window
PIPELINING                 the content, its final dot, and the next message's envelope,     one round trip a
                           for DATA must end its group (RFC 2920 §3.1)                      message
neither                    nothing: command by command                                      its round trips
=========================  ===============================================================  ======================
"""

from __future__ import annotations

from mailwright.smtp import phases
from mailwright.smtp.belt import RSET
from mailwright.smtp.flight import exchange
from mailwright.smtp.refusals import out_of_step
from mailwright.smtp.session import SERVICE_CLOSING, receive
from mailwright.smtp.transaction import transact
from mailwright.smtp.wire import escape_dots, refuse_bare_line_ends, sound_chunks
from mailwright.steps import Clock
from mailwright.words.errors import ConnectionLost, MailError, MessageError, Refused, Timeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailwright.message.content import Content
    from mailwright.message.source import FilePiece
    from mailwright.smtp.belt import Belt, Load
    from mailwright.words.reply import Reply

RSET_SIZE = len(RSET)
PIECE = 65536  # octets handed over at once: what a socket's buffer takes


async def convey(belt: Belt) -> None:
    """Send what the feed has until it has nothing at the moment. The session must be open.

    Every account that is final is settled in the feed. Raises `DeliveryError` when the connection can't be used any
    more; `Belt.leftovers` then has the rest.
    """
    features = belt.session.features
    try:
        if "PIPELINING" not in features:
            await _in_lock_step(belt)
        elif belt.chunks:
            await _by_chunks(belt)
        else:
            await _by_data(belt)
    except Refused as error:
        if belt.doubtful and error.reply is not None and error.reply.code == SERVICE_CLOSING:
            await _hear_out(belt, error.reply)
        raise
    if belt.session.open:
        belt.pause()


async def _hear_out(belt: Belt, last: Reply) -> None:
    """See whether a server that said 421 hangs up, as it should. Raises `ProtocolError` if it does not: some put off a
    single recipient so, and take the message for the others.
    """
    session, seconds = belt.session, belt.session.server.timeouts.quit
    until = await Clock() + seconds
    try:
        while True:
            session.replies.feed(await receive(session, until - await Clock(), seconds))
            belt.hear_no_more(session.replies.take())
    except ConnectionLost:
        session.transcript.note("*", "the server hung up behind its 421")
    except Timeout:
        raise out_of_step(session, last, in_doubt=True) from None


async def _by_chunks(belt: Belt) -> None:
    while True:
        room = _room(belt)
        if room and belt.take(room):
            if not await _write(belt, _whole_messages(belt)):
                return
        elif belt.under_way:
            await _listen(belt)
        else:
            return


def _room(belt: Belt) -> int:
    """For how many messages there is room: none until half the window is empty, so that one write, and one wake-up of
    the server, does for many of them.
    """
    size, many = belt.window.size, len(belt.under_way)
    if many * 2 > size or (many and _octets(belt) >= belt.window.octets):
        return 0
    return size - many


def _octets(belt: Belt) -> int:
    return sum([load.content.size for load in belt.under_way])


def _whole_messages(belt: Belt) -> Iterator[bytes | FilePiece]:
    """Commands, content and RSET of one message behind the other, in pieces that fill a buffer."""
    pieces: list[bytes] = []
    size, left = 0, belt.window.octets - _octets(belt)
    taken, under_way, put = belt.taken, belt.under_way, belt.put
    while taken and (left > 0 or not under_way):
        load, commands = put()
        content = load.content
        left -= (octets := content.size)
        if octets <= PIECE:
            whole = content.whole()
            if not content.checked:
                refuse_bare_line_ends(whole)
            pieces += (commands, whole, RSET)
            size += len(commands) + octets
        else:
            pieces.append(commands)
            for chunk in sound_chunks(content):
                if isinstance(chunk, bytes):
                    pieces.append(chunk)
                yield b"".join(pieces)
                pieces, size = [], 0
                if not isinstance(chunk, bytes):
                    yield chunk
            pieces.append(RSET)
        belt.made = load.end + RSET_SIZE
        if size >= PIECE:
            yield b"".join(pieces)
            pieces, size = [], 0
    if pieces:
        yield b"".join(pieces)


def _in_pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same octets in pieces that fill a buffer."""
    pieces: list[bytes] = []
    size = 0
    for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size >= PIECE:
            yield b"".join(pieces)
            pieces, size = [], 0
    if pieces:
        yield b"".join(pieces)


async def _by_data(belt: Belt) -> None:
    load = await _first(belt)
    while load is not None:
        dotted = _dotted(load.content)
        belt.take(1)
        while load.data is None:
            await _listen(belt)
        more = bool(belt.take(1))
        if not await _write(belt, _in_pieces(_content_and_envelope(belt, load, dotted, more))):
            return
        load = belt.under_way[-1] if more else None
    while belt.under_way:
        await _listen(belt)


async def _first(belt: Belt) -> Load | None:
    if not belt.take(1):
        return None
    load, commands = belt.put()
    await _write(belt, [commands])
    return load


def _dotted(content: Content) -> Iterable[bytes]:
    """The content as it goes behind DATA; a small one is made ready at once, while the server thinks."""
    if content.size <= PIECE and content.lasting:
        try:
            return [b"".join(escape_dots(content.chunks()))]
        except MessageError:
            pass  # raised again when its turn comes
    return escape_dots(content.chunks())


def _content_and_envelope(belt: Belt, load: Load, dotted: Iterable[bytes], more: bool) -> Iterator[bytes]:
    """The content, if the server wants it, and right behind it the envelope of the message that follows."""
    if load.data is not None and load.data.code == 354:
        # A 354 although nobody will get it is answered with a lone dot (RFC 2920 §3.1).
        for chunk in dotted if load.willing else [b".\r\n"]:
            belt.made += len(chunk)
            yield chunk
        load.end = belt.made
    belt.made += len(RSET)
    yield RSET
    if more:
        yield belt.put()[1]


async def _write(belt: Belt, chunks: Iterable[bytes | FilePiece]) -> bool:
    """Hand over all of `chunks`, hearing what is said meanwhile. False when a content ended before its time, so that
    the connection is of no more use: what left before it was answered then.
    """
    session, outgoing = belt.session, belt.begin_writing(chunks)
    try:
        while not outgoing.done:
            session.phase = phases.CONTENT
            arrived = await exchange(session, outgoing, session.server.timeouts.block)
            if arrived:
                session.replies.feed(arrived)
                belt.hear()
    except MessageError as problem:
        session.open = False
        spoilt = belt.under_way[-1]
        spoilt.error = problem
        while belt.under_way and belt.handed >= belt.under_way[0].end:
            await _listen(belt)
        return False
    return True


async def _listen(belt: Belt) -> None:
    """Wait until the oldest message has another reply, and hear all that has arrived."""
    session, oldest = belt.session, belt.under_way[0]
    after = oldest.place - len(oldest.recipients) - (not belt.chunks)  # 0: DATA, where it is said; above: the content
    final = after > 0 and not oldest.done
    session.phase = phases.FINAL if final else phases.MAIL if after or belt.chunks else phases.DATA
    seconds = session.server.timeouts.final if final else session.server.timeouts.reply
    place, left, until = oldest.place, seconds, 0.0
    while True:
        session.replies.feed(await receive(session, left, seconds))
        belt.hear()
        if not belt.under_way or belt.under_way[0] is not oldest or oldest.place != place:
            return
        # It trickles: as in `read_reply`, what began in time must be whole within as much again.
        now = await Clock()
        until = until or now + seconds
        left = until - now


async def _in_lock_step(belt: Belt) -> None:
    while belt.session.open and belt.take(1):
        load, _ = belt.put()
        try:
            await transact(belt.session, load.mail, load.recipients, load.ledger, stop=False)
        except MailError as problem:
            lost = not belt.session.open and not load.ledger.handed and load.ledger.with_fate("not tried")
            if lost and not isinstance(problem, MessageError):  # that one is this message's own fault
                raise
            load.error = problem
        belt.under_way.popleft()
        belt.feed.settle(load)
