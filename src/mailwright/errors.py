"""Every error of mailwright, for ``except``; the tree and its meaning stand in `mailwright.words.errors`."""

from __future__ import annotations

from mailwright.providers.preflight import MailWarning
from mailwright.words.errors import (
    AddressError,
    ConfigError,
    ConnectError,
    ConnectionLost,
    ContentRefused,
    DeliveryError,
    HeaderError,
    LoginError,
    MailError,
    MessageError,
    MissingExtra,
    ProtocolError,
    RecipientsRefused,
    Refused,
    SenderRefused,
    Timeout,
    TLSError,
    Unsupported,
)

__all__ = [
    "AddressError",
    "ConfigError",
    "ConnectError",
    "ConnectionLost",
    "ContentRefused",
    "DeliveryError",
    "HeaderError",
    "LoginError",
    "MailError",
    "MailWarning",
    "MessageError",
    "MissingExtra",
    "ProtocolError",
    "RecipientsRefused",
    "Refused",
    "SenderRefused",
    "TLSError",
    "Timeout",
    "Unsupported",
]
