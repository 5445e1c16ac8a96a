"""What the tasks of Celery and of procrastinate do alike: put a receipt under a key, and deliver what is due."""

from __future__ import annotations

import asyncio
import os

from mailwright import Message
from mailwright.outbox import AsyncOutbox, Outbox


def put_receipt(number: int) -> str:
    """The receipt of an order, however often this is called."""
    message = Message("shop@example.org", f"buyer{number}@example.net", f"Order {number}", "Thank you.")
    with Outbox(os.environ["TASK_OUTBOX"]) as outbox:
        return outbox.put(message, key=f"order-{number}-receipt")


async def deliver_due() -> int:
    """Send what is due. No signal is listened for: the task queue's own worker does that."""
    async with AsyncOutbox(os.environ["TASK_OUTBOX"]) as outbox:
        # A short lease, for the test kills a worker and waits until its rows are free again.
        return (await outbox.work(os.environ["TASK_SERVER"], once=True, lease=4.0, renew=1.0)).sent


def receipt(number: int) -> int:
    """The whole task."""
    put_receipt(number)
    return asyncio.run(deliver_due())
