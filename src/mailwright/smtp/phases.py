"""The phases of a talk with a mail server, and what a failure in each of them means.

One word for each phase stands in ``error.phase``. The sentences that make "Connection unexpectedly closed"
mean something are here, by phase, and nowhere else.
"""

from __future__ import annotations

from mailwright.steps import DeadlinePassed
from mailwright.words.errors import ConnectionLost, Timeout, TLSError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mailwright.smtp.session import Session
    from mailwright.words.errors import DeliveryError

CONNECT = "connect"
GREETING = "greeting"
EHLO = "ehlo"
STARTTLS = "starttls"
TLS = "tls"
AUTH = "auth"
READY = "ready"
MAIL = "mail"
RCPT = "rcpt"
DATA = "data"
CONTENT = "content"
FINAL = "final reply"
QUIT = "quit"

#: What we were doing, to stand behind "while" or "during".
DOING = {
    CONNECT: "while connecting",
    GREETING: "before it greeted us",
    EHLO: "while it introduced itself (EHLO)",
    STARTTLS: "when asked for encryption (STARTTLS)",
    TLS: "during the TLS handshake",
    AUTH: "during the login",
    READY: "between two messages",
    MAIL: "when told the sender (MAIL)",
    RCPT: "when told the recipients (RCPT)",
    DATA: "before the content (DATA)",
    CONTENT: "while we sent the content",
    FINAL: "after the whole content was sent, before it said whether it took it",
    QUIT: "while saying goodbye",
}

#: Advice where the ledger of a message knows more than the phase says.
DOUBT = "The message may or may not arrive: look for it at a recipient before sending it again."
SOME_HAVE_IT = "Some recipients have got it: error.receipt says who, and to whom alone it may still be sent."
#: Advice where the deadline of the whole passed.
MORE_TIME = "Nothing was delivered: try the same call again, or give it more time with Timeouts(total=…)."

_AGAIN = "Nothing was delivered, so the same call can be tried again."
_ADVICE = {
    AUTH: "Many servers do this after a wrong password or too many logins: check the credential, wait, then try again.",
    STARTTLS: "Something on the way may be cutting encryption off; try security 'tls' on port 465.",
    TLS: "The server, or something on the way, refuses this TLS; check port and security.",
}


def connection_lost(session: Session, reason: str = "") -> DeliveryError:
    """The other side closed in the present phase: say where, what that may mean, and whether trying again is
    safe.
    """
    if session.phase in (GREETING, EHLO) and _blames_our_certificate(reason):
        what = f"{session.server} ended the encrypted connection for want of a client certificate that it takes."
        advice = "Give it one with TLS(certificate=…, key=…); which one, its owner knows."
        return TLSError(what, advice, phase=TLS, server=str(session.server))
    because = f" ({reason})" if reason else ""
    what = f"{session.server} closed the connection {DOING[session.phase]}{because}."
    return ConnectionLost(what, _advice(session), **_facts(session))


def _blames_our_certificate(reason: str) -> bool:
    """True for the alerts about a client certificate. With TLS 1.3 they come when the client believes that the
    handshake is over (RFC 8446 §4.4.2.4, §6.2).
    """
    return "alert" in reason and any(word in reason for word in ("certificate", "unknown_ca", "access_denied"))


def timed_out(session: Session, seconds: float, problem: TimeoutError | None = None) -> DeliveryError:
    """The other side said nothing for too long in the present phase: for the `seconds` of the step, or, if that is
    the `problem`, until the deadline of the whole.
    """
    if isinstance(problem, DeadlinePassed):
        total = session.server.timeouts.total
        whole = f"the whole deadline of {total:g} seconds" if total else "the deadline"
        what = f"{session.server} took longer than {whole}, which passed {DOING[session.phase]}."
        advice = _advice(session) if session.phase in (GREETING, EHLO, FINAL) else MORE_TIME
        return Timeout(what, advice, **_facts(session))
    what = f"{session.server} did not answer within {seconds:g} seconds {DOING[session.phase]}."
    return Timeout(what, _advice(session), **_facts(session))


def _facts(session: Session) -> dict[str, Any]:
    return {"phase": session.phase, "server": str(session.server), "in_doubt": session.phase == FINAL}


def _advice(session: Session) -> str:
    if session.phase == FINAL:
        return DOUBT
    if session.phase in (GREETING, EHLO):
        if session.secured is None and session.server.port == 465:
            return "Port 465 expects TLS from the first byte: use security 'tls', or port 587 with 'starttls'."
        if session.server.port == 25:
            return "Port 25 is for mail between servers and often blocked: use 465 with 'tls' or 587 with 'starttls'."
        return (
            "Check host and port (mail programs use 465 with 'tls' or 587 with 'starttls'), and that this address is "
            "allowed to connect; then try again."
        )
    return _ADVICE.get(session.phase, _AGAIN)
