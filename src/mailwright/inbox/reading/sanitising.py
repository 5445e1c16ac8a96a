"""HTML from a stranger, written anew: only known elements with known attributes, and no address that is not asked for.

The wall is elsewhere: a frame in a sandbox without scripts, under a policy that lets nothing be fetched. This is the
second one. It reads as the tokenizer of the HTML standard does (§13.2.5), keeps what mail readers show, and writes
it so that it can be read in one way only: every tag well-formed, every value quoted, no comment, no foreign content.
What a browser does outside of any policy (looking up names, connecting ahead, following a refresh) has no element
here. Linear in the size of the HTML.
"""

from __future__ import annotations

from html import escape

from mailwright.message.markup.tokens import RAW, TAG, after_comment, after_mark, attributes_at, end_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    #: Gives the address that stands in place of one in the message, or nothing to leave it out; told the address
    #: and whether it is a picture's (else a link's).
    Address = Callable[[str, bool], str | None]
    Style = Callable[[str], str]

#: Levels of elements; a browser needs seconds for thousands, and readers stop somewhere too.
DEPTH_LIMIT = 200
#: Characters of one attribute that are kept; those of a picture written into the HTML are not counted.
VALUE_LIMIT = 20_000

# What stands in them is not shown; without an end tag they end where they begin.
_UNSEEN = frozenset("svg math object template select applet audio video".split())
_ELEMENTS = frozenset(
    "a abbr acronym address article aside b bdi bdo big blockquote body br button caption center cite code col "
    "colgroup dd del details dfn dir div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr "
    "html i img ins kbd li main mark nav ol p picture pre q rp rt ruby s samp section small source span strike "
    "strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr".split()
)
_ATTRIBUTES = frozenset(
    "abbr align alt axis background bgcolor border cellpadding cellspacing char charoff class clear color cols "
    "colspan compact datetime dir face frame headers height hidden hspace id lang media name noshade nowrap open "
    "reversed role rowspan rules scope size span start summary title type valign value vspace width".split()
)
# They end without an end tag where the next one begins, so that many of them make no depth.
_FLAT = frozenset("body br col colgroup dd dt hr html img li p rp rt source tbody td tfoot th thead tr wbr".split())
_PICTURES = frozenset(("src", "background"))
_WHITE = " \t\n\r\f"


def sanitised(html: str, address: Address, style: Style) -> str:
    """`html` written anew. `address` decides on every address of a link or a picture, `style` on every style sheet
    and style attribute.
    """
    return "".join(_pieces(html, address, style))


def _pieces(html: str, address: Address, style: Style) -> Iterator[str]:
    position, size = 0, len(html)
    depth = 0
    unclosed: set[str] = set()  # of which it is known that no end tag follows: nobody looks twice
    while position < size:
        tag = TAG.search(html, position)
        if tag is None:
            yield _text(html[position:])
            return
        yield _text(html[position : tag.start()])
        position = tag.end()
        if tag[2] is None:
            position = after_comment(html, position) if tag[3] else after_mark(html, position)
            continue
        name = tag[2].lower()
        attributes, position = attributes_at(html, position)
        if position > size:
            return  # an unfinished tag is dropped
        if tag[1]:
            if name in _ELEMENTS:
                depth -= depth > 0 and name not in _FLAT
                if depth < DEPTH_LIMIT:
                    yield f"</{name}>"
        elif name in RAW or name in _UNSEEN:
            end = end_tag(html, position, name) if name not in unclosed else -1
            if end < 0 and name in _UNSEEN:
                unclosed.add(name)
                continue
            end = size if end < 0 else end
            if name == "style":
                yield _style_sheet(html[position:end], attributes, style)
            position = end
        elif name in _ELEMENTS:
            depth += name not in _FLAT
            if depth <= DEPTH_LIMIT:
                yield f"<{name}{''.join(_kept(name, attributes, address, style))}>"


def _text(text: str) -> str:
    # A lone "<" that begins no tag is written as what it is.
    return text.replace("\0", "").replace("<", "&lt;")


def _style_sheet(sheet: str, attributes: dict[str, str], style: Style) -> str:
    media = _bounded(attributes.get("media", ""))
    sheet = style(sheet.replace("\0", ""))
    if media:
        condition = style("".join(c for c in media if c not in "{};<"))
        sheet = f"@media {condition}{{{sheet}}}"
    # Nothing but the end tag ends a style sheet, and the end tag is where it was cut off.
    return f"<style>{sheet}</style>" if "</style" not in sheet.lower() else ""


def _kept(name: str, attributes: dict[str, str], address: Address, style: Style) -> Iterator[str]:
    for key, whole in attributes.items():
        given = _bounded(whole)
        if key == "style":
            yield f' style="{escape(style(given))}"'
        elif key in _PICTURES or (key == "srcset" and name in ("img", "source")):
            found = _picture(key, given, address)
            yield f' {key}="{escape(found)}"' if found else ' data-blocked=""'
        elif key == "href" and name == "a":
            target = address(given.strip(_WHITE), False)
            if target:
                here = ' target="_self"' if target.startswith("#") else ' rel="noopener noreferrer nofollow"'
                yield f' href="{escape(target)}"{here}'
        elif key in _ATTRIBUTES or key.startswith("aria-"):
            yield f' {key}="{escape(given)}"'


def _bounded(given: str) -> str:
    """A value without what no browser takes for a letter, and no longer than the limit, but for a picture in it."""
    return (given if given.startswith("data:image/") else given[:VALUE_LIMIT]).replace("\0", "")


def _picture(key: str, given: str, address: Address) -> str:
    if key != "srcset":
        return address(given.strip(_WHITE), True) or ""
    choices = []
    for choice in given.split(",")[:20]:
        url, _, descriptor = choice.strip(_WHITE).partition(" ")
        found = address(url, True)
        if found and descriptor.replace(".", "").strip(_WHITE).isalnum():
            choices.append(f"{found} {descriptor.strip(_WHITE)}")
        elif found:
            choices.append(found)
    return ", ".join(choices)
