"""TLS as bytes in, bytes out, and what makes a server the right one (RFC 8314, 9525, 8996).

By default: TLS 1.2 or newer, a chain to the system's trust store, and the right name. Every failure says what
was wrong with the certificate and what to do, and never that the check should be switched off.
"""

from __future__ import annotations

import hashlib
import ssl

from mailwright.sasl.channel_binding import SERVER_END_POINT, server_end_point
from mailwright.words.errors import ConfigError, TLSError
from mailwright.words.receipt import TLSFacts
from mailwright.words.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.steps import Outgoing
    from mailwright.words.server import TLS

READ_SIZE = 65536  # octets taken from the TLS layer at once; a record holds at most 16,384

_contexts: dict[TLS, ssl.SSLContext] = {}


class TLSLayer:
    """One TLS connection without a socket. `feed` what arrived, send what `outgoing` gives."""

    __slots__ = ("_ended", "_host", "_incoming", "_object", "_outgoing", "_tls", "unsent")

    def __init__(self, tls: TLS, host: str, server_side: bool = False) -> None:
        self._tls = tls
        self._host = tls.name or host
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._ended = False
        self.unsent: Outgoing | None = None
        context = _server_context(tls) if server_side else client_context(tls)
        name = None if server_side else self._host.rstrip(".").strip("[]")
        try:
            self._object = context.wrap_bio(
                self._incoming, self._outgoing, server_side=server_side, server_hostname=name
            )
        except (ValueError, TypeError) as problem:
            raise TLSError(
                f"{self._host!a} can't stand in a certificate ({problem}).", "Give the server's host name."
            ) from None

    def feed(self, data: bytes) -> None:
        """Octets from the other side; none means that it closed."""
        if data:
            self._incoming.write(data)
        else:
            self._ended = True
            self._incoming.write_eof()

    def outgoing(self) -> bytes:
        """Octets that must go to the other side now."""
        return self._outgoing.read()

    def handshake(self) -> bool:
        """Go on with the handshake; true when it is finished. Raises `TLSError`."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as problem:
            raise explained(problem, self._host) from problem
        if self._tls.pin is not None and not self._pinned():
            raise TLSError(
                f"The certificate of {self._host} is not the pinned one; it has SHA-256 {self._fingerprint()}.",
                "If the server changed its certificate, check the new fingerprint by another way before you pin it.",
            )
        return True

    def encrypt(self, data: bytes | memoryview) -> bytes:
        """The octets that carry `data`."""
        try:
            self._object.write(data)
        except ssl.SSLError as problem:
            raise ConnectionAbortedError(f"TLS failed: {problem.reason or problem}") from problem
        return self._outgoing.read()

    def decrypt(self) -> bytes | None:
        """Data from the other side, ``b""`` at its end, `None` when more must arrive first."""
        try:
            return self._object.read(READ_SIZE)
        except ssl.SSLWantReadError:
            return b"" if self._ended else None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            # Servers that close without a goodbye exist; a reply that this cuts short is noticed by whoever
            # reads it.
            return b""
        except ssl.SSLError as problem:
            raise ConnectionAbortedError(f"TLS failed: {problem.reason or problem}") from problem

    def facts(self) -> TLSFacts:
        """What was agreed on."""
        cipher = self._object.cipher()
        version, digest = self._object.version() or "", self._fingerprint()
        return TLSFacts(version, cipher[0] if cipher else "", digest, self._is_verified())

    def _is_verified(self) -> bool:
        """Whether the other side proved who it is, whoever made the context."""
        if self._tls.pin is not None or self._object.server_side:
            return True
        context = self._object.context
        return context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname

    def channel_binding(self, kind: str) -> bytes | None:
        """The octets that bind a login to this connection (RFC 5929), or `None`."""
        if kind == "tls-unique":
            return self._object.get_channel_binding("tls-unique") if self._object.version() == "TLSv1.2" else None
        certificate = self._object.getpeercert(binary_form=True)
        binding = server_end_point(certificate) if kind == SERVER_END_POINT and certificate else None
        return binding.data if binding else None

    def _fingerprint(self) -> str:
        certificate = self._object.getpeercert(binary_form=True)
        return hashlib.sha256(certificate).hexdigest() if certificate else ""

    def _pinned(self) -> bool:
        certificate = self._object.getpeercert(binary_form=True)
        if not certificate:
            return False
        if self._tls.pin == hashlib.sha256(certificate).hexdigest():
            return True
        try:
            return self._tls.pin == hashlib.sha256(public_key(certificate)).hexdigest()
        except IndexError:  # OpenSSL reads forms of ASN.1 that are not DER; no honest certificate has one
            return False


def client_context(tls: TLS) -> ssl.SSLContext:
    """The context for these settings, made once: loading the trust store takes tens of milliseconds."""
    if tls.context is not None:
        return tls.context
    context = _contexts.get(tls)
    if context is None:
        context = _contexts[tls] = _new_client_context(tls)
        if len(_contexts) > 64:
            _contexts.pop(next(iter(_contexts)), None)  # another thread may have been quicker
    return context


def _new_client_context(tls: TLS) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except (OSError, ssl.SSLError) as problem:
        raise ConfigError(
            f"The CA file {tls.ca_file} can't be used: {_short(problem)}.", "Give a file of PEM certificates."
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A second handshake could bring another certificate, which nobody would hold against the pin.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if tls.unverified or tls.pin is not None:
        # With a pin the fingerprint is checked instead, right after the handshake and before a word is said.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate is not None:
        key_password = tls.key_password.reveal() if isinstance(tls.key_password, Secret) else tls.key_password
        try:
            # An empty password instead of none: OpenSSL would otherwise ask at the terminal.
            context.load_cert_chain(tls.certificate, tls.key, lambda: key_password or "")
        except (OSError, ssl.SSLError) as problem:
            what = f"The client certificate {tls.certificate} can't be used: {_short(problem)}."
            raise ConfigError(what, "Check the files and the password of the key.") from None
    return context


def _server_context(tls: TLS) -> ssl.SSLContext:
    if tls.context is None:
        raise ConfigError("A server needs a TLS context with its certificate.")
    return tls.context


def explained(problem: ssl.SSLError, host: str) -> TLSError:
    """What OpenSSL meant, and what to do."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        what, advice = _certificate_problem(problem, host)
    else:
        what, advice = _handshake_problem(problem, host)
    return TLSError(what, advice)


def _certificate_problem(problem: ssl.SSLCertVerificationError, host: str) -> tuple[str, str]:
    code, text = problem.verify_code, problem.verify_message
    if code == 10:  # X509_V_ERR_CERT_HAS_EXPIRED
        return (
            f"The certificate of {host} has expired.",
            "Check this machine's clock; else the server's owner must renew it.",
        )
    if code == 9:  # X509_V_ERR_CERT_NOT_YET_VALID
        return f"The certificate of {host} is not valid yet.", "Check this machine's clock."
    if code in (62, 64):  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
        return (
            f"The certificate is not for {host}: {text}",
            (
                "Use the host name that the certificate is for, or set tls.name to it if you know that this is "
                "the right machine."
            ),
        )
    if code in (
        18,
        19,
        20,
        21,
    ):  # self-signed, self-signed in chain, no issuer, can't verify the first certificate
        return (
            f"The certificate of {host} is not from a CA that this machine trusts: {text}.",
            (
                "If it is your own server, name its CA with ca_file, or pin the certificate's SHA-256 after "
                "checking it by another way."
            ),
        )
    return f"The certificate of {host} is not acceptable: {text}.", "The server's owner must correct it."


def _handshake_problem(problem: ssl.SSLError, host: str) -> tuple[str, str]:
    reason = problem.reason or ""
    if reason in (
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "UNKNOWN_PROTOCOL",
        "RECORD_LAYER_FAILURE",
        "PACKET_LENGTH_TOO_LONG",
    ):
        return (
            f"{host} does not speak TLS on this port; it begins in plain text.",
            "Use security 'starttls' (usual port 587), or the port that speaks TLS from the first byte (465).",
        )
    if "VERSION" in reason or "PROTOCOL" in reason:
        return (
            f"{host} offers only an outdated version of TLS ({reason}).",
            "TLS 1.2 or newer is needed (RFC 8996).",
        )
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return (
            f"{host} ended the TLS handshake ({reason}).",
            "It may want a client certificate, or has no cipher in common with us.",
        )
    return (
        f"The TLS handshake with {host} failed: {reason or _short(problem)}.",
        "Check that host, port and security belong together.",
    )


def _short(problem: OSError) -> str:
    return problem.strerror or getattr(problem, "reason", None) or type(problem).__name__


def _element(data: bytes, position: int) -> tuple[int, int]:
    """The place of the content, and of the end, of the DER element that begins at `position` (X.690 §8.1)."""
    length, content = data[position + 1], position + 2
    if length & 0x80:
        count = length & 0x7F
        length, content = int.from_bytes(data[content : content + count], "big"), content + count
    return content, content + length


def public_key(certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a DER certificate (RFC 5280 §4.1): what a pin of the public key is the
    digest of.
    """
    position, _ = _element(certificate, 0)
    position, _ = _element(certificate, position)
    # [0] version (optional), serialNumber, signature, issuer, validity, subject come before it.
    skip = 6 if certificate[position] == 0xA0 else 5
    for _ in range(skip):
        position = _element(certificate, position)[1]
    return certificate[position : _element(certificate, position)[1]]
