"""Messages that were sent, without a worker: claimed and settled in the store, as a worker does; and reports on them."""

from __future__ import annotations

from mailwright import Message
from mailwright.outbox import Outbox
from mailwright.outbox.rows import Result
from mailwright.outbox.states import SENT

WORKER = bytes(16)


def put(outbox: Outbox, *to: str, message_id: str | None = None, sender: str | None = None) -> str:
    """Put a message, give its id."""
    message = Message("ada@example.org", list(to), "News", "The news.", message_id=message_id)
    return outbox.put(message, sender=sender)


def send(outbox: Outbox) -> None:
    """Everything that is due is sent."""
    store = outbox.database.store
    while domains := outbox.database.read(lambda: store.destinations("default", 1)):
        budgets = dict.fromkeys(domains, 100)
        rows = outbox.database.write(lambda budgets=budgets: store.claim(WORKER, "default", 1, budgets, 60.0))
        results = [Result(row.id, row.n, row.claims, SENT, 250, "250 2.0.0 Taken") for row in rows]
        outbox.database.write(lambda results=results: store.settle(WORKER, results))


def report_on(
    recipient: str,
    *,
    message_id: str = "",
    envelope_id: str = "",
    to: str = "bounces@example.org",
    action: str = "failed",
    status: str = "5.1.1",
    diagnostic: str = "550 5.1.1 User unknown",
    own_id: str = "<report.1@mx.example.net>",
) -> bytes:
    """A report as Postfix writes it."""
    envid = f"Original-Envelope-Id: {envelope_id}\n" if envelope_id else ""
    final = f"Final-Recipient: rfc822; {recipient}\n"
    returned = (
        f"--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: {message_id}\nSubject: News\n\n" if message_id else ""
    )
    return (
        f"Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.net\nTo: {to}\nSubject: Undelivered Mail Returned to Sender\n"
        f"Message-ID: {own_id}\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        "--b\nContent-Type: text/plain\n\nThis is the mail system at host mx.example.net.\n\n"
        f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n{envid}\n{final}"
        f"Action: {action}\nStatus: {status}\nDiagnostic-Code: smtp; {diagnostic}\n\n{returned}--b--\n"
    ).encode()


def complaint_on(recipient: str, message_id: str, sort: str = "abuse") -> bytes:
    """A complaint in the form of RFC 5965."""
    return (
        f"From: feedback@isp.example\nTo: fbl@example.org\nSubject: FW: News\nMessage-ID: <c.1@isp.example>\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n"
        f"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: {sort}\nUser-Agent: x/1\nVersion: 1\n"
        f"Original-Rcpt-To: <{recipient}>\n\n--b\nContent-Type: message/rfc822\n\nMessage-ID: {message_id}\n\nx\n--b--\n"
    ).encode()
