"""The HTML of a message as a reader would see it: a whole document for a frame in a sandbox.

Nothing is fetched for it. Pictures that came along are written into it; pictures from elsewhere are left out, and
counted, until whoever looks allows them. The frame stands under `policy` and in a sandbox with `SANDBOX`: no
scripts, no forms, no origin; a link opens a tab of its own, for a link in a mail is there to be tried.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from html import escape
from urllib.parse import unquote, urlsplit

from mailwright.inbox.reading.bodies import text
from mailwright.inbox.reading.pictures import picture
from mailwright.inbox.reading.sanitising import sanitised
from mailwright.inbox.reading.structure import octets
from mailwright.message.decode import body_octets
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from mailwright.inbox.reading.bodies import Bodies
    from mailwright.inbox.reading.structure import Node

    Scheme = Literal["light", "dark", "inverted"]

#: What the sandbox allows, for the frame element and for the policy of the answer.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
#: How colours are shown: as in a light reader; as in a dark one that leaves colours to the message; as in a dark
#: one that turns them over, as Gmail and Outlook do on phones.
SCHEMES: tuple[Scheme, ...] = ("light", "dark", "inverted")
#: Octets in base64 of pictures that are written into one document.
PICTURES_LIMIT = 20_000_000
#: Places from which pictures would come that are named.
HOSTS_LIMIT = 10

_LINKS = ("http://", "https://", "mailto:", "tel:", "#")
_REMOTE = ("http://", "https://", "//")
_RASTER_DATA = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,", re.ASCII | re.IGNORECASE)
# An address that is not ended is one too: a browser ends it where the sheet ends.
_CSS_URL = re.compile(r"""url\(\s*+(?:"([^"]*+)"|'([^']*+)'|([^'")\s]*+))[^)]*+(?:\)|\Z)""", re.IGNORECASE)
# The ways to name an address without url().
_IMPORT = re.compile(r"@import[^;{}]*+;?|image-set\(", re.IGNORECASE)
# A letter behind a backslash, as itself or as its number: nobody needs to, but to say "url" unseen.
_ESCAPED_LETTER = re.compile(
    r"\\(?:0{0,4}(4[0-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a])(?:[ \t\n\f]|(?![0-9a-f]))|([g-z]))", re.IGNORECASE
)
_ASKS_DARK = re.compile(r"prefers-color-scheme\s*+:\s*+dark", re.IGNORECASE)
_ASKS_LIGHT = re.compile(r"prefers-color-scheme\s*+:\s*+light", re.IGNORECASE)
_ALWAYS, _NEVER = "min-width: 0px", "max-width: 0px"

_STYLES = {
    "light": ":root{color-scheme:only light}",
    "dark": ":root{color-scheme:only dark}",
    "inverted": (
        ":root{color-scheme:only light;background:#fff;filter:invert(1) hue-rotate(180deg)}"
        "img,picture,[background]{filter:invert(1) hue-rotate(180deg)}"
    ),
}
_STYLE = (
    "body{margin:16px;font:15px/1.5 Arial,Helvetica,sans-serif;overflow-wrap:break-word}"
    "img[data-blocked]{display:inline-block;min-width:2em;min-height:1em;outline:1px dashed #8888;"
    "outline-offset:-1px;background:#8882;font-size:12px;color:GrayText}"
    'img[data-blocked]:is([width="0"],[width="1"],[height="0"],[height="1"]){min-width:0;min-height:0}'
)


@value
class Framed:
    """A `document` for the frame; `blocked` pictures from `hosts` were left out, or let in where that was allowed.
    `left_out`: octets of the HTML behind the limit. `dark`: whether the message has colours of its own for dark
    readers.
    """

    document: bytes
    blocked: int
    hosts: tuple[str, ...]
    left_out: int
    dark: bool


def scheme_of(text: str) -> Scheme:
    """The scheme of that name; the light one for any other text."""
    return next((one for one in SCHEMES if one == text), "light")


def policy(images: bool) -> str:
    """The Content-Security-Policy under which the document must be served."""
    pictures = "data: https: http:" if images else "data:"
    return (
        f"default-src 'none'; img-src {pictures}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors 'self'; sandbox {SANDBOX}"
    )


def framed(content: bytes, found: Bodies, node: Node, images: bool = False, scheme: Scheme = "light") -> Framed:
    """The HTML part `node` of a message as a document for the frame."""
    html, left_out = text(content, node)
    addresses = _Addresses(content, found, images)
    colours = _STYLES[scheme]
    asks_dark = bool(_ASKS_DARK.search(html))

    def style(sheet: str) -> str:
        # A space stays where something went, so that what stood around it becomes no word.
        sheet = _IMPORT.sub(" ", _ESCAPED_LETTER.sub(_letter, sheet))
        sheet = _ASKS_DARK.sub(_ALWAYS if scheme == "dark" else _NEVER, sheet)
        sheet = _ASKS_LIGHT.sub(_NEVER if scheme == "dark" else _ALWAYS, sheet)
        return _CSS_URL.sub(addresses.in_style, sheet)

    body = sanitised(html, addresses.decided, style)
    document = (_head(images, colours) + body).encode("utf-8", "replace")
    return Framed(document, addresses.blocked, tuple(addresses.hosts), left_out, asks_dark)


def plain_document(message: str) -> bytes:
    """A document for the frame that says something in place of a message."""
    return f"{_head(False, '')}<p>{escape(message)}</p>".encode()


def _head(images: bool, colours: str) -> str:
    """The guards first, so that nothing in the message comes before them."""
    return (
        '<!doctype html><html><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_within_document(images)}">'
        '<meta http-equiv="x-dns-prefetch-control" content="off"><meta name="referrer" content="no-referrer">'
        '<meta name="viewport" content="width=device-width"><base target="_blank"><title>Message</title>'
        f"<style>{_STYLE}{colours}</style></head>"
    )


def _letter(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else found[2]


def _within_document(images: bool) -> str:
    """The policy as far as a document may say it of itself."""
    kept = (one for one in policy(images).split("; ") if not one.startswith(("frame-ancestors", "sandbox")))
    return "; ".join(kept)


class _Addresses:
    """Decides what stands in place of every address in the HTML, and counts what was left out."""

    def __init__(self, content: bytes, found: Bodies, images: bool) -> None:
        self.blocked = 0
        self.hosts: dict[str, None] = {}
        self._content = content
        self._parts = {node.cid: node for node in reversed((*found.inline, *_pictures(found)))}
        self._images = images
        self._written: dict[str, str] = {}
        self._left = PICTURES_LIMIT

    def decided(self, address: str, is_picture: bool) -> str | None:
        """What to write, `None` for nothing."""
        address = address.replace("\t", "").replace("\n", "").replace("\r", "")
        low = address[:12].lower()
        if not is_picture:
            return address if low.startswith(_LINKS) else None
        if low.startswith("cid:"):
            return self._inline(unquote(address[4:300]))
        if _RASTER_DATA.match(address):
            return address if picture(body_octets(address.partition(",")[2].encode(), "base64")) is not None else None
        if low.startswith(_REMOTE):
            return self._remote(address)
        return None

    def in_style(self, found: re.Match[str]) -> str:
        """The same for an address in a style sheet."""
        address = found[1] or found[2] or found[3] or ""
        decided = self.decided(address, True)
        if not decided or any(c in "\"'()\\<>\n" for c in decided):
            return "none"
        return f'url("{decided}")'

    def _remote(self, address: str) -> str | None:
        self.blocked += 1
        try:
            host = urlsplit(address).hostname or ""
        except ValueError:
            return None
        if host and len(self.hosts) < HOSTS_LIMIT:
            self.hosts.setdefault(host[:253])
        if not self._images:
            return None
        return f"https:{address}" if address.startswith("//") else address

    def _inline(self, cid: str) -> str | None:
        if cid not in self._written:
            node = self._parts.get(cid)
            self._written[cid] = self._as_data(node) if node is not None else ""
        url = self._written[cid]
        if not url or len(url) > self._left:
            return None
        self._left -= len(url)  # a message may show one picture a million times
        return url

    def _as_data(self, node: Node) -> str:
        if node.size > 2 * PICTURES_LIMIT:
            return ""
        data = octets(self._content, node)
        shown = picture(data)
        return f"data:{shown.kind};base64,{b2a_base64(data, newline=False).decode()}" if shown is not None else ""


def _pictures(found: Bodies) -> tuple[Node, ...]:
    """Attachments that the HTML may show all the same, since they have a Content-ID."""
    return tuple(node for node in found.attachments if node.cid)
