"""Dialogues as tests: what the server says and what the client must say, played over every driver.

A script is a list of turns. The same script runs in memory (as written, byte by byte, and cut at odd places) and over
real sockets with the blocking, the asyncio and the Trio driver.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

from mailwright.drivers import aio, memory, sync
from mailwright.drivers import trio as trio_driver
from mailwright.mailer.delivering import deliver
from mailwright.message.mail import MailObject, mail_object
from mailwright.smtp.ledger import Ledger
from mailwright.smtp.session import Session
from mailwright.steps import BindChannel, Close, Read, Sleep, StartTLS, Write
from mailwright.words.server import TLS, Server, Timeouts
from mailwright.words.value import replace


@dataclass
class S:
    """The server says these lines, in one piece."""

    lines: tuple[str, ...]

    def __init__(self, *lines: str) -> None:
        self.lines = lines


@dataclass
class C:
    """The client must say exactly this line."""

    line: str


@dataclass
class Raw:
    """The server sends these octets."""

    data: bytes


@dataclass
class Content:
    """The client sends content up to the final dot; what came is kept in `octets`."""

    octets: bytes = b""


@dataclass
class Chunk:
    """The client sends BDAT with its octets, which are kept."""

    octets: bytes = b""


@dataclass
class Some:
    """The client sends at least so many octets, which are not looked at."""

    count: int = 1


@dataclass
class Rest:
    """The client says what it likes and must close; what it said is kept."""

    octets: bytes = b""


@dataclass
class Do:
    """Something happens in the world."""

    act: Any


@dataclass
class Answer:
    """The client says a line; the server says what ``reply(line)`` gives."""

    reply: Any


@dataclass
class Bound:
    """`take` is given the server's channel binding of this kind, made from the TLS connection as it is."""

    kind: str
    take: Any


class Drop:
    """The server closes the connection."""


class HangUp:
    """The client must close the connection."""


@dataclass
class Pause:
    """Nothing happens for so many seconds (memory only)."""

    seconds: float


@dataclass
class Secure:
    """The server does its side of a TLS handshake."""

    context: Any


#: A line of the client that is not looked at.
ANYTHING = "(anything)"


class Mismatch(AssertionError):
    """The client said something else."""


EHLO = "EHLO [127.0.0.1]"


def hello(*keywords: str, greeting: str = "220 mx.example.org ready") -> list[Any]:
    """Greeting and EHLO, with these keywords offered."""
    names = ["mx.example.org", *keywords]
    lines = [f"250{'-' if n < len(names) - 1 else ' '}{name}" for n, name in enumerate(names)]
    return [S(greeting), C(EHLO), S(*lines)]


class Script:
    """The server's side as a plan."""

    def __init__(self, turns: list[Any]) -> None:
        self.turns = turns
        self.arrived = b""
        self.heard: list[bytes] = []

    async def play(self) -> None:
        """Say and hear every turn."""
        for number, turn in enumerate(self.turns):
            if await self._turn(turn, number):
                return

    async def _turn(self, turn: Any, number: int) -> bool:
        if isinstance(turn, S):
            await Write("".join(line + "\r\n" for line in turn.lines).encode(), 60)
        elif isinstance(turn, Raw):
            await Write(turn.data, 60)
        elif isinstance(turn, C):
            line = await self._line()
            if turn.line not in (line, ANYTHING):
                raise Mismatch(f"turn {number}: expected {turn.line!r}, heard {line!r}")
        elif isinstance(turn, Content):
            turn.octets = await self._until(b"\r\n.\r\n", number)
        elif isinstance(turn, Chunk):
            line = await self._line()
            await self._fill(int(line.split()[1]))
            size = int(line.split()[1])
            turn.octets, self.arrived = self.arrived[:size], self.arrived[size:]
        elif isinstance(turn, Some):
            await self._fill(turn.count)
            self.arrived = self.arrived[turn.count :]
        elif isinstance(turn, Rest):
            await self._rest(turn)
        elif isinstance(turn, Do):
            turn.act()
        elif isinstance(turn, Answer):
            await Write(turn.reply(await self._line()).encode() + b"\r\n", 60)
        elif isinstance(turn, Bound):
            turn.take(await BindChannel(turn.kind))
        elif isinstance(turn, Pause):
            await Sleep(turn.seconds)
        elif isinstance(turn, Secure):
            await StartTLS(TLS(context=turn.context), "", 10, server_side=True)
        elif isinstance(turn, HangUp):
            rest = self.arrived + await Read(600)
            if rest:
                raise Mismatch(f"turn {number}: expected the client to close, heard {rest!r}")
        elif isinstance(turn, Drop):
            await Close()
            return True
        return False

    async def _rest(self, turn: Rest) -> None:
        try:
            while data := await Read(600):
                self.arrived += data
        except ConnectionError:
            pass  # closed in the middle of what was still on its way
        turn.octets = self.arrived

    async def _more(self) -> None:
        data = await Read(3600)
        if not data:
            raise Mismatch(f"the client closed; so far {self.arrived!r}")
        self.heard.append(data)
        self.arrived += data

    async def _line(self) -> str:
        while b"\r\n" not in self.arrived:
            await self._more()
        line, self.arrived = self.arrived.split(b"\r\n", 1)
        return line.decode()

    async def _until(self, end: bytes, number: int) -> bytes:
        while end not in b"\r\n" + self.arrived:
            await self._more()
        place = (b"\r\n" + self.arrived).index(end)
        found, self.arrived = self.arrived[:place], self.arrived[place + len(end) - 2 :]
        return found

    async def _fill(self, count: int) -> None:
        while len(self.arrived) < count:
            await self._more()


@dataclass
class Played:
    """What came of a dialogue."""

    result: Any
    session: Session
    ledger: Ledger | None = None
    script: Script | None = None
    seconds: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def fates(self) -> dict[str, str]:
        """Each recipient's fate."""
        assert self.ledger is not None
        return {recipient.spec: fate for recipient, (fate, _) in self.ledger.fates.items()}

    @property
    def error(self) -> Any:
        """The error; the test fails if there is none."""
        assert isinstance(self.result, Exception), f"no error but {self.result!r}"
        return self.result


STAGES = ("memory", "bytes", "sevens", "sync", "aio", "trio")
_SEGMENTS = {"memory": 0, "bytes": 1, "sevens": 7}


def play(turns: list[Any], client: Any, stage: str = "memory", server: Server | None = None) -> Played:
    """Run ``client(session)`` against the script; its exception, if any, is the result. A script that was not followed
    raises.
    """
    script = Script(turns)
    server = server or Server("127.0.0.1", 2525, "none")
    if stage in _SEGMENTS:
        return _in_memory(script, client, server, _SEGMENTS[stage])
    return _over_sockets(script, client, server, stage)


def _in_memory(script: Script, client: Any, server: Server, segment: int) -> Played:
    time = memory.Time()
    ours, theirs = memory.pair(time, segment)
    session = Session(server, time)
    result, followed = memory.converse((client(session), ours), (script.play(), theirs), time=time)
    if isinstance(followed, Mismatch):
        raise followed
    return Played(result, session, script=script, seconds=time.now)


@contextmanager
def following(*scripts: Script, strict: bool = True, patience: float = 20.0) -> Iterator[int]:
    """A mail server on loopback whose nth connection follows the nth script; gives its port.

    At the end every script must have been followed to its last turn within `patience` seconds. Where it is not
    `strict` only what the client said counts, not how its connection ended.
    """
    problems: list[BaseException] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(patience)

        def serve() -> None:
            for script in scripts:
                link = sync.Link()
                try:
                    link = sync.Link(listener.accept()[0])
                    link.deadline = sync.monotonic() + patience
                    sync.run(script.play(), link)
                except Exception as problem:
                    problems.append(problem)
                finally:
                    link.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(patience * (len(scripts) + 1))
        assert not thread.is_alive(), "a script did not end: fewer connections came than there are scripts"
    for problem in problems:
        if strict or isinstance(problem, Mismatch):
            raise problem


def _over_sockets(script: Script, client: Any, server: Server, stage: str) -> Played:
    with following(script, strict=False) as port:
        session = Session(replace(server, port=port))
        result = _ON_SOCKETS[stage](client, session)
    return Played(result, session, script=script)


def _run_sync(client: Any, session: Session) -> Any:
    link = sync.Link()
    try:
        return sync.run(client(session), link)
    except Exception as error:
        return error
    finally:
        link.close()


def _run_aio(client: Any, session: Session) -> Any:
    async def task() -> Any:
        link = aio.Link()
        try:
            return await aio.run(client(session), link)
        except Exception as error:
            return error
        finally:
            link.close()
            await asyncio.sleep(0)  # the transport closes in the next turn of the loop

    return asyncio.run(task())


def _run_trio(client: Any, session: Session) -> Any:
    async def task() -> Any:
        link = trio_driver.Link()
        try:
            return await trio_driver.run(client(session), link)
        except Exception as error:
            return error
        finally:
            link.close()

    return trio.run(task)


_ON_SOCKETS = {"sync": _run_sync, "aio": _run_aio, "trio": _run_trio}


RAW = (
    b"From: ada@example.org\r\nTo: bob@example.org\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@example.org>\r\n\r\nHi\r\n"
)


def raw_mail(*recipients: str, content: bytes = RAW, sender: str | None = "ada@example.org") -> MailObject:
    """A mail object of finished octets."""
    from mailwright.words.envelope import Envelope

    return mail_object((Envelope.of(sender, recipients or ("bob@example.org",)), content), now=0.0, token="t")


def send(
    turns: list[Any],
    *recipients: str,
    stage: str = "memory",
    server: Server | None = None,
    mail: MailObject | None = None,
    on_refusal: Any = "raise",
    parting: bool = False,
) -> Played:
    """Deliver one message to a scripted server; `parting`: it is the last over its connection."""
    mail = mail or raw_mail(*recipients)
    ledger = Ledger(mail.envelope.recipients)
    played = play(turns, lambda s: deliver(s, mail, ledger, on_refusal, False, "", parting), stage, server)
    played.ledger = ledger
    return played


def patient(**changes: Any) -> Server:
    """A loopback server in clear with other settings."""
    return Server("127.0.0.1", 2525, "none", **changes)


__all__ = [
    "ANYTHING",
    "EHLO",
    "RAW",
    "STAGES",
    "Answer",
    "Bound",
    "C",
    "Chunk",
    "Content",
    "Do",
    "Drop",
    "HangUp",
    "Mismatch",
    "Pause",
    "Played",
    "Raw",
    "Rest",
    "S",
    "Script",
    "Secure",
    "Some",
    "Timeouts",
    "following",
    "hello",
    "patient",
    "play",
    "raw_mail",
    "send",
]
