"""SMTP on standard input and output (-bs), each message passed on before its client hears what became of it.

A client hears one answer for a message, so that all its recipients get it or none does: only then it is true.
"""

from __future__ import annotations

import os
import re
import sys
import time

from mailwright.message.stamping import date_text
from mailwright.smtp.receiving import EXTENSIONS, Rules, receive
from mailwright.steps import Ask, Clock, Close, Read, Write
from mailwright.words.envelope import Envelope
from mailwright.words.errors import ConfigError, DeliveryError, MailError, MissingExtra, OutboxUnavailable
from mailwright.words.reply import Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mailwright.cli.sendmail.addressing import Addressing
    from mailwright.smtp.receiving import Received
    from mailwright.steps import Plan, Step

#: CHUNKING is not offered: with LF accepted for a line end, sizes that count octets would not hold.
OFFERED = tuple(name for name in EXTENSIONS if name not in ("CHUNKING", "REQUIRETLS"))
_DOT_BEHIND_LF = re.compile(rb"(?<!\r)\n\.")
TEXT_LIMIT = 400  # characters of a reply's text; its line may have 512 octets (RFC 5321 §4.5.3.1.5)


def serve(pass_on: Callable[[tuple[Envelope, bytes]], object], addressing: Addressing, size: int) -> None:
    """Speak SMTP with whoever started us until it leaves. `pass_on` sends a message on or puts it away, and gives what
    is said of that in the reply. It raises `MailError`.
    """
    rules = Rules(extensions=OFFERED, size=size)
    plan = receive(rules, lambda received: _passed_on(received, pass_on, addressing))
    run(plan, Lines(sys.stdin.fileno()), sys.stdout.fileno())


def _passed_on(
    received: Received, pass_on: Callable[[tuple[Envelope, bytes]], object], addressing: Addressing
) -> Reply:
    """Pass a message on, and say truly what became of it."""
    try:
        found = received.envelope
        envelope = Envelope(found.sender, addressing.readdressed(found.recipients), found.dsn)
        content = _trace(received) + received.content
        said = pass_on((envelope, content))
    except MailError as error:
        return _refusal(error)
    return Reply(250, (f"2.0.0 {said}"[:TEXT_LIMIT],))


def _trace(received: Received) -> bytes:
    """The trace that whoever takes a message by SMTP and passes it on must leave (RFC 5321 §4.4)."""
    name = received.hello if received.hello.isascii() and "(" not in received.hello else "localhost"
    by = "by localhost (mailwright sendmail) with ESMTP"
    return f"Received: from {name[:255]}\r\n {by};\r\n {date_text(time.time())}\r\n".encode("ascii")


def _refusal(error: MailError) -> Reply:
    """4yz where the same message may be offered again and makes no copy, else 5yz."""
    if isinstance(error, ConfigError):
        code, status = 451, "4.3.5"  # RFC 3463 §3.4: our settings can be mended
    elif isinstance(error, (OutboxUnavailable, MissingExtra)):
        code, status = 451, "4.3.0"
    elif isinstance(error, DeliveryError):
        code = 451 if error.temporary else 554
        status = "4.3.0" if error.temporary else "5.3.0"
        if error.reply is not None and (error.reply.enhanced or "").startswith(status[0]):
            status = error.reply.enhanced or status
    else:
        code, status = 554, "5.6.0"
    text = error.what
    if isinstance(error, DeliveryError) and error.in_doubt:
        text += " It may or may not arrive; offered again it may arrive twice."
    elif isinstance(error, DeliveryError) and error.receipt is not None and error.receipt.accepted:
        got = ", ".join(address.spec for address in error.receipt.accepted)
        text += f" It was accepted for {got}; offer it to nobody of them again."
    return Reply(code, (f"{status} {' '.join(text.split())}"[:TEXT_LIMIT],))


class Lines:
    """What is read from a file descriptor, with CRLF for every LF: who talks to a program often says LF alone.

    Who ends the first line with CRLF doubled no dot behind an LF, so that a dot there is one of the text. It is doubled
    here: else a text from elsewhere could end its message, and go on with commands ("SMTP smuggling").
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held = b""  # a CR whose LF may come with the next octets
        self._says_crlf: bool | None = None  # not known before the first line
        self._behind_lf = False  # what came so far ends in LF alone

    def read(self, seconds: float) -> bytes:
        """What arrives next, ``b""`` at the end. Raises `TimeoutError`."""
        octets = b""
        while not octets:
            _wait_for(self._descriptor, seconds)
            arrived = os.read(self._descriptor, 65536)
            octets = self._held + arrived
            self._held = b"\r" if arrived and octets.endswith(b"\r") else b""
            octets = self._with_dots(octets[: len(octets) - len(self._held)])
            octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            if not arrived:
                break
        return octets

    def _with_dots(self, octets: bytes) -> bytes:
        """`octets` with a second dot where one stands behind an LF of somebody who says CRLF."""
        end = octets.find(b"\n")
        if self._says_crlf is None and end >= 0:
            self._says_crlf = octets[:end].endswith(b"\r")
        if not self._says_crlf or not octets:
            return octets
        first = b"." if self._behind_lf and octets.startswith(b".") else b""
        self._behind_lf = octets.endswith(b"\n") and not octets.endswith(b"\r\n")
        return first + _DOT_BEHIND_LF.sub(b"\n..", octets)


def run(plan: Plan[None], reading: Lines, writing: int) -> None:
    """Perform a plan over two file descriptors, one for each direction."""
    answer: Any = None
    problem: Exception | None = None
    while True:
        try:
            step = plan.send(answer) if problem is None else plan.throw(problem)
        except StopIteration:
            return
        answer, problem = None, None
        try:
            answer = _performed(step, reading, writing)
        except Exception as error:
            problem = error


def _performed(step: Step[Any], reading: Lines, writing: int) -> Any:
    if isinstance(step, Read):
        return reading.read(step.timeout)
    if isinstance(step, Write):
        left = memoryview(step.data)
        while left:
            left = left[os.write(writing, left) :]
        return None
    if isinstance(step, Clock):
        return time.monotonic()
    if isinstance(step, Ask):
        return step.act()
    if isinstance(step, Close):
        return None
    raise TypeError(f"standard input and output don't know the step {step!r}")


def _wait_for(reading: int, seconds: float) -> None:
    if os.name != "posix":
        return  # elsewhere nothing can be waited for on a pipe but what comes
    import select

    poll = select.poll()
    poll.register(reading, select.POLLIN)
    if not poll.poll(min(seconds, 86400.0) * 1000):
        raise TimeoutError
