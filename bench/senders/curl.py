"""curl (C), which builds the MIME structure of an attachment itself."""

from __future__ import annotations

from bench import corpus
from bench.job import Command, Job
from bench.senders import Tool

EXTERNAL = True

_TOOL = Tool("curl", "curl", "clients")
version = _TOOL.version


def _send(job: Job, *words: str) -> Command:
    place = job.place
    scheme = "smtps" if place.security == "tls" else "smtp"
    said = ["--silent", "--show-error", "--mail-from", job.sender, "--mail-rcpt", job.recipient, *words]
    said += ["--ssl-reqd"] * (place.security == "starttls")
    said += ["--cacert", place.ca_file] if place.ca_file else []
    said += ["--user", ":".join(place.login)] if place.login else []
    return _TOOL.command(f"{scheme}://{place.host}:{place.port}/bench.example", *said)


def _fields(job: Job, subject: str) -> list[str]:
    fields = [f"From: {job.sender}", f"To: {job.recipient}", f"Subject: {subject}"]
    return [word for line in fields for word in ("-H", line)]


def attached(job: Job) -> Command:
    """-F with the encoder base64."""
    parts = ["-F", f"={corpus.SMALL};type=text/plain", "-F", f"file=@{job.file};encoder=base64"]
    return _send(job, *_fields(job, "A large file"), *parts)


def process(job: Job) -> Command:
    """One small message."""
    return _send(job, *_fields(job, "Hello"), "-F", f"={corpus.SMALL};type=text/plain")
