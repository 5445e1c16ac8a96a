"""Certificates that a client must not trust, one for each way in which that can be."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mailwright.words.extras import extra
from mailwright.words.server import TLS

if TYPE_CHECKING:
    from typing import Any

#: For whom the certificate of the kind ``wrong-name`` is.
ELSEWHERE = "mail.elsewhere.example"


def broken(kind: str, authority: Any, names: tuple[str, ...]) -> TLS:
    """The server's side of TLS with a certificate of one of the `CERTIFICATES`.

    `authority` is the trustme.CA that the inbox's clients trust, and `names` the host names of the inbox.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _issued(kind, authority, names).configure_cert(context)
    return TLS(context=context)


def _issued(kind: str, authority: Any, names: tuple[str, ...]) -> Any:
    now, day = datetime.now(UTC), timedelta(days=1)
    if kind == "expired":
        return authority.issue_cert(*names, not_before=now - 30 * day, not_after=now - day)
    if kind == "not-yet-valid":
        return authority.issue_cert(*names, not_before=now + day, not_after=now + 30 * day)
    if kind == "wrong-name":
        return authority.issue_cert(ELSEWHERE)
    trustme = extra("trustme", "inbox", "TLS in the inbox")
    if kind == "unknown-authority":
        return trustme.CA().issue_cert(*names)
    return _SelfSigned(names)


class _SelfSigned:
    """A certificate that vouches for itself, as a device comes with."""

    def __init__(self, names: tuple[str, ...]) -> None:
        from cryptography import x509  # trustme stands on it
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0][:64])])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=365))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(names[0])]), critical=False)
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        plain = serialization.NoEncryption()
        self._pem = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(pem)

    def configure_cert(self, context: ssl.SSLContext) -> None:
        """Load it into the context of a server, as trustme's certificates do."""
        from mailwright.inbox.listening import PrivateFile

        file = PrivateFile(self._pem, ".pem")
        try:
            context.load_cert_chain(file.path)
        finally:
            file.remove()
