"""Certificates made on the spot: an authority for this one inbox, which nobody else trusts."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailwright.sasl.channel_binding import server_end_point
from mailwright.words.extras import extra

if TYPE_CHECKING:
    from mailwright.sasl.channel_binding import ChannelBinding


@dataclass(frozen=True)
class Certificate:
    """`context`: for the server, the certificate loaded. `authority`: the CA certificate that a client must
    trust, in PEM.

    `channel_binding`: what binds a login to this certificate.
    """

    context: ssl.SSLContext
    authority: bytes
    channel_binding: ChannelBinding | None


def issue(*names: str) -> Certificate:
    """A new certificate for these host names and IP addresses. Raises `MissingExtra` without trustme."""
    trustme = extra("trustme", "inbox", "TLS in the inbox")
    authority = trustme.CA()
    issued = authority.issue_cert(*names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    issued.configure_cert(context)
    der = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode("ascii"))
    return Certificate(context, authority.cert_pem.bytes(), server_end_point(der))
