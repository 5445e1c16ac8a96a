"""s-nail (C), the `mail` command of many systems."""

from __future__ import annotations

from pathlib import Path

from bench import corpus
from bench.job import Command, Job
from bench.senders import Tool

EXTERNAL = True

_TOOL = Tool("s-nail", "s-nail", "clients")
version = _TOOL.version


def _send(job: Job, *words: str) -> Command:
    job.bare_only("s-nail")
    text = Path(job.folder) / "s-nail.txt"
    text.write_text(corpus.SMALL, "utf-8")
    settings = [
        "v15-compat=yes", f"mta=smtp://{job.place.host}:{job.place.port}", "smtp-auth=none", "sendwait",
        f"from={job.sender}", "hostname=bench.example",
    ]  # fmt: skip
    said = [word for one in settings for word in ("-S", one)]
    return _TOOL.command("-:/", *said, *words, job.recipient, stdin=str(text))


def attached(job: Job) -> Command:
    """-a"""
    return _send(job, "-s", "A large file", "-a", job.file)


def process(job: Job) -> Command:
    """One small message."""
    return _send(job, "-s", "Hello")
