"""How one thing of the HTML is written in plain text: a quotation, an item's number, the target of a link."""

from __future__ import annotations

from mailwright.message.markup.flow import seen, width

RULE = "-" * 20
#: Characters of the line under a heading, at most.
UNDERLINE_LIMIT = 78

_UNDERLINES = {"h1": "=", "h2": "-"}
_ROMAN = [
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"),
    (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
]  # fmt: skip
_NO_BREAKS = dict.fromkeys(map(ord, "\t\r\n"))  # browsers take these out of a URL
_NO_SPACING = dict.fromkeys(map(ord, " -./()"))  # with which people space out telephone numbers
#: Targets that mean nothing outside of the HTML.
_NOT_FOLLOWED = ("#", "javascript:", "vbscript:", "data:", "cid:", "about:", "blob:", "file:")


def quoted(lines: list[str]) -> list[str]:
    """The lines as they are quoted in replies."""
    return [f"> {line}" if line else ">" for line in lines]


def led(lines: list[str], lead: str) -> list[str]:
    """The lines behind a `lead` such as a bullet, the following ones indented to match."""
    rest = " " * len(lead)
    return [(rest if place else lead) + line if line else "" for place, line in enumerate(lines)]


def underlined(lines: list[str], name: str) -> list[str]:
    """The lines of a heading, those of the first two ranks underlined; anything else as it is."""
    if name not in _UNDERLINES or not lines:
        return lines
    return [*lines, _UNDERLINES[name] * min(max(map(width, lines)), UNDERLINE_LIMIT)]


def counted(number: int, kind: str) -> str:
    """The number of an item in the way that ``<ol type=…>`` asks for."""
    if kind in ("a", "A") and number > 0:
        letters = ""
        while number:
            number, letter = divmod(number - 1, 26)
            letters = chr(ord(kind) + letter) + letters
        return letters
    if kind in ("i", "I") and 0 < number < 4000:
        roman = ""
        for size, sign in _ROMAN:
            roman += sign * (number // size)
            number %= size
        return roman if kind == "I" else roman.lower()
    return str(number)


def number(text: str, default: int, limit: int = 999_999_999) -> int:
    """The whole number in an attribute, or the default if there is none or it is absurd."""
    text = text.strip()
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        return default
    return min(int(text), limit)


def is_hidden(attributes: dict[str, str]) -> bool:
    """Whether an element is not shown: ``hidden``, or one of the styles with which preheaders are hidden."""
    if "hidden" in attributes:
        return True
    if "style" not in attributes:
        return False
    style: dict[str, str] = {}
    for declaration in attributes["style"].lower().split(";"):
        key, _, setting = declaration.partition(":")
        style[key.strip()] = setting.replace("!important", "").strip()
    return (
        style.get("display") == "none"
        or style.get("visibility") == "hidden"
        or style.get("opacity") in ("0", "0.0")
        or (style.get("max-height") in ("0", "0px") and style.get("overflow") == "hidden")
    )


def shown_target(href: str) -> str:
    """What is written of a link's target; empty if it means nothing outside of the HTML."""
    target = "%20".join(seen(href).translate(_NO_BREAKS).split())
    lower = target.lower()
    if lower.startswith(_NOT_FOLLOWED):
        return ""
    if lower.startswith("mailto:") and "?" not in target:
        return target[7:]
    return target[4:].replace("%20", " ") if lower.startswith("tel:") else target


def says(text: str, target: str) -> bool:
    """Whether the text of a link is its target already, but for the scheme or a slash at the end."""
    text, target = text.lower().rstrip("/"), target.lower().rstrip("/")
    if text in (target, target.partition("://")[2]):
        return True
    number = text.translate(_NO_SPACING)
    return number.removeprefix("+").isdigit() and number == target.translate(_NO_SPACING)
