"""How one particular service speaks, for a receiving server that stands in for it in tests."""

from __future__ import annotations

import re

from mailwright.words.reply import Reply
from mailwright.words.secret import Secret
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailwright.words.server import Login

#: The mechanisms that carry a token; all others prove a password.
BEARER = frozenset(("OAUTHBEARER", "XOAUTH2"))


@value
class Manners:
    """What a service says in its own words, and which passwords it lets in.

    `greeting`: the text behind 220. `hello`: the first line of its reply to EHLO; ``{peer}`` stands for the
    client's address. `password`: a regular expression that a whole password must match to be more than the one
    for the service's web page; empty where every password will do.

    `replies`, by occasion: ``"no tls"`` (AUTH or MAIL before STARTTLS), ``"no login"`` (MAIL before AUTH),
    ``"wrong password"``, ``"wrong token"``, ``"account password"`` (the right one, but not of that form),
    ``"any password"`` (the service takes none at all), ``"welcome"``. What is missing is said in our words.
    """

    greeting: str
    hello: str
    password: str = ""
    replies: Mapping[str, Reply] | None = None

    def reply(self, occasion: str, ours: Reply) -> Reply:
        """What it says on that occasion; `ours` where nothing of its own is known."""
        return (self.replies or {}).get(occasion, ours)

    def verdict(self, mechanism: str, account: Login | None, welcome: Reply, refusal: Reply) -> Reply:
        """The answer to a login with `mechanism`, whose credential is that of `account`, or of nobody. `welcome` and
        `refusal` are what we would say.
        """
        if mechanism.upper() in BEARER:
            return self.reply("welcome", welcome) if account else self.reply("wrong token", refusal)
        if self.replies and "any password" in self.replies:
            return self.replies["any password"]
        if account is None:
            return self.reply("wrong password", refusal)
        known = account.password
        if self.password and isinstance(known, Secret) and not re.fullmatch(self.password, known.reveal()):
            return self.reply("account password", refusal)
        return self.reply("welcome", welcome)
