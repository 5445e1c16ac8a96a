"""Much that is put at once: what SQLite does after a commit is done beside what the caller does next."""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable
    from types import TracebackType
    from typing import TypeVar

    from mailwright.outbox.sqlite.engine import SqliteDatabase
    from mailwright.steps import Plan

    T = TypeVar("T")


class Loading:
    """The file for one caller with many large transactions. Each is durable when `write` returns; only to bring the log
    into the file is left to a thread, while the caller makes the next one ready. That one waits for the thread, so that
    the log becomes no longer than it does otherwise.

    Used with ``with``, at whose end the thread is done.
    """

    def __init__(self, database: SqliteDatabase) -> None:
        self.store = database.store
        self.read = database.read
        self._database = database
        self._done = allocate_lock()  # held for the thread

    def write(self, make: Callable[[], Plan[T]]) -> T:
        """One durable transaction, see `SqliteDatabase.write`."""
        self._wait()
        result = self._database.write_log(make)
        done = allocate_lock()
        done.acquire()
        try:
            start_new_thread(self._bring_in, (done,))
        except RuntimeError:  # there is no room for a thread, or Python is about to end
            self._bring_in(done)
        self._done = done
        return result

    def _bring_in(self, done: LockType) -> None:
        try:
            self._database.bring_in()
        finally:
            done.release()

    def _wait(self) -> None:
        with self._done:
            pass

    def __enter__(self) -> Loading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, where: TracebackType | None
    ) -> None:
        self._wait()
