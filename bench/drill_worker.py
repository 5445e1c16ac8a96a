"""The worker of the kill drill: an ordinary one, which dies by SIGKILL at the moment that DRILL_DIE names.

    DRILL_DIE=claimed:3 python -m bench.drill_worker URL PORT [LEASE]

It dies the fourth time that the moment comes. The library knows nothing of this: its methods are wrapped here.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from mailwright.message.content import Content
from mailwright.message.mail import MailObject
from mailwright.outbox.database import database
from mailwright.outbox.store import Store
from mailwright.outbox.work.office import Office
from mailwright.outbox.work.retry import Retry
from mailwright.outbox.work.settling import Hands
from mailwright.outbox.work.worker import work
from mailwright.smtp.parameters import Terms
from mailwright.words.address import Address
from mailwright.words.server import Server

QUICK = Retry(first=0.05, longest=0.2, lifetime=3600.0)
MOMENTS: dict[str, tuple[type, str, bool]] = {
    "claimed": (Hands, "take", False),  # the rows are leased, and nobody has seen them
    "marked": (Office, "mark", True),  # the mark is durable, and the last octets have not left
    "read": (Office, "settle", False),  # the reply is known to this process alone
    "writing": (Store, "settle", True),  # inside of the transaction
    "written": (Hands, "_let_go", False),  # behind its COMMIT
}


def die() -> None:
    """As a power supply would."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(moment: str, after: int) -> None:
    """Die when that moment has come so many times, and once more."""
    kind, name, waits = MOMENTS[moment]
    original: Callable[..., Any] = getattr(kind, name)
    left = [after]

    def count() -> None:
        left[0] -= 1
        if left[0] < 0:
            die()

    async def later(*given: Any) -> Any:
        result = await original(*given)
        count()
        return result

    def at_once(*given: Any) -> Any:
        result = original(*given)
        count()
        return result

    setattr(kind, name, later if waits else at_once)


def poison(recipient: str) -> None:
    """Die each time that the content of a message to this recipient is made ready for the wire."""
    original = Terms.content_of
    lines = Terms.content_and_lines

    def content_of(self: Terms, mail: MailObject) -> Content:
        if any(one.spec == recipient for one in mail.envelope.recipients):
            die()
        return original(self, mail)

    def content_and_lines(self: Terms, mail: MailObject, recipients: tuple[Address, ...]) -> tuple[Content, bytes]:
        content_of(self, mail)
        return lines(self, mail, recipients)

    Terms.content_of = content_of  # type: ignore[method-assign]
    Terms.content_and_lines = content_and_lines  # type: ignore[method-assign]


def main() -> None:
    """Work until nothing is open."""
    url, port = sys.argv[1], int(sys.argv[2])
    lease = float(sys.argv[3]) if len(sys.argv) > 3 else 0.8
    if found := os.environ.get("DRILL_DIE"):
        moment, _, after = found.partition(":")
        if moment.startswith("poison="):
            poison(moment.partition("=")[2])
        else:
            arm(moment, int(after))
    server = Server("127.0.0.1", port, hello=f"w{os.getpid()}.example")
    work(
        database(url), server, once=True, lease=lease, renew=lease / 3, concurrency=2, ahead=40,
        retries=(QUICK,) * 3, grace=5.0,
    )  # fmt: skip


if __name__ == "__main__":
    main()
