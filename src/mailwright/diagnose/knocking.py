"""One port of one address, from the street to the hallway: nobody says here who he is.

A port is talked to in the way that is usual for it. Where that fails before a word was understood, the other way is
tried too: a server that waits for TLS is as silent to a plain client as a firewall is, and only a second look tells
them apart.
"""

from __future__ import annotations

from mailwright.smtp import phases
from mailwright.smtp.features import Features
from mailwright.smtp.opening import greet, introduce, secure, start_tls
from mailwright.smtp.session import Session, another_protocol, quit_session
from mailwright.steps import Clock, Close, Connect, Read, Write
from mailwright.words.errors import ConnectError, DeliveryError, ProtocolError, Timeout, TLSError, attach
from mailwright.words.value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.words.server import Security, Server

IMPLICIT_TLS = frozenset((465, 2465, 8465, 443))  # ports on which TLS comes first, at one provider or another
QUESTION = b"GET / HTTP/1.0\r\n\r\n"
PATIENCE = 5.0  # seconds that a silent server has to answer the question


@value
class Place:
    """Where to knock: a `port` of `target`, an address or a host's name; `family` is IPv4, IPv6 or empty."""

    port: int
    target: str
    family: str = ""


class Knock:
    """What came of knocking at one place. The plan `knock` fills it in, and leaves it exact wherever it ends.

    `reached`: somebody took the connection, after `seconds`. `speaks`: how the port is to be talked to, as far as that
    was found out: ``"tls"``, ``"starttls"`` or ``"none"`` (greets, and offers no encryption). `offered` is what it
    offered before TLS, `error` what ended the talk. `late`: it did greet, after its time was up. `meant_in_clear`: the
    settings want no encryption there. `session` is the talk that got farthest.
    """

    __slots__ = ("error", "late", "meant_in_clear", "offered", "place", "reached", "seconds", "session", "speaks")

    def __init__(self, place: Place, server: Server) -> None:
        self.place = place
        self.session = Session(replace(server, login=None, port=place.port or server.port, alternatives=()))
        ours = server.path is not None or place.port == server.port
        self.meant_in_clear = ours and server.security == "none"
        self.reached = False
        self.seconds = 0.0
        self.late = False
        self.begin()

    def begin(self) -> None:
        """Know nothing yet of what is spoken there."""
        self.speaks: Security | None = None
        self.offered = Features()
        self.error: DeliveryError | None = None

    @property
    def understood(self) -> bool:
        """True when the server said something that we understand, if only a certificate that we refuse."""
        return self.session.greeting is not None or self.session.secured is not None or refused_certificate(self.error)

    @property
    def sound(self) -> bool:
        """True when a mail server is there, encrypted and proved to be the right one."""
        secured = self.session.secured
        return self.error is None and self.session.greeting is not None and secured is not None and secured.verified


def refused_certificate(error: DeliveryError | None) -> bool:
    """Whether the other side speaks TLS, and its certificate is what was wrong."""
    if not isinstance(error, TLSError) or error.phase != phases.TLS:
        return False
    cause = error.__cause__  # a wrong pin has none
    return cause is None or type(cause).__name__ == "SSLCertVerificationError"


async def knock(found: Knock) -> Knock:
    """Fill in `found`. Raises nothing that a server or network can cause."""
    server = found.session.server
    first = usual_security(server, found.place.port)
    await _talk(found, first)
    if not found.reached or found.understood or isinstance(found.error, ProtocolError) or found.late:
        return found
    session, error = found.session, found.error
    found.begin()
    await _talk(found, "starttls" if first == "tls" else "tls")
    if not found.understood and not isinstance(found.error, ProtocolError):
        found.session, found.error, found.speaks = session, error, None
    return found


def usual_security(server: Server, port: int) -> Security:
    """How a port is talked to first: as is usual for it, or else as the settings say."""
    if port in IMPLICIT_TLS:
        return "tls"
    if port == server.port and port not in (25, 587, 2525):
        return "tls" if server.security == "tls" else "starttls"
    return "starttls"


async def _talk(found: Knock, security: Security) -> None:
    found.session = session = Session(replace(found.session.server, security=security))
    try:
        await _reach(found)
        if security == "tls":
            await secure(session)
            found.speaks = "tls"
        await greet(session)
        await introduce(session)
        found.offered = session.features
        if security != "tls":
            found.speaks = "starttls" if "STARTTLS" in session.features else "none"
        if found.speaks == "starttls" and not found.meant_in_clear:
            await start_tls(session)
            await introduce(session)
    except DeliveryError as error:
        found.error = error
        if isinstance(error, Timeout) and session.phase == phases.GREETING:
            await _ask_the_silent(found)
    if refused_certificate(found.error) and security == "tls":
        found.speaks = "tls"
    await (quit_session(session) if session.open else Close())


async def _reach(found: Knock) -> None:
    session, place = found.session, found.place
    server = session.server
    session.phase = phases.CONNECT
    begun = await Clock()
    try:
        session.peer = await Connect(
            place.target, place.port, server.timeouts.connect, server.path, server.proxy, server.source_address
        )
    except ConnectError as error:
        attach(error, phase=phases.CONNECT, server=str(server))
        raise
    found.seconds = await Clock() - begun
    found.reached = session.open = True


async def _ask_the_silent(found: Knock) -> None:
    """A mail server speaks first. Who waits may be a web server: that answers a question of the web."""
    session = found.session
    try:
        await Write(QUESTION, PATIENCE)
        answer = await Read(PATIENCE)
    except OSError:
        return
    spoken = another_protocol(answer[:100].lstrip(), "")
    if spoken and not answer.startswith(b"\x15"):
        what = f"{session.server} is no mail server: it said nothing until it was asked in HTTP."
        found.error = ProtocolError(what, spoken, phase=phases.GREETING, server=str(session.server))
    elif answer[:1] in (b"2", b"4", b"5"):
        found.late = True
