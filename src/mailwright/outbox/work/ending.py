"""How a worker ends: what is under way is finished, as long as there is patience, and what is known is written."""

from __future__ import annotations

import asyncio

from mailwright.words.receipt import Outcome, Receipt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mailwright.outbox.work.carrying import Consignment
    from mailwright.outbox.work.office import Office
    from mailwright.outbox.work.settling import Hands

ONCE_MORE = 1.0  # seconds for what is in doubt to be recorded, when there is no patience left


async def finish(
    offices: Collection[Office], posts: Sequence[asyncio.Task[None]], hands: Hands, grace: float, hurry: asyncio.Event
) -> None:
    """Wait for what is under way for `grace` seconds, cut off the rest, and wait for results to be written; neither
    once `hurry` is set.
    """
    hurried = asyncio.ensure_future(hurry.wait())
    try:
        sent = asyncio.gather(*posts, return_exceptions=True)
        await asyncio.wait((sent, hurried), timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        await _cut_off(offices, posts)
        written = asyncio.ensure_future(hands.all_written())
        await asyncio.wait((written, hurried), timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        if not written.done() and hurried.done():
            await asyncio.wait((written,), timeout=ONCE_MORE)
        written.cancel()
        await asyncio.wait((written,))
    finally:
        hurried.cancel()
        await asyncio.wait((hurried,))


async def _cut_off(offices: Collection[Office], posts: Sequence[asyncio.Task[None]]) -> None:
    """End what is still under way. What left whole may have been accepted: that is how it is recorded."""
    for office in offices:
        doubtful, untouched = office.post.begun()
        for one in doubtful:
            office.settle(one, _in_doubt(one))
        for one in untouched:
            office.give_back(one)
    for task in posts:
        task.cancel()
    if posts:
        await asyncio.wait(posts)


def _in_doubt(one: Consignment) -> Receipt:
    assert one.mail is not None  # it was begun
    recipients = one.mail.envelope.recipients
    return Receipt(tuple([Outcome(recipient, "in doubt") for recipient in recipients]), "", 0, one.mail.message_id)
