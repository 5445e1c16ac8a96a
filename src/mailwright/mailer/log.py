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


INFO, DEBUG = 20, 10  # of `logging`, whose numbers these have always been

_found: tuple[Any, Any] | None = None  # the loggers, once there are any


def log_receipt(receipt: Receipt) -> None:
    """One line for a message that went through, whoever was refused."""
    if (loggers := _loggers()) is None:
        return
    mailer, smtp = loggers
    if mailer.isEnabledFor(INFO):
        mailer.info("%s %s, %d octets", receipt.message_id, receipt, receipt.size)
    if smtp.isEnabledFor(DEBUG):
        _log_transcript(smtp, receipt)


def logs_receipts() -> bool:
    """Whether anybody wants to read of messages that went through."""
    loggers = _loggers()
    return loggers is not None and (loggers[0].isEnabledFor(INFO) or loggers[1].isEnabledFor(DEBUG))


def log_failure(error: MailError, message_id: str) -> None:
    """One line for a message that did not."""
    if (loggers := _loggers()) is None:
        return
    mailer, smtp = loggers
    mailer.warning("%s failed: %s: %s", message_id, type(error).__name__, error)
    receipt = getattr(error, "receipt", None)
    if receipt is not None and smtp.isEnabledFor(DEBUG):
        _log_transcript(smtp, receipt)


def _loggers() -> tuple[Any, Any] | None:
    global _found
    if _found is None:
        logging = sys.modules.get("logging")
        if logging is None or not hasattr(logging, "getLogger"):
            return None
        root = logging.getLogger("mailwright")
        if not root.handlers:
            # Without a handler of its own, a library's warnings would go to standard error of whoever set up no
            # logging.
            root.addHandler(logging.NullHandler())
        _found = logging.getLogger("mailwright.mailer"), logging.getLogger("mailwright.smtp")
    return _found


def _log_transcript(log: Any, receipt: Receipt) -> None:
    for line in receipt.transcript or ():
        log.debug("%s", line)
