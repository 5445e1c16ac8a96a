"""SCRAM (RFC 5802, RFC 7677): both sides prove that they know the password, and neither sends it.

::

    client first   gs2-header n=user,r=nonce
    server first   r=nonce+more,s=salt,i=iterations
    client final   c=header and channel binding,r=nonce+more,p=proof
    server final   v=signature

With ``-PLUS`` the proof covers the TLS connection too (see `channel_binding`).
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

from mailwright.sasl.gs2 import gs2_header, saslname
from mailwright.sasl.mechanism import Mechanism, broken, check_name, check_secret, refusal
from mailwright.sasl.saslprep import prepared, saslprep
from mailwright.words.reply import visible
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.sasl.channel_binding import ChannelBinding
    from mailwright.words.secret import Secret

#: RFC 5802 §5.1, RFC 7677 §4: fewer make it cheap to try passwords against a recorded exchange.
MIN_ITERATIONS = 4096
#: A server chooses how long we compute, and that computation holds up everything else in the thread. OWASP
#: advises 600,000 rounds with SHA-256 and 1,300,000 with SHA-1; this leaves room above both and costs under
#: one second (0.35 s a million).
MAX_ITERATIONS = 2_000_000

_NOT_PROVEN = "It may not be the server that it claims to be: check host and TLS settings before all else."
#: Refusals (RFC 5802 §7) about which the server's own reply says nothing, and which may mean that somebody
#: sits in between.
_BINDING_ERRORS = (
    "channel-bindings-dont-match",
    "server-does-support-channel-binding",
    "channel-binding-not-supported",
    "unsupported-channel-binding-type",
)


class Scram(Mechanism):
    """One member of the family.

    `nonce` is fresh random text, printable ASCII without comma, made from 18 octets of chance or more.
    `channel_binding` is what we know of the TLS connection, whether or not the mechanism uses it;
    `plus_offered`, whether the server offers any -PLUS. A server that does, and sees us believe that it
    does not, knows that somebody changed its offer (RFC 5802 §6).
    """

    cleartext = False
    digest: str
    plus = False

    def __init__(
        self,
        user: str,
        password: Secret,
        *,
        nonce: str,
        authzid: str = "",
        channel_binding: ChannelBinding | None = None,
        plus_offered: bool = False,
    ) -> None:
        super().__init__()
        check_name("user name", user)
        check_name("authzid", authzid)
        check_secret("password", password)
        if not is_nonce(nonce):
            raise refusal("The nonce for SCRAM is not printable ASCII without comma.", "Pass a random text.")
        user = saslprep(user, field="user name", query=True)
        if not user:
            raise refusal("The user name is empty.", "Check how the setting is read.")
        if self.plus and channel_binding is None:
            raise refusal(
                f"{self.name} binds the login to TLS, and this connection gives nothing to bind it to.",
                f"Connect with TLS, or use {self.name.removesuffix('-PLUS')}.",
            )
        flag = _flag(channel_binding, self.plus, plus_offered)
        self._header = gs2_header(flag, authzid).encode()
        self._binding = channel_binding.data if self.plus and channel_binding is not None else b""
        self._nonce = nonce.encode()
        self._bare = f"n={saslname(user)},r={nonce}".encode()
        self._password = password
        self._turn = 0
        self._signature = b""
        self._proven = False

    def initial(self) -> bytes:
        """The client's first message."""
        return self._header + self._bare

    def respond(self, challenge: bytes) -> bytes:
        """The client's final message for the server's first, an empty response for its final one."""
        self._turn += 1
        if self._turn == 1:
            first = self._read_first(challenge)
            return self._final(challenge, first)
        if self._turn == 2:
            self._check_final(challenge)
            return b""
        raise broken(self.name, "it went on asking after everything was said")

    def finish(self) -> None:
        """Raises `LoginError` when the server let us in without having proved that it knows the password."""
        if not self._proven:
            raise refusal(
                f"The server let us in without proving with {self.name} that it knows the password.",
                _NOT_PROVEN,
            )

    def _read_first(self, message: bytes) -> ServerFirst:
        if message.startswith(b"m="):  # RFC 5802 §5.1: its presence must fail the login
            raise broken(self.name, "it demands an extension that we don't know")
        first = parse_server_first(message)
        if first is None:
            raise broken(self.name, "its first message is not one")
        if not first.nonce.startswith(self._nonce) or len(first.nonce) == len(self._nonce):
            raise broken(self.name, "its nonce does not extend ours")
        if not MIN_ITERATIONS <= first.iterations <= MAX_ITERATIONS:
            raise broken(
                self.name,
                f"it wants {first.iterations} iterations; {MIN_ITERATIONS} to {MAX_ITERATIONS} are safe",
            )
        return first

    def _final(self, server_first: bytes, first: ServerFirst) -> bytes:
        # Nothing in here can fail: a traceback may show local variables, and the keys are as good as the
        # password.
        without_proof = b"c=" + _base64(self._header + self._binding) + b",r=" + first.nonce
        exchange = b",".join((self._bare, server_first, without_proof))
        keys = derive(self.digest, prepared(self._password.reveal()), first.salt, first.iterations)
        self._signature = keyed(self.digest, keys.server, exchange)
        return without_proof + b",p=" + _base64(keys.proof(self.digest, exchange))

    def _check_final(self, message: bytes) -> None:
        import hmac

        part = message.split(b",", 1)[0]
        if part.startswith(b"e="):
            self.failure = visible(part[2:].decode("utf-8", "backslashreplace"), 100)
            if self.failure in _BINDING_ERRORS:
                raise refusal(
                    f"The server refused {self.name}: {self.failure}.",
                    "Either something in between ends TLS or changes what the server offers, or the server"
                    " does not know this kind of binding: find out which before doing without -PLUS.",
                )
            return  # a wrong password: the reply will say so, and if it does not, finish() does not pass
        signature = _unbase64(part[2:]) if part.startswith(b"v=") else None
        if signature is None:
            raise broken(self.name, "its final message is not one")
        if not hmac.compare_digest(signature, self._signature):
            what = f"The server does not know the password: its {self.name} signature is wrong."
            raise refusal(what, _NOT_PROVEN)
        self._proven = True


class ScramSHA1(Scram):
    """SCRAM-SHA-1. The weakness of SHA-1 (collisions) does not touch its use here (RFC 6194 §3.3)."""

    name = "SCRAM-SHA-1"
    digest = "sha1"
    strength = 40


class ScramSHA256(Scram):
    """SCRAM-SHA-256 (RFC 7677)."""

    name = "SCRAM-SHA-256"
    digest = "sha256"
    strength = 50


class ScramSHA1Plus(ScramSHA1):
    """SCRAM-SHA-1 bound to the TLS connection."""

    name = "SCRAM-SHA-1-PLUS"
    plus = True
    strength = 60


class ScramSHA256Plus(ScramSHA256):
    """SCRAM-SHA-256 bound to the TLS connection."""

    name = "SCRAM-SHA-256-PLUS"
    plus = True
    strength = 70


@value
class ServerFirst:
    """The server's first message: the whole `nonce`, the `salt` in plain octets, the `iterations`."""

    nonce: bytes
    salt: bytes
    iterations: int


@value
class Keys:
    """What a password becomes for one salt and iteration count (RFC 5802 §3)."""

    client: bytes
    stored: bytes
    server: bytes

    def proof(self, digest: str, exchange: bytes) -> bytes:
        """ClientKey XOR ClientSignature."""
        signature = keyed(digest, self.stored, exchange)
        return bytes(a ^ b for a, b in zip(self.client, signature, strict=True))

    def __repr__(self) -> str:
        return "Keys(***)"


def derive(digest: str, password: bytes, salt: bytes, iterations: int) -> Keys:
    """The keys; takes about 0.35 s for a million iterations."""
    import hashlib

    salted = hashlib.pbkdf2_hmac(digest, password, salt, iterations)
    client = keyed(digest, salted, b"Client Key")
    return Keys(client, hashlib.new(digest, client).digest(), keyed(digest, salted, b"Server Key"))


def keyed(digest: str, key: bytes, data: bytes) -> bytes:
    """HMAC (RFC 2104)."""
    import hmac

    return hmac.digest(key, data, digest)


def parse_server_first(message: bytes) -> ServerFirst | None:
    """The fields in the order of RFC 5802 §7; extensions behind them are ignored. `None` if it is not one."""
    parts = message.split(b",")
    if len(parts) < 3 or [part[:2] for part in parts[:3]] != [b"r=", b"s=", b"i="]:
        return None
    nonce, salt, count = parts[0][2:], _unbase64(parts[1][2:]), parts[2][2:]
    if not is_nonce(nonce.decode("latin-1")) or not salt:
        return None
    if not count.isdigit() or count.startswith(b"0") or len(count) > 10:
        return None
    return ServerFirst(nonce, salt, int(count))


def is_nonce(text: str) -> bool:
    """Printable ASCII without comma, and something of it."""
    return bool(text) and all("!" <= c <= "~" and c != "," for c in text)


def _flag(binding: ChannelBinding | None, used: bool, plus_offered: bool) -> str:
    if binding is None:
        return "n"
    if used:
        return f"p={binding.kind}"
    # "y" would be a lie, and refused, where the server offers -PLUS and we prefer to do without.
    return "n" if plus_offered else "y"


def _base64(data: bytes) -> bytes:
    return b2a_base64(data, newline=False)


def _unbase64(data: bytes) -> bytes | None:
    try:
        return a2b_base64(data, strict_mode=True)
    except ValueError:
        return None
