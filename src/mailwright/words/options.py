"""A server from named options: the one vocabulary that URL, environment and configuration file share.

Every source of settings only says which option it read and how it calls it. What the options mean together
is decided here, once: the security that is meant when nobody says, and that a login never crosses a network
in clear. No error here repeats a value: who mixes up two lines of a file may have put the password anywhere.
"""

from __future__ import annotations

from mailwright.words.errors import ConfigError
from mailwright.words.server import PORTS, TLS, Login, Server, Timeouts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    Called = Callable[[str], str]

#: Text options, and what each means.
TEXTS = {
    "host": "name or IP address of the server",
    "user": "name to log in with",
    "security": "tls, starttls or none",
    "protocol": "smtp or lmtp",
    "path": "Unix socket, instead of host and port",
    "hello": "our name in EHLO",
    "proxy": "socks5://… or http://…",
    "source_address": "own address to connect from",
    "auth": "SASL mechanism, such as SCRAM-SHA-256",
    "ca_file": "PEM file with the CA to trust instead of the system's",
    "pin": "SHA-256 of the server's certificate or public key, in hex",
    "server_name": "name to expect in the certificate, when it is not the host",
    "certificate": "PEM file with a client certificate",
    "key": "PEM file with its private key",
}
#: All options. `password` is text or a `Secret`, `port` a number, `timeout` the limit in seconds for a whole
#: call, `timeouts` a table with the fields of `Timeouts`.
OPTIONS = (*TEXTS, "password", "port", "timeout", "timeouts")
_TIMEOUTS = ("connect", "reply", "block", "final", "quit", "total")
_MECHANISM = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")  # RFC 4422 §3.1: 1 to 20 of these


def server_from_options(options: Mapping[str, object], called: Called = str) -> Server:
    """The server that `options` describe; `called` gives the name under which their source knows an option.

    Port and time-outs may be text. Security that is not given means TLS on port 465 and elsewhere STARTTLS,
    required; but none for a Unix socket, and for this machine's own server when there is no login.
    Raises `ConfigError`.
    """
    for name in TEXTS:
        _check_text(name, options, called)
    given: Any = options  # the texts were just checked to be texts
    login = _login(given, called)
    port = _port(given.get("port"), called)
    path = given.get("path")
    return Server(
        host=given.get("host") or ("localhost" if path else ""),
        port=port,
        security=_security(given, called),
        login=login,
        tls=_tls(given),
        timeouts=_timeouts(given, called),
        protocol=_word(given.get("protocol", "smtp"), ("smtp", "lmtp"), called("protocol")),
        hello=given.get("hello"),
        path=path,
        proxy=given.get("proxy"),
        source_address=given.get("source_address"),
    )


def refuse_cleartext(server: Server, encrypted: str) -> None:
    """A login crosses a network only encrypted; `encrypted` tells how this source would say so."""
    if server.security != "none" or server.login is None or server.stays_here or server.cleartext_login:
        return
    raise ConfigError(
        f"The login would go to {server} unencrypted, for everybody on the way to read.",
        f"{encrypted}; a program that must do it all the same says Server(…, cleartext_login=True).",
    )


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The one of `known` that was probably meant by `name`, or `None`.

    `cutoff` is the likeness, from 0 to 1, that is asked for.
    """
    import difflib  # 35 ms, spent only on the way to an error

    by_lower = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name[:100].lower(), by_lower, 1, cutoff)
    return by_lower[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Advice for an unknown name: the nearest one, or all of them."""
    known = tuple(known)
    meant = nearest(name, known)
    return f"Did you mean {meant}?" if meant else f"Known are {', '.join(known)}."


def _check_text(name: str, options: Mapping[str, object], called: Called) -> None:
    text = options.get(name)
    if text is None:
        return
    if not isinstance(text, str):
        raise ConfigError(f"{called(name)} is not text.", f"It is the {TEXTS[name]}.")
    if not text:
        raise ConfigError(f"{called(name)} is empty.", f"Give the {TEXTS[name]}, or leave it out.")
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise ConfigError(f"{called(name)} holds a control character.", "Is a line break left at its end?")


def _login(given: Mapping[str, Any], called: Called) -> Login | None:
    user, password, mechanism = given.get("user"), given.get("password"), given.get("auth")
    if mechanism is not None:
        mechanism = mechanism.upper()
        if len(mechanism) > 20 or not set(mechanism) <= _MECHANISM:
            raise ConfigError(
                f"{called('auth')} is not a SASL mechanism.", "Use a name such as SCRAM-SHA-256 or PLAIN."
            )
    if user is None:
        if password is not None:
            raise ConfigError(f"{called('password')} is given, but no user to log in with.", f"Give {called('user')}.")
        if mechanism not in (None, "EXTERNAL"):
            raise ConfigError(f"{called('auth')} is given, but no user to log in with.", f"Give {called('user')}.")
        return Login("", mechanism=mechanism) if mechanism else None
    return Login(user, password, mechanism=mechanism)


def _port(port: object, called: Called) -> int:
    """The port as a number; 0 when it is not given."""
    if port is None:
        return 0
    if isinstance(port, str) and port.isascii() and port.isdigit() and len(port) <= 5:
        port = int(port)
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise ConfigError(f"{called('port')} is not a port.", "A port is a number from 1 to 65535.")
    return port


def _security(given: Mapping[str, Any], called: Called) -> Any:
    security = given.get("security")
    if security is None:
        return ""  # the server knows what is usual
    if security.lower() in ("ssl", "ssl/tls"):
        raise ConfigError(
            f"{called('security')} is not known.",
            "What some call SSL is tls: encrypted from the first byte.",
        )
    return _word(security, PORTS, called("security"))


def _word(word: str, known: Iterable[str], name: str) -> Any:
    known = tuple(known)
    if word.lower() not in known:
        raise ConfigError(f"{name} is not known.", f"Use {', '.join(known[:-1])} or {known[-1]}.")
    return word.lower()


def _tls(given: Mapping[str, Any]) -> TLS:
    return TLS(
        ca_file=given.get("ca_file"),
        pin=given.get("pin"),
        name=given.get("server_name"),
        certificate=given.get("certificate"),
        key=given.get("key"),
    )


def _timeouts(given: Mapping[str, Any], called: Called) -> Timeouts:
    table = given.get("timeouts", {})
    if not hasattr(table, "items"):
        raise ConfigError(
            f"{called('timeouts')} is not a table.", "Write it like {connect = 10, total = 60}, in seconds."
        )
    seconds = dict(table)
    if "timeout" in given:
        if "total" in seconds:
            raise ConfigError(
                f"{called('timeout')} and total in {called('timeouts')} say the same.", "Keep one of them."
            )
        seconds["total"] = given["timeout"]
    for name, limit in seconds.items():
        if name not in _TIMEOUTS:
            raise ConfigError(f"{called('timeouts')} holds an unknown name.", did_you_mean(name, _TIMEOUTS))
        seconds[name] = _seconds(limit, called("timeout" if name == "total" and "timeout" in given else "timeouts"))
    return Timeouts(**seconds)


def _seconds(limit: object, name: str) -> float:
    if isinstance(limit, str) and limit.isascii() and limit.replace(".", "", 1).isdigit() and len(limit) <= 12:
        limit = float(limit)
    # "not < " and not ">=": a number that is none compares as false.
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0 < limit < 1e9:
        raise ConfigError(f"{name} is not a number of seconds.", "Write it like 30 or 2.5.")
    return float(limit)
