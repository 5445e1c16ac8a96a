"""Many callers, one commit: whoever comes first writes for all who wait, and each returns only after that commit.

A commit on the disk costs more than the rows in it. There is no thread of its own: the first caller leads, the others
wait, and when it is done it hands the lead to the first of those who came meanwhile.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from contextlib import suppress
from copy import copy
from itertools import islice
from time import sleep

from mailwright.outbox.asking import conduct
from mailwright.outbox.database import CommitUnknown
from mailwright.outbox.putting import put, put_again, written
from mailwright.outbox.staging import drop_staged, is_staged, put_long
from mailwright.outbox.store import HEAD
from mailwright.words.errors import OutboxUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailwright.outbox.database import Database
    from mailwright.outbox.rows import Draft

MOST = 256  # messages of one commit
OCTETS = 4 << 20  # of their contents

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
    """A caller that waits: its turn comes with an answer, or with the lead."""

    __slots__ = ("answer", "draft", "leads", "turn")

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.answer: Answer | None = None
        self.leads = False
        self.turn = allocate_lock()
        self.turn.acquire()


class Group:
    """The callers of one outbox in one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = allocate_lock()
        self._waiting: list[_Ticket] = []
        self._led = False

    def put(self, draft: Draft) -> bytes:
        """Write the draft, perhaps with others, and give the id. Raises what its own writing raised."""
        if self._process != os.getpid():
            self._begin()  # the threads that waited stayed in the parent
        if draft.content.size > HEAD:
            return written(self._long(draft))  # nobody should wait for a long one
        ticket = _Ticket(draft)
        try:
            self._take_turn(ticket)
        except BaseException:  # Ctrl-C: the others must not wait for whoever is gone
            with self._lock:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
                if ticket.leads:
                    self._hand_over(ticket)
            raise
        if ticket.answer is _INTERRUPTED:
            return written(self._database.write(lambda: put_again(self._database.store, [draft]))[0])
        assert ticket.answer is not None
        return written(ticket.answer)

    def _take_turn(self, ticket: _Ticket) -> None:
        with self._lock:
            self._waiting.append(ticket)
            ticket.leads = not self._led
            self._led = True
        if not ticket.leads:
            ticket.turn.acquire()
        if ticket.answer is None:
            self._lead(ticket)

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
        with self._lock:
            batch = self._waiting[: first_of(ticket.draft for ticket in self._waiting)]
            del self._waiting[: len(batch)]
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
        """Hand over the lead, so that the next batch is on its way, and then tell everybody."""
        with self._lock:
            if leader.leads:
                self._hand_over(leader)
        for ticket, answer in zip(batch, answers, strict=True):
            if ticket.answer is None:
                ticket.answer = answer
                ticket.turn.release()

    def _hand_over(self, leader: _Ticket) -> None:
        """Give the lead to the first who waits; the lock is held."""
        leader.leads = False
        self._led = bool(self._waiting)
        if self._waiting:
            self._waiting[0].leads = True
            self._waiting[0].turn.release()

    def _write(self, drafts: Sequence[Draft]) -> Sequence[Answer]:
        """One answer for each draft. What is wrong with one of them must not be the others' loss."""
        try:
            return self._all(drafts)
        except OutboxUnavailable as problem:
            return each_its_own(problem, len(drafts))
        except Exception as problem:
            if len(drafts) == 1:
                return [problem]
            return [self._write([draft])[0] for draft in drafts]
