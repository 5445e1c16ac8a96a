"""Send a message. The text comes from --text, from --text-file, or from standard input.

  echo "The backup is done." | mailwright send --to ada@example.org --subject "Backup"

The server comes from the environment (MAILWRIGHT_URL or SMTP_HOST …) or from the configuration file; a
password never stands on the command line, where every user of the machine can read it. `mailwright config`
shows what would be used.

Exit codes: 0 accepted for all; 75 try again later; 67 a recipient was refused; 74 in doubt (a repetition may
make a copy); 77 login or sender refused; 76 no safe connection; 78 settings; 66 a file can't be read; 65 the
message; 64 this command line.
"""

from __future__ import annotations

import json
import os
import sys

from mailwright.cli.exit_codes import USAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from mailwright.message.message import Message
    from mailwright.words.errors import DeliveryError
    from mailwright.words.receipt import Receipt

_WAYS_OUT = (
    "a secret must not stand on the command line: everybody on this machine can read it there. "
    "Put it into SMTP_PASSWORD_FILE or MAILWRIGHT_URL (environment), or name an --account of the configuration file."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add = parser.add_argument
    add(
        "--to",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="a recipient; may be repeated or hold several with commas",
    )
    add("--cc", action="append", default=[], metavar="ADDRESS")
    add("--bcc", action="append", default=[], metavar="ADDRESS", help="a recipient whom the others don't see")
    add("--from", dest="sender", metavar="ADDRESS", help="the sender; else SENDER_EMAIL or the account's")
    add("--reply-to", action="append", default=[], metavar="ADDRESS")
    add("--subject", "-s", default="", metavar="TEXT")
    add("--text", metavar="TEXT", help="the text itself")
    add("--text-file", metavar="FILE", help="a file with the text; - is standard input")
    add("--html", metavar="FILE", help="a file with HTML; - is standard input")
    add("--attach", action="append", default=[], metavar="FILE")
    add(
        "--inline",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a file shown in the HTML as cid:NAME",
    )
    add("--header", action="append", default=[], metavar="NAME:VALUE", help="a further header field")
    add("--account", metavar="NAME", help="an account of the configuration file")
    add(
        "--server",
        metavar="URL",
        help="such as smtps://ada%%40example.org@smtp.example.org, without a password",
    )
    add("--dry-run", action="store_true", help="print the message and send nothing")
    add("--preview", action="store_true", help="show the message in the browser and send nothing")
    add("--json", action="store_true", help="print the receipt, or the error, as JSON")
    add("--skip-empty", action="store_true", help="send nothing when the text is empty (for cron)")
    # Named only to be refused in words:
    add("--password", nargs="?", const="", help="refused: see above")


def run(arguments: argparse.Namespace) -> int:
    """Send, preview or print; give the exit code."""
    problem = _misuse(arguments)
    if problem:
        print(f"mailwright send: {problem}", file=sys.stderr)
        return USAGE
    text, html = _bodies(arguments)
    if arguments.skip_empty and not (text or "").strip() and html is None:
        return 0
    message = _message(arguments, text, html)
    if arguments.preview:
        message.preview()
        return 0
    if arguments.dry_run:
        return _print_message(arguments, message)
    return _send(arguments, message)


def _misuse(arguments: argparse.Namespace) -> str:
    if arguments.password is not None or _has_password(arguments.server or ""):
        return _WAYS_OUT
    if not (arguments.to or arguments.cc or arguments.bcc):
        return "no recipient: give at least one --to."
    if [arguments.text_file, arguments.html].count("-") > 1:
        return "only one of --text-file and --html can be standard input."
    if arguments.text is not None and arguments.text_file is not None:
        return "give either --text or --text-file."
    return ""


def _has_password(url: str) -> bool:
    # Everything before the last "@" may belong to the secret: a password can hold any character.
    login = url.partition("://")[2].rpartition("@")[0]
    return ":" in login


def _bodies(arguments: argparse.Namespace) -> tuple[str | None, str | None]:
    html = _read_text(arguments.html) if arguments.html else None
    if arguments.text is not None:
        return arguments.text, html
    if arguments.text_file is not None:
        return _read_text(arguments.text_file), html
    if html is not None or sys.stdin is None:
        return None, html
    if sys.stdin.isatty():
        print("Type the text; end it with Ctrl-D on a line of its own.", file=sys.stderr)
    return _read_text("-"), None


def _read_text(name: str) -> str:
    from mailwright.words.errors import MessageError

    try:
        if name == "-":
            data = sys.stdin.buffer.read() if sys.stdin is not None else b""
        else:
            with open(name, "rb") as file:
                data = file.read()
    except OSError as problem:
        raise MessageError(
            f"{name} can't be read: {problem.strerror}.", "Check the name and the permissions."
        ) from problem
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        where = "standard input" if name == "-" else name
        raise MessageError(
            f"{where} is not UTF-8 text (octet {problem.start + 1}).",
            "Convert it with iconv, or send it with --attach.",
        ) from None


def _message(arguments: argparse.Namespace, text: str | None, html: str | None) -> Message:
    from mailwright.message.message import Message
    from mailwright.words.errors import MessageError

    headers: dict[str, str] = {}
    for line in arguments.header:
        name, colon, content = line.partition(":")
        if not colon:
            raise MessageError(f"--header {line[:60]!r} has no colon.", "Write it like --header 'X-Team: billing'.")
        headers[name.strip()] = content.strip()
    inline: dict[str, str] = {}
    for item in arguments.inline:
        name, equals, path = item.partition("=")
        if not equals:
            raise MessageError(f"--inline {item[:60]!r} has no name.", "Write it like --inline logo=logo.png.")
        inline[name] = path
    sender = arguments.sender or _configured_sender(arguments)
    return Message(
        sender, arguments.to, arguments.subject, text, html, cc=arguments.cc, bcc=arguments.bcc,
        reply_to=arguments.reply_to, attachments=arguments.attach, inline=inline or None, headers=headers or None,
    )  # fmt: skip


def _configured_sender(arguments: argparse.Namespace) -> str | None:
    from mailwright.mailer.settings import resolve
    from mailwright.words.errors import ConfigError

    try:
        return resolve(server=arguments.server, account=arguments.account).sender
    except ConfigError:
        if arguments.dry_run or arguments.preview:
            return "you@example.invalid"  # a look at the message needs no account
        raise


def _print_message(arguments: argparse.Namespace, message: Message) -> int:
    from mailwright.mailer.outgoing import outgoing_mail

    mail = outgoing_mail(message, None, None)
    if arguments.json:
        recipients = [recipient.spec for recipient in mail.envelope.recipients]
        content = bytes(mail.content_for(False)).decode("utf-8", "backslashreplace")
        print(json.dumps({"sender": mail.envelope.reverse_path, "recipients": recipients, "message": content}))
        return 0
    out = getattr(sys.stdout, "buffer", None)
    for chunk in mail.content_for(False).chunks():
        if out is None:
            sys.stdout.write(chunk.decode("utf-8", "backslashreplace"))
        else:
            out.write(chunk.replace(b"\r\n", b"\n") if os.linesep == "\n" else chunk)
    return 0


def _send(arguments: argparse.Namespace, message: Message) -> int:
    from mailwright.cli.progress import showing_progress
    from mailwright.mailer.outgoing import outgoing_mail
    from mailwright.sending import send
    from mailwright.words.errors import DeliveryError

    mail = showing_progress(outgoing_mail(message, None, None))
    try:
        receipt = send(mail, server=arguments.server, account=arguments.account)
    except DeliveryError as error:
        if arguments.json:
            print(json.dumps(_error_facts(error)))
        raise
    if arguments.json:
        print(json.dumps(_facts(receipt)))
    elif sys.stdout.isatty():
        print(receipt)
    return 0


def _facts(receipt: Receipt) -> dict[str, Any]:
    return {
        "host": receipt.host,
        "port": receipt.port,
        "message_id": receipt.message_id,
        "size": receipt.size,
        "tls": receipt.tls.version if receipt.tls else None,
        "recipients": [
            {"address": o.recipient.spec, "fate": o.fate, "reply": o.reply.text if o.reply else None}
            for o in receipt.outcomes
        ],
    }


def _error_facts(error: DeliveryError) -> dict[str, Any]:
    facts = {
        "error": type(error).__name__,
        "what": error.what,
        "advice": error.advice,
        "phase": error.phase,
        "temporary": error.temporary,
        "in_doubt": error.in_doubt,
    }
    return facts | (_facts(error.receipt) if error.receipt else {})
