"""Through an HTTP proxy with CONNECT (RFC 9110 §9.3.6), over the primitive steps: the same for all drivers.

It is not left to a library, as SOCKS is, since mail servers speak first: the greeting may come in one piece with
the end of the proxy's answer, and python-socks drops what it read too much.
"""

from __future__ import annotations

from binascii import b2a_base64

from mailwright.drivers.proxy import no_way, proxy_of
from mailwright.smtp.wire import CRLF, command_line
from mailwright.steps import Clock, Connect, Peer, Read, Write
from mailwright.words.errors import ConnectError
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.drivers.conduct import Primitive
    from mailwright.drivers.proxy import Proxy

ANSWER_LIMIT = 16384  # octets of the proxy's answer, up to its empty line
_END = CRLF + CRLF
_SEEN = 80  # characters of an answer that are shown
_ADVICE = {
    b"403": "The proxy forbids it: ask who runs it to allow that host and port.",
    b"405": "The proxy forbids CONNECT: ask who runs it, or use another.",
    b"407": "The proxy wants a login: put user and password into its URL, http://user:password@host:port.",
}


def tunnel(step: Connect) -> Primitive[tuple[Peer, bytes]]:
    """A connection to the host of the step; gives also what came behind the proxy's answer. Raises `ConnectError`,
    `ConfigError`.
    """
    proxy = proxy_of(step)
    request = _request(step, proxy)
    deadline = (yield Clock()) + step.timeout
    try:
        yield Connect(proxy.host, proxy.port, step.timeout, source_address=step.source_address)
        yield Write(request, step.timeout)
        head, early = yield from _answer(step, deadline)
    except TimeoutError:
        raise no_way(step, "no answer in time") from None
    except ConnectError as problem:  # a ConnectionError, too: its reason is that of the proxy
        raise no_way(step, f"n{problem.what[1:].rstrip('.')}") from None
    except ConnectionError as problem:
        raise no_way(step, "it closed the connection") from problem
    _check(step, head)
    return Peer(step.host, ""), early


def _request(step: Connect, proxy: Proxy) -> memoryview:
    """The whole request; behind a memoryview, since it may hold a password."""
    host = f"[{step.host}]" if ":" in step.host else _ascii(step)
    lines: list[bytes | memoryview] = [
        command_line(f"CONNECT {host}:{step.port} HTTP/1.1"),
        command_line(f"Host: {host}:{step.port}"),
    ]
    if proxy.user:
        lines += [b"Proxy-Authorization: Basic ", _credentials(proxy), CRLF]
    return memoryview(b"".join([*lines, CRLF]))


def _credentials(proxy: Proxy) -> memoryview:
    """User, colon, password, in UTF-8 (RFC 7617 §2)."""
    return memoryview(b2a_base64(f"{proxy.user}:{proxy.password.reveal()}".encode(), newline=False))


def _ascii(step: Connect) -> str:
    if step.host.isascii():
        return step.host
    import idna

    try:
        return idna.encode(step.host, uts46=True).decode()
    except UnicodeError as problem:
        raise no_way(step, "there is no such host name", "Check the spelling of the host name.") from problem


def _answer(step: Connect, deadline: float) -> Primitive[tuple[bytes, bytes]]:
    """The head of the proxy's answer, and what came behind it."""
    arrived = b""
    while (end := arrived.find(_END)) < 0:
        if not arrived.startswith(b"HTTP/"[: len(arrived)]):
            raise _odd(step, arrived)
        if len(arrived) > ANSWER_LIMIT:
            raise no_way(step, f"its answer has no end within {ANSWER_LIMIT} octets")
        left = deadline - (yield Clock())
        if left <= 0:
            raise TimeoutError
        data = yield Read(left)
        if not data:
            raise no_way(step, "it closed the connection without an answer" if not arrived else "its answer is cut off")
        arrived += data
    return arrived[:end], arrived[end + len(_END) :]


def _check(step: Connect, head: bytes) -> None:
    """Raise `ConnectError` unless the status is a 2xx: any of them opens the tunnel."""
    status = head.partition(CRLF)[0]
    version, _, rest = status.partition(b" ")
    code, _, _ = rest.partition(b" ")
    if not version.startswith(b"HTTP/1.") or len(code) != 3 or not code.isdigit():
        raise _odd(step, head)
    if not code.startswith(b"2"):
        answer = visible(rest.decode("latin-1"), _SEEN)
        raise no_way(step, f"it answered {answer}", _ADVICE.get(code, ""))


def _odd(step: Connect, answer: bytes) -> ConnectError:
    said = visible(answer[:_SEEN].decode("latin-1"), _SEEN)
    return no_way(step, f"its answer is not HTTP: {said}", "Check that this is the port of an HTTP proxy.")
