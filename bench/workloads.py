"""What is measured: the workloads, and who is measured in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bench import corpus
from bench.senders import find

Unit = Literal["messages/s", "MB/s", "ms"]


@dataclass(frozen=True)
class Workload:
    """One table. `act` is what each of `senders` does (see `bench.senders`), the first of them being the measure.

    `messages` is for a sender of `PACE` 1; `counts` says otherwise for some. `hidden` keywords are not offered; `tls`
    is STARTTLS with a login; `round_trip` in seconds; `file` is the size of the attachment in octets. `depends`
    says what the figures depend on.
    """

    name: str
    what: str
    act: str
    messages: int
    senders: tuple[str, ...]
    depends: str
    counts: Mapping[str, int] = field(default_factory=dict)
    hidden: str = ""
    tls: bool = False
    connections: int = 1
    recipients: int = 1
    file: int = 0
    round_trip: float = 0.0
    from_open: bool = False
    unit: Unit = "messages/s"
    rounds: int = 0  # if it should be more than usual

    @property
    def sends(self) -> bool:
        """Whether a server takes part."""
        return self.act != "built"

    def count(self, sender: str) -> int:
        """How many messages that sender is given."""
        if sender in self.counts:
            return self.counts[sender]
        if self.act in ("attached", "addressed", "process"):
            return 1
        return max(1, round(self.messages * find(sender).pace))


_PEERS = ("smtplib", "aiosmtplib", "nodemailer")
_OURS = ("mailwright", "mailwright_async")
_LOOPBACK = "a server that does nothing, and no way between: the client alone is measured"
_WAKE = "how fast the system wakes the other process, since every message needs at least one wake-up"

WORKLOADS = (
    Workload(
        "W1", "finished messages of 2 kB, one connection, CHUNKING offered", "finished", 5000,
        (*_PEERS, "smtp_source", *_OURS, "mailwright:envelopes=each"), f"{_LOOPBACK}; for the peers on {_WAKE}",
        {"mailwright": 40_000, "mailwright:envelopes=each": 40_000, "mailwright_async": 20_000},
    ),
    Workload(
        "W1-pipelining", "the same, the server offers PIPELINING without CHUNKING", "finished", 5000,
        (*_PEERS, "smtp_source", *_OURS), f"{_LOOPBACK}, and {_WAKE}", hidden="CHUNKING",
        counts={"mailwright": 10_000, "mailwright_async": 6_000},
    ),
    Workload(
        "W1-composed", "small messages composed from text and sent, one connection", "composed", 400,
        (*_PEERS, "yagmail", "redmail", *_OURS), f"the building of messages, nearly alone; {_LOOPBACK}",
        {"mailwright": 10_000, "mailwright_async": 10_000},
    ),
    Workload(
        "W2-10", "finished messages of 2 kB, 10 connections", "finished", 5000,
        (*_PEERS, "smtp_source", *_OURS), f"{_LOOPBACK}, and the number of cores", connections=10,
        counts={"mailwright": 160_000, "mailwright_async": 80_000},
    ),
    Workload(
        "W2-50", "finished messages of 2 kB, 50 connections", "finished", 5000,
        (*_PEERS, "smtp_source", *_OURS), f"{_LOOPBACK}, and the number of cores", connections=50,
        counts={"mailwright": 160_000, "mailwright_async": 80_000},
    ),
    Workload(
        "W3", "a server 50 ms away (there and back), one open connection, CHUNKING offered", "finished", 8,
        (*_PEERS, "smtp_source", *_OURS, "mailwright:window=1000"),
        "the round trip and the window, by default 64 messages; the wide window is for servers of one's own. "
        "smtp-source can't say when its connection is open: its figure holds the opening",
        {"smtp_source": 12, "mailwright": 2500, "mailwright_async": 2500, "mailwright:window=1000": 60_000,
         "aiosmtplib": 8, "nodemailer": 12},
        round_trip=0.05, from_open=True,
    ),
    Workload(
        "W3-pipelining", "the same, the server offers PIPELINING without CHUNKING", "finished", 8,
        (*_PEERS, "smtp_source", *_OURS),
        "the round trip: DATA must end a group, so that one message a round trip is the most",
        {"smtp_source": 12, "mailwright": 30, "mailwright_async": 30, "aiosmtplib": 8, "nodemailer": 12},
        round_trip=0.05, from_open=True, hidden="CHUNKING",
    ),
    Workload(
        "W4", "one message with a file of 25 MB, from the file to the acceptance", "attached", 1,
        (*_PEERS, "yagmail", "redmail", "curl", "s_nail", "swaks", *_OURS, "mailwright:pybase64"),
        "memory and the encoding of base64; the file is in the system's cache", file=25_000_000, unit="MB/s",
    ),
    Workload(
        "W4-2kB", "the same with a file of 2 kB, to see what memory the large file costs", "attached", 1,
        ("smtplib", "nodemailer", *_OURS, "mailwright:pybase64"), "the start of a connection", file=2_000, unit="ms",
    ),
    Workload(
        "W4-1GB", "the same with a file of 1 GB", "attached", 1, (*_OURS, "mailwright:pybase64"),
        "memory, the encoding of base64, and whether the file is in the system's cache",
        file=1_000_000_000, unit="MB/s",
    ),
    Workload(
        "W5", "text, HTML and a file of 20 kB, words outside ASCII: built, not sent", "built", 200,
        ("smtplib", "yagmail", "redmail", "nodemailer", "mailwright", "mailwright:attachment=shared"),
        "the interpreter; with attachment=shared its base64 is made once",
        {"mailwright": 1500, "mailwright:attachment=shared": 3000, "nodemailer": 1000, "yagmail": 200, "redmail": 100},
    ),
    Workload(
        "W6-new", "STARTTLS with a checked certificate, login, one message, QUIT: a new connection each", "anew", 150,
        (*_PEERS, *_OURS, "mailwright:resumed", "mailwright_async:resumed"),
        "the key of the server (RSA, 2048 bits) and OpenSSL; both sides compute on the same machine",
        {"mailwright": 150, "mailwright_async": 150, "mailwright:resumed": 150, "mailwright_async:resumed": 150,
         "nodemailer": 100, "aiosmtplib": 100},
        tls=True,
    ),
    Workload(
        "W6-kept", "STARTTLS and login once, then finished messages of 2 kB over that connection", "finished", 1500,
        (*_PEERS, *_OURS), _LOOPBACK, {"mailwright": 10_000, "mailwright_async": 10_000}, tls=True,
    ),
    Workload(
        "W7", "a whole process that sends one message", "process", 1,
        (*_PEERS, "yagmail", "redmail", "curl", "msmtp", "s_nail", "swaks", "smtp_source", *_OURS, "mailwright_cli"),
        "the start of the interpreter and of its libraries, with byte code in the system's cache", unit="ms", rounds=11,
    ),
    Workload(
        "W7-tls", "a whole process that sends one message, with STARTTLS and a login", "process", 1,
        (*_PEERS, "curl", "msmtp", *_OURS, "mailwright_cli"),
        "as W7, and the loading of OpenSSL and of the trusted authority", tls=True, unit="ms", rounds=11,
    ),
    Workload(
        "W10k", "one message to 10,000 recipients, built and sent", "addressed", 1, (*_PEERS, *_OURS),
        "the writing and reading of address lists; the server takes all of them", recipients=10_000, unit="ms",
    ),
)  # fmt: skip

BY_NAME = {workload.name: workload for workload in WORKLOADS}


def least_octets(workload: Workload, messages: int) -> int:
    """What must have arrived at least, headers and files aside."""
    if workload.act in ("finished", "anew"):
        return messages * corpus.SIZE
    if workload.act == "composed":
        return messages * len(corpus.BODY)
    return len(corpus.SMALL)
