"""Addresses as they go into commands, by the original's rules."""

from __future__ import annotations


def quoteaddr(addrstring: str) -> str:
    """The address in `addrstring`, without a name that stands beside it, in angle brackets.

    What can't be read as an address is taken as it is.
    """
    address = _address_in(addrstring)
    if address is not None:
        return f"<{address}>"
    return addrstring if addrstring.strip().startswith("<") else f"<{addrstring}>"


def _addr_only(addrstring: str) -> str:
    """The address in `addrstring`, without brackets; what can't be read as one is taken as it is."""
    address = _address_in(addrstring)
    return addrstring if address is None else address


def _address_in(text: str) -> str | None:
    if _is_plain(text):
        return text
    from email.utils import parseaddr  # 15 ms that a plain address need not cost

    name, address = parseaddr(text)
    return address if (name, address) != ("", "") else None


def _is_plain(text: str) -> bool:
    """Whether this is an address of which every reader makes the same."""
    user, at, domain = text.partition("@")
    return bool(at) and text.isascii() and all(map(_is_word, user.split("."))) and all(map(_is_word, domain.split(".")))


def _is_word(text: str) -> bool:
    return text.replace("-", "x").replace("_", "x").replace("+", "x").isalnum()
