"""Which CSS features a style sheet or a style attribute uses, in one pass (CSS Syntax Level 3, as far as needed)."""

from __future__ import annotations

import re

_COMMENT_END = "*/"
# Strings and addresses are whole: what looks like punctuation inside of them is none. `*+` and `++` never give back.
_PIECE = re.compile(
    r"""/\* | "(?:[^"\\\n]|\\.)*+"? | '(?:[^'\\\n]|\\.)*+'? | url\([^)]*+\)? | [{};] | [^{};"'/u]++ | . """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_FUNCTION = re.compile(r"([a-z-]{1,30})\(")
_PSEUDO = re.compile(r"::?([a-z-]{1,30})")
_KEYWORD = re.compile(r"[a-z-]{1,20}")
_NAME = re.compile(r"@([a-z-]{1,30})")
_VALUE_LIMIT = 1000  # characters of a value that are looked at


def style_signs(css: str, sheet: bool) -> set[str]:
    """What is used, in the words of ``readers.json``: ``property:display=flex``, ``at:import``, ``function:calc``,
    ``pseudo:before``.

    `sheet`: a style sheet, with selectors and blocks; otherwise the declarations of one ``style`` attribute. What
    stands in an at-rule with a block, such as ``@media``, does not count but for the name of the rule: whoever puts
    something there expects that some readers leave it out.
    """
    found: set[str] = set()
    declared: set[str] = set()  # in the block that is being read
    held: list[str] = []
    blocks: list[bool] = []  # of each open block, whether it belongs to an at-rule
    conditional = 0  # how many of them do

    def end(opening: bool) -> bool:
        """Take in what was read up to here; true if it is an at-rule."""
        text = "".join(held).strip().lower()
        held.clear()
        if text.startswith("@"):
            name = _NAME.match(text)
            if name:
                found.add(f"at:{name[1]}")
            return True
        if not conditional:
            if opening:
                found.update(f"pseudo:{name}" for name in _PSEUDO.findall(text[:_VALUE_LIMIT]))
            elif text and (blocks or not sheet):
                declared.update(_declared(text))
        return False

    def close() -> None:
        """Take in a block. Of what is not shown at all nobody asks how it would look."""
        if "property:display=none" not in declared:
            found.update(declared)
        declared.clear()

    position = 0
    while position < len(css):
        piece = _PIECE.match(css, position)
        if piece is None:
            break
        position = piece.end()
        mark = piece[0]
        if mark == "/*":
            closing = css.find(_COMMENT_END, position)
            position = len(css) if closing < 0 else closing + 2
        elif mark in "{;}":
            is_rule = end(mark == "{")
            if mark != ";":
                close()
            if mark == "{":
                blocks.append(is_rule)
                conditional += is_rule
            elif mark == "}" and blocks:
                conditional -= blocks.pop()
        else:
            held.append(mark)
    end(False)
    close()
    return found


def _declared(text: str) -> set[str]:
    """The signs of one declaration."""
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()[:_VALUE_LIMIT]
    if not colon or not name or len(name) > 40:
        return set()
    found = {f"property:{name}"}
    keyword = _KEYWORD.match(value)
    if keyword:
        found.add(f"property:{name}={keyword[0]}")
    for function in _FUNCTION.findall(value):
        if function != "url" or name.startswith("background"):
            found.add(f"function:{function.removeprefix('-webkit-').removeprefix('repeating-')}")
    return found
