"""The outbox: a durable tray between an application and its mail server.

=======================  ===========================================================================================
the front doors          `outbox` and `aio`: `Outbox` and `AsyncOutbox`, each method a plan and who performs it
putting                  `putting`: from a message to a draft, and writing drafts; `fingerprints`, `ids`, `batches`;
                         `grouping` (threads) and `rounds` (tasks): many callers, one commit; `staging`: long contents;
                         `joining`: inside a transaction of the application
looking and changing     `looking`, `finding`, `stats`, and `status`: what they tell; `changing`: cancel, retry, hold,
                         release, settle, pause, prune; `suppressing`: to whom nothing is sent; `bounces`: reports
the worker               `work`
the store                `states`: what a message × recipient can be, and what leads from one to another; `rows`;
                         ``sql/``: the statements, which `statements` reads; `store`: them as plans; `reading`: what
                         they give; `asking`: who performs these; `database`: what an engine is; `sqlite`,
                         `postgres`; `migrating`
=======================  ===========================================================================================
"""

from __future__ import annotations

from mailwright._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.outbox.aio import AsyncOutbox
    from mailwright.outbox.outbox import Outbox
    from mailwright.outbox.putting import Put

__all__ = ["AsyncOutbox", "Outbox", "Put"]

__getattr__ = lazily(
    __name__,
    {
        "AsyncOutbox": "mailwright.outbox.aio",
        "Outbox": "mailwright.outbox.outbox",
        "Put": "mailwright.outbox.putting",
    },
)
