"""From the listener's event loop into the store: what arrives on several connections at once is committed at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mailwright.inbox.database import StoreError, StoreFull
from mailwright.words.reply import Reply

if TYPE_CHECKING:
    from mailwright.inbox.store import Store
    from mailwright.smtp.receiving.received import Received
    from mailwright.smtp.receiving.visit import Decision

_NO_ROOM = Reply(452, ("4.3.1 There is no room for the message; try again later",))


_REST = 0.5  # seconds until the store is tidied


class Intake:
    """Keeps messages in `store`. A message was committed when what `keep` gives is done, together with those that came
    at the same time. `problem` is what kept the last one out that was not kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tidying = False
        self._coming: list[tuple[Received, asyncio.Future[Decision], Decision]] = []
        self.problem: Exception | None = None

    def keep(self, received: Received, decision: Decision) -> asyncio.Future[Decision]:
        """Keep a message; gives `decision` then, or the reply that refuses it if there is no room."""
        loop = asyncio.get_running_loop()
        kept: asyncio.Future[Decision] = loop.create_future()
        self._coming.append((received, kept, decision))
        if len(self._coming) == 1:
            loop.call_soon(self._gather, 1)
        return kept

    def _gather(self, seen: int) -> None:
        """Where several come at once, others are waited for as long as each turn of the loop brings more: a commit is
        work, however few are in it.
        """
        if len(self._coming) > seen:
            asyncio.get_running_loop().call_soon(self._gather, len(self._coming))
        else:
            self._commit()

    def _commit(self) -> None:
        coming, self._coming = self._coming, []
        try:
            self._store.lay([received for received, _, _ in coming])
        except Exception as problem:
            self.problem = problem
            if len(coming) == 1:
                _fail(coming[0][1], problem)
            else:  # one that can't be kept must not keep the others out
                for one in coming:
                    self._coming = [one]
                    self._commit()
            return
        for _, kept, decision in coming:
            if not kept.cancelled():  # its connection was closed while it waited
                kept.set_result(decision)
        # First the senders hear that their mail was taken, so that what was said is whole when somebody looks.
        loop = asyncio.get_running_loop()
        loop.call_soon(self._store.tell)
        if not self._tidying:
            self._tidying = True
            loop.call_later(_REST, self._tidy)

    def _tidy(self) -> None:
        """In a pause what came is taken over into the list, as somebody who looks would have it done."""
        self._tidying = False
        try:
            self._store.settle()
        except StoreError as problem:
            self.problem = problem


def _fail(kept: asyncio.Future[Decision], problem: Exception) -> None:
    if kept.cancelled():
        return
    if isinstance(problem, StoreFull):
        kept.set_result(_NO_ROOM)
    else:
        kept.set_exception(problem)
