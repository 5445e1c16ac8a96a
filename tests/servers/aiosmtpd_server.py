"""aiosmtpd: plain SMTP of the old school, without PIPELINING and CHUNKING; it runs on every system.

It runs in a Python of its own, because it leaves transports open after STARTTLS: in this process each would
become a ResourceWarning, which fails whichever test happens to be running. It stores nothing of its own in
front of a message.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import RealServer, program

PROGRAM = Path(__file__).with_name("aiosmtpd_program.py")

MECHANISMS = ("PLAIN", "LOGIN")
FEATURES = frozenset({"8BITMIME", "AUTH", "HELP", "SIZE", "SMTPUTF8"})


def missing() -> str | None:
    if importlib.util.find_spec("aiosmtpd") is None:
        return "aiosmtpd is not installed; get it with: pip install --group test"
    return None


@contextmanager
def running(folder: Path) -> Iterator[RealServer]:
    command = [sys.executable, str(PROGRAM)]
    with program.running(folder, "aiosmtpd_server", command, FEATURES, MECHANISMS) as server:
        yield server
