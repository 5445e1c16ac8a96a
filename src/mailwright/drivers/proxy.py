"""Which proxy a connection goes through, and SOCKS 5 by the well-kept library python-socks (extra ``proxy``).

HTTP CONNECT is in `mailwright.drivers.tunnel`. No error of either shows the proxy's password, not even in the
local variables of its traceback.
"""

from __future__ import annotations

import os
import socket
from urllib.parse import unquote, urlsplit

from mailwright.words.errors import ConfigError, ConnectError
from mailwright.words.extras import extra
from mailwright.words.reply import visible
from mailwright.words.secret import Secret
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mailwright.steps import Connect

SCHEMES = ("socks5", "socks5h", "http")
CREDENTIAL_LIMIT = 255  # octets of a user name or password, RFC 1929 §2


@value
class Proxy:
    """A proxy as its URL says it; `user` is empty where it wants no login."""

    scheme: str
    host: str
    port: int
    user: str
    password: Secret


def proxy_of(step: Connect) -> Proxy:
    """The proxy of the step. Raises `ConfigError`."""
    proxy = _parsed(step)
    if proxy is None:
        raise ConfigError(
            "The proxy is not usable.",
            "Write it like socks5://127.0.0.1:1080 or http://user:password@127.0.0.1:3128, the port always.",
        )
    return proxy


def _parsed(step: Connect) -> Proxy | None:
    url = step.proxy or ""
    if not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        user, password = unquote(parts.username or "", errors="strict"), unquote(parts.password or "", errors="strict")
    except ValueError:
        return None
    if parts.scheme not in SCHEMES or not host or not port or parts.path not in ("", "/") or parts.query:
        return None
    return Proxy(parts.scheme, host, port, user, Secret(password))


def connect_through(step: Connect, timeout: float) -> socket.socket:
    """A socket to the host behind the SOCKS proxy ``step.proxy``, made within `timeout` seconds. The proxy looks up
    the name. Raises `ConnectError`, `ConfigError`.
    """
    proxy = _socks(step, "python_socks.sync")
    try:
        return _plain(proxy.connect(step.host, step.port, timeout=max(timeout, 0.001)))
    except BaseException as problem:
        failure = _without_secrets(step, proxy_of(step), problem)
    raise failure


async def connect_through_async(step: Connect, timeout: float, library: str) -> socket.socket:
    """The same under the `library` ``"asyncio"`` or ``"trio"``."""
    proxy = _socks(step, f"python_socks.async_.{library}")
    try:
        return _plain(await proxy.connect(step.host, step.port, timeout=max(timeout, 0.001)))
    except BaseException as problem:
        failure = _without_secrets(step, proxy_of(step), problem)
    raise failure


def _socks(step: Connect, module: str) -> Any:
    library = extra(module, "proxy", "A SOCKS proxy")
    proxy = proxy_of(step)
    if not (_sayable(proxy.user) and _sayable(proxy.password.reveal())):
        raise ConfigError(
            "The proxy's user name or password can't be said to a SOCKS proxy.",
            f"Both must be ASCII of at most {CREDENTIAL_LIMIT} characters.",
        )
    kind = extra("python_socks", "proxy", "A SOCKS proxy").ProxyType.SOCKS5
    return library.Proxy(kind, proxy.host, proxy.port, proxy.user or None, proxy.password.reveal() or None, rdns=True)


def _sayable(credential: str) -> bool:
    return credential.isascii() and len(credential) <= CREDENTIAL_LIMIT


def _plain(made: Any) -> socket.socket:
    # The libraries give sockets of their own kinds, in their own modes.
    sock = socket.socket(fileno=made.detach())
    sock.setblocking(False)
    return sock


def _without_secrets(step: Connect, proxy: Proxy, problem: BaseException) -> BaseException:
    """What to raise in place of the problem: the frames of the library, which hold the password, stay behind."""
    if not isinstance(problem, Exception):
        return problem.with_traceback(None)
    # Before python-socks 3 its time-out was no TimeoutError.
    if isinstance(problem, TimeoutError) or type(problem).__name__ == "ProxyTimeoutError":
        return no_way(step, "no answer in time")
    if isinstance(problem, UnicodeError):
        return no_way(step, "there is no such host name")
    if isinstance(problem, OSError) and (problem.errno or 0) > 0:
        return no_way(step, f"{os.strerror(problem.errno or 0).lower()} ({proxy.host}:{proxy.port})")
    return no_way(step, visible(str(problem).rstrip("."), 200) or type(problem).__name__)


def no_way(step: Connect, reason: str, advice: str = "") -> ConnectError:
    """The error for a proxy that did not let us through."""
    kind = (step.proxy or "").partition("://")[0]
    return ConnectError(
        f"No connection to {step.host}:{step.port} through the {kind} proxy: {reason}.",
        advice or "Check that the proxy runs and lets connections to that port through.",
    )
