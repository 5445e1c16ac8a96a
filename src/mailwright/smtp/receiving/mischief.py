"""Carrying faults out: what one visit does when something is to go wrong."""

from __future__ import annotations

from mailwright.smtp.receiving.faults import DECISIVE, Moment
from mailwright.smtp.receiving.grammar import read_path
from mailwright.steps import Ask, Clock, Close, Read, Sleep, Write
from mailwright.words.errors import ProtocolError
from mailwright.words.reply import Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from mailwright.smtp.receiving.faults import Fault, Faults
    from mailwright.smtp.receiving.received import Received
    from mailwright.smtp.receiving.visit import Decision, Visit
    from mailwright.words.server import TLS

_STAGES = {
    "EHLO": "ehlo", "HELO": "ehlo", "LHLO": "ehlo", "STARTTLS": "starttls", "AUTH": "auth", "MAIL": "mail",
    "RCPT": "rcpt", "DATA": "data", "BDAT": "data", "RSET": "rset", "QUIT": "quit",
}  # fmt: skip
_BROUGHT_BY = {"STARTTLS": "STARTTLS", "AUTH": "AUTH", "BDAT": "CHUNKING"}
_FAREWELL = 10.0  # seconds that a client has to close its side, after the end was said
_PATIENT = 65536  # octets that are taken from a client that was told to wait
_PIECE = 1400  # octets written at once where the bandwidth is small
_NOT_DONE = Reply(502, ("5.5.1 The command is not implemented",))


class Dropped(ConnectionError):
    """A fault has ended this connection."""


class Mischief:
    """The faults of one visit: what was chosen for the moment it has come to, and what it counted on the way.

    `busy`: something is to be done about the reply, or content is under way. `verdict`: the reply to a login, whatever
    the credential. `refusal`: what a fault said last. `feigned`: keywords that EHLO offered and that are not obeyed.
    """

    __slots__ = (
        "_arrived",
        "_chosen",
        "_connection",
        "_counts",
        "_faults",
        "_heard",
        "_stage",
        "busy",
        "feigned",
        "refusal",
        "verdict",
    )

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._connection = faults.arrived()
        self._counts: dict[str, int] = {}
        self._chosen: tuple[Fault, ...] = ()  # for the reply that comes next
        self._heard: list[Fault] | None = []  # for the content; `None`: not looked yet
        self._arrived = 0  # octets of the content
        self._stage = ""
        self.busy = False
        self.feigned: frozenset[str] = frozenset()
        self.verdict: Reply | None = None
        self.refusal: Reply | None = None

    @property
    def armed(self) -> bool:
        """Whether there is any fault."""
        return self._faults.armed

    def _at(self, visit: Visit, stage: str, sender: str | None = None, named: str | None = None) -> tuple[Fault, ...]:
        transaction = visit.transaction
        if transaction is not None:
            sender = transaction.sender.spec if transaction.sender is not None else ""
        if named is not None:
            return self._look(visit, stage, sender, (named,))
        accepted = () if transaction is None else tuple([one.spec for one, _ in transaction.recipients])
        return self._look(visit, stage, sender, accepted)

    def _look(self, visit: Visit, stage: str, sender: str | None, recipients: tuple[str, ...]) -> tuple[Fault, ...]:
        self._stage = stage
        number = self._counts[stage] = self._counts.get(stage, 0) + 1
        place = (self._connection, number, sender, recipients, self._counts.get("mail", 0))
        found = self._faults.at(Moment(stage, *place, visit.peer, visit.hello, visit.login))
        for fault in found:
            visit.minutes.note("*", f"(a fault on request: {fault.action} at {stage})")
        return found

    # Before anything is said, and the handshake.

    async def begins(self, visit: Visit) -> None:
        """A client came."""
        if self.armed:
            await self._wordless(visit, self._at(visit, "connect"))

    async def handshake(self, visit: Visit, tls: TLS) -> TLS:
        """TLS begins now; gives the certificate to do it with."""
        for fault in await self._wordless(visit, self._at(visit, "tls")) if self.armed else ():
            if fault.action == "certificate":
                return await self._certificate(fault.how, tls)
        return tls

    async def _certificate(self, kind: str, usual: TLS) -> TLS:
        made: TLS = await Ask(lambda: self._faults.tls(kind, usual), blocking=True)
        return made

    async def _wordless(self, visit: Visit, found: tuple[Fault, ...]) -> tuple[Fault, ...]:
        for fault in found:
            if fault.action == "delay":
                await Sleep(fault.seconds)
        for fault in found:
            if fault.action == "garbage":
                if fault.stage == "tls":
                    await Read(visit.rules.timeout)  # the client begins
                await _written(fault.data, visit.rules.timeout)
                await _left("end", _FAREWELL)
            elif fault.action == "drop":
                await _left(fault.how, fault.seconds or visit.rules.timeout)
        return found

    # A command, and the reply to it.

    async def instead(self, visit: Visit, verb: str, argument: str) -> bool:
        """What goes wrong with this command; true when it is not to be obeyed."""
        stage = _STAGES.get(verb, "noop")
        if _BROUGHT_BY.get(verb) in self.feigned:
            visit.say(_NOT_DONE)
            if verb == "BDAT":
                visit.over = True  # its octets would be taken for commands
            return True
        sender = named = None
        if stage == "mail":
            self._counts.pop("rcpt", None)
            sender = _path(argument, "FROM:")
        elif stage == "rcpt":
            named = _path(argument, "TO:")
        refusal = await self._choose(visit, self._at(visit, stage, sender, named))
        if stage == "ehlo":
            self.feigned = frozenset(word.partition(" ")[0] for word in self._words("offer"))
        if stage == "data":
            self._heard, self._arrived = None, 0
            self.busy = True
            if verb == "BDAT" and refusal is None:
                await self._before_chunk(visit)
        if stage == "auth":  # said when the client has shown its credential
            self.verdict = refusal
            return False
        if refusal is None:
            return False
        if verb == "BDAT":
            visit.over = True  # as above
        visit.say(refusal)
        return True

    async def _before_chunk(self, visit: Visit) -> None:
        """With BDAT no reply comes before the content, so that a connection is dropped without one."""
        for fault in self._chosen:
            if fault.action == "drop":
                await _left(fault.how, fault.seconds or visit.rules.timeout)
        if len(visit.inflow):
            await self.hear(visit, len(visit.inflow))

    async def greets(self, visit: Visit, greeting: Reply) -> None:
        """The first line, or what is said in its place."""
        refusal = await self._choose(visit, self._at(visit, "greeting")) if self.armed else None
        visit.say(refusal or greeting)
        visit.over = refusal is not None
        if self.busy:
            await visit.flush()

    async def _choose(self, visit: Visit, found: tuple[Fault, ...]) -> Reply | None:
        """Keep what is to be done about the reply; gives the reply to say instead, if there is one."""
        if found:
            await visit.flush()  # what was said before is not concerned
            self._chosen, self.busy = found, True
        return self._refusal(found)

    def _refusal(self, found: tuple[Fault, ...]) -> Reply | None:
        for fault in found:
            if fault.action == "reply":
                self.refusal = fault.reply  # type: ignore[assignment]  # __post_init__ made a reply of a text
                return self.refusal
        return None

    def _words(self, action: str) -> list[str]:
        return [word for fault in self._chosen if fault.action == action for word in fault.words]

    def lied(self, keywords: list[str]) -> list[str]:
        """What EHLO says that is offered."""
        offered, hidden = self._words("offer"), {word.upper() for word in self._words("hide")}
        hidden |= {word.partition(" ")[0].upper() for word in offered}
        return [line for line in keywords if line.partition(" ")[0].upper() not in hidden] + offered

    def delivered(
        self, visit: Visit, received: Received, deliver: Callable[[Received], Decision | Awaitable[Decision]]
    ) -> Decision | Awaitable[Decision]:
        """The whole content came: keep the message, unless a fault wants it lost before it was answered for."""
        found = self._look(
            visit, "dot", received.envelope.reverse_path, tuple([one.spec for one in received.recipients])
        )
        # With BDAT what was chosen for the command shapes the same reply.
        self._chosen, self.busy = (*self._chosen, *found), self.busy or bool(found)
        refusal = self._refusal(found)
        if refusal is not None or any(fault.action == "drop" and not fault.taken for fault in found):
            return refusal
        return deliver(received)

    async def settle(self, visit: Visit) -> None:
        """The command was obeyed, or not: say what is to be said about it, as it is to be said."""
        self._heard, self.verdict = [], None
        await visit.flush()
        self._chosen, self.busy = (), False

    async def utter(self, visit: Visit, octets: bytes) -> None:
        """Write a reply in the way that was chosen for it."""
        chosen, self._chosen = self._chosen, ()
        timeout, pieces, pause = visit.rules.timeout, [octets], 0.0
        for fault in chosen:
            if fault.action == "delay":
                await self._pause(visit, fault.seconds)
            elif fault.action == "drop":
                await _left(fault.how, fault.seconds or timeout)
            elif fault.action == "omit":
                return
            elif fault.action == "garbage":
                pieces = [fault.data]
            elif fault.action == "double":
                pieces = pieces * 2
        for fault in chosen:
            if fault.action in ("split", "dribble", "bandwidth"):
                pieces, pause = _cut(fault, b"".join(pieces))
        for number, piece in enumerate(pieces):
            if number:
                await Sleep(pause)
            await _written(piece, timeout)

    async def _pause(self, visit: Visit, seconds: float) -> None:
        """Wait, unless the client leaves meanwhile: it would take up a place otherwise."""
        if self._stage == "starttls":
            # What comes now need not be from who will speak inside TLS, and must not be kept for it.
            return await Sleep(seconds)
        until = await Clock() + seconds
        while (left := until - await Clock()) > 0:
            if len(visit.inflow) > _PATIENT:
                return await Sleep(left)
            try:
                data = await Read(left)
            except TimeoutError:
                return None
            if not data:
                raise ConnectionResetError("the client left")
            visit.inflow.feed(data)
        return None

    # The content.

    async def hear(self, visit: Visit, octets: int) -> None:
        """So many octets arrived while content was awaited."""
        if self._heard is None:
            self._heard = list(self._at(visit, "content"))
        self._arrived += octets
        for fault in tuple(self._heard):
            if fault.action == "bandwidth":
                await Sleep(octets / fault.octets)
            elif self._arrived >= fault.octets:
                self._heard.remove(fault)
                if fault.action == "delay":
                    await self._pause(visit, fault.seconds)
                else:
                    await _left(fault.how, fault.seconds or visit.rules.timeout)


def decisive(faults: Iterable[Fault]) -> bool:
    """Whether one of them leaves no room for another that would."""
    return any(fault.action in DECISIVE for fault in faults)


def _cut(fault: Fault, octets: bytes) -> tuple[list[bytes], float]:
    """The pieces in which a reply leaves, and the seconds between them."""
    if fault.action == "split":
        place = fault.octets or len(octets) // 2
        return [piece for piece in (octets[:place], octets[place:]) if piece], fault.seconds or 0.05
    size, pause = fault.octets, fault.seconds
    if fault.action == "bandwidth":
        size, pause = min(fault.octets, _PIECE), min(fault.octets, _PIECE) / fault.octets
    return [octets[start : start + size] for start in range(0, len(octets), size)], pause


def _path(argument: str, keyword: str) -> str:
    try:
        return read_path(argument, keyword)[0]
    except ProtocolError:
        return ""


async def _written(octets: bytes, timeout: float) -> None:
    try:
        await Write(octets, timeout)
    except TimeoutError:
        raise ConnectionAbortedError("the client does not read its replies") from None


async def _left(how: str, patience: float) -> None:
    """End the connection in one of the `DROPS`; always raises `ConnectionError`."""
    if how == "reset":
        await Close("reset")
    else:
        if how == "end":
            await Close("end")
            patience = _FAREWELL
        until = await Clock() + patience
        try:
            # What still comes is read, for closing with octets unread would be a reset.
            while await Read(max(0.0, until - await Clock())):
                pass
        except TimeoutError:
            pass
    raise Dropped("a fault ended the connection")
