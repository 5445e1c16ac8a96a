"""A host's name as name servers and certificates know it."""

from __future__ import annotations


def ascii_name(host: str) -> str:
    """`host` in ASCII, by IDNA 2008 and UTS 46. Raises `UnicodeError` for what can be no name.

    It is not left to Python, which goes by the rules of 2003: for those “faß.example” is fass.example, and that may be
    somebody else's, who has a good certificate for it.
    """
    if host.isascii():
        return host
    import idna  # 10 ms; only a name that is not ASCII needs it

    return idna.encode(host, uts46=True, std3_rules=True).decode("ascii")
