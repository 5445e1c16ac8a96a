"""What every SASL mechanism has in common, and the checks that every credential passes (RFC 4422).

A credential is looked at only inside `Mechanism` methods that cannot fail; whatever raises an error holds a
`Secret`, so that even a traceback that prints local variables shows ``***``.
"""

from __future__ import annotations

from mailwright.words.errors import LoginError
from mailwright.words.secret import Secret


class Mechanism:
    """The client's side of one login; good for one exchange.

    `initial()` goes out with AUTH, or, where it does not fit there, as the answer to the server's first
    challenge; each further challenge is given to `respond()`. After the server's 235 comes `finish()`.
    Where the server says why it refuses in the middle of the exchange, `failure` holds that as one line
    that is safe to print.
    """

    #: As in the server's EHLO.
    name: str
    #: True when whoever reads the exchange learns something that lets him in again.
    cleartext: bool
    #: The higher the better, among mechanisms for one kind of credential and where nobody can read along.
    strength: int
    #: Whether the mechanism can say "let me in as myself, to act as somebody else".
    carries_authzid: bool = True

    def __init__(self) -> None:
        self.failure = ""

    def initial(self) -> bytes | None:
        """What the client says first: `None` when the server speaks first; ``b""`` is an empty response."""
        return None

    def respond(self, challenge: bytes) -> bytes:
        """The answer to a challenge.

        Raises `LoginError` when the server breaks the rules, or fails to prove that it is what it claims.
        """
        raise broken(self.name, "it went on asking after everything was said")

    def finish(self) -> None:
        """Called after the server's 235. Raises `LoginError` when the server owes us a proof of its own."""

    def __repr__(self) -> str:
        return f"<{self.name}>"


def refusal(what: str, advice: str = "") -> LoginError:
    """A `LoginError` of the login phase."""
    return LoginError(what, advice, phase="auth")


def broken(name: str, how: str) -> LoginError:
    """The error for a server that does not keep to the mechanism."""
    return refusal(
        f"The server does not keep to {name}: {how}.",
        "Choose another mechanism with Login(mechanism=…), and tell whoever runs the server.",
    )


def check_secret(field: str, secret: Secret) -> None:
    """Raises `LoginError` naming the `field` if the secret is empty, holds a NUL, or is not UTF-8."""
    flaw = _flaw(secret)
    if flaw:
        raise refusal(f"The {field} {flaw}.", f"Check where the {field} is read from.")


def check_name(field: str, name: str) -> None:
    """Raises `LoginError` naming the `field` if the name holds a control character or is not UTF-8."""
    if name.isprintable():
        return
    if any(_is_control(c) for c in name):
        raise refusal(f"The {field} holds a control character.", "Check how the setting is read.")
    if any(_is_surrogate(c) for c in name):
        raise refusal(f"The {field} can't be written in UTF-8.", "Check how the setting is read.")


def _flaw(secret: Secret) -> str:
    text = secret.reveal()
    if not text:
        return "is empty"
    if "\0" in text:
        return "holds a NUL character, which no mechanism can carry"
    if not text.isascii() and any(_is_surrogate(c) for c in text):
        return "can't be written in UTF-8"
    return ""


def _is_control(character: str) -> bool:
    return character < " " or character == "\x7f"


def _is_surrogate(character: str) -> bool:
    # Half a character: what undecodable bytes become on their way through the environment.
    return "\ud800" <= character <= "\udfff"
