"""Many tasks, one commit: the drafts that came while transactions were on their way are written by the next one.

What `mailwright.outbox.grouping` is for threads. A database that groups commits itself is asked the same way: one
transaction for many puts is less work for it too.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from mailwright.outbox.asking import conduct_async
from mailwright.outbox.database import CommitUnknown, is_refusal
from mailwright.outbox.grouping import LONG_WAIT, each_its_own, first_of
from mailwright.outbox.putting import put, put_again, written
from mailwright.outbox.staging import drop_staged, is_staged, put_long
from mailwright.outbox.store import HEAD
from mailwright.words.errors import OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailwright.outbox.database import AsyncDatabase
    from mailwright.outbox.grouping import Answer
    from mailwright.outbox.rows import Draft


class Rounds:
    """The tasks that put into one outbox."""

    def __init__(self, database: AsyncDatabase) -> None:
        self._database = database
        self._waiting: list[tuple[Draft, asyncio.Future[Answer]]] = []
        self._writing: set[asyncio.Task[None]] = set()
        self._done = 0  # rounds so far
        self._look: asyncio.TimerHandle | None = None

    async def put(self, draft: Draft) -> bytes:
        """Write the draft, perhaps with others, and give the id. Raises what its own writing raised."""
        if draft.content.size > HEAD:
            return written(await self._long(draft))
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((draft, answer))
        if not self._writing:
            self._writing.add(asyncio.create_task(self._go_round()))
        elif self._look is None and self._database.store.writers > 1:
            self._look_later()
        return written(await answer)

    def _look_later(self) -> None:
        self._look = asyncio.get_running_loop().call_later(LONG_WAIT, self._write_beside, self._done)

    def _write_beside(self, done: int) -> None:
        """Where no round has come to its end since: whoever writes may wait for somebody's transaction."""
        self._look = None
        if self._waiting:
            if done == self._done and len(self._writing) < self._database.store.writers:
                self._writing.add(asyncio.create_task(self._go_round()))
            self._look_later()

    async def put_all(self, drafts: Sequence[Draft]) -> Sequence[Answer]:
        """Write a whole batch in a commit of its own; a long one of them in its own way. Gives an answer for each."""
        short = [draft for draft in drafts if not is_staged(self._database.store, draft)]
        if len(short) == len(drafts):
            return await self._all(drafts)
        answers = iter(await self._all(short) if short else ())
        return [await self._long(one) if is_staged(self._database.store, one) else next(answers) for one in drafts]

    async def _all(self, drafts: Sequence[Draft]) -> Sequence[Answer]:
        database = self._database
        try:
            return await database.write(lambda: put(database.store, drafts))
        except CommitUnknown:
            return await database.write(lambda: put_again(database.store, drafts))

    async def _long(self, draft: Draft) -> Answer:
        database = self._database
        if not is_staged(database.store, draft):
            return (await self._write([draft]))[0]
        try:
            return await conduct_async(put_long(database.store, draft), database, asyncio.sleep)
        except BaseException:
            with suppress(OutboxUnavailable):  # else `prune` does it
                await conduct_async(drop_staged(database.store, draft.id), database, asyncio.sleep)
            raise

    async def _go_round(self) -> None:
        """Write until nobody waits. A task of its own: a caller that is cancelled takes nobody with it."""
        try:
            while self._waiting:
                count = first_of(draft for draft, _ in self._waiting)
                batch, self._waiting = self._waiting[:count], self._waiting[count:]
                answers: Sequence[Answer]
                try:
                    answers = await self._write([draft for draft, _ in batch])
                except asyncio.CancelledError:  # the loop is ending
                    for _, waits in batch:
                        waits.cancel()
                    raise
                self._done += 1
                for (_, waits), answer in zip(batch, answers, strict=True):
                    if not waits.done():
                        waits.set_result(answer)
        finally:
            self._writing.discard(asyncio.current_task())

    async def _write(self, drafts: Sequence[Draft]) -> Sequence[Answer]:
        """One answer for each draft. What is wrong with one of them must not be the others' loss."""
        try:
            return await self._all(drafts)
        except Exception as problem:
            if isinstance(problem, OutboxUnavailable) and not is_refusal(problem):
                return each_its_own(problem, len(drafts))
            if len(drafts) == 1:
                return [problem]
            return [(await self._write([draft]))[0] for draft in drafts]
