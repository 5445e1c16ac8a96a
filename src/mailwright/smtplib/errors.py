"""The exceptions: those of the standard library's module, which also say what to do.

Each class is a subclass of the original's class of that name, so that ``except`` in code that imported the original
still catches it; `args` and attributes are the same. ``str()`` is the original's text, and below it what happened and
what to do. `diagnosis` explains more. The cause (``__cause__``) is the error of `mailwright.errors`.
"""

from __future__ import annotations

from mailwright.smtp import phases
from mailwright.smtp.refusals import refusal_advice
from mailwright.smtp.session import another_protocol
from mailwright.smtp.wire import shown
from mailwright.smtplib.replies import reply_of
from mailwright.words.errors import (
    ContentRefused,
    DeliveryError,
    MailError,
    ProtocolError,
    RecipientsRefused,
    Refused,
    TLSError,
)
from mailwright.words.reply import Reply, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    import smtplib as original
    from types import ModuleType
    from typing import Any

    from mailwright.diagnose.diagnosis import Diagnosis
    from mailwright.smtplib.conversation import Conversation

    Response = tuple[int, bytes]
else:

    def _original() -> ModuleType:
        """The standard library's module, also where a program put ours into its place."""
        from mailwright.smtplib import _standard

        if _standard is not None:
            return _standard
        import smtplib

        if smtplib.__name__ == "smtplib":
            return smtplib
        from importlib.machinery import PathFinder
        from importlib.util import module_from_spec

        spec = PathFinder.find_spec("smtplib")
        found = module_from_spec(spec)
        spec.loader.exec_module(found)
        return found

    original = _original()

#: What the engine advises, in the words of this interface; longer ones first.
_WORDS = (
    ("cleartext_login=True", "smtplib.ALLOW_CLEARTEXT_LOGIN = True"),
    ("security 'tls' (port 465) or 'starttls' (port 587)", "SMTP_SSL (port 465), or SMTP and starttls() (port 587)"),
    ("465 with security 'tls' or 587 with 'starttls'", "465 with SMTP_SSL, or 587 with starttls()"),
    ("465 with 'tls' or 587 with 'starttls'", "465 with SMTP_SSL, or 587 with starttls()"),
    ("465 for 'tls', 587 for 'starttls'", "465 for SMTP_SSL, 587 for starttls()"),
    ("port 587 with 'starttls'", "port 587 with starttls()"),
    ("security 'tls'", "SMTP_SSL"),
    ("security 'starttls'", "starttls()"),
    ("'tls' or 'starttls'", "SMTP_SSL or starttls()"),
    (" or 'starttls'", " or starttls()"),
)


class Explained(Exception):
    """An exception that says what to do. `phase` is one of `mailwright.smtp.phases`; `host` and `port` are those of
    the server, `security` how it was spoken to, and `banner` its greeting; each is empty where it is not known. `more`
    is shown behind the advice.
    """

    phase: str = ""
    host: str = ""
    port: int = 0
    security: str = ""
    banner: str = ""
    more: str = ""
    _known: Diagnosis | None = None
    _busy: bool = False

    @property
    def diagnosis(self) -> Diagnosis:
        """What happened, why, and what to do; made when it is first asked for."""
        if self._known is None:
            from mailwright.diagnose.explain import explain

            self._busy = True  # whoever explains this error looks at its text, too
            try:
                self._known = explain(
                    self,
                    phase=self.phase,
                    port=self.port,
                    host=self.host,
                    security=self.security,
                    banner=self.banner,
                )
            finally:
                self._busy = False
        return self._known

    def __str__(self) -> str:
        said = super().__str__()
        told = "" if self._busy else self._told(said)
        return f"{said}\n{told}" if told else said

    def _told(self, said: str) -> str:
        """What happened, unless that is what was `said`, and what to do; empty if nobody knows."""
        cause = self.__cause__
        what = cause.what if isinstance(cause, MailError) else ""
        advice = in_these_words(cause.advice) if isinstance(cause, MailError) else ""
        known: Diagnosis | None
        try:
            known = self.diagnosis
        except Exception:  # an explanation that fails must not hide what it was to explain
            known = None
        if known is not None and not known.fallback and not _is_our_own(cause):
            ended = isinstance(cause, (ConnectionError, TimeoutError))
            # Where the connection ended our advice goes by phase and port.
            what, advice = what or known.what, f"{advice if ended else ''} {known.advice}".strip() or advice
        told = f"{'' if what == said else what} {advice}".strip()
        return f"{told}\n{self.more}".strip()


def _is_our_own(cause: BaseException | None) -> bool:
    """Whether nobody refused but we: then our advice is to the point, and what is known of servers is not."""
    outside = isinstance(cause, (ConnectionError, TimeoutError, TLSError, ProtocolError))
    return isinstance(cause, MailError) and not outside and getattr(cause, "reply", None) is None


def in_these_words(advice: str) -> str:
    """Advice of the engine as somebody needs it who calls this module."""
    for ours, theirs in _WORDS:
        advice = advice.replace(ours, theirs)
    return advice


class SMTPException(Explained, original.SMTPException):
    """Base class for all exceptions raised by this module."""


class SMTPNotSupportedError(SMTPException, original.SMTPNotSupportedError):
    """The server does not support a command or an option."""


class SMTPServerDisconnected(SMTPException, original.SMTPServerDisconnected):
    """Not connected: the connection broke, or `connect()` was not called yet."""


class SMTPResponseException(SMTPException, original.SMTPResponseException):
    """The server refused: `smtp_code` and `smtp_error` are its reply."""


class SMTPSenderRefused(SMTPResponseException, original.SMTPSenderRefused):
    """The server refused the address `sender`."""


class SMTPRecipientsRefused(SMTPException, original.SMTPRecipientsRefused):
    """The server refused every recipient: `recipients` has the reply for each."""


class SMTPDataError(SMTPResponseException, original.SMTPDataError):
    """The server refused the content."""


class SMTPConnectError(SMTPResponseException, original.SMTPConnectError):
    """The server did not greet us with a 220."""


class SMTPHeloError(SMTPResponseException, original.SMTPHeloError):
    """The server refused our name."""


class SMTPAuthenticationError(SMTPResponseException, original.SMTPAuthenticationError):
    """The server refused the login."""


for _class in list(vars().values()):
    if isinstance(_class, type) and issubclass(_class, Explained) and _class is not Explained:
        _class.__module__ = "mailwright.smtplib"  # where everybody finds them; shown in tracebacks
del _class


def placed(error: Explained, session: Conversation | None, cause: BaseException | None) -> Any:
    """The error, with where it happened and why."""
    if session is not None:
        error.phase, error.host, error.port = session.phase, session.server.host, session.server.port
        error.security, error.banner = session.spoken, session.banner
        if isinstance(cause, DeliveryError):
            error.phase = cause.phase or error.phase
            cause.transcript = cause.transcript or session.transcript
    if cause is not None:
        error.__cause__ = cause
    return error


def refusal(name: str, session: Conversation, response: Response, *more: Any) -> Any:
    """The exception `name` for a refusal by the server; `more` are its further arguments."""
    return placed(globals()[name](*response, *more), session, _cause(name, session, response, more))


def _cause(name: str, session: Conversation, response: Response, more: tuple[Any, ...]) -> MailError:
    reply = Reply(response[0], tuple(map(session.mask, reply_of(*response).lines)))
    where, doing = str(session.server), phases.DOING[session.phase]
    if response[0] == -1:
        line = session.heard.lines[-1] if session.heard.lines else b""
        what = f"{where} does not talk like a mail server {doing}: {shown(line)}."
        advice = another_protocol(line, "") or "Check host and port; if they are right, the server is broken."
        return ProtocolError(what, advice, phase=session.phase, server=where)
    if name == "SMTPSenderRefused":
        from mailwright.smtp.refusals import sender_refused

        return sender_refused(session, visible(more[0], 320), reply)
    kind, verb = Refused, f"refused {doing}"
    if name == "SMTPDataError":
        kind, verb = ContentRefused, "refused the content"
    elif name == "SMTPConnectError":
        verb = "does not let us in"
    elif name == "SMTPHeloError":
        verb = "does not accept our name"
    return kind(f"{where} {verb}: {reply}.", refusal_advice(reply), phase=session.phase, server=where, reply=reply)


def nobody_left(session: Conversation, refused: dict[str, Response]) -> Any:
    """The exception for a message that no recipient may have."""
    replies = [reply_of(*response) for response in refused.values()]
    some = ", ".join(f"<{visible(who, 320)}>: {reply}" for who, reply in zip(list(refused)[:3], replies, strict=False))
    what = f"{session.server} refused every recipient ({some or 'none was named'}); nobody got the message."
    cause = RecipientsRefused(
        what,
        "Correct those addresses." if not all(r.temporary for r in replies) or not replies else "Try again later.",
        phase=phases.RCPT,
        server=str(session.server),
        reply=replies[0] if replies else None,
    )
    return placed(SMTPRecipientsRefused(refused), session, cause)
