"""SASLprep (RFC 4013): one spelling for user names and passwords that look the same.

The tables are those of Unicode 3.2, as the RFC demands; Python has them in `stringprep`.
"""

from __future__ import annotations

from mailwright.sasl.mechanism import refusal
from mailwright.words.errors import LoginError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def saslprep(text: str, *, field: str = "text", query: bool = False) -> str:
    """`text` prepared. Raises `LoginError` naming the `field` and the rule, never the text.

    Characters that Unicode 3.2 had not assigned (emoji, for one) are refused, unless the text is a `query`:
    something that is only looked up, and not stored (RFC 3454 §7).
    """
    if text.isascii() and text.isprintable():
        return text
    result = _normalised(text)
    reason = _prohibited(result) or ("" if query else _unassigned(result)) or _misdirected(result)
    if reason:
        raise refusal(
            f"The {field} holds {reason}, which SASLprep (RFC 4013) does not allow.",
            "Use another one, or a mechanism without that rule, such as Login(mechanism='PLAIN') over TLS.",
        )
    return result


def prepared(text: str, *, query: bool = False) -> bytes:
    """A password as the octets that SCRAM works with. Cannot fail for one that is UTF-8.

    RFC 5802 §2.2 has us refuse what SASLprep refuses. A server that let such a password be set does not
    follow SASLprep, though, and works with it as written; so do we, and PostgreSQL at both ends. This is
    what lets somebody in whose password holds an emoji, or is Hebrew letters and a digit. The worst that
    can come of it is the server's no. A server that compares user names asks with `query`.
    """
    try:
        return saslprep(text, query=query).encode()
    except LoginError:
        return text.encode()


def _normalised(text: str) -> str:
    from stringprep import in_table_b1, in_table_c12
    from unicodedata import ucd_3_2_0

    # §2.1: non-ASCII blanks become a blank, and only then some characters vanish: U+200B is in both tables.
    blanks = "".join(" " if in_table_c12(c) else c for c in text)
    return ucd_3_2_0.normalize("NFKC", "".join(c for c in blanks if not in_table_b1(c)))


def _prohibited(text: str) -> str:
    """What of §2.3 the text breaks, in words; empty if nothing."""
    import stringprep as tables

    rules: tuple[tuple[Callable[[str], bool], str], ...] = (
        (tables.in_table_c12, "a blank that is not the ASCII one"),
        (tables.in_table_c21_c22, "a control character"),
        (tables.in_table_c3, "a private-use character"),
        (tables.in_table_c4, "a code point that is no character"),
        (tables.in_table_c5, "half of a character (a surrogate)"),
        (tables.in_table_c6, "a character unfit for plain text"),
        (tables.in_table_c7, "an ideographic description character"),
        (tables.in_table_c8, "a deprecated or direction-changing character"),
        (tables.in_table_c9, "a tagging character"),
    )
    return next((what for inside, what in rules if any(inside(c) for c in text)), "")


def _unassigned(text: str) -> str:
    from stringprep import in_table_a1

    return "a character that Unicode 3.2 does not know" if any(in_table_a1(c) for c in text) else ""


def _misdirected(text: str) -> str:
    """The rule for text that runs from right to left (RFC 3454 §6)."""
    from stringprep import in_table_d1, in_table_d2

    if not any(in_table_d1(c) for c in text):
        return ""
    if any(in_table_d2(c) for c in text):
        return "letters that run from left to right beside such that run from right to left"
    if not (in_table_d1(text[0]) and in_table_d1(text[-1])):
        return "letters that run from right to left but begins or ends in another character"
    return ""
