"""Listen on this machine and print what arrives: a mail server to try things with. It passes nothing on.

Point a program at it with the settings that it prints. Ctrl-C ends it.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager

from mailwright.cli.exit_codes import USAGE
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from queue import SimpleQueue
    from types import FrameType

    from mailwright.inbox import Inbox, Received

PORT = 1025
LINES = 40  # lines of a text that are printed
KEPT = 10  # messages that the inbox itself keeps: they were printed already
FAMILIAR = {"-P": "--port", "--listen": "--port", "--user": "--login", "--starttls": "--tls", "-n": "--count"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add = parser.add_argument
    add("--port", type=int, default=PORT, help=f"the port to listen on (default {PORT}; 0 takes a free one)")
    add("--tls", action="store_true", help="demand STARTTLS, with a certificate made on the spot")
    add("--login", metavar="USER", help="demand a login as USER; the password is made up and printed")
    add("--count", type=int, metavar="N", help="end after N messages")


def run(arguments: argparse.Namespace) -> int:
    """Print messages until Ctrl-C, SIGTERM, or until --count of them came."""
    from queue import SimpleQueue

    from mailwright.cli import complain
    from mailwright.inbox import Inbox
    from mailwright.mailer.outgoing import fresh_token

    problem = _misuse(arguments)
    if problem:
        complain(problem, "mailwright inbox")
        return USAGE
    login = (arguments.login, fresh_token()[:12]) if arguments.login else None
    arrived: SimpleQueue[Received] = SimpleQueue()
    inbox = Inbox(login, arguments.tls, port=arguments.port, answer=arrived.put, limit=KEPT)
    number = 0
    try:
        with _ended_by_sigterm():
            _open(inbox, arguments.port)
            _introduce(inbox)
            while arguments.count is None or number < arguments.count:
                received = _next(arrived)
                number += 1
                print("\n".join(["", *_shown(number, received)]), flush=True)
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            print(f"\n{number} message{'s' * (number != 1)} arrived.", file=sys.stderr)
    finally:
        inbox.close()
    return 0


def _misuse(arguments: argparse.Namespace) -> str:
    if not 0 <= arguments.port <= 65535:
        return "a port is a number from 1 to 65535, or 0 for a free one."
    if arguments.count is not None and arguments.count < 1:
        return "--count is a number from 1 on."
    if arguments.login is not None and (not arguments.login or ":" in arguments.login):
        return "--login takes the name of a user alone; the password is made up and printed."
    return ""


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Whoever ends it politely gets the same end as with Ctrl-C: no file with a certificate stays behind."""
    import signal

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # only the main thread may ask for signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _open(inbox: Inbox, port: int) -> None:
    from mailwright.words.errors import ConfigError

    try:
        inbox.open()
    except ConfigError as problem:
        raise ConfigError(problem.what, f"Choose another port than {port} with --port; 0 takes a free one.") from None


def _introduce(inbox: Inbox) -> None:
    server = inbox.server
    print("Listening; what arrives is printed here and passed on to nobody.\n")
    print(f"  host      {server.host}\n  port      {server.port}\n  security  {server.security}")
    if server.tls.ca_file:
        print(f"  CA file   {server.tls.ca_file}")
    if server.login is not None:
        from mailwright.words.secret import Secret

        made_up = server.login.password
        assert isinstance(made_up, Secret)  # a Login makes one of every text
        print(f"  user      {visible(server.login.user, 100)}\n  password  {made_up.reveal()} (made up for this run)")
    print(f"\nFor mailwright:  export MAILWRIGHT_URL='{inbox.url}'")
    print(f"To divert all:   export MAILWRIGHT_CATCH='{inbox.url}'\nCtrl-C ends it.", flush=True)


def _next(arrived: SimpleQueue[Received]) -> Received:
    from queue import Empty

    while True:
        try:
            return arrived.get(timeout=1.0)  # on Windows a wait without an end does not hear Ctrl-C
        except Empty:
            continue


def _shown(number: int, received: Received) -> Iterator[str]:
    """The lines that show a message. All of it comes from a stranger."""
    from mailwright.words.errors import MailError

    envelope = received.envelope
    to = ", ".join(recipient.spec for recipient in envelope.recipients[:10])
    more = f" and {len(envelope.recipients) - 10} more" if len(envelope.recipients) > 10 else ""
    yield f"── {number} ── from {visible(envelope.reverse_path or '<>', 300)} to {visible(to, 1000)}{more}"
    try:
        message = received.message
        text = message.text or _text_of(message.html or "")
    except MailError as problem:
        yield f"   not readable as a message: {visible(str(problem), 300)}"
        return
    yield f"   Subject: {visible(message.subject, 200) or '(none)'}"
    lines = text.splitlines()
    for line in lines[:LINES]:
        yield f"   {visible(line, 200)}".rstrip()
    if len(lines) > LINES:
        yield f"   … and {len(lines) - LINES} more lines"
    for attachment in (*message.inline, *message.attachments):
        yield f"   + {visible(attachment.name or '(no name)', 100)}, {attachment.type}, {attachment.size:,} octets"


def _text_of(html: str) -> str:
    from mailwright.message.markup.text import text_from_html

    return text_from_html(html)
