"""A listening socket under asyncio: each connection is served by a plan of its own."""

from __future__ import annotations

import asyncio

from mailwright.drivers.aio import Link, run
from mailwright.words.errors import MailError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mailwright.steps import Plan


async def serve(plan_for: Callable[[Link, str], Plan[Any]], host: str, port: int) -> asyncio.Server:
    """Listen on `host` and `port`; for each connection run the plan that ``plan_for(link, address)`` gives. Raises
    `OSError` when the port can't be had.
    """
    tasks: set[asyncio.Task[None]] = set()

    class Accepted(Link):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            peer = transport.get_extra_info("peername")
            task = asyncio.get_running_loop().create_task(_serve_one(plan_for(self, peer[0] if peer else ""), self))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    return await asyncio.get_running_loop().create_server(Accepted, host, port, reuse_address=True)


async def _serve_one(plan: Plan[Any], link: Link) -> None:
    try:
        await run(plan, link)
    except (OSError, MailError):
        pass  # a client that leaves or misbehaves ends its own connection, nothing else
    finally:
        link.close()
