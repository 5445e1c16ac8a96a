"""What OAUTHBEARER and XOAUTH2 share: an access token goes out, a refusal comes back as JSON."""

from __future__ import annotations

from mailwright.sasl.mechanism import Mechanism, broken, check_name, check_secret, refusal
from mailwright.words.reply import visible
from mailwright.words.secret import Secret

SHOWN_LIMIT = 300  # characters of a refusal; real ones have less

_SHOWN = ("status", "error", "error_description", "schemes", "scope", "openid-configuration")


class Bearer(Mechanism):
    """A login with an OAuth 2 access token. Whoever reads it can use it, so it counts as clear text."""

    cleartext = True
    #: What lets the server go on from its JSON to the final reply.
    acknowledgement: bytes

    def __init__(self, user: str, token: Secret) -> None:
        super().__init__()
        check_name("user name", user)
        check_secret("token", token)
        if not _is_visible_ascii(token):
            # A %x01 or a line break would end the field early: it is the token's place where somebody
            # else's data gets in.
            raise refusal(
                "The token holds a blank, a line break, or another character that no access token has.",
                "Check where the token is read from; a line break at its end is the usual cause.",
            )
        self._user = user
        self._token = token

    def respond(self, challenge: bytes) -> bytes:
        """Take the server's refusal into `failure` and let it go on; its reply follows."""
        if self.failure:
            raise broken(self.name, "it refused twice")
        self.failure = told(challenge, self._token)
        return self.acknowledgement


def _is_visible_ascii(token: Secret) -> bool:
    return all("!" <= c <= "~" for c in token.reveal())


def told(challenge: bytes, token: Secret) -> str:
    """A refusal (RFC 7628 §3.2.2) as one bounded line; whatever it repeats of the token is masked."""
    text = challenge.decode("utf-8", "backslashreplace")
    shown = _fields(text) or text.strip() or "no reason given"
    return visible(shown.replace(token.reveal(), "***"), SHOWN_LIMIT)


def _fields(text: str) -> str:
    """The members that the standard names, in their order; empty where the text is not such JSON."""
    import json  # 3 ms; only a refused login needs it

    try:
        error = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(error, dict):
        return ""
    return ", ".join(f"{name} {error[name]}" for name in _SHOWN if isinstance(error.get(name), (str, int)))
