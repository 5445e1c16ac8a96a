"""npm's smtp-server, the receiving sister of nodemailer: the one here with XOAUTH2 and REQUIRETLS.

A refused XOAUTH2 token is answered as Google does it: 334 with an explanation in JSON, and 535 only after the
client's empty answer. It stores nothing of its own in front of a message.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import RealServer, program
from tests.servers.private_system import CACHE

PROGRAM = Path(__file__).with_suffix(".js")
MODULE = CACHE / "npm" / "node_modules" / "smtp-server"

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2")
FEATURES = frozenset({"8BITMIME", "AUTH", "DSN", "ENHANCEDSTATUSCODES", "PIPELINING", "REQUIRETLS", "SIZE", "SMTPUTF8"})


def missing() -> str | None:
    if not shutil.which("node"):
        return "node is not installed; get it with: sudo apt-get install nodejs npm"
    if not MODULE.is_dir():
        return "smtp-server is not in .cache/servers; get it with: python3 tools/get_servers.py npm"
    return None


@contextmanager
def running(folder: Path) -> Iterator[RealServer]:
    command = ["node", str(PROGRAM), str(MODULE)]
    with program.running(folder, "npm_smtp_server", command, FEATURES, MECHANISMS) as server:
        yield server
