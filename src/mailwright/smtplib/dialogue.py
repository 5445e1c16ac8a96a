"""The talk, step by step: connect, send a line, get a reply, close.

Every step by hand is a small plan of the engine over the caller's own socket. `SMTP` is put together from here
upwards: `Dialogue`, `Commands`, `Entrance`, `SMTP`; each method calls those below it by their public names, as the
original's do, so that a subclass which overrides one of them is asked.
"""

from __future__ import annotations

import sys
from socket import _GLOBAL_DEFAULT_TIMEOUT  # type: ignore[attr-defined]  # what the original has as default
from socket import getdefaulttimeout as _usual_timeout

from mailwright.drivers.given import connected, run, time_out
from mailwright.drivers.host_names import ascii_name
from mailwright.smtp import phases
from mailwright.smtp.session import read_reply, write
from mailwright.smtp.wire import AUTH_LIMIT, REPLY_LINE_LIMIT, command_line
from mailwright.smtplib.conversation import conversation_over, conversation_with, server_at
from mailwright.smtplib.line_ends import Joint
from mailwright.words.errors import ConfigError, MailError, ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from types import TracebackType
    from typing import Any, Self, TypeVar

    from _typeshed import ReadableBuffer

    from mailwright.smtplib.conversation import Conversation
    from mailwright.steps import Plan
    from mailwright.words.server import Protocol

    T = TypeVar("T")
    Address = tuple[Any, ...] | str | bytes
    Response = tuple[int, bytes]

SMTP_PORT = 25
CRLF = "\r\n"


class Dialogue:
    """A connection to a server, and what is said over it."""

    debuglevel: int = 0
    sock: socket.socket | None = None
    file: Any | None = None
    default_port: int = SMTP_PORT
    #: Whether a login may go out unencrypted, over a network; `None` leaves it to the module's attribute of that name.
    ALLOW_CLEARTEXT_LOGIN: bool | None = None

    _protocol: Protocol = "smtp"
    _conversation: Conversation | None = None

    def __init__(
        self,
        host: str = "",
        port: int = 0,
        local_hostname: str | None = None,
        timeout: float = _GLOBAL_DEFAULT_TIMEOUT,
        source_address: Address | None = None,
    ) -> None:
        """Connect to `host`, if one is given, and raise `SMTPConnectError` if it does not greet with 220.

        `local_hostname` is our name in EHLO, by default the one that `socket.getfqdn` finds. `timeout` in seconds is
        for each wait. `source_address` is a pair (host, port) to connect from.
        """
        self._host = self._named = host
        self.timeout = timeout
        self.esmtp_features: dict[str, str] = {}
        self.command_encoding = "ascii"
        self.source_address = source_address
        self._auth_challenge_count = 0
        self._joint = Joint()
        if host:
            response = self.connect(host, port)
            if response[0] != 220:
                try:
                    raise self._refusal("SMTPConnectError", response)
                finally:
                    self.close()
        self.local_hostname = _own_name() if local_hostname is None else local_hostname

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            response = self.docmd("QUIT")
            if response[0] != 221:
                raise self._refusal("SMTPResponseException", response)
        except OSError as problem:
            from mailwright.smtplib.errors import SMTPServerDisconnected

            if not isinstance(problem, SMTPServerDisconnected):
                raise
        finally:
            self.close()

    def set_debuglevel(self, debuglevel: int) -> None:
        """Show the talk on standard error: 1, and 2 with the time. Credentials are shown as ``***``."""
        self.debuglevel = debuglevel

    def _print_debug(self, *args: object) -> None:
        if self.debuglevel > 1:
            from datetime import datetime

            args = (datetime.now().time(), *args)
        sys.stderr.write(" ".join(map(str, args)) + "\n")

    # The connection.

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """A connected socket; subclasses override this to connect in another way."""
        check_timeout(timeout)
        if self.debuglevel > 0:
            self._print_debug("connect: to", (host, port), self.source_address)
        made: socket.socket = face().socket.create_connection((ascii_name(host), port), timeout, self.source_address)
        return made

    def connect(self, host: str = "localhost", port: int = 0, source_address: Address | None = None) -> Response:
        """Connect, and give the server's greeting. ``host:port`` in `host` is understood if `port` is not given.

        Raises `OSError` as `socket.create_connection` does.
        """
        if source_address:
            self.source_address = source_address
        host, number = _place(host, port)
        number = number or self.default_port
        sys.audit("smtplib.connect", self, host, number)
        if self._host == self._named:  # unless somebody set another name to expect in the certificate
            self._host = self._named = host
        self._open(host, number)
        response = self.getreply()
        if self.debuglevel > 0:
            self._print_debug("connect:", repr(response[1]))
        return response

    def _open(self, host: str, port: int) -> None:
        """Connect, and begin a new conversation."""
        timeout = _usual_timeout() if self.timeout is _GLOBAL_DEFAULT_TIMEOUT else self.timeout
        try:
            server = server_at(host, port, timeout, self._protocol)
        except ConfigError as problem:
            from mailwright.smtplib.trouble import no_such_server

            raise no_such_server(problem) from problem
        session = conversation_with(server)
        self._conversation, self._joint = session, Joint()
        session.phase = phases.CONNECT
        try:
            if session.stands_in is not None:
                self.sock, self.file = connected(session.server), None
                if session.server.security == "tls":
                    self._encrypt()
            else:
                self.sock = self._get_socket(host, port, self.timeout)
        except OSError as problem:
            from mailwright.smtplib.errors import Explained
            from mailwright.smtplib.trouble import like, no_connection

            if isinstance(problem, Explained):
                raise
            cause = no_connection(problem, session, port)
            raise like(problem, session, cause) from cause
        self.file = None
        session.phase = phases.GREETING

    def _encrypt(self) -> None:
        """TLS over the socket as it is, by the settings of the conversation. Raises `ssl.SSLError` and `OSError`."""
        from mailwright.smtp.opening import secure

        session = self._session
        try:
            self._run(secure(session))
        except MailError as problem:
            from mailwright.smtplib.trouble import not_encrypted

            self.close()
            raise not_encrypted(problem, session) from problem
        session.wrapped = self.sock

    def close(self) -> None:
        """Close the connection, without a word."""
        try:
            file, self.file = self.file, None
            if file:
                file.close()
        finally:
            sock, self.sock = self.sock, None
            if sock:
                sock.close()

    # The steps by hand.

    @property
    def _session(self) -> Conversation:
        if self._conversation is None:
            self._conversation = conversation_over(self.sock)
        return self._conversation

    def _run(self, plan: Plan[T]) -> T:
        """Perform a plan of the engine over the socket."""
        self._session.limit(time_out(self.sock))
        return run(plan, self)

    def send(self, s: ReadableBuffer | str) -> None:
        """Send `s` as it is, but for the line ends: each becomes CRLF."""
        if not self.sock:
            raise self._error("SMTPServerDisconnected", "please run connect() first")
        session = self._session
        data = s.encode(self.command_encoding) if isinstance(s, str) else s
        if not isinstance(data, bytes):
            data = bytes(memoryview(data))
        shown = session.begin(data)
        if self.debuglevel > 0:
            self._print_debug("send:", repr(shown + CRLF) if "***" in shown else repr(s))
        sys.audit("smtplib.send", self, data)
        data = self._joint.with_crlf(data)
        answer = session.answer_to(data)
        if answer is not None:
            session.replies.feed(answer)
            return
        try:
            run(write(session, data, time_out(self.sock)), self)
        except MailError as problem:
            self.close()
            raise self._error("SMTPServerDisconnected", "Server not connected", cause=problem) from problem

    def putcmd(self, cmd: str, args: str = "") -> None:
        """Send a command. Raises `ValueError` for a line break or another control character in it."""
        line = cmd if args == "" else f"{cmd} {args}"
        if not line.isprintable() and self._conversation is not None and self._conversation.says_secret(line):
            raise ValueError("a login contains prohibited newline or control characters, perhaps at its end")
        if "\r" in line or "\n" in line:
            shown = line.replace("\n", "\\n").replace("\r", "\\r")
            raise ValueError(f"command and arguments contain prohibited newline characters: {shown}")
        whole = f"{line}{CRLF}"
        whole.encode(self.command_encoding)
        command_line(line, AUTH_LIMIT)
        self.send(whole)

    def getreply(self) -> Response:
        """The next reply: its code, -1 for what is no reply, and its lines without code, joined by LF.

        Raises `SMTPServerDisconnected` when the connection ends.
        """
        if not self.sock:
            raise self._error("SMTPServerDisconnected", "please run connect() first")
        session = self._session
        session.await_reply()
        limit = time_out(self.sock)
        try:
            run(read_reply(session, limit), self)
        except ProtocolError as problem:
            self.close()
            name = "SMTPConnectError" if session.phase == phases.GREETING else "SMTPResponseException"
            said = session.replies.pending
            args = (500, "Line too long.") if len(said) > REPLY_LINE_LIMIT else (-1, said)
            raise self._error(name, *args, cause=problem) from problem
        except MailError as problem:
            self.close()
            raise self._error("SMTPServerDisconnected", _lost(problem), cause=problem) from problem
        session.note_end()
        response = session.last_reply()
        if self.debuglevel > 0:
            for line in session.heard.lines:
                self._print_debug("reply:", repr(session.mask(line.decode("latin-1")).encode("latin-1") + b"\r\n"))
            said = session.mask(response[1].decode("latin-1")).encode("latin-1")
            self._print_debug(f"reply: retcode ({response[0]}); Msg: {said!a}")
        return response

    def docmd(self, cmd: str, args: str = "") -> Response:
        """Send a command, and give its reply."""
        self.putcmd(cmd, args)
        return self.getreply()

    # Errors.

    def _error(self, name: str, *args: Any, cause: BaseException | None = None) -> Any:
        from mailwright.smtplib import errors

        return errors.placed(getattr(errors, name)(*args), self._conversation, cause)

    def _refusal(self, name: str, response: Response, *more: Any) -> Any:
        from mailwright.smtplib.errors import refusal

        return refusal(name, self._session, response, *more)


def check_timeout(timeout: float | None) -> None:
    """Refuse a time-out of 0, which would mean a socket that does not block. Raises `ValueError`."""
    if timeout is not None and not timeout:
        raise ValueError("Non-blocking socket (timeout=0) is not supported")


def face() -> Any:
    """The module as callers see it: they may have put another `socket` into it."""
    from mailwright import smtplib

    return smtplib


def _own_name() -> str:
    """Our name for EHLO: the host's, if it has a dot in it, else an address literal (RFC 5321 §4.1.3)."""
    socket = face().socket
    name: str = socket.getfqdn()
    if "." in name:
        return name
    address = "127.0.0.1"
    try:
        address = socket.gethostbyname(socket.gethostname())
    except socket.gaierror:
        pass
    return f"[{address}]"


def _place(host: str, port: int) -> tuple[str, int]:
    """Host and port, of which the latter may stand behind a colon in the former. Raises `OSError`."""
    if port or host.count(":") != 1:
        return host, port
    host, _, behind = host.partition(":")
    try:
        return host, int(behind)
    except ValueError:
        raise OSError("nonnumeric port") from None


def _lost(problem: MailError) -> str:
    """How the original says that the connection ended."""
    if isinstance(problem, TimeoutError):
        return "Connection unexpectedly closed: timed out"
    below = problem.__cause__
    return "Connection unexpectedly closed" + (f": {below}" if below is not None else "")
