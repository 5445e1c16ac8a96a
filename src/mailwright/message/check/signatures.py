"""What the DKIM signatures of a message say that they cover (RFC 6376 §3.5). Nothing is verified here."""

from __future__ import annotations

from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.message.check.opened import Opened

_LIMIT = 20  # signatures; real mail has one or two


@value
class Signature:
    """One signature: whose it is, and which header fields it covers, in lower case."""

    domain: str
    covered: frozenset[str]


def signatures(mail: Opened) -> list[Signature]:
    """The DKIM signatures in the header."""
    found: list[Signature] = []
    for field in mail.all("dkim-signature")[:_LIMIT]:
        tags: dict[str, str] = {}
        for piece in field.text.split(";"):
            name, _, text = piece.partition("=")
            tags.setdefault(name.strip().lower(), "".join(text.split()).lower())
        found.append(Signature(tags.get("d", ""), frozenset(tags.get("h", "").split(":"))))
    return found
