"""The login: one mechanism, one try (RFC 4954)."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from mailwright.sasl.channel_binding import ChannelBinding, obtainable_kind
from mailwright.sasl.choose import choose
from mailwright.smtp import phases
from mailwright.smtp.session import command, read_reply, write
from mailwright.smtp.wire import AUTH_LIMIT, COMMAND_LIMIT, CRLF
from mailwright.steps import Ask, BindChannel
from mailwright.words.errors import LoginError
from mailwright.words.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.sasl.mechanism import Mechanism
    from mailwright.smtp.session import Session
    from mailwright.words.reply import Reply
    from mailwright.words.server import Login

ROUNDS_LIMIT = 5  # challenges; SCRAM, the longest, needs three


async def log_in(session: Session, login: Login) -> None:
    """Log in with the strongest common mechanism. Raises `LoginError`; a second mechanism is never tried
    after a no, since many providers lock an account after a few failures.
    """
    server = session.server
    session.phase = phases.AUTH
    token = await _fresh_token(login)
    secrets = [
        s for s in (login.password.reveal() if isinstance(login.password, Secret) else "", token or "") if len(s) > 2
    ]
    session.masked = tuple(form for s in secrets for form in (s, _base64(s.encode()).decode(), s.encode().hex()))
    mechanism = choose(
        login,
        session.features.mechanisms,
        secure=session.secured is not None,
        nonce=await Ask(_nonce),
        token=token,
        channel_binding=await _channel_binding(session),
        host=server.host,
        port=server.port,
        cleartext_allowed=server.cleartext_login or server.is_loopback,
    )
    try:
        await _authenticate(session, mechanism)
    except LoginError:
        session.open = False
        raise
    session.login = login.user


async def _fresh_token(login: Login) -> str | None:
    if login.token is None or isinstance(login.token, Secret):
        return login.token.reveal() if login.token else None
    if isinstance(login.token, str):  # a type checker's case: __post_init__ made it a Secret
        return login.token
    token = await Ask(login.token, blocking=True)
    if not isinstance(token, str) or not token:
        raise LoginError(
            "The token source gave no token.", "It must return the access token as text.", phase=phases.AUTH
        )
    return token


async def _channel_binding(session: Session) -> ChannelBinding | None:
    if session.secured is None:
        return None
    kind = obtainable_kind(session.secured.version)
    data = await BindChannel(kind)
    return ChannelBinding(kind, data) if data else None


def _nonce() -> str:
    import secrets  # called by the driver: randomness comes from outside

    return secrets.token_urlsafe(24)


async def _authenticate(session: Session, mechanism: Mechanism) -> None:
    initial = mechanism.initial()
    line = f"AUTH {mechanism.name}"
    if initial is not None:
        encoded = _base64(initial).decode() or "="  # RFC 4954 §4: an empty initial response is written "="
        if len(line) + 1 + len(encoded) <= COMMAND_LIMIT - 2:
            line, initial = f"{line} {encoded}", None
    shown = f"AUTH {mechanism.name}" + (" ***" if " " in line[5:] else "")
    reply = await command(session, line, phases.AUTH, shown=shown)
    rounds = 0
    while reply.code == 334:
        rounds += 1
        if rounds > ROUNDS_LIMIT:
            raise await _cancelled(session, mechanism, f"asked more than {ROUNDS_LIMIT} questions")
        if initial is not None:
            response, initial = initial, None  # it was too long for the command line
        else:
            response = await _respond(session, mechanism, reply)
        reply = await _answer(session, _base64(response))
    if reply.code != 235:
        raise _rejected(session, mechanism, reply)
    _check_finish(session, mechanism)


async def _respond(session: Session, mechanism: Mechanism, reply: Reply) -> bytes:
    try:
        challenge = a2b_base64(reply.lines[0].strip().encode("ascii"), strict_mode=True)
    except (Base64Error, ValueError):
        raise await _cancelled(session, mechanism, "sent a challenge that is not base64") from None
    try:
        return mechanism.respond(challenge)
    except LoginError as problem:
        await _cancelled(session, mechanism, "")
        raise _told(session, problem) from None


async def _answer(session: Session, encoded: bytes) -> Reply:
    if len(encoded) > AUTH_LIMIT - 2:
        raise LoginError(f"The credential has {len(encoded)} octets, more than a login may send.", phase=phases.AUTH)
    session.transcript.note("C", "***")
    await write(session, encoded + CRLF, session.server.timeouts.block)
    return await read_reply(session, session.server.timeouts.reply)


async def _cancelled(session: Session, mechanism: Mechanism, reason: str) -> LoginError:
    """Take the login back (RFC 4954 §4: a line of "*"), and the error to raise for it."""
    session.transcript.note("C", "*")
    await write(session, b"*\r\n", session.server.timeouts.block)
    await read_reply(session, session.server.timeouts.reply)
    return _told(session, LoginError(f"{session.server} {reason} during {mechanism.name}.", "The login was cancelled."))


def _check_finish(session: Session, mechanism: Mechanism) -> None:
    try:
        mechanism.finish()
    except LoginError as problem:
        raise _told(session, problem) from None


def _rejected(session: Session, mechanism: Mechanism, reply: Reply) -> LoginError:
    detail = f" The server's detail: {mechanism.failure}." if mechanism.failure else ""
    what = f"{session.server} refused the login with {mechanism.name}: {reply}.{detail}"
    return LoginError(what, _login_advice(reply), phase=phases.AUTH, server=str(session.server), reply=reply)


def _login_advice(reply: Reply) -> str:
    if reply.temporary:
        return "This is a temporary refusal: wait some minutes before the next try."
    if reply.code == 534 or "application-specific" in reply.text.lower():
        return (
            "This account needs an app password, made in its security settings, instead of the password for its "
            "web page."
        )
    if reply.code in (530, 538):
        return "The server wants encryption before a login: use security 'tls' or 'starttls'."
    if reply.code in (504, 534):
        return "Choose another mechanism with Login(mechanism=…)."
    return (
        "Check user name (usually the whole address) and password; many providers take only an app password or "
        "OAuth 2 from programs."
    )


def _told(session: Session, problem: LoginError) -> LoginError:
    problem.phase, problem.server = phases.AUTH, str(session.server)
    return problem


def _base64(data: bytes) -> bytes:
    return b2a_base64(data, newline=False)
