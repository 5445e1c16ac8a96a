"""What a report about a message says, as a value, and whether it speaks against the address for good."""

from __future__ import annotations

from mailwright.words.value import value

#: What a report may tell: it came back, its reader complained, it still waits, it arrived, or it left the world of
#: reports (RFC 3464 §2.3.3 relayed, expanded).
KINDS = ("bounced", "complained", "delayed", "delivered", "relayed", "expanded")

#: What `mailwright.explain` calls the failures that another try, or another message, will not mend.
_FOR_GOOD = frozenset(
    ("rcpt-unknown", "rcpt-disabled", "rcpt-domain-unknown", "rcpt-syntax", "code-1.6", "code-7.17", "code-7.18")
)
#: Words for an unknown mailbox that servers use without any code.
_UNLISTED = ("not listed in domino directory", "not listed in public name", "not listed in the address book")


@value
class Report:
    """What one report says of one recipient. All of it is hearsay: mail that anybody may have written.

    `recipient` is the address that it names, empty if it names none, and `original` the one that the message was
    addressed to (ORCPT), where that is said. `kind` is one of `KINDS`. `action` and `status` are the words of RFC 3464
    (``failed``, ``5.1.1``), empty where a report in prose has none; `diagnostic` what the server said, in one line that
    is safe to print. `envelope_id` (ENVID), `message_id` (of the message, with its brackets) and `verp` (the mark in
    the return path, see `mailwright.outbox.bounces.marks`) are what it can be joined by. `hard`: a bounce that speaks
    against the address for good, see `is_hard`.
    """

    recipient: str
    kind: str
    action: str = ""
    status: str = ""
    diagnostic: str = ""
    original: str = ""
    envelope_id: str = ""
    message_id: str = ""
    verp: str = ""
    hard: bool = False


def is_hard(report: Report) -> bool:
    """Whether a bounce says that the address itself is wrong: no such mailbox, no such domain, given up.

    A full mailbox, a message taken for spam, a server that was away for days are none of that. In doubt it is not.
    """
    if report.kind != "bounced" or report.status.startswith("4"):
        return False
    said = report.diagnostic.lower()
    if any(words in said for words in _UNLISTED):
        return True
    from mailwright.diagnose.explain import explain

    return explain(f"{report.status} {report.diagnostic}", phase="rcpt_to").kind in _FOR_GOOD
