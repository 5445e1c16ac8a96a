"""A report in, what it says out: of servers, of providers who pass complaints on, in the standard's form or in prose.

Pure: octets to values, in time linear in their number. It believes nothing and it forgives much, for all it gives still
has to be joined to a message that was sent (`mailwright.outbox.bounces.joining`).
"""

from __future__ import annotations

from mailwright.outbox.bounces.marks import mark_in
from mailwright.outbox.bounces.prose import read_prose, unnamed
from mailwright.outbox.bounces.report import Report, is_hard
from mailwright.outbox.bounces.status import (
    COMPLAINT_KINDS,
    RECIPIENTS_LIMIT,
    STATUS_KINDS,
    read_complaint,
    read_status,
)
from mailwright.outbox.bounces.texts import (
    address_in,
    fields_in,
    mark_for,
    message_id_in,
    normal,
    parts_of,
    text_in,
)
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailwright.message.fields import Field
    from mailwright.outbox.bounces.texts import Part

#: From whom reports come, when they have a sender at all.
_SENDERS = (
    "mailer-daemon",
    "postmaster",
    "mailerdaemon",
    "mail-daemon",
    "mdaemon",
    "maildelivery",
    "microsoftexchange",
)
_SUBJECTS = (
    "undeliver",
    "delivery status notification",
    "failure notice",
    "delivery failure",
    "mail delivery",
    "returned mail",
    "delivery has failed",
    "nondeliverable",
    "delivery notification",
    "message delayed",
    "warning: message",
    "not delivered",
)


def read_reports(octets: bytes) -> tuple[Report, ...]:
    """What a message reports, one `Report` for each recipient; empty when it is no report.

    Reads at most 4 MB, 100 parts and 500 recipients; raises nothing.
    """
    octets = normal(octets)
    fields = fields_in(octets)
    parts = parts_of(octets)
    returned = next((part for part in parts if part.is_returned), None)
    kinds = {part.kind for part in parts}
    found: list[Report] = []
    for part in parts:
        if part.kind in STATUS_KINDS:
            found += read_status(part)
        elif part.kind in COMPLAINT_KINDS:
            found += read_complaint(part)
    if not found and not kinds & set(COMPLAINT_KINDS):
        found = _passed_on(returned) or _in_prose(fields, parts, bool(kinds & set(STATUS_KINDS)))
    known = _known(fields, parts, returned)
    return tuple([_completed(report, known, returned) for report in _once(found)[:RECIPIENTS_LIMIT]])


def _once(found: Iterable[Report]) -> list[Report]:
    """One report for each recipient and kind; the first that has something to say counts."""
    best: dict[tuple[str, str], Report] = {}
    for report in found:
        key = (report.recipient, report.kind)
        if key not in best or (not best[key].diagnostic and report.diagnostic):
            best[key] = report
    return list(best.values())


def _in_prose(fields: list[Field], parts: list[Part], is_status: bool) -> list[Report]:
    """The reports of a text. A person's mail that quotes one is none: it has a sender who is no server."""
    failed = text_in(fields, "x-failed-recipients", 4000)
    if not (is_status or failed or _is_from_a_server(fields)):
        return []
    text = next((part.text for part in parts if part.kind == "text/plain"), "")
    if not text:
        text = _of_html(next((part.text for part in parts if part.kind == "text/html"), ""))
    _, found = read_prose(text, failed)
    if found or not mark_for(fields):
        return found
    told = unnamed(text, text_in(fields, "subject"))
    return [told] if told is not None else []


def _is_from_a_server(fields: list[Field]) -> bool:
    subject = text_in(fields, "subject").lower()
    auto = text_in(fields, "auto-submitted", 60).lower()
    if auto.startswith("auto-replied") and not any(word in subject for word in _SUBJECTS):
        return False  # an absence, told by a person's mail program
    sender = text_in(fields, "from").lower()
    if any(name in sender for name in _SENDERS):
        return True
    return text_in(fields, "return-path", 100).strip() == "<>" and any(word in subject for word in _SUBJECTS)


def _of_html(html: str) -> str:
    if not html:
        return ""
    from mailwright.message.markup.text import text_from_html

    return text_from_html(html)


def _passed_on(returned: Part | None) -> list[Report]:
    """The complaints that Microsoft passes on (JMRP): the message itself, with a field that names who complained."""
    if returned is None:
        return []
    who = address_in(text_in(fields_in(returned.octets), "x-hmxmroriginalrecipient", 400))
    return [Report(who, "complained", diagnostic="complaint: passed on by Microsoft")] if who else []


def _known(fields: list[Field], parts: list[Part], returned: Part | None) -> tuple[str, str]:
    """The Message-ID and the mark of the message that a report is about, as far as it says so."""
    message_id, verp = "", mark_for(fields)
    if returned is not None:
        head = fields_in(returned.octets)
        message_id = message_id_in(text_in(head, "message-id"))
        verp = verp or mark_in(text_in(head, "return-path"))
    if not message_id:
        message_id = next(filter(None, map(_quoted_message_id, parts)), "")
    if not message_id:  # of whoever answers as people do
        message_id = message_id_in(text_in(fields, "in-reply-to")) or message_id_in(text_in(fields, "references"))
    return message_id, verp


def _quoted_message_id(part: Part) -> str:
    """The Message-ID in a header that is quoted in a text, as qmail and Exim do."""
    if not part.kind.startswith("text/"):
        return ""
    for line in part.text.split("\n")[:5000]:
        bare = line[:1200].lstrip("> \t")
        if bare[:11].lower() == "message-id:" and (found := message_id_in(bare)):
            return found
    return ""


def _completed(report: Report, known: tuple[str, str], returned: Part | None) -> Report:
    message_id, verp = known
    recipient = report.recipient
    if not recipient and report.kind == "complained" and returned is not None:
        # The reader was taken out; the message still says to whom it went.
        to = text_in(fields_in(returned.octets), "to", 400)
        recipient = address_in(to.rpartition("<")[2] if "," not in to else "")
    return replace(report, recipient=recipient, message_id=message_id, verp=report.verp or verp, hard=is_hard(report))
