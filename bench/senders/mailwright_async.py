"""mailwright under asyncio. Options as for `mailwright`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterable

from bench import corpus
from bench.job import Command, Job
from bench.senders.mailwright import limits_of, notes, pairs, prepare, server_of, url_of, version

__all__ = ["PACE", "addressed", "anew", "attached", "composed", "finished", "process", "version"]

PACE = 4


def _prepare(job: Job) -> None:
    prepare(job)
    import mailwright.drivers.aio
    import mailwright.mailer.many_async  # noqa: F401


async def _expect(receipts: AsyncIterable[object]) -> None:
    async for receipt in receipts:
        if (error := getattr(receipt, "error", None)) is not None:
            raise error


def finished(job: Job) -> None:
    """By `send_many`."""
    from mailwright import AsyncMailer

    async def main() -> None:
        server, limits, messages = server_of(job.place), limits_of(job), pairs(job)
        job.start()
        async with AsyncMailer(server, limits=limits) as mailer:
            if job.from_open:
                await mailer.send(next(messages))
                job.mark(1)
            await _expect(mailer.send_many(messages))
        job.stop()

    _prepare(job)
    asyncio.run(main())


def composed(job: Job) -> None:
    """By `send_many`."""
    from mailwright import AsyncMailer

    async def main() -> None:
        server, limits = server_of(job.place), limits_of(job)
        job.start()
        async with AsyncMailer(server, limits=limits) as mailer:
            await _expect(mailer.send_many(notes(job.messages)))
        job.stop()

    _prepare(job)
    asyncio.run(main())


def attached(job: Job) -> None:
    """By its path, so that it is read while it is sent."""
    from mailwright import AsyncMailer, Message

    async def main() -> None:
        server = server_of(job.place)
        job.start()
        async with AsyncMailer(server) as mailer:
            message = Message(corpus.SENDER, corpus.RECIPIENT, "A large file", corpus.SMALL, attachments=job.file)
            await mailer.send(message)
        job.stop()

    _prepare(job)
    asyncio.run(main())


def addressed(job: Job) -> None:
    """By `send`; mailwright makes several transactions of it."""
    from mailwright import AsyncMailer, Message

    async def main() -> None:
        server, addresses = server_of(job.place), corpus.addresses(job.recipients)
        job.start()
        async with AsyncMailer(server) as mailer:
            await mailer.send(Message(corpus.SENDER, addresses, "Hello", corpus.SMALL))
        job.stop()

    _prepare(job)
    asyncio.run(main())


def anew(job: Job) -> None:
    """With `resumed` by one `AsyncMailer` that keeps no connection, else by an `AsyncMailer` for each message."""
    from mailwright import AsyncMailer
    from mailwright.options import Limits

    async def main() -> None:
        server, messages = server_of(job.place), pairs(job)
        job.start()
        if "resumed" in job.options:
            async with AsyncMailer(server, limits=Limits(messages=1)) as mailer:
                for message in messages:
                    await mailer.send(message)
        else:
            for message in messages:
                async with AsyncMailer(server, limits=Limits(messages=1)) as mailer:
                    await mailer.send(message)
        job.stop()

    _prepare(job)
    asyncio.run(main())


def process(job: Job) -> Command:
    """A script that calls `send_async`."""
    program = f"""
import asyncio
from mailwright import send_async
asyncio.run(
    send_async({job.recipient!r}, "Hello", {corpus.SMALL!r}, sender={job.sender!r}, server={url_of(job.place)!r})
)
"""
    return Command([sys.executable, "-c", program])
