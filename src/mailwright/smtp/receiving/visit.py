"""One client's stay: what it said about itself, what it is in the middle of, and what it was not told yet."""

from __future__ import annotations

from functools import lru_cache

from mailwright.smtp.receiving.grammar import Inflow, bad, read_xtext
from mailwright.smtp.receiving.minutes import Minutes
from mailwright.smtp.wire import AUTH_LIMIT, COMMAND_LIMIT
from mailwright.steps import Clock, Read, Write
from mailwright.words.envelope import DSN, Envelope
from mailwright.words.reply import Reply, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable
    from typing import TypeAlias

    from mailwright.smtp.receiving.gathering import Gathered, Spool
    from mailwright.smtp.receiving.mischief import Mischief
    from mailwright.smtp.receiving.received import Received
    from mailwright.smtp.receiving.rules import Rules
    from mailwright.words.address import Address
    from mailwright.words.receipt import TLSFacts

    #: What becomes of a message: `None` or a 2yz reply takes it, any other refuses it. Several replies are
    #: for LMTP, one for each recipient that was accepted, in order.
    Decision: TypeAlias = Reply | tuple[Reply | None, ...] | None
    Deliver: TypeAlias = Callable[[Received], Decision | Awaitable[Decision]]

FLUSH_SIZE = 65536  # octets of replies that are kept back at most
_NO_TEXT = ("",)
_NOTHING = {""}  # asked about delivery reports
_COUNTED = frozenset((500, 501, 502, 503, 504, 535, 555))  # this was nonsense, or a wrong password


class Transaction:
    """One mail transaction: sender, recipients as they were accepted, and the content as far as it came
    (BDAT).
    """

    __slots__ = ("chunks", "parameters", "recipients", "sender")

    def __init__(self, sender: Address | None, parameters: dict[str, str]) -> None:
        self.sender = sender
        self.parameters = parameters
        self.recipients: list[tuple[Address, dict[str, str]]] = []
        self.chunks: Gathered | None = None

    def addressed(self) -> Collection[tuple[Address, dict[str, str]]]:
        """The recipients and their parameters, each once; who is named twice keeps the first parameters."""
        unique: dict[str, tuple[Address, dict[str, str]]] = {}
        for recipient in self.recipients:
            unique.setdefault(recipient[0].spec, recipient)
        return unique.values()

    def envelope(self, addressed: Iterable[tuple[Address, dict[str, str]]]) -> Envelope:
        """The envelope for those; a NOTIFY that recipients differ in is not part of it."""
        addresses = tuple([address for address, _ in addressed])
        return Envelope(self.sender, addresses, self._dsn(), "REQUIRETLS" in self.parameters)

    def _dsn(self) -> DSN | None:
        asked = {given.get("NOTIFY", "").upper() if given else "" for _, given in self.recipients}
        ret, envid = self.parameters.get("RET", ""), self.parameters.get("ENVID", "")
        if not ret and not envid and asked == _NOTHING:
            return None
        notify = tuple(asked.pop().split(",")) if len(asked) == 1 and "" not in asked else ()
        return DSN(notify, ret.upper() or None, read_xtext(envid, "ENVID") or None)


class Storage:
    """Room for content that is still arriving, shared by all clients of one server: `limit` octets, of
    which `used` are taken. `spool` makes a place outside of memory for what is large; without it all is in memory.
    """

    __slots__ = ("limit", "spool", "used")

    def __init__(self, limit: int = 256 << 20, spool: Callable[[], Spool] | None = None) -> None:
        self.limit = limit
        self.spool = spool
        self.used = 0


class Visit:
    """The state of one connection. `hello` is the name that the client gave; `extended` says that it was in
    EHLO or LHLO.

    `replies` are octets that wait for `flush`. `secured` and `login` are what TLS and AUTH brought. `over` ends the
    visit when everything was said. `mischief` is what goes wrong on request, if anything may; `minutes` are what was
    said.
    """

    __slots__ = (
        "extended",
        "hello",
        "inflow",
        "known",
        "login",
        "minutes",
        "mischief",
        "over",
        "peer",
        "replies",
        "rules",
        "secured",
        "storage",
        "transaction",
        "tried_login",
        "_bare",
        "_deadline",
        "_deliver",
        "_held",
        "_nonsense",
        "_patience",
        "_takes_logins",
        "_waited",
    )

    def __init__(
        self,
        rules: Rules,
        deliver: Deliver,
        peer: str,
        storage: Storage,
        mischief: Mischief | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.rules = rules
        self._deliver = deliver
        # What a service says is said as it says it.
        self._takes_logins = rules.takes_logins
        self._patience = Read(rules.timeout)
        self._bare = rules.manners is None and "ENHANCEDSTATUSCODES" not in rules.extensions
        self.mischief = mischief
        self.minutes = Minutes(clock)
        self.tried_login = False
        self.peer = peer
        self.storage = storage
        self._held = 0
        self.secured: TLSFacts | None = None
        self.over = False
        self.inflow = Inflow()
        self.replies = bytearray()
        self._nonsense = 0
        self._waited = False
        self._deadline: float | None = None
        self.forget()

    def forget(self) -> None:
        """Know nothing of the client again, as after TLS began (RFC 3207 §4.2)."""
        self.hello = ""
        self.extended = False
        self.known: dict[str, frozenset[str]] = {}  # parameters of MAIL and RCPT that were offered
        self.login: str | None = None
        self.end_transaction()

    def end_transaction(self) -> None:
        """There is no transaction any more."""
        self.transaction: Transaction | None = None
        if self._held:
            self.hold(0)

    def hold(self, octets: int) -> bool:
        """Note how many octets of content are held for this client; false when there is no room for them."""
        self.storage.used += octets - self._held
        self._held = octets
        return self.storage.used <= self.storage.limit

    def ready_transaction(self) -> Transaction:
        """The transaction, ready for its content. Raises `ProtocolError`."""
        transaction = self.transaction
        if transaction is None:
            raise bad(503, "5.5.1 Give the sender first (MAIL)")
        if not transaction.recipients:
            raise bad(554, "5.5.1 There is no valid recipient")
        return transaction

    def deliver(self, received: Received) -> Decision | Awaitable[Decision]:
        """Hand a message outward, what was said about it with it."""
        self.minutes.note("C", f"({received.size:,} octets of content)")
        received.transcript = self.minutes.transcript()
        if self.mischief is not None and self.mischief.armed:
            return self.mischief.delivered(self, received, self._deliver)
        return self._deliver(received)

    def say(self, reply: Reply) -> None:
        """Answer; the reply leaves with `flush`."""
        if reply.code in _COUNTED:
            self._nonsense += 1
            if self._nonsense > self.rules.bad_commands:
                reply = Reply(421, ("4.7.0 Too many errors, goodbye",))
        if reply.code == 421:
            self.over = True
        bare = (self._bare and reply.enhanced) or ""
        if self.mischief is not None and reply is self.mischief.refusal:
            bare = ""  # what a fault says is said as it stands
        lines, octets = _written(reply.code, reply.lines or _NO_TEXT, bare)
        for line in lines:
            self.minutes.note("S", line)
        self.replies += octets

    async def flush(self) -> None:
        """Hand over what was said."""
        if self.replies:
            replies = bytes(self.replies)
            self.replies.clear()
            if self.mischief is not None and self.mischief.busy:
                return await self.mischief.utter(self, replies)
            try:
                await Write(replies, self.rules.timeout)
            except TimeoutError:
                raise ConnectionAbortedError("the client does not read its replies") from None

    async def listen(self, patience: float) -> None:
        """Hear more, after everything was said. Raises `TimeoutError`, and `ConnectionError` when the
        client left.

        All of one command or one content, until `heard`, must come within about `patience` seconds: one
        octet now and then is not enough to stay for ever.
        """
        if self.replies:
            await self.flush()
        read = self._patience
        if self._waited:
            now = await Clock()
            if self._deadline is None:
                self._deadline = now + patience
            left = self._deadline - now
            if left <= 0:
                raise TimeoutError
            if left < read.timeout:
                read = Read(left)
        self._waited = True
        data = await read
        if not data:
            raise ConnectionResetError("the client left")
        self.inflow.feed(data)
        if self.mischief is not None and self.mischief.busy:
            await self.mischief.hear(self, len(data))

    def heard(self) -> None:
        """A command or content is complete: the next one has the whole time again."""
        self._waited, self._deadline = False, None

    async def line(self, limit: int) -> str:
        """The next line, of at most `limit` octets. Raises `ProtocolError` for one that can't be read."""
        while True:
            found = self.inflow.line(limit)
            if found is not None:
                self.heard()
                return found
            await self.listen(self.rules.timeout)

    @property
    def command_limit(self) -> int:
        """Octets of one command: a token in AUTH may be long (RFC 4954 §4)."""
        return AUTH_LIMIT if self._takes_logins and self.login is None else COMMAND_LIMIT


@lru_cache(256)  # a server says the same few things all day
def _written(code: int, texts: tuple[str, ...], bare: str) -> tuple[tuple[str, ...], bytes]:
    """The lines of a reply as they may be shown, and its octets; the enhanced status code `bare` is left out."""
    lines = []
    for number, text in enumerate(texts):
        if not text.isprintable():
            text = visible(text, 500)
        if bare:
            text = text.removeprefix(bare).lstrip()
        lines.append(f"{code}{'-' if number < len(texts) - 1 else ' '}{text}")
    octets = "".join([f"{line}\r\n" for line in lines]).encode("utf-8", "replace")
    # A challenge may help to guess a password.
    return tuple(lines) if code != 334 else ("334 (a challenge, not shown)",), octets
