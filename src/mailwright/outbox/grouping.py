"""Many callers, one commit: the first who waits writes for all who do, and each returns only after that commit.

A commit costs more than the rows in it. There is no thread of its own and no waiting for company: who comes while
nobody writes does so at once, the others wait, and whoever is done lets the first of them write for all who came.
Where several can write at the same time (`Store.writers`), who has waited long does so beside the others: on PostgreSQL
a put waits for the end of a transaction that has put the same key.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from contextlib import suppress
from copy import copy
from itertools import islice
from time import sleep

from mailwright.outbox.asking import conduct
from mailwright.outbox.database import CommitUnknown, is_refusal
from mailwright.outbox.putting import put, put_again, written
from mailwright.outbox.staging import drop_staged, is_staged, put_long
from mailwright.outbox.store import HEAD
from mailwright.words.errors import OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailwright.outbox.database import Writable
    from mailwright.outbox.rows import Draft

MOST = 256  # messages of one commit
OCTETS = 4 << 20  # of their contents
LONG_WAIT = 0.02  # seconds; many times what a commit usually takes

Answer = bytes | BaseException

_INTERRUPTED = KeyboardInterrupt()  # the answer where Ctrl-C met whoever wrote: look whether it is there


def first_of(waiting: Iterable[Draft]) -> int:
    """How many of those who wait are written by one commit."""
    octets = count = 0
    for draft in islice(waiting, MOST):
        octets += draft.content.size
        if count and octets > OCTETS:
            break
        count += 1
    return count


def each_its_own(problem: OutboxUnavailable, count: int) -> list[BaseException]:
    """The same error for each of so many callers: one that several threads raise would have all their traces."""
    made: list[BaseException] = [problem]
    for _ in range(count - 1):
        made.append(copy(problem))
        made[-1].__cause__ = problem.__cause__
    return made


class _Ticket:
    """A caller that waits: its turn comes with an answer, or with a batch that it is to write, its own draft first."""

    __slots__ = ("answer", "batch", "draft", "turn")

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.answer: Answer | None = None
        self.batch: Sequence[_Ticket] = ()
        self.turn = allocate_lock()
        self.turn.acquire()


class Group:
    """The callers of one outbox in one process."""

    def __init__(self, database: Writable) -> None:
        self._database = database
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = allocate_lock()
        self._waiting: list[_Ticket] = []
        self._writing = 0  # callers that write now, each for a batch of its own

    def put(self, draft: Draft) -> bytes:
        """Write the draft, perhaps with others, and give the id. Raises what its own writing raised."""
        if self._process != os.getpid():
            self._begin()  # the threads that waited stayed in the parent
        if draft.content.size > HEAD:
            return written(self._long(draft))  # nobody should wait for a long one
        ticket = _Ticket(draft)
        try:
            with self._lock:
                if not self._writing:
                    self._writing = 1
                    ticket.batch = (ticket,)
                    ticket.turn.release()
                else:
                    self._waiting.append(ticket)
            while not ticket.turn.acquire(timeout=LONG_WAIT if self._database.store.writers > 1 else -1):
                self._write_beside()
            if ticket.batch:
                self._lead(ticket)
        except BaseException:  # Ctrl-C: the others must not wait for whoever is gone
            self._leave(ticket)
            raise
        if ticket.answer is _INTERRUPTED:
            return written(self._database.write(lambda: put_again(self._database.store, [draft]))[0])
        assert ticket.answer is not None
        return written(ticket.answer)

    def _write_beside(self) -> None:
        """Whoever writes takes long, perhaps because it waits for somebody's transaction: others need not."""
        with self._lock:
            if self._waiting and self._writing < self._database.store.writers:
                self._writing += 1
                self._pass_on()

    def _leave(self, ticket: _Ticket) -> None:
        """Whoever waited is gone; if it was to write, the next one does."""
        with self._lock:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            if ticket.batch:
                self._waiting[:0] = [one for one in ticket.batch[1:] if one not in self._waiting]
                ticket.batch = ()
                self._pass_on()

    def put_all(self, drafts: Sequence[Draft]) -> Sequence[Answer]:
        """Write a whole batch in a commit of its own; a long one of them in its own way. Gives an answer for each."""
        short = [draft for draft in drafts if not is_staged(self._database.store, draft)]
        if len(short) == len(drafts):
            return self._all(drafts)
        answers = iter(self._all(short) if short else ())
        return [self._long(one) if is_staged(self._database.store, one) else next(answers) for one in drafts]

    def _all(self, drafts: Sequence[Draft]) -> Sequence[Answer]:
        database = self._database
        try:
            return database.write(lambda: put(database.store, drafts))
        except CommitUnknown:
            return database.write(lambda: put_again(database.store, drafts))

    def _long(self, draft: Draft) -> Answer:
        database = self._database
        if not is_staged(database.store, draft):
            return self._write([draft])[0]
        try:
            return conduct(put_long(database.store, draft), database, sleep)
        except BaseException:
            with suppress(OutboxUnavailable):  # else `prune` does it
                conduct(drop_staged(database.store, draft.id), database, sleep)
            raise

    def _lead(self, leader: _Ticket) -> None:
        """Write the batch that the leader is the first of."""
        with self._lock:  # whoever came until this moment goes along
            here = [leader, *self._waiting]
            leader.batch = batch = here[: first_of(ticket.draft for ticket in here)]
            del self._waiting[: len(batch) - 1]
        answers: Sequence[Answer] = [_INTERRUPTED] * len(batch)
        try:
            answers = self._write([ticket.draft for ticket in batch])
        finally:
            try:
                self._answer(leader, batch, answers)
            except BaseException:  # Ctrl-C once more; what was done before is skipped now
                self._answer(leader, batch, answers)
                raise

    def _answer(self, leader: _Ticket, batch: Sequence[_Ticket], answers: Sequence[Answer]) -> None:
        """Let the next batch be on its way, and then tell everybody."""
        with self._lock:
            if leader.batch:
                leader.batch = ()
                self._pass_on()
        for ticket, answer in zip(batch, answers, strict=True):
            if ticket.answer is None:
                ticket.answer = answer
                ticket.turn.release()

    def _pass_on(self) -> None:
        """Whoever wrote has done so: the first who waits writes next. The lock is held."""
        if not self._waiting:
            self._writing -= 1
            return
        first = self._waiting.pop(0)
        first.batch = (first,)
        first.turn.release()

    def _write(self, drafts: Sequence[Draft]) -> Sequence[Answer]:
        """One answer for each draft. What is wrong with one of them must not be the others' loss."""
        try:
            return self._all(drafts)
        except Exception as problem:
            if isinstance(problem, OutboxUnavailable) and not is_refusal(problem):
                return each_its_own(problem, len(drafts))
            if len(drafts) == 1:
                return [problem]
            return [self._write([draft])[0] for draft in drafts]
