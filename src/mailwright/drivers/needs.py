"""What a step over a plain socket needs from whoever runs it: to wait, to look up a name.

A step itself is the need where it is for the runner alone (`Ask`; under Trio `Attend` and `Together`).
"""

from __future__ import annotations

import select
from time import monotonic

from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Generator, Iterable
    from typing import Any, TypeVar

    from mailwright.steps import Ask, Attend, Together

    T = TypeVar("T")


@value
class Wait:
    """A need to wait until one of these sockets can be read or written, or `until` (seconds of the clock) has
    come.
    """

    reading: tuple[socket.socket, ...]
    writing: tuple[socket.socket, ...]
    until: float


#: Nothing to wait for: a moment for others who run beside this plan.
TURN = Wait((), (), 0.0)


@value
class Resolve:
    """A need to look up a name, until `until` at most; the blocking driver can't stop a look-up and ignores it."""

    host: str
    port: int
    until: float


class Board:
    """The waits of several plans as one need. What the system watches for is kept from one wait to the next, so that
    the many who go on waiting cost nothing when one of them has news.
    """

    __slots__ = ("_closed", "_needs", "_numbers", "_owners", "_poll", "_sockets")

    def __init__(self) -> None:
        self._poll = select.poll() if hasattr(select, "poll") else None
        self._needs: dict[int, Wait] = {}
        self._owners: dict[socket.socket, int] = {}  # which plan waits for a socket
        self._sockets: dict[int, socket.socket] = {}  # by file descriptor
        self._numbers: dict[int, list[int]] = {}  # the file descriptors of each plan
        self._closed: list[socket.socket] = []  # by somebody else: whoever waits for one is to see that

    def put(self, plan: int, need: Wait | Board) -> None:
        """Plan number `plan` waits for this."""
        self._needs[plan] = need if isinstance(need, Wait) else Wait(need.reading, need.writing, need.until)
        numbers = self._numbers[plan] = []
        for sock in dict.fromkeys((*need.reading, *need.writing)):
            self._owners[sock] = plan
            number = sock.fileno()
            if number < 0:
                self._closed.append(sock)
                continue
            numbers.append(number)
            self._sockets[number] = sock
            if self._poll is not None:
                events = (sock in need.reading and select.POLLIN) | (sock in need.writing and select.POLLOUT)
                self._poll.register(number, events)

    @property
    def reading(self) -> tuple[socket.socket, ...]:
        """See `Wait`."""
        return tuple([sock for need in self._needs.values() for sock in need.reading])

    @property
    def writing(self) -> tuple[socket.socket, ...]:
        """See `Wait`."""
        return tuple([sock for need in self._needs.values() for sock in need.writing])

    @property
    def until(self) -> float:
        """See `Wait`."""
        return 0.0 if self._closed else min([need.until for need in self._needs.values()])

    def polled(self, milliseconds: float) -> tuple[socket.socket, ...]:
        """The sockets that are ready; none when the time is up. Only where the system has ``poll``."""
        assert self._poll is not None
        return tuple([self._sockets[number] for number, _ in self._poll.poll(milliseconds)])

    def deal(self, ready: Iterable[socket.socket]) -> dict[int, tuple[socket.socket, ...]]:
        """Which plans go on, each with what is ready of its own: those, and those whose time is up."""
        answers: dict[int, tuple[socket.socket, ...]] = {}
        for sock in (*ready, *self._closed):
            plan = self._owners[sock]
            answers[plan] = (*answers.get(plan, ()), sock)
        now = monotonic()
        for plan, need in self._needs.items():
            if now >= need.until and plan not in answers:
                answers[plan] = ()
        for plan in answers:
            self._forget(plan)
        self._closed.clear()
        return answers

    def _forget(self, plan: int) -> None:
        need = self._needs.pop(plan)
        for sock in (*need.reading, *need.writing):
            self._owners.pop(sock, None)
        for number in self._numbers.pop(plan):
            del self._sockets[number]
            if self._poll is not None:
                self._poll.unregister(number)


if TYPE_CHECKING:
    Need = Wait | Board | Resolve | Ask | Attend | Together
    Waiting = Generator[Need, Any, T]
