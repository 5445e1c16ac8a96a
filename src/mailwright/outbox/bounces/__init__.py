"""What comes back: delivery reports and complaints, read, joined to the messages they are about, and heeded.

==============  ======================================================================
`reading`       a report's octets in, what it says of each recipient out; pure
`status`        reports for programs: RFC 3464, RFC 6533, RFC 5965
`prose`         reports for people, in the manners of mail servers
`texts`         parts, addresses and lines, read without trust
`report`        what a report says, as a value, and whether it speaks against the address
`marks`         the mark that a message carries on its envelope
`recording`     joining to what was sent, events, the suppression list: plans
==============  ======================================================================
"""

from __future__ import annotations

from mailwright._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.outbox.bounces.marks import mark_of
    from mailwright.outbox.bounces.reading import read_reports
    from mailwright.outbox.bounces.recording import Heard, Rules, name_of, record
    from mailwright.outbox.bounces.report import Report

__all__ = ["Heard", "Report", "Rules", "mark_of", "name_of", "read_reports", "record"]

__getattr__ = lazily(
    __name__,
    {
        "Heard": "mailwright.outbox.bounces.recording",
        "Report": "mailwright.outbox.bounces.report",
        "Rules": "mailwright.outbox.bounces.recording",
        "mark_of": "mailwright.outbox.bounces.marks",
        "name_of": "mailwright.outbox.bounces.recording",
        "read_reports": "mailwright.outbox.bounces.reading",
        "record": "mailwright.outbox.bounces.recording",
    },
)
