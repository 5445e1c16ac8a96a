"""AUTH, the server's side of a login (RFC 4954)."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from mailwright.sasl.verify import verifier
from mailwright.smtp.receiving.grammar import bad
from mailwright.smtp.wire import AUTH_LIMIT
from mailwright.steps import Ask
from mailwright.words.errors import ProtocolError
from mailwright.words.reply import Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.smtp.receiving.visit import Visit

_WELCOME = Reply(235, ("2.7.0 Welcome",))
_WRONG = Reply(535, ("5.7.8 User or credential is wrong",))
_TLS_FIRST = Reply(538, ("5.7.11 Begin TLS first",))
_ROUNDS_LIMIT = 6  # challenges; SCRAM, the longest, needs three


def offered_mechanisms(visit: Visit) -> tuple[str, ...]:
    """The mechanisms that this client may use now."""
    rules = visit.rules
    if not rules.takes_logins or (visit.secured is None and rules.security == "starttls" and not rules.cleartext_login):
        return ()
    bound = visit.secured is not None and rules.channel_binding is not None
    return tuple(name for name in rules.suitable_mechanisms() if bound or not name.endswith("-PLUS"))


async def auth(visit: Visit, argument: str) -> None:
    """AUTH: one exchange with one mechanism."""
    _check_moment(visit)
    name, _, first = argument.partition(" ")
    offered = offered_mechanisms(visit)
    if name.upper() not in offered:
        raise bad(504, "5.5.4 The mechanism is not offered")
    plus_offered = any(one.endswith("-PLUS") for one in offered)
    exchange = verifier(
        name,
        visit.rules.accounts,
        nonce=await Ask(_nonce),
        host=visit.rules.name,
        channel_binding=visit.rules.channel_binding if plus_offered else None,
    )
    if exchange is None:
        raise bad(504, "5.5.4 The mechanism is not known")
    response = _decoded(first) if first else None
    for _ in range(_ROUNDS_LIMIT):
        challenge = exchange.step(response)
        if challenge is None:
            break
        visit.say(Reply(334, (b2a_base64(challenge, newline=False).decode(),)))
        line = await visit.line(AUTH_LIMIT)
        visit.minutes.note("C", "(secret)" if line != "*" else line)
        if line == "*":
            raise bad(501, "5.7.0 The login was cancelled")
        response = _decoded(line)
    reply = _verdict(visit, name, exchange.user)
    if reply.ok:
        visit.login = exchange.user
    visit.say(reply)


def _verdict(visit: Visit, mechanism: str, user: str | None) -> Reply:
    """The answer to a login that proved to be that user's, or nobody's."""
    manners = visit.rules.manners
    if visit.mischief is not None and visit.mischief.verdict is not None:
        return visit.mischief.verdict
    if manners is None:
        return _WELCOME if user is not None else _WRONG
    account = next((one for one in visit.rules.accounts if one.user == user), None)
    return manners.verdict(mechanism, account, _WELCOME, _WRONG)


def _check_moment(visit: Visit) -> None:
    if not visit.extended:
        raise bad(503, "5.5.1 Say EHLO first")
    if not visit.rules.takes_logins:
        raise bad(502, "5.5.1 AUTH is not offered")
    if not offered_mechanisms(visit):
        reply = visit.rules.said("no tls", _TLS_FIRST)
        raise ProtocolError(reply.text, reply=reply)
    if visit.login is not None:
        raise bad(503, "5.5.1 You are logged in already")
    if visit.transaction is not None:
        raise bad(503, "5.5.1 A login is not possible in the middle of a transaction")


def _decoded(text: str) -> bytes:
    if text == "=":  # an empty initial response (§4)
        return b""
    try:
        return a2b_base64(text.encode(), strict_mode=True)
    except Base64Error:
        raise bad(501, "5.5.2 That is not base64") from None


def _nonce() -> str:
    import secrets  # called by the driver: randomness comes from outside

    return secrets.token_urlsafe(24)
