"""Reports for programs: delivery status (RFC 3464, RFC 6533) and complaints (RFC 5965)."""

from __future__ import annotations

import re

from mailwright.message.fields import read_fields
from mailwright.outbox.bounces.marks import mark_in
from mailwright.outbox.bounces.report import Report
from mailwright.outbox.bounces.texts import address_in, said, text_in, typed_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.message.fields import Field
    from mailwright.outbox.bounces.texts import Part

STATUS_KINDS = ("message/delivery-status", "message/global-delivery-status")
COMPLAINT_KINDS = ("message/feedback-report",)
RECIPIENTS_LIMIT = 500  # of one report
_STATUS = re.compile(r"\b([245]\.[0-9]{1,3}\.[0-9]{1,3})\b", re.ASCII)
_ACTIONS = {
    "failed": "bounced", "failure": "bounced", "delayed": "delayed", "delivered": "delivered", "relayed": "relayed",
    "expanded": "expanded", "deliverable": "delivered",
}  # fmt: skip
_BY_CLASS = {"2": "delivered", "4": "delayed", "5": "bounced"}
#: The feedback types that are a reader's complaint (RFC 5965 §7.3); auth-failure (RFC 6591) and not-spam are none.
_COMPLAINTS = frozenset(("abuse", "fraud", "virus", "other", "opt-out", "opt-out-list", "complaint"))


def read_status(part: Part) -> list[Report]:
    """The recipients of a part ``message/delivery-status``: groups of fields with empty lines between."""
    groups = _groups(part.octets)
    about = groups[0] if groups else []
    envelope_id = text_in(about, "original-envelope-id", 200).strip()
    found: list[Report] = []
    # Some leave the group about the message out; then the first one is a recipient's.
    for group in groups[:RECIPIENTS_LIMIT]:
        report = _of_recipient(group)
        if report is not None:
            found.append(report)
    return [_with_envelope_id(report, envelope_id) for report in found]


def _groups(octets: bytes) -> list[list[Field]]:
    blocks = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").split(b"\r\n\r\n")
    return [fields for fields in map(_fields, blocks[: RECIPIENTS_LIMIT * 2]) if fields]


def _fields(block: bytes) -> list[Field]:
    return read_fields(block.strip(b"\r\n") + b"\r\n", lenient=True)


def _of_recipient(group: list[Field]) -> Report | None:
    final = typed_address(text_in(group, "final-recipient"))
    original = typed_address(text_in(group, "original-recipient")) or typed_address(
        text_in(group, "x-actual-recipient")
    )
    action = text_in(group, "action", 60).partition("(")[0].strip().lower()
    given = _STATUS.search(text_in(group, "status", 100))
    diagnostic = text_in(group, "diagnostic-code")
    kind, semicolon, words = diagnostic.partition(";")
    diagnostic = said(words if semicolon and " " not in kind.strip() else diagnostic)
    status = given[1] if given is not None else ""
    if not (final or original) or not (action or status or diagnostic):
        return None
    told = _ACTIONS.get(action) or _BY_CLASS.get(status[:1]) or _BY_CLASS.get(_code_class(diagnostic), "bounced")
    return Report(final or original, told, action, status, diagnostic, original)


def _code_class(diagnostic: str) -> str:
    found = re.match(r"[^0-9]{0,8}([245])[0-9][0-9]\b", diagnostic, re.ASCII)
    return found[1] if found is not None else ""


def _with_envelope_id(report: Report, envelope_id: str) -> Report:
    from mailwright.words.value import replace

    sound = 0 < len(envelope_id) <= 100 and envelope_id.isascii() and envelope_id.isprintable()
    return replace(report, envelope_id=envelope_id) if sound else report


def read_complaint(part: Part) -> list[Report]:
    """What a part ``message/feedback-report`` says; nothing where it is no complaint. A recipient who was taken out is
    an empty one.
    """
    fields = [field for group in _groups(part.octets)[:4] for field in group]
    sort = text_in(fields, "feedback-type", 60).strip().lower()
    if sort not in _COMPLAINTS:
        return []
    status = f"complaint: {sort}"
    verp = mark_in(text_in(fields, "original-mail-from"))
    envelope_id = text_in(fields, "original-envelope-id", 100).strip()
    named = [address_in(one.text[:400]) for one in fields if one.key in ("original-rcpt-to", "removal-recipient")]
    recipients = list(dict.fromkeys(filter(None, named)))[:RECIPIENTS_LIMIT] or [""]
    agent = said(text_in(fields, "user-agent", 200))
    diagnostic = status + (f", told by {agent}" if agent else "")
    return [
        _with_envelope_id(Report(one, "complained", diagnostic=diagnostic, verp=verp), envelope_id)
        for one in recipients
    ]
