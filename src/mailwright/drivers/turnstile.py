"""One thread at a time, and a place to wait until another lets one through."""

from __future__ import annotations

from _thread import TIMEOUT_MAX, allocate_lock
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable


class Turnstile:
    """What `threading.Condition` is, for programs with one thread too: its module takes 2 ms to load.

    Inside a ``with`` block nobody else is. `wait_for` and the rest are called there.
    """

    __slots__ = ("_lock", "_waiters")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._waiters: list[LockType] = []  # a lock for each who waits, which is released to wake him

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait_for(self, true: Callable[[], bool], seconds: float | None) -> bool:
        """Wait until `true()`, for `seconds` at most; others may enter meanwhile. Gives what it was at the end."""
        until = None if seconds is None else monotonic() + seconds
        while not (found := true()):
            left = -1.0 if until is None else min(until - monotonic(), TIMEOUT_MAX)
            if until is not None and left <= 0:
                break
            self._wait(left)
        return found

    def _wait(self, seconds: float) -> None:
        bell = allocate_lock()
        bell.acquire()
        self._waiters.append(bell)
        self._lock.release()
        try:
            bell.acquire(True, seconds)
        finally:
            self._lock.acquire()
            if bell in self._waiters:
                self._waiters.remove(bell)

    def notify(self) -> None:
        """Wake the one who has waited longest."""
        if self._waiters:
            self._waiters.pop(0).release()

    def notify_all(self) -> None:
        """Wake everybody."""
        while self._waiters:
            self.notify()
