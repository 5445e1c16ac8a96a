"""`Mailer.send_many`: a batch in the calling thread."""

from __future__ import annotations

from mailwright.drivers.sync import turns
from mailwright.mailer.batch import Batch
from mailwright.mailer.conveying import carry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mailwright.mailer.dispatch import Progress
    from mailwright.mailer.outgoing import Sendable
    from mailwright.mailer.sync import Mailer
    from mailwright.words.receipt import Receipt


def send_many(
    mailer: Mailer, messages: Iterable[Sendable], ordered: bool, progress: Callable[[Progress], object] | None
) -> Iterator[Receipt]:
    """See `Mailer.send_many`."""
    batch = Batch(messages, mailer.server, mailer.limits, mailer.sender, ordered)
    if not batch.connections:
        return
    dispatch, ready = batch.dispatch, batch.dispatch.ready
    finished = False
    leases = mailer.leases(batch.server, batch.connections)
    try:
        lanes = [batch.lane(lease) for lease in leases]
        for _ in turns([carry(lane) for lane in lanes], [lease.link for lease in leases]):
            if ready:
                if progress is not None:
                    progress(dispatch.progress)
                while ready:
                    yield ready.popleft()
        finished = True
    finally:
        mailer.give_back(batch.leave(finished), lock_step=dispatch.lock_step)
    problem = dispatch.finish()
    if progress is not None:
        progress(dispatch.progress)
    yield from ready
    if problem is not None:
        raise problem
