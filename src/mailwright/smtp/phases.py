"""The phases of a talk with a mail server, and what a failure in each of them means.

One word for each phase stands in ``error.phase``. The sentences that make "Connection unexpectedly closed"
mean something are here, by phase, and nowhere else.
"""

from __future__ import annotations

from mailwright.words.errors import ConnectionLost, Timeout

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

_AGAIN = "Nothing was delivered, so the same call can be tried again."
_DOUBT = "The message may or may not arrive: look for it at a recipient before sending it again."
_ADVICE = {
    AUTH: "Many servers do this after a wrong password or too many logins: check the credential, wait, then try again.",
    STARTTLS: "Something on the way may be cutting encryption off; try security 'tls' on port 465.",
    TLS: "The server, or something on the way, refuses this TLS; check port and security.",
}


def connection_lost(session: Session, reason: str = "") -> DeliveryError:
    """The other side closed in the present phase: say where, what that may mean, and whether trying again is
    safe.
    """
    because = f" ({reason})" if reason else ""
    what = f"{session.server} closed the connection {DOING[session.phase]}{because}."
    return ConnectionLost(what, _advice(session), **_facts(session))


def timed_out(session: Session, seconds: float) -> DeliveryError:
    """The other side said nothing for too long in the present phase."""
    what = f"{session.server} did not answer within {seconds:g} seconds {DOING[session.phase]}."
    return Timeout(what, _advice(session), **_facts(session))


def _facts(session: Session) -> dict[str, Any]:
    return {"phase": session.phase, "server": str(session.server), "in_doubt": session.phase == FINAL}


def _advice(session: Session) -> str:
    if session.phase == FINAL:
        return _DOUBT
    if session.phase in (GREETING, EHLO):
        if session.secured is None and session.server.port == 465:
            return "Port 465 expects TLS from the first byte: use security 'tls', or port 587 with 'starttls'."
        if session.server.port == 25:
            return "Port 25 is for mail between servers and often blocked: use 465 with 'tls' or 587 with 'starttls'."
        return "Check that host and port belong together, and that this address is allowed to connect; then try again."
    return _ADVICE.get(session.phase, _AGAIN)
