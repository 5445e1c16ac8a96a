"""What a worker does to an outbox, in the few steps that these tests need."""

from __future__ import annotations

from mailwright import Message
from mailwright.outbox import Outbox
from mailwright.outbox.rows import Claimed, Result
from mailwright.outbox.states import State, state_named

ME = b"worker-number-1."

#: The end of a program: eight threads put `numbers` into `outbox` and say of each that it is there, until they are
#: killed.
CALLERS = """
import os, threading
from mailwright import Message
def work():
    for n in numbers:
        outbox.put(Message("ada@example.org", "bob@example.net", f"Number {n}", "Dear Bob"), key=str(n))
        os.write(1, b"%d\\n" % n)
for _ in range(8):
    threading.Thread(target=work).start()
"""


def message(subject: str = "Minutes", to: str | list[str] = "bob@example.net", **more: object) -> Message:
    return Message("ada@example.org", to, subject, "Dear Bob, …", **more)  # type: ignore[arg-type]


def claim(outbox: Outbox, domain: str = "example.net", most: int = 100, worker: bytes = ME) -> list[Claimed]:
    return outbox.database.write(lambda: outbox.store.claim(worker, "default", 1, {domain: most}, 60.0))


def settle(outbox: Outbox, rows: list[Claimed], state: str = "sent", code: int = 250, text: str = "250 OK") -> int:
    ended: State = state_named(state)
    results = [Result(row.id, row.n, row.claims, ended, code, text) for row in rows]
    return outbox.database.write(lambda: outbox.store.settle(ME, results))


def send_all(outbox: Outbox, state: str = "sent", code: int = 250, text: str = "250 OK") -> int:
    return settle(outbox, claim(outbox), state, code, text)


def states(outbox: Outbox, id: str) -> list[str]:
    return [one.state.name for one in outbox.status(id).deliveries]


def total(outbox: Outbox) -> int:
    return sum(1 for _ in outbox.find())


def in_state(outbox: Outbox, name: str) -> str:
    """A message that came into the state by legal moves."""
    if name == "suppressed":
        outbox.suppress("bob@example.net", "bounced")
        return outbox.put(message())
    id = outbox.put(message(), held=name in ("held", "unknown"))
    if name in ("deferred", "sent", "failed", "expired"):
        send_all(outbox, name, 450, "450 later")
    elif name in ("leased", "sending"):
        rows = claim(outbox)
        if name == "sending":
            assert outbox.database.write(lambda: outbox.store.mark_sending(ME, rows))
    elif name == "unknown":
        outbox.settle(id, "unknown")
    elif name == "cancelled":
        outbox.cancel(id)
    assert states(outbox, id) == [name]
    return id
