"""swaks (Perl), with which people try servers."""

from __future__ import annotations

from bench import corpus
from bench.job import Command, Job
from bench.senders import Tool

EXTERNAL = True

_TOOL = Tool("swaks", "swaks", "clients")
version = _TOOL.version


def _send(job: Job, *words: str) -> Command:
    job.bare_only("swaks")
    place = job.place
    said = ["--server", place.host, "--port", str(place.port), "--from", job.sender, "--to", job.recipient]
    return _TOOL.command(*said, *words, "--body", corpus.SMALL, "--hide-all")


def attached(job: Job) -> Command:
    """--attach"""
    return _send(job, "--attach", f"@{job.file}")


def process(job: Job) -> Command:
    """One small message."""
    return _send(job)
