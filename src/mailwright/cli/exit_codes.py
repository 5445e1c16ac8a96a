"""What the exit code says, after BSD's sysexits: 75 exactly when the same command later may work and can't
make a copy.
"""

from __future__ import annotations

from mailwright.words.errors import (
    ConfigError,
    DeliveryError,
    LoginError,
    MessageError,
    MissingExtra,
    ProtocolError,
    RecipientsRefused,
    SenderRefused,
    TLSError,
)

USAGE = 64  # the command line is wrong
DATAERR = 65  # the message can't be built or was refused as it is
NOINPUT = 66  # a file can't be read
NOUSER = 67  # a recipient was refused for good
UNAVAILABLE = 69  # the server refused for good, or something is missing here
SOFTWARE = 70  # a defect of ours
CANTCREAT = 73  # a file can't be written
IOERR = 74  # in doubt: all was sent and no answer came; a blind repetition may make a copy
TEMPFAIL = 75  # try again later
PROTOCOL = 76  # no encryption, or no SMTP
NOPERM = 77  # the login was refused
CONFIG = 78  # settings
INTERRUPTED = 130


def code_for(error: Exception) -> int:
    """The exit code for an error."""
    if isinstance(error, DeliveryError):
        return _delivery_code(error)
    if isinstance(error, MissingExtra):
        return UNAVAILABLE
    if isinstance(error, ConfigError):
        return CONFIG
    if isinstance(error, MessageError):
        return NOINPUT if isinstance(error.__cause__, OSError) else DATAERR
    if isinstance(error, OSError):
        return NOINPUT
    return DATAERR if isinstance(error, UnicodeError) else USAGE


def _delivery_code(error: DeliveryError) -> int:
    if error.in_doubt:
        return IOERR
    if error.temporary:
        return TEMPFAIL
    if isinstance(error, (LoginError, SenderRefused)):
        return NOPERM
    if isinstance(error, (TLSError, ProtocolError)):
        return PROTOCOL
    return NOUSER if isinstance(error, RecipientsRefused) else UNAVAILABLE
