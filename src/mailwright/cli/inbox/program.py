"""`mailwright inbox -- PROGRAM`: a program whose mail comes here, whatever it reads its settings from."""

from __future__ import annotations

import os
import subprocess
import sys

from mailwright.cli.inbox.opening import PASSWORD, Terminated
from mailwright.testing.variables import variables as variables_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailwright.cli.inbox.opening import Opened
    from mailwright.inbox import Inbox

NOT_FOUND, NOT_EXECUTABLE = 127, 126  # as shells have it
_SHOWN = 20  # caught messages that are shown when the program failed
_GRACE = 10.0  # seconds for a program to end when it is told to


def run_program(words: Sequence[str], opened: Opened, expected: int | None) -> int:
    """Run it to its end; give its exit code, or 1 if it was content but not as many messages came as were expected."""
    from mailwright.cli import complain
    from mailwright.cli.inbox import UNEXPECTED

    variables = variables_for(opened.inbox, os.environ)
    if opened.site is not None:
        variables["MAILWRIGHT_INBOX_URL"] = opened.site.url.rstrip("/")
        if opened.password:
            variables[PASSWORD] = opened.password
    try:
        code = _ended(subprocess.Popen(words, env=variables))
    except OSError as problem:
        complain(f"the program can't be started: {problem.strerror}.", "mailwright inbox")
        return NOT_FOUND if isinstance(problem, FileNotFoundError) else NOT_EXECUTABLE
    number = opened.arrived
    if expected not in (None, number):
        complain(f"{expected} messages were expected, and {number} arrived.", "mailwright inbox")
        code = code or UNEXPECTED
    if code:
        _show_caught(opened.inbox, number)
    return code


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for it, and give its exit code as a shell has it. Ctrl-C reaches it as it reaches us."""
    try:
        code = process.wait()
    except KeyboardInterrupt as interrupt:
        if isinstance(interrupt, Terminated):
            process.terminate()
        code = _ended_at_last(process)
    return code if code >= 0 else 128 - code


def _ended_at_last(process: subprocess.Popen[bytes]) -> int:
    for end in (process.terminate, process.kill):
        try:
            return process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            end()
    return process.wait()


def _show_caught(inbox: Inbox, number: int) -> None:
    from mailwright.cli.inbox.showing import shown

    rows = inbox.store.rows(limit=min(number, _SHOWN)) if number else []
    lines = [f"mailwright inbox: {number} message{'s' * (number != 1)} caught{'' if number else ': nothing was sent'}"]
    if number > len(rows):
        lines[0] += f", the newest {len(rows)} of them:"
    for place, row in enumerate(reversed(rows), number - len(rows) + 1):
        received = inbox.store.received(row.id)
        if received is not None:
            lines += ["", *shown(place, received)]
    print("\n".join(lines), file=sys.stderr, flush=True)
