"""Checks of a message: what would be refused, lost, misread or not shown, with the reason and what to do.

========================  ====================================================================
`finding`                 `Finding`, what is found, and `Rule`, what looks for it
`opened`                  the message laid open once for all rules
`entity`                  its MIME structure, faults included
`page`, `style`           its HTML, and the features that it uses
`places`, `signatures`    whose a link is; what a DKIM signature covers
`rules`                   the rules, by reason
``data/readers.json``     which reader does not show what
========================  ====================================================================

Nothing is fetched and nothing is asked: octets and an envelope in, findings out. Any octets are taken, however
broken; work and memory are linear in their number.
"""

from __future__ import annotations

from itertools import islice

from mailwright.message.check.finding import SEVERITIES, Finding, Rule
from mailwright.message.check.opened import Opened
from mailwright.message.check.rules import RULES
from mailwright.words.errors import ConfigError, MessageError
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import Message as EmailMessage
    from typing import Any, Protocol

    from mailwright.message.content import Content
    from mailwright.message.message import Message
    from mailwright.words.envelope import Envelope

    class Carried(Protocol):
        """A message that came with its envelope, as an `Inbox` has them."""

        @property
        def envelope(self) -> Envelope:
            """What the server was told."""
            ...

        @property
        def content(self) -> bytes:
            """The octets."""
            ...

    Checkable = Message | EmailMessage | Content | Carried | bytes | bytearray | memoryview | str

__all__ = ["FINDINGS_LIMIT", "RULES", "SEVERITIES", "Finding", "Rule", "check", "chosen"]

FINDINGS_LIMIT = 10  # of one rule; more of the same help nobody
_WHAT_LIMIT = 500  # characters
_WHERE_LIMIT = 100


def check(
    given: Checkable,
    envelope: Envelope | None = None,
    *,
    now: float | None = None,
    only: Iterable[str] = (),
    ignore: Iterable[str] = (),
) -> tuple[Finding, ...]:
    """What the rules find in a message, the gravest first.

    `given`: a `Message`, one of the ``email`` package, the octets of one, or what an `Inbox` received. `envelope`: what
    the server is or was told; without it that of the message, or else the Return-Path of a delivered one. `now`:
    seconds since 1970; without it no Date is in the future. `only` and `ignore` choose rules by their ids.

    Raises `ConfigError` for a rule that does not exist, `MessageError` for a `Message` without a sender or whose files
    are gone, `TypeError` for what is no message.
    """
    rules = chosen(only, ignore)
    octets, envelope = _octets(given, envelope)
    mail = Opened(octets, envelope, now)
    found = [
        Finding(
            rule.id,
            rule.severity,
            visible(what, _WHAT_LIMIT),
            fix[0] if fix else rule.fix,
            visible(where, _WHERE_LIMIT),
        )
        for rule in rules
        for what, where, *fix in islice(rule.look(mail), FINDINGS_LIMIT)
    ]
    return tuple(sorted(found, key=lambda one: SEVERITIES.index(one.severity)))


def chosen(only: Iterable[str] = (), ignore: Iterable[str] = ()) -> tuple[Rule, ...]:
    """The rules of these ids, or all, without those to ignore. Raises `ConfigError` for one that does not exist."""
    wanted, left_out = list(only), set(ignore)
    for name in (*wanted, *left_out):
        if name not in RULES:
            from mailwright.words.options import did_you_mean

            raise ConfigError(f"There is no rule “{visible(name, 60)}”.", did_you_mean(name, RULES))
    return tuple(rule for name, rule in RULES.items() if (not wanted or name in wanted) and name not in left_out)


def _octets(given: Checkable, envelope: Envelope | None) -> tuple[bytes, Envelope | None]:
    if isinstance(given, str):
        return given.encode("utf-8", "replace"), envelope
    if isinstance(given, (bytes, bytearray, memoryview)):
        return bytes(given), envelope
    from mailwright.message.content import Content
    from mailwright.message.message import Message

    if isinstance(given, Message):
        if envelope is None and (given.to or given.cc or given.bcc):
            envelope = given.envelope()
        return bytes(given), envelope
    if isinstance(given, Content):
        return bytes(given), envelope
    written: Any = given
    if hasattr(given, "as_bytes"):
        return _standard(written), envelope
    content = getattr(given, "content", None)
    if not isinstance(content, bytes):
        raise TypeError(f"{type(given).__name__} is no message: give a Message or the octets of one.")
    return content, envelope or getattr(given, "envelope", None)


def _standard(given: EmailMessage) -> bytes:
    """The octets of a message of the ``email`` package."""
    try:
        return given.as_bytes(policy=given.policy.clone(linesep="\r\n"))
    except (ValueError, LookupError, AttributeError, TypeError) as problem:
        raise MessageError(
            f"The message of the email package can't be written: {problem}.", "Give its octets, or put it right."
        ) from problem
