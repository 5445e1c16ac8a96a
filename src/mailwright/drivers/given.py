"""A driver for a socket that somebody else made and uses too: blocking calls, and the socket's own time-out.

The other drivers make their sockets, and nobody else touches those. Here the caller brings one, sets its time-out, and
may read, write or put another in its place between two plans. So steps are performed with `sendall` and `recv`, or
with `file.readline` where there is a file, and TLS with the `wrap_socket` of its context: what the caller finds
afterwards is an `ssl.SSLSocket`.

It knows the steps of commands over an open connection: `Read`, `Write`, `StartTLS`, `BindChannel`, `Close`, `Clock`
and `Ask`.
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from time import monotonic

from mailwright.steps import Ask, BindChannel, Clock, Close, Read, StartTLS, Write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol, TypeVar

    from mailwright.steps import Plan, Step
    from mailwright.words.receipt import TLSFacts
    from mailwright.words.server import TLS, Server

    T = TypeVar("T")

    class Holder(Protocol):
        """Who holds the socket: `sock`, or anything that behaves like one, and `file`, what is read from instead."""

        sock: Any
        file: Any


RECEIVE_SIZE = 65536  # octets
LINE_SIZE = 8193  # octets asked of a file at once: one more than a line of a reply may have
FOREVER = 1e9  # seconds: what stands for the time-out of a socket that has none
_SAME = 0.01  # seconds; a time-out that is shorter by less is that of the socket itself


def run(plan: Plan[T], holder: Holder) -> T:
    """Perform the plan over the holder's socket in the calling thread and give its result, or raise its error."""
    answer: Any = None
    problem: BaseException | None = None
    try:
        while True:
            try:
                step = plan.send(answer) if problem is None else plan.throw(problem)
            except StopIteration as end:
                result: T = end.value
                return result
            answer, problem = None, None
            try:
                answer = _perform(step, holder)
            except Exception as error:
                problem = error
    finally:
        plan.close()
        del problem  # it holds this frame: together they would keep the socket open until the next collection


def _perform(step: Step[Any], holder: Holder) -> Any:
    kind = type(step)
    if kind is Write:
        return _write(step.data, holder)  # type: ignore[attr-defined]
    if isinstance(step, Read):
        return _read(step.timeout, holder) if step.timeout > 0 else _look(holder)
    if kind is Clock:
        return monotonic()
    if isinstance(step, Ask):
        return step.act()
    if isinstance(step, StartTLS):
        return _start_tls(step, holder)
    if isinstance(step, BindChannel):
        return _channel_binding(step.kind, holder.sock)
    if isinstance(step, Close):
        return holder.sock.close()
    raise TypeError(f"the driver for given sockets does not know the step {step!r}")


def _write(data: bytes | memoryview, holder: Holder) -> None:
    try:
        # What stands in for a socket may not know what to do with a memoryview.
        holder.sock.sendall(data if isinstance(holder.sock, socket.SocketType) else bytes(data))
    except OSError as problem:
        raise _ending(problem) from None


def _read(timeout: float, holder: Holder) -> bytes:
    sock = holder.sock
    if holder.file is None and not hasattr(sock, "recv"):
        holder.file = sock.makefile("rb")
    own = time_out(sock)
    shorter = timeout < own - _SAME and hasattr(sock, "settimeout")
    try:
        if shorter:
            sock.settimeout(timeout)
        data: bytes = sock.recv(RECEIVE_SIZE) if holder.file is None else holder.file.readline(LINE_SIZE)
        return data
    except OSError as problem:
        raise _ending(problem) from None
    finally:
        if shorter:
            _restore(sock, own)


def _look(holder: Holder) -> bytes:
    """What has arrived, without waiting. Raises `TimeoutError` for nothing, and for what is no real socket."""
    sock = holder.sock
    if not isinstance(sock, socket.SocketType):
        raise TimeoutError
    own = time_out(sock)
    try:
        sock.settimeout(0)
        if hasattr(holder.file, "peek") and holder.file.peek(1):
            kept: bytes = holder.file.read1(RECEIVE_SIZE)
            return kept
        return sock.recv(RECEIVE_SIZE)
    except OSError as problem:
        if _is_nothing(problem):
            raise TimeoutError from None
        raise _ending(problem) from None
    finally:
        _restore(sock, own)


def _is_nothing(problem: OSError) -> bool:
    ssl = sys.modules.get("ssl")  # not loaded: then it is no matter of TLS
    return isinstance(problem, BlockingIOError) or (ssl is not None and isinstance(problem, ssl.SSLWantReadError))


def _ending(problem: OSError) -> OSError:
    """Whatever ends a connection is a `ConnectionError` to a plan."""
    if isinstance(problem, (ConnectionError, TimeoutError)):
        return problem
    return ConnectionResetError(*problem.args)


def time_out(sock: Any) -> float:
    """The socket's time-out in seconds; `FOREVER` where it has none."""
    ask = getattr(sock, "gettimeout", None)
    seconds = ask() if ask is not None else None
    return float(seconds) if isinstance(seconds, (int, float)) and seconds > 0 else FOREVER


def _restore(sock: Any, seconds: float) -> None:
    with suppress(OSError):  # it was closed meanwhile
        sock.settimeout(None if seconds == FOREVER else seconds)


def _start_tls(step: StartTLS, holder: Holder) -> TLSFacts:
    import ssl

    from mailwright.drivers.tls import TLSConnection, client_context, explained, not_a_name, server_name
    from mailwright.words.receipt import TLSFacts

    host, name = step.tls.name or step.host, server_name(step.tls, step.host)
    try:
        name.encode("idna")  # `wrap_socket` finds out too late, when nobody can close the socket any more
        secured = client_context(step.tls).wrap_socket(holder.sock, server_hostname=name, do_handshake_on_connect=False)
    except ssl.SSLError as problem:
        raise explained(problem, host) from problem
    except ValueError as problem:
        raise not_a_name(host, problem) from None
    except OSError as problem:
        raise _ending(problem) from None
    holder.sock, holder.file = secured, None
    if not isinstance(secured, ssl.SSLSocket):  # a context of the caller's own making decided otherwise
        return TLSFacts("", "", "", False)
    connection = TLSConnection(secured, step.tls, step.host)
    try:
        connection.handshake()
    except OSError as problem:
        raise _ending(problem) from None
    return connection.facts()


def _channel_binding(kind: str, sock: Any) -> bytes | None:
    found = _tls_of(sock)
    if found is None:
        return None
    from mailwright.drivers.tls import TLSConnection

    return TLSConnection(sock, found, "").channel_binding(kind)


def _tls_of(sock: Any) -> TLS | None:
    """The settings that a socket with TLS stands for, `None` for one without."""
    ssl = sys.modules.get("ssl")
    if ssl is None or not isinstance(sock, ssl.SSLSocket):
        return None
    from mailwright.words.server import TLS

    return TLS(context=sock.context)


def secured_by(sock: Any) -> tuple[TLS, TLSFacts] | None:
    """How a socket was encrypted by whoever made it, or `None` for one that is not."""
    found = _tls_of(sock)
    if found is None:
        return None
    from mailwright.drivers.tls import TLSConnection

    return found, TLSConnection(sock, found, "").facts()


def connected(server: Server) -> socket.socket:
    """A blocking socket, connected to a server on this machine. Raises `OSError`."""
    limit = server.timeouts.connect
    timeout = None if limit >= FOREVER else limit
    if server.path is None:
        return socket.create_connection((server.host, server.port), timeout)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.connect(server.path)
    except OSError:
        sock.close()
        raise
    return sock
