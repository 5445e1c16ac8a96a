"""A received message without its content as JSON, and back: what the store keeps beside the octets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mailwright.smtp.receiving.received import Received
from mailwright.words.address import Address
from mailwright.words.envelope import DSN, Envelope
from mailwright.words.receipt import TLSFacts
from mailwright.words.transcript import Line, Transcript
from mailwright.words.value import fields_of

if TYPE_CHECKING:
    from typing import Any

    from mailwright.message.source import Source


def packed(received: Received) -> str:
    """All of it but the content and what has a column of its own: sender, recipients, note."""
    facts: dict[str, Any] = {"hello": received.hello, "peer": received.peer, "login": received.login}
    if received.envelope.dsn is not None:
        facts["dsn"] = _fields(received.envelope.dsn)
    if received.envelope.require_tls:
        facts["require_tls"] = True
    if received.tls is not None:
        facts["tls"] = _fields(received.tls)
    if received.mail_parameters:
        facts["mail_parameters"] = received.mail_parameters
    if any(received.rcpt_parameters):
        facts["rcpt_parameters"] = received.rcpt_parameters
    if received.transcript is not None:
        limit, dropped, first, last = received.transcript.__getstate__()
        lines = [[[round(line.seconds, 6), line.mark, line.text] for line in some] for some in (first, last)]
        facts["transcript"] = [limit, dropped, *lines]
    return json.dumps(facts, ensure_ascii=True, separators=(",", ":"))


def _fields(one: object) -> list[Any]:
    return [getattr(one, name) for name in fields_of(one)]


def unpacked(sender: str, recipients: tuple[str, ...], note: str, packed: str, content: Source) -> Received:
    """The message that `packed` made this of."""
    facts = json.loads(packed)
    dsn = tls = transcript = None
    if "dsn" in facts:
        notify, ret, envid = facts["dsn"]
        dsn = DSN(tuple(notify), ret, envid)
    if "tls" in facts:
        tls = TLSFacts(*facts["tls"])
    if "transcript" in facts:
        limit, dropped, first, last = facts["transcript"]
        transcript = Transcript()
        transcript.__setstate__((limit, dropped, [Line(*one) for one in first], [Line(*one) for one in last]))
    envelope = Envelope(
        Address(sender) if sender else None,
        tuple([Address(spec) for spec in recipients]),
        dsn,
        facts.get("require_tls", False),
    )
    return Received(
        envelope,
        content,
        hello=facts["hello"],
        peer=facts["peer"],
        login=facts["login"],
        tls=tls,
        mail_parameters=facts.get("mail_parameters"),
        rcpt_parameters=tuple(facts.get("rcpt_parameters") or ({} for _ in recipients)),
        transcript=transcript,
        note=note,
    )
