"""EXTERNAL (RFC 4422 appendix A): the server knows us already, by our client certificate."""

from __future__ import annotations

from mailwright.sasl.mechanism import Mechanism, check_name


class External(Mechanism):
    """Says whom to act as; an empty `authzid` leaves it to the server to take that from the certificate."""

    name = "EXTERNAL"
    cleartext = False
    strength = 10

    def __init__(self, authzid: str = "") -> None:
        super().__init__()
        check_name("authzid", authzid)
        self._authzid = authzid

    def initial(self) -> bytes:
        """The identity, possibly empty: the answer is then an empty response, not none."""
        return self._authzid.encode()
