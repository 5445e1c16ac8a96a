"""Many tasks, one commit: the drafts that came while a transaction was on its way are written by the next one.

What `mailwright.outbox.grouping` is for threads. A database that groups commits itself is asked the same way: one
transaction for many puts is less work for it too.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from mailwright.outbox.asking import conduct_async
from mailwright.outbox.database import CommitUnknown
from mailwright.outbox.grouping import each_its_own, first_of
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
        self._writing: asyncio.Task[None] | None = None

    async def put(self, draft: Draft) -> bytes:
        """Write the draft, perhaps with others, and give the id. Raises what its own writing raised."""
        if draft.content.size > HEAD:
            return written(await self._long(draft))
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((draft, answer))
        if self._writing is None:
            self._writing = asyncio.create_task(self._go_round())
        return written(await answer)

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
                for (_, waits), answer in zip(batch, answers, strict=True):
                    if not waits.done():
                        waits.set_result(answer)
        finally:
            self._writing = None

    async def _write(self, drafts: Sequence[Draft]) -> Sequence[Answer]:
        """One answer for each draft. What is wrong with one of them must not be the others' loss."""
        try:
            return await self._all(drafts)
        except OutboxUnavailable as problem:
            return each_its_own(problem, len(drafts))
        except Exception as problem:
            if len(drafts) == 1:
                return [problem]
            return [(await self._write([draft]))[0] for draft in drafts]
