"""What each view of a message shows: its octets and the request's wishes in, values for the template out."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from mailwright.inbox.reading import frame as framing
from mailwright.inbox.reading.bodies import TEXT_LIMIT
from mailwright.inbox.reading.bodies import text as text_of_part
from mailwright.inbox.reading.dialogue import dialogue
from mailwright.inbox.reading.headers import headers as headers_of
from mailwright.inbox.reading.pictures import picture
from mailwright.inbox.reading.source import source as source_of
from mailwright.inbox.reading.structure import decoded_size, octets
from mailwright.message.markup.text import text_from_html
from mailwright.words.errors import MailError
from mailwright.words.value import value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from mailwright.inbox.kept import Row
    from mailwright.inbox.reading.bodies import Bodies
    from mailwright.inbox.reading.pictures import Picture
    from mailwright.inbox.reading.structure import Node
    from mailwright.inbox.web.pages.page import Page
    from mailwright.smtp.receiving.received import Received

#: Widths at which the HTML is shown.
WIDTHS = ("desktop", "phone")
#: Attachments that are listed below a message, and of those the pictures that are shown.
FILES_LIMIT, PREVIEWS_LIMIT = 100, 20
#: Parts that are drawn.
PARTS_LIMIT = 200
#: Characters of HTML from which a text is derived.
DERIVED_LIMIT = 500_000
#: Addresses in a text that can be followed.
LINKS_LIMIT = 1000

_LINK = re.compile(r"\bhttps?://[!#-;=?-Z\[\]_a-z~]{1,2000}+")  # RFC 3986, what is not ASCII escaped


@value
class File:
    """An attachment in the list: the part, octets when saved, and the picture that it is, if it is one."""

    node: Node
    size: int
    picture: Picture | None


@value
class Branch:
    """A part in the drawing of the structure, and those below it."""

    node: Node
    size: int
    picture: bool
    children: tuple[Branch, ...]


def html(content: bytes, found: Bodies, asked: Mapping[str, str]) -> dict[str, Any]:
    """The HTML in its frame, and how to look at it."""
    scheme = framing.scheme_of(asked.get("scheme", ""))
    width = "phone" if asked.get("width") == "phone" else "desktop"
    images = asked.get("images") == "1"
    framed = framing.framed(content, found, found.html, images, scheme) if found.html is not None else None
    return {
        "framed": framed,
        "scheme": scheme,
        "width": width,
        "images": images,
        "sandbox": framing.SANDBOX,
        "files": files(content, found),
        "files_left_out": max(0, len(found.attachments) - FILES_LIMIT),
    }


def text(content: bytes, found: Bodies) -> dict[str, Any]:
    """The plain text; where there is none, what readers derive from the HTML."""
    texts, left_out = [], 0
    for node in found.texts:
        one, more = text_of_part(content, node)
        texts.append(one)
        left_out += more
    derived = ""
    if not texts and found.html is not None:
        derived = text_from_html(text_of_part(content, found.html)[0][:DERIVED_LIMIT])
    left = LINKS_LIMIT // max(1, len(texts))
    return {
        "texts": [_pieces(one[: TEXT_LIMIT // len(texts)], left) for one in texts],
        "derived": _pieces(derived, left),
        "text_left_out": left_out,
        "files": files(content, found),
        "files_left_out": max(0, len(found.attachments) - FILES_LIMIT),
    }


def _pieces(text: str, limit: int) -> list[tuple[str, bool]]:
    """The text in pieces, each of which is an address of the web or is none."""
    pieces: list[tuple[str, bool]] = []
    place = 0
    for found in islice(_LINK.finditer(text), limit):
        address = found[0].rstrip(".,;:!?)]}*_'")
        pieces += ((text[place : found.start()], False), (address, True))
        place = found.start() + len(address)
    return [*pieces, (text[place:], False)]


def headers(content: bytes) -> dict[str, Any]:
    """The header fields with their meanings."""
    return {"headers": headers_of(content)}


def parts(content: bytes, found: Bodies) -> dict[str, Any]:
    """The MIME structure as a tree."""
    budget = [PARTS_LIMIT]
    tree = _branch(content, found.root, budget)
    return {"tree": tree, "parts_left_out": sum(1 for _ in found.root.walk()) - (PARTS_LIMIT - budget[0])}


def source(content: bytes, asked: Mapping[str, str]) -> dict[str, Any]:
    """The octets with numbered lines."""
    first = asked.get("from", "1")
    return {"source": source_of(content, int(first) if first.isascii() and first.isdigit() and len(first) < 10 else 1)}


def transcript(received: Received) -> dict[str, Any]:
    """How it came: the talk, TLS and the login."""
    return {"dialogue": dialogue(received)}


def checks(content: bytes, received: Received, row: Row, page: Page) -> dict[str, Any]:
    """What is to be said about the message as mail: the findings, the gravest first, and SpamAssassin's verdict."""
    from mailwright.message.check import check

    try:
        findings = check(content, received.envelope, now=row.arrived)
    except MailError as problem:
        return {"findings": (), "trouble": str(problem), "verdict": None, "spam_trouble": ""}
    verdict, spam_trouble = None, ""
    try:
        verdict = page.verdict(row) if page.verdict is not None else None
    except MailError as problem:
        spam_trouble = str(problem)
    return {"findings": findings, "trouble": "", "verdict": verdict, "spam_trouble": spam_trouble}


def files(content: bytes, found: Bodies) -> tuple[File, ...]:
    """The attachments, and which of them are pictures that can be shown."""
    listed = []
    left = PREVIEWS_LIMIT
    for node in found.attachments[:FILES_LIMIT]:
        shown = picture(octets(content, node)) if left > 0 and _may_be_picture(node) else None
        left -= shown is not None
        listed.append(File(node, decoded_size(content, node), shown))
    return tuple(listed)


def _may_be_picture(node: Node) -> bool:
    return node.kind.startswith("image/") or node.kind == "application/octet-stream"


def _branch(content: bytes, node: Node, budget: list[int]) -> Branch:
    budget[0] -= 1
    children = tuple(_branches(content, node.children, budget))
    shown = not node.children and _may_be_picture(node) and picture(octets(content, node)) is not None
    return Branch(node, decoded_size(content, node), shown, children)


def _branches(content: bytes, nodes: Iterable[Node], budget: list[int]) -> Iterable[Branch]:
    for node in nodes:
        if budget[0] <= 0:
            return
        yield _branch(content, node, budget)
