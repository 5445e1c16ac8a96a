"""CRAM-MD5 (RFC 2195): proves that we know the password without sending it, by today's measure weakly.

Whoever reads the exchange can try passwords against it, quickly; and the server must keep what is as good
as the password. So it serves only where there is no TLS and no SCRAM.
"""

from __future__ import annotations

from mailwright.sasl.mechanism import Mechanism, broken, check_name, check_secret, refusal
from mailwright.words.secret import Secret


class CramMD5(Mechanism):
    """``user SP digest``, the digest being the keyed MD5 (RFC 2104) of the server's challenge."""

    name = "CRAM-MD5"
    cleartext = False
    strength = 10
    carries_authzid = False

    def __init__(self, user: str, password: Secret) -> None:
        super().__init__()
        check_name("user name", user)
        check_secret("password", password)
        self._user = user
        self._password = password
        self._asked = False

    def respond(self, challenge: bytes) -> bytes:
        """The user's name and the digest. Raises `LoginError` where the system forbids MD5 (FIPS mode)."""
        if self._asked:
            raise broken(self.name, "it sent a second challenge")
        if not challenge:
            raise broken(
                self.name, "its challenge is empty"
            )  # our answer would then be good for every other login, too
        self._asked = True
        digest = keyed_md5(self._password, challenge)
        if digest is None:
            raise refusal(
                "This system forbids MD5, so CRAM-MD5 can't be used.",
                "Connect with TLS, where PLAIN is safe, or ask for SCRAM on the server.",
            )
        return f"{self._user} {digest}".encode()


def keyed_md5(password: Secret, challenge: bytes) -> str | None:
    """HMAC-MD5 in lower-case hex, or `None` where the system forbids MD5."""
    import hmac  # 4 ms, with the hashes; most logins are PLAIN

    try:
        return hmac.digest(password.reveal().encode(), challenge, "md5").hex()
    except ValueError:
        return None
