"""Connections through a SOCKS5 or HTTP CONNECT proxy, by the well-kept library python-socks (extra ``proxy``)."""

from __future__ import annotations

from mailwright.words.errors import ConfigError, ConnectError
from mailwright.words.extras import extra

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

    from mailwright.steps import Connect

SCHEMES = ("socks5", "socks5h", "http")


def connect_through(step: Connect, timeout: float) -> socket.socket:
    """A socket to the host behind ``step.proxy``, made within `timeout` seconds. Raises `ConnectError`."""
    library = extra("python_socks.sync", "proxy", "A proxy")
    try:
        proxy = library.Proxy.from_url(_url(step), rdns=True)
        sock: socket.socket = proxy.connect(dest_host=step.host, dest_port=step.port, timeout=max(timeout, 0.001))
    except Exception as problem:
        raise _failed(step, problem) from problem
    sock.setblocking(False)
    return sock


async def connect_through_async(step: Connect, timeout: float) -> socket.socket:
    """The same for asyncio."""
    library = extra("python_socks.async_.asyncio", "proxy", "A proxy")
    try:
        proxy = library.Proxy.from_url(_url(step), rdns=True)
        sock: socket.socket = await proxy.connect(dest_host=step.host, dest_port=step.port, timeout=max(timeout, 0.001))
    except Exception as problem:
        raise _failed(step, problem) from problem
    return sock


def _url(step: Connect) -> str:
    url = step.proxy or ""
    scheme = url.partition("://")[0]
    if scheme not in SCHEMES:
        raise ConfigError("The proxy is not usable.", "Write it like socks5://127.0.0.1:1080 or http://127.0.0.1:3128.")
    # python-socks names remote look-up by an argument, not by the scheme.
    return "socks5" + url[len(scheme) :] if scheme == "socks5h" else url


def _failed(step: Connect, problem: Any) -> Exception:
    if isinstance(problem, ConfigError):
        return problem
    # The proxy's URL may hold a password: only its kind is shown.
    kind = (step.proxy or "").partition("://")[0]
    reason = (
        "no answer in time" if isinstance(problem, TimeoutError) or "imeout" in type(problem).__name__ else str(problem)
    )
    return ConnectError(
        f"No connection to {step.host}:{step.port} through the {kind} proxy: {reason}.",
        "Check that the proxy runs and lets connections to that port through.",
    )
