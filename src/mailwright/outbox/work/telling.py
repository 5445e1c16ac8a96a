"""What a worker tells of what it does: one small value for each event, for a log line or a live display."""

from __future__ import annotations

from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Tell = Callable[["Event"], object]

#: What an event may be called, and what it means.
KINDS = {
    "started": "The worker is at work.",
    "stopping": "It was asked to stop: it finishes what is under way.",
    "stopped": "It has ended; what it did not begin was given back.",
    "result": "What became of one recipient; `state` says it.",
    "fenced": "A result came too late: the row belongs to another worker now.",
    "slow": "Nothing is sent that way for `seconds`, and then more slowly.",
    "dead": "There is no connection to be had; the next try is in `seconds`.",
    "paused": "Somebody has to do something: the account is left alone, and its mail is kept.",
    "resumed": "A way that was left alone is in use again.",
    "database": "The database does not answer; results are kept and written when it does.",
    "clock": "The database's clock jumped by `seconds`.",
    "progress": "What was done in the last `seconds`: once a minute, and once an hour when nothing happens.",
    "unserved": "Mail of this account is due, and this worker has no server for it; another worker may have.",
    "late": "Rows were given back, because too little was left of their lease.",
}


@value
class Event:
    """One thing that happened: `kind` is one of `KINDS`. `id` is the message's as text, `attempts` the tries with this
    one, `count` how many rows it is about.
    """

    kind: str
    account: str = ""
    domain: str = ""
    id: str = ""
    address: str = ""
    state: str = ""
    code: int = 0
    text: str = ""
    attempts: int = 0
    seconds: float = 0.0
    count: int = 1

    def __str__(self) -> str:
        parts = [self.kind if self.kind != "result" else self.state]
        parts += [f"{name}={text}" for name, text in (("id", self.id), ("to", self.address)) if text]
        where = self.account + (f"/{self.domain}" if self.domain and not self.address else "")
        parts += [f"account={where}"] if where else []
        parts += [f"attempts={self.attempts}"] if self.attempts > 1 else []
        parts += [f"count={self.count}"] if self.count > 1 else []
        parts += [f"seconds={self.seconds:.0f}"] if self.seconds else []
        return " ".join([*parts, self.text]).rstrip()


@value
class Done:
    """How a worker's run ended, in recipients: those whose outcome is recorded by name of state, and those `given_back`
    (put off, or never begun). `fenced`: results that came too late to count.
    """

    sent: int = 0
    failed: int = 0
    expired: int = 0
    cancelled: int = 0
    suppressed: int = 0
    held: int = 0
    deferred: int = 0
    given_back: int = 0
    fenced: int = 0

    @property
    def recorded(self) -> int:
        """All but those given back: what its run wrote."""
        ended = self.sent + self.failed + self.expired + self.cancelled + self.suppressed
        return ended + self.held + self.deferred + self.fenced
