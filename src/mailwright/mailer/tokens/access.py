"""An access token, and what an endpoint grants along with it (RFC 6749 §5.1)."""

from __future__ import annotations

from mailwright.words.errors import LoginError
from mailwright.words.secret import Secret
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.mailer.tokens.endpoint import Answer
    from mailwright.mailer.tokens.grants import Grant

#: Seconds before its end from which on a token is not used any more: a login at a slow server, and clocks that differ.
EARLY = 120.0
#: Seconds for which a token that a server refused is not asked for anew: another one as fresh would not do better.
RECENT = 60.0
UNKNOWN_LIFETIME = 300.0  # seconds; who does not say how long gives an hour, as a rule


@value
class AccessToken:
    """An access token; `expires` and `obtained` are Unix times."""

    token: Secret
    expires: float
    obtained: float

    def serves(self, now: float, refused: Secret | None) -> bool:
        """Whether it is worth a try: not about to expire, and not one that was `refused` without being new."""
        if now >= self.expires - EARLY:
            return False
        return self.token != refused or abs(now - self.obtained) < RECENT


@value
class Kept:
    """What a place keeps: the grant, and the last access token that it gave."""

    grant: Grant
    access: AccessToken | None = None


def access_from(answer: Answer, began: float) -> AccessToken:
    """The access token in an answer to a question that was asked at `began`. Raises `LoginError` if there is none."""
    token, kind = answer.secret("access_token"), answer.text("token_type", 60)
    if token is None or (kind and kind.lower() != "bearer"):
        flaw = f"one of the type {kind}, which mail servers don't take" if token else "none that could be used"
        raise LoginError(
            f"{answer.place} was asked for an access token and gave {flaw}.",
            "Is that the token endpoint of the provider?",
            phase="auth",
        )
    return AccessToken(token, began + answer.seconds("expires_in", UNKNOWN_LIFETIME), began)
