"""Both sides of a dialogue over TLS; the certificates are those of the fixture `folder`."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from mailwright.words.server import TLS, Server
from tests.dialogue import C, S, Secure, hello


def context(
    folder: Path,
    oldest: ssl.TLSVersion | None = None,
    newest: ssl.TLSVersion | None = None,
    client_ca: bool = False,
) -> ssl.SSLContext:
    """The server's side: these versions of TLS, and with `client_ca` only for clients with a certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / "server.pem")
    if oldest is not None:
        made.minimum_version = oldest
    if newest is not None:
        made.maximum_version = newest
    if client_ca:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(folder / "ca.pem")
    return made


def server(folder: Path, security: Any = "starttls", login: Any = None, **tls: Any) -> Server:
    """Our settings."""
    return Server("127.0.0.1", 2525, security, login, TLS(ca_file=str(folder / "ca.pem"), **tls))


def upgraded(folder: Path, *keywords: str, before: tuple[str, ...] = ()) -> list[Any]:
    """Greeting, EHLO, STARTTLS, and EHLO again with what is offered inside."""
    return [*hello("STARTTLS", *before), C("STARTTLS"), S("220 go"), Secure(context(folder)), *hello(*keywords)[1:]]
