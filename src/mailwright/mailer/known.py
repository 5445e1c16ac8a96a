"""Whether the provider data has anything to say about a host: asked before any of it is loaded.

Every send passes here, and most servers are nobody's but their owner's. So the host is looked for in the file as it
stands, which takes a tenth of a millisecond; only a hit is worth reading and parsing it.
"""

from __future__ import annotations

from mailwright.words.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mailwright.words.server import Login, Server

#: What a stand-in for a password or an address holds, if nothing else about the server is known.
_HINTS = ("your", "<", "${", "{{", "xxx", "***", "replace", "insert", "placeholder")

_octets: bytes | None = None


def is_known(server: Server) -> bool:
    """Whether the provider data names this host, or a pattern of which it may be one."""
    global _octets
    if server.path is not None or server.protocol != "smtp" or server.stays_here:
        return False
    if _octets is None:
        loader: Any = __spec__.loader  # package data comes through the loader: it is found inside a zip, too
        _octets = loader.get_data(f"{__file__.rpartition('mailer')[0]}providers/data/providers.json")
    host = server.host.rstrip(".").lower()
    if not host.isascii():
        return False
    labels = host.split(".")[:8]
    patterns = [".".join([*labels[:n], "*", *labels[n + 1 :]]) for n in range(len(labels))]
    return any(f'"{name}"'.encode() in _octets for name in (host, *patterns))


def may_be_placeholder(login: Login | None) -> bool:
    """Whether user or password hold a hint that they were never filled in."""
    if login is None:
        return False
    password = login.password.reveal() if isinstance(login.password, Secret) else ""
    return any(hint in text for text in (login.user.lower(), password.lower()) for hint in _HINTS)
