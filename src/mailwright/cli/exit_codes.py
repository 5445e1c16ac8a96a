"""What the exit code says, after BSD's sysexits: 75 exactly when the same command later may work and can't
make a copy.
"""

from __future__ import annotations

from mailwright.words.errors import (
    ConfigError,
    ConnectError,
    ContentRefused,
    DeliveryError,
    LoginError,
    MessageError,
    MissingExtra,
    OutboxError,
    OutboxUnavailable,
    ProtocolError,
    RecipientsRefused,
    SenderRefused,
    TLSError,
)

USAGE = 64  # the command line is wrong
DATAERR = 65  # the message can't be built, or its content was refused for good
NOINPUT = 66  # a file can't be read
NOUSER = 67  # a recipient was refused for good, or only some got it
NOHOST = 68  # there is no such server
UNAVAILABLE = 69  # the server refused for good, or something is not installed here
SOFTWARE = 70  # a defect of ours
OSERR = 71  # no memory
CANTCREAT = 73  # a file can't be written
IOERR = 74  # in doubt: all was sent and no answer came, so that a repetition may make a copy; or no output
TEMPFAIL = 75  # try again later
PROTOCOL = 76  # no encryption, or no SMTP
NOPERM = 77  # the login or the sender was refused
CONFIG = 78  # settings
INTERRUPTED = 130  # Ctrl-C, as shells have it

_DELIVERY = (
    (LoginError, NOPERM),
    (SenderRefused, NOPERM),
    (RecipientsRefused, NOUSER),
    (ContentRefused, DATAERR),
    (TLSError, PROTOCOL),
    (ProtocolError, PROTOCOL),
    (ConnectError, NOHOST),
)


def code_for(error: Exception) -> int:
    """The exit code for an error of ours, or of the operating system."""
    if isinstance(error, DeliveryError):
        if error.in_doubt:
            return IOERR
        if error.temporary:
            return TEMPFAIL
        return next((code for kind, code in _DELIVERY if isinstance(error, kind)), UNAVAILABLE)
    if isinstance(error, OutboxUnavailable):
        return TEMPFAIL
    if isinstance(error, OutboxError):
        return DATAERR  # an id that nobody has, a key that another message has
    if isinstance(error, MissingExtra):
        return UNAVAILABLE
    if isinstance(error, ConfigError):
        return CONFIG
    if isinstance(error, MessageError):
        return NOINPUT if isinstance(error.__cause__, OSError) else DATAERR
    return IOERR if isinstance(error, OSError) else SOFTWARE
