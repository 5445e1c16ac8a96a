"""A received message without its content as JSON, and back: what the store keeps beside the octets.

What was said is kept apart from the other facts: the reply to the content is said when these are in the file already.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from mailwright.smtp.receiving.received import Received
from mailwright.words.address import Address
from mailwright.words.envelope import DSN, Envelope
from mailwright.words.receipt import TLSFacts
from mailwright.words.transcript import Line, Transcript
from mailwright.words.value import fields_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mailwright.message.source import Source
    from mailwright.words.transcript import Entry

_written = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def packed(received: Received, arrived: float) -> str:
    """All of it but its content and its transcript; `arrived` is the Unix time."""
    envelope = received.envelope
    facts: dict[str, Any] = {
        "arrived": arrived,
        "size": received.size,
        "sender": envelope.reverse_path,
        "recipients": [address.spec for address in envelope.recipients],
        "hello": received.hello,
        "peer": received.peer,
        "login": received.login,
    }
    if envelope.dsn is not None:
        facts["dsn"] = _fields(envelope.dsn)
    if envelope.require_tls:
        facts["require_tls"] = True
    if received.tls is not None:
        facts["tls"] = _fields(received.tls)
    if received.mail_parameters:
        facts["mail_parameters"] = received.mail_parameters
    if any(received.rcpt_parameters):
        facts["rcpt_parameters"] = received.rcpt_parameters
    if received.note:
        facts["note"] = received.note
    return _written(facts)


def _fields(one: object) -> list[Any]:
    return [getattr(one, name) for name in fields_of(one)]


def unpacked(packed: str, source: Callable[[int], Source], transcript: Transcript | None) -> tuple[Received, float]:
    """The message that `packed` made this of, and when it arrived; `source` gives its octets for their number."""
    facts = json.loads(packed)
    dsn = tls = None
    if "dsn" in facts:
        notify, ret, envid = facts["dsn"]
        dsn = DSN(tuple(notify), ret, envid)
    if "tls" in facts:
        tls = TLSFacts(*facts["tls"])
    sender, recipients = facts["sender"], facts["recipients"]
    envelope = Envelope(
        Address(sender) if sender else None,
        tuple([Address(spec) for spec in recipients]),
        dsn,
        facts.get("require_tls", False),
    )
    received = Received(
        envelope,
        source(facts["size"]),
        hello=facts["hello"],
        peer=facts["peer"],
        login=facts["login"],
        tls=tls,
        mail_parameters=facts.get("mail_parameters"),
        rcpt_parameters=tuple(facts.get("rcpt_parameters") or ({} for _ in recipients)),
        transcript=transcript,
        note=facts.get("note", ""),
    )
    return received, facts["arrived"]


def packed_transcript(transcript: Transcript | None) -> str | None:
    """What was said, in millionths of a second."""
    if transcript is None:
        return None
    opening, first, dropped, last = transcript.entries()
    lines = [(round(seconds * 1e6), mark, text) for seconds, mark, text in (*first, *last)]
    begun = _packed_opening(opening)
    comma = "," if opening and lines else ""
    count = len(opening) + len(first)
    return f"[{transcript.limit},{dropped},{count},[{begun}{comma}{_written(lines)[1:-1]}]]"


@lru_cache(100)  # it is that of all messages of one connection
def _packed_opening(opening: tuple[Entry, ...]) -> str:
    return _written([(round(seconds * 1e6), mark, text) for seconds, mark, text in opening])[1:-1]


def unpacked_transcript(packed: str | None) -> Transcript | None:
    """What `packed_transcript` made this of."""
    if packed is None:
        return None
    limit, dropped, count, found = json.loads(packed)
    lines = [Line(millionths / 1e6, mark, text) for millionths, mark, text in found]
    transcript = Transcript()
    transcript.__setstate__((limit, dropped, lines[:count], lines[count:]))
    return transcript
