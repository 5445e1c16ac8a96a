"""smtp-source of Postfix (C), made to test servers: waits for each reply, builds nothing, knows no TLS and no login."""

from __future__ import annotations

from bench import corpus
from bench.job import Command, Job
from bench.senders import Tool

EXTERNAL = True
OWN_CONTENT = True

_TOOL = Tool("smtp-source", "postfix", "postfix")
version = _TOOL.version


def finished(job: Job) -> Command:
    """-d keeps the connections."""
    job.bare_only("smtp-source")
    words = ["-d", "-s", str(job.connections), "-m", str(job.messages), "-l", str(corpus.SIZE)]
    return _TOOL.command(*words, "-f", job.sender, "-t", job.recipient, f"{job.place.host}:{job.place.port}")


def process(job: Job) -> Command:
    """One message of 2 kB."""
    return finished(job)
