"""TLS sessions that a later connection may resume (RFC 8446 §2.2), which spares both sides most of a handshake.

A resumed handshake looks at no certificate: it proves that the other side is the one that was looked at before. So it
matters which connection may follow which.

- One `Tickets` belongs to the connections of one pool to one server with one login (`mailwright.mailer.pool`).
- A ticket is for one name and one context, and so for the same settings.
- The session before it was verified by chain and name, an hour ago at most, and its certificate has not expired since.
- Not with a pin: that asks for the proof of one key on every connection, and a ticket only proves a secret that a
  server may share with others. Not with a client certificate: the server would know us from its ticket, not from our
  key. Not with a context of the caller's own making: nobody else knows what it looks at in a handshake.
- Only TLS 1.3. Before it, a resumed session without an extended master secret can be played to two sides at once, so
  that a login bound to it is bound to nothing (RFC 7627 §1), and Python does not tell whether it has one.
- A ticket serves until its time is up or the server refuses it. RFC 8446 §C.4 would have it used once, so that nobody
  can see that two connections have the same client. Ours says who it is, to the same server, from the same address.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from typing import Any

    from mailwright.words.server import TLS

HOUR = 3600.0  # seconds for which a certificate that was verified is not looked at again


class Ticket:
    """A session of TLS 1.3, good until `until`, a time of the link's clock."""

    __slots__ = ("session", "until")

    def __init__(self, session: ssl.SSLSession, until: float) -> None:
        self.session = session
        self.until = until


class Tickets:
    """What may be resumed. After a handshake failed that was to resume something, nothing is any more: some servers
    can't do it, and answer with an alert, or not at all, instead of with a whole handshake.
    """

    __slots__ = ("_given", "_kept", "closed")

    def __init__(self) -> None:
        self._given: dict[tuple[Any, str], Callable[[], Ticket | None]] = {}
        self._kept: dict[tuple[Any, str], Ticket] = {}
        self.closed = False

    def find(self, context: ssl.SSLContext, name: str, now: float) -> Ticket | None:
        """The ticket for the server of that name, if there is one."""
        given = self._given.pop((context, name), None)
        if given is not None and (taken := given()) is not None and not self.closed:
            self._kept[context, name] = taken
        ticket = self._kept.get((context, name))
        return ticket if ticket is not None and now < ticket.until else None

    def keep(self, context: ssl.SSLContext, name: str, given: Callable[[], Ticket | None]) -> None:
        """A ticket that the server of that name may have given after a whole handshake. To take it out takes longer
        than a talk over that connection; so `given` does it, when somebody wants it.
        """
        if not self.closed:
            self._given[context, name] = given

    def close(self) -> None:
        """Resume nothing any more."""
        self.closed = True
        self._given.clear()
        self._kept.clear()


def resumable(tls: TLS) -> bool:
    """Whether connections with these settings may be resumed at all; see above."""
    return not (tls.pin or tls.certificate or tls.context or tls.unverified)
