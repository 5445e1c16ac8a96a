"""An event loop that hears many sockets with little ado.

Before asyncio's loop calls what was added for a socket, it makes a list, looks up a handle, queues it, runs it in its
context, and looks at its timers: that costs as much as the answer to a short command. Here the selector calls it where
it learns that something arrived, and goes on waiting. All else goes asyncio's way.
"""

from __future__ import annotations

import asyncio
from selectors import EVENT_READ, DefaultSelector
from time import monotonic as clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from contextvars import Context
    from selectors import SelectorKey
    from typing import TypeVarTuple, Unpack

    T = TypeVarTuple("T")

_ROUNDS = 8  # times that somebody is heard before all else has its turn
_LOOKS = 3  # before it sleeps: who was answered often speaks at once, and to be woken costs more


class WatchingLoop(asyncio.SelectorEventLoop):
    """asyncio's event loop on selectors, in which sockets can also be watched."""

    def __init__(self) -> None:
        self._watch = _Watch()
        super().__init__(self._watch)

    def watch(self, sock: socket.socket, call: Callable[[], object]) -> None:
        """Call this as often as something can be read from the socket. Meanwhile nothing else of the loop may be asked
        about it. The call may begin whatever asyncio can do, but ends the loop by ``call_soon(loop.stop)`` alone.
        """
        self._watch.register(sock, EVENT_READ, call)

    def unwatch(self, sock: socket.socket) -> None:
        """Watch it no more; before it is closed."""
        self._watch.unregister(sock)

    # All that is to be done later comes through these two.

    def call_soon(
        self, callback: Callable[[Unpack[T]], object], *args: *T, context: Context | None = None
    ) -> asyncio.Handle:
        """As asyncio does."""
        self._watch.wanted = True
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[Unpack[T]], object], *args: *T, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As asyncio does."""
        self._watch.wanted = True
        return super().call_at(when, callback, *args, context=context)


class _Watch(DefaultSelector):
    """`wanted`: something is to be done beside hearing, or at another time than was known."""

    wanted = False

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        others: list[tuple[SelectorKey, int]] = []
        until = None if timeout is None else clock() + timeout
        self.wanted, rounds = False, _ROUNDS
        heard = super().select(timeout)
        while heard:
            for told in heard:
                call = told[0].data
                if type(call) is tuple:  # asyncio's: what is to be called when the socket can be read, and written to
                    others.append(told)
                else:
                    _call(call)
            rounds -= 1
            left = None if until is None else until - clock()
            if others or (self.wanted and rounds <= 0) or (left is not None and left <= 0):
                break
            for _ in range(1 if self.wanted else _LOOKS):
                heard = super().select(0)  # what came meanwhile: the more is done at once, the better
                if heard:
                    break
            else:
                heard = [] if self.wanted else super().select(left)
        return others


def _call(call: Callable[[], object]) -> None:
    try:
        call()
    except Exception as mistake:
        about = {"message": "what was called for a socket failed", "exception": mistake}
        asyncio.get_running_loop().call_exception_handler(about)
