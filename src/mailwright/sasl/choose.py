"""Which mechanism is used, and why a login is refused before it starts.

One mechanism, one try: many providers lock an account after a few failures, so a second one is never tried.

The strongest common mechanism wins. SCRAM comes first, as the server gets a proof and not the password.
PLAIN and LOGIN come before CRAM-MD5 where the connection is encrypted, and behind it, if allowed at all,
where it is not: what CRAM-MD5 hides from people who read along is hidden by TLS already, while it needs a
server that keeps what is as good as the password.

A -PLUS variant is chosen only over ``tls-unique``, the one binding that every server with -PLUS must know,
or where nothing else is left; the reason is in `mailwright.sasl.channel_binding`. ``Login(mechanism=…)``
asks for it all the same.
"""

from __future__ import annotations

from mailwright.sasl.channel_binding import TLS_UNIQUE
from mailwright.sasl.cram_md5 import CramMD5
from mailwright.sasl.external import External
from mailwright.sasl.login import LoginMechanism
from mailwright.sasl.mechanism import Mechanism, refusal
from mailwright.sasl.oauthbearer import OAuthBearer
from mailwright.sasl.plain import Plain
from mailwright.sasl.scram import Scram, ScramSHA1, ScramSHA1Plus, ScramSHA256, ScramSHA256Plus
from mailwright.sasl.xoauth2 import XOAuth2
from mailwright.words.reply import visible
from mailwright.words.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailwright.sasl.channel_binding import ChannelBinding
    from mailwright.words.errors import LoginError
    from mailwright.words.server import Login

#: What we can do, by what the caller gave.
MECHANISMS: dict[str, tuple[type[Mechanism], ...]] = {
    "a password": (ScramSHA256Plus, ScramSHA1Plus, ScramSHA256, ScramSHA1, Plain, LoginMechanism, CramMD5),
    "a token": (OAuthBearer, XOAuth2),
    "a client certificate": (External,),
}


def choose(
    login: Login,
    offered: Iterable[str],
    *,
    secure: bool,
    nonce: str,
    token: Secret | str | None,
    host: str,
    port: int,
    channel_binding: ChannelBinding | None = None,
    cleartext_allowed: bool = False,
) -> Mechanism:
    """The mechanism for `login` at a server that offers these, ready to begin.

    `secure`: nobody can read along (TLS). `nonce`: fresh random text for SCRAM. `token`: what the login's
    token source gave. `channel_binding`: what is known of the TLS connection. `host` and `port` are what we
    connected to. `cleartext_allowed` lets a password or token out over a connection that is not secure.

    Raises `LoginError` that names what the server offers and what we can do, and says what to do about it.
    """
    token = None if token is None else Secret(token)  # from here on no traceback shows it
    names = tuple(name.upper() for name in offered)
    given = _given(login, token)
    if login.mechanism:
        chosen = _forced(login, login.mechanism.upper(), names, given, secure or cleartext_allowed)
    else:
        chosen = _strongest(login, names, given, secure, cleartext_allowed, channel_binding)
    if issubclass(chosen, Scram):
        return chosen(
            login.user,
            Secret(login.password or ""),
            nonce=nonce,
            authzid=login.authzid,
            channel_binding=channel_binding,
            plus_offered=any(name.endswith("-PLUS") for name in names),
        )
    return _made(chosen, login, token, host, port)


def _given(login: Login, token: Secret | None) -> str:
    if login.password is not None:
        return "a password"
    if token is not None:
        return "a token"
    if login.token is not None:
        raise refusal("The login's token source gave no token.", "Check the token source.")
    return "a client certificate"


def _strongest(
    login: Login,
    offered: tuple[str, ...],
    given: str,
    secure: bool,
    allowed: bool,
    binding: ChannelBinding | None,
) -> type[Mechanism]:
    common = [mechanism for mechanism in MECHANISMS[given] if mechanism.name in offered]
    if binding is None:
        common = [mechanism for mechanism in common if not _is_plus(mechanism)]
    if not common:
        raise _nothing_common(offered, given, secure)
    fitting = [mechanism for mechanism in common if not _flaw(mechanism, login, secure or allowed)]
    if not fitting:
        raise _unfit(common[0], login, secure or allowed, offered)
    if binding is not None and binding.kind != TLS_UNIQUE:
        fitting = [mechanism for mechanism in fitting if not _is_plus(mechanism)] or fitting
    return max(fitting, key=lambda mechanism: (secure or not mechanism.cleartext, mechanism.strength))


def _forced(login: Login, name: str, offered: tuple[str, ...], given: str, cleartext_fits: bool) -> type[Mechanism]:
    """The mechanism of that name, if it is ours, offered, and right for the credential and the connection."""
    needs = next((kind for kind, ours in MECHANISMS.items() if name in _names(ours)), None)
    if needs is None:
        known = ", ".join(each for ours in MECHANISMS.values() for each in _names(ours))
        what = f"We don't know the mechanism {ascii(name)[:50]}."
        raise refusal(what, f"Login(mechanism=…) takes one of {known}.")
    if needs != given and name != External.name:
        what = f"{name} needs {needs}, and the login has {given}."
        raise refusal(what, "Change the login's mechanism or its credential.")
    if name not in offered:
        what = f"The server does not offer {name}, which the login asks for; it offers {_listed(offered)}."
        raise refusal(what, "Leave mechanism away to use the strongest that both know.")
    chosen = next(mechanism for mechanism in MECHANISMS[needs] if mechanism.name == name)
    if _flaw(chosen, login, cleartext_fits):
        raise _unfit(chosen, login, cleartext_fits, offered)
    return chosen


def _made(chosen: type[Mechanism], login: Login, token: Secret | None, host: str, port: int) -> Mechanism:
    password = Secret(login.password or "")
    if chosen is Plain:
        return Plain(login.user, password, authzid=login.authzid)
    if chosen is LoginMechanism:
        return LoginMechanism(login.user, password)
    if chosen is CramMD5:
        return CramMD5(login.user, password)
    # A token, like a certificate, says by itself who we are; the name beside it is whom we want to act as.
    identity = login.authzid or login.user
    if chosen is OAuthBearer:
        return OAuthBearer(identity, token or Secret(""), host=host, port=port)
    if chosen is XOAuth2:
        return XOAuth2(identity, token or Secret(""))
    return External(identity)


def _flaw(mechanism: type[Mechanism], login: Login, cleartext_fits: bool) -> str:
    """What speaks against a mechanism that both know; empty if nothing."""
    if mechanism.cleartext and not cleartext_fits:
        return "cleartext"
    return "authzid" if login.authzid and not mechanism.carries_authzid else ""


def _unfit(mechanism: type[Mechanism], login: Login, cleartext_fits: bool, offered: tuple[str, ...]) -> LoginError:
    """The error for the flaw of that mechanism, the best or the only one there is."""
    if _flaw(mechanism, login, cleartext_fits) == "cleartext":
        secret = "token" if login.password is None else "password"
        return refusal(
            f"The connection is not encrypted, so {mechanism.name} would show the {secret} to everybody on"
            f" the way; the server offers {_listed(offered)}.",
            "Use security 'tls' (port 465) or 'starttls' (port 587); cleartext_login=True allows it anyway.",
        )
    return refusal(
        f"{mechanism.name} can't act as somebody else (authzid); the server offers {_listed(offered)}.",
        "Leave authzid away, or use a server with PLAIN or SCRAM.",
    )


def _nothing_common(offered: tuple[str, ...], given: str, secure: bool) -> LoginError:
    """The error for two lists without a common member, with the advice that the lists suggest."""
    if not offered:
        port = (
            "Use the submission port, 465 with security 'tls' or 587 with 'starttls'"
            if secure
            else "Many servers offer it only after encryption: use security 'tls' or 'starttls'"
        )
        what = "The server offers no login (no AUTH in its answer to EHLO)."
        return refusal(what, f"{port}; or leave the login away if none is needed.")
    ours = ", ".join(_names(MECHANISMS[given]))
    what = f"The server offers {_listed(offered)}; with {given} we can do {ours}: nothing in common."
    return refusal(what, _advice(offered, given))


def _advice(offered: tuple[str, ...], given: str) -> str:
    other = next((kind for kind, ours in MECHANISMS.items() if set(_names(ours)) & set(offered)), "")
    if other == given:
        return "-PLUS works only where the login can be bound to TLS: use security 'tls' or 'starttls'."
    if given == "a client certificate":
        return f"The login has neither password nor token: give it {other or 'one of them'}."
    if other == "a token":
        return "This server wants OAuth 2: give Login(user, token=…) instead of a password."
    if other == "a password":
        return "This server wants a password instead of a token: many providers give app passwords."
    if other:
        return "This server wants a client certificate: give it in TLS(certificate=…, key=…)."
    return "Ask whoever runs the server for a way to log in, or use another server."


def _is_plus(mechanism: type[Mechanism]) -> bool:
    return mechanism.name.endswith("-PLUS")


def _names(mechanisms: Iterable[type[Mechanism]]) -> tuple[str, ...]:
    return tuple(mechanism.name for mechanism in mechanisms)


def _listed(offered: tuple[str, ...]) -> str:
    """What the server offers, safe to print whatever it wrote; at most 20 of them."""
    return visible(", ".join(offered[:20]), 300) or "no login"
