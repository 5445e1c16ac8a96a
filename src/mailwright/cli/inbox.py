"""Listen on this machine and print what arrives: a mail server to try with, which keeps everything to itself.

Point a program at it with the settings that it prints; end it with Ctrl-C.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from mailwright.inbox import Received

BODY_LINES = 40  # lines of a text that are printed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--port", type=int, default=1025, help="the port to listen on (default 1025; 0 takes a free one)"
    )
    parser.add_argument("--tls", action="store_true", help="demand STARTTLS, with a certificate made on the spot")
    parser.add_argument("--login", metavar="USER", help="demand a login as USER; the password is made up and printed")
    parser.add_argument("--count", type=int, metavar="N", help="end after N messages")


def run(arguments: argparse.Namespace) -> int:
    """Print messages until Ctrl-C, or until --count of them came."""
    from queue import SimpleQueue

    from mailwright.inbox import Inbox
    from mailwright.mailer.outgoing import fresh_token

    login = (arguments.login, fresh_token()[:12]) if arguments.login else None
    arrived: SimpleQueue[Received] = SimpleQueue()
    with Inbox(login, arguments.tls, port=arguments.port, answer=arrived.put) as inbox:
        print(f"Listening on {inbox.server}. Send to it with:")
        print(f"  export MAILWRIGHT_URL='{inbox.url}'")
        print("Ctrl-C ends it.", flush=True)
        number = 0
        while arguments.count is None or number < arguments.count:
            number += 1
            _show(number, arrived.get())
    return 0


def _show(number: int, received: Received) -> None:
    from mailwright.words.reply import visible

    message, envelope = received.message, received.envelope
    sender = envelope.reverse_path or "<>"
    print(f"\n── {number} ── {sender} → {', '.join(r.spec for r in envelope.recipients[:10])}")
    print(f"   Subject: {visible(message.subject, 200)}")
    lines = (message.text or "").splitlines()
    for line in lines[:BODY_LINES]:
        print(f"   {visible(line, 200)}")
    if len(lines) > BODY_LINES:
        print(f"   … and {len(lines) - BODY_LINES} more lines")
    for attachment in message.attachments:
        print(f"   📎 {visible(str(attachment.name), 100)}")
    print(end="", flush=True)
