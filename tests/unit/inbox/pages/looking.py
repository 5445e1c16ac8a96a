"""Reading our own pages as a browser would, and what must never be in them."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import NamedTuple

from mailwright.inbox.store import Store
from mailwright.smtp.receiving.received import Received
from mailwright.words.envelope import Envelope

ADDRESSES = ("href", "src", "action", "formaction", "srcset", "data", "poster", "background", "xlink:href")


class Tag(NamedTuple):
    """A start tag as it was read."""

    name: str
    attributes: dict[str, str]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[Tag] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(Tag(tag, {name: text or "" for name, text in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def tags(html: str) -> list[Tag]:
    """All start tags in the order of the page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.tags


def words(html: str) -> str:
    """All text of a page, white space collapsed."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return " ".join("".join(reader.words).split())


def faults_of_page(html: str, nonce: str) -> list[str]:
    """What one of our own pages must not have."""
    found = []
    for tag in tags(html):
        if tag.name == "script" and tag.attributes != {"nonce": nonce, "src": "/static/app.js"}:
            found.append(f"a script that is not ours: {tag}")
        if tag.name in ("style", "base", "object", "embed", "frame"):
            found.append(f"a {tag.name}")
        if tag.name == "meta" and "http-equiv" in tag.attributes:
            found.append(f"a meta that commands: {tag}")
        if tag.name == "iframe" and ("sandbox" not in tag.attributes or "allow-scripts" in tag.attributes["sandbox"]):
            found.append("a frame without a sandbox")
        for name, text in tag.attributes.items():
            if name.startswith("on") or name in ("style", "srcdoc"):
                found.append(f"{name} in {tag.name}")
            if name == "href" and tag.attributes.get("rel") == "noopener noreferrer nofollow":
                if not text.startswith(("http://", "https://")) or tag.attributes["target"] != "_blank":
                    found.append(f"a link that leads astray: {tag}")
            elif name in ADDRESSES and (not text.startswith(("/", "#", "?")) or text.startswith("//")):
                found.append(f"an address that is not ours: {tag}")
    return found


def faults_of_frame(html: str) -> list[str]:
    """What the document in the frame must not have, the guards at its head left aside."""
    head, _, body = html.partition("</head>")
    found = [] if 'http-equiv="Content-Security-Policy"' in head else ["no policy"]
    for tag in tags(body):
        if tag.name in (
            "script",
            "iframe",
            "object",
            "embed",
            "frame",
            "link",
            "meta",
            "base",
            "form",
            "svg",
            "math",
            "input",
            "video",
        ):
            found.append(f"a {tag.name}")
        for name, text in tag.attributes.items():
            if name.startswith("on") or name in (
                "ping",
                "srcdoc",
                "autofocus",
                "formaction",
                "action",
                "attributionsrc",
            ):
                found.append(f"{name} in {tag.name}")
            if name == "href" and not text.lower().startswith(("http://", "https://", "mailto:", "tel:", "#")):
                found.append(f"a link to {text[:50]!r}")
            if name in ("src", "srcset", "background") and not text.startswith("data:image/"):
                found.append(f"a picture from {text[:50]!r}")
    return found


def kept(store: Store, content: bytes, *recipients: str, **facts: object) -> int:
    """Put a message into the store; its id."""
    envelope = Envelope.of("mallory@evil.test", recipients or ("grace@example.org",))
    return store.add(Received(envelope, content, **facts))  # type: ignore[arg-type]
