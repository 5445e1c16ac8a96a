"""What a sender is told, and the clock that it starts and stops."""

from __future__ import annotations

import json
import resource
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import corpus
from bench.place import Place


class Missing(Exception):
    """This sender is not installed, or can't do what is asked. The text is the reason, in half a sentence."""


@dataclass(frozen=True)
class Command:
    """A program to run: its words, the file that it reads as standard input, and variables for its environment."""

    words: list[str]
    stdin: str | None = None
    variables: dict[str, str] = field(default_factory=dict)


@dataclass
class Job:
    """One run of one act of one sender.

    `messages` is how many to send, over `connections` connections, or how many to build; `recipients` how many the one
    message of the act `addressed` has. `file` is what the act `attached` sends. With `from_open` the rate counts from
    `mark`. `options` are those of the sender's name (`mailwright:window=1000`). `folder` is for scratch files; what is
    built is left in `sample`.
    """

    place: Place
    messages: int
    folder: str
    connections: int = 1
    recipients: int = 1
    file: str = ""
    from_open: bool = False
    options: dict[str, str] = field(default_factory=dict)
    sample: str = ""
    _moments: dict[str, float] = field(default_factory=dict)

    @property
    def sender(self) -> str:
        """The address in MAIL."""
        return corpus.SENDER

    @property
    def recipient(self) -> str:
        """The address in RCPT."""
        return corpus.RECIPIENT

    def finished(self) -> list[bytes]:
        """The messages of the act `finished`."""
        return corpus.all_finished(self.messages)

    def bare_only(self, name: str) -> None:
        """For senders that can't be told which authority to trust. Raises `Missing`."""
        if not self.place.bare:
            raise Missing(f"{name} is measured without TLS and login only")

    def start(self) -> None:
        """Imports are done and the octets of the messages are there: from here on time counts."""
        self._moments |= {"memory_before": float(peak_memory()), "cpu": _cpu(), "start": time.perf_counter()}

    def mark(self, sent: int = 0) -> None:
        """The connection is open, and so many messages were sent: with `from_open` the rate counts from here."""
        self._moments |= {"sent": float(sent), "mark": time.perf_counter()}

    def stop(self) -> None:
        """All is sent and the connections are closed. To return does the same."""
        self._moments |= {"stop": time.perf_counter(), "cpu_after": _cpu(), "memory": float(peak_memory())}

    def built(self, octets: bytes) -> None:
        """The last of the messages that were built, to be looked at afterwards."""
        Path(self.sample).write_bytes(octets)

    def report(self) -> dict[str, float]:
        """What the clock saw: the seconds `wall` and `cpu`, `memory` and `memory_before` in kB, and for messages that
        were sent after the mark `sending` seconds and how many were `sent` before it.
        """
        seen = self._moments
        if "stop" not in seen:
            self.stop()
        report = {name: seen[name] for name in ("memory", "memory_before")}
        report |= {"wall": seen["stop"] - seen["start"], "cpu": seen["cpu_after"] - seen["cpu"]}
        if "mark" in seen:
            report |= {"sending": seen["stop"] - seen["mark"], "sent": seen["sent"]}
        return report

    def to_json(self) -> str:
        """For the process that does it."""
        told = asdict(self)
        del told["_moments"]
        return json.dumps(told)

    @classmethod
    def from_json(cls, text: str) -> Job:
        """What `to_json` wrote."""
        told: dict[str, Any] = json.loads(text)
        place = told.pop("place")
        place["login"] = tuple(place["login"]) if place["login"] else None
        return cls(Place(**place), **told)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_memory(process: int | str = "self") -> int:
    """The most memory that a process has held so far, in kB; 0 if it has ended.

    Not `ru_maxrss`: that is never less than what the parent held when it forked.
    """
    try:
        with open(f"/proc/{process}/status", encoding="ascii", errors="replace") as status:
            return next((int(line.split()[1]) for line in status if line.startswith("VmHWM")), 0)
    except OSError:
        return 0
