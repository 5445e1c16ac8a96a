"""Through an HTTP proxy with CONNECT (RFC 9110 §9.3.6)."""

from __future__ import annotations

from binascii import b2a_base64

from mailwright.drivers.proxy import LOGIN_ADVICE, ascii_host, no_way
from mailwright.smtp.wire import CRLF, command_line
from mailwright.steps import Write
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.drivers.conduct import Primitive
    from mailwright.drivers.proxy import Heard, Proxy
    from mailwright.steps import Connect
    from mailwright.words.errors import ConnectError

ANSWER_LIMIT = 16384  # octets of the proxy's answer, up to its empty line
_END = CRLF + CRLF
_SEEN = 80  # characters of an answer that are shown
_ADVICE = {
    b"403": "The proxy forbids it: ask who runs it to allow that host and port.",
    b"405": "The proxy forbids CONNECT: ask who runs it, or use another.",
    b"407": LOGIN_ADVICE.format("http"),
}


def tunnel(step: Connect, proxy: Proxy, heard: Heard) -> Primitive[None]:
    """The dialogue with a proxy, to which a connection stands then, for one to the host of the step. Raises
    `ConnectError`.
    """
    return _talk(step, _request(step, proxy), heard)


def _talk(step: Connect, request: memoryview, heard: Heard) -> Primitive[None]:
    yield Write(request, step.timeout)
    head = yield from _answer(step, heard)
    _check(step, head)


def _request(step: Connect, proxy: Proxy) -> memoryview:
    """The whole request; behind a memoryview, since it may hold a password."""
    host = f"[{step.host}]" if ":" in step.host else ascii_host(step)
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


def _answer(step: Connect, heard: Heard) -> Primitive[bytes]:
    """The head of the proxy's answer."""
    while (end := heard.octets.find(_END)) < 0:
        if not heard.octets.startswith(b"HTTP/"[: len(heard.octets)]):
            raise _odd(step, heard.octets)
        if len(heard.octets) > ANSWER_LIMIT:
            raise no_way(step, f"its answer has no end within {ANSWER_LIMIT} octets")
        yield from heard.more()
    head = yield from heard.take(end + len(_END))
    return head[:end]


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
