"""The templates, and the filters through which everything from a stranger passes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from mailwright.inbox.web.pages.described import moment, moment_in_full, moment_iso
from mailwright.message.decode import one_line
from mailwright.message.preview import readable_size
from mailwright.words.extras import extra
from mailwright.words.reply import visible

if TYPE_CHECKING:
    from typing import Any

    from jinja2 import Environment
    from markupsafe import Markup

#: Characters of one text in a page, unless a template asks for less.
LIMIT = 2000


def render(template: str, /, **values: Any) -> str:
    """The template of that name with these values; the result can be written as UTF-8. Raises `MissingExtra`."""
    shown: str = environment().get_template(template).render(**values)
    return shown if shown.isascii() else shown.encode("utf-8", "replace").decode("utf-8")


@cache
def environment() -> Environment:
    """The templates of this package, everything escaped, no name unknown. Raises `MissingExtra`."""
    jinja2 = extra("jinja2", "inbox", "The page of the inbox")
    made: Environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mailwright.inbox.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "words": words,
        "exact": exact,
        "short": short,
        "octets": readable_size,
        "moment": moment,
        "moment_in_full": moment_in_full,
        "moment_iso": moment_iso,
    }
    return made


def words(text: str, limit: int = LIMIT) -> Markup:
    """Words that people read: joiners of scripts and emoji work, and no direction reaches out of them."""
    return _isolated(short(one_line(text), limit))


def exact(text: str, limit: int = LIMIT) -> Markup:
    """Something to be compared letter by letter: nothing in it is invisible or turned around."""
    return _isolated(visible(text, limit))


def short(text: str, limit: int = LIMIT) -> str:
    """At most so many characters of it, for an attribute."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _isolated(text: str) -> Markup:
    from markupsafe import Markup

    return Markup("<bdi>{}</bdi>").format(text)
