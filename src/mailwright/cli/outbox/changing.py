"""`mailwright outbox retry`, `cancel`, `hold`, `release` and `settle`: what somebody decides about messages."""

from __future__ import annotations

import sys

from mailwright.cli.outbox.advising import left_over, why_not
from mailwright.cli.outbox.opening import moment, opened, refuse, tell_json
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator

    from mailwright.outbox.outbox import Outbox
    from mailwright.outbox.status import Delivery

_DONE = {
    "retry": "to be sent again", "cancel": "taken back", "hold": "held", "release": "released", "settle": "settled",
}  # fmt: skip
_LOOKED_AFTER = ("retry", "cancel")  # may leave recipients as they were, or to a worker, beside those that they move
_SHOWN = 20  # remarks about single recipients


def add_arguments(action: str, parser: argparse.ArgumentParser) -> None:
    """The options of the action."""
    add = parser.add_argument
    add("id", nargs="+", metavar="ID", help="the id of a message; - reads ids from standard input, one a line")
    add("--to", metavar="ADDRESS", help="only this recipient")
    if action == "retry":
        add("--expires", metavar="WHEN", help="where its time is over, the new one: a time, or from now on: 2h, 5d")
    if action == "hold":
        add("--reason", default="Held by request.", metavar="TEXT", help="what `show` tells of it")
    if action == "settle":
        add("--as", dest="verdict", required=True, choices=("sent", "failed", "unknown"), help="what became of it")
    add(
        "--json",
        action="store_true",
        help="print the number of recipients as JSON, with remarks on those left as they were",
    )


def run(arguments: argparse.Namespace) -> int:
    """Do it to every message, and say how many recipients that concerned, with remarks where that was not all."""
    from mailwright.cli import tell

    action: str = arguments.action
    if arguments.id.count("-") > 1:
        return refuse("standard input can be read once.", action)
    expires = moment(getattr(arguments, "expires", None), "expires")
    count = messages = 0
    remarks: list[dict[str, str]] = []
    with opened(arguments) as outbox:
        act = _act(outbox, arguments, expires)
        for id in _ids(arguments.id):
            done = act(id)
            count, messages = count + done, messages + 1
            if done and action not in _LOOKED_AFTER:
                continue
            for one in _meant(outbox.status(id).deliveries, arguments.to):
                remark = left_over(action, one) if done else why_not(action, one)
                if remark:
                    remarks.append({"id": one.id, "address": one.address, "state": one.state.name, "remark": remark})
    if arguments.json:
        tell_json({"messages": messages, "recipients": count, **({"remarks": remarks} if remarks else {})})
        return 0
    for line in remarks[:_SHOWN]:
        tell(f"{line['id']}  {visible(line['address'], 254)}: {line['remark']}")
    if len(remarks) > _SHOWN:
        tell(f"… and {len(remarks) - _SHOWN:,} more")
    tell(f"{count:,} recipient{'s' * (count != 1)} {_DONE[action]}.")
    return 0


def _meant(deliveries: Iterable[Delivery], to: str | None) -> Iterator[Delivery]:
    """The recipients that a command is about."""
    wanted = None if to is None else to.strip().lower()
    return (one for one in deliveries if wanted is None or one.address.lower() == wanted)


def _act(outbox: Outbox, arguments: argparse.Namespace, expires: object) -> Callable[[str], int]:
    to = arguments.to
    return {
        "retry": lambda id: outbox.retry(id, recipient=to, expires=expires),  # type: ignore[arg-type]
        "cancel": lambda id: outbox.cancel(id, recipient=to),
        "hold": lambda id: outbox.hold(id, recipient=to, reason=arguments.reason),
        "release": lambda id: outbox.release(id, recipient=to),
        "settle": lambda id: outbox.settle(id, arguments.verdict, recipient=to),
    }[arguments.action]


def _ids(given: list[str]) -> Iterator[str]:
    for word in given:
        if word != "-":
            yield word
            continue
        for line in sys.stdin:
            if line.strip():
                yield line.strip()[:100]
