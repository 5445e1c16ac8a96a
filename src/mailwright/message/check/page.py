"""The HTML of a message, read once: its links, pictures, styles, and which features it uses."""

from __future__ import annotations

from mailwright.message.check.style import style_signs
from mailwright.message.markup.marks import is_hidden
from mailwright.message.markup.tokens import tokens
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_HANDLERS = frozenset("onclick onload onerror onmouseover onsubmit onfocus onchange".split())
_KEPT = _HANDLERS | frozenset(
    "alt src srcset href width height style lang name rel title background hidden popover aria-label aria-hidden "
    "poster action http-equiv".split()
)
_UNREAD = frozenset("script style title textarea noscript template".split())  # their text is not the message's
_TEXT_LIMIT = 500  # characters of a link's text; what is longer is no name of a place
_HEAD = 2000  # characters in which a doctype stands, if there is one
_LITTLE = 2  # pixels; a picture that is no bigger in either direction is not for looking at
_EXTENSION_LIMIT = 5


@value
class Picture:
    """An ``<img>``; `alt` is `None` without that attribute. `unseen`: one or two pixels, or hidden."""

    src: str
    alt: str | None
    sized: bool
    unseen: bool


class Link:
    """An ``<a href>``: where it leads, its `text` so far, and the `label` that is read in place of a missing one."""

    __slots__ = ("_parts", "_room", "href", "label")

    def __init__(self, href: str, label: str) -> None:
        self.href = href.strip()
        self.label = label.strip()
        self._parts: list[str] = []
        self._room = _TEXT_LIMIT

    def add(self, text: str) -> None:
        """More of its text."""
        if self._room > 0:
            self._parts.append(text[: self._room])
            self._room -= len(text)

    @property
    def text(self) -> str:
        """What is read as the link, white space made single."""
        return " ".join("".join(self._parts).split())


class Page:
    """What the rules ask about the HTML.

    `signs`: the features in the words of ``readers.json``. `urls`: the addresses that are neither links nor pictures.
    `whole`: a document with ``<html>``, as opposed to a piece that readers put into a page of their own.
    """

    def __init__(self, html: str) -> None:
        self.html = html
        head = html[:_HEAD].lower()
        self.doctype = "<!doctype" in head
        self.for_outlook = any(mark in html for mark in ("<!--[if mso", "<!--[if gte mso", "<!--[if !mso", "[if (mso"))
        self.whole = False
        self.lang = self.title = ""
        self.viewport = self.refresh = self.based = False
        self.links: list[Link] = []
        self.pictures: list[Picture] = []
        self.urls: list[str] = []
        self.sheets: list[int] = []  # octets of each style sheet
        self.elements: set[str] = set()
        self.active: set[str] = set()
        self.signs: set[str] = set()
        self._read()

    def _read(self) -> None:
        words: list[str] = []
        link: Link | None = None
        inside = ""  # the element whose text is not read
        in_body = False
        for kind, name, attributes in tokens(self.html, _KEPT):
            if kind == "text":
                if inside == "style":
                    self._sheet(name, in_body)
                elif inside == "title":
                    self.title = self.title or " ".join(name[:_TEXT_LIMIT].split())
                elif not inside:
                    words.append(name)
                    if link is not None:
                        link.add(name)
            elif kind == "start":
                inside = name if name in _UNREAD else inside
                in_body = in_body or name == "body"
                if name == "a" and "href" in attributes:
                    link = Link(attributes["href"], attributes.get("aria-label", "") or attributes.get("title", ""))
                    self.links.append(link)
                elif name == "img":
                    self._picture(attributes, link)
                else:
                    words.append(" ")
                self._element(name, attributes)
            else:
                inside = "" if name == inside else inside
                link = None if name == "a" else link
                words.append(" " if name not in ("a", "b", "i", "span", "strong", "em", "u", "font") else "")
        self.text = " ".join("".join(words).split())

    def _sheet(self, css: str, in_body: bool) -> None:
        self.sheets.append(len(css.encode("utf-8", "replace")))
        self.signs |= style_signs(css, sheet=True)
        if in_body:
            self.signs.add("style:body")

    def _picture(self, attributes: dict[str, str], link: Link | None) -> None:
        size = (attributes.get("width", ""), attributes.get("height", ""))
        style = attributes.get("style", "").lower()
        if link is not None:
            link.add(attributes.get("alt", ""))
        src = attributes.get("src", "").strip()
        self.pictures.append(
            Picture(
                src,
                attributes.get("alt"),
                bool(size[0] or size[1]) or "width" in style or "height" in style,
                is_hidden(attributes) or _little(size) or attributes.get("aria-hidden") == "true",
            )
        )
        if src.lower().startswith("data:"):
            self.signs.add("image:data")
            self.signs.add(f"image:{_subtype(src[5:40])}")
        else:
            self.signs.add(f"image:{_extension(src)}")

    def _element(self, name: str, attributes: Mapping[str, str]) -> None:
        self.elements.add(name)
        self.signs.add(f"element:{name}")
        self.whole = self.whole or name == "html"
        if not attributes:
            return
        style = attributes.get("style", "")
        if style:
            self.signs |= style_signs(style, sheet=False)
        self.active |= _HANDLERS & attributes.keys()
        self.signs.update(f"attribute:{one}" for one in ("popover", "srcset") if one in attributes)
        if "hidden" in attributes and "display:none" not in "".join(style.lower().split()):
            self.signs.add("attribute:hidden")
        self.urls += [attributes[one] for one in ("background", "poster", "action") if attributes.get(one)]
        if name == "html":
            self.lang = attributes.get("lang", "").strip()
        elif name == "body":
            self.lang = self.lang or attributes.get("lang", "").strip()
        elif name == "base":
            self.based = self.based or "href" in attributes
        elif name == "link" and "stylesheet" in attributes.get("rel", "").lower():
            self.signs.add("link:stylesheet")
            self.urls.append(attributes.get("href", ""))
        elif name == "meta":
            self.viewport = self.viewport or attributes.get("name", "").lower() == "viewport"
            self.refresh = self.refresh or attributes.get("http-equiv", "").lower() == "refresh"


def _little(size: tuple[str, str]) -> bool:
    digits = [one.strip().removesuffix("px") for one in size]
    return all(one.isascii() and one.isdigit() and len(one) < 4 and int(one) <= _LITTLE for one in digits)


def _subtype(data: str) -> str:
    """``png`` from what stands behind ``data:``."""
    return data.partition(";")[0].partition(",")[0].partition("/")[2].partition("+")[0].strip().lower()


def _extension(src: str) -> str:
    """The ending of the file that an address names, or the empty string."""
    path = src.partition("?")[0].partition("#")[0]
    _, dot, ending = path.rpartition("/")[2].rpartition(".")
    return ending.lower() if dot and len(ending) <= _EXTENSION_LIMIT else ""
