"""mailwright, blocking.

Options: `window=N` messages in flight (64 by default; more is for servers of one's own), `pybase64` (else that package
is hidden, as if it were not installed), `attachment=shared` (one `Attachment` for all messages that are built),
`envelopes=each` (a new `Envelope` for each message instead of one for all), `resumed` (TLS sessions are resumed).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from bench import corpus
from bench.job import Command, Job
from bench.place import Place
from bench.senders import distribution

if TYPE_CHECKING:
    from mailwright import Message, Receipt, Server
    from mailwright.message.content import Content
    from mailwright.options import Envelope, Limits

PACE = 4


def version() -> str:
    """The working copy's."""
    return distribution("mailwright")


def server_of(place: Place) -> Server:
    """The server as mailwright knows it."""
    from mailwright import Login, Server
    from mailwright.options import TLS

    login = Login(*place.login) if place.login else None
    return Server(place.host, place.port, place.security, login=login, tls=TLS(ca_file=place.ca_file))


def limits_of(job: Job) -> Limits:
    """So many connections, each kept to the end."""
    from mailwright.options import Limits

    return Limits(size=job.connections, messages=10**9, window=int(job.options.get("window", 64)))


def prepare(job: Job) -> None:
    """Import everything that a connection needs, so that no import is timed, with or without pybase64."""
    if "pybase64" in job.options:
        import pybase64  # noqa: F401
    else:
        sys.modules["pybase64"] = None  # type: ignore[assignment]
    import mailwright.mailer.delivering
    import mailwright.mailer.many
    import mailwright.message.attachment
    import mailwright.message.message

    if not job.place.bare:
        import mailwright.drivers.tls  # noqa: F401


def pairs(job: Job) -> Iterator[tuple[Envelope, Content]]:
    """The finished messages with their envelopes: they go as they are, after a check of their line ends."""
    from mailwright.message.content import Content
    from mailwright.options import Envelope

    octets = map(Content.of, job.finished())
    if job.options.get("envelopes") == "each":
        return ((Envelope.of(corpus.SENDER, corpus.RECIPIENT), one) for one in octets)
    envelope = Envelope.of(corpus.SENDER, corpus.RECIPIENT)
    return ((envelope, one) for one in octets)


def notes(count: int) -> Iterator[Message]:
    """Small messages, made from text while they are sent."""
    from mailwright import Message

    sender, recipient = f"Ada <{corpus.SENDER}>", f"Grace <{corpus.RECIPIENT}>"
    for number in range(count):
        yield Message(sender, recipient, f"{corpus.SUBJECT} {number}", corpus.BODY)


def expect(receipts: Iterable[Receipt]) -> None:
    """Each of these must be an acceptance."""
    for receipt in receipts:
        if receipt.error is not None:
            raise receipt.error


def finished(job: Job) -> None:
    """By `send_many`."""
    from mailwright import Mailer

    prepare(job)
    server, limits, messages = server_of(job.place), limits_of(job), pairs(job)
    job.start()
    with Mailer(server, limits=limits) as mailer:
        if job.from_open:
            mailer.send(next(messages))
            job.mark(1)
        expect(mailer.send_many(messages))


def composed(job: Job) -> None:
    """By `send_many`."""
    from mailwright import Mailer

    prepare(job)
    server, limits = server_of(job.place), limits_of(job)
    job.start()
    with Mailer(server, limits=limits) as mailer:
        expect(mailer.send_many(notes(job.messages)))


def attached(job: Job) -> None:
    """By its path, so that it is read while it is sent."""
    from mailwright import Mailer, Message

    prepare(job)
    server = server_of(job.place)
    job.start()
    with Mailer(server) as mailer:
        mailer.send(Message(corpus.SENDER, corpus.RECIPIENT, "A large file", corpus.SMALL, attachments=job.file))


def built(job: Job) -> None:
    """`bytes(message)`."""
    from mailwright import Attachment, Message

    prepare(job)
    rich, octets = corpus.Rich, b""
    shared = Attachment(rich.file, rich.name) if job.options.get("attachment") == "shared" else None
    copies = [bytes(bytearray(rich.file)) for _ in range(0 if shared else job.messages)]  # none is known from before
    job.start()
    for number in range(job.messages):
        attached = shared or Attachment(copies[number], rich.name)
        subject = f"{rich.subject} {number}"
        octets = bytes(Message(rich.sender, rich.recipient, subject, rich.text, rich.html, attachments=attached))
    job.stop()
    job.built(octets)


def addressed(job: Job) -> None:
    """By `send`; mailwright makes several transactions of it."""
    from mailwright import Mailer, Message

    prepare(job)
    server, addresses = server_of(job.place), corpus.addresses(job.recipients)
    job.start()
    with Mailer(server) as mailer:
        mailer.send(Message(corpus.SENDER, addresses, "Hello", corpus.SMALL))


def anew(job: Job) -> None:
    """With `resumed` by one `Mailer` that keeps no connection, else by a `Mailer` for each message."""
    from mailwright import Mailer
    from mailwright.options import Limits

    prepare(job)
    server, messages = server_of(job.place), pairs(job)
    job.start()
    if "resumed" in job.options:
        with Mailer(server, limits=Limits(messages=1)) as mailer:
            for message in messages:
                mailer.send(message)
    else:
        for message in messages:
            with Mailer(server, limits=Limits(messages=1)) as mailer:
                mailer.send(message)


def url_of(place: Place) -> str:
    """The server as a URL."""
    scheme = {"none": "smtp+plain", "starttls": "smtp", "tls": "smtps"}[place.security]
    login = ":".join(quote(word, safe="") for word in place.login) + "@" if place.login else ""
    query = "?" + urlencode({"ca_file": place.ca_file}) if place.ca_file else ""
    return f"{scheme}://{login}{place.host}:{place.port}{query}"


def process(job: Job) -> Command:
    """A script that calls `send`."""
    program = f"""
from mailwright import send
send({job.recipient!r}, "Hello", {corpus.SMALL!r}, sender={job.sender!r}, server={url_of(job.place)!r})
"""
    return Command([sys.executable, "-c", program])
