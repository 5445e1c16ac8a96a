"""Whether the provider data has anything to say about a host: asked before any of it is loaded.

Every send passes here, and most servers are nobody's but their owner's. So the host is looked for in the file as it
stands, once, which takes some tenths of a millisecond; only a hit is worth parsing it.
"""

from __future__ import annotations

from mailwright.words.remember import remember
from mailwright.words.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mailwright.words.server import Login, Server

#: What a stand-in for a password or an address holds, if nothing else about the server is known.
_HINTS = ("your", "<", "${", "{{", "xxx", "***", "replace", "insert", "placeholder")

_HOSTS = 100  # that are remembered: a program sends through few
_octets: bytes | None = None
_answers: dict[str, bool] = {}


def is_known(server: Server) -> bool:
    """Whether the provider data names this host, or a pattern of which it may be one."""
    if server.path is not None or server.protocol != "smtp" or server.stays_here:
        return False
    host = server.host.rstrip(".").lower()
    answer = _answers.get(host)
    return remember(_answers, _HOSTS, host, _is_named(host)) if answer is None else answer


def _is_named(host: str) -> bool:
    global _octets
    if not host.isascii():
        return False
    if _octets is None:
        loader: Any = __spec__.loader  # package data comes through the loader: it is found inside a zip, too
        _octets = loader.get_data(f"{__file__.rpartition('mailer')[0]}providers/data/providers.json")
    labels = host.split(".")[:8]
    if f'{".".join(labels[-2:])}"'.encode() not in _octets:  # the domain is nobody's, and one look is enough
        return False
    patterns = [".".join([*labels[:n], "*", *labels[n + 1 :]]) for n in range(len(labels))]
    return any(f'"{name}"'.encode() in _octets for name in (host, *patterns))


def may_be_placeholder(login: Login | None) -> bool:
    """Whether user or password hold a hint that they were never filled in."""
    if login is None:
        return False
    password = login.password.reveal() if isinstance(login.password, Secret) else ""
    return any(hint in text for text in (login.user.lower(), password.lower()) for hint in _HINTS)
