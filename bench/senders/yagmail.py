"""yagmail, on smtplib: `send` opens a connection for every message."""

from __future__ import annotations

import io
import sys
from typing import Any

from bench import corpus
from bench.job import Command, Job
from bench.senders import distribution

PACE = 0.5
_BREAKS = "its plain text holds the line breaks of HTML, as <br>"
FLAWS = {"composed": _BREAKS, "built": _BREAKS, "process": _BREAKS}
_PLAIN: dict[str, Any] = {"smtp_starttls": False, "smtp_ssl": False, "smtp_skip_login": True}


def version() -> str:
    """The package's."""
    return distribution("yagmail")


def _client(job: Job) -> Any:
    import yagmail  # type: ignore[import-untyped]

    job.bare_only("yagmail")
    return yagmail.SMTP(job.sender, "-", host=job.place.host, port=job.place.port, **_PLAIN)


def composed(job: Job) -> None:
    """`send`"""
    _client(job).close()
    job.start()
    client = _client(job)
    for number in range(job.messages):
        client.send(job.recipient, f"{corpus.SUBJECT} {number}", corpus.BODY)
    client.close()


def attached(job: Job) -> None:
    """`send` with a path"""
    _client(job).close()
    job.start()
    client = _client(job)
    client.send(job.recipient, "A large file", corpus.SMALL, attachments=job.file)
    client.close()


def built(job: Job) -> None:
    """`prepare_send`, which `send` calls"""
    import yagmail

    rich, text = corpus.Rich, ""
    client = yagmail.SMTP({rich.sender[1]: rich.sender[0]}, "-", host="127.0.0.1", port=1, **_PLAIN)
    job.start()
    for number in range(job.messages):
        file = io.BytesIO(rich.file)
        file.name = rich.name
        contents = [rich.text, yagmail.raw(rich.html)]
        to = {rich.recipient[1]: rich.recipient[0]}
        subject = f"{rich.subject} {number}"
        _, text = client.prepare_send(to, subject, contents, attachments=file, prettify_html=False)
    job.stop()
    client.is_closed = True  # it never was open
    job.built(text.replace("\r\n", "\n").replace("\n", "\r\n").encode())


def process(job: Job) -> Command:
    """A script that calls `send`."""
    job.bare_only("yagmail")
    program = f"""
import yagmail
client = yagmail.SMTP({job.sender!r}, "-", host={job.place.host!r}, port={job.place.port}, **{_PLAIN!r})
client.send({job.recipient!r}, "Hello", {corpus.SMALL!r})
client.close()
"""
    return Command([sys.executable, "-c", program])
