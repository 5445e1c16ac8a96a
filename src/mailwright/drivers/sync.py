"""The blocking driver: plans over non-blocking sockets in the calling thread, no hidden threads.

What a step needs beyond its own socket is itself a value (`mailwright.drivers.needs`), so that one loop can wait
for one plan (`run`) or for several side by side (`Together`), and another library can meet the needs in its own
way (`mailwright.drivers.trio`).
"""

from __future__ import annotations

import select
from time import monotonic, sleep

from mailwright.drivers.conduct import Secured, conducted
from mailwright.drivers.connecting import connect
from mailwright.drivers.needs import TURN, Board, Resolve, Wait
from mailwright.drivers.sockets import socket
from mailwright.steps import Ask, Attend, Clock, Close, Connect, DeadlinePassed, Exchange, Read, Sleep, Together, Write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from typing import Any, Literal, TypeVar

    from mailwright.drivers.needs import Need, Waiting
    from mailwright.steps import Peer, Plan

    T = TypeVar("T")
    Performer = Callable[[Any, "Link"], Waiting[Any]]

RECEIVE_SIZE = 65536  # octets
# A program that has set SIGPIPE to end it, as tools in a pipeline do, means its output and not our connection.
NO_SIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)
QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)
LONGEST_WAIT = 20 * 86400.0  # seconds; poll() takes 24 days at most


class Link:
    """One connection of the blocking driver: the socket and its TLS layer. `deadline`, a time of `clock`, bounds
    all that is done over it. `heard`: something arrived since the last octets left.
    """

    __slots__ = ("clock", "deadline", "heard", "secured", "sock")

    def __init__(self, sock: socket.socket | None = None, clock: Callable[[], float] = monotonic) -> None:
        self.sock = sock
        self.clock = clock
        self.secured = Secured()
        self.deadline: float | None = None
        self.heard = False
        if sock is not None:
            sock.setblocking(False)

    def close(self, how: Literal["close", "end", "reset"] = "close") -> None:
        """Close the socket, or do what `Close` says of the other ways; never fails."""
        self.secured.layer = None
        if self.sock is not None:
            if how != "close":
                from mailwright.drivers.hanging_up import end_sending, reset_on_close

                if how == "end":
                    return end_sending(self.sock)
                reset_on_close(self.sock)
            try:
                self.sock.close()
            except OSError:
                pass
            self.sock = None

    def abandon(self) -> None:
        """Forget the socket without a word on the wire: after a fork it belongs to the parent process."""
        sock, self.sock = self.sock, None
        if sock is not None:
            try:
                socket.close(sock.detach())
            except OSError:
                pass

    def until(self, timeout: float) -> float:
        """The moment until which a step may wait."""
        end = self.clock() + timeout
        return end if self.deadline is None else min(end, self.deadline)


def run(plan: Plan[T], link: Link) -> T:
    """Perform the plan over `link` in the calling thread and give its result, or raise its error."""
    performing = _met(waits(plan, link))
    while True:
        try:
            next(performing)
        except StopIteration as end:
            result: T = end.value
            return result


def _meet(need: Need) -> Any:
    if isinstance(need, (Wait, Board)):
        return _wait(need)
    if isinstance(need, Ask):
        return need.act()
    if isinstance(need, Resolve):
        # As octets: of text Python makes octets by an encoding that takes 6 ms to load. A name is ASCII by now.
        return socket.getaddrinfo(need.host.encode("ascii"), need.port, type=socket.SOCK_STREAM)
    raise TypeError(f"the blocking driver does not know the need {need!r}")


def _wait(need: Wait | Board) -> tuple[socket.socket, ...]:
    """The sockets that are ready; none when the time is up."""
    left = min(max(0.0, need.until - monotonic()), LONGEST_WAIT)
    if hasattr(select, "poll"):
        milliseconds = left * 1000 + (left > 0)  # unlike select(), it has no limit on file descriptors
        return need.polled(milliseconds) if isinstance(need, Board) else _polled(need, milliseconds)
    if not need.reading and not need.writing:
        sleep(left)  # Windows has no select() of nothing
        return ()
    reading, writing, failed = select.select(need.reading, need.writing, need.writing, left)
    return tuple({*reading, *writing, *failed})


def _polled(need: Wait, milliseconds: float) -> tuple[socket.socket, ...]:
    poll = select.poll()
    if len(need.reading) == 1 and not need.writing:  # nearly always
        poll.register(need.reading[0], select.POLLIN)
        return need.reading if poll.poll(milliseconds) else ()
    found = {}
    for sock in need.reading:
        found[sock.fileno()] = (sock, select.POLLIN)
    for sock in need.writing:
        events = found.get(sock.fileno(), (sock, 0))[1]
        found[sock.fileno()] = (sock, events | select.POLLOUT)
    for fd, (_, events) in found.items():
        poll.register(fd, events)
    return tuple([found[fd][0] for fd, _ in poll.poll(milliseconds)])


def waits(plan: Plan[T], link: Link, performers: Mapping[type, Performer] | None = None) -> Waiting[T]:
    """The plan with every step performed except for its needs, which the caller meets."""
    performers = performers or PERFORMERS
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
                kind = type(step)
                if kind is Clock:
                    answer = link.clock()
                else:
                    answer = yield from performers[kind](step, link)
            except Exception as error:
                problem = error
    finally:
        steps.close()


def socket_of(link: Link) -> socket.socket:
    """The socket of a link that has a connection."""
    if link.sock is None:
        raise ConnectionAbortedError("there is no connection")
    return link.sock


def _read(step: Read, link: Link) -> Waiting[bytes]:
    if step.timeout > 0:
        sock, until = socket_of(link), link.until(step.timeout)
        if link.heard:
            acknowledge_at_once(sock)
        if not (yield Wait((sock,), (), until)):
            raise _expired(link, until)
    try:
        return received(link)
    except BlockingIOError:
        raise TimeoutError from None


def received(link: Link) -> bytes:
    """What the kernel has for us. Raises `BlockingIOError` for nothing, and `ConnectionError`."""
    try:
        data = socket_of(link).recv(RECEIVE_SIZE)
    except OSError as problem:
        raise _as_connection_error(problem) from None
    link.heard = True
    return data


def _sent(link: Link, data: bytes | memoryview) -> int:
    try:
        count = socket_of(link).send(data, NO_SIGNAL)
    except OSError as problem:
        raise _as_connection_error(problem) from None
    link.heard = False
    return count


def _as_connection_error(problem: OSError) -> OSError:
    """Whatever ends a connection (no route any more, the kernel's own time-out) is a `ConnectionError` to a plan."""
    if isinstance(problem, (BlockingIOError, ConnectionError)):
        return problem
    return ConnectionResetError(*problem.args)


def _room(link: Link, until: float, listening: bool = False) -> Waiting[None]:
    """Wait until the kernel takes octets again or, if `listening`, has some."""
    sock = socket_of(link)
    acknowledge_at_once(sock)
    if not (yield Wait((sock,) if listening else (), (sock,), until)):
        raise _expired(link, until)


def _expired(link: Link, until: float) -> TimeoutError:
    return DeadlinePassed() if until == link.deadline else TimeoutError()


def acknowledge_at_once(sock: socket.socket) -> None:
    """Ask the kernel to confirm what arrives without its usual wait of up to 40 ms.

    A server that answers many commands in small pieces, and leaves Nagle's algorithm on, sends the second piece only
    when the first was confirmed (RFC 9293 §3.7.4). And what it has not sent when it hangs up on us is lost, its 421
    included. The kernel forgets the wish when octets leave, and a first piece is confirmed with the octets that answer
    it; so it is renewed before each wait for more than that. Linux only.
    """
    if QUICK_ACK is not None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, QUICK_ACK, 1)
        except OSError:
            pass  # no TCP, or it has just ended: whoever reads will see


def _write(step: Write, link: Link) -> Waiting[None]:
    rest, until = memoryview(step.data), link.until(step.timeout)
    while rest:
        try:
            rest = rest[_sent(link, rest) :]
        except BlockingIOError:
            yield from _room(link, until)


def _exchange(step: Exchange, link: Link) -> Waiting[bytes | None]:
    outgoing = step.outgoing
    piece, until = 0, 0.0
    while not outgoing.done:
        if outgoing.pieces != piece:
            piece, until = outgoing.pieces, link.until(step.timeout)
        try:
            return received(link)
        except BlockingIOError:
            pass
        try:
            copied = outgoing.file.copy_to(socket_of(link).fileno()) if outgoing.file is not None else 0
            outgoing.took(copied or _sent(link, outgoing.peek() or b""))
            if not outgoing.done:
                yield TURN
        except BlockingIOError:
            yield from _room(link, until, listening=True)
        except ConnectionError:
            # What the server said before it closed explains more than the broken pipe does.
            try:
                return received(link)
            except OSError:
                pass
            raise
    return None


def _connect(step: Connect, link: Link) -> Waiting[Peer]:
    link.close()
    link.sock, peer = yield from connect(step, link.until(step.timeout), link.clock)
    return peer


def _close(step: Close, link: Link) -> Waiting[None]:
    yield from ()
    link.close(step.how)


def _sleep(step: Sleep, link: Link) -> Waiting[None]:
    yield Wait((), (), link.until(step.seconds))


def _ask(step: Ask, _: Link) -> Waiting[Any]:
    return (yield step)


def _attend(step: Attend, _: Link) -> Waiting[None]:
    yield Ask(step.act)


def _together(step: Together, link: Link) -> Waiting[list[Any]]:
    """Several plans side by side in this thread, each over a link of its own."""
    links = [Link() for _ in step.plans]
    for one in links:
        one.deadline = link.deadline
    try:
        return (yield from _side_by_side(step.plans, links))
    finally:
        for one in links:
            one.close()


def turns(plans: Sequence[Plan[Any]], links: Sequence[Link]) -> Generator[None, None, list[Any]]:
    """Perform plans side by side, each over its link, in the calling thread. Stops before each wait, so that the caller
    can look at what they have done. Returns their results, an exception in place of a result.
    """
    return (yield from _met(_side_by_side(plans, links)))


def _met(waiting: Waiting[T]) -> Generator[None, None, T]:
    """Meet one need after another, with a stop before each."""
    answer: Any = None
    problem: BaseException | None = None
    try:
        while True:
            try:
                need = waiting.send(answer) if problem is None else waiting.throw(problem)
            except StopIteration as end:
                result: T = end.value
                return result
            yield
            answer, problem = None, None
            try:
                answer = _meet(need)
            except Exception as error:
                problem = error
    finally:
        waiting.close()


def _side_by_side(plans: Sequence[Plan[Any]], links: Sequence[Link]) -> Waiting[list[Any]]:
    if len(plans) == 1:
        try:
            return [(yield from waits(plans[0], links[0]))]
        except Exception as problem:
            return [problem]
    running = {i: waits(plan, link) for i, (plan, link) in enumerate(zip(plans, links, strict=True))}
    results: list[Any] = [None] * len(links)
    board = Board()
    answers: dict[int, Any] = dict.fromkeys(running)
    try:
        while running:
            for i, answer in answers.items():
                need = yield from _advance(running, i, answer, results)
                if need is not None:
                    board.put(i, need)
            answers = board.deal((yield board)) if running else {}
        return results
    finally:
        for waiting in running.values():
            waiting.close()


def _advance(running: dict[int, Any], i: int, answer: Any, results: list[Any]) -> Waiting[Wait | Board | None]:
    """Step plan number `i` until it needs to wait, its other needs met; note its result if it ended."""
    try:
        need = running[i].send(answer)
        while not isinstance(need, (Wait, Board)):
            try:
                found = yield need
            except Exception as problem:
                need = running[i].throw(problem)
            else:
                need = running[i].send(found)
    except StopIteration as end:
        results[i] = end.value
    except Exception as error:
        results[i] = error
    else:
        return need
    del running[i]
    return None


#: What performs each step.
PERFORMERS: dict[type, Performer] = {
    Read: _read,
    Write: _write,
    Exchange: _exchange,
    Connect: _connect,
    Close: _close,
    Sleep: _sleep,
    Ask: _ask,
    Attend: _attend,
    Together: _together,
}
