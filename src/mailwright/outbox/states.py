"""The states of a message × recipient, and what leads from one to another: the one table that everything else follows.

The stores keep the `number` of a state, the documentation's diagram is drawn from `MOVES`, and a test holds the code
to both.
"""

from __future__ import annotations

from mailwright.words.value import value


@value
class State:
    """One state: its `name`, the `number` that the store keeps, whether it is `final`, and what it `means`."""

    name: str
    number: int
    final: bool
    means: str

    def __str__(self) -> str:
        return self.name


@value
class Move:
    """What leads from one state to another; from `None` when the message is put."""

    origin: State | None
    event: str
    target: State


QUEUED = State("queued", 0, False, "Waits for a worker, at once or from the time that was asked for.")
DEFERRED = State("deferred", 1, False, "A try failed for now; the next one has its time.")
LEASED = State("leased", 2, False, "A worker has it. When the lease ends without a result, it is due again.")
SENDING = State("sending", 3, False, "Marked before the last octet of the content leaves: from here on it may arrive.")
HELD = State("held", 4, False, "Set aside until somebody decides: in doubt, withheld, unreadable, or a worker's death.")

SENT = State("sent", 10, True, "The next server took responsibility (RFC 5321 §4.2.5).")
FAILED = State("failed", 11, True, "Refused for good.")
EXPIRED = State("expired", 12, True, "Its time was over before a server took it.")
CANCELLED = State("cancelled", 13, True, "Taken back before it was sent.")
SUPPRESSED = State("suppressed", 14, True, "The address is on the suppression list; nothing was sent.")
UNKNOWN = State("unknown", 15, True, "It was in doubt, and somebody decided not to send it again.")

STATES = (QUEUED, DEFERRED, LEASED, SENDING, HELD, SENT, FAILED, EXPIRED, CANCELLED, SUPPRESSED, UNKNOWN)
OPEN = tuple(state for state in STATES if not state.final)
FINAL = tuple(state for state in STATES if state.final)

MOVES = (
    Move(None, "put", QUEUED),
    Move(None, "put held back", HELD),
    Move(None, "put, but on the suppression list", SUPPRESSED),
    Move(QUEUED, "claimed when due", LEASED),
    Move(DEFERRED, "claimed when due", LEASED),
    Move(LEASED, "lease ended without a result", LEASED),
    Move(LEASED, "given back untried", QUEUED),
    Move(LEASED, "a 4xx, or a failure before the final dot", DEFERRED),
    Move(LEASED, "about to send the final dot, in_doubt=hold", SENDING),
    Move(LEASED, "250 after the final dot", SENT),
    Move(LEASED, "refused for good", FAILED),
    Move(LEASED, "no reply after the final dot, in_doubt=retry", DEFERRED),
    Move(LEASED, "its time is over", EXPIRED),
    Move(LEASED, "suppressed since it was put", SUPPRESSED),
    Move(LEASED, "cancelled while a worker had it", CANCELLED),
    Move(LEASED, "unreadable", HELD),
    Move(SENDING, "250 after the final dot", SENT),
    Move(SENDING, "refused for good", FAILED),
    Move(SENDING, "a 4xx", DEFERRED),
    Move(SENDING, "failed before the final dot left", DEFERRED),
    Move(SENDING, "no reply after the final dot", HELD),
    Move(SENDING, "lease ended without a result, in_doubt=hold", HELD),
    Move(SENDING, "lease ended, the third worker it killed", HELD),
    Move(QUEUED, "hold", HELD),
    Move(DEFERRED, "hold", HELD),
    Move(HELD, "release", QUEUED),
    Move(HELD, "the reply came after all", SENT),
    Move(HELD, "the refusal came after all", FAILED),
    Move(HELD, "settled as not to be sent again", UNKNOWN),
    Move(QUEUED, "cancel", CANCELLED),
    Move(DEFERRED, "cancel", CANCELLED),
    Move(HELD, "cancel", CANCELLED),
    Move(FAILED, "retry", QUEUED),
    Move(EXPIRED, "retry", QUEUED),
    Move(CANCELLED, "retry", QUEUED),
    Move(SUPPRESSED, "retry, after the address was taken from the list", QUEUED),
    Move(UNKNOWN, "retry", QUEUED),
)

_BY_NUMBER = {state.number: state for state in STATES}
_BY_NAME = {state.name: state for state in STATES}


def state_of(number: int) -> State:
    """The state that a store keeps as `number`. Raises `KeyError`."""
    return _BY_NUMBER[number]


def state_named(name: str) -> State:
    """The state called `name`. Raises `KeyError`."""
    return _BY_NAME[name]
