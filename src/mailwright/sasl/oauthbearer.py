"""OAUTHBEARER (RFC 7628): a login with an OAuth 2 access token, as standardised."""

from __future__ import annotations

from mailwright.sasl.bearer import Bearer
from mailwright.sasl.gs2 import gs2_header
from mailwright.words.secret import Secret


class OAuthBearer(Bearer):
    """User, host, port and token. The server's JSON is answered with %x01 (§3.2.3); its refusal follows."""

    name = "OAUTHBEARER"
    strength = 20
    acknowledgement = b"\x01"

    def __init__(self, user: str, token: Secret, *, host: str = "", port: int = 0) -> None:
        super().__init__(user, token)
        # Both are optional (§3.1), and VALUE is ASCII without control characters: what does not fit stays
        # at home.
        self._host = host if all(" " < c <= "~" for c in host) else ""
        self._port = port

    def initial(self) -> bytes:
        """The whole login. No channel binding is defined for it, so the GS2 header says ``n``."""
        header = gs2_header("n", self._user)
        pairs = [f"host={self._host}"] * bool(self._host) + [f"port={self._port}"] * bool(self._port)
        return "\x01".join((header, *pairs, f"auth=Bearer {self._token.reveal()}", "", "")).encode()
