"""From claimed rows to messages that can be sent: those of one message together, the octets streamed from the store and
checked before the last of them leaves.
"""

from __future__ import annotations

from collections import deque
from hashlib import sha256

from mailwright.message.content import CHUNK, Content
from mailwright.message.mail import MailObject
from mailwright.outbox.rows import EIGHT_BIT, REQUIRE_TLS, UTF8
from mailwright.outbox.work.scheduling import Turns
from mailwright.words.address import Address
from mailwright.words.envelope import DSN, Envelope
from mailwright.words.errors import MessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Protocol

    from mailwright.outbox.rows import Claimed, Result

    class Owner(Protocol):
        """Who wants to know that the result of a row is durable."""

        @property
        def account(self) -> str: ...
        def written(self, row: Claimed, result: Result) -> None: ...

    Pieces = Callable[[int], bytes]  # piece `place` of what is behind the head, empty behind the last

FRESH = 0.6  # the part of a lease that must be left when a message is begun


class Held:
    """A row in hand, claimed for `owner`; the lease is this worker's `until` then, in seconds of its clock."""

    __slots__ = ("owner", "row", "until")

    def __init__(self, row: Claimed, until: float, owner: Owner) -> None:
        self.row, self.until, self.owner = row, until, owner


class Consignment:
    """The rows of one message that go in one transaction, and the `mail`; all were claimed at once, and `held` is the
    first of them. The mail of a `suspect` is looked at when its mark was made, and not before. `looked` is the time,
    in seconds of the worker's clock, at which it was known last that the rows in `cancelled`, by their `n`, are those
    that were taken back.
    """

    __slots__ = ("cancelled", "held", "looked", "mail", "rows")

    def __init__(self, rows: tuple[Claimed, ...], mail: MailObject | None, held: Held, looked: float) -> None:
        self.rows, self.mail, self.held, self.looked = rows, mail, held, looked
        self.cancelled: frozenset[int] = frozenset()

    @property
    def until(self) -> float:
        """When the lease ends, as far as it was renewed by now."""
        return self.held.until

    @property
    def suspect(self) -> bool:
        """Whether it killed two workers, perhaps: it is tried with a mark, and no other suspect beside it."""
        return any(row.deaths >= 2 for row in self.rows)

    @property
    def marked(self) -> bool:
        """Whether a durable mark is made before the last octets leave."""
        return self.rows[0].hold or self.suspect


class Overdue(MessageError):
    """The lease ended before the last octets left: the connection ends without them, which takes everything back."""


class Leased(Content):
    """A content of which the last chunk leaves only if `ask` has nothing against it: that raises `Overdue`."""

    __slots__ = ("_ask",)

    lasting = False

    def __init__(self, octets: bytes | Stored, ask: Callable[[], object], *, eight_bit: bool, utf8: bool) -> None:
        super().__init__((octets,), eight_bit=eight_bit, utf8=utf8)
        self._ask = ask

    def chunks(self) -> Iterator[bytes]:
        """See `Content.chunks`."""
        held = b""
        for chunk in super().chunks():
            if held:
                yield held
            held = chunk
        self._ask()
        yield held

    def whole(self) -> bytes:
        """See `Content.whole`."""
        self._ask()
        return super().whole()


class Stored:
    """The octets of a message in the store, as a stream for `Content`: `head`, and pieces behind it.

    The last chunk leaves only when the digest of all is right.
    """

    __slots__ = ("_digest", "_head", "_pieces", "size")

    def __init__(self, size: int, head: bytes, digest: bytes, pieces: Pieces) -> None:
        self.size = size
        self._head, self._digest, self._pieces = head, digest, pieces

    def chunks(self) -> Iterator[bytes]:
        """The octets in chunks. Raises `MessageError` when they are not what was put."""
        made, seen, held = sha256(), 0, b""
        for octets in self._octets():
            made.update(octets)
            seen += len(octets)
            for start in range(0, len(octets), CHUNK):
                if held:
                    yield held
                held = octets[start : start + CHUNK]
        if seen != self.size or made.digest() != self._digest:
            raise damaged()
        yield held

    def _octets(self) -> Iterator[bytes]:
        yield self._head
        left, place = self.size - len(self._head), 0
        while left > 0:
            octets = self._pieces(place)
            if not octets:
                return
            yield octets
            left -= len(octets)
            place += 1


def damaged() -> MessageError:
    """The error for octets that are not those that were put."""
    return MessageError("The message in the store is not what was put.", "Look at the disk and at the last restore.")


def mail_of(rows: tuple[Claimed, ...], pieces: Pieces, ask: Callable[[], object]) -> MailObject:
    """The message of these rows, for their recipients; `ask` is called before its last octets leave, and raises
    `Overdue`. Raises `MessageError` for one that can't be read.
    """
    row = rows[0]
    head, needs = row.head, row.needs
    if len(head) == row.size:
        if sha256(head).digest() != row.digest:
            raise damaged()
        octets: bytes | Stored = head
    elif not head:
        raise damaged()  # it was pruned
    else:
        octets = Stored(row.size, head, row.digest, pieces)
    content = Leased(octets, ask, eight_bit=bool(needs & EIGHT_BIT), utf8=bool(needs & UTF8))
    recipients = tuple([Address(one.address) for one in rows])
    dsn = _dsn(row.dsn) if row.dsn is not None else None
    sender = Address.parse(row.sender) if row.sender else None
    return MailObject(Envelope(sender, recipients, dsn, bool(needs & REQUIRE_TLS)), row.message_id, content)


def _dsn(text: str) -> DSN:
    from json import loads

    try:
        given = loads(text)
        return DSN(tuple(given["notify"]), given["ret"], given["envid"])
    except (ValueError, TypeError, KeyError) as problem:
        raise MessageError(f"What reports are wanted can't be read: {problem}.") from None


def together(rows: Iterable[Claimed]) -> list[tuple[Claimed, ...]]:
    """The rows, those of one message in one group; who may have killed workers stays alone."""
    groups: dict[tuple[bytes, int], list[Claimed]] = {}
    for row in rows:
        groups.setdefault((row.id, row.n if row.deaths >= 2 else -1), []).append(row)
    return [tuple(group) for group in groups.values()]


class Tray:
    """The consignments that wait for a connection: an iterator for `Dispatch`, which gives `None` while it is empty and
    ends when it is `closed`. `begun` has what it gave out, by number.

    `clock` is the worker's; `lease` its length in seconds; `over` says whether a message has expired. What waited too
    long, has expired or was taken back is put into `late`.
    """

    __slots__ = ("_clock", "_lanes", "_least", "_over", "_taken", "_turns", "begun", "closed", "late", "waiting")

    def __init__(self, clock: Callable[[], float], lease: float, over: Callable[[Consignment], bool]) -> None:
        self._clock, self._least, self._over = clock, lease * FRESH, over
        self._lanes: tuple[deque[Consignment], ...] = (deque(), deque(), deque())
        self._turns = Turns()
        self._taken = 0
        self.begun: dict[int, Consignment] = {}
        self.late: list[Consignment] = []
        self.closed = False
        self.waiting = 0

    def put(self, one: Consignment) -> None:
        """This one may be sent."""
        self._lanes[one.rows[0].lane].append(one)
        self.waiting += 1

    def rest(self) -> list[Consignment]:
        """What was not begun."""
        return [one for lane in self._lanes for one in lane]

    def empty(self) -> list[Consignment]:
        """Take out all that was not begun."""
        found = [*self.late, *self.rest()]
        self.late.clear()
        for lane in self._lanes:
            lane.clear()
        self.waiting = 0
        return found

    def open(self) -> None:
        """Another round: numbers begin anew."""
        self.closed, self._taken = False, 0
        self.begun.clear()

    def __iter__(self) -> Tray:
        return self

    def __next__(self) -> MailObject | None:
        if self.closed:
            raise StopIteration
        while self.waiting:
            lane = self._turns.next(self._lanes)
            assert lane is not None
            one = self._lanes[lane].popleft()
            self.waiting -= 1
            if one.until - self._clock() < self._least or one.cancelled or self._over(one):
                self.late.append(one)
                continue
            self.begun[self._taken] = one
            self._taken += 1
            return one.mail  # never `None`: suspects go another way
        return None
