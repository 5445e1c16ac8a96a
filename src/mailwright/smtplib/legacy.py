"""Names that the original has for its own use or for old callers. Nothing here uses them."""

from __future__ import annotations

import re

from mailwright.smtplib.line_ends import text_with_crlf

OLDSTYLE_AUTH = re.compile(r"auth=(.*)", re.IGNORECASE)


def quotedata(data: str) -> str:
    """`data` with CRLF line ends, and a second dot in front of each line that begins with one."""
    return re.sub(r"(?m)^\.", "..", _fix_eols(data))


def _quote_periods(bindata: bytes) -> bytes:
    """`bindata` with a second dot in front of each line that begins with one."""
    return re.sub(rb"(?m)^\.", b"..", bindata)


def _fix_eols(data: str) -> str:
    """`data` with CRLF line ends."""
    return text_with_crlf(data)
