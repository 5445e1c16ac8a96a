"""XOAUTH2: the token login that Google made before there was a standard; Microsoft knows no other."""

from __future__ import annotations

from mailwright.sasl.bearer import Bearer


class XOAuth2(Bearer):
    """User and token between %x01 octets. The server's JSON is answered with nothing; a 535 follows."""

    name = "XOAUTH2"
    strength = 10
    acknowledgement = b""

    def initial(self) -> bytes:
        """The whole login."""
        return f"user={self._user}\x01auth=Bearer {self._token.reveal()}\x01\x01".encode()
