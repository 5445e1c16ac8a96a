"""One act upon an outbox, which dies by SIGKILL at its Nth question to the database, or right behind its end.

    python -m bench.drill_act URL put|prune|migrate N

Exit status 0: it came to its end before that.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from mailwright import Message
from mailwright.outbox.outbox import Outbox
from mailwright.outbox.putting import Put
from mailwright.outbox.sqlite.session import SqliteSession


def die() -> None:
    """As a power supply would."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(kind: type, name: str, left: list[int]) -> None:
    """Count the calls of that method, and die when there are none left."""
    original: Callable[..., Any] = getattr(kind, name)

    def counted(*given: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            die()
        return original(*given)

    setattr(kind, name, counted)


def put(outbox: Outbox) -> None:
    """Five messages with keys."""
    outbox.put_many(
        Put(Message("ada@example.org", [f"r{n}@example.net", f"r{n}@example.com"], "Number", "text"), key=f"k{n}")
        for n in range(5)
    )


def prune(outbox: Outbox) -> None:
    """All that can be."""
    outbox.prune(0.0)


def main() -> None:
    """Do it."""
    url, act, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    left = [number]
    if act == "migrate":
        arm(SqliteSession, "query", left)
        arm(SqliteSession, "each", left)
        Outbox(url)
    else:
        outbox = Outbox(url)
        arm(SqliteSession, "query", left)
        arm(SqliteSession, "each", left)
        {"put": put, "prune": prune}[act](outbox)
    if left[0] == 0:
        die()  # everything is committed, and nobody was told


if __name__ == "__main__":
    main()
