"""PLAIN (RFC 4616): user and password as they are, in one message."""

from __future__ import annotations

from mailwright.sasl.mechanism import Mechanism, check_name, check_secret
from mailwright.words.secret import Secret


class Plain(Mechanism):
    """``authzid NUL user NUL password``, in UTF-8. Preparing them (SASLprep) is the server's part (§2)."""

    name = "PLAIN"
    cleartext = True
    strength = 30

    def __init__(self, user: str, password: Secret, *, authzid: str = "") -> None:
        super().__init__()
        check_name("user name", user)
        check_name("authzid", authzid)
        check_secret("password", password)
        self._user = user
        self._password = password
        self._authzid = authzid

    def initial(self) -> bytes:
        """The whole login; PLAIN has no second message."""
        return "\0".join((self._authzid, self._user, self._password.reveal())).encode()
