"""Send a message. The text comes from --text, from --text-file, or from standard input:

  echo "The backup is done." | mailwright send --to ada@example.org --subject Backup

The server comes from the environment (MAILWRIGHT_URL, or SMTP_HOST and its kin) or from the configuration
file; `mailwright config` shows which. A password never stands on the command line.
"""

from __future__ import annotations

import os
import sys

from mailwright.cli.exit_codes import CANTCREAT, INTERRUPTED, IOERR, USAGE, code_for
from mailwright.cli.given import STANDARD_INPUT, pair, read_text, said

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from mailwright.mailer.settings import Settings
    from mailwright.message.attachment import Attachment
    from mailwright.message.message import Message
    from mailwright.words.errors import MailError
    from mailwright.words.receipt import Receipt

EPILOG = """exit codes:
   0  the server took it for every recipient; off a terminal nothing is printed
  75  not now: nobody got it, and the same command later may work
  74  in doubt: all was sent and no answer came, so that a repetition may make a copy;
      or the message was sent and standard output can't be written
  67  a recipient was refused; the others, if there are any, got it
  65  the message can't be built, or the server refused what is in it
  77  the login or the sender was refused       76  no safe connection
  69  the server refused, or can't do it        68  there is no such server
  78  settings     66  a file can't be read     64  this command line
"""
#: Options of mail, mutt, swaks, sendmail and of other libraries, and ours.
FAMILIAR = {
    "--body": "--text", "--message": "--text", "-m": "--text", "-M": "--text",
    "--attachment": "--attach", "--file": "--attach", "-a": "--attach", "-A": "--attach",
    "--host": "--server", "--smtp": "--server", "--port": "--server", "--user": "--server or --account",
    "--login": "--server or --account", "--recipient": "--to", "-t": "--to", "--sender": "--from", "-f": "--from",
    "-r": "--from", "-c": "--cc", "-b": "--bcc", "-E": "--skip-empty", "--title": "--subject",
}  # fmt: skip


class Misuse(Exception):
    """The command line describes no message; the text says why."""


STAND_IN = "you@example.invalid"  # the sender of a message that is only looked at


def add_message_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that make a message; `message_of` reads them."""
    several = {"action": "append", "default": [], "metavar": "ADDRESS"}
    add = parser.add_argument_group("who").add_argument
    add("--to", help="a recipient; may be repeated, or hold several with commas", **several)  # type: ignore[arg-type]
    add("--cc", help="one who gets a copy", **several)  # type: ignore[arg-type]
    add("--bcc", help="one who gets a copy that the others don't see", **several)  # type: ignore[arg-type]
    add("--from", dest="sender", metavar="ADDRESS", help="the sender; else the one of the settings (SENDER_EMAIL)")
    add("--reply-to", help="where answers go, if not to the sender", **several)  # type: ignore[arg-type]
    add = parser.add_argument_group("what").add_argument
    add("--subject", "-s", default="", metavar="TEXT", help="one line")
    add("--text", metavar="TEXT", help="the text itself")
    add("--text-file", metavar="FILE", help="a file with the text, in UTF-8; - is standard input")
    add("--html", metavar="FILE", help="a file with HTML; - is standard input; without a text one is made of it")
    add("--attach", action="append", default=[], metavar="FILE", help="a file to go along; may be repeated")
    add("--inline", action="append", default=[], metavar="NAME=FILE", help='shown in the HTML by <img src="cid:NAME">')
    add("--header", action="append", default=[], metavar="'NAME: VALUE'", help="a further header field")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_message_arguments(parser)
    add = parser.add_argument_group("through which server").add_argument
    add("--account", metavar="NAME", help="an account of the configuration file")
    add("--server", metavar="URL", help="such as smtp+plain://localhost:1025; one with a password is refused")
    add = parser.add_argument_group("how").add_argument
    add("--dry-run", action="store_true", help="print the message and send nothing")
    add("--preview", action="store_true", help="show the message in the browser and send nothing")
    add("--json", action="store_true", help="print the receipt, or the error, as JSON")
    add("--skip-empty", action="store_true", help="send nothing when there is no text but white space (for cron)")


def run(arguments: argparse.Namespace) -> int:
    """Send, preview or print; give the exit code."""
    from mailwright.words.errors import MailError

    problem = _misuse(arguments)
    if problem:
        return _refuse(problem)
    try:
        return _run(arguments)
    except MailError as error:
        if arguments.json:
            _tell_json(_error_facts(error))
        raise


def _run(arguments: argparse.Namespace) -> int:
    looking = arguments.dry_run or arguments.preview
    settings = _settings(arguments, looking)
    try:
        message = message_of(arguments, settings.sender if settings is not None else None, looking)
    except Misuse as problem:
        return _refuse(str(problem))
    if arguments.skip_empty and not (message.html or (message.text or "").strip()):
        return 0
    if arguments.preview:
        return _preview(message)
    return _print_message(arguments, message) if arguments.dry_run else _send(arguments, message, settings)


def message_of(arguments: argparse.Namespace, sender: str | None, looking: bool = False) -> Message:
    """The message that those options describe, `sender` being that of the settings. Raises `MessageError`, `Misuse`."""
    html = read_text(arguments.html) if arguments.html else None
    # Everything else is checked before the text is read: somebody may be about to type it.
    message = _message(arguments, sender, html)
    if message.sender is None and not looking:
        raise Misuse("no sender: give --from ADDRESS, or set one with the server (SENDER_EMAIL).")
    if not message.to + message.cc + message.bcc:
        raise Misuse("no recipient: --to is empty. Is it filled from a variable that is not set?")
    return _with(message, _text(arguments), looking)


def _refuse(problem: str) -> int:
    from mailwright.cli import complain

    complain(f"{problem} See mailwright send --help.", "mailwright send")
    return USAGE


def _misuse(arguments: argparse.Namespace) -> str:
    server = arguments.server or ""
    if "://" not in server and ":" in server.rpartition("@")[0]:  # with a scheme it was refused already
        from mailwright.cli import WAYS_OUT

        return WAYS_OUT
    if arguments.preview and arguments.dry_run:
        return "give either --preview or --dry-run."
    return misuse_of_message(arguments)


def misuse_of_message(arguments: argparse.Namespace) -> str:
    """What is wrong with the options of `add_message_arguments`; empty if nothing is."""
    if not (arguments.to or arguments.cc or arguments.bcc):
        return "no recipient: give at least one --to ADDRESS."
    if [arguments.text_file, arguments.html].count(STANDARD_INPUT) > 1:
        return "only one of --text-file and --html can be standard input."
    if arguments.text is not None and arguments.text_file is not None:
        return "give either --text or --text-file."
    if arguments.inline and not arguments.html:
        return "--inline is shown by HTML: give that with --html FILE, or use --attach."
    return ""


def _settings(arguments: argparse.Namespace, looking: bool) -> Settings | None:
    """The settings that count. A look at a message needs none, and with a sender it asks for none."""
    from mailwright.mailer.settings import resolve
    from mailwright.words.errors import ConfigError

    if looking and arguments.sender:
        return None
    try:
        return resolve(server=arguments.server, account=arguments.account, sender=_sender(arguments))
    except ConfigError:
        if looking and arguments.server is None and arguments.account is None:
            return None
        raise


def _sender(arguments: argparse.Namespace) -> str | None:
    """The address of --from, whose account is meant; what is none is told where the message is made."""
    from mailwright.words.address import Address
    from mailwright.words.errors import MailError

    try:
        return Address.of(said(arguments.sender, "from")).spec if arguments.sender else None
    except MailError:
        return None


def _message(arguments: argparse.Namespace, sender: str | None, html: str | None) -> Message:
    """The message, still without its text."""
    from mailwright.message.message import Message

    inline = [pair(item, "=", "inline", "logo=logo.png") for item in arguments.inline]
    headers = [pair(line, ":", "header", "'X-Team: billing'") for line in arguments.header]
    return Message(
        said(arguments.sender, "from") if arguments.sender else sender,
        [said(address, "to") for address in arguments.to],
        said(arguments.subject, "subject"),
        html=html,
        attachments=[_file(path, "attach") for path in arguments.attach],
        inline=[_file(path, "inline", name) for name, path in inline],
        cc=[said(address, "cc") for address in arguments.cc],
        bcc=[said(address, "bcc") for address in arguments.bcc],
        reply_to=[said(address, "reply-to") for address in arguments.reply_to],
        headers=[(name, said(text, "header")) for name, text in headers] or None,
    )


def _file(path: str, option: str, cid: str | None = None) -> Attachment:
    from mailwright.message.attachment import Attachment

    return Attachment(path, said(os.path.basename(path), option) or None, cid=cid)


def _with(message: Message, text: str | None, looking: bool) -> Message:
    from mailwright.words.value import replace

    if message.sender is None and looking:
        message = replace(message, sender=STAND_IN)
    return message if text is None else replace(message, text=text)


def _text(arguments: argparse.Namespace) -> str | None:
    from mailwright.words.errors import MessageError

    if arguments.text is not None:
        return said(arguments.text, "text")
    if arguments.text_file is not None:
        return read_text(arguments.text_file)
    if arguments.html:
        return None
    text = read_text(STANDARD_INPUT)
    if not text.strip() and sys.stdin.isatty() and not getattr(arguments, "skip_empty", False):
        raise MessageError("No text was typed, so nothing was sent.", "A message without a text is sent by --text ''.")
    return text


def _preview(message: Message) -> int:
    from mailwright.cli import complain, tell
    from mailwright.message.preview import open_in_browser

    try:
        path = open_in_browser(message)
    except OSError as problem:
        complain(f"the page to show can't be written: {problem.strerror}. Set TMPDIR to a directory that is writable.")
        return CANTCREAT
    if sys.stdout.isatty():
        tell(f"Shown in the browser, not sent: {path}")
    return 0


def _print_message(arguments: argparse.Namespace, message: Message) -> int:
    from mailwright.mailer.outgoing import outgoing_mail
    from mailwright.words.reply import visible

    mail = outgoing_mail(message, None, None)
    recipients = [recipient.spec for recipient in mail.envelope.recipients]
    content = mail.content_for(False)
    if arguments.json:
        text = bytes(content).decode("utf-8", "backslashreplace")
        _tell_json({"sender": mail.envelope.reverse_path, "recipients": recipients, "message": text})
        return 0
    rest = b""
    for chunk in content.chunks():
        octets = rest + chunk
        rest = octets[-1:] if octets.endswith(b"\r") else b""  # its LF comes with the next chunk
        octets = octets[: len(octets) - len(rest)].replace(b"\r\n", os.linesep.encode())
        sys.stdout.buffer.write(octets)
    sys.stdout.buffer.write(rest)
    if sys.stderr.isatty():
        way = f"from {mail.envelope.reverse_path} to {', '.join(recipients)}"
        print(f"Not sent. It would go {visible(way, 1000)}.", file=sys.stderr)
    return 0


def _send(arguments: argparse.Namespace, message: Message, settings: Settings | None) -> int:
    from mailwright.cli import complain
    from mailwright.cli.progress import Upload
    from mailwright.mailer.outgoing import outgoing_mail
    from mailwright.mailer.pool import ONE_MESSAGE
    from mailwright.mailer.sync import Mailer
    from mailwright.words.errors import DeliveryError, MailError, MessageError, RecipientsRefused

    assert settings is not None  # only a message that is looked at goes without
    upload, server = Upload(outgoing_mail(message, None, None)), settings.for_mail
    try:
        with upload, Mailer(server, limits=ONE_MESSAGE) as mailer:
            receipt = mailer.send(upload.mail)
    except RecipientsRefused as error:
        error.advice = _advice(error.receipt)
        raise
    except MessageError as error:
        if not upload.begun or isinstance(error.__cause__, OSError):
            raise
        # A file that grew under way: the next time it is attached anew.
        again = "Nothing was delivered, so the same command can be run again."
        raise DeliveryError(error.what, again, phase="content", temporary=True) from error
    except MailError:
        raise
    except OSError as problem:
        # One that nobody explained must not pass for that of a reader who left our output.
        raise RuntimeError("an error of the network was not explained") from problem
    except KeyboardInterrupt as interrupt:
        known = interrupt.__cause__  # how far it had come
        doubtful = isinstance(known, DeliveryError) and known.in_doubt
        complain(f"interrupted; {'the message may or may not arrive' if doubtful else 'nothing was delivered'}.")
        return INTERRUPTED
    return _report(arguments, receipt)


def _advice(receipt: Receipt | None) -> str:
    """What to do about refused recipients, in the words of the command line."""
    if receipt is None or not receipt.remaining:
        return "Correct or remove those addresses."
    if not receipt.accepted:
        return "Try again later."
    rest = ", ".join(address.spec for address in receipt.remaining)
    return f"Send it later once more, but only to {rest}; the others must not get it again."


def _report(arguments: argparse.Namespace, receipt: Receipt) -> int:
    """Say that it went well, where somebody asked or looks."""
    from mailwright.cli import complain, tell

    try:
        if arguments.json:
            _tell_json(_facts(receipt))
        elif sys.stdout.isatty():
            tell(str(receipt))
    except OSError as problem:
        complain(f"the message was sent, but the output can't be written: {problem.strerror}.")
        return IOERR
    return 0


def _tell_json(facts: dict[str, Any]) -> None:
    import json

    from mailwright.cli import tell

    tell(json.dumps(facts))


def _facts(receipt: Receipt) -> dict[str, Any]:
    caught = {"diverted": receipt.diverted} if receipt.diverted else {}
    return caught | {
        "host": receipt.host,
        "port": receipt.port,
        "message_id": receipt.message_id,
        "size": receipt.size,
        "tls": receipt.tls.version if receipt.tls else None,
        "recipients": [
            {"address": one.recipient.spec, "fate": one.fate, "reply": one.reply.text if one.reply else None}
            for one in receipt.outcomes
        ],
    }


def _error_facts(error: MailError) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "error": type(error).__name__,
        "exit_code": code_for(error),
        "what": error.what,
        "advice": error.advice,
        "phase": getattr(error, "phase", "") or None,
        "temporary": getattr(error, "temporary", False),
        "in_doubt": getattr(error, "in_doubt", False),
    }
    receipt = getattr(error, "receipt", None)
    return facts | (_facts(receipt) if receipt is not None else {})
