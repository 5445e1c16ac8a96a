"""TLS as bytes in, bytes out, and what makes a server the right one (RFC 8314, 9525, 8996).

By default: TLS 1.2 or newer, a chain to the system's trust store, and the right name. Every failure says what
was wrong with the certificate and what to do, and never that the check should be switched off.
"""

from __future__ import annotations

import hashlib
import ssl
import warnings
from time import time

from mailwright.drivers.certificates import element, names_in
from mailwright.drivers.host_names import ascii_name
from mailwright.drivers.tickets import HOUR, Ticket, resumable
from mailwright.sasl.channel_binding import SERVER_END_POINT, server_end_point
from mailwright.words.errors import ConfigError, TLSError
from mailwright.words.receipt import TLSFacts
from mailwright.words.remember import remember
from mailwright.words.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.drivers.tickets import Tickets
    from mailwright.steps import Outgoing
    from mailwright.words.server import TLS

READ_SIZE = 65536  # octets taken from the TLS layer at once; a record holds at most 16,384

_contexts: dict[TLS, ssl.SSLContext] = {}
_expiries: dict[str, float] = {}  # by the fingerprint of a verified certificate
_fingerprints: dict[bytes, str] = {}  # of certificates that were shown
KEPT = 64  # servers of which that is kept


class TLSConnection:
    """One TLS connection from our side, whatever carries its octets: an `ssl.SSLObject`, or an `ssl.SSLSocket` that
    blocks. `host` is the name that the server is to prove unless `tls.name` says another.
    """

    __slots__ = ("_host", "_object", "_tls")

    def __init__(self, talk: ssl.SSLObject | ssl.SSLSocket, tls: TLS, host: str) -> None:
        self._object = talk
        self._tls = tls
        self._host = tls.name or host

    def handshake(self) -> bool:
        """Go on with the handshake; true when it is finished. Raises `TLSError`."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as problem:
            shown = shown_certificate(self._object)
            raise _showing(explained(problem, self._host, shown), shown) from problem
        if self._tls.pin is not None and not self._pinned():
            what = f"The certificate of {self._host} is not the pinned one; it has SHA-256 {self._fingerprint()}."
            advice = (
                "If the server changed its certificate, check the new fingerprint by another way before you pin it."
            )
            raise _showing(TLSError(what, advice), self._object.getpeercert(binary_form=True))
        return True

    @property
    def resumed(self) -> bool:
        """Whether the handshake resumed an earlier session."""
        return bool(self._object.session_reused)

    def facts(self) -> TLSFacts:
        """What was agreed on."""
        cipher, context = self._object.cipher(), self._object.context
        version, digest, mode = self._object.version() or "", self._fingerprint(), context.verify_mode
        # Whether the other side proved who it is, whoever made the context.
        verified = mode == ssl.CERT_REQUIRED and context.check_hostname
        verified = verified or self._tls.pin is not None or self._object.server_side
        expires = None if mode == ssl.CERT_NONE else self._expires(digest)  # of a chain that was not checked: nothing
        return TLSFacts(version, cipher[0] if cipher else "", digest, verified, expires, self.resumed)

    def _expires(self, digest: str) -> float | None:
        found = _expiries.get(digest)
        if found is not None:
            return found
        known = self._object.getpeercert()
        return remember(_expiries, KEPT, digest, _unix_time(str(known["notAfter"]))) if known else None

    def channel_binding(self, kind: str) -> bytes | None:
        """The octets that bind a login to this connection (RFC 5929), or `None`."""
        if kind == "tls-unique":
            return self._object.get_channel_binding("tls-unique") if self._object.version() == "TLSv1.2" else None
        certificate = self._object.getpeercert(binary_form=True)
        binding = server_end_point(certificate) if kind == SERVER_END_POINT and certificate else None
        return binding.data if binding else None

    def _fingerprint(self) -> str:
        return _sha256(self._object.getpeercert(binary_form=True))

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


class TLSLayer(TLSConnection):
    """One TLS connection without a socket. `feed` what arrived, send what `outgoing` gives.

    With `tickets` an earlier session is resumed, if there is one that may be (`offered`), and a ticket is kept for the
    next; `now` is a time of the link's clock.
    """

    __slots__ = ("_began", "_earlier", "_ended", "_incoming", "_name", "_outgoing", "_tickets", "unsent")

    def __init__(
        self, tls: TLS, host: str, server_side: bool = False, tickets: Tickets | None = None, now: float = 0.0
    ) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._ended = False
        self.unsent: Outgoing | None = None
        context = _server_context(tls) if server_side else client_context(tls)
        self._name = None if server_side else server_name(tls, host)
        self._tickets = tickets if tickets is not None and not server_side and resumable(tls) else None
        self._earlier = earlier = self._tickets and self._tickets.find(context, self._name or "", now)
        self._began = now
        try:
            talk = context.wrap_bio(
                self._incoming,
                self._outgoing,
                server_side,
                None if self._name is None else self._name.encode("ascii"),  # as text it would load a codec, 1 ms
                earlier.session if earlier else None,
            )
        except (ValueError, TypeError) as problem:
            raise not_a_name(tls.name or host, problem) from None
        super().__init__(talk, tls, host)

    @property
    def offered(self) -> bool:
        """Whether an earlier session is to be resumed."""
        return self._earlier is not None

    def is_fresh(self, now: float) -> bool:
        """Whether the session that is to be resumed may still be."""
        if self._tickets is None or self._earlier is None:
            return True
        return self._tickets.find(self._object.context, self._name or "", now) is self._earlier

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

    def encrypt(self, data: bytes | memoryview) -> bytes:
        """The octets that carry `data`."""
        try:
            self._object.write(data)
        except ssl.SSLError as problem:
            raise ConnectionAbortedError(f"TLS failed: {problem.reason or problem}") from problem
        return self._outgoing.read()

    def decrypt(self) -> bytes | None:
        """Data from the other side, ``b""`` at its end, `None` when more must arrive first."""
        if not self._incoming.pending and not self._ended:
            return None  # a record that was begun is of no use yet; to be told so costs an exception
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

    def keep_ticket(self) -> None:
        """Keep the ticket for the next connection. It came with the server's first words: to be done at the end."""
        tickets, self._tickets, self.unsent = self._tickets, None, None
        if tickets is not None and not self.resumed:
            tickets.keep(self._object.context, self._name or "", self._ticket)

    def _ticket(self) -> Ticket | None:
        session, facts = self._object.session, self.facts()
        if session is None or facts.expires is None or not (session.has_ticket and facts.verified):
            return None
        until = self._began + min(HOUR, facts.expires - time())
        return Ticket(session, until) if facts.version == "TLSv1.3" else None


def server_name(tls: TLS, host: str) -> str:
    """The name to ask for and to expect in the certificate. Raises `TLSError` for what can be none."""
    name = (tls.name or host).rstrip(".").strip("[]")
    try:
        return ascii_name(name)
    except UnicodeError as problem:
        raise not_a_name(name, problem) from None


def not_a_name(name: str, problem: Exception) -> TLSError:
    """The error for a host that no certificate can be for."""
    return TLSError(f"{name!a} can't stand in a certificate ({problem}).", "Give the server's host name.")


def shown_certificate(talk: ssl.SSLObject | ssl.SSLSocket) -> bytes | None:
    """The certificate (DER) that the server showed, also after it was refused; `None` where it is not to be had."""
    # Python 3.13 gave this a public name; the object below had it before.
    ask = getattr(talk, "get_unverified_chain", None) or getattr(
        getattr(talk, "_sslobj", None), "get_unverified_chain", None
    )
    chain = ask() if ask is not None else None
    if not chain:
        return None
    first = chain[0]
    shown: bytes = first if isinstance(first, bytes) else first.public_bytes(2)  # _ssl.ENCODING_DER
    return shown


def _showing(error: TLSError, certificate: bytes | None) -> TLSError:
    error.certificate_sha256 = _sha256(certificate)
    return error


def _unix_time(text: str) -> float:
    """The time that OpenSSL writes like ``Jan  5 09:34:43 2028 GMT``. What `ssl` has for it loads `strptime`, 5 ms."""
    month, day, clock, year, _ = text.split()
    number = "JanFebMarAprMayJunJulAugSepOctNovDec".index(month) // 3 + 1
    # Days since the beginning of March of the year 0, in which a leap day comes last.
    years = int(year) - (number < 3)
    days = years * 365 + years // 4 - years // 100 + years // 400 + (153 * ((number + 9) % 12) + 2) // 5 + int(day) - 1
    hour, minute, second = map(int, clock.split(":"))
    return (days - 719468) * 86400.0 + hour * 3600 + minute * 60 + second


def _sha256(certificate: bytes | None) -> str:
    if not certificate:
        return ""
    known = _fingerprints.get(certificate)
    return known or remember(_fingerprints, KEPT, certificate, hashlib.sha256(certificate).hexdigest())


def client_context(tls: TLS) -> ssl.SSLContext:
    """The context for these settings, made once: loading the trust store takes tens of milliseconds.

    Warns (`RuntimeWarning`, which Python shows once in a process) of a connection that nobody checks.
    """
    if tls.context is not None:
        return tls.context
    if tls.unverified:
        said = "TLS(unverified=True): the server is not verified, and whoever sits in between reads all that is sent."
        warnings.warn(said, RuntimeWarning, stacklevel=1)
    context = _contexts.get(tls)
    if context is None:
        context = _contexts[tls] = new_client_context(tls)
        if len(_contexts) > 64:
            _contexts.pop(next(iter(_contexts)), None)  # another thread may have been quicker
    return context


def new_client_context(tls: TLS) -> ssl.SSLContext:
    """A context of one's own for these settings. Raises `ConfigError` for files that can't be used."""
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except (OSError, ssl.SSLError) as problem:
        raise ConfigError(
            f"The CA file {tls.ca_file} can't be used: {_short(problem)}.", "Give a file of PEM certificates."
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # RFC 9525 §2: the subject's common name is no name of a server. OpenSSL takes it where there is no other.
    context.hostname_checks_common_name = False
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


def explained(problem: ssl.SSLError, host: str, shown: bytes | None = None) -> TLSError:
    """What OpenSSL meant, and what to do. `shown` is the certificate (DER) that the server showed, if that is known."""
    names: tuple[str, ...] = ()
    if isinstance(problem, ssl.SSLCertVerificationError):
        names = names_in(shown) if shown and problem.verify_code in _OTHER_HOST else ()
        what, advice = _certificate_problem(problem, host, names)
    else:
        what, advice = _handshake_problem(problem, host)
    error = TLSError(what, advice)
    error.certificate_names = names
    return error


_OTHER_HOST = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


def _certificate_problem(problem: ssl.SSLCertVerificationError, host: str, names: tuple[str, ...]) -> tuple[str, str]:
    code, text = problem.verify_code, problem.verify_message
    if code == 10:  # X509_V_ERR_CERT_HAS_EXPIRED
        return (
            f"The certificate of {host} has expired.",
            "Check this machine's clock; else the server's owner must renew it.",
        )
    if code == 9:  # X509_V_ERR_CERT_NOT_YET_VALID
        return f"The certificate of {host} is not valid yet.", "Check this machine's clock."
    if code in _OTHER_HOST:
        there = f"for {', '.join(names)}, and " if names else ""
        return (
            f"The certificate is {there}not for {host}: {text}",
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


def public_key(certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a DER certificate (RFC 5280 §4.1): what a pin of the public key is the
    digest of.
    """
    position, _ = element(certificate, 0)
    position, _ = element(certificate, position)
    # [0] version (optional), serialNumber, signature, issuer, validity, subject come before it.
    skip = 6 if certificate[position] == 0xA0 else 5
    for _ in range(skip):
        position = element(certificate, position)[1]
    return certificate[position : element(certificate, position)[1]]
