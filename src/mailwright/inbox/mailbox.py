"""What was received, kept in memory: safe for threads, bounded, and worth waiting for."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from threading import Condition
from time import monotonic
from typing import TYPE_CHECKING

from mailwright.mailer.loops import running
from mailwright.words.address import Address
from mailwright.words.errors import MailError, Timeout
from mailwright.words.reply import visible
from mailwright.words.value import value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailwright.smtp.receiving import Received

_SHOWN = 10  # messages that an error lists


class Mailbox:
    """Received messages in the order of their arrival.

    At most `limit` of them and `size_limit` octets of content are kept: the oldest make room, and are
    counted in `dropped`.
    """

    def __init__(self, limit: int = 10_000, size_limit: int = 256 << 20) -> None:
        self.limit = limit
        self.size_limit = size_limit
        self.dropped = 0
        self._kept: deque[Received] = deque()
        self._size = 0
        self._count = 0  # all that ever arrived: the number of the next one
        self._changed = Condition()
        self._watchers: list[Callable[[], None]] = []

    def add(self, received: Received) -> None:
        """Keep a message, and wake whoever waits."""
        with self._changed:
            self._kept.append(received)
            self._size += _weight(received)
            self._count += 1
            while len(self._kept) > self.limit or (self._size > self.size_limit and len(self._kept) > 1):
                self._size -= _weight(self._kept.popleft())
                self.dropped += 1
            self._changed.notify_all()
            watchers = tuple(self._watchers)
        for watcher in watchers:
            watcher()

    def clear(self) -> None:
        """Throw everything away."""
        with self._changed:
            self._kept.clear()
            self._size = 0

    @property
    def messages(self) -> tuple[Received, ...]:
        """All that is kept, the oldest first."""
        with self._changed:
            return tuple(self._kept)

    def since(self, number: int) -> tuple[int, tuple[Received, ...]]:
        """The messages that arrived after the first `number`, and how many ever arrived."""
        with self._changed:
            new = min(self._count - number, len(self._kept))
            return self._count, tuple(self._kept)[len(self._kept) - new :] if new else ()

    def wait_for_more(self, number: int, timeout: float) -> bool:
        """Wait in this thread until more than `number` ever arrived; false after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._count > number, timeout)

    @contextmanager
    def watched(self, watcher: Callable[[], None]) -> Iterator[None]:
        """Call `watcher` in the receiving thread, inside this block, whenever something arrived."""
        with self._changed:
            self._watchers.append(watcher)
        try:
            yield
        finally:
            with self._changed:
                self._watchers.remove(watcher)


@value
class Wanted:
    """The message that is looked for; `None` fits all.

    `to`: one of the envelope's recipients; `subject`: a part of the subject; `sender`: the envelope's sender,
    empty for the null one. Addresses as text are parsed: raises `AddressError`.
    """

    to: str | Address | None = None
    subject: str | None = None
    sender: str | Address | None = None

    def __post_init__(self) -> None:
        for name in ("to", "sender"):
            object.__setattr__(self, name, _spec(getattr(self, name)))

    def fits(self, received: Received) -> bool:
        """True if this is one."""
        if self.to is not None and all(self.to != address.spec for address in received.recipients):
            return False
        if self.sender is not None and self.sender != received.envelope.reverse_path:
            return False
        return self.subject is None or self.subject in _subject_of(received)

    def __str__(self) -> str:
        asked = ((name, getattr(self, name)) for name in ("to", "subject", "sender"))
        return " and ".join(f"{name}={text!r}" for name, text in asked if text is not None)


class Search:
    """The first message that is `wanted`, among those which are there and those still to come. Each is looked at
    once.
    """

    def __init__(self, mailbox: Mailbox, wanted: Wanted) -> None:
        self._mailbox = mailbox
        self._wanted = wanted
        self._seen = 0

    def look(self) -> Received | None:
        """The first that fits among those not looked at yet."""
        self._seen, new = self._mailbox.since(self._seen)
        return next((received for received in new if self._wanted.fits(received)), None)

    def wait(self, timeout: float) -> Received | None:
        """The first that fits, `None` if none came within `timeout` seconds. Blocks the thread."""
        end = monotonic() + timeout
        while (found := self.look()) is None:
            if not self._mailbox.wait_for_more(self._seen, max(0.0, end - monotonic())):
                return None
        return found

    async def wait_async(self, timeout: float) -> Received | None:
        """The same under asyncio and Trio: other tasks go on meanwhile."""
        loop = running()
        bell = loop.Bell()
        found: Received | None = None

        async def search() -> None:
            nonlocal found
            while (found := self.look()) is None:
                await bell.heard()

        with self._mailbox.watched(bell.ring):
            await loop.in_time(search, timeout)
        return found

    def failed(self, timeout: float) -> Timeout:
        """The error for a search that found nothing: it shows what did arrive."""
        wanted = f"with {self._wanted} " if str(self._wanted) else ""
        there = self._mailbox.messages
        what = f"No message {wanted}arrived within {timeout:g} seconds"
        if not there:
            return Timeout(f"{what}; the inbox is empty.", "Check that the code sends to inbox.server.")
        shown = "".join(f"\n  {_described(received)}" for received in there[-_SHOWN:])
        newest = f", the newest {_SHOWN} of them" if len(there) > _SHOWN else ""
        return Timeout(f"{what}. In the inbox: {len(there)}{newest}:{shown}")


def _weight(received: Received) -> int:
    """Octets that a message takes, roughly: one without content may have a thousand recipients."""
    weight = len(received.content) + 500 * (1 + len(received.recipients))
    for parameters in (received.mail_parameters, *received.rcpt_parameters):
        if parameters:
            weight += sum(map(len, parameters.values()))
    return weight


def _spec(given: str | Address | None) -> str | None:
    if isinstance(given, str):
        return Address.parse(given).spec if given else ""
    return given.spec if given is not None else None


def _subject_of(received: Received) -> str:
    try:
        return received.subject
    except MailError:
        return ""  # content that is no message at all has no subject


def _described(received: Received) -> str:
    to = ", ".join(address.spec for address in received.recipients[:3])
    more = f" and {len(received.recipients) - 3} more" if len(received.recipients) > 3 else ""
    return visible(f"from <{received.envelope.reverse_path}> to {to}{more}: {_subject_of(received)!r}", 200)
