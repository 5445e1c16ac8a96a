"""What the routes work with: the messages, the faults, and the two doors to other servers, each closed by default."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from secrets import compare_digest, token_urlsafe
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING

from mailwright.words.errors import ConfigError, MailError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from mailwright.inbox.faults import Faults
    from mailwright.inbox.kept import Row
    from mailwright.inbox.store import Store
    from mailwright.inbox.web.release import Release
    from mailwright.inbox.web.spamd import Spamd, Verdict
    from mailwright.words.receipt import Receipt
    from mailwright.words.server import Server


OUTSIDE = 4  # releases and questions to spamd at once
LARGE = 1 << 20  # octets of a message of which one at a time is laid open: if it is all parts, that takes 20 times more


class Resources:
    """What `Site` was given; all but the `store` may be missing.

    `csrf`: what a form of ours carries, so that no other page can make one (a new one for each server).
    """

    def __init__(
        self,
        store: Store,
        faults: Faults | None,
        release: Release | None,
        spamd: Spamd | None,
        smtp: Server | None,
        smtp_url: str,
    ) -> None:
        self.store = store
        self.faults = faults
        self.release = release
        self.spamd = spamd
        self.smtp = smtp
        self.smtp_url = smtp_url
        self.csrf = token_urlsafe(24)
        self._large = Lock()
        self._outside = BoundedSemaphore(OUTSIDE)

    def opening(self, size: int) -> AbstractContextManager[object]:
        """To be held while a message of this size is in memory as a whole."""
        return self._large if size > LARGE else nullcontext()

    def is_ours(self, token: str) -> bool:
        """Whether a form carries the right token; takes the same time wherever a wrong one differs."""
        return compare_digest(token.encode("utf-8", "replace"), self.csrf.encode("ascii"))

    def verdict(self, row: Row) -> Verdict:
        """What SpamAssassin thinks of a message. Blocks. Raises `SpamdError`, and `ConfigError` when it is off."""
        if self.spamd is None:
            raise ConfigError("SpamAssassin is not asked here.", "Start the inbox with --spamd.")
        with self._going_out():
            return self.spamd.verdict(self.store.chunks(row.id), row.size)

    def released(self, id: int, to: Iterable[str]) -> Receipt:
        """Really send a message to these, or to all it was meant for. Blocks. Raises `MailError`."""
        if self.release is None:
            raise ConfigError("Nothing is released here.", "Start the inbox with --release-to and who may get mail.")
        received = self.store.received(id)
        if received is None:
            raise ConfigError(f"There is no message {id}.")
        with self._going_out():
            return self.release.send(received, to)

    @contextmanager
    def _going_out(self) -> Iterator[None]:
        """To be held while another server is talked to, which may take its time: it must not take all threads."""
        if not self._outside.acquire(blocking=False):
            raise ConfigError(f"{OUTSIDE} others talk to other servers already.", "Try again in a moment.")
        try:
            yield
        finally:
            self._outside.release()

    def faults_told(self) -> list[str]:
        """What is broken, each as the command line has it. Raises `ConfigError` where there is no server."""
        from mailwright.inbox.faults import written

        return [written(armed.fault) for armed in self._playing().active]

    def play(self, asked: Iterable[str]) -> None:
        """Break these things and nothing else; nothing at all if none is named. Raises `MailError`."""
        from mailwright.inbox.faults import parse

        faults = self._playing()
        try:
            found = [parse(text) for text in asked]
        except ConfigError as problem:  # it is not our settings that are wrong, but what was asked for
            raise MailError(problem.what, problem.advice) from None
        faults.replace(*found)

    def fired(self) -> list[str]:
        """What happened by it, the oldest first."""
        return [str(one) for one in self._playing().fired]

    def fired_last(self, most: int) -> list[str]:
        """The last of it; empty where there is no mail server."""
        return [] if self.faults is None else self.fired()[-most:]

    def _playing(self) -> Faults:
        if self.faults is None:
            raise ConfigError("There is no mail server here that could play faults.")
        return self.faults
