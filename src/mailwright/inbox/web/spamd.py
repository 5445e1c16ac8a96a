"""What SpamAssassin thinks of a message: a client of its `spamd`, on this machine and nowhere else.

The protocol is a few lines of text (SpamAssassin's ``spamd/PROTOCOL``): a request with the length of the message and
the message, an answer with the verdict, and a report for people. Whoever reads mail can be made to say anything, so
that the answer is a stranger's text too.
"""

from __future__ import annotations

import re
import socket
from time import monotonic
from typing import TYPE_CHECKING

from mailwright.inbox.listening import LOOPBACK
from mailwright.words.errors import ConfigError, MailError
from mailwright.words.reply import visible
from mailwright.words.value import value

if TYPE_CHECKING:
    from collections.abc import Iterable

PORT = 783
ANSWER_LIMIT = 1 << 18  # octets
SIZE_LIMIT = 8 << 20  # octets of a message that is handed over; SpamAssassin itself skips large ones
RULES_LIMIT = 500
_TIMEOUT = 60.0  # seconds for all of it: the tests that ask the network take their time

_STATUS = re.compile(rb"SPAMD/[0-9.]{1,8} ([0-9]{1,3})(?: ([A-Z_]{1,40}))?[^\r\n]*\r?\n")
_VERDICT = re.compile(rb"\nspam: *(true|false|yes|no) *; *(-?[0-9.]{1,12}) */ *(-?[0-9.]{1,12})", re.IGNORECASE)
# From ten points on it rounds to whole ones.
_RULE = re.compile(r" {0,3}(?:\* {1,3})?(-?[0-9]{1,5}(?:\.[0-9]{1,3})?) ([A-Za-z0-9_]{2,100})(?: (.*))?")
_TABLE = re.compile(r"-{2,}(?: -{2,}){2}\s*")


class SpamdError(MailError):
    """`spamd` gave no verdict."""


@value
class Hit:
    """A rule that fits the message: its `score`, its `name`, and what it means."""

    score: float
    name: str
    meaning: str


@value
class Verdict:
    """`spam`: whether the `score` reached the `threshold`. `hits`: the rules that make it up."""

    spam: bool
    score: float
    threshold: float
    hits: tuple[Hit, ...]


class Spamd:
    """The `spamd` that listens on this port of the loopback interface. Raises `ConfigError`."""

    def __init__(self, port: int = PORT) -> None:
        if not 1 <= port <= 65535:
            raise ConfigError(
                f"{port} is no port.", "SpamAssassin's spamd listens on 783 unless it was told otherwise."
            )
        self.port = port

    def verdict(self, chunks: Iterable[bytes], size: int) -> Verdict:
        """What it thinks of the message of `size` octets. Blocks. Raises `SpamdError`."""
        if size > SIZE_LIMIT:
            raise SpamdError(f"The message has {size:,} octets; SpamAssassin is asked up to {SIZE_LIMIT >> 20} MB.")
        try:
            return _read(self._asked(chunks, size))
        except TimeoutError:
            raise SpamdError(f"spamd on port {self.port} gave no answer in {_TIMEOUT:g} seconds.") from None
        except OSError as problem:
            raise SpamdError(
                f"spamd can't be asked on port {self.port}: {problem.strerror or problem}.",
                "Start it (on Debian: systemctl start spamd), or start the inbox without --spamd.",
            ) from None

    def _asked(self, chunks: Iterable[bytes], size: int) -> bytes:
        end = monotonic() + _TIMEOUT
        with socket.create_connection((LOOPBACK, self.port), timeout=_TIMEOUT) as connection:
            connection.sendall(b"REPORT SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % size)
            for chunk in chunks:
                connection.sendall(chunk)
            connection.shutdown(socket.SHUT_WR)
            answer = bytearray()
            while True:
                connection.settimeout(max(0.001, end - monotonic()))
                heard = connection.recv(65536)
                answer += heard
                if not heard or len(answer) > ANSWER_LIMIT:
                    return bytes(answer[:ANSWER_LIMIT])


def _read(answer: bytes) -> Verdict:
    status = _STATUS.match(answer)
    if status is None:
        raise SpamdError("What listens there does not speak the protocol of spamd.", "Check the port.")
    if int(status[1]):
        name = (status[2] or b"").decode("ascii")
        raise SpamdError(f"spamd refused the message: {int(status[1])} {name}.")
    head, _, body = answer.partition(b"\r\n\r\n")
    found = _VERDICT.search(head)
    if found is None:
        raise SpamdError("The answer of spamd holds no verdict.")
    try:
        score, threshold = float(found[2]), float(found[3])
    except ValueError:
        raise SpamdError("The answer of spamd holds no score.") from None
    return Verdict(found[1].lower() in (b"true", b"yes"), score, threshold, _hits(body.decode("utf-8", "replace")))


def _hits(report: str) -> tuple[Hit, ...]:
    """The table at the end of the report; a meaning may go on in the next line, which is indented further.

    Above the table the report shows how the message begins, and that may look like a table too; but it is indented.
    """
    lines = report.splitlines()
    begin = max((number for number, line in enumerate(lines) if _TABLE.fullmatch(line)), default=-1)
    hits: list[Hit] = []
    for line in lines[begin + 1 :]:
        row = _RULE.fullmatch(line.rstrip())
        if row is not None and len(hits) < RULES_LIMIT:
            hits.append(Hit(float(row[1]), row[2], visible((row[3] or "").strip(), 300)))
        elif hits and line.startswith(" " * 5) and line.strip():
            last = hits.pop()
            hits.append(Hit(last.score, last.name, visible(f"{last.meaning} {line.strip()}", 300)))
    return tuple(hits)
