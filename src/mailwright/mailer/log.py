"""What the library logs, under names that stay: ``mailwright.mailer`` (INFO accepted, WARNING failed) and
``mailwright.smtp`` (DEBUG the masked transcript).

No recipient is named at INFO: a log is read by more people than a message, and Bcc would stand in it. Nothing is
imported for it: a program that did not import `logging` has nowhere to log to.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mailwright.words.errors import MailError
    from mailwright.words.receipt import Receipt


def log_receipt(receipt: Receipt) -> None:
    """One line for a message that went through, whoever was refused."""
    if (logging := _logging()) is None:
        return
    logging.getLogger("mailwright.mailer").info("%s %s, %d octets", receipt.message_id, receipt, receipt.size)
    _log_transcript(logging, receipt)


def log_failure(error: MailError, message_id: str) -> None:
    """One line for a message that did not."""
    if (logging := _logging()) is None:
        return
    logging.getLogger("mailwright.mailer").warning("%s failed: %s: %s", message_id, type(error).__name__, error)
    receipt = getattr(error, "receipt", None)
    if receipt is not None:
        _log_transcript(logging, receipt)


def _logging() -> Any:
    logging = sys.modules.get("logging")
    if logging is None or not hasattr(logging, "getLogger"):
        return None
    root = logging.getLogger("mailwright")
    if not root.handlers:
        # Without a handler of its own, a library's warnings would go to standard error of whoever set up no logging.
        root.addHandler(logging.NullHandler())
    return logging


def _log_transcript(logging: Any, receipt: Receipt) -> None:
    log = logging.getLogger("mailwright.smtp")
    if log.isEnabledFor(logging.DEBUG):
        for line in receipt.transcript or ():
            log.debug("%s", line)
