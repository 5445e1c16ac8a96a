"""Which proxy a connection goes through, and the way through it, over the primitive steps: the same for all drivers.

`mailwright.drivers.socks` and `mailwright.drivers.tunnel` are the dialogues. They are not left to a library, since mail
servers speak first: the greeting may come in one piece with the end of the proxy's answer. No error shows the
proxy's password, not even in the local variables of its traceback.
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from mailwright.drivers.host_names import ascii_name
from mailwright.steps import Clock, Connect, Read
from mailwright.words.errors import ConfigError, ConnectError
from mailwright.words.secret import Secret
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mailwright.drivers.conduct import Primitive

    Dialogue = Callable[[Connect, "Proxy", "Heard"], Primitive[None]]

LOGIN_ADVICE = "The proxy wants a login: put user and password into its URL, {}://user:password@host:port."


@value
class Proxy:
    """A proxy as its URL says it; `user` is empty where it wants no login."""

    scheme: str
    host: str
    port: int
    user: str
    password: Secret


class Heard:
    """What the proxy said and nobody took yet. All of it must come before `deadline`, a time of the driver's clock."""

    __slots__ = ("_deadline", "_silent", "_step", "octets")

    def __init__(self, step: Connect, deadline: float) -> None:
        self.octets = b""
        self._step = step
        self._deadline = deadline
        self._silent = True

    def more(self) -> Primitive[None]:
        """Wait for more. Raises `ConnectError` when no more comes, and `TimeoutError`."""
        left = self._deadline - (yield Clock())
        if left <= 0:
            raise TimeoutError
        data = yield Read(left)
        if not data:
            end = "it closed the connection without an answer" if self._silent else "its answer is cut off"
            raise no_way(self._step, end)
        self._silent = False
        self.octets += data

    def take(self, count: int) -> Primitive[bytes]:
        """Exactly so many octets."""
        while len(self.octets) < count:
            yield from self.more()
        taken, self.octets = self.octets[:count], self.octets[count:]
        return taken


def through_proxy(step: Connect) -> Primitive[bytes]:
    """A connection to the host of the step by way of its proxy, which looks up the name; gives what came behind the
    proxy's last word. Raises `ConnectError`, `ConfigError`.
    """
    proxy = proxy_of(step)
    heard = Heard(step, (yield Clock()) + step.timeout)
    talk = _dialogue(proxy.scheme)(step, proxy, heard)  # what can't be said is refused before anything is connected
    try:
        yield from _reach(step, proxy)
        yield from talk
    except TimeoutError:
        raise no_way(step, "no answer in time") from None
    except ConnectError:
        raise
    except ConnectionError as problem:
        raise no_way(step, "it closed the connection") from problem
    return heard.octets


def _dialogue(scheme: str) -> Dialogue:
    if scheme == "http":
        from mailwright.drivers.tunnel import tunnel

        return tunnel
    from mailwright.drivers.socks import socks

    return socks


def _reach(step: Connect, proxy: Proxy) -> Primitive[None]:
    try:
        yield Connect(proxy.host, proxy.port, step.timeout, source_address=step.source_address)
    except ConnectError as problem:  # its reason is that of the proxy
        raise no_way(step, f"n{problem.what[1:].rstrip('.')}", temporary=problem.temporary) from None


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
    if parts.scheme not in ("socks5", "socks5h", "http") or not host or not port:
        return None
    if parts.path not in ("", "/") or parts.query:
        return None
    return Proxy(parts.scheme, host, port, user, Secret(password))


def ascii_host(step: Connect) -> str:
    """The host as it can be said to a proxy. Raises `ConnectError` for what is no name."""
    try:
        return ascii_name(step.host)
    except UnicodeError as problem:
        raise no_such_name(step) from problem


def no_such_name(step: Connect) -> ConnectError:
    """The error for a host that can be no name."""
    return no_way(step, "there is no such host name", "Check the spelling of the host name.", temporary=False)


def no_way(step: Connect, reason: str, advice: str = "", temporary: bool | None = None) -> ConnectError:
    """The error for a proxy that did not let us through."""
    kind = (step.proxy or "").partition("://")[0]
    return ConnectError(
        f"No connection to {step.host}:{step.port} through the {kind} proxy: {reason}.",
        advice or "Check that the proxy runs and lets connections to that port through.",
        temporary=temporary,
    )
