"""The ways to end a connection that a socket has beside the usual one."""

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
