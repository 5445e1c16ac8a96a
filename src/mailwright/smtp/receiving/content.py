"""DATA and BDAT: the content on its way in (RFC 5321 §4.1.1.4 and §4.5.2, RFC 3030)."""

from __future__ import annotations

from mailwright.smtp.receiving.gathering import Gathered
from mailwright.smtp.receiving.grammar import bad, read_number
from mailwright.smtp.receiving.received import Received
from mailwright.steps import Ask
from mailwright.words.errors import ProtocolError
from mailwright.words.reply import Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.message.source import Source
    from mailwright.smtp.receiving.visit import Decision, Transaction, Visit

#: Octets beyond the limit that are read and thrown away, so that the session stays usable; who sends more
#: is cut off.
PATIENCE = 256 << 20

_END = b"\r\n.\r\n"


class Incoming:
    """Content that follows DATA, of which at most `limit` octets are kept.

    It ends at CRLF.CRLF and at nothing else: receivers that took LF.LF or LF.CRLF for the end let one
    message smuggle in another. Each octet is looked at once, however they are cut into pieces: what could be the
    beginning of an end is held back until it is known.
    """

    __slots__ = ("_held", "_limit", "_start", "gathered", "rest", "size")

    def __init__(self, limit: int, gathered: Gathered) -> None:
        self._limit = limit
        self.gathered = gathered
        # The content begins at the beginning of a line, so that a lone dot there ends it: as if a CRLF came
        # before.
        self._held = b"\r\n"
        self._start = 2  # octets of it that are not the client's
        self.size = 0  # octets that arrived, doubled dots included
        self.rest = b""  # what came behind the end

    def feed(self, data: bytes) -> bool:
        """Take what arrived; true when the end was found."""
        octets = self._held + data
        end = octets.find(_END)
        if end >= 0:
            self.rest = octets[end + len(_END) :]
            self.size += len(data) - len(self.rest) - 3
            self._hand_over(octets[: end + 2])
            return True
        self.size += len(data)
        # RFC 1870 §3 does not count doubled dots: a content of nothing but lone dots grows by a third. The
        # end mark may be among what arrived.
        if self.size > self._limit + self._limit // 3 + 3:
            self.gathered.refuse(_too_big(self._limit))
        cut = _safe_cut(octets)
        self._held = octets[cut:]
        if cut:
            self._hand_over(octets[:cut])
        return False

    def _hand_over(self, portion: bytes) -> None:
        """This is content, whatever follows."""
        gathered = self.gathered
        if gathered.refusal is None:
            if b"\r\n." in portion:
                # §4.5.2: the first dot of a line is removed, whatever follows it.
                portion = portion.replace(b"\r\n.", b"\r\n")
            gathered.add(portion[self._start :])
            if gathered.size > self._limit:
                gathered.refuse(_too_big(self._limit))
        self._start = 0

    @property
    def held(self) -> int:
        """Octets that it takes, wherever they are."""
        return len(self._held) + self.gathered.size


def _safe_cut(octets: bytes) -> int:
    """A place behind which neither the end mark nor a doubled dot is torn apart."""
    cut = max(0, len(octets) - 4)
    if octets[cut - 1 : cut] == b"\r":
        return cut - 1
    return cut - 2 if octets[cut - 2 : cut] == b"\r\n" else cut


async def data(visit: Visit, argument: str) -> None:
    """DATA: the content until its final dot."""
    if argument:
        raise bad(501, "5.5.4 DATA has no parameter")
    transaction = visit.ready_transaction()
    if transaction.chunks is not None:
        raise bad(503, "5.5.1 BDAT has begun; go on with it or say RSET")
    visit.say(_GO_ON)
    rules = visit.rules
    gathered = Gathered(visit.storage)
    incoming = Incoming(rules.size, gathered)
    if not visit.inflow:
        await visit.listen(rules.content_timeout)
    while not incoming.feed(visit.inflow.take_all()):
        if incoming.size > rules.size + PATIENCE:
            raise _endless(rules.size)
        if gathered.much:
            await gathered.put_away()
        if not visit.hold(incoming.held):
            gathered.refuse(_CROWDED)
        await visit.listen(rules.content_timeout)
    visit.heard()
    visit.inflow.feed(incoming.rest)
    visit.end_transaction()
    await _finish(visit, transaction, gathered)


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
    gathered = transaction.chunks = transaction.chunks or Gathered(visit.storage)
    if gathered.size + size > visit.rules.size:
        gathered.refuse(_too_big(visit.rules.size))
    await _take_chunk(visit, size, gathered)
    if last:
        visit.end_transaction()
        await _finish(visit, transaction, gathered)
    else:
        visit.say(gathered.refusal or Reply(250, (f"2.0.0 {size} octets",)))


def _chunk_size(argument: str) -> tuple[int, bool]:
    size, _, end = argument.partition(" ")
    try:
        if end.upper() not in ("", "LAST"):
            raise bad(501, "5.5.4 BDAT is followed by a size, and by LAST for the last chunk")
        return read_number(size, "The size"), bool(end)
    except ProtocolError as problem:
        # Where the content ends is not known, and no octet of it may be taken for a command.
        raise bad(421, f"{problem.what}; goodbye") from None


async def _take_chunk(visit: Visit, size: int, gathered: Gathered | None) -> None:
    """Take the octets of one chunk, and keep them if they belong to a content that has not failed."""
    while size:
        piece = visit.inflow.take(size)
        size -= len(piece)
        if gathered is not None:
            gathered.add(piece)
            if gathered.much:
                await gathered.put_away()
            if not visit.hold(gathered.size):
                gathered.refuse(_CROWDED)
        if size:
            await visit.listen(visit.rules.content_timeout)
    visit.heard()


async def _finish(visit: Visit, transaction: Transaction, gathered: Gathered) -> None:
    """Hand the message outward, and say what became of it: once, or once for each recipient with LMTP (RFC
    2033 §4.2).
    """
    decision: Decision
    if gathered.refusal is None and not visit.rules.bare_line_ends and gathered.has_bare_line_end():
        gathered.refuse(_BARE)
    content = await gathered.taken()
    decision = content if isinstance(content, Reply) else await _handed_over(visit, transaction, content)
    if visit.rules.protocol == "lmtp":
        count = len(transaction.recipients)
        each = decision if isinstance(decision, tuple) else (decision,) * count
        for number in range(count):
            visit.say((each[number] if number < len(each) else None) or _TAKEN)
    else:
        visit.say((decision[0] if isinstance(decision, tuple) else decision) or _TAKEN)


async def _handed_over(visit: Visit, transaction: Transaction, content: bytes | Source) -> Decision:
    recipients = transaction.addressed()
    received = Received(
        transaction.envelope(recipients),
        content,
        hello=visit.hello,
        peer=visit.peer,
        login=visit.login,
        tls=visit.secured,
        mail_parameters=transaction.parameters,
        rcpt_parameters=tuple([parameters for _, parameters in recipients]),
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


_BARE = Reply(554, ("5.6.0 The content holds a CR or LF that is not part of a CRLF line end",))
_CROWDED = Reply(452, ("4.3.1 Too much is arriving at once; try again later",))
_GO_ON = Reply(354, ("Go on, and end with a dot on a line of its own",))
_TAKEN = Reply(250, ("2.0.0 Taken",))
