"""Is what arrives what was sent? Each sender sends a few messages to a server that keeps them, and all is compared."""

from __future__ import annotations

import email
import email.policy
import re
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import getaddresses
from pathlib import Path

from bench import corpus, senders
from bench.job import Missing
from bench.running import Failed
from bench.stage import carried, staged
from bench.workloads import Workload

FEW = 600  # messages at most in a check
SMALLER_FILE = 3_000_001  # octets in place of a larger file; no multiple of 3 or of 57

_PATH = re.compile(rb"(MAIL FROM|RCPT TO):<([^>]*)>", re.IGNORECASE)


class Wrong(Exception):
    """What arrived is not what was sent; the text says how."""


@dataclass(frozen=True)
class Arrived:
    """One transaction as the server took it."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes

    @classmethod
    def read(cls, path: Path) -> Arrived:
        """From the file that the sink wrote."""
        envelope, _, content = path.read_bytes().partition(b"\r\n\r\n")
        paths = _PATH.findall(envelope)
        sender = next(address for verb, address in paths if verb.upper().startswith(b"MAIL"))
        recipients = tuple(address.decode() for verb, address in paths if verb.upper().startswith(b"RCPT"))
        return cls(sender.decode(), recipients, content)

    @property
    def message(self) -> EmailMessage:
        """The content, read."""
        return read(self.content)


def read(octets: bytes) -> EmailMessage:
    """A message as Python's own library reads it."""
    return email.message_from_bytes(octets, policy=email.policy.default)


def check(workload: Workload, sender: str, few: int = FEW) -> str | None:
    """Let `sender` do that workload with `few` messages at most. None if all is well, or what is wrong.

    Raises `Missing` if it can't be done here.
    """
    found = senders.find(sender)
    found.act(workload.act)
    with tempfile.TemporaryDirectory(prefix="mailwright-bench-") as name:
        folder = Path(name)
        kept = folder / "kept"
        kept.mkdir()
        count = min(workload.count(sender), few)
        sample = folder / "sample.eml"
        try:
            with carried(min(workload.file, SMALLER_FILE)) as file, staged(workload, kept) as stage:
                run = stage.run(sender, count, file, sample)
                octets = file.read_bytes() if file else b""
            if not workload.sends:
                look_at_rich(sample.read_bytes())
                return None
            arrived = [Arrived.read(path) for path in sorted(kept.iterdir())]
            _envelopes(arrived, workload)
            if not found.own_content:
                LOOKS[workload.act](arrived, count, octets)
            _sessions(sender, run.resumed, count)
        except (Wrong, Failed) as reason:
            return str(reason)
    return None


def _envelopes(arrived: list[Arrived], workload: Workload) -> None:
    """Every recipient once a message, and no other."""
    if any(one.sender != corpus.SENDER for one in arrived):
        raise Wrong("a message has another sender")
    seen = [recipient for one in arrived for recipient in one.recipients]
    if workload.recipients == 1:
        if seen != [corpus.RECIPIENT] * len(arrived):
            raise Wrong("a message has other recipients")
        return
    wanted = [address for _, address in getaddresses(corpus.addresses(workload.recipients))]
    if sorted(seen) != sorted(wanted):
        raise Wrong(f"{len(seen)} recipients arrived, {len(set(seen) & set(wanted))} of {len(wanted)} that were meant")


def _sessions(sender: str, resumed: int, count: int) -> None:
    if "resumed" in senders.find(sender).options and resumed < count - 1:
        raise Wrong(f"{resumed} TLS sessions were resumed, of {count - 1} that could be")


def _finished(arrived: list[Arrived], count: int, file: bytes) -> None:
    if Counter(one.content for one in arrived) != Counter(corpus.all_finished(count)):
        raise Wrong("a content differs from what was handed over")


def _composed(arrived: list[Arrived], count: int, file: bytes) -> None:
    subjects = Counter(str(one.message["subject"]) for one in arrived)
    if subjects != Counter(f"{corpus.SUBJECT} {number}" for number in range(count)):
        raise Wrong("other subjects arrived")
    identities = set()
    for one in arrived:
        message = one.message
        _text_is(message, corpus.BODY)
        if corpus.SENDER not in str(message["from"]) or corpus.RECIPIENT not in str(message["to"]):
            raise Wrong("From or To is another")
        if not message["date"] or not message["message-id"]:
            raise Wrong("Date or Message-ID is missing")
        identities.add(message["message-id"])
    if len(identities) != count:
        raise Wrong("two messages have the same Message-ID")


def _attached(arrived: list[Arrived], count: int, file: bytes) -> None:
    (one,) = arrived
    if not any(part.get_payload(decode=True) == file for part in one.message.walk()):
        raise Wrong("no part is the file")


def _addressed(arrived: list[Arrived], count: int, file: bytes) -> None:
    if len({one.content for one in arrived}) != 1:
        raise Wrong("not everybody got the same message")
    message = email.message_from_bytes(arrived[0].content)  # the newer reader takes minutes for 10,000 addresses
    named = {address for _, address in getaddresses([str(message["to"])])}
    for one in arrived:
        if not named >= set(one.recipients):
            raise Wrong("a recipient is not in To")
    if corpus.SMALL.strip() not in str(message.get_payload()):
        raise Wrong("the text is another")


def _process(arrived: list[Arrived], count: int, file: bytes) -> None:
    (one,) = arrived
    if one.content != corpus.finished(1):  # of senders that take a finished message
        _text_is(one.message, corpus.SMALL)


def _text_is(message: EmailMessage, text: str) -> None:
    body = message.get_body(("plain",))
    found = body.get_content() if body else ""
    if found.split() != text.split():
        raise Wrong("the text is another")


LOOKS: dict[str, Callable[[list[Arrived], int, bytes], None]] = {
    "finished": _finished,
    "anew": _finished,
    "composed": _composed,
    "attached": _attached,
    "addressed": _addressed,
    "process": _process,
}


def look_at_rich(octets: bytes) -> None:
    """Raises `Wrong` if that is not the message `corpus.Rich`."""
    message, rich = read(octets), corpus.Rich
    if rich.subject not in str(message["subject"]):
        raise Wrong("the subject is another")
    if rich.sender[0] not in str(message["from"]) or rich.recipient[0] not in str(message["to"]):
        raise Wrong("a name is another")
    for kind, text in (("plain", rich.text), ("html", rich.html)):
        body = message.get_body((kind,))
        if body is None or text.split() != body.get_content().split():
            raise Wrong(f"the body in {kind} is another")
    files = [part.get_payload(decode=True) for part in message.walk() if part.get_filename() == rich.name]
    if files != [rich.file]:
        raise Wrong("the file, or its name, is another")
    if re.search(rb"[^\r]\n|\r[^\n]", octets) or any(len(line) > 998 for line in octets.split(b"\r\n")):
        raise Wrong("a line is too long, or does not end in CRLF")


__all__ = ["FEW", "Arrived", "Missing", "Wrong", "check", "look_at_rich", "read"]
