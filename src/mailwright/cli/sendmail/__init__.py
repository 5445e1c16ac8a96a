"""sendmail: hand a message to the mail server of the settings, as the program of that name does.

  echo "Subject: Backup

  It is done." | mailwright sendmail ada@example.org

Cron, PHP, git and the like call it as sendmail through a link. When it ends with 0, the server has the message; with
--queue the outbox has it, on the disk, and `mailwright outbox work` delivers it. The options that concern a queue, a
daemon or a file of settings are passed over.
"""

from __future__ import annotations

import os
import sys

from mailwright.cli.exit_codes import INTERRUPTED, TEMPFAIL, USAGE, code_for
from mailwright.cli.sendmail.options import Misuse, Options, read_options
from mailwright.words.address import Address
from mailwright.words.errors import (
    AddressError,
    ConfigError,
    DeliveryError,
    MailError,
    MessageError,
    RecipientsRefused,
)
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from mailwright.cli.sendmail.addressing import Addressing
    from mailwright.mailer.account import Settings
    from mailwright.words.envelope import Envelope
    from mailwright.words.receipt import Receipt

WHO = "mailwright sendmail"
TOLD_LIMIT = 600  # characters of an error
EPILOG = """exit codes:
   0  the server took it for every recipient; with --queue: the outbox has it
  75  not now: nobody got it, and the same command later may work; with --queue always when the outbox can't be used
  74  in doubt: all was sent and no answer came, so that a repetition may make a copy
  67  a recipient was refused; the others, if there are any, got it
  65  the message can't be sent as it is       77  the login or the sender was refused
  64  this command line                        78  settings

A message that was not sent is saved in ~/dead.letter (or the file that DEAD names).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options, for the help alone: `run_words` reads them, since they are older than any such parser."""
    add = parser.add_argument
    add("-t", action="store_true", help="the recipients stand in To, Cc and Bcc too; Bcc is taken out")
    add("-i", action="store_true", help="a line with a lone dot does not end the message (also -oi)")
    add("-f", metavar="ADDRESS", help="the sender of the envelope (also -r); <> for none")
    add("-F", metavar="NAME", help="the sender's name, for a message without From")
    add("-bm", action="store_true", help="send a message, as without it")
    add("-bs", action="store_true", help="speak SMTP on standard input and output")
    add("-bv", action="store_true", help="print whom the recipients mean, and send nothing")
    add(
        "-bp",
        action="store_true",
        help="print the queue: with --queue what waits in the outbox, else none (also mailq)",
    )
    add("-bi", action="store_true", help="nothing: aliases need no rebuilding (also newaliases)")
    add("-q", action="store_true", help="nothing: there is no queue to run")
    add("-N", metavar="WHEN", help="ask for reports: never, or any of success,failure,delay")
    add("-R", metavar="WHAT", help="what a report returns: full or hdrs")
    add("-V", metavar="ID", help="a mark that comes back in reports")
    add("-v", action="store_true", help="print what was said to the server")
    add("--account", metavar="NAME", help="an account of the configuration file")
    add("--queue", action="store_true", help="put it into the outbox, from where `mailwright outbox work` delivers it")
    add("--outbox", metavar="URL", help="which outbox; else MAILWRIGHT_OUTBOX or the configuration file says it")


def run_words(words: Sequence[str]) -> int:
    """Do what a command line of sendmail says; give the exit code."""
    from mailwright.cli import complain, tell

    if words and words[0] in ("--help", "--version"):
        tell(_help() if words[0] == "--help" else _version())
        return 0
    try:
        options = read_options(words)
        if options.mode == "send" and not (options.recipients or options.from_headers):
            raise Misuse("no recipient: name one, or give -t if they stand in the message.")
    except Misuse as problem:
        complain(f"{problem} See {WHO} --help.", WHO)
        return USAGE
    if options.mode == "queue" and options.queue:
        from mailwright.cli.sendmail.queueing import tell_queue

        return tell_queue(options)
    if options.mode == "queue":
        tell("Mail queue is empty: mailwright keeps none, and says at once what became of a message.")
        return 0
    if options.mode == "aliases":
        return 0
    return _MODES[options.mode](options)


def _help() -> str:
    import argparse

    from mailwright.cli import Parser

    parser = Parser(
        prog=WHO,
        usage=f"{WHO} [OPTION ...] [RECIPIENT ...]",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,  # -h has a value here, and another meaning
    )
    add_arguments(parser)
    parser.add_argument("--help", action="store_true", help="show this and exit")
    return parser.format_help().rstrip("\n")


def _version() -> str:
    from mailwright import __version__

    return f"mailwright {__version__}"


def _send(options: Options) -> int:
    """Read a message and send it. Whatever goes wrong once it was read, it is saved."""
    from mailwright.cli import complain
    from mailwright.cli.sendmail.dead_letter import keep
    from mailwright.cli.sendmail.reading import read_message

    try:
        octets = read_message(sys.stdin.buffer, options.dot_ends)
    except MailError as error:
        complain(str(error), WHO)
        return code_for(error)
    try:
        if options.queue:
            from mailwright.cli.sendmail.queueing import queued

            queued(octets, options)
        else:
            _handed_over(octets, options)
        return 0
    except MailError as error:
        receipt = getattr(error, "receipt", None)
        if options.verbose and receipt is not None:
            _show(receipt)
        # Cut here, so that the place where the message was saved is not cut off later.
        told = visible(f"{error.what} {_advice(error)}".strip(), TOLD_LIMIT)
        complain(f"{told} {keep(octets, _undelivered(receipt), os.environ)}", WHO)
        return TEMPFAIL if options.queue and not isinstance(error, MessageError) else code_for(error)
    except KeyboardInterrupt as interruption:
        cause = interruption.__cause__
        doubt = isinstance(cause, DeliveryError) and cause.in_doubt
        fate = "the message may or may not arrive" if doubt else "nothing was delivered"
        complain(f"interrupted; {fate}. {keep(octets, (), os.environ)}", WHO)
        return INTERRUPTED
    except Exception:
        complain(keep(octets, (), os.environ), WHO)
        raise


def _handed_over(octets: bytes, options: Options) -> None:
    from mailwright.cli.sendmail.reading import tidied
    from mailwright.mailer.pool import ONE_MESSAGE
    from mailwright.mailer.sync import Mailer

    settings = settings_of(options)
    envelope, finished = addressing_of(options, lambda: settings).addressed(tidied(octets))
    with Mailer(settings.for_mail, limits=ONE_MESSAGE) as mailer:
        receipt = mailer.send((envelope, finished))
    if options.verbose:
        _show(receipt)


def _show(receipt: Receipt) -> None:
    """What was said to the server; and nothing else depends on whether it can be printed."""
    from mailwright.cli import tell

    try:
        for part in receipt.parts or (receipt,):
            tell(f"{part.transcript}\n{part}")
    except OSError:
        pass


def _speak(options: Options) -> int:
    """SMTP on standard input and output."""
    from mailwright.cli.sendmail.reading import LIMIT
    from mailwright.cli.sendmail.stdio import serve
    from mailwright.mailer.sync import Mailer

    if options.queue:
        from mailwright.cli.sendmail.queueing import settings_or_none, tray

        with tray(options) as put:
            serve(put, addressing_of(options, lambda: settings_or_none(options)), LIMIT)
        return 0
    mailers: list[Mailer] = []
    settings: list[Settings] = []

    def known() -> Settings:
        if not settings:  # only now: who only says EHLO needs none, and an error is an answer in the talk
            settings.append(settings_of(options))
        return settings[0]

    def send(message: tuple[Envelope, bytes]) -> Receipt:
        if not mailers:
            mailers.append(Mailer(known().for_mail))
        return mailers[0].send(message, on_refusal="stop")

    try:
        serve(send, addressing_of(options, known), LIMIT)
    finally:
        for one in mailers:
            one.close()
    return 0


def _verify(options: Options) -> int:
    """Whom the recipients mean."""
    from mailwright.cli import tell

    for address in addressing_of(options, lambda: settings_of(options)).recipients_of(options.recipients):
        tell(address.spec)
    return 0


_MODES = {"send": _send, "smtp": _speak, "verify": _verify}


def settings_of(options: Options) -> Settings:
    """The settings that count. Raises `ConfigError`."""
    from mailwright.mailer.files import SYSTEM_CONFIG, exists
    from mailwright.mailer.settings import resolve

    try:
        return resolve(account=options.account)
    except ConfigError as problem:
        if exists(SYSTEM_CONFIG) and not os.access(SYSTEM_CONFIG, os.R_OK) and SYSTEM_CONFIG in problem.what:
            raise ConfigError(
                f"This user may not read {SYSTEM_CONFIG}.",
                f"Keep passwords out of it, password = {{file = …}}, and run: chmod 644 {SYSTEM_CONFIG}; or write an "
                "own ~/.config/mailwright/config.toml.",
            ) from None
        raise


def addressing_of(options: Options, settings: Callable[[], Settings | None]) -> Addressing:
    """How the message of this command line is addressed; `settings` are asked for when a sender is wanted."""
    from mailwright.cli.sendmail.addressing import Addressing
    from mailwright.cli.sendmail.aliases import Directory

    def own() -> Address | None:
        return _own_address(settings())

    return Addressing(options, Directory(os.environ, own), own)


def _own_address(settings: Settings | None) -> Address | None:
    """The account's sender; or its user, if that is an address; or this user at this host, if that has a domain."""
    if settings is not None and settings.sender is not None:
        return Address.parse(settings.sender)
    login = settings.described.login if settings is not None else None
    names = [login.user] if login is not None else []
    try:
        import getpass
        import socket

        host = socket.gethostname()
        names += [f"{getpass.getuser()}@{host}"] if "." in host else []
    except (OSError, KeyError, ImportError):
        pass  # this user has no name
    for name in names:
        try:
            return Address.parse(name)
        except AddressError:
            continue
    return None


def _undelivered(receipt: Receipt | None) -> list[str]:
    return [one.recipient.spec for one in receipt.outcomes if one.fate != "accepted"] if receipt is not None else []


def _advice(error: MailError) -> str:
    """What to do, in the words of who piped a message in."""
    receipt = getattr(error, "receipt", None)
    if not isinstance(error, RecipientsRefused) or receipt is None:
        return error.advice
    if not receipt.remaining:
        return "Correct or remove those addresses."
    if not receipt.accepted:
        return "Try again later."
    rest = ", ".join(address.spec for address in receipt.remaining)
    return f"Send it later once more, but only to {rest}; the others must not get it again."
