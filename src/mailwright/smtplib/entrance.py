"""The way in: encryption and login."""

from __future__ import annotations

from mailwright.drivers.given import secured_by
from mailwright.smtp import phases
from mailwright.smtplib.commands import Commands
from mailwright.smtplib.conversation import NOT_SENT
from mailwright.smtplib.dialogue import face
from mailwright.smtplib.known import as_sent, faults
from mailwright.words.errors import ConfigError, DeliveryError, LoginError, MailError
from mailwright.words.server import TLS
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from os import PathLike
    from typing import Any, Protocol, overload

    from _typeshed import ReadableBuffer

    from mailwright.smtplib.asked import Asked
    from mailwright.smtplib.conversation import Conversation
    from mailwright.smtplib.dialogue import Response
    from mailwright.steps import Plan
    from mailwright.words.server import Server

    Path = str | bytes | PathLike[str] | PathLike[bytes]

    class AuthObject(Protocol):
        """Answers a challenge, and without one gives what the client says first, if it does."""

        @overload
        def __call__(self, challenge: None = None, /) -> str | None: ...
        @overload
        def __call__(self, challenge: bytes, /) -> str: ...


class Entrance(Commands):
    """Encryption and login."""

    user: str
    password: str

    def starttls(
        self, keyfile: Path | None = None, certfile: Path | None = None, context: ssl.SSLContext | TLS | None = None
    ) -> Response:
        """STARTTLS: encrypt the connection, with a server that proves to be the right one.

        `context` decides what is checked: an `ssl.SSLContext`, or a `TLS` of `mailwright.options` with a pin or a CA.
        Without one the certificate must come from a CA that this machine trusts and be for the host. `keyfile` and
        `certfile` are a client certificate, as Python 3.11 has it.

        Raises `SMTPNotSupportedError` where it is not offered, `SMTPResponseException` where it is refused,
        `SMTPException` when something was said in between, and `ssl.SSLError`.
        """
        tls = tls_of(keyfile, certfile, context)
        self.ehlo_or_helo_if_needed()
        if not self.has_extn("starttls"):
            raise self._error("SMTPNotSupportedError", "STARTTLS extension not supported by server.")
        response = self.docmd("STARTTLS")
        if response[0] != 220:
            raise self._refusal("SMTPResponseException", response)
        session = self._session
        if session.stands_in is None:
            session.server = replace(session.server, tls=self._named_in(tls))
        if session.stands_in is None or session.server.security == "starttls":
            self._leave_plain_text()
        self._forget_greeting()
        return response

    def _leave_plain_text(self) -> None:
        from mailwright.smtp.opening import refuse_injection

        session = self._session
        session.phase = phases.STARTTLS
        try:
            self._run(refuse_injection(session))
        except MailError as problem:
            self.close()
            name = "SMTPServerDisconnected" if isinstance(problem, ConnectionError) else "SMTPException"
            raise self._error(name, problem.what, cause=problem) from problem
        session.forget_features()
        self._encrypt()

    def _named_in(self, tls: TLS) -> TLS:
        """`tls` with the name to expect in the certificate, where that is not the host of the connection."""
        if tls.name is None and self._host and self._host != self._session.server.host:
            return replace(tls, name=self._host)
        return tls

    def login(self, user: str, password: str, *, initial_response_ok: bool = True) -> Response:
        """Log in, once, with the best mechanism that both know: SCRAM, PLAIN, LOGIN, or CRAM-MD5.

        Without TLS a password leaves this machine only by a mechanism that hides it, unless ``ALLOW_CLEARTEXT_LOGIN``
        is set. `initial_response_ok` as in `auth`. Raises `SMTPAuthenticationError` when the server says no,
        `SMTPNotSupportedError` when it offers no login, `SMTPException` when there is no safe way, and `ValueError`
        for what can't be a name or a password.
        """
        from mailwright.smtp.features import Features
        from mailwright.smtp.login import log_in
        from mailwright.words.server import Login

        self.ehlo_or_helo_if_needed()
        if not self.has_extn("auth"):
            raise self._error("SMTPNotSupportedError", "SMTP AUTH extension not supported by server.")
        self.user, self.password = user, password
        session = self._session
        if session.stands_in is not None:
            return self._pretend_login()
        _check_texts(user, password)
        login = as_sent(Login(user, password), session.server)
        del password  # a traceback that shows local variables shows ours, too
        # The caller may have changed what the server offers, to have another mechanism.
        session.features = Features(keywords=(("AUTH", tuple(self.esmtp_features["auth"].split())),))
        self._settle_safety()
        return self._authenticate(log_in(session, login, initial_response_ok))

    def auth(self, mechanism: str, authobject: AuthObject, *, initial_response_ok: bool = True) -> Response:
        """AUTH with a mechanism of the caller's: ``authobject(challenge)`` answers each challenge (octets) with text.

        With `initial_response_ok`, ``authobject()`` is asked for what the client says first; `None` is nothing.
        Raises what `login` raises.
        """
        from mailwright.smtp.login import authenticate
        from mailwright.smtplib.asked import Asked, shows_the_secret

        name = mechanism.upper()
        session = self._session if self.sock else None
        if session is not None and session.stands_in is not None:
            return self._pretend_login()
        if session is None:
            raise self._error("SMTPServerDisconnected", "please run connect() first")
        self._settle_safety()
        if shows_the_secret(name) and not self._may_show_secrets(session):
            raise self._error("SMTPException", _UNENCRYPTED, cause=_unsafe(session, name))
        if isinstance(known := getattr(self, "password", None), str):
            session.hide(known.encode("utf-8", "replace"))  # a server may repeat it decoded
        asked = Asked(self, name, authobject, initial_response_ok)
        return self._authenticate(authenticate(session, asked), asked)

    def _settle_safety(self) -> None:
        """Tell the engine how this connection is encrypted, and what the caller allows."""
        session, server = self._session, self._session.server
        if self.sock is not session.wrapped:
            found = secured_by(self.sock)
            session.secured = found[1] if found else None
            server = replace(server, tls=found[0] if found else TLS())
        # Behind PySocks "localhost" is the proxy's.
        proxied = bool(getattr(self.sock, "proxy_peername", None))
        allowed = self.ALLOW_CLEARTEXT_LOGIN
        if allowed is None:
            allowed = face().ALLOW_CLEARTEXT_LOGIN
        session.server = replace(server, cleartext_login=bool(allowed), proxy="socks5://unknown" if proxied else None)

    def _may_show_secrets(self, session: Conversation) -> bool:
        server = session.server
        return session.secured is not None or server.cleartext_login or server.stays_here

    def _authenticate(self, plan: Plan[None], asked: Asked | None = None) -> Response:
        """Perform a login; its result, or the exception that the original has for it."""
        from mailwright.smtp.login import ROUNDS_LIMIT

        session = self._session
        session.phase = phases.AUTH
        if self.debuglevel > 0:
            session.begin_transcript()
        try:
            self._run(plan)
        except LoginError as problem:
            if problem.reply is None:
                said = problem.what
                if asked is not None and asked.answers >= ROUNDS_LIMIT:
                    said = f"Server AUTH mechanism infinite loop. Last response: {session.last_reply()!r}"
                raise self._error("SMTPException", said, cause=problem) from problem
            if problem.reply.code != 503:  # it says that we are logged in already
                raise self._refused_login(problem) from problem
        except DeliveryError as problem:
            self.close()
            raise self._error("SMTPServerDisconnected", "Connection unexpectedly closed", cause=problem) from problem
        finally:
            self._show_login()
        return session.last_reply()

    def _refused_login(self, problem: LoginError) -> Any:
        session = self._session
        refused = self._error("SMTPAuthenticationError", *session.last_reply(), cause=problem)
        refused.more = _faults(getattr(self, "user", ""), getattr(self, "password", ""), session.server)
        return refused

    def _show_login(self) -> None:
        """The talk of a login for whoever debugs: without the credentials."""
        if self.debuglevel > 0:
            for line in self._session.transcript:
                self._print_debug("send:" if line.mark == "C" else "reply:", repr(line.text))

    def _pretend_login(self) -> Response:
        """Let the script go on, and let no credential out."""
        server = self._session.server
        if server.login is not None:  # that of the inbox, from the variable
            from mailwright.smtp.login import log_in

            self._authenticate(log_in(self._session, server.login))
        return 235, NOT_SENT

    def auth_cram_md5(self, challenge: Any = None) -> Any:
        """Answers for CRAM-MD5, from `user` and `password`."""
        if challenge is None:
            return None
        import hmac

        return f"{self.user} {hmac.new(self.password.encode(), challenge, 'md5').hexdigest()}"

    def auth_plain(self, challenge: ReadableBuffer | None = None) -> str:
        """Answers for PLAIN, from `user` and `password`."""
        return f"\0{self.user}\0{self.password}"

    def auth_login(self, challenge: ReadableBuffer | None = None) -> str:
        """Answers for LOGIN, from `user` and `password`."""
        return self.user if challenge is None or self._auth_challenge_count < 2 else self.password


_UNENCRYPTED = "Not logged in: the connection is not encrypted."


def _faults(user: object, password: object, server: Server) -> str:
    """What no reply says: that it is a placeholder, or the address of another provider; empty if nothing is known."""
    from mailwright.words.server import Login

    try:
        login = Login(user, password) if isinstance(user, str) and isinstance(password, str) else None
    except ConfigError:
        login = None  # what can't be a name was not sent either
    return " ".join(faults(login, server)) if login is not None else ""


def _unsafe(session: Conversation, mechanism: str) -> LoginError:
    return LoginError(
        f"The connection to {session.server} is not encrypted, so {mechanism} would show the credentials to everybody "
        "on the way.",
        "Use security 'tls' (port 465) or 'starttls' (port 587); cleartext_login=True allows it anyway.",
        phase=phases.AUTH,
        server=str(session.server),
    )


def _check_texts(user: object, password: object) -> None:
    for name, given in (("user", user), ("password", password)):
        if not isinstance(given, str):
            raise TypeError(
                f"The {name} is {'None' if given is None else type(given).__name__}, not text"
                + (": is the environment variable set that it comes from?" if given is None else ".")
            )


def tls_of(
    keyfile: Path | None, certfile: Path | None, context: ssl.SSLContext | TLS | None, stacklevel: int = 3
) -> TLS:
    """What the arguments ask of TLS. Raises `ValueError` for those that exclude each other."""
    for name, given in (("keyfile", keyfile), ("certfile", certfile)):
        if context is not None and given is not None:
            raise ValueError(f"context and {name} arguments are mutually exclusive")
    if isinstance(context, TLS):
        return context
    if context is not None:
        return TLS(context=context)
    if keyfile is None and certfile is None:
        return TLS()
    from os import fsdecode
    from warnings import warn

    said = "keyfile and certfile are deprecated, use a custom context instead"
    warn(said, DeprecationWarning, stacklevel)
    if certfile is None:
        raise ValueError("certfile must be specified")
    return TLS(certificate=fsdecode(certfile), key=None if keyfile is None else fsdecode(keyfile))
