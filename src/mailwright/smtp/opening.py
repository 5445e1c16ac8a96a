"""From nothing to a session that is ready for mail: connect, greeting, EHLO, STARTTLS, EHLO, login.

Encryption is decided here, once: a server that should be encrypted is encrypted and verified, or nothing else
is said to it.
"""

from __future__ import annotations

from mailwright.smtp import phases
from mailwright.smtp.refusals import refusal_advice
from mailwright.smtp.session import read_reply, say, say_hello
from mailwright.steps import Ask, Connect, NotResumed, PrepareTLS, Read, StartTLS
from mailwright.words.errors import (
    ConfigError,
    ConnectError,
    DeliveryError,
    ProtocolError,
    Refused,
    TLSError,
    attach,
)
from mailwright.words.options import refuse_cleartext
from mailwright.words.server import TLS
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mailwright.smtp.session import Session
    from mailwright.words.reply import Reply
    from mailwright.words.server import Server


#: Seconds for a connection where another way in is left to try: time for three repetitions of the first packet.
FIRST_TRY = 10.0


async def open_session(session: Session, meanwhile: Callable[[], object] | None = None) -> None:
    """Make `session` ready for mail, with its server's security and login. Raises a `DeliveryError` that
    names the phase. `meanwhile` is called where there is time for it: while the server works out its part of a
    handshake, or looks at the login, or not at all. What it may see of the server then need not be so in the end.
    """
    try:
        await _open(session, meanwhile)
    except NotResumed:
        session.transcript.note("*", "the earlier TLS session was not resumed; beginning anew")
        await _open(session, meanwhile)


async def _open(session: Session, meanwhile: Callable[[], object] | None) -> None:
    session.reset()
    await reach(session)
    server = session.server
    if server.security == "tls":
        await secure(session, Ask(_in_good_time(server, None)))
    elif server.security == "starttls":
        await PrepareTLS(_handshake(server))  # while the server makes up its greeting
    await greet(session)
    if server.security == "starttls":
        session.meanwhile = PrepareTLS(_handshake(server))
    await introduce(session)
    if server.security == "starttls":
        await start_tls(session, Ask(_in_good_time(server, meanwhile)))
        await introduce(session)
    if server.login is not None:
        from mailwright.smtp.login import log_in  # 5 ms that only a login needs

        if meanwhile is not None and server.security != "starttls":
            session.meanwhile = Ask(meanwhile)
        try:
            await log_in(session, server.login)
        finally:
            session.meanwhile = None  # it may hold the session
    session.phase = phases.READY


def _in_good_time(server: Server, meanwhile: Callable[[], object] | None) -> Callable[[], None]:
    """What can be done before the server has proved who it is."""

    def act() -> None:
        if server.login is not None:
            import mailwright.smtp.login  # noqa: F401 - so that the login need not wait for it
        if meanwhile is not None:
            meanwhile()

    return act


async def reach(session: Session) -> None:
    """A connection to the session's server, or to the first of its alternatives that can be reached. From then on
    that one is the session's server.

    Only a connection that was never made leads to the next: nothing has been said then, least of all a password.
    """
    ways = session.server.ways
    for way in ways:
        refuse_cleartext(way, "Use security 'tls' (port 465) or 'starttls' (port 587)")
    failures: list[ConnectError] = []
    missing: set[str] = set()
    for way in ways:
        if way.host in missing:
            continue
        session.server = way
        if failures:
            session.transcript.note("*", f"{failures[-1].what} Trying {way} instead")
        try:
            await connect(session, FIRST_TRY if way is not ways[-1] else None)
            return
        except ConnectError as problem:
            failures.append(problem)
            if not problem.temporary:  # there is no such host, on whatever port
                missing.add(way.host)
    session.server = ways[0]
    raise failures[0] if len(failures) == 1 else _nowhere(failures, str(ways[0]))


def _nowhere(failures: list[ConnectError], server: str) -> ConnectError:
    """One error for all that was tried."""
    first, *others = (problem.what.rstrip(".") for problem in failures)
    return ConnectError(
        "; ".join([first, *(what[:1].lower() + what[1:] for what in others)]) + ".",
        "Every right way in was tried: check this machine's network; firewalls and hosting companies block mail ports.",
        phase=phases.CONNECT,
        server=server,
        temporary=any(problem.temporary for problem in failures),
    )


async def connect(session: Session, limit: float | None = None) -> None:
    """The street: a connection to the server's host and port, within its time-out and `limit` seconds."""
    server = session.server
    session.phase = phases.CONNECT
    session.transcript.note("*", f"connecting to {server}")
    try:
        session.peer = await Connect(
            server.host,
            server.port,
            min(server.timeouts.connect, limit or server.timeouts.connect),
            server.path,
            server.proxy,
            server.source_address,
        )
    except ConnectError as error:
        attach(error, phase=phases.CONNECT, server=str(server))
        raise
    if session.peer.address:
        session.transcript.note("*", f"connected to {session.peer.address}")
    session.open = True


def _handshake(server: Server, meanwhile: Ask | None = None) -> StartTLS:
    return StartTLS(server.tls, server.host, server.timeouts.connect, meanwhile=meanwhile)


async def secure(session: Session, meanwhile: Ask | None = None) -> None:
    """The hallway: a TLS handshake with a server that must prove to be the right one. `meanwhile` as in `StartTLS`."""
    server = session.server
    session.phase = phases.TLS
    try:
        session.secured = await _handshake(server, meanwhile)
    except (TLSError, ConfigError) as error:
        session.open = False
        attach(error, phase=phases.TLS, server=str(server))
        raise
    except TimeoutError as problem:
        session.open = False
        raise phases.timed_out(session, server.timeouts.connect, problem) from None
    except NotResumed:
        session.open = False
        raise
    except ConnectionError as problem:
        session.open = False
        raise phases.connection_lost(session) from problem
    trust = "certificate verified" if session.secured.verified else "CERTIFICATE NOT VERIFIED"
    session.transcript.note("*", f"secured with {session.secured.version}, {session.secured.cipher}, {trust}")


async def greet(session: Session) -> None:
    """The door: the server speaks first, and only once."""
    session.phase = phases.GREETING
    reply = await read_reply(session, session.server.timeouts.reply)
    session.greeting = reply
    if not reply.ok:
        session.open = False
        # Postfix, too, treats any refusal at the greeting as one that may pass (smtp_skip_5xx_greeting).
        raise _refused(session, reply, "does not let us in", temporary=True)
    refuse_early_talk(session)


def refuse_early_talk(session: Session) -> None:
    """A server that talks ahead is broken or played by somebody else; its words must not answer our next
    command.
    """
    if not session.replies.quiet:
        session.open = False
        raise ProtocolError(
            f"{session.server} said more than it was asked {phases.DOING[session.phase]}.",
            "Something between you and the server may be tampering; nothing more was sent.",
            phase=session.phase,
            server=str(session.server),
        )


async def introduce(session: Session) -> None:
    """EHLO with the configured name, or with the address literal of our end of the connection (RFC 5321
    §4.1.4).
    """
    name = session.server.hello or own_name(session)
    reply = await say_hello(session, name)
    if not reply.ok:
        session.open = False
        raise _refused(session, reply, f"does not accept our name {name}")
    refuse_early_talk(session)


def own_name(session: Session) -> str:
    """The address literal of our end; that of loopback where there is no address or only a proxy's (no name
    is looked up).
    """
    local = session.peer.local if session.peer and not session.server.proxy else ""
    local = local.partition("%")[0]  # a zone id means something on this machine only
    if not local:
        return "[127.0.0.1]"
    return f"[IPv6:{local}]" if ":" in local else f"[{local}]"


async def start_tls(session: Session, meanwhile: Ask | None = None) -> None:
    """STARTTLS (RFC 3207): offered, accepted, and with nothing said in between; else an error and never plain
    text. `meanwhile` as in `StartTLS`; it still sees what the server offered before.
    """
    server = session.server
    if "STARTTLS" not in session.features:
        session.open = False
        raise TLSError(
            f"{server} does not offer STARTTLS, and this connection must be encrypted; nothing was sent.",
            _without_starttls(server),
            phase=phases.STARTTLS,
            server=str(server),
        )
    await say(session, "STARTTLS", phases.STARTTLS)
    reply = await read_reply(session, server.timeouts.reply)
    if reply.code != 220:
        session.open = False
        raise TLSError(
            f"{server} refused to start encryption: {reply}.",
            "Nothing was sent; try again later, or security 'tls' on port 465.",
            phase=phases.STARTTLS,
            server=str(server),
            reply=reply,
            temporary=reply.temporary,
        )
    await refuse_injection(session)
    try:
        await secure(session, meanwhile)
    finally:
        session.forget_features()


def _without_starttls(server: Server) -> str:
    if server.login is not None:
        return (
            "Try security 'tls' on port 465; if this server always offered it, somebody may be tampering "
            "with the connection."
        )
    from mailwright.words.url import url_of  # only on the way to this error

    plain = url_of(replace(server, security="none", tls=TLS()))
    return f"Try security 'tls' on port 465; where plain text is meant, the setting that allows it is {plain}"


async def refuse_injection(session: Session) -> None:
    """Between the 220 and the handshake nothing may be waiting, else it would be believed after it
    (CVE-2021-38371 and kin).
    """
    waiting = not session.replies.quiet
    try:
        waiting = waiting or bool(await Read(0))
    except TimeoutError:
        pass
    except ConnectionError as problem:
        session.open = False
        raise phases.connection_lost(session) from problem
    if waiting:
        session.open = False
        raise ProtocolError(
            f"{session.server} sent unencrypted data behind its answer to STARTTLS.",
            "That is how replies are injected into an encrypted talk: do not trust this network; nothing was sent.",
            phase=phases.STARTTLS,
            server=str(session.server),
        )


def _refused(session: Session, reply: Reply, verb: str, temporary: bool | None = None) -> DeliveryError:
    what = f"{session.server} {verb}: {reply}."
    where, advice = str(session.server), refusal_advice(reply)
    return Refused(what, advice, phase=session.phase, server=where, reply=reply, temporary=temporary)
