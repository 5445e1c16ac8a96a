"""Say what an error of mail means, why it happened and what to do; of any program, in any language, and offline.

  mailwright explain "535-5.7.8 Username and Password not accepted"
  journalctl -u postfix --since today | mailwright explain -

Words of a server, a line of a log, a whole traceback or transcript: quote them, or hand them in with -. Credentials are
masked and nothing in the text can steer the terminal. What is known besides makes the answer better: the same words
mean something else at another stage.
"""

from __future__ import annotations

import os
import sys

from mailwright.cli.exit_codes import DATAERR, USAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

READ_LIMIT = 1 << 20  # bytes of standard input
EPILOG = """exit codes:
   0  explained
  65  nothing is known about these words
  64  this command line"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    from mailwright.diagnose.failure import PHASES

    add = parser.add_argument
    add("words", nargs="*", metavar="TEXT", help="the error, or - for standard input")
    add("--phase", choices=PHASES, metavar="WORD", help=f"where it happened: {', '.join(PHASES)}")
    add("--port", type=int, default=0, metavar="N", help="the port of the server")
    add("--security", choices=("tls", "starttls", "none"), help="how the program encrypts: tls, starttls or none")
    add("--host", default="", metavar="NAME", help="the server's name")
    add("--provider", default="", metavar="NAME", help="the mail provider, as `mailwright providers` names it")
    add("--banner", default="", metavar="TEXT", help="the server's greeting (its 220 line)")
    add("--json", action="store_true", help="print the diagnosis as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the explanation; give the exit code."""
    from mailwright.cli import complain, tell
    from mailwright.diagnose.explain import explain

    given = _given(arguments.words)
    if not given.strip():
        complain("give the text of an error, or - and the text on standard input.", "mailwright explain")
        return USAGE
    told = explain(
        given,
        phase=arguments.phase or "",
        port=arguments.port,
        security=arguments.security or "",
        provider=_provider(arguments.provider),
        host=arguments.host,
        banner=arguments.banner,
    )
    if arguments.json:
        import json

        tell(json.dumps(told.as_dict(), ensure_ascii=False, indent=2))
    else:
        tell(str(told))
    return DATAERR if told.kind == "unknown" else 0


def _provider(name: str) -> str:
    """The id of the provider of that name; a name that is not known is taken for an id."""
    from mailwright.providers.catalog import named

    found = named(name) if name else ()
    return found[0].id if found else name


def _given(words: list[str]) -> bytes:
    """The octets of the text: in which encoding they are is found out by `explain`."""
    from mailwright.cli import complain

    if words != ["-"]:
        return os.fsencode(" ".join(words))
    octets = sys.stdin.buffer.read(READ_LIMIT + 1)
    if len(octets) > READ_LIMIT:
        complain("only the first megabyte was read; tail -c 1M gives the last one.", "mailwright explain")
    return octets[:READ_LIMIT]
