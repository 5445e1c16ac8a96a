"""What an outbox tells about its messages, as values. Times are moments in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from mailwright.outbox.rows import NEVER
from mailwright.words.reply import visible
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.outbox.states import State

TEXT_LIMIT = 500  # characters shown of a server's reply


def moment_of(milliseconds: int | None) -> datetime | None:
    """A time of the store as a moment; `None` for none, and for a row that is never due."""
    if not isinstance(milliseconds, int) or not 0 <= milliseconds < NEVER:  # a damaged row may hold anything
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@value
class Delivery:
    """One recipient of a message: the `address`, and its `state`.

    `code` and `text`: the last reply, or why it is held, suppressed or failed without one; 0 where there was no reply.
    `attempts`: tries that counted. `deaths`: workers that ended while they had it. `due`: when it is next tried; while
    it is leased, when the lease ends. `ended`: when it came to its end. `cancelled`: somebody asked to take it back
    while a worker had it. `worker`: the id of the worker that has it just now, as its `started` event tells it, and the
    `host` where that runs; empty if none has it, and where the host is not known.
    """

    id: str
    n: int
    address: str
    state: State
    account: str
    lane: str
    destination: str
    in_doubt: str
    attempts: int
    code: int
    text: str
    first_tried: datetime | None = None
    due: datetime | None = None
    ended: datetime | None = None
    deaths: int = 0
    cancelled: bool = False
    worker: str = ""
    host: str = ""

    def __str__(self) -> str:
        return f"{visible(self.address, 254)}: {self.state}{f' ({self.text})' if self.text else ''}"


@value
class Event:
    """What was heard or done afterwards: a bounce, a complaint, a report of delivery, a new try that somebody asked
    for. `n`: the recipient's place, `None` where the report did not tell.
    """

    n: int | None
    address: str
    kind: str
    at: datetime | None
    detail: str


@value
class Status:
    """A message and every recipient of it.

    `id` is what `put` gave; `size` in octets; `pruned`: its content was deleted, so it can't be sent again.
    """

    id: str
    stream: str
    key: str | None
    sender: str
    message_id: str
    size: int
    created: datetime | None
    expires: datetime | None
    pruned: bool
    deliveries: tuple[Delivery, ...]
    events: tuple[Event, ...] = ()

    @property
    def done(self) -> bool:
        """True when every recipient came to an end, whichever; False where there is none, which damage may do."""
        return bool(self.deliveries) and all(one.state.final for one in self.deliveries)

    @property
    def sent(self) -> bool:
        """True when the next server took it for every recipient; False where there is none."""
        return bool(self.deliveries) and all(one.state.name == "sent" for one in self.deliveries)

    def __str__(self) -> str:
        who = "; ".join(map(str, self.deliveries[:5])) + ("; …" if len(self.deliveries) > 5 else "")
        return f"{self.id} {visible(self.message_id, 200)}: {who}"


@value
class Waiting:
    """What is `open` for one destination (the recipients' domain) over one account: `due` now, due `later` because it
    was deferred, scheduled or is in a worker's hands, or `held`. `oldest`: seconds since the oldest of them was put,
    held ones left out; `None` without any. `rate`, `failures`, `median` and `slow` are those of `Reached`.
    """

    account: str
    destination: str
    open: int
    due: int
    later: int
    held: int
    oldest: float | None = None
    rate: float = 0.0
    failures: float = 0.0
    median: float | None = None
    slow: float | None = None


@value
class Reached:
    """What went to one destination lately: how many a second were sent (`rate`), and failed for good (`failures`), in
    the last five minutes, or in the time of the last 20,000 recipients of all destinations if that is less. Of those
    sent, how long after it was put half of them (`median`) and nineteen in twenty (`slow`) had gone, in seconds, as far
    as the last 5,000 recipients of all destinations tell; `None` without any.
    """

    account: str
    destination: str
    rate: float
    failures: float
    median: float | None
    slow: float | None


@value
class Slowed:
    """A destination, or with an empty `destination` a whole account, that is paused `until` some time, for a `reason`,
    or that has learned a `pace`, in messages a second; 0 where none was learned.
    """

    account: str
    destination: str
    until: datetime | None
    reason: str
    pace: float


@value
class Recent:
    """What ended in the last `seconds`: `sent` and `failed` recipients, sent ones a second (`rate`), and how long after
    it was put half of them (`median`) and nineteen in twenty (`slow`) had gone, in seconds; `None` without any.
    """

    seconds: int
    sent: int
    failed: int
    rate: float
    median: float | None
    slow: float | None


@value
class Worker:
    """A worker that was seen in the last two minutes."""

    host: str
    version: str
    seen: datetime | None


@value
class Stats:
    """The whole outbox: how many recipients are in which state, and how fast it goes.

    `oldest`: seconds since the oldest open message was put, held ones left out. `waiting`: the 50 destinations with the
    most open recipients. `reached`: the 50 to which the most went lately, whether anything waits for them or not.
    """

    counts: dict[str, int]
    oldest: float | None
    recent: tuple[Recent, ...]
    waiting: tuple[Waiting, ...]
    slowed: tuple[Slowed, ...]
    workers: tuple[Worker, ...]
    suppressions: int
    paused: bool
    epoch: int
    reached: tuple[Reached, ...] = ()

    @property
    def open(self) -> int:
        """Recipients that did not come to their end."""
        from mailwright.outbox.states import OPEN

        return sum(self.counts[state.name] for state in OPEN)

    @property
    def paused_accounts(self) -> tuple[Slowed, ...]:
        """The accounts over which nothing is sent now."""
        return tuple(one for one in self.slowed if not one.destination and one.until is not None)
