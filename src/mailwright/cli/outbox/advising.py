"""What somebody may do about a recipient of a message, and why a command did nothing about one."""

from __future__ import annotations

from mailwright.cli.outbox.opening import due
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.outbox.status import Delivery

_DECIDE = "`release` sends it, `settle --as sent|failed|unknown` says how it ended"


def way_on(one: Delivery, others: bool) -> str:
    """The commands that are there for what is held; `others`: its message has more recipients."""
    to = f" --to {visible(one.address, 254)}" if others else ""
    return (
        f"decide: mailwright outbox release {one.id}{to} (it is sent, again if it was), "
        f"or settle {one.id}{to} --as sent|failed|unknown (it is not)"
    )


def who_has(one: Delivery) -> str:
    """The worker that has it, as far as that is known."""
    where = f" on {visible(one.host, 60)}" if one.host else ""
    return f"worker {one.worker}{where}" if one.worker else "a worker"


def left_over(action: str, one: Delivery) -> str:
    """What is to be said about a recipient of a message for which `action` did something; empty for nothing."""
    state = one.state.name
    if action == "retry" and state == "held":
        return why_not(action, one)
    if action == "cancel" and state == "unknown" and one.text.startswith("Cancelled"):
        return f"it may have been sent before, and nobody can take that back: {state}"
    if action == "cancel" and one.cancelled:
        return f"{who_has(one)} has it: stopped unless it begins with it within two seconds; `show` tells"
    return ""


def why_not(action: str, one: Delivery) -> str:
    """Why `action` did nothing about this recipient, and what would."""
    state = one.state.name
    said = f"{state} ({visible(one.text, 160)})" if one.text else state
    if state == "held":
        return "it is held already" if action == "hold" else f"{said}; {_DECIDE}"
    if action in ("release", "settle"):
        return f"it is not held, but {state}"
    if state == "sent":
        return "the next server took it"
    if state in ("leased", "sending"):
        return f"{who_has(one)} has it just now"
    if not one.state.final:
        return f"it is {state}, {due(one.due)}" if one.due is not None else f"it is {state}"
    if action == "retry":
        return f"{said}; its address is on the suppression list: `suppress remove` takes it off"
    return f"it has ended: {said}"
