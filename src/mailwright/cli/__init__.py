"""Floor 7: the command line. One module for each command, loaded when it is used.

A command has ``add_arguments(parser)`` and ``run(arguments) -> int``; it may have an ``EPILOG`` for its help,
and ``FAMILIAR``, the options of other tools with ours. An error leaves as one line on standard error and an exit
code after sysexits, never as a traceback (``MAILWRIGHT_DEBUG=1`` adds one, for who looks for a defect of ours).

A secret on the command line is refused before anything else happens, and no complaint repeats a word that
was not understood: it may be one.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings

from mailwright.cli.exit_codes import INTERRUPTED, IOERR, OSERR, SOFTWARE, USAGE, code_for
from mailwright.words.url import holds_password

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import ModuleType
    from typing import NoReturn, TextIO

COMMANDS = {
    "send": "send a message",
    "sendmail": "hand a message on, as the program of that name does",
    "doctor": "check the way that mail would go, and send none",
    "explain": "say what an error means and what to do",
    "providers": "show what to use for an address, and how to get the password",
    "login": "store an app password, or log in with OAuth 2",
    "demo": "send one real message to a local inbox and show each stage",
    "inbox": "listen on this machine and show what arrives, on a page and here",
    "lint": "check messages before they are sent",
    "outbox": "a durable tray: put messages in, deliver them, see what became of them",
    "config": "show which server would be used, and where each value comes from",
}
#: The names under which other programs call us, through a link.
LINKS = {
    "sendmail": ["sendmail"],
    "mailwright-sendmail": ["sendmail"],
    "mailq": ["sendmail", "-bp"],
    "newaliases": ["sendmail", "-bi"],
}
WAYS_OUT = (
    "a secret must not stand on the command line: everybody on this machine can read it there. Nothing was done. "
    "Set MAILWRIGHT_URL, or SMTP_HOST with SMTP_USER and SMTP_PASSWORD_FILE, in the environment, or name an --account "
    "of the configuration file; and take it out of the shell's history."
)
#: What the name of an option holds that is given a secret, in any tool.
_SECRET_NAMES = ("pass", "pwd", "secret", "token", "apikey", "api-key")
_LINE_LIMIT = 1000  # characters of a complaint


class Parser(argparse.ArgumentParser):
    """The parser of the standard library, but it complains in one line, with 64 (EX_USAGE), and repeats no
    value.
    """

    def error(self, message: str) -> NoReturn:
        """Print the mistake and exit."""
        # "argument --port: invalid int value: '…'": what stands in quotation marks came from the command line.
        what = message.partition(" '")[0].partition(' "')[0].rstrip(":")
        what = what.replace("invalid int value", "this takes a whole number")
        what = what.replace("invalid float value", "this takes a number")
        complain(f"{what}. See {self.prog} --help.", self.prog)
        self.exit(USAGE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name) and give the exit code."""
    words = [*LINKS.get(os.path.basename(sys.argv[0]), ()), *sys.argv[1:]] if argv is None else list(argv)
    _prepare_streams()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _tell_warning  # type: ignore[assignment]
            code = _dispatch(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        complain("interrupted.")
        code = INTERRUPTED
    except BrokenPipeError:
        _silence(sys.stdout)  # whoever read our output has left, which is no mistake of anybody
        code = 0
    except Exception as error:
        code = _explain(error)
    return _flushed(code)


def _tell_warning(message: Warning | str, *_: object) -> None:
    """A warning as one line, like a complaint: where in our code it arose helps nobody."""
    complain(str(message))


def complain(what: str, who: str = "mailwright") -> None:
    """Print one line on standard error, with nothing in it that could steer a terminal."""
    from mailwright.words.reply import visible

    try:
        print(f"{who}: {visible(what.replace(chr(10), ' '), _LINE_LIMIT)}", file=sys.stderr, flush=True)
    except OSError:
        _silence(sys.stderr)  # nobody listens there; the exit code says it too


def tell(text: str) -> None:
    """Print a result at once. That whoever read it has left is no error; a full disk is (`OSError`)."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _silence(sys.stdout)


def _dispatch(words: list[str]) -> int:
    if words[:2] == ["help", "sendmail"]:
        words = ["sendmail", "--help"]
    if words[:1] == ["sendmail"]:  # its options are those of another age, and it refuses secrets itself
        return int(_module("sendmail").run_words(words[1:]))
    # What follows -- belongs to the program that the inbox is to run.
    ours = words[: words.index("--")] if words[:1] == ["inbox"] and "--" in words else words
    if any(map(_is_secret, ours)):
        complain(WAYS_OUT, " ".join(["mailwright", *(word for word in words[:1] if word in COMMANDS)]))
        return USAGE
    if words[:1] == ["help"]:
        words = [*words[1:2], "--help"]
    if not words or words[0] in ("-h", "--help"):
        print(_overview())
        return 0 if words else USAGE
    if words[0] in ("-V", "--version"):
        from mailwright import __version__

        print(f"mailwright {__version__}")
        return 0
    command = words[0]
    if command not in COMMANDS:
        complain(_no_such_command(command))
        return USAGE
    module = _module(command)
    parser = _parser(command, module)
    arguments, strange = parser.parse_known_args(words[1:])
    if strange:
        complain(f"{_strange(strange[0], parser, module)} See {parser.prog} --help.", parser.prog)
        return USAGE
    code: int = module.run(arguments)
    return code


def _module(command: str) -> ModuleType:
    from importlib import import_module

    return import_module(f"mailwright.cli.{command}")


def _parser(command: str, module: ModuleType) -> Parser:
    parser = Parser(
        prog=f"mailwright {command}",
        usage=f"mailwright {command} [OPTION ...]",
        description=module.__doc__,
        epilog=getattr(module, "EPILOG", None),
        formatter_class=_unmeasured,
        allow_abbrev=False,  # an abbreviation that is clear today is ambiguous with the next option
    )
    module.add_arguments(parser)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    return parser


def _unmeasured(prog: str) -> argparse.HelpFormatter:
    """What each option is checked with when it is added: to ask how wide the terminal is takes 2 ms to load, and only a
    help that is shown needs it.
    """
    return argparse.RawDescriptionHelpFormatter(prog, width=80)


def _overview() -> str:
    lines = ["usage: mailwright COMMAND [OPTION ...]", ""]
    lines += [f"  {name:9} {meaning}" for name, meaning in COMMANDS.items()]
    return "\n".join([*lines, "", "mailwright COMMAND --help tells more; mailwright --version the version."])


def _is_secret(word: str) -> bool:
    """Whether a word of the command line is, or announces, a password."""
    name, equals, value = word.partition("=")
    if word.startswith("--") and " " not in name and any(part in name.lower() for part in _SECRET_NAMES):
        return True
    if word.startswith("-p") or word in ("-ap", "-xp"):  # mysql, swaks, sendEmail; no option of ours begins so
        return True
    url = value if equals and word.startswith("-") else word
    if any(map(str.isspace, url)):
        return False  # prose may speak of passwords
    for encoded, character in (("%3A", ":"), ("%2F", "/"), ("%40", "@")):  # a proxy's URL stands encoded in ours
        url = url.replace(encoded, character).replace(encoded.lower(), character)
    scheme, mark, rest = url.partition("://")
    if scheme.lower().endswith(("http", "https")):
        rest = rest.partition("/")[0]  # behind it "@" and ":" are common
    return bool(mark) and holds_password(f"{scheme}://{rest}")


def _no_such_command(word: str) -> str:
    if word.startswith("-"):
        return "options stand behind a command. See mailwright --help."
    near = _nearest(word, COMMANDS)
    hint = f"Did you mean {near}? " if near else ""
    return f"there is no such command. {hint}There are {', '.join(COMMANDS)}; see mailwright --help."


def _strange(word: str, parser: Parser, module: ModuleType) -> str:
    """What is said of the first word that the command does not know."""
    if not word.startswith("-"):
        meant = " A recipient is given as --to ADDRESS." if "@" in word and parser.prog.endswith("send") else ""
        return f"there is a word that belongs to no option (quote what holds spaces).{meant}"
    name = word.partition("=")[0]
    near = getattr(module, "FAMILIAR", {}).get(name) or _nearest(name, parser._option_string_actions)
    plain = name.startswith("--") and name.replace("-", "").isalpha() and name.isascii()
    return f"{name if plain else 'an option'} is not known here." + (f" Did you mean {near}?" if near else "")


def _nearest(word: str, known: Iterable[str]) -> str | None:
    from mailwright.words.options import nearest

    return nearest(word, known)


def _prepare_streams() -> None:
    # A stream that was closed when we were started is opened on nothing, so that no socket gets its number and
    # hears what we print.
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")
    # A subject in Greek must not end a cron job whose locale knows only ASCII.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _silence(stream: TextIO) -> None:
    """Send the rest of what is printed there nowhere; the interpreter would complain about it at its end."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass


def _flushed(code: int) -> int:
    """`code`, or another if what was printed can't be written."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
    except (OSError, ValueError) as problem:
        _silence(sys.stdout)
        complain(f"the output can't be written: {getattr(problem, 'strerror', None) or problem}.")
        return code or IOERR
    return code


def _explain(error: Exception) -> int:
    """Say in one line what went wrong, and give the exit code."""
    from mailwright.words.errors import MailError

    if os.environ.get("MAILWRIGHT_DEBUG") == "1":
        import traceback

        traceback.print_exc()
    if isinstance(error, MailError):
        complain(str(error))
        return code_for(error)
    if isinstance(error, MemoryError):
        complain("not enough memory.")
        return OSERR
    if isinstance(error, OSError):
        named = f"{error.filename}: " if isinstance(error.filename, str) else ""
        complain(f"{named}{error.strerror or type(error).__name__}.")
        return code_for(error)
    complain(f"a defect of mailwright: {_place(error)}. MAILWRIGHT_DEBUG=1 shows more; please report that.")
    return SOFTWARE


def _place(error: Exception) -> str:
    """The kind of an error and where it arose; its text is not shown, since nobody knows what is in it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    return f"{type(error).__name__} in {os.path.basename(trace.tb_frame.f_code.co_filename)}, line {trace.tb_lineno}"
