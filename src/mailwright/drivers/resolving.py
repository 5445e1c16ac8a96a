"""What this machine's resolver says of a host: the same that every program on it is told, from its hosts file too."""

from __future__ import annotations

import socket


def addresses_of(host: str) -> list[str]:
    """IPv4 and IPv6 addresses of a host, as texts, the favourite first; empty if there is no such name.

    Blocks for as long as the system takes. Raises `OSError` when nobody answers, `UnicodeError` for no name at all.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as problem:
        if problem.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
            return []
        raise
    return list(dict.fromkeys(str(place[0]) for *_, place in found))
