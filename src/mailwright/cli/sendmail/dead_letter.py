"""``dead.letter``: where a message is kept that could not be sent, since whoever piped it in is often gone by then.

The format is that of an mbox file (mboxrd), so that mail programs read it. ``DEAD`` names another file, as for mailx.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import time

from mailwright.cli.sendmail.reading import begins_with_field, plain
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILE_LIMIT = 256 << 20  # octets; a job that fails every minute must not fill the disk
_QUOTED = re.compile(rb"^(>*From )", re.MULTILINE)


def keep(octets: bytes, undelivered: Sequence[str], environ: Mapping[str, str]) -> str:
    """Append a message as it was read to the file, and give the sentence that says so, or why not. Never raises.

    `undelivered` are the recipients who did not get it, as far as they are known.
    """
    path = environ.get("DEAD") or os.path.join(os.path.expanduser("~"), "dead.letter")
    shown = visible(path, 300)
    try:
        if not os.path.isabs(path):
            raise ValueError("it has no absolute path")
        _append(path, _entry(octets, undelivered))
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
        return f"The message could not be saved in {shown} ({reason}) and is lost unless its sender kept it."
    return f"The message was saved in {shown}."


def _entry(octets: bytes, undelivered: Sequence[str]) -> bytes:
    text = plain(octets)
    head = f"From MAILER-DAEMON {time.asctime(time.gmtime())}\n".encode("ascii")
    if undelivered:
        head += b"X-Undelivered-To: " + ",\n ".join(undelivered).encode("utf-8", "replace") + b"\n"
    if not begins_with_field(text):
        head += b"\n"  # it has no header fields of its own
    return head + _QUOTED.sub(rb">\1", text) + (b"\n" if text.endswith(b"\n") else b"\n\n")


def _append(path: str, entry: bytes) -> None:
    # Nobody may have put a link or a pipe in its place, and nobody else may read it.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)
    try:
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode):
            _check_owner(descriptor, found)
            _lock(descriptor)
            if os.fstat(descriptor).st_size + len(entry) > FILE_LIMIT:
                raise ValueError(f"it would have more than {FILE_LIMIT >> 20} MB; read it, and remove it")
        elif path != os.devnull:
            raise ValueError("it is not a regular file")
        left = memoryview(entry)
        while left:
            left = left[os.write(descriptor, left) :]
        if stat.S_ISREG(found.st_mode):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_owner(descriptor: int, found: os.stat_result) -> None:
    if os.name != "posix":
        return
    if found.st_uid != os.geteuid() or found.st_nlink != 1:
        raise ValueError("it belongs to somebody else, or has two names")
    if found.st_mode & 0o077:
        os.fchmod(descriptor, 0o600)


def _lock(descriptor: int) -> None:
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)
