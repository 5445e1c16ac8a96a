"""What the library logs, under names that stay: ``mailwright.mailer`` (INFO accepted, WARNING failed) and
``mailwright.smtp`` (DEBUG the masked transcript).

No recipient is named at INFO: a log is read by more people than a message, and Bcc would stand in it. Nothing is
imported for it: a program that did not import `logging` has nowhere to log to.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.words.errors import MailError
    from mailwright.words.receipt import Receipt


def log_receipt(receipt: Receipt) -> None:
    """One line for a message that went through, whoever was refused."""
    logging = sys.modules.get("logging")
    if logging is None:
        return
    logging.getLogger("mailwright.mailer").info("%s %s, %d octets", receipt.message_id, receipt, receipt.size)
    _log_transcript(receipt)


def log_failure(error: MailError, message_id: str) -> None:
    """One line for a message that did not."""
    logging = sys.modules.get("logging")
    if logging is None:
        return
    logging.getLogger("mailwright.mailer").warning("%s failed: %s: %s", message_id, type(error).__name__, error)
    receipt = getattr(error, "receipt", None)
    if receipt is not None:
        _log_transcript(receipt)


def _log_transcript(receipt: Receipt) -> None:
    log = sys.modules["logging"].getLogger("mailwright.smtp")
    if log.isEnabledFor(10):  # DEBUG
        for line in receipt.transcript or ():
            log.debug("%s", line)
