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
    KeyReused,
    LoginError,
    MailError,
    MessageError,
    MissingExtra,
    OutboxError,
    OutboxUnavailable,
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
    "KeyReused",
    "LoginError",
    "MailError",
    "MailWarning",
    "MessageError",
    "MissingExtra",
    "OutboxError",
    "OutboxUnavailable",
    "ProtocolError",
    "RecipientsRefused",
    "Refused",
    "SenderRefused",
    "TLSError",
    "Timeout",
    "Unsupported",
]
