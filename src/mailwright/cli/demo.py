"""Send one real message, without an account: a local inbox is started on this machine, with TLS and a login
as a provider has them, and a message with text, HTML, a picture and an attachment goes through it as yours
would. Then it is read back and compared.
"""

from __future__ import annotations

import os
import sys
from binascii import a2b_base64

from mailwright.cli.exit_codes import SOFTWARE
from mailwright.mailer.catching import CATCH

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from mailwright.inbox import Inbox, Received
    from mailwright.message.message import Message
    from mailwright.words.receipt import Receipt

    Say = Callable[[str], object]

# A picture of 8 by 8 pixels, so that the demo needs no file.
PICTURE = a2b_base64(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEklEQVR4nGNw2NKIFTEMLQkAqVNRgZ5e4pIAAAAASUVORK5CYII="
)
TEXT = "Grüß dich, Grace!\n\nThis went through a real SMTP server.\n.\n(The line above is a lone dot.)\n"
HTML = '<p>Grüß dich, <b>Grace</b>! <img src="cid:square" alt="a square"></p><p>This went through a server.</p>'
TABLE = "Größe;Preis\r\n1;0,50 €\r\n".encode()
_WHERE = "To see it on its page: mailwright demo --stay, or make demo ARGS=--stay; then http://127.0.0.1:8025/"
USER, PASSWORD = "ada@example.org", "a password for the demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--quiet", action="store_true", help="print only whether it came back equal")
    parser.add_argument("--stay", action="store_true", help="keep the message on a page, until Ctrl-C")


def run(arguments: argparse.Namespace) -> int:
    """Show the whole way of one message; 0 if what arrived equals what was sent."""
    os.environ.pop(CATCH, None)  # the demo sends to an inbox of its own and to nobody else: there is nothing to catch
    say: Say = _nothing if arguments.quiet else print
    from mailwright.inbox import Inbox
    from mailwright.mailer.sync import Mailer

    message = demo_message()
    with Inbox(login=(USER, PASSWORD)) as inbox:
        if inbox.notice:
            say(inbox.notice)
        say(f"A local inbox listens on {inbox.server}; nothing leaves this machine.\n")
        with Mailer(inbox.server) as mailer:
            receipt = mailer.send(message)
        received = inbox.wait(to="grace@example.org", timeout=10)
        _show_stages(say, inbox, receipt)
        say(f"\nTranscript (secrets masked):\n{receipt.transcript}\n")
        differences = compare(message, received)
        for difference in differences:
            print(f"DIFFERENT: {difference}", file=sys.stderr)
        if differences:
            return SOFTWARE
        print("The message came back equal: subject, names, text, HTML, picture and attachment.", flush=True)
        if arguments.stay:
            _stay(inbox)
        elif _has_page():
            say(_WHERE)
    return 0


def _has_page() -> bool:
    """Whether the extra is installed that makes the page."""
    from importlib.util import find_spec

    return all(find_spec(package) is not None for package in ("starlette", "uvicorn", "jinja2"))


def _stay(inbox: Inbox) -> None:
    """Show the message on a page until somebody ends it. Raises `MissingExtra`."""
    from threading import Event

    from mailwright.cli.inbox.opening import ended_by_sigterm, site_at_usual_port
    from mailwright.inbox.web import Site

    def site(port: int) -> Site:
        return Site(inbox.store, inbox.faults, port=port, smtp=inbox.server, smtp_url=inbox.url)

    with ended_by_sigterm(), site_at_usual_port(site) as opened:
        print(f"It is on the page {opened.url} now. Ctrl-C ends it.", flush=True)
        try:
            while not Event().wait(1.0):  # on Windows a wait without an end does not hear Ctrl-C
                pass
        except KeyboardInterrupt:
            pass


def _nothing(text: str) -> None:
    """Say nothing."""


def demo_message() -> Message:
    """The message of the demo: everything a first message may need, and letters that are not ASCII wherever
    they may stand.
    """
    from mailwright.message.attachment import Attachment
    from mailwright.message.message import Message

    return Message(
        ("Ada Łucja", "ada@example.org"),
        [("Grace Hüpper", "grace@example.org")],
        "Ein Gruß aus der Demo ✉",
        TEXT,
        HTML,
        inline={"square": PICTURE},
        attachments=[Attachment(TABLE, "Preisübersicht.csv", "text/csv")],
    )


def _show_stages(say: Say, inbox: Inbox, receipt: Receipt) -> None:
    tls = receipt.tls
    secured = f"{tls.version}, {tls.cipher}, certificate verified" if tls else "not: TLS needs the extra named above"
    rows = [
        ("connected", f"to {inbox.server}"),
        ("secured", secured),
        ("logged in", f"as {receipt.login}"),
        ("sent", str(receipt)),
    ]
    for stage, fact in rows:
        say(f"  {stage:10} {fact}")


def compare(message: Message, received: Received) -> list[str]:
    """What differs between the message sent and the one that arrived, part by part, read back by the standard
    library.
    """
    from email import policy
    from email.parser import BytesParser

    back = BytesParser(policy=policy.default).parsebytes(received.content)
    attachment = next(iter(back.iter_attachments()), None)
    picture = next((part for part in back.walk() if part.get_content_type() == "image/png"), None)
    text, html = back.get_body(("plain",)), back.get_body(("html",))
    checks = [
        ("the subject", str(back["Subject"]), message.subject),
        ("the sender", str(back["From"].addresses[0].display_name), "Ada Łucja"),
        ("the recipient", str(back["To"].addresses[0].display_name), "Grace Hüpper"),
        ("the text", text.get_content().replace("\r\n", "\n") if text else None, TEXT),
        ("the HTML", html.get_content().strip() if html else None, HTML),
        ("the picture", picture.get_content() if picture else None, PICTURE),
        ("the attachment's name", attachment.get_filename() if attachment else None, "Preisübersicht.csv"),
        ("the attachment", attachment.get_payload(decode=True) if attachment else None, TABLE),
        ("the envelope", [r.spec for r in received.envelope.recipients], ["grace@example.org"]),
    ]
    return [f"{what}: {arrived!r} instead of {sent!r}" for what, arrived, sent in checks if arrived != sent]
