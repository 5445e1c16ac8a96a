"""The mark that a message carries on its envelope, so that a report about it can be told from all others.

In the return path (``bounces+mw…@example.org``, as VERP has it) it is the message's id in 28 characters, and comes back
in all reports, for they are sent there. As ENVID (RFC 3461 §4.4) it is the id itself; and where the Message-ID was made
by the outbox, that begins with the id too.
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode

from mailwright.words.address import Address
from mailwright.words.errors import AddressError

_LETTERS = "[A-Za-z2-7]{26}"
_ID = re.compile("[0-9A-Fa-f]{32}", re.ASCII)
_MARK = re.compile(rf"mw({_LETTERS})", re.ASCII)
_IN_ADDRESS = re.compile(rf"[+=_-]mw({_LETTERS})@", re.ASCII | re.IGNORECASE)


def mark_of(id: bytes) -> str:
    """The mark of a message with this id (16 octets)."""
    return "mw" + b32encode(id).decode("ascii").rstrip("=").lower()


def id_of_mark(mark: str) -> bytes | None:
    """The id that a mark stands for; `None` if it is no mark of ours."""
    found = _MARK.fullmatch(mark)
    return b32decode(found[1].upper() + "======") if found is not None else None


def id_of_words(text: str) -> bytes | None:
    """The id in an ENVID or in front of the @ of a Message-ID, as the outbox writes them; `None` if there is none."""
    digits = text.strip("<>").partition("@")[0].replace("-", "")
    return bytes.fromhex(digits) if _ID.fullmatch(digits) is not None else None


def marked(sender: str, id: bytes) -> str:
    """The envelope sender of a message: ``bounces+*@example.org`` with the message's mark for the star, which makes
    ``bounces+mw…@example.org``; any other as it is.

    The server must deliver ``bounces+anything`` to where ``bounces`` goes. Raises `AddressError` if the local part
    becomes longer than 64 octets (RFC 5321 §4.5.3.1.1).
    """
    local, _, domain = sender.rpartition("@")
    if not local.endswith("+*"):
        return sender
    if len(local.encode()) + 27 > 64:
        raise AddressError(
            f"The return path {sender} has no room for a mark: before the +* there may be 35 octets.",
            "Use a shorter one, such as bounces+*@ your domain.",
            text=sender,
        )
    return Address(f"{local[:-1]}{mark_of(id)}@{domain}").spec


def mark_in(address: str) -> str:
    """The mark in an address, empty if there is none."""
    found = _IN_ADDRESS.search(address)
    return "mw" + found[1].lower() if found is not None else ""
