"""What is known of one connection, and the single commands over it.

A `Session` outlives the plans: a caller may open it with one plan, step through commands one by one, and
close it with another. Every command here is a plan of its own that says one thing and gives the `Reply`.
"""

from __future__ import annotations

from mailwright.smtp import phases
from mailwright.smtp.features import Features, features_of
from mailwright.smtp.phases import connection_lost, timed_out
from mailwright.smtp.refusals import refusal_advice
from mailwright.smtp.wire import ReplyReader, command_line
from mailwright.steps import Clock, Close, Read, Write
from mailwright.words.errors import DeliveryError, ProtocolError
from mailwright.words.reply import Reply
from mailwright.words.transcript import Transcript

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mailwright.smtp.transaction import Offer
    from mailwright.steps import Peer, Step
    from mailwright.words.receipt import TLSFacts
    from mailwright.words.server import Server

SERVICE_CLOSING = 421  # RFC 5321 §3.8: the server will close the connection


class Session:
    """One connection to `server` as far as SMTP knows it.

    `phase` is where the talk stands (`mailwright.smtp.phases`). `open` is false before the greeting and after anything
    that makes the connection unusable. `secured` holds the TLS facts, `login` the user whom the server let in. With
    `lock_step` nothing is pipelined, whatever the server offers. `parting`: one message is to be said and no other, so
    QUIT may go with it. `meanwhile` is a step for the time in which the server makes up its next reply: it says
    nothing, and never fails. `offer` is that of the next transaction, where it was made beforehand.
    """

    __slots__ = (
        "_clock",
        "features",
        "greeting",
        "lock_step",
        "login",
        "masked",
        "meanwhile",
        "offer",
        "open",
        "parting",
        "peer",
        "phase",
        "replies",
        "secured",
        "server",
        "transcript",
    )

    def __init__(self, server: Server, clock: Callable[[], float] | None = None) -> None:
        self.server = server
        self._clock = clock
        self.begin_transcript()
        self.masked: tuple[str, ...] = ()
        self.lock_step = False
        self.parting = False
        self.reset()

    def reset(self) -> None:
        """Forget the connection: nothing learnt on it holds for another."""
        self.phase = phases.CONNECT
        self.open = False
        self.features = Features()
        self.greeting: Reply | None = None
        self.peer: Peer | None = None
        self.secured: TLSFacts | None = None
        self.login: str | None = None
        self.meanwhile: Step[Any] | None = None
        self.offer: Offer | None = None
        self.replies = ReplyReader()

    def begin_transcript(self) -> None:
        """Begin a new transcript: each message over a kept connection has its own."""
        self.transcript = Transcript(self._clock)

    def forget_features(self) -> None:
        """Forget what was said before TLS began: it may have come from somebody else (RFC 3207 §4.2)."""
        self.features = Features()
        self.replies = ReplyReader()

    @property
    def server_name(self) -> str:
        """The host as configured: what the user knows the server by."""
        return self.server.path or self.server.host

    def mask(self, text: str) -> str:
        """`text` of the server, any secret that it repeats replaced."""
        for secret in self.masked:
            text = text.replace(secret, "***")
        return text

    def note_reply(self, reply: Reply) -> Reply:
        """Put a reply into the transcript, any secret that the server repeats in it masked; gives the masked
        reply.
        """
        if self.masked:
            masked = tuple(map(self.mask, reply.lines))
            if masked != reply.lines:
                reply = Reply(reply.code, masked)
        self.transcript.note_reply(reply)
        return reply


async def receive(session: Session, left: float, timeout: float) -> bytes:
    """Some bytes from the server, within what is `left` of `timeout`; its silence or its leaving becomes an error
    that names the phase.
    """
    try:
        if left <= 0:
            raise TimeoutError
        data = await Read(left)
    except TimeoutError as problem:
        session.open = False  # a late reply would be taken for the answer to the next command
        raise timed_out(session, timeout, problem) from None
    except ConnectionError as problem:
        session.open = False
        raise connection_lost(session, _reason(problem)) from problem
    if not data:
        session.open = False
        raise connection_lost(session)
    return data


async def write(session: Session, data: bytes | memoryview, timeout: float) -> None:
    """Hand over bytes; a broken connection becomes an error that names the phase."""
    try:
        await Write(data, timeout)
    except TimeoutError as problem:
        session.open = False
        raise timed_out(session, timeout, problem) from None
    except ConnectionError as problem:
        session.open = False
        # What the server said before it closed explains more than the broken pipe does.
        await last_words(session)
        raise connection_lost(session, _reason(problem)) from problem


def _reason(problem: ConnectionError) -> str:
    return (problem.strerror or str(problem)).lower()


async def last_words(session: Session) -> None:
    """After a failed write: if the server left a refusal behind, raise that instead of returning."""
    from mailwright.words.errors import Refused

    try:
        data = await Read(0)
        session.replies.feed(data)
        reply = session.replies.next()
    except (OSError, ProtocolError):
        return
    if reply is not None and reply.code >= 400:
        reply = session.note_reply(reply)
        what = f"{session.server} ended the talk {phases.DOING[session.phase]}: {reply}."
        raise Refused(what, refusal_advice(reply), phase=session.phase, server=str(session.server), reply=reply)


async def read_reply(session: Session, timeout: float) -> Reply:
    """The next reply. It begins within `timeout` and is whole within as much again: a server that says one octet now
    and then can't hold us for ever.
    """
    if session.meanwhile is not None:
        step, session.meanwhile = session.meanwhile, None
        await step
    left, until = timeout, 0.0
    begun = False
    while True:
        try:
            reply = session.replies.next()
        except ProtocolError as problem:
            session.open = False
            raise _protocol_error(session, problem) from None
        if reply is not None:
            reply = session.note_reply(reply)
            if reply.code == SERVICE_CLOSING:
                session.open = False
            return reply
        if begun:  # most replies come in one piece, and need no clock
            now = await Clock()
            until = until or now + timeout
            left = until - now
        session.replies.feed(await receive(session, left, timeout))
        begun = True


def _protocol_error(session: Session, problem: ProtocolError) -> DeliveryError:
    spoken = another_protocol(session.replies.pending if session.greeting is None else b"", problem.what)
    advice = spoken or "Check host and port; if they are right, the server is broken."
    # What it said may be an echo of the login, cut so that no mask fits.
    said = problem.what.partition(": “")[0] + "." if session.masked else problem.what
    what = f"{session.server} does not talk like a mail server {phases.DOING[session.phase]}: {said}"
    return ProtocolError(what, advice, phase=session.phase, server=str(session.server))


def another_protocol(data: bytes, what: str) -> str:
    """The advice when what greeted us is known to be something else; empty if it is not."""
    for mark, name in _OTHERS:
        if mark in what or data.startswith(mark.encode("latin-1")):
            return f"This is {name}: give the port of the mail submission service (465 or 587)."
    return ""


_OTHERS = (
    ("HTTP/", "a web server"),
    ("<html", "a web server"),
    ("SSH-", "an SSH server"),
    ("* OK", "an IMAP server, which is for reading mail"),
    ("+OK", "a POP3 server, which is for reading mail"),
    ("\\x15\\x03", "a TLS port: use security 'tls'"),
    ("\\x16\\x03", "a TLS port: use security 'tls'"),
)


async def command(
    session: Session, text: str, phase: str, timeout: float | None = None, shown: str | None = None
) -> Reply:
    """Say one command and read its reply. `shown` stands in the transcript instead of a text that holds a
    secret.
    """
    await say(session, text, phase, shown)
    return await read_reply(session, timeout or session.server.timeouts.reply)


async def say(session: Session, text: str, phase: str, shown: str | None = None) -> None:
    """Say one command; its reply is read later."""
    session.phase = phase
    line = command_line(text)
    session.transcript.note("C", shown or text)
    await write(session, line, session.server.timeouts.block)


async def say_hello(session: Session, name: str) -> Reply:
    """EHLO, or LHLO where LMTP is spoken (RFC 2033); falls back to HELO for a server that does not know
    EHLO.
    """
    verb = "LHLO" if session.server.protocol == "lmtp" else "EHLO"
    reply = await command(session, f"{verb} {name}", phases.EHLO)
    if reply.ok:
        session.features = features_of(reply)
        if session.lock_step:
            session.features = session.features.without("PIPELINING")
    elif reply.code in (500, 501, 502, 504) and verb == "EHLO":
        reply = await command(session, f"HELO {name}", phases.EHLO)
        session.features = Features(features_of(reply).name) if reply.ok else Features()
    return reply


async def reset(session: Session) -> Reply:
    """RSET: abandon the transaction that was begun."""
    return await command(session, "RSET", phases.READY)


async def noop(session: Session) -> Reply:
    """NOOP: is anybody there?"""
    return await command(session, "NOOP", phases.READY)


async def quit_session(session: Session) -> None:
    """QUIT, wait a little for the 221, and close. Never fails: what had to be said was said before (RFC 5321
    §4.1.1.10).
    """
    if session.open:
        try:
            await command(session, "QUIT", phases.QUIT, session.server.timeouts.quit)
        except (DeliveryError, OSError):
            session.transcript.note("*", "the server did not wait for the goodbye")
    session.open = False
    await Close()


async def is_stale(session: Session) -> bool:
    """Look, without waiting, whether an idle connection is still good.

    An idle server has nothing to say: end of file, a 421, or any other byte makes the connection unusable; so
    does what came behind its last reply, which would answer the next command.
    """
    try:
        data = session.replies.pending or await Read(0)
    except TimeoutError:
        return False
    except ConnectionError:
        data = b""
    session.open = False
    session.transcript.note(
        "*", "the idle connection had ended" if not data else "the server spoke without being asked"
    )
    return True
