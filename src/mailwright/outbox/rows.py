"""What goes into a store and what comes out of it, as values. Times are whole milliseconds since 1970, by the
database's clock, for the stores keep them so; spans are seconds.
"""

from __future__ import annotations

from mailwright.outbox.states import State
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.message.content import Content

URGENT, NORMAL, BULK = range(3)  # lanes, as the stores number them
LANES = ("urgent", "normal", "bulk")
NEVER = 253402300799000  # ms: the end of the year 9999; a row that is held is due then

EIGHT_BIT, UTF8, REQUIRE_TLS = 1, 2, 4  # what the message needs of the server, added up in `Draft.needs`


@value
class Consignee:
    """One recipient of a draft: the `address`, its place `n` from 0, and where its delivery begins: `state` is QUEUED,
    HELD or SUPPRESSED, with the `reason` of the latter two.
    """

    n: int
    address: str
    domain: str
    state: State
    reason: str = ""


@value
class Draft:
    """A message as it is put. `id`: a UUID of version 7 as 16 octets. `key` with `fingerprint` makes putting it again
    harmless: the fingerprint is that of what the author gave, without generated Date, Message-ID and boundaries.
    `digest` is that of the octets, to know a damaged row. `due`: not before this time, `None` for at once. `expires`:
    not after this time. `hold`: ``in_doubt="hold"``. `dsn` is JSON or `None`.
    """

    id: bytes
    stream: str
    key: str | None
    fingerprint: bytes | None
    sender: str
    message_id: str
    content: Content
    digest: bytes
    needs: int
    dsn: str | None
    account: str
    lane: int
    hold: bool
    due: int | None
    expires: int | None
    consignees: tuple[Consignee, ...]


@value
class Claimed:
    """A message × recipient that this worker has the lease of. `claims` is the fence: a result counts only while it is
    the row's. `attempts`: tries before this one. `deaths`: workers that ended while they had it. `state` is LEASED, or
    HELD when the claim itself had to set it aside, and `why` if it could not be read. `cancelled`: somebody asked to
    take it back meanwhile. `head` holds the first octets of the content, and all of it where ``len(head) == size``.
    """

    id: bytes
    n: int
    address: str
    domain: str
    lane: int
    state: State
    claims: int
    attempts: int
    deaths: int
    cancelled: bool
    hold: bool
    sender: str
    message_id: str
    size: int
    head: bytes
    digest: bytes
    needs: int
    dsn: str | None
    created: int
    expires: int | None
    first_tried: int | None
    why: str = ""

    def __repr__(self) -> str:
        return f"<Claimed {self.id.hex()}/{self.n} for {self.domain}, {self.state}, claim {self.claims}>"


@value
class Result:
    """What became of a claimed row. `state`: a final one, or DEFERRED (due again after `delay` seconds), QUEUED (given
    back untried, due after `delay`), or HELD. `code`: the reply's, 0 without one. `counts`: whether it was a try.
    """

    id: bytes
    n: int
    claims: int
    state: State
    code: int = 0
    text: str = ""
    delay: float = 0.0
    counts: bool = True


@value
class Destination:
    """What is known of the way to `domain` over `account`; an empty `domain` is the account as a whole. Nothing is sent
    `until` that time (ms), for this `reason`; `pace` is the learned number of messages a second, 0 if none was
    learned.
    """

    account: str
    domain: str
    until: int = 0
    reason: str = ""
    pace: float = 0.0
