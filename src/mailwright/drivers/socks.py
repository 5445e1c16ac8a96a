"""Through a SOCKS 5 proxy (RFC 1928), with a user name and password where it wants them (RFC 1929)."""

from __future__ import annotations

import socket

from mailwright.drivers.proxy import LOGIN_ADVICE, ascii_host, no_such_name, no_way
from mailwright.steps import Write
from mailwright.words.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.drivers.conduct import Primitive
    from mailwright.drivers.proxy import Heard, Proxy
    from mailwright.steps import Connect
    from mailwright.words.errors import ConnectError

LIMIT = 255  # octets of a name, a user or a password: their lengths are told in one octet
_VERSION, _LOGIN_VERSION = 5, 1
_NO_LOGIN, _LOGIN = 0, 2  # methods
_CONNECT = 1  # a command
_NAME = 3  # a kind of address
_SIZES = {1: 4, 4: 16}  # octets of an IPv4 and an IPv6 address
_FAMILIES = {1: socket.AF_INET, 4: socket.AF_INET6}
_REASONS = (
    "",
    "General failure",
    "Connection not allowed by ruleset",
    "Network unreachable",
    "Host unreachable",
    "Connection refused",
    "TTL expired",
    "Command not supported",
    "Address type not supported",
)  # RFC 1928 §6


def socks(step: Connect, proxy: Proxy, heard: Heard) -> Primitive[None]:
    """The dialogue with a proxy, to which a connection stands then, for one to the host of the step. Raises
    `ConnectError`, and at once `ConfigError` for a login that can't be said.
    """
    target = _address(step) + step.port.to_bytes(2, "big")
    return _talk(step, _login(proxy), target, heard)


def _talk(step: Connect, login: memoryview | None, target: bytes, heard: Heard) -> Primitive[None]:
    methods = (_NO_LOGIN,) if login is None else (_NO_LOGIN, _LOGIN)
    yield Write(bytes((_VERSION, len(methods), *methods)), step.timeout)
    version, method = yield from heard.take(2)
    _check_version(step, version)
    if login is not None and method == _LOGIN:
        yield from _log_in(step, login, heard)
    elif method != _NO_LOGIN:
        wants = "it wants a login" if login is None else "it takes no login by user name and password"
        raise no_way(step, wants, LOGIN_ADVICE.format("socks5") if login is None else "")
    yield Write(bytes((_VERSION, _CONNECT, 0)) + target, step.timeout)
    yield from _reply(step, heard)


def _login(proxy: Proxy) -> memoryview | None:
    """The user name and password as they are said; behind a memoryview, whose ``repr`` shows no octets."""
    if not proxy.user:
        return None
    user, password = proxy.user.encode(), memoryview(proxy.password.reveal().encode())
    if len(user) > LIMIT or len(password) > LIMIT:
        what = "The proxy's user name or password can't be said to a SOCKS proxy."
        raise ConfigError(what, f"Each may have {LIMIT} octets.")
    return memoryview(b"".join((bytes((_LOGIN_VERSION, len(user))), user, bytes((len(password),)), password)))


def _log_in(step: Connect, login: memoryview, heard: Heard) -> Primitive[None]:
    yield Write(login, step.timeout)
    _, status = yield from heard.take(2)
    if status:
        raise no_way(step, "it refused the login", "Check user and password in the proxy's URL.")


def _address(step: Connect) -> bytes:
    for kind, family in _FAMILIES.items():
        try:
            return bytes((kind,)) + socket.inet_pton(family, step.host)
        except (OSError, ValueError):
            pass  # not an address of that kind
    name = ascii_host(step).encode()
    if len(name) > LIMIT:
        raise no_such_name(step)
    return bytes((_NAME, len(name))) + name


def _reply(step: Connect, heard: Heard) -> Primitive[None]:
    """The answer, up to the address that the proxy uses, which is nothing to us."""
    version, code = yield from heard.take(2)
    _check_version(step, version)
    if code:
        raise no_way(step, f"it answered {_REASONS[code] if code < len(_REASONS) else f'with the unknown code {code}'}")
    _, kind = yield from heard.take(2)
    if kind == _NAME:
        (size,) = yield from heard.take(1)
    elif (size := _SIZES.get(kind, 0)) == 0:
        raise _odd(step)
    yield from heard.take(size + 2)


def _check_version(step: Connect, version: int) -> None:
    if version != _VERSION:
        raise _odd(step)


def _odd(step: Connect) -> ConnectError:
    return no_way(step, "its answer is not SOCKS 5", "Check that this is the port of a SOCKS 5 proxy.")
