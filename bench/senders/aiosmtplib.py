"""aiosmtplib: asyncio, with messages of `email.message.EmailMessage`."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from bench import corpus
from bench.job import Command, Job
from bench.senders import distribution

PACE = 0.3


def version() -> str:
    """The package's."""
    return distribution("aiosmtplib")


def _client(job: Job, context: ssl.SSLContext | None) -> Any:
    import aiosmtplib

    place = job.place
    user, password = place.login or (None, None)
    return aiosmtplib.SMTP(
        hostname=place.host, port=place.port, use_tls=place.security == "tls", start_tls=place.security == "starttls",
        tls_context=context, username=user, password=password, timeout=300,
    )  # fmt: skip


def _context(job: Job) -> ssl.SSLContext | None:
    return None if job.place.security == "none" else ssl.create_default_context(cafile=job.place.ca_file)


def _run(job: Job, work: Callable[[ssl.SSLContext | None], Coroutine[Any, Any, object]]) -> None:
    async def main() -> None:
        job.start()
        await work(_context(job))
        job.stop()

    import aiosmtplib  # noqa: F401

    asyncio.run(main())


def finished(job: Job) -> None:
    """`sendmail`, with a task for each connection."""
    octets = job.finished()

    async def send(first: int, context: ssl.SSLContext | None) -> None:
        async with _client(job, context) as client:
            if not job.place.login:
                await client.ehlo()
            if job.connections == 1:
                job.mark()
            for number in range(first, job.messages, job.connections):
                await client.sendmail(job.sender, [job.recipient], octets[number])

    async def work(context: ssl.SSLContext | None) -> None:
        await asyncio.gather(*(send(first, context) for first in range(job.connections)))

    _run(job, work)


def composed(job: Job) -> None:
    """`EmailMessage` and `send_message`."""
    from bench.senders.smtplib import _note

    async def work(context: ssl.SSLContext | None) -> None:
        async with _client(job, context) as client:
            for number in range(job.messages):
                await client.send_message(_note(number))

    _run(job, work)


def attached(job: Job) -> None:
    """`add_attachment` and `send_message`."""
    from bench.senders.smtplib import _with_file

    async def work(context: ssl.SSLContext | None) -> None:
        message = _with_file(job)
        async with _client(job, context) as client:
            await client.send_message(message)

    _run(job, work)


def addressed(job: Job) -> None:
    """One transaction: `send_message` takes the addresses from the header."""
    from bench.senders.smtplib import _message

    addresses = corpus.addresses(job.recipients)

    async def work(context: ssl.SSLContext | None) -> None:
        message = _message("Hello", corpus.SMALL)
        message["From"], message["To"] = job.sender, ", ".join(addresses)
        async with _client(job, context) as client:
            await client.send_message(message)

    _run(job, work)


def anew(job: Job) -> None:
    """The context for TLS is made once."""
    octets = job.finished()

    async def work(context: ssl.SSLContext | None) -> None:
        for one in octets:
            async with _client(job, context) as client:
                await client.sendmail(job.sender, [job.recipient], one)

    _run(job, work)


def process(job: Job) -> Command:
    """A script that calls `aiosmtplib.send`."""
    place = job.place
    context = f"ssl.create_default_context(cafile={place.ca_file!r})" if place.security != "none" else "None"
    user, password = place.login or (None, None)
    program = f"""
import asyncio, aiosmtplib, ssl
from email.message import EmailMessage
message = EmailMessage()
message["From"], message["To"], message["Subject"] = {job.sender!r}, {job.recipient!r}, "Hello"
message.set_content({corpus.SMALL!r})
asyncio.run(aiosmtplib.send(
    message, hostname={place.host!r}, port={place.port}, use_tls={place.security == "tls"},
    start_tls={place.security == "starttls"}, tls_context={context}, username={user!r}, password={password!r},
))
"""
    return Command([sys.executable, "-c", program])
