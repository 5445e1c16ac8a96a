"""`mailwright outbox pause`, `resume`, `restored`, `prune` and `migrate`: the outbox as a whole."""

from __future__ import annotations

from mailwright.cli.outbox.opening import opened, refuse, span, tell_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any


def add_arguments(action: str, parser: argparse.ArgumentParser) -> None:
    """The options of the action."""
    add = parser.add_argument
    if action == "prune":
        add("--older-than", metavar="SPAN", help="messages that ended before, with all that is known of them: 90d")
        add("--bodies-older-than", metavar="SPAN", help="of others the content alone: 7d")
    add("--json", action="store_true", help="print what was done as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do it, and say so."""
    from mailwright.cli import tell

    action: str = arguments.action
    if action == "prune" and arguments.older_than is None and arguments.bodies_older_than is None:
        return refuse("say what: --older-than 90d, --bodies-older-than 7d, or both.", "prune")
    with opened(arguments) as outbox:
        facts: dict[str, Any]
        if action == "pause":
            outbox.pause()
            facts, said = {"paused": True}, "Paused: workers begin nothing; what they have in flight is finished."
        elif action == "resume":
            outbox.resume()
            facts, said = {"paused": False}, "The workers go on."
        elif action == "restored":
            count = outbox.restored()
            facts = {"held": count, "paused": True}
            said = f"Paused, and {count:,} recipients are held. See: mailwright outbox list --state held"
        elif action == "prune":
            older, bodies = arguments.older_than, arguments.bodies_older_than
            pruned = outbox.prune(span(older, "older-than"), bodies_older_than=span(bodies, "bodies-older-than"))
            facts = {"messages": pruned.messages, "bodies": pruned.bodies}
            said = f"Deleted {pruned.messages:,} messages, and of {pruned.bodies:,} others the content."
        else:
            from mailwright.outbox.migrating import VERSION

            facts, said = {"version": VERSION}, f"The tables are of version {VERSION}."
    if arguments.json:
        tell_json(facts)
    else:
        tell(said)
    return 0
