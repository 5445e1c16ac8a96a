"""Which connection to use, keep or close: the pool's decisions, as one value without locks, clocks or I/O.

`Mailer` adds a lock and a condition, `AsyncMailer` a semaphore; both ask this value what to do.
"""

from __future__ import annotations

from mailwright.words.errors import ConfigError
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from mailwright.drivers.tickets import Tickets
    from mailwright.smtp.session import Session
    from mailwright.words.server import Server

    OnRefusal = Literal["raise", "stop", "report"]

#: What may be asked for when a recipient is refused; `mailwright.mailer.delivering` does it.
POLICIES = ("raise", "stop", "report")


@value
class Limits:
    """How many connections, and how long each is kept. Times in seconds.

    `size` connections at most at a time; one is closed after `idle` without use, at the `age` since it was
    opened, and after `messages` messages; with an only one goes QUIT, where that may be
    (`mailwright.smtp.farewell`). One that was idle longer than `probe` is asked with NOOP before it
    is used.

    `window` bounds the messages that `send_many` has in flight on each, where the server offers PIPELINING. They are
    what is uncertain when a connection breaks. The default suits a server of one's own. To the host of a catalogued
    provider fewer are in flight, and connections and messages stay within its published limits, whatever is said here
    (`mailwright.mailer.preparing`).
    """

    size: int = 4
    idle: float = 60.0
    age: float = 600.0
    messages: int = 100
    probe: float = 30.0
    window: int = 64

    def __post_init__(self) -> None:
        for name in ("size", "messages", "window"):
            if getattr(self, name) < 1:
                raise ConfigError(f"Limits({name}={getattr(self, name)!r}) lets nothing through.", "Use 1 or more.")


#: For a mailer that is made for one message.
ONE_MESSAGE = Limits(messages=1)


class Lease:
    """One connection of the pool: its link (of whatever driver), its session, and its past."""

    __slots__ = ("link", "messages", "opened", "server", "session", "used")

    def __init__(self, link: Any, session: Session, now: float) -> None:
        self.link, self.session = link, session
        self.server = session.server  # as it was asked for; the session may find an alternative
        self.opened = self.used = now
        self.messages = 0

    def suits(self, server: Server | None) -> bool:
        """Whether it leads to `server`; `None` stands for any."""
        return server is None or self.server is server or self.server == server


class Pool:
    """The leases that are idle, and how many are out. All times are of one clock that only goes forward.

    `lock_step`: the server lost count of pipelined commands once, so nothing is pipelined to it any more.
    """

    __slots__ = ("_resuming", "closed", "idle", "limits", "lock_step", "out")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.idle: list[Lease] = []
        self.out = 0
        self.closed = False
        self.lock_step = False
        self._resuming: tuple[Server, Tickets] | None = None

    def new(self, link: Any, session: Session, now: float) -> Lease:
        """A lease over a connection that is still to be made. Over TLS it resumes, where that may be, what another one
        to the same server, with the same login, began (`mailwright.drivers.tickets`).
        """
        lease = Lease(link, session, now)
        if lease.server.security != "none":
            if self._resuming is None or not lease.suits(self._resuming[0]):
                from mailwright.drivers.tickets import Tickets

                self._resuming = (lease.server, Tickets())
            link.secured.tickets = self._resuming[1]
        return lease

    def expired(self, now: float, server: Server | None = None) -> list[Lease]:
        """Take out the idle leases that must be closed now: the old ones, and one in the way of a lease for
        `server` when no more may be open.
        """
        limits = self.limits
        gone = [
            lease
            for lease in self.idle
            if now - lease.used > limits.idle or now - lease.opened > limits.age or lease.messages >= limits.messages
        ]
        self.idle = [lease for lease in self.idle if lease not in gone]
        crowded = self.out + len(self.idle) >= limits.size
        if crowded and self.idle and not any(lease.suits(server) for lease in self.idle):
            gone.append(self.idle.pop(0))
        return gone

    def take(self, server: Server | None = None) -> Lease | None:
        """An idle lease to use, the one used last first so that the others may age out; `None`: open a new
        one. Only one to `server`, if that is given: what is caught goes elsewhere (`mailwright.mailer.catching`).
        """
        self.out += 1
        for place in range(len(self.idle) - 1, -1, -1):
            if self.idle[place].suits(server):
                return self.idle.pop(place)
        return None

    @property
    def full(self) -> bool:
        """True when nobody may take a lease now."""
        return self.out >= self.limits.size

    def give_back(self, lease: Lease, now: float) -> bool:
        """Return a lease; true if it is kept, false if its link must be closed."""
        self.out -= 1
        self.lock_step = self.lock_step or lease.session.lock_step
        lease.used = now
        keep = (
            not self.closed
            and lease.session.open
            and now - lease.opened <= self.limits.age
            and lease.messages < self.limits.messages
        )
        if keep:
            self.idle.append(lease)
        return keep

    def drain(self) -> list[Lease]:
        """Close the pool: take out every idle lease; those that are out are closed when they come back."""
        self.closed = True
        if self._resuming is not None:
            self._resuming[1].close()
        idle, self.idle = self.idle, []
        return idle

    def forget(self) -> list[Lease]:
        """After a fork: every lease belongs to the parent process and must not be touched but let go."""
        idle, self.idle, self.out = self.idle, [], 0
        self._resuming = None  # parent and child would show the same ticket
        return idle


def check_policy(on_refusal: str) -> None:
    """Refuse an unknown answer to refused recipients before anything is connected. Raises `ConfigError`."""
    if on_refusal not in POLICIES:
        raise ConfigError(f"on_refusal={on_refusal!r} is not known.", f"Use one of {', '.join(POLICIES)}.")
