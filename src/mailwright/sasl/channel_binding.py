"""Binding a login to the TLS connection it runs over (RFC 5056, RFC 5929), so that nobody in between can
pass it on.

A SCRAM mechanism with ``-PLUS`` in its name proves that both ends see the same TLS connection. Which data
stand for the connection is its type:

- ``tls-unique``: what TLS 1.2 and before give; every server with -PLUS must know it (RFC 5802 §6.1). It
  means nothing in TLS 1.3.
- ``tls-exporter`` (RFC 9266): the same for TLS 1.3. Python's `ssl` cannot export keying material, so it
  can't be had here.
- ``tls-server-end-point``: a hash of the server's certificate. Works with every version, but few mail
  servers know it: Dovecot and all that use GNU SASL take only the other two, and no server says in EHLO
  which it takes.
"""

from __future__ import annotations

from mailwright.words.value import value

TLS_UNIQUE = "tls-unique"
SERVER_END_POINT = "tls-server-end-point"

#: The hash of a certificate's signature, by the OID of its algorithm (RFC 8017 A.2.4, RFC 5758, NIST CSOR).
#: MD5 and SHA-1 become SHA-256 (RFC 5929 §4.1). Ed25519 and Ed448 are not here: they have no hash, and the
#: RFC leaves the data undefined.
_HASHES = {
    "1.2.840.113549.1.1.4": "sha256",  # md5WithRSAEncryption
    "1.2.840.113549.1.1.5": "sha256",  # sha1WithRSAEncryption
    "1.2.840.113549.1.1.14": "sha224",
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
    "1.2.840.10045.4.1": "sha256",  # ecdsa-with-SHA1
    "1.2.840.10045.4.3.1": "sha224",
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
    "1.2.840.10040.4.3": "sha256",  # dsa-with-sha1
    "2.16.840.1.101.3.4.3.1": "sha224",  # dsa
    "2.16.840.1.101.3.4.3.2": "sha256",
    # RSASSA-PSS names its hash in the parameters:
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
_RSASSA_PSS = "1.2.840.113549.1.1.10"

_SEQUENCE, _OID, _FIRST_PARAMETER = 0x30, 0x06, 0xA0


@value
class ChannelBinding:
    """Data that both ends of one TLS connection have, and their type (`kind`)."""

    kind: str
    data: bytes


def obtainable_kind(tls_version: str) -> str:
    """The best type that Python gives for a connection of that version, spelt as in `ssl` (``"TLSv1.3"``)."""
    return TLS_UNIQUE if tls_version == "TLSv1.2" else SERVER_END_POINT


def server_end_point(certificate: bytes) -> ChannelBinding | None:
    """The ``tls-server-end-point`` binding for the server's certificate in DER form (RFC 5929 §4.1).

    `None` for a signature without a hash of its own (Ed25519), or one that we don't know.
    """
    import hashlib

    try:
        name = _signature_hash(certificate)
    except (ValueError, IndexError):
        return None
    return ChannelBinding(SERVER_END_POINT, hashlib.new(name, certificate).digest()) if name else None


def _signature_hash(certificate: bytes) -> str | None:
    # Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OID, parameters }, signature }
    start, _ = _content(certificate, 0, _SEQUENCE)
    _, behind = _content(certificate, start, _SEQUENCE)
    start, end = _content(certificate, behind, _SEQUENCE)
    algorithm, behind = _oid(certificate, start)
    if algorithm != _RSASSA_PSS:
        return _HASHES.get(algorithm)
    # RSASSA-PSS-params ::= SEQUENCE { hashAlgorithm [0] SEQUENCE { OID … } DEFAULT sha1, … }
    start, end = _content(certificate, behind, _SEQUENCE)
    if start == end or certificate[start] != _FIRST_PARAMETER:
        return "sha256"
    start, _ = _content(certificate, start, _FIRST_PARAMETER)
    start, _ = _content(certificate, start, _SEQUENCE)
    return _HASHES.get(_oid(certificate, start)[0])


def _content(der: bytes, at: int, tag: int) -> tuple[int, int]:
    """Begin and end of the content of the element at that place."""
    if der[at] != tag:
        raise ValueError("not the expected element")
    start, length = at + 2, der[at + 1]
    if length & 0x80:  # the long form: so many octets of length follow
        start += length & 0x7F
        length = int.from_bytes(der[at + 2 : start], "big")
    if start + length > len(der):
        raise ValueError("cut off")
    return start, start + length


def _oid(der: bytes, at: int) -> tuple[str, int]:
    """The object identifier at that place in dotted form, and where it ends."""
    start, end = _content(der, at, _OID)
    numbers, number = [], 0
    for octet in der[start:end]:
        number = number << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(str(n) for n in (first, numbers[0] - 40 * first, *numbers[1:])), end
