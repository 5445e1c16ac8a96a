"""The standard library's ``smtplib``, by one changed import::

    from mailwright import smtplib

The same classes, methods, exceptions and return values, over the engine of mailwright: certificates are verified, and
an error says what to do. docs/reference/smtplib.md lists each difference with its reason.

From below: `replies`, `line_ends` and `addresses` know the forms of things; a `conversation` is what is known of a
connection; `dialogue`, `commands`, `entrance` and `client` are `SMTP`, layer by layer; `kinds` has the other two;
`errors` and `trouble` are what is raised.
"""

from __future__ import annotations

import socket as socket
from sys import modules

from mailwright.smtplib.addresses import _addr_only as _addr_only
from mailwright.smtplib.addresses import quoteaddr
from mailwright.smtplib.client import SMTP
from mailwright.smtplib.dialogue import CRLF as CRLF
from mailwright.smtplib.dialogue import SMTP_PORT as SMTP_PORT
from mailwright.smtplib.kinds import LMTP as LMTP
from mailwright.smtplib.kinds import LMTP_PORT as LMTP_PORT
from mailwright.smtplib.kinds import SMTP_SSL
from mailwright.smtplib.kinds import SMTP_SSL_PORT as SMTP_SSL_PORT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mailwright.smtplib.errors import (
        SMTPAuthenticationError,
        SMTPConnectError,
        SMTPDataError,
        SMTPException,
        SMTPHeloError,
        SMTPNotSupportedError,
        SMTPRecipientsRefused,
        SMTPResponseException,
        SMTPSenderRefused,
        SMTPServerDisconnected,
    )
    from mailwright.smtplib.legacy import OLDSTYLE_AUTH as OLDSTYLE_AUTH
    from mailwright.smtplib.legacy import _fix_eols as _fix_eols
    from mailwright.smtplib.legacy import _quote_periods as _quote_periods
    from mailwright.smtplib.legacy import quotedata

__all__ = [
    "SMTPException",
    "SMTPNotSupportedError",
    "SMTPServerDisconnected",
    "SMTPResponseException",
    "SMTPSenderRefused",
    "SMTPRecipientsRefused",
    "SMTPDataError",
    "SMTPConnectError",
    "SMTPHeloError",
    "SMTPAuthenticationError",
    "quoteaddr",
    "quotedata",
    "SMTP",
    "SMTP_SSL",
]

#: Set this to let `SMTP.login` send a password unencrypted over a network. `SMTP.ALLOW_CLEARTEXT_LOGIN` says it for a
#: class or one object.
ALLOW_CLEARTEXT_LOGIN = False

bCRLF = b"\r\n"
_MAXLINE = 8192
_MAXCHALLENGE = 5
_have_ssl = True
#: The original, if it was loaded before: our exceptions must be those that others catch.
_standard = modules.get("smtplib")

#: The modules that callers find in the original; they load when they are asked for.
_MODULES = ("base64", "copy", "datetime", "email", "hmac", "io", "re", "ssl", "sys")
_HOMES = {
    **dict.fromkeys((name for name in __all__ if name.startswith("SMTP") and len(name) > 8), "errors"),
    **dict.fromkeys(("quotedata", "OLDSTYLE_AUTH", "_fix_eols", "_quote_periods"), "legacy"),
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        from importlib import import_module

        if name in _MODULES:
            found = import_module(name)
            if name == "email":
                for part in ("utils", "message", "generator"):
                    import_module(f"email.{part}")
        elif name == "encode_base64":
            found = import_module("email.base64mime").body_encode
        elif name in _HOMES:
            found = getattr(import_module(f"mailwright.smtplib.{_HOMES[name]}"), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_HOMES, "encode_base64"})


for _class in (SMTP, SMTP_SSL, LMTP):
    _class.__module__ = __name__  # where everybody finds them
del _class
