"""`mailwright outbox put`: what `mailwright send` takes, but into the outbox."""

from __future__ import annotations

import sys

from mailwright.cli.outbox.opening import moment, opened, refuse, tell_json
from mailwright.cli.send import Misuse, add_message_arguments, message_of, misuse_of_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_arguments(action: str, parser: argparse.ArgumentParser) -> None:
    """The options of the action."""
    add_message_arguments(parser)
    add = parser.add_argument_group("how").add_argument
    add("--key", metavar="TEXT", help="putting the same again with this key puts nothing and gives the same id")
    add("--account", default="default", metavar="NAME", help="through which of the worker's accounts it goes")
    add("--stream", default="default", metavar="NAME", help="a name for what belongs together; keys are unique in it")
    add("--lane", default="normal", choices=("urgent", "normal", "bulk"), help="what goes first")
    add("--at", metavar="WHEN", help="not before: 2026-11-24T08:00:00+01:00, or from now on: 30m, 2h, 5d")
    add("--expires", metavar="WHEN", help="not after: the same")
    add("--in-doubt", default="retry", choices=("retry", "hold"), help="when a reply is lost: send again, or set aside")
    add("--held", action="store_true", help="send nothing until it is released")
    add("--return-path", metavar="ADDRESS", help="the envelope's sender; bounces+*@example.org marks it for reports")
    add("--json", action="store_true", help="print the id as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Put it in, print the id."""
    from mailwright.cli import tell

    problem = misuse_of_message(arguments)
    if problem:
        return refuse(problem, "put")
    at, expires = moment(arguments.at, "at"), moment(arguments.expires, "expires")
    with opened(arguments) as outbox:
        try:
            message = message_of(arguments, _sender(arguments))
        except Misuse as misuse:
            return refuse(str(misuse), "put")
        id = outbox.put(
            message, key=arguments.key, account=arguments.account, stream=arguments.stream, lane=arguments.lane, at=at,
            expires=expires, in_doubt=arguments.in_doubt, held=arguments.held, sender=arguments.return_path,
        )  # fmt: skip
    if arguments.json:
        tell_json({"id": id})
    else:
        tell(f"{id} is in the outbox." if sys.stdout.isatty() else id)
    return 0


def _sender(arguments: argparse.Namespace) -> str | None:
    """The sender that the settings name, if there are any: a server is what the worker needs, not who puts."""
    from mailwright.mailer.settings import resolve
    from mailwright.words.errors import ConfigError

    if arguments.sender:
        return None
    try:
        sender: str | None = resolve(account=None if arguments.account == "default" else arguments.account).sender
        return sender
    except ConfigError:
        import os

        return os.environ.get("SENDER_EMAIL") or None
