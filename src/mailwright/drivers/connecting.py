"""Plain sockets, connected: to a path, or to the first address that answers (RFC 8305)."""

from __future__ import annotations

from mailwright.drivers.host_names import ascii_name
from mailwright.drivers.needs import Resolve, Wait
from mailwright.drivers.racing import Attempts, in_turn, unreachable
from mailwright.drivers.sockets import socket
from mailwright.steps import Connect, Peer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mailwright.drivers.needs import Waiting


def connect(step: Connect, until: float, clock: Callable[[], float]) -> Waiting[tuple[socket.socket, Peer]]:
    """A connected socket, made before `until` (a time of `clock`). Raises `ConnectError`."""
    if step.path is not None:
        return connect_path(step.path)
    try:
        found = yield Resolve(ascii_name(step.host), step.port, until)
    except (OSError, UnicodeError) as problem:
        raise unreachable(step, [(step.host, problem)]) from problem
    if clock() >= until:  # the blocking driver can't stop a look-up
        raise unreachable(step, [(step.host, TimeoutError())])
    return (yield from _race(step, Attempts(in_turn(found)), until, clock))


def connect_path(path: str) -> tuple[socket.socket, Peer]:
    """A connection to a Unix socket, at once or not at all. Raises `ConnectError`."""
    sock = None
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.connect(path)
    except OSError as problem:
        if sock is not None:
            sock.close()
        raise unreachable(Connect("", 0, 0, path), [(path, problem)]) from problem
    return sock, Peer("", "")


def _race(
    step: Connect, attempts: Attempts, until: float, clock: Callable[[], float]
) -> Waiting[tuple[socket.socket, Peer]]:
    """Happy eyeballs (RFC 8305): a further address is tried when one fails, or after a quarter of a second of
    silence.
    """
    pending: dict[socket.socket, Any] = {}
    try:
        while True:
            now = clock()
            if now >= until:
                raise unreachable(step, attempts.failed_with(TimeoutError(), pending.values()))
            if attempts.due(now, bool(pending)) and (address := attempts.next(now)) is not None:
                sock = _begin(address, attempts, step.source_address)
                if sock is not None:
                    pending[sock] = address
                continue
            if not pending:
                raise unreachable(step, attempts.failures)
            for sock in (yield Wait((), tuple(pending), min(until, attempts.next_due))):
                address = pending.pop(sock)
                try:
                    if error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                        raise OSError(error, _strerror(error))
                    return _won(sock)  # which fails, too, when the other side was quick to reset
                except OSError as problem:
                    sock.close()
                    attempts.failed(address, problem)
    finally:
        for sock in pending:
            sock.close()


def _strerror(error: int) -> str:
    from os import strerror

    return strerror(error)


def _begin(address: Any, attempts: Attempts, source: str | None) -> socket.socket | None:
    family, kind, protocol, _, place = address
    sock = None
    try:
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        if source:
            come_from(sock, source)
        sock.connect(place)
    except BlockingIOError:
        pass
    except OSError as problem:
        if sock is not None:
            sock.close()
        attempts.failed(address, problem)
        return None
    return sock


def come_from(sock: socket.socket, source: str) -> None:
    """Bind to that address of this machine, with the zone that an IPv6 address may have. Raises `OSError`; asks no
    resolver, as ``bind`` would.
    """
    address, _, zone = source.partition("%")
    try:
        socket.inet_pton(sock.family, address)
    except (OSError, ValueError):
        from errno import EADDRNOTAVAIL

        raise OSError(EADDRNOTAVAIL, f"can't come from {source}") from None
    sock.bind((address, 0, 0, socket.if_nametoindex(zone)) if zone else (address, 0))


def _won(sock: socket.socket) -> tuple[socket.socket, Peer]:
    # Commands are small and waited for: Nagle's algorithm would hold them back (40 ms each with delayed
    # ACKs).
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock, Peer(sock.getpeername()[0], sock.getsockname()[0])
