"""A listening socket under asyncio: each connection is served by a plan of its own.

A server's plan mostly reads, thinks and writes. So it is stepped where the event loop says that something arrived, and
speaks to its socket itself: no transport, task, future or timer lies between them, which is half the work for a small
message. Nothing is read that the plan did not ask for: who sends faster than he is heard is held back by the kernel.
What a plan seldom asks for is done by asyncio.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from time import monotonic as clock  # that of every event loop

from mailwright.drivers.aio import _in_thread
from mailwright.drivers.conduct import Secured, answer_of, conducted
from mailwright.drivers.hanging_up import reset_on_close
from mailwright.drivers.watching import WatchingLoop
from mailwright.steps import Ask, Clock, Close, Read, Sleep, Write
from mailwright.words.errors import MailError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, Literal

    from mailwright.steps import Plan, Step

__all__ = ["Door", "Guest", "clock", "serve"]

_PORTION = 1 << 16  # octets that are read at once
_UNHEARD = 1 << 18  # octets that are read at the end, so that it is one
_QUEUE = 100  # connections that wait to be accepted, at most
_RECOVERY = 1.0  # seconds without new connections when the system has no room for one
_NO_ROOM = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


async def serve(plan_for: Callable[[Guest, str], Plan[Any]], host: str, port: int) -> Door:
    """Listen on the IP address `host` and `port`; for each connection run the plan that ``plan_for(guest, address)``
    gives. For an event loop that has ``add_reader``, and quickest in a `WatchingLoop`. Raises `OSError` when the port
    can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return Door(socket.create_server((host, port), family=family, backlog=_QUEUE), plan_for)


class Door:
    """A listening socket, one of `sockets`, and those who came in through it."""

    def __init__(self, sock: socket.socket, plan_for: Callable[[Guest, str], Plan[Any]]) -> None:
        sock.setblocking(False)
        self.sockets = (sock,)
        self._sock = sock
        self._plan_for = plan_for
        self._loop = asyncio.get_running_loop()
        self._guests: set[Guest] = set()
        self._open()

    def _open(self) -> None:
        if self._sock.fileno() >= 0:
            self._loop.add_reader(self._sock, self._knock)

    def _knock(self) -> None:
        for _ in range(_QUEUE):
            try:
                sock, peer = self._sock.accept()
            except OSError as problem:
                if problem.errno in _NO_ROOM:
                    self._loop.remove_reader(self._sock)
                    self._loop.call_later(_RECOVERY, self._open)
                return  # nobody is there any more
            guest = Guest(sock, self._loop, self._guests.discard)
            self._guests.add(guest)
            guest.begin(self._plan_for(guest, peer[0]))

    def close(self) -> None:
        """Close it, and all connections; their plans end where they are. May be called again."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
        self._sock.close()
        for guest in tuple(self._guests):
            guest.close()


class Guest:
    """A connection that was accepted, and the plan that serves it."""

    __slots__ = (
        "_alarm",
        "_conducted",
        "_errand",
        "_left",
        "_listening",
        "_loop",
        "_needs",
        "_sock",
        "_stepping",
        "_unsent",
        "_until",
        "_waits_for",
        "secured",
    )

    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop, left: Callable[[Guest], object]) -> None:
        self.secured = Secured()
        self._sock: socket.socket | None = sock
        self._loop = loop
        self._left = left
        self._needs: Plan[Any] | Generator[Step[Any], Any, Any] | None = None
        self._conducted = False  # a plan that asks for simple things is stepped as it is
        self._stepping = False
        self._waits_for = ""  # "octets" to read, or the "kernel" to take what is `_unsent`; nothing while it is stepped
        self._unsent = memoryview(b"")
        self._listening = False  # whether the event loop tells when something can be read
        self._until = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._errand: asyncio.Future[Any] | None = None

    def begin(self, plan: Plan[Any]) -> None:
        """The connection stands: its plan begins."""
        sock = self._sock
        assert sock is not None
        sock.setblocking(False)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            pass  # it is gone already; the plan will hear of it
        self._needs = plan
        self._go_on(None)

    def close(self) -> None:
        """Close the connection now, and end its plan; never fails. May be called again."""
        self._hang_up("close")
        needs, self._needs, self._waits_for = self._needs, None, ""
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            alarm.cancel()
        errand, self._errand = self._errand, None
        if errand is not None:
            errand.cancel()
        if needs is not None and not self._stepping:
            needs.close()
        self._left(self)

    # The plan.

    def _go_on(self, answer: Any, problem: BaseException | None = None) -> None:
        """Step the plan until it has to wait."""
        self._waits_for = ""
        while (needs := self._needs) is not None:
            self._stepping = True
            try:
                step = needs.send(answer) if problem is None else needs.throw(problem)
            except StopIteration:
                return self.close()
            except (OSError, MailError):
                return self.close()  # a client that leaves or misbehaves ends its own connection, nothing else
            except BaseException as mistake:
                self.close()
                if not isinstance(mistake, Exception):
                    raise
                told = {"message": "the plan of a connection failed", "exception": mistake}
                return self._loop.call_exception_handler(told)
            finally:
                self._stepping = False
            problem = None
            try:
                answer = self._perform(step)
            except Exception as error:
                answer, problem = None, error
            if answer is _LATER:
                return None
        return None

    def _perform(self, step: Step[Any]) -> Any:
        """What the step gives, or `_LATER` when it was only begun; an error that it raises is the plan's."""
        kind = type(step)
        if kind is Read:
            return self._read(step.timeout)  # type: ignore[attr-defined]
        if kind is Write:
            return self._write(step.data, step.timeout)  # type: ignore[attr-defined]
        if kind is Clock:
            return clock()
        if kind is Close:
            return self._hang_up(step.how)  # type: ignore[attr-defined]
        if kind is Sleep:
            return self._wait("morning", step.seconds)  # type: ignore[attr-defined]
        if kind is not Ask:
            return self._conduct(step)
        if step.blocking:  # type: ignore[attr-defined]
            return self._wait_for(self._loop.create_task(answer_of(step, _in_thread)))  # type: ignore[arg-type]
        answer = step.act()  # type: ignore[attr-defined]
        return self._wait_for(asyncio.ensure_future(answer)) if hasattr(answer, "__await__") else answer

    def _conduct(self, step: Step[Any]) -> None:
        """From now on have steps taken apart that are not simple, such as a handshake and all that follows it."""
        needs = self._needs
        if self._conducted or needs is None:
            raise TypeError(f"a server does not know the step {step!r}")
        self._conducted = True
        self._needs = conducted(needs, self.secured, step)  # type: ignore[arg-type]  # it was the plan until now

    # Octets.

    def _read(self, timeout: float) -> Any:
        sock = self._sock
        if sock is None:
            return b""
        if timeout <= 0:
            try:
                return sock.recv(_PORTION)
            except BlockingIOError:
                raise TimeoutError from None
        if not self._listening:
            self._listen(sock)
        return self._wait("octets", timeout)

    def _listen(self, sock: socket.socket) -> None:
        if isinstance(self._loop, WatchingLoop):
            self._loop.watch(sock, self._readable)
        else:
            self._loop.add_reader(sock, self._readable)
        self._listening = True

    def _listen_no_more(self, sock: socket.socket) -> None:
        if not self._listening:
            return
        if isinstance(self._loop, WatchingLoop):
            self._loop.unwatch(sock)
        else:
            self._loop.remove_reader(sock)
        self._listening = False

    def _readable(self) -> None:
        sock = self._sock
        if sock is None:
            return
        if self._waits_for != "octets":  # it is not asked now: the loop would tell again and again
            self._listen_no_more(sock)
            return
        try:
            octets = sock.recv(_PORTION)
        except BlockingIOError:
            return
        except OSError as problem:
            self._go_on(None, _as_connection_error(problem))
        else:
            self._go_on(octets)

    def _write(self, octets: bytes | memoryview, timeout: float) -> Any:
        sock = self._sock
        if sock is None:
            raise ConnectionAbortedError("the connection is closed")
        try:
            count = sock.send(octets)
        except BlockingIOError:
            count = 0
        except OSError as problem:
            raise _as_connection_error(problem) from None
        if count == len(octets):
            return None
        self._unsent = memoryview(octets)[count:]
        self._listen_no_more(sock)
        self._loop.add_writer(sock, self._writable)
        return self._wait("kernel", timeout)

    def _writable(self) -> None:
        sock = self._sock
        if sock is None:
            return
        problem = None
        try:
            self._unsent = self._unsent[sock.send(self._unsent) :]
            if self._unsent:
                return
        except BlockingIOError:
            return
        except OSError as error:
            problem = _as_connection_error(error)
        self._loop.remove_writer(sock)
        self._go_on(None, problem)

    def _hang_up(self, how: Literal["close", "end", "reset"]) -> None:
        sock = self._sock
        if sock is None:
            return
        try:
            if how == "end":
                return sock.shutdown(socket.SHUT_WR)
            if how == "reset" or self._unsent:  # the plan was told that these octets did not leave: now they can't
                reset_on_close(sock)
            else:
                # With octets unread the end would be a reset, which may overtake the last reply.
                for _ in range(0, _UNHEARD, _PORTION):
                    if not sock.recv(_PORTION):
                        break
        except OSError:
            pass  # nothing is left to be read, or nobody is there
        if how == "end":
            return
        self._sock = None
        self._listen_no_more(sock)
        self._loop.remove_writer(sock)
        sock.close()

    # Waiting.

    def _wait(self, what: str, seconds: float) -> object:
        self._waits_for = what
        self._until = until = clock() + seconds
        # One alarm for many waits: it is set anew only when it would come too late.
        alarm = self._alarm
        if alarm is None or alarm.when() > until:
            if alarm is not None:
                alarm.cancel()
            self._alarm = self._loop.call_at(until, self._ring)
        return _LATER

    def _ring(self) -> None:
        self._alarm = None
        if not self._waits_for:
            return
        if clock() < self._until:
            self._alarm = self._loop.call_at(self._until, self._ring)
        elif self._waits_for == "morning":
            self._go_on(None)
        else:
            if self._unsent:
                self._hang_up("reset")
            self._go_on(None, TimeoutError())

    def _wait_for(self, errand: asyncio.Future[Any]) -> object:
        self._errand = errand
        errand.add_done_callback(self._done)
        return _LATER

    def _done(self, errand: asyncio.Future[Any]) -> None:
        if errand is not self._errand:
            return  # the connection was closed meanwhile
        self._errand = None
        if errand.cancelled():
            return self.close()  # the event loop ends
        problem = errand.exception()
        if problem is None:
            self._go_on(errand.result())
        elif isinstance(problem, StopIteration):
            self._go_on(None, RuntimeError("StopIteration was raised"))
        else:
            self._go_on(None, problem)
        return None


_LATER = object()


def _as_connection_error(problem: OSError) -> ConnectionError:
    return problem if isinstance(problem, ConnectionError) else ConnectionResetError(*problem.args)
