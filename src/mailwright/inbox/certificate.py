"""Certificates made on the spot: an authority for this one inbox, which nobody else trusts."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailwright.inbox.faults.certificates import broken
from mailwright.sasl.channel_binding import server_end_point
from mailwright.words.extras import extra

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailwright.sasl.channel_binding import ChannelBinding
    from mailwright.words.server import TLS


@dataclass(frozen=True)
class Certificate:
    """`context`: for the server, the certificate loaded. `authority`: the CA certificate that a client must
    trust, in PEM.

    `channel_binding`: what binds a login to this certificate. `broken`: makes one for the same names that must not be
    trusted, for TLS of a server.
    """

    context: ssl.SSLContext
    authority: bytes
    channel_binding: ChannelBinding | None
    broken: Callable[[str], TLS]


def issue(*names: str) -> Certificate:
    """A new certificate for these host names and IP addresses. Raises `MissingExtra` without trustme."""
    trustme = extra("trustme", "inbox", "TLS in the inbox")
    authority = trustme.CA()
    issued = authority.issue_cert(*names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    issued.configure_cert(context)
    der = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode("ascii"))
    return Certificate(
        context, authority.cert_pem.bytes(), server_end_point(der), lambda kind: broken(kind, authority, names)
    )
