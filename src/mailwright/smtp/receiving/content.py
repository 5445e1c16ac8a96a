"""DATA and BDAT: the content on its way in (RFC 5321 §4.1.1.4 and §4.5.2, RFC 3030)."""

from __future__ import annotations

from mailwright.smtp.receiving.grammar import bad, read_number
from mailwright.smtp.receiving.received import Received
from mailwright.steps import Ask
from mailwright.words.errors import ProtocolError
from mailwright.words.reply import Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.smtp.receiving.visit import Decision, Transaction, Visit

#: Octets beyond the limit that are read and thrown away, so that the session stays usable; who sends more
#: is cut off.
PATIENCE = 256 << 20

_END = b"\r\n.\r\n"


class Incoming:
    """Content that follows DATA, of which at most `limit` octets are kept.

    It ends at CRLF.CRLF and at nothing else: receivers that took LF.LF or LF.CRLF for the end let one
    message smuggle in another. The search goes on where it stopped, so that its time is linear however the
    octets are cut into pieces.
    """

    __slots__ = ("_limit", "_octets", "_searched", "crowded", "rest", "size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # The content begins at the beginning of a line, so that a lone dot there ends it: as if a CRLF came
        # before.
        self._octets = bytearray(b"\r\n")
        self._searched = 0
        self.size = 0  # octets that arrived, doubled dots included
        self.rest = b""  # what came behind the end
        self.crowded = False  # there is no room for it: what arrives is thrown away

    def feed(self, data: bytes) -> bool:
        """Take what arrived; true when the end was found."""
        octets = self._octets
        octets += data
        self.size += len(data)
        end = octets.find(_END, self._searched)
        if end >= 0:
            if len(octets) > end + len(_END):
                self.rest = bytes(octets[end + len(_END) :])
            self.size -= len(octets) - end - 2
            del octets[end + 2 :]
            return True
        if (self.crowded or self._overflowing) and len(octets) > 4:
            del octets[:-4]
        self._searched = max(0, len(octets) - 4)
        return False

    @property
    def _overflowing(self) -> bool:
        # RFC 1870 §3 does not count doubled dots: a content of nothing but lone dots grows by a third. The
        # end mark may be among what arrived.
        return self.size > self._limit + self._limit // 3 + 3

    @property
    def held(self) -> int:
        """Octets that it takes in memory."""
        return len(self._octets)

    def take(self) -> bytes | Reply:
        """The content with CRLF at its end, doubled dots undone; or why there is none. To be asked once:
        nothing is held then.
        """
        octets, self._octets = self._octets, bytearray()
        if self.crowded:
            return _CROWDED
        if self._overflowing:
            return _too_big(self._limit)
        if b"\r\n." in octets:
            # §4.5.2: the first dot of a line is removed, whatever follows it.
            octets = octets.replace(b"\r\n.", b"\r\n")
        return bytes(memoryview(octets)[2:]) if len(octets) - 2 <= self._limit else _too_big(self._limit)


def has_bare_line_end(content: bytes) -> bool:
    """True when a CR or LF stands there that is not part of a CRLF."""
    pairs = content.count(b"\r\n")
    return content.count(b"\n") != pairs or content.count(b"\r") != pairs


async def data(visit: Visit, argument: str) -> None:
    """DATA: the content until its final dot."""
    if argument:
        raise bad(501, "5.5.4 DATA has no parameter")
    transaction = visit.ready_transaction()
    if transaction.chunks is not None:
        raise bad(503, "5.5.1 BDAT has begun; go on with it or say RSET")
    visit.say(_GO_ON)
    rules = visit.rules
    incoming = Incoming(rules.size)
    while not incoming.feed(visit.inflow.take_all()):
        if incoming.size > rules.size + PATIENCE:
            raise _endless(rules.size)
        if not visit.hold(incoming.held):
            incoming.crowded = True
        await visit.listen(rules.content_timeout)
    visit.heard()
    visit.inflow.feed(incoming.rest)
    visit.end_transaction()
    await _finish(visit, transaction, incoming.take())


async def bdat(visit: Visit, argument: str) -> None:
    """BDAT: one chunk of content, its size said in advance. Its octets are taken whatever is wrong with the
    command, since they would be obeyed as commands otherwise.
    """
    size, last = _chunk_size(argument)
    if size > visit.rules.size + PATIENCE:
        raise _endless(visit.rules.size)
    try:
        if "CHUNKING" not in visit.rules.extensions:
            raise bad(502, "5.5.1 BDAT is not offered")
        transaction = visit.ready_transaction()
    except ProtocolError:
        await _take_chunk(visit, size, None)
        raise
    if transaction.chunks is None:
        transaction.chunks = bytearray()
    if len(transaction.chunks) + size > visit.rules.size:
        transaction.refusal = transaction.refusal or _too_big(visit.rules.size)
    await _take_chunk(visit, size, transaction)
    if last:
        content = transaction.refusal or bytes(transaction.chunks)
        visit.end_transaction()
        transaction.chunks = None
        await _finish(visit, transaction, content)
    else:
        visit.say(transaction.refusal or Reply(250, (f"2.0.0 {size} octets",)))


def _chunk_size(argument: str) -> tuple[int, bool]:
    size, _, end = argument.partition(" ")
    try:
        if end.upper() not in ("", "LAST"):
            raise bad(501, "5.5.4 BDAT is followed by a size, and by LAST for the last chunk")
        return read_number(size, "The size"), bool(end)
    except ProtocolError as problem:
        # Where the content ends is not known, and no octet of it may be taken for a command.
        raise bad(421, f"{problem.what}; goodbye") from None


async def _take_chunk(visit: Visit, size: int, transaction: Transaction | None) -> None:
    """Take the octets of one chunk, and keep them if there is a transaction that has not failed."""
    while size:
        piece = visit.inflow.take(size)
        size -= len(piece)
        if transaction is not None and transaction.chunks is not None:
            transaction.chunks += piece
            if not transaction.refusal and not visit.hold(len(transaction.chunks)):
                transaction.refusal = _CROWDED
            if transaction.refusal:
                transaction.chunks.clear()
        if size:
            await visit.listen(visit.rules.content_timeout)
    visit.heard()


async def _finish(visit: Visit, transaction: Transaction, content: bytes | Reply) -> None:
    """Hand the message outward, and say what became of it: once, or once for each recipient with LMTP (RFC
    2033 §4.2).
    """
    decision: Decision
    if isinstance(content, Reply):
        decision = content
    elif not visit.rules.bare_line_ends and has_bare_line_end(content):
        decision = Reply(554, ("5.6.0 The content holds a CR or LF that is not part of a CRLF line end",))
    else:
        decision = await _handed_over(visit, transaction, content)
    if visit.rules.protocol == "lmtp":
        count = len(transaction.recipients)
        each = decision if isinstance(decision, tuple) else (decision,) * count
        for number in range(count):
            visit.say((each[number] if number < len(each) else None) or _TAKEN)
    else:
        visit.say((decision[0] if isinstance(decision, tuple) else decision) or _TAKEN)


async def _handed_over(visit: Visit, transaction: Transaction, content: bytes) -> Decision:
    received = Received(
        transaction.envelope(),
        content,
        hello=visit.hello,
        peer=visit.peer,
        login=visit.login,
        tls=visit.secured,
        mail_parameters=transaction.parameters,
        rcpt_parameters=tuple(parameters for _, parameters in transaction.addressed().values()),
    )
    deliver = visit.deliver
    try:
        decision: Decision = await Ask(lambda: deliver(received))
    except Exception:
        # Whoever delivers knows its own errors; the client only needs to hear that the message was not taken.
        return Reply(451, ("4.3.0 The message could not be kept; try again later",))
    return decision


def _too_big(limit: int) -> Reply:
    return Reply(552, (f"5.3.4 The message has more than {limit} octets",))


def _endless(limit: int) -> ProtocolError:
    return bad(421, f"4.3.4 The message is far beyond {limit} octets, goodbye")


_CROWDED = Reply(452, ("4.3.1 Too much is arriving at once; try again later",))
_GO_ON = Reply(354, ("Go on, and end with a dot on a line of its own",))
_TAKEN = Reply(250, ("2.0.0 Taken",))
