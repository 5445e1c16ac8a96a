"""Postfix's `smtp-sink`: takes everything at once, knows no TLS and no CHUNKING, and hides PIPELINING on demand.

It announces logins and checks none; use it without. It refuses nobody: of the common ground `reject` and `later` do
not hold here. Its replies name no message, so a receipt can't be compared with what was stored but by its order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import HOST, RealServer, private_system
from tests.servers.process import free_ports

FEATURES = frozenset({"8BITMIME", "AUTH", "DSN", "ENHANCEDSTATUSCODES", "PIPELINING", "XCLIENT", "XFORWARD"})

# The field that ends what the server puts in front of a message.
TRACE_END = re.compile(rb"\tby smtp-sink \(smtp-sink\) with \w+ id \w+;\n\t.*\n")


def missing() -> str | None:
    return private_system.missing("postfix")


@contextmanager
def running(folder: Path, pipelining: bool = True) -> Iterator[RealServer]:
    (port,) = free_ports(1)
    private_system.owned(folder, "box", "box")
    hidden = "" if pipelining else "-p"
    # A file for each message; the server adds a random number to the name.
    script = f"smtp-sink -u box {hidden} -d /srv/box/m. {HOST}:{port} 100 &"
    with private_system.running(folder, ("postfix",), script, [port]):
        yield RealServer(
            name="smtp_sink" if pipelining else "smtp_sink without PIPELINING",
            host=HOST,
            port=port,
            security="none",
            stored=lambda: _stored(folder / "box"),
            features=FEATURES if pipelining else FEATURES - {"PIPELINING"},
        )


def _stored(box: Path) -> list[bytes]:
    files = sorted(box.iterdir(), key=lambda file: file.stat().st_mtime_ns)
    whole = [dump for file in files if TRACE_END.search(dump := file.read_bytes()) and dump.endswith(b"\n\n")]
    return [dump[:-1].replace(b"\n", b"\r\n") for dump in whole]
