"""LOGIN: user and password, one question each. It was never a standard; some servers offer nothing else.

What the server asks is not looked at: servers write ``Username:``, ``User Name`` with a NUL, or a
translation.
"""

from __future__ import annotations

from mailwright.sasl.mechanism import Mechanism, broken, check_name, check_secret
from mailwright.words.secret import Secret


class LoginMechanism(Mechanism):
    """The user's name for the first challenge, the password for the second, both in UTF-8."""

    name = "LOGIN"
    cleartext = True
    strength = 20
    carries_authzid = False

    def __init__(self, user: str, password: Secret) -> None:
        super().__init__()
        check_name("user name", user)
        check_secret("password", password)
        self._user = user
        self._password = password
        self._asked = 0

    def respond(self, challenge: bytes) -> bytes:
        """The user's name, then the password."""
        self._asked += 1
        if self._asked > 2:
            raise broken(self.name, "it asked a third question")
        return (self._user if self._asked == 1 else self._password.reveal()).encode()
