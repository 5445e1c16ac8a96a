"""How connections end: the ways that a socket has beside the usual one, and what is left behind."""

from __future__ import annotations

import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Adjustable(Protocol):
        """A socket, or what asyncio gives in place of one."""

        def setsockopt(self, level: int, name: int, value: bytes, /) -> None:
            """As that of `socket.socket`."""


def reset_on_close(sock: Adjustable) -> None:
    """Let the next `close` throw away what is on its way, and tell the other side so (RST)."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass  # it is closed, or of a kind that knows no reset


def end_sending(sock: socket.socket) -> None:
    """Say that no more will come (FIN), and go on listening."""
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other side was quicker


def left_over(sock: socket.socket, most: int) -> bytes:
    """What the other side had said when it broke the connection off: the system keeps it, and it often says why."""
    try:
        return sock.recv(most)  # it does not block: asyncio has seen to that
    except OSError:
        return b""


def as_connection_error(problem: Exception) -> ConnectionError:
    """The same, as one of the errors that a broken connection has."""
    if isinstance(problem, ConnectionError):
        return problem
    return ConnectionResetError(*getattr(problem, "args", ()))
