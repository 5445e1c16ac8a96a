"""HTML read once from left to right: text, start tags, end tags, and nothing in between.

It follows the tokenizer of the HTML standard (§13.2.5) as far as text and structure go, so that broken HTML
is understood as browsers understand it. Each character is looked at a bounded number of times whatever the
input, and nothing raises. (``html.parser`` of the standard library was quadratic before CVE-2025-6069 was
mended in 2025.)
"""

from __future__ import annotations

import re
from functools import cache
from html import unescape
from html.entities import html5

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    #: ``("text", text, {})``, ``("start", name, attributes)`` or ``("end", name, {})``
    Token = tuple[str, str, dict[str, str]]

#: Elements whose content is not HTML; it reaches to their end tag, or to the end of everything.
RAW = frozenset(("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes"))
#: Attributes of one element that are kept where all are wanted.
ATTRIBUTES_LIMIT = 100
# Only what tells about text, links and structure is kept: a tag may have a million attributes.
_KEPT = frozenset("alt border class colspan hidden href role rowspan start style type value".split())

# Possessive quantifiers (`*+`) never give back what they took, so no pattern goes over a piece of text twice.
#: The next tag, or what is none: group 1 is ``/`` of an end tag, 2 its name, 3 the beginning of a comment.
TAG = re.compile(r"<(?:(/?)([A-Za-z][^ \t\n\r\f/>]*+)|(!--)|[!?/])")
_ATTRIBUTE = re.compile(
    r"""[ \t\n\r\f/]*+
    (?: ([^ \t\n\r\f/>][^ \t\n\r\f/>=]*+)
        (?: [ \t\n\r\f]*+ = [ \t\n\r\f]*+
            (?: "([^"]*+)(?:"|\Z) | '([^']*+)(?:'|\Z) | ([^ \t\n\r\f>]*+) )
        )?+
    )?+""",
    re.VERBOSE,
)
_NAME = re.compile("[A-Za-z0-9]++;?")
_END_OF_COMMENT = re.compile("--!?>")

#: Characters. The longest name is ``CounterClockwiseContourIntegral;``; a longer number is no character.
_REFERENCE_LIMIT = 40


def tokens(html: str, kept: frozenset[str] = _KEPT) -> Iterator[Token]:
    """The tokens of `html`, names in lower case, character references resolved.

    Comments, declarations and processing instructions are left out. Only the attributes in `kept` are, without more
    said those that tell about text, and of a repeated one the first. The content of ``script`` and the like is one
    text.
    """
    position, size = 0, len(html)
    while position < size:
        tag = TAG.search(html, position)
        if tag is None:
            yield ("text", resolved(html[position:]), {})
            return
        if tag.start() > position:
            yield ("text", resolved(html[position : tag.start()]), {})
        position = tag.end()
        name = tag[2]
        if name is None:
            position = after_comment(html, position) if tag[3] else after_mark(html, position)
            continue
        name = name.lower()
        attributes, position = attributes_at(html, position, kept)
        if position > size:
            return  # "eof-in-tag": the standard drops an unfinished tag
        if tag[1]:
            yield ("end", name, {})
            continue
        yield ("start", name, attributes)
        if name in RAW:
            found = end_tag(html, position, name)
            end = size if found < 0 else found
            yield ("text", html[position:end], {})
            position = end


def attributes_at(html: str, position: int, kept: frozenset[str] | None = None) -> tuple[dict[str, str], int]:
    """The attributes of the tag whose name ends at `position`, and the place behind its ``>``; past the end if it has
    none. Only those in `kept`, or all up to `ATTRIBUTES_LIMIT`; of a repeated one the first.
    """
    given: dict[str, str] = {}
    while not html.startswith(">", position):
        found = _ATTRIBUTE.match(html, position)
        if position >= len(html) or found is None:
            return given, len(html) + 1
        position = found.end()
        name = (found[1] or "").lower()
        wanted = name in kept if kept is not None else name and len(given) < ATTRIBUTES_LIMIT
        if wanted and name not in given:
            given[name] = _resolved_value(found[2] or found[3] or found[4] or "")
    return given, position + 1


def end_tag(html: str, position: int, name: str) -> int:
    """Where the end tag of an element begins whose content is not HTML; -1 if it has none."""
    found = _end_of(name).search(html, position)
    return found.start() if found else -1


@cache
def _end_of(name: str) -> re.Pattern[str]:
    return re.compile(f"(?ai)</{name}(?=[ \t\n\r\f/>])")


def after_comment(html: str, position: int) -> int:
    """The place behind a comment whose ``<!--`` ends at `position`."""
    for empty in (">", "->"):  # <!--> and <!---> are whole comments
        if html.startswith(empty, position):
            return position + len(empty)
    found = _END_OF_COMMENT.search(html, position)
    return found.end() if found else len(html)


def after_mark(html: str, position: int) -> int:
    """The place behind the next ``>``."""
    found = html.find(">", position)
    return found + 1 if found >= 0 else len(html)


def resolved(text: str) -> str:
    """`text` with its character references (``&amp;``, ``&#8364;``) replaced, in linear time."""
    if "&" not in text:
        return text
    first, *rest = text.split("&")
    return first + "".join(_one_resolved(piece) for piece in rest)


def _one_resolved(piece: str) -> str:
    # A reference is cut short before it is read: int() of a million digits would take minutes or raise.
    return unescape("&" + piece[:_REFERENCE_LIMIT]) + piece[_REFERENCE_LIMIT:]


def _resolved_value(value: str) -> str:
    # In an attribute "&copy=1" and "&region=2" are parts of a query, not © and ®ion (§13.2.5.73).
    if "&" not in value:
        return value
    first, *rest = value.split("&")
    parts = [first]
    for piece in rest:
        name = _NAME.match(piece, 0, _REFERENCE_LIMIT)
        whole = name is None or (name[0] in html5 and (name[0][-1] == ";" or piece[name.end() :][:1] != "="))
        parts.append(_one_resolved(piece) if whole else "&" + piece)
    return "".join(parts)
