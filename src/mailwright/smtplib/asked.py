"""A mechanism of the caller's as the engine knows mechanisms."""

from __future__ import annotations

from mailwright.sasl.choose import MECHANISMS
from mailwright.sasl.mechanism import Mechanism

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.smtplib.entrance import AuthObject, Entrance


class Asked(Mechanism):
    """Asks the caller's object, and counts the challenges where the original does: `auth_login` goes by that."""

    cleartext = True
    strength = 0

    def __init__(self, face: Entrance, name: str, authobject: AuthObject, speaks_first: bool) -> None:
        super().__init__()
        self.name = name
        self._face = face
        self._ask = authobject
        self._speaks_first = speaks_first
        self.answers = 0

    def initial(self) -> bytes | None:
        """What the object says first."""
        said = self._ask() if self._speaks_first else None
        self._face._auth_challenge_count = 0 if said is None else 1
        return None if said is None else said.encode()

    def respond(self, challenge: bytes) -> bytes:
        """What the object answers."""
        self._face._auth_challenge_count += 1
        self.answers += 1
        return self._ask(challenge).encode()


def shows_the_secret(name: str) -> bool:
    """Whether who reads along learns something that lets him in again; taken for true of an unknown mechanism."""
    known = next((each for ours in MECHANISMS.values() for each in ours if each.name == name), None)
    return known is None or known.cleartext
