"""The login: one mechanism, one try (RFC 4954)."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from mailwright.sasl.channel_binding import ChannelBinding, obtainable_kind
from mailwright.sasl.choose import choose
from mailwright.smtp import phases
from mailwright.smtp.session import command, read_reply, write
from mailwright.smtp.wire import AUTH_LIMIT, COMMAND_LIMIT, CRLF
from mailwright.steps import Ask, BindChannel, DeadlinePassed
from mailwright.words.errors import LoginError, MailError, Timeout
from mailwright.words.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mailwright.sasl.mechanism import Mechanism
    from mailwright.smtp.session import Session
    from mailwright.words.reply import Reply
    from mailwright.words.server import Login

ROUNDS_LIMIT = 5  # challenges; SCRAM, the longest, needs three


async def log_in(session: Session, login: Login, at_once: bool = True) -> None:
    """Log in with the strongest common mechanism; `at_once` as in `authenticate`. Raises `LoginError`; a second
    mechanism is never tried after a no, since many providers lock an account after a few failures. A second token is,
    once, when its source can `renew` one that was refused: it may have been revoked before its time.
    """
    session.phase = phases.AUTH
    token = await _fresh_token(login)
    try:
        return await _log_in_with(session, login, token, at_once)
    except LoginError as problem:
        refusal = problem
    try:
        renewed = await _renewed(login, token, refusal)
        if renewed is None:
            raise refusal
    finally:
        del refusal  # it holds this frame, and with it, until the next collection, the caller's connection
    session.open = True
    await _log_in_with(session, login, renewed, at_once)


async def _log_in_with(session: Session, login: Login, token: Secret | None, at_once: bool) -> None:
    server, offered = session.server, session.features.mechanisms
    session.masked = _forms(login.password, token)
    secure = session.secured is not None and session.secured.verified
    scram = any(name.startswith("SCRAM-") for name in offered)  # alone it needs randomness and what binds it to TLS
    mechanism = choose(
        login,
        offered,
        secure=secure,
        nonce=await Ask(_nonce) if scram else "",
        token=token,
        channel_binding=await _channel_binding(session) if scram else None,
        host=server.host,
        port=server.port,
        cleartext_allowed=secure
        or server.cleartext_login
        or server.tls.unverified
        or server.tls.context is not None  # whoever makes a context decides what it checks
        or server.stays_here,
    )
    try:
        await authenticate(session, mechanism, at_once)
    except LoginError:
        session.open = False
        raise
    session.login = login.user


def _forms(*secrets: Secret | str | None) -> tuple[str, ...]:
    """The forms in which a server might repeat a secret: in clear, base64, hex."""
    words = [secret.reveal() for secret in secrets if isinstance(secret, Secret)]
    return tuple(form for w in words if len(w) > 2 for form in (w, _base64(w.encode()).decode(), w.encode().hex()))


async def _fresh_token(login: Login) -> Secret | None:
    if login.token is None or isinstance(login.token, Secret):
        return login.token
    return _as_token(Secret(login.token) if isinstance(login.token, str) else await _asked(login.token))


async def _renewed(login: Login, token: Secret | None, refusal: LoginError) -> Secret | None:
    """Another token in place of one that the server refused, if the source has one."""
    renew = getattr(login.token, "renew", None)
    if renew is None or token is None or refusal.reply is None or refusal.reply.code != 535:
        return None
    renewed = _as_token(await _asked(lambda: renew(token)))
    return renewed if renewed != token else None


async def _asked(source: Callable[[], Any]) -> Any:
    """What the token source gives. An error of its own stays the cause alone: its text may show what nobody should
    see.
    """
    try:
        token = await Ask(source, blocking=True)
    except MailError:
        raise
    except DeadlinePassed:
        what = "The token source took longer than the whole deadline allowed."
        raise Timeout(what, phases.MORE_TIME, phase=phases.AUTH) from None
    except Exception as problem:
        reason = getattr(problem, "strerror", None) or type(problem).__name__
        what = f"The token source failed: {reason}."
        advice = "The cause of this error (__cause__) is what it raised."
        raise LoginError(what, advice, phase=phases.AUTH, temporary=isinstance(problem, OSError)) from problem
    if hasattr(token, "__await__"):  # only the blocking driver leaves it as it is
        token.close()
        what = "The token source is an async function, and a blocking mailer can't wait for it."
        raise LoginError(what, "Use AsyncMailer or send_async, or give a plain function.", phase=phases.AUTH)
    return token


def _as_token(token: object) -> Secret:
    if isinstance(token, str) and token:
        return Secret(token)
    if isinstance(token, Secret) and token:
        return token
    raise LoginError("The token source gave no token.", "It must return the access token as text.", phase=phases.AUTH)


async def _channel_binding(session: Session) -> ChannelBinding | None:
    if session.secured is None:
        return None
    kind = obtainable_kind(session.secured.version)
    data = await BindChannel(kind)
    return ChannelBinding(kind, data) if data else None


def _nonce() -> str:
    import secrets  # called by the driver: randomness comes from outside

    return secrets.token_urlsafe(24)


async def authenticate(session: Session, mechanism: Mechanism, at_once: bool = True) -> None:
    """AUTH with that mechanism, to its end (RFC 4954 §4). Without `at_once` what the client says first waits until the
    server asks for it. Raises `LoginError`.
    """
    # What is secret stays behind a memoryview: the local variables of a traceback then show an address and no octets.
    initial = _veiled(mechanism.initial())
    reply, initial = await _begin(session, mechanism, initial, at_once)
    rounds = 0
    while reply.code == 334:
        rounds += 1
        if rounds > ROUNDS_LIMIT:
            raise await _cancelled(session, mechanism, f"asked more than {ROUNDS_LIMIT} questions")
        if initial is not None:
            response, initial = initial, None  # it was too long for the command line
        else:
            response = memoryview(await _respond(session, mechanism, reply))
        reply = await _answer(session, response)
    if reply.code != 235:
        raise _rejected(session, mechanism, reply)
    _check_finish(session, mechanism)


def _veiled(data: bytes | None) -> memoryview | None:
    return None if data is None else memoryview(data)


async def _begin(
    session: Session, mechanism: Mechanism, initial: memoryview | None, at_once: bool
) -> tuple[Reply, memoryview | None]:
    """AUTH, with the initial response in the same line where it fits; gives the reply, and the response if it is still
    to be sent.
    """
    line = f"AUTH {mechanism.name}"
    # RFC 4954 §4: an empty initial response is written "=".
    encoded = memoryview((_base64(initial) or b"=") if initial is not None else b"")
    if not encoded or not at_once or len(line) + 1 + len(encoded) > COMMAND_LIMIT - 2:
        return await command(session, line, phases.AUTH), initial
    session.transcript.note("C", f"{line} ***")
    _mask_also(session, encoded)
    await write(session, memoryview(b"".join((line.encode(), b" ", encoded, CRLF))), session.server.timeouts.block)
    return await read_reply(session, session.server.timeouts.reply), None


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


async def _answer(session: Session, response: memoryview) -> Reply:
    encoded = memoryview(_base64(response))
    if len(encoded) > AUTH_LIMIT - 2:
        raise LoginError(f"The credential has {len(encoded)} octets, more than a login may send.", phase=phases.AUTH)
    session.transcript.note("C", "***")
    _mask_also(session, encoded)
    await write(session, memoryview(b"".join((encoded, CRLF))), session.server.timeouts.block)
    return await read_reply(session, session.server.timeouts.reply)


def _mask_also(session: Session, encoded: memoryview) -> None:
    """Mask what goes out, too, should the server repeat the whole line."""
    if len(encoded) > 3:
        session.masked += (str(encoded, "ascii"),)


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
    detail = f" ({session.mask(mechanism.failure)})" if mechanism.failure else ""
    what = f"{session.server} refused the login with {mechanism.name}: {reply}{detail}."
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


def _base64(data: bytes | memoryview) -> bytes:
    return b2a_base64(data, newline=False)
