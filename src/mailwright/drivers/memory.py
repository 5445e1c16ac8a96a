"""The memory driver: plans joined to each other without a network, with a clock that jumps instead of
waiting.

Everything is deterministic, so a conversation that fails once fails always. `converse` runs plans against
each other; TLS between them is real. `segment` cuts what is written into pieces of that many octets: 1
delivers byte by byte.
"""

from __future__ import annotations

from collections import deque

from mailwright.drivers.conduct import Secured, conducted
from mailwright.steps import Ask, Attend, Clock, Close, Connect, Exchange, Peer, Read, Sleep, Together, Write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, Literal

    from mailwright.steps import Plan, Step

ROUNDS_LIMIT = 1_000_000  # turns of one conversation: two plans that only talk in circles are a defect


class Time:
    """The clock of a conversation, in seconds."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Pipe:
    """Octets on their way in one direction; holds at most `capacity`, as a socket's buffers do."""

    __slots__ = ("broken", "capacity", "ended", "pieces", "segment", "size", "torn")

    def __init__(self, segment: int = 0, capacity: int = 1 << 20) -> None:
        self.segment, self.capacity = segment, capacity
        self.pieces: deque[bytes] = deque()
        self.size = 0
        self.ended = False
        self.broken = False
        self.torn = False  # reset: what was on its way is lost

    def put(self, data: bytes | memoryview) -> int:
        """Take what fits and say how much that was."""
        data = bytes(data[: max(0, self.capacity - self.size)])
        step = self.segment or len(data) or 1
        self.pieces += [data[i : i + step] for i in range(0, len(data), step)]
        self.size += len(data)
        return len(data)

    def get(self) -> bytes:
        """The next piece."""
        piece = self.pieces.popleft()
        self.size -= len(piece)
        return piece


class Link:
    """One end of a connection in memory. `refusal` is what `Connect` raises, if it should fail."""

    __slots__ = ("incoming", "outgoing", "refusal", "secured", "time")

    def __init__(self, incoming: Pipe, outgoing: Pipe, time: Time) -> None:
        self.incoming, self.outgoing, self.time = incoming, outgoing, time
        self.secured = Secured()
        self.refusal: Exception | None = None

    def close(self, how: Literal["close", "end", "reset"] = "close") -> None:
        """Say no more and, unless only this is the `end`, listen no more."""
        self.outgoing.ended = True
        if how == "reset" and not self.incoming.broken:
            self.outgoing.torn = self.incoming.torn = True
        if how != "end":
            self.incoming.broken = True


def pair(time: Time, segment: int = 0, capacity: int = 1 << 20) -> tuple[Link, Link]:
    """Both ends of a new connection."""
    there, back = Pipe(segment, capacity), Pipe(segment, capacity)
    return Link(back, there, time), Link(there, back, time)


class _Runner:
    """One plan on its way: what it waits for and until when."""

    def __init__(self, plan: Plan[Any], link: Link) -> None:
        self.link = link
        self.result: Any = None
        self.ended = False
        self.until: float | None = None
        self._performing: Generator[float, None, Any] | None = None
        self._steps = conducted(plan, link.secured)
        self._next: Any = lambda: self._steps.send(None)

    def turn(self) -> bool:
        """Go on as far as possible; true if anything moved."""
        moved = False
        while not self.ended:
            if self._performing is None:
                try:
                    step = self._next()
                except StopIteration as end:
                    self._finish(end.value)
                    return True
                except Exception as error:
                    self._finish(error)
                    return True
                self._performing = _perform(step, self.link)
                moved = True
            try:
                self.until = next(self._performing)
                return moved
            except StopIteration as end:
                self._next = lambda answer=end.value: self._steps.send(answer)
            except Exception as error:
                self._next = lambda problem=error: self._steps.throw(problem)
            self._performing, self.until, moved = None, None, True
        return moved

    def _finish(self, result: Any) -> None:
        self.result, self.ended, self.until = result, True, None
        self.link.close()

    def stop(self) -> None:
        """End a plan that is not finished."""
        self._steps.close()


def converse(*sides: tuple[Plan[Any], Link], time: Time) -> list[Any]:
    """Run plans until each has ended; gives their results, an exception in place of a result.

    When nobody can go on, the clock jumps to the moment at which the first of them has waited long enough.
    """
    runners = [_Runner(plan, link) for plan, link in sides]
    try:
        for _ in range(ROUNDS_LIMIT):
            if all(runner.ended for runner in runners):
                return [runner.result for runner in runners]
            if not sum(runner.turn() for runner in runners):
                time.now = max(time.now, min(r.until for r in runners if r.until is not None))
        raise RuntimeError(f"the conversation did not end within {ROUNDS_LIMIT} turns")
    finally:
        for runner in runners:
            runner.stop()


def alone(plan: Plan[Any], link: Link) -> Any:
    """Run one plan whose other side is already filled in; gives its result or raises its error."""
    (result,) = converse((plan, link), time=link.time)
    if isinstance(result, Exception):
        raise result
    return result


def _perform(step: Step[Any], link: Link) -> Generator[float, None, Any]:
    """One primitive step; yields the time until which it waits, as long as it must."""
    now = link.time.now
    if isinstance(step, Read):
        return (yield from _read(link, now + step.timeout))
    if isinstance(step, Write):
        return (yield from _write(link, memoryview(step.data), step.timeout))
    if isinstance(step, Exchange):
        return (yield from _exchange(link, step))
    if isinstance(step, Clock):
        return now
    if isinstance(step, Sleep):
        while link.time.now < now + step.seconds:
            yield now + step.seconds
        return None
    if isinstance(step, Close):
        return link.close(step.how)
    if isinstance(step, Connect):
        if link.refusal is not None:
            raise link.refusal
        return Peer("127.0.0.1", "127.0.0.1")
    if isinstance(step, (Ask, Attend)):
        answer = step.act()
        return answer if isinstance(step, Ask) else None
    if isinstance(step, Together):
        return _together(step, link)
    raise TypeError(f"the memory driver does not know the step {step!r}")


def _read(link: Link, until: float) -> Generator[float, None, bytes]:
    while link.incoming.torn or not link.incoming.pieces:
        if link.incoming.torn:
            raise ConnectionResetError("the other side reset the connection")
        if link.incoming.broken and link.incoming.ended is False:
            raise ConnectionAbortedError("there is no connection")
        if link.incoming.ended:
            return b""
        if link.time.now >= until:
            raise TimeoutError
        yield until
    return link.incoming.get()


def _write(link: Link, rest: memoryview, timeout: float) -> Generator[float, None, None]:
    until = link.time.now + timeout
    while rest:
        if link.outgoing.broken or link.outgoing.ended or link.outgoing.torn:
            raise BrokenPipeError("the other side closed")
        taken = link.outgoing.put(rest)
        rest = rest[taken:]
        if not taken:
            if link.time.now >= until:
                raise TimeoutError
            yield until


def _exchange(link: Link, step: Exchange) -> Generator[float, None, bytes | None]:
    piece, until = 0, 0.0
    while (rest := step.outgoing.peek()) is not None:
        if step.outgoing.pieces != piece:
            piece, until = step.outgoing.pieces, link.time.now + step.timeout
        if link.incoming.pieces and not link.incoming.torn:
            return link.incoming.get()
        if link.incoming.ended and not link.incoming.torn:
            return b""
        if link.outgoing.broken or link.outgoing.ended or link.outgoing.torn:
            raise BrokenPipeError("the other side closed")
        taken = link.outgoing.put(rest)
        step.outgoing.took(taken)
        if not taken:
            if link.time.now >= until:
                raise TimeoutError
            yield until
    return None


def _together(step: Together, link: Link) -> list[Any]:
    # Each plan's link leads nowhere unless the test gave it one: what matters here is that they run side by
    # side.
    return converse(*((plan, pair(link.time)[0]) for plan in step.plans), time=link.time)
