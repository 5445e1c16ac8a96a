"""The outbox: a durable tray between an application and its mail server.

  mailwright outbox put --to ada@example.org --subject Backup --text "It is done."
  mailwright outbox work

`put` returns when the message is on the disk; `work` delivers what was put, with retries, until it is stopped. The
database is named by --outbox, by MAILWRIGHT_OUTBOX, or by a line such as outbox = "sqlite:////var/lib/app/mail.db" in
config.toml; through which server mail goes is what `mailwright config` shows.
"""

from __future__ import annotations

from importlib import import_module

from mailwright.cli.exit_codes import USAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from types import ModuleType

EPILOG = """exit codes:
   0  done; after put: the message is on the disk and will not be lost
  75  not now: the database does not answer or is full; the same command later may work
  65  there is no such message, its key belongs to another one, or it can't be built
  66  a file can't be read    78  settings    64  this command line
"""
FAMILIAR = {
    "--database": "--outbox", "--db": "--outbox", "--url": "--outbox", "-s": "--state", "--recipient": "--to",
    "--id": "the id without an option", "--before": "--until", "--after": "--since", "--daemon": "work",
}  # fmt: skip
#: Every action, what it does, and the module that does it.
ACTIONS = {
    "work": ("deliver what was put, until stopped", "working"),
    "put": ("put a message in; prints its id", "putting"),
    "list": ("list recipients and what became of them, newest first", "looking"),
    "show": ("show a message and every recipient", "looking"),
    "stats": ("count: states, rate, age of the oldest, destinations", "looking"),
    "retry": ("send again what failed, expired or was taken back; at once what is deferred", "changing"),
    "cancel": ("take back what was not sent yet", "changing"),
    "hold": ("set aside what waits", "changing"),
    "release": ("send what is held", "changing"),
    "settle": ("say what became of what is held, so that it is not sent again", "changing"),
    "pause": ("tell all workers to begin nothing", "keeping"),
    "resume": ("let the workers go on", "keeping"),
    "restored": ("say that this database is a restored backup: pause, and hold all that is open", "keeping"),
    "prune": ("delete what ended long ago", "keeping"),
    "migrate": ("make the tables, or bring them up to date", "keeping"),
    "suppress": ("keep the list of those to whom nothing is sent", "suppressing"),
    "bounces": ("read delivery reports and complaints from a Maildir, an mbox, files or -", "bounces"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions, each with options of its own."""
    from mailwright.cli import Parser

    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", prog=parser.prog, parser_class=Parser, title="actions"
    )
    for name, (meaning, module) in ACTIONS.items():
        one = actions.add_parser(
            name, help=meaning, description=meaning[:1].upper() + meaning[1:] + ".", allow_abbrev=False
        )
        one.add_argument("--outbox", metavar="URL", help="the database: sqlite:///mail.db, a path, or postgresql://…")
        _module(module).add_arguments(name, one)


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says; give the exit code."""
    from mailwright.cli import complain

    if arguments.action is None:
        complain(f"which action? There are {', '.join(ACTIONS)}. See mailwright outbox --help.", "mailwright outbox")
        return USAGE
    code: int = _module(ACTIONS[arguments.action][1]).run(arguments)
    return code


def _module(name: str) -> ModuleType:
    return import_module(f"mailwright.cli.outbox.{name}")
