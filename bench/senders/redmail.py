"""Red Mail, on smtplib and Jinja."""

from __future__ import annotations

import sys
from email.headerregistry import Address
from email.policy import SMTP
from pathlib import Path
from typing import Any

from bench import corpus
from bench.job import Command, Job
from bench.senders import distribution

PACE = 0.7

# It imports these when they are there, though they are only for tables and figures: the plots of this benchmark need
# one of them, and that should not be charged to Red Mail.
_NOT_NEEDED = ("matplotlib", "pandas", "PIL")


def version() -> str:
    """The package's."""
    return distribution("redmail")


def _imported() -> Any:
    sys.modules.update(dict.fromkeys(_NOT_NEEDED))  # type: ignore[arg-type]
    import redmail

    return redmail


def _sender(job: Job) -> Any:
    job.bare_only("redmail")
    return _imported().EmailSender(host=job.place.host, port=job.place.port, use_starttls=False)


def composed(job: Job) -> None:
    """`send`, on one connection"""
    sender, recipient = f"Ada <{corpus.SENDER}>", f"Grace <{corpus.RECIPIENT}>"
    _sender(job)
    job.start()
    client = _sender(job)
    with client:
        for number in range(job.messages):
            subject = f"{corpus.SUBJECT} {number}"
            client.send(subject=subject, sender=sender, receivers=[recipient], text=corpus.BODY)


def attached(job: Job) -> None:
    """`send` with a path"""
    _sender(job)
    job.start()
    client = _sender(job)
    with client:
        attachments = {"file.bin": Path(job.file)}
        client.send(
            subject="A large file", sender=job.sender, receivers=[job.recipient], text=corpus.SMALL,
            attachments=attachments,
        )  # fmt: skip


def built(job: Job) -> None:
    """`get_message`, which `send` calls"""
    rich, octets = corpus.Rich, b""
    client = _imported().EmailSender(host="127.0.0.1", port=1, use_starttls=False)
    job.start()
    for number in range(job.messages):
        message = client.get_message(
            subject=f"{rich.subject} {number}", sender=str(Address(rich.sender[0], addr_spec=rich.sender[1])),
            receivers=[str(Address(rich.recipient[0], addr_spec=rich.recipient[1]))],
            text=rich.text, html=rich.html, attachments={rich.name: rich.file},
        )  # fmt: skip
        octets = message.as_bytes(policy=SMTP)
    job.stop()
    job.built(octets)


def process(job: Job) -> Command:
    """A script that calls `send`."""
    job.bare_only("redmail")
    program = f"""
import sys
sys.modules.update(dict.fromkeys({_NOT_NEEDED!r}))
import redmail
sender = redmail.EmailSender(host={job.place.host!r}, port={job.place.port}, use_starttls=False)
sender.send(subject="Hello", sender={job.sender!r}, receivers=[{job.recipient!r}], text={corpus.SMALL!r})
"""
    return Command([sys.executable, "-c", program])
