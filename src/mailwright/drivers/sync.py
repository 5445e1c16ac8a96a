"""The blocking driver: plans over non-blocking sockets in the calling thread, no hidden threads.

What a step waits for is itself a value (`Wait`), so that one loop can wait for one plan (`run`) or for
several side by side (`Together`).
"""

from __future__ import annotations

import select
import socket
from time import monotonic

from mailwright.drivers.conduct import Secured, conducted
from mailwright.drivers.racing import Attempts, in_turn, unreachable
from mailwright.steps import Ask, Clock, Close, Connect, Exchange, Peer, Read, Sleep, Together, Write
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, TypeVar

    from mailwright.steps import Plan, Step

    T = TypeVar("T")

RECEIVE_SIZE = 65536  # octets


@value
class Wait:
    """A need to wait until one of these sockets can be read or written, or `until` (seconds of the clock) has
    come.
    """

    reading: tuple[socket.socket, ...]
    writing: tuple[socket.socket, ...]
    until: float


@value
class Resolve:
    """A need to look up a name."""

    host: str
    port: int


if TYPE_CHECKING:
    Waiting = Generator["Wait | Resolve", Any, T]


class Link:
    """One connection of the blocking (and the Trio) driver: the socket and its TLS layer. `deadline` bounds
    all that is done over it.
    """

    __slots__ = ("deadline", "secured", "sock")

    def __init__(self, sock: socket.socket | None = None) -> None:
        self.sock = sock
        self.secured = Secured()
        self.deadline: float | None = None
        if sock is not None:
            sock.setblocking(False)

    def close(self) -> None:
        """Close the socket; never fails."""
        self.secured.layer = None
        if self.sock is not None:
            try:
                self.sock.close()
            except OSError:
                pass
            self.sock = None

    def abandon(self) -> None:
        """Forget the socket without a word on the wire: after a fork it belongs to the parent process."""
        if self.sock is not None:
            fd = self.sock.detach()
            _close_quietly(fd)
        self.sock = None

    def until(self, timeout: float) -> float:
        """The moment until which a step may wait."""
        end = monotonic() + timeout
        return end if self.deadline is None else min(end, self.deadline)


def _close_quietly(fd: int) -> None:
    try:
        socket.close(fd)
    except OSError:
        pass


def run(plan: Plan[T], link: Link) -> T:
    """Perform the plan over `link` in the calling thread and give its result, or raise its error."""
    waiting = waits(plan, link)
    answer: Any = None
    problem: BaseException | None = None
    try:
        while True:
            try:
                need = waiting.send(answer) if problem is None else waiting.throw(problem)
            except StopIteration as end:
                result: T = end.value
                return result
            answer, problem = None, None
            try:
                answer = _resolve(need) if isinstance(need, Resolve) else _wait(need)
            except OSError as error:
                problem = error
    finally:
        waiting.close()


def _resolve(need: Resolve) -> list[Any]:
    return socket.getaddrinfo(need.host, need.port, type=socket.SOCK_STREAM)


def _wait(need: Wait) -> tuple[socket.socket, ...]:
    """The sockets that are ready; none when the time is up."""
    left = max(0.0, need.until - monotonic())
    if hasattr(select, "poll"):
        poll = select.poll()  # unlike select(), it has no limit on file descriptors
        found = {}
        for sock in need.reading:
            found[sock.fileno()] = (sock, select.POLLIN)
        for sock in need.writing:
            events = found.get(sock.fileno(), (sock, 0))[1]
            found[sock.fileno()] = (sock, events | select.POLLOUT)
        for fd, (_, events) in found.items():
            poll.register(fd, events)
        return tuple(found[fd][0] for fd, _ in poll.poll(left * 1000 + (left > 0)))
    reading, writing, failed = select.select(need.reading, need.writing, need.writing, left)
    return tuple({*reading, *writing, *failed})


def waits(plan: Plan[T], link: Link) -> Waiting[T]:
    """The plan with every step performed except for waiting and looking up names, which the caller does."""
    steps = conducted(plan, link.secured)
    answer: Any = None
    problem: BaseException | None = None
    try:
        while True:
            try:
                step = steps.send(answer) if problem is None else steps.throw(problem)
            except StopIteration as end:
                result: T = end.value
                return result
            answer, problem = None, None
            try:
                answer = yield from perform(step, link)
            except Exception as error:
                problem = error
    finally:
        steps.close()


def perform(step: Step[Any], link: Link) -> Waiting[Any]:
    """One primitive step."""
    if isinstance(step, Read):
        return (yield from _read(link, step.timeout))
    if isinstance(step, Write):
        return (yield from _write(link, step))
    if isinstance(step, Exchange):
        return (yield from _exchange(link, step))
    if isinstance(step, Clock):
        return monotonic()
    if isinstance(step, Connect):
        link.close()
        link.sock, peer = yield from _connect(step, link)
        return peer
    if isinstance(step, Close):
        return link.close()
    if isinstance(step, Sleep):
        yield Wait((), (), link.until(step.seconds))
        return None
    if isinstance(step, Ask):
        return step.act()
    if isinstance(step, Together):
        return (yield from _together(step, link))
    raise TypeError(f"the blocking driver does not know the step {step!r}")


def _socket_of(link: Link) -> socket.socket:
    if link.sock is None:
        raise ConnectionAbortedError("there is no connection")
    return link.sock


def _read(link: Link, timeout: float) -> Waiting[bytes]:
    sock = _socket_of(link)
    if timeout > 0:
        yield from _ready(link, (sock,), (), link.until(timeout))
    try:
        return sock.recv(RECEIVE_SIZE)
    except BlockingIOError:
        raise TimeoutError from None


def _ready(
    link: Link, reading: tuple[socket.socket, ...], writing: tuple[socket.socket, ...], until: float
) -> Waiting[None]:
    ready = yield Wait(reading, writing, until)
    if not ready:
        raise TimeoutError


def _write(link: Link, step: Write) -> Waiting[None]:
    sock = _socket_of(link)
    rest = memoryview(step.data)
    while rest:
        try:
            rest = rest[sock.send(rest) :]
        except BlockingIOError:
            yield from _ready(link, (), (sock,), link.until(step.timeout))


def _exchange(link: Link, step: Exchange) -> Waiting[bytes | None]:
    sock, outgoing = _socket_of(link), step.outgoing
    while (rest := outgoing.peek()) is not None:
        try:
            return sock.recv(RECEIVE_SIZE)
        except BlockingIOError:
            pass
        try:
            outgoing.took(sock.send(rest))
        except BlockingIOError:
            yield from _ready(link, (sock,), (sock,), link.until(step.timeout))
        except ConnectionError:
            # What the server said before it closed explains more than the broken pipe does.
            try:
                return sock.recv(RECEIVE_SIZE) or b""
            except OSError:
                pass
            raise
    return None


def _connect(step: Connect, link: Link) -> Waiting[tuple[socket.socket, Peer]]:
    until = link.until(step.timeout)
    if step.path is not None:
        return _connect_path(step.path)
    if step.proxy is not None:
        from mailwright.drivers.proxy import connect_through  # extra "proxy"

        sock = connect_through(step, until - monotonic())
        return sock, Peer(step.host, "")
    try:
        found = yield Resolve(step.host, step.port)
    except (OSError, UnicodeError) as problem:
        raise unreachable(step, [(step.host, problem)]) from problem
    return (yield from _race(step, Attempts(in_turn(found)), until))


def _connect_path(path: str) -> tuple[socket.socket, Peer]:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        sock.connect(path)
    except OSError as problem:
        sock.close()
        raise unreachable(Connect("", 0, 0, path), [(path, problem)]) from problem
    return sock, Peer("", "")


def _race(step: Connect, attempts: Attempts, until: float) -> Waiting[tuple[socket.socket, Peer]]:
    """Happy eyeballs (RFC 8305): a further address is tried when one fails, or after a quarter of a second of
    silence.
    """
    pending: dict[socket.socket, Any] = {}
    try:
        while True:
            now = monotonic()
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
                error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if not error:
                    return _won(sock)
                sock.close()
                attempts.failed(address, OSError(error, _strerror(error)))
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
            sock.bind((source, 0))
        sock.connect(place)
    except BlockingIOError:
        pass
    except OSError as problem:
        if sock is not None:
            sock.close()
        attempts.failed(address, problem)
        return None
    return sock


def _won(sock: socket.socket) -> tuple[socket.socket, Peer]:
    # Commands are small and waited for: Nagle's algorithm would hold them back (40 ms each with delayed
    # ACKs).
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock, Peer(sock.getpeername()[0], sock.getsockname()[0])


def _together(step: Together, link: Link) -> Waiting[list[Any]]:
    """Several plans side by side in this thread, each over a link of its own."""
    links = [Link() for _ in step.plans]
    for one in links:
        one.deadline = link.deadline
    running = {i: waits(plan, one) for i, (plan, one) in enumerate(zip(step.plans, links, strict=True))}
    results: list[Any] = [None] * len(links)
    needs: dict[int, Wait] = {}
    answers: dict[int, Any] = dict.fromkeys(running)
    try:
        while running:
            for i, answer in answers.items():
                need = yield from _advance(running, i, answer, results)
                if need is not None:
                    needs[i] = need
            answers = {}
            if needs:
                ready = yield Wait(
                    tuple(s for n in needs.values() for s in n.reading),
                    tuple(s for n in needs.values() for s in n.writing),
                    min(n.until for n in needs.values()),
                )
                now = monotonic()
                for i, need in list(needs.items()):
                    mine = tuple(s for s in ready if s in need.reading or s in need.writing)
                    if mine or now >= need.until:
                        answers[i] = mine
                        del needs[i]
        return results
    finally:
        for one, waiting in zip(links, list(running.values()), strict=False):
            waiting.close()
            one.close()
        for one in links:
            one.close()


def _advance(running: dict[int, Any], i: int, answer: Any, results: list[Any]) -> Waiting[Wait | None]:
    """Step plan number `i` until it needs to wait; note its result if it ended."""
    try:
        need = running[i].send(answer)
        while isinstance(need, Resolve):
            try:
                found = yield need
            except OSError as problem:
                need = running[i].throw(problem)
            else:
                need = running[i].send(found)
    except StopIteration as end:
        results[i] = end.value
    except Exception as error:
        results[i] = error
    else:
        return need  # type: ignore[no-any-return]
    del running[i]
    return None
