"""What a template or a program left behind: placeholders, empty values, filler."""

from __future__ import annotations

import re

from mailwright.message.check.finding import ERROR, WARNING, Group, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.check.finding import Fault
    from mailwright.message.check.opened import Opened

group = Group("Left over")
# Every repetition has a limit, so that no pattern looks far ahead.
_PLACEHOLDER = re.compile(
    r"""\{\{[^{}\n]{1,80}\}\}          # Jinja, Django, Handlebars, Mustache
    | \{%[^%\n]{1,80}%\}
    | <%[^%\n]{1,80}%>                 # ERB, EJS
    | \$\{[A-Za-z_][\w.]{0,60}\}       # JavaScript, shells
    | \#\{[A-Za-z_][\w.]{0,60}\}       # Ruby
    | %\([A-Za-z_]\w{0,40}\)[sdr]      # Python
    | \*\|[A-Z][A-Z0-9_:]{0,60}\|\*    # Mailchimp
    | \[\[[A-Za-z_][\w.]{0,60}\]\]
    | (?<![\w%])%[A-Z][A-Z_]{2,40}%(?![\w%])
    | \{(?:(?:first|last|full|user|your)_?)?(?:name|email|url|link)\}""",
    re.VERBOSE,
)
_IN_URL = re.compile(
    r"%7[Bb]%7[Bb]|\{\{|\$\{|\*\||[=/](?:undefined|None|null|NaN|%5Bobject(?:%20|\+)Object%5D)(?=[/&?#]|\Z)"
)
_NOTHING = re.compile(
    r"""\b(?:[Dd]ear|[Hh]i|[Hh]ello|[Hh]ey|[Hh]allo|[Ll]iebe[rs]?|[Gg]uten\ Tag|[Bb]onjour|[Hh]ola|[Cc]iao|[Oo]l[áa])
        [ ,]{1,2}(?:None|null|undefined|NaN|nil|N/A)(?![\w-])
    | \bundefined\ undefined\b | \bNone\ None\b | \bnull\ null\b
    | \[object\ Object\]
    | <[A-Za-z_][\w.]{0,60}\ object\ at\ 0x[0-9a-f]{4,16}>
    | <(?:bound\ method|built-in\ method|function)\ [\w.]{1,60}""",
    re.VERBOSE,
)
_FILLER = re.compile(r"(?i)\blorem ipsum dolor\b")


def _found(pattern: re.Pattern[str], text: str) -> list[str]:
    return list(dict.fromkeys(match[0] for match in pattern.finditer(text)))


@group.rule(
    "placeholder", ERROR,
    why="Everybody reads it: the template was sent instead of the letter.",
    source="experience",
    fix="Fill the template; a missing value should be an error there.",
)  # fmt: skip
def placeholder(mail: Opened) -> Iterator[Fault]:
    """A placeholder such as {{name}} in what is read."""
    shown = [mail.shown_text, mail.header("from"), mail.header("to")]
    found = _found(_PLACEHOLDER, "\n".join(shown))
    if found:
        yield f"There is {listed(found)}.", ""


@group.rule(
    "placeholder-in-link", ERROR,
    why="The link leads nowhere, or everybody to the same place.",
    source="experience",
    fix="Fill the template; a missing value should be an error there.",
)  # fmt: skip
def placeholder_in_link(mail: Opened) -> Iterator[Fault]:
    """A placeholder, or the name of an empty value, in the address of a link or picture."""
    if mail.page is None:
        return
    addresses = [one.href for one in mail.page.links] + [one.src for one in mail.page.pictures]
    found = [one for one in addresses if not one.startswith("data:") and _IN_URL.search(one[:2000])]
    if found:
        yield f"There is {listed(found)}.", "HTML"


@group.rule(
    "empty-value", ERROR,
    why="A variable was empty, or an object was printed instead of its text.",
    source="experience",
    fix="Give a value, or leave the words around it out.",
)  # fmt: skip
def empty_value(mail: Opened) -> Iterator[Fault]:
    """“Dear None”, “[object Object]” and their like in what is read."""
    found = _found(_NOTHING, mail.shown_text)
    if found:
        yield f"There is {listed(found)}.", ""


@group.rule(
    "filler-text", WARNING,
    why="It holds the place of a text that was never written.",
    source="experience",
    fix="Write the text.",
)  # fmt: skip
def filler_text(mail: Opened) -> Iterator[Fault]:
    """Lorem ipsum."""
    if _FILLER.search(mail.shown_text):
        yield "There is “Lorem ipsum”.", ""
