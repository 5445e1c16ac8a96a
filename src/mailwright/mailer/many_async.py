"""`AsyncMailer.send_many`: a batch beside other tasks."""

from __future__ import annotations

from collections import deque

from mailwright.mailer.batch import Batch
from mailwright.mailer.conveying import carry
from mailwright.steps import Ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
    from typing import Any

    from mailwright.mailer.aio import AsyncMailer
    from mailwright.mailer.dispatch import Progress
    from mailwright.mailer.loops import Loop
    from mailwright.mailer.outgoing import Sendable
    from mailwright.words.receipt import Receipt

AHEAD = 64  # messages of an asynchronous source that wait here for a connection


class Inlet:
    """An asynchronous source as an iterator that gives `None` when it has nothing at the moment."""

    def __init__(self, source: AsyncIterable[Sendable], loop: Loop) -> None:
        self._source = aiter(source)
        self._arrived: deque[Sendable] = deque()
        self._bells: list[Any] = []
        self._room = loop.Bell()
        self._loop = loop
        self._ended = False
        self._problem: Exception | None = None

    def __iter__(self) -> Iterator[Sendable | None]:
        while True:
            if self._arrived:
                message = self._arrived.popleft()
                self._room.ring()
                yield message
            elif self._problem is not None:
                raise self._problem
            elif self._ended:
                return
            else:
                yield None

    async def fill(self) -> None:
        """A plan: fetch messages as long as there is room."""
        try:
            while True:
                while len(self._arrived) >= AHEAD:
                    await Ask(self._room.heard)
                self._arrived.append(await Ask(self._source.__anext__))
                self._tell()
        except StopAsyncIteration:
            self._ended = True
        except Exception as problem:
            self._problem = problem
        self._tell()

    def _tell(self) -> None:
        for bell in self._bells:
            bell.ring()

    def arrival(self) -> Callable[[], Any]:
        """What waits for a message or for the end."""
        bell = self._loop.Bell()
        self._bells.append(bell)

        async def arrived() -> None:
            if not (self._arrived or self._ended or self._problem):
                await bell.heard()

        return arrived


async def send_many(
    mailer: AsyncMailer,
    messages: Iterable[Sendable] | AsyncIterable[Sendable],
    ordered: bool,
    progress: Callable[[Progress], object] | None,
) -> AsyncIterator[Receipt]:
    """See `AsyncMailer.send_many`."""
    counter = mailer.counter()
    loop = counter.loop
    bell = loop.Bell()
    source: Iterable[Sendable | None]
    if hasattr(messages, "__aiter__"):
        source = inlet = Inlet(messages, loop)  # type: ignore[arg-type]
    else:
        source, inlet = messages, None
    errands = []
    finished = False
    batch: Batch | None = None
    try:
        if inlet is not None:
            errands.append(loop.Errand(inlet.fill(), loop.Link(), bell.ring))
        batch = Batch(source, mailer.server, mailer.limits, mailer.sender, ordered, bell.ring)
        dispatch = batch.dispatch
        for lease in await counter.leases(batch.server, batch.connections):
            lane = batch.lane(lease)
            arrival = inlet.arrival() if inlet is not None else None
            errands.append(loop.Errand(carry(lane, arrival, mailer.limits.idle), lease.link, bell.ring))
        while True:
            ended = all(errand.ended for errand in errands)
            if dispatch.ready and progress is not None:
                progress(dispatch.progress)
            while dispatch.ready:
                yield dispatch.ready.popleft()
            if ended:
                break
            await bell.heard()
        finished = True
    finally:
        for errand in errands:
            await errand.stop()
        if batch is not None:
            await counter.give_back_all(batch.leave(finished), lock_step=batch.dispatch.lock_step)
    for errand in errands:
        errand.result()
    problem = dispatch.finish()
    if progress is not None:
        progress(dispatch.progress)
    for receipt in dispatch.ready:
        yield receipt
    if problem is not None:
        raise problem
