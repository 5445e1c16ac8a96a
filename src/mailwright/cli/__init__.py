"""Floor 7: the command line. One module for each command, loaded when it is used.

A command has ``add_arguments(parser)`` and ``run(arguments) -> int``. Errors leave as one or two sentences on
standard error and an exit code after sysexits, never as a traceback (``MAILWRIGHT_DEBUG=1`` shows one to who
looks for a defect of ours).
"""

from __future__ import annotations

import argparse
import os
import sys

from mailwright.cli.exit_codes import INTERRUPTED, SOFTWARE, USAGE, code_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import NoReturn

COMMANDS = {
    "send": "send a message",
    "demo": "send one real message to a local inbox and show each stage",
    "inbox": "listen on this machine and print what arrives",
    "config": "show which server would be used, and where each value comes from",
}


class Parser(argparse.ArgumentParser):
    """The parser of the standard library, with the exit code of sysexits for a wrong command line."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the mistake, and exit with 64 (EX_USAGE)."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name) and give the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    _print_any_text()
    try:
        return _dispatch(words)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left; a second error at interpreter exit would follow without this.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:
        return _complain(error)


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0 if words else USAGE
    if words[0] in ("-V", "--version"):
        from mailwright import __version__

        print(f"mailwright {__version__}")
        return 0
    command = words[0]
    if command not in COMMANDS:
        from difflib import get_close_matches

        near = get_close_matches(command, COMMANDS, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        print(f"mailwright: there is no command {command[:40]!r}.{hint} See mailwright --help.", file=sys.stderr)
        return USAGE
    module = _module(command)
    parser = Parser(
        prog=f"mailwright {command}",
        description=module.__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    module.add_arguments(parser)
    code: int = module.run(parser.parse_args(words[1:]))
    sys.stdout.flush()
    return code


def _module(command: str) -> ModuleType:
    from importlib import import_module

    return import_module(f"mailwright.cli.{command}")


def _overview() -> str:
    lines = ["usage: mailwright COMMAND …", ""]
    lines += [f"  {name:8} {meaning}" for name, meaning in COMMANDS.items()]
    return "\n".join([*lines, "", "mailwright COMMAND --help tells more; mailwright --version the version."])


def _print_any_text() -> None:
    # A subject in Greek must not end a cron job whose locale knows only ASCII.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _complain(error: Exception) -> int:
    from mailwright.words.errors import MailError
    from mailwright.words.reply import visible

    if os.environ.get("MAILWRIGHT_DEBUG") == "1":
        import traceback

        traceback.print_exc()
    known = isinstance(error, (MailError, OSError, UnicodeError, TypeError, ValueError))
    text = str(error) if known else f"a defect of mailwright: {type(error).__name__}: {error}"
    print(f"mailwright: {visible(text.replace(chr(10), ' '), 1000)}", file=sys.stderr)
    return code_for(error) if known else SOFTWARE
