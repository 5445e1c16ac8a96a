"""Listen on this machine and show what arrives, on a page and here: a mail server to try things with. It passes
nothing on.

  mailwright inbox                           point a program at it with the settings that it prints; Ctrl-C ends it
  mailwright inbox --login ada --tls         demand what a real provider demands
  mailwright inbox --as gmail                and speak like one
  mailwright inbox --expect 2 -- pytest -x   run a program with its mail settings pointing here
"""

from __future__ import annotations

import argparse
import sys

from mailwright.cli.exit_codes import USAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from queue import SimpleQueue

    from mailwright.cli.inbox.opening import Opened
    from mailwright.inbox import Received

EPILOG = """behind -- stands a program. It finds the inbox through MAILWRIGHT_URL, SMTP_HOST, EMAIL_HOST and whatever
else programs read, its exit code is passed on, and what was caught is shown if it fails. MAILWRIGHT_INBOX_URL leads it
to the page and the API.

The page asks for a password with --locked: the one in INBOX_PASSWORD, or one that is made up and printed; a program
behind -- finds it there."""
FAMILIAR = {
    "-P": "--port", "--listen": "--port", "--smtp": "--port", "--user": "--login", "--starttls": "--tls",
    "-n": "--count", "--ui": "--web", "--http": "--web", "--ui-bind-addr": "--web", "--db": "--save",
    "--database": "--save", "--hostname": "--host", "--chaos": "--fault", "--relay-to": "--release-to",
    "--auth": "--locked", "--password": "--locked", "-m": "--max", "--messagestokeep": "--max",
}  # fmt: skip
UNEXPECTED = 1  # as test runners say it: not as many messages as were expected
DEFAULT_PORT = 1025


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add = parser.add_argument
    # fmt: off
    add("--port", type=int, help=f"the port of the mail server (default {DEFAULT_PORT}, with a program a free one: 0)")
    add("--web", metavar="PORT", help="the port of the page (default 8025), ADDRESS:PORT, or off")
    add("--save", metavar="FILE", help="keep the messages in this file (SQLite), across runs too")
    add("--max", type=int, default=10_000, metavar="N",
        help="keep at most N messages (default 10,000); the oldest make room")
    add("--max-size", type=_octets, default=256 << 20, metavar="SIZE",
        help="and at most so many octets: 500mb, 2gb (default 256mb)")
    add("--max-message", type=_octets, metavar="SIZE", help="the largest message that is taken (default 50mb)")
    add("--tls", nargs="?", const="starttls", choices=("starttls", "tls"), metavar="HOW",
        help="demand TLS, with a certificate made on the spot: starttls (the default), or tls from the first byte")
    add("--login", metavar="USER", help="demand a login as USER; the password is made up and printed")
    add("--as", metavar="SERVICE", dest="speaks_as", help="speak as gmail, outlook, office365, yahoo or icloud does")
    add("--fault", metavar="FAULT", action="append", default=[], help='break something: --fault "rcpt drop times=1"')
    add("--locked", action="store_true", help="the page asks for a password")
    add("--host", metavar="NAME", action="append", default=[], help="a further name of the page; may be repeated")
    add("--release-to", metavar="LIST", help="let messages be really sent, to these: ada@example.org,*@example.net")
    add("--account", metavar="NAME", help="the account of config.toml through which they are sent")
    add("--spamd", metavar="PORT", type=int, nargs="?", const=783, help="ask SpamAssassin's spamd on this machine")
    add("--count", type=int, metavar="N", help="end after N messages")
    add("--expect", type=int, metavar="N", help="fail if another number of messages arrived")
    add("program", nargs=argparse.REMAINDER, metavar="-- PROGRAM …", help="run this with its mail settings set")
    # fmt: on


def _octets(text: str) -> int:
    from mailwright.inbox.search import octets

    found = octets(text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!a:.40} is no size: write it like 500mb or 2gb")
    return found


def run(arguments: argparse.Namespace) -> int:
    """Show messages until Ctrl-C, SIGTERM, the end of the program, or until --count of them came."""
    from queue import SimpleQueue

    from mailwright.cli import complain
    from mailwright.cli.inbox.opening import Opened, ended_by_sigterm
    from mailwright.cli.inbox.program import run_program

    problem = _misuse(arguments)
    if problem:
        complain(problem, "mailwright inbox")
        return USAGE
    program = arguments.program[1:]
    arrived: SimpleQueue[Received] = SimpleQueue()
    with ended_by_sigterm(), Opened(arguments, None if program else arrived.put) as opened:
        if program:
            return run_program(program, opened, arguments.expect)
        number = _show(opened, arrived, arguments.count)
    if arguments.expect not in (None, number):
        complain(f"{arguments.expect} messages were expected, and {number} arrived.", "mailwright inbox")
        return UNEXPECTED
    return 0


def _show(opened: Opened, arrived: SimpleQueue[Received], count: int | None) -> int:
    """Print what arrives, and give how many messages did."""
    from mailwright.cli.inbox.showing import introduce, shown

    number = 0
    try:
        introduce(opened)
        while count is None or number < count:
            received = _next(arrived)
            number += 1
            print("\n".join(["", *shown(number, received)]), flush=True)
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            print(f"\n{number} message{'s' * (number != 1)} arrived.", file=sys.stderr)
    return number


def _next(arrived: SimpleQueue[Received]) -> Received:
    from queue import Empty

    while True:
        try:
            return arrived.get(timeout=1.0)  # on Windows a wait without an end does not hear Ctrl-C
        except Empty:
            continue


def _misuse(arguments: argparse.Namespace) -> str:
    if arguments.program and (arguments.program[0] != "--" or len(arguments.program) < 2):
        return "a program stands behind --, and there is no other word without an option."
    if arguments.port is not None and not 0 <= arguments.port <= 65535:
        return "a port is a number from 1 to 65535, or 0 for a free one."
    if arguments.count is not None and arguments.count < 1:
        return "--count is a number from 1 on."
    if arguments.max < 1:
        return "--max is a number from 1 on: how many messages are kept."
    if arguments.max_message is not None and arguments.speaks_as is not None:
        return "--as takes messages as large as that service does; leave --max-message away."
    if arguments.expect is not None and arguments.expect < 0:
        return "--expect is a number from 0 on."
    if arguments.count is not None and arguments.program:
        return "--count ends the inbox, but with a program that does. --expect says how many must come."
    if arguments.login is not None and (not arguments.login or ":" in arguments.login):
        return "--login takes the name of a user alone; the password is made up and printed."
    if arguments.account is not None and arguments.release_to is None:
        return "--account says through which account messages are released: say to whom with --release-to."
    return ""
