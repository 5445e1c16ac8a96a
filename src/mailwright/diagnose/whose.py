"""Whose an address is, and whose a server: logging in to one provider with an address of another never works, and some
names of servers are of the past.
"""

from __future__ import annotations

from mailwright.providers.catalog import alias, by_domain
from mailwright.providers.preflight import user_remarks
from mailwright.providers.telling import tell_alias
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.providers.provider import Provider


@value
class Mismatch:
    """What does not fit together (`what`), and what to do (`fix`)."""

    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.what} {self.fix}"


def mismatch(user: str, provider: Provider) -> Mismatch | None:
    """What speaks against logging in to that provider as `user`; `None` if nothing does."""
    remarks = user_remarks(provider, user)
    if not remarks:
        return None
    domain = user.rpartition("@")[2]
    mine = by_domain(domain) if "@" in user else None
    if mine is None or mine is provider:
        return Mismatch(remarks[0], "Log in with the whole address.")
    ways = mine.ways(domain)
    own = (
        f"{mine.title}'s own server, {ways[0]} ({ways[0].security})" if ways else f"the server that {mine.title} names"
    )
    return Mismatch(remarks[0], f"Use {own}.")


def historic(host: str) -> str:
    """That this is not, or not any more, the name of a server to send through, and which is; empty for any other."""
    known = alias(host)
    return "" if known is None or known.treat_as == "equivalent" else tell_alias(known)
