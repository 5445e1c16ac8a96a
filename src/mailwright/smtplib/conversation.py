"""One connection of the face: the engine's `Session`, stepped by hand."""

from __future__ import annotations

from binascii import a2b_base64

from mailwright.drivers.given import FOREVER
from mailwright.smtp import phases
from mailwright.smtp.session import Session
from mailwright.smtp.wire import AUTH_LIMIT, COMMAND_LIMIT
from mailwright.smtplib.replies import Replies, reply_of
from mailwright.words.errors import ConfigError
from mailwright.words.server import Server, Timeouts
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mailwright.words.server import Protocol, Security

#: The phase in which each command is said; the others are said between two messages.
_PHASES = {
    b"ehlo": phases.EHLO,
    b"helo": phases.EHLO,
    b"lhlo": phases.EHLO,
    b"starttls": phases.STARTTLS,
    b"auth": phases.AUTH,
    b"mail": phases.MAIL,
    b"rcpt": phases.RCPT,
    b"data": phases.DATA,
    b"quit": phases.QUIT,
}
_OTHERS = frozenset((b"rset", b"noop", b"vrfy", b"expn", b"help", b"bdat", b"etrn", b"turn"))
SHORTEST_SECRET = 3  # characters; masking less would mask ordinary words


class Conversation(Session):
    """What is known of one connection, and `heard`, its replies as octets.

    `stands_in` answers for the server where ``MAILWRIGHT_CATCH`` sent the connection elsewhere. `wrapped` is the socket
    that this session's own TLS goes over; another one was encrypted, or not, by the caller. `banner` is the greeting.
    """

    __slots__ = ("banner", "heard", "stands_in", "wrapped")

    def __init__(self, server: Server) -> None:
        self.stands_in: StandIn | None = None
        self.wrapped: Any = None
        self.banner = ""
        super().__init__(server)

    def reset(self) -> None:
        """Forget the connection."""
        super().reset()
        self.heard = self.replies = Replies()

    def forget_features(self) -> None:
        """Forget what was said before TLS began."""
        super().forget_features()
        self.heard = self.replies = Replies()

    def limit(self, seconds: float) -> None:
        """From now on no step waits longer than `seconds`."""
        if self.server.timeouts.reply != seconds:
            self.server = replace(self.server, timeouts=timeouts(seconds))

    def begin(self, line: bytes) -> str:
        """Note that `line` is said next, and give it as it may be shown: without the credentials in it."""
        shown = self._shown(line)
        self.transcript.note("C", shown)
        return shown

    def says_secret(self, line: str) -> bool:
        """Whether a credential may stand in this line of the client."""
        return line.lstrip()[:4].lower() == "auth" or self._is_asked

    @property
    def _is_asked(self) -> bool:
        return self.phase == phases.AUTH and self.heard.raw[0] == 334

    def _shown(self, line: bytes) -> str:
        if self.phase == phases.CONTENT or (self.phase == phases.DATA and self.heard.raw[0] == 354):
            self.phase = phases.CONTENT
            return f"({len(line):,} octets of content)"
        words = line[:AUTH_LIMIT].split()  # what is longer is content
        verb = words[0].lower() if words else b""
        out_of_step = self.phase == phases.AUTH and len(words) == 1 and _may_be_answer(words[0])
        if self._is_asked or out_of_step:
            self.hide(*words)
            return "***"
        self.phase = _PHASES.get(verb, phases.READY)
        if self.phase == phases.AUTH and len(words) > 1:
            name, equals, behind = words[1].partition(b"=")
            if equals or len(words) > 2:
                self.hide(behind, *words[2:])
                return f"AUTH {name.decode('ascii', 'backslashreplace')} ***"
        if len(line) > COMMAND_LIMIT or b"\n" in line[:-2]:
            return f"({len(line):,} octets)"  # content, by other means than DATA
        return line.decode("utf-8", "backslashreplace").rstrip("\r\n")

    def answer_to(self, data: bytes) -> bytes | None:
        """The reply to what would not reach the server, or `None` for what is to be sent."""
        if self.stands_in is None or self.phase == phases.CONTENT:
            return None
        return self.stands_in.answer_to(data[:AUTH_LIMIT])

    def await_reply(self) -> None:
        """What comes next is the server's: behind the content, its word on that."""
        if self.phase == phases.CONTENT:
            self.phase = phases.FINAL

    def note_end(self) -> None:
        """A reply came: if it was the one on the content, that message is done with."""
        if self.phase == phases.FINAL:
            self.phase = phases.READY
        elif self.phase == phases.GREETING:
            self.banner = reply_of(*self.last_reply()).text

    @property
    def spoken(self) -> Security:
        """How the connection is encrypted: before the greeting, after it, or not."""
        if self.secured is None:
            return "none"
        return "starttls" if self.banner else "tls"

    def hide(self, *secrets: bytes) -> None:
        """Mask these from now on where the server repeats them."""
        self.masked += tuple(
            secret.decode("utf-8", "backslashreplace") for secret in secrets if len(secret) >= SHORTEST_SECRET
        )

    def last_reply(self) -> tuple[int, bytes]:
        """The last reply; when it is one to a login, any secret that the server repeats in it is masked."""
        code, message = self.heard.raw
        for secret in self.masked if self.phase == phases.AUTH else ():
            message = message.replace(secret.encode(), b"***")
        return code, message


def _may_be_answer(word: bytes) -> bool:
    """Whether a line of this word alone, which is no command, may be an answer to a login that is out of step."""
    if word.lower() in _PHASES or word.lower() in _OTHERS:
        return False
    try:
        return bool(a2b_base64(word, strict_mode=True))
    except ValueError:
        return False


class StandIn:
    """Answers STARTTLS and AUTH in place of a server that the connection never reached, so that no credential goes
    to the inbox that it did reach. `encrypts`: the inbox has a STARTTLS of its own, which is meant to be used.
    """

    __slots__ = ("_encrypts", "_questions")

    def __init__(self, encrypts: bool) -> None:
        self._encrypts = encrypts
        self._questions: list[bytes] = []

    def answer_to(self, line: bytes) -> bytes | None:
        """The reply to a command, or `None` for one that is for the inbox."""
        words = line.upper().split()
        if self._questions:
            return self._questions.pop(0)
        if any(other.lstrip()[:4].upper() == b"AUTH" for other in line.splitlines()[1:]):
            return b"503 5.5.1 MAILWRIGHT_CATCH is set: the credentials must come alone, not behind another command\r\n"
        if words[:1] == [b"STARTTLS"] and not self._encrypts:
            return b"220 2.0.0 Ready: MAILWRIGHT_CATCH is set, nothing leaves this machine\r\n"
        if words[:1] != [b"AUTH"]:
            return None
        asked = [b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"] if words[1:2] == [b"LOGIN"] else [b"334 Kg==\r\n"]
        self._questions = [*asked[len(words) - 2 :], b"235 " + NOT_SENT + b"\r\n"]
        return self._questions.pop(0)


NOT_SENT = b"2.7.0 MAILWRIGHT_CATCH is set: the credentials were not sent"


def timeouts(seconds: float) -> Timeouts:
    """One limit for everything, as the original has it."""
    return Timeouts(connect=seconds, reply=seconds, block=seconds, final=seconds, quit=seconds)


def server_at(host: str, port: int | str, timeout: object, protocol: Protocol) -> Server:
    """The server at `host`, which may be the path of a Unix socket. Raises `ConfigError` for what is no host."""
    seconds = float(timeout) if isinstance(timeout, (int, float)) and timeout > 0 else FOREVER
    path = host if host.startswith("/") else None
    return Server(
        "localhost" if path else host or "localhost",
        _number(port),
        "none",
        timeouts=timeouts(seconds),
        protocol=protocol,
        path=path,
    )


def conversation_with(meant: Server) -> Conversation:
    """A conversation with that server, or with the inbox to which ``MAILWRIGHT_CATCH`` sends what is for it. Raises
    `ConfigError` where that variable makes no sense.
    """
    from mailwright.mailer.catching import divert

    server = divert(meant)
    found = Conversation(server)
    if server is not meant:
        found.stands_in = StandIn(encrypts=server.security == "starttls")
    return found


def _number(port: int | str) -> int:
    """The port as a number; 25 for what only the operating system understands."""
    try:
        number = int(port)
    except ValueError:
        return 25
    return number if 0 < number < 65536 else 25


def conversation_over(sock: Any) -> Conversation:
    """A conversation over a socket that the caller connected."""
    ask = getattr(sock, "getpeername", None)
    try:
        peer = ask() if ask is not None else None
    except OSError:
        peer = None
    if isinstance(peer, (str, bytes)):  # that of a Unix socket, which may have no name
        return Conversation(Server("localhost", 25, "none", path=str(peer) or "(unnamed)", timeouts=timeouts(FOREVER)))
    host, port = (peer[0], peer[1]) if isinstance(peer, tuple) and len(peer) > 1 else ("unknown", 25)
    try:
        return Conversation(Server(host, _number(port), "none", timeouts=timeouts(FOREVER)))
    except ConfigError:
        return Conversation(Server("unknown", 25, "none", timeouts=timeouts(FOREVER)))
