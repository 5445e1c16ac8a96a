"""The command `mailwright send`."""

from __future__ import annotations

import sys
from pathlib import Path

from bench import corpus
from bench.job import Command, Job, Missing
from bench.senders.mailwright import url_of, version

__all__ = ["EXTERNAL", "attached", "process", "version"]

EXTERNAL = True


def _send(job: Job, *words: str) -> Command:
    program = Path(sys.executable).with_name("mailwright")
    if not program.exists():
        raise Missing("the command mailwright is not beside this Python")
    said = ["send", "--to", job.recipient, "--from", job.sender, "--text", corpus.SMALL, *words]
    return Command([str(program), *said], variables={"MAILWRIGHT_URL": url_of(job.place)})


def attached(job: Job) -> Command:
    """--attach"""
    return _send(job, "--subject", "A large file", "--attach", job.file)


def process(job: Job) -> Command:
    """One small message."""
    return _send(job, "--subject", "Hello")
