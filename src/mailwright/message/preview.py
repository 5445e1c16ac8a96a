"""Seeing a message before it is sent: in the web browser, or in a notebook.

A message is shown as hostile as it may be. Every header and text is escaped. Its HTML stands in a frame without
scripts, forms, pop-ups or an origin (``sandbox``), under a policy that lets nothing be fetched; pictures that
came along are written into it. Those in Bcc are not shown, as others may look at the page.
"""

from __future__ import annotations

import re
from html import escape

from mailwright.message.message import Message
from mailwright.words.errors import ConfigError, MessageError
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from mailwright.message.attachment import Attachment
    from mailwright.words.address import Address

    class HasBytes(Protocol):
        """An `email.message.Message`."""

        def as_bytes(self) -> bytes:
            """The message as RFC 5322 has it."""
            ...

    Shown = Message | HasBytes | bytes | bytearray | str

#: Octets of pictures, in base64, that are written into the HTML; a message may show one picture a million times.
PICTURES_LIMIT = 20_000_000
#: Characters of one header that are shown.
HEADER_LIMIT = 2000

_POLICY = (
    "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
# Looking up the names in links would tell somebody that the message is read; no policy speaks of that.
_GUARDS = (
    f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    '<meta http-equiv="x-dns-prefetch-control" content="off">'
    '<meta name="referrer" content="no-referrer">'
)
# A sandbox without pop-ups and a link that wants a new window: a click does nothing.
_FRAME_HEAD = f'<!doctype html><meta charset="utf-8">{_GUARDS}<base target="_blank">'
_CID = re.compile(r"""(["'(=]\s*+)cid:([^\s"'<>()&;\\]{1,300})""", re.IGNORECASE)
# Chromium opens a connection for <link rel=preconnect> and for the frames that the policy then forbids.
_CONNECTING = re.compile(
    r"<(?=(?:applet|embed|fencedframe|i?frame|link|object|portal)[\s/>])", re.IGNORECASE | re.ASCII
)

_STYLE = """
.mailwright { font: 15px/1.5 system-ui, sans-serif; text-align: left; max-width: 60em; }
.mailwright table { border-collapse: collapse; margin: 0 0 1em; }
.mailwright th, .mailwright td { padding: .1em 1em .1em 0; vertical-align: top; text-align: left; border: 0; }
.mailwright th { font-weight: normal; opacity: .65; white-space: nowrap; }
.mailwright td { overflow-wrap: anywhere; }
.mailwright iframe, .mailwright pre { box-sizing: border-box; width: 100%; margin: 0 0 1em;
  border: 1px solid rgba(128, 128, 128, .4); border-radius: 4px; }
.mailwright iframe { height: 32em; resize: vertical; background: #fff; color-scheme: light; }
.mailwright pre { padding: 1em; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 14px;
  background: transparent; color: inherit; }
.mailwright summary { cursor: pointer; opacity: .65; margin: 0 0 .5em; }
"""
_PAGE_STYLE = """
html { color-scheme: light dark; background: Canvas; color: CanvasText; }
body { margin: 2em auto; padding: 0 1em; max-width: 60em; }
.mailwright iframe { height: 65vh; }
"""


def page(message: Shown) -> str:
    """A whole HTML page that shows `message`: a `Message`, or raw RFC 5322 octets. It follows the browser's
    light or dark colours, runs nothing and fetches nothing.
    """
    found = _message(message)
    title = escape(_plain(found.subject) or "(no subject)")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{_GUARDS}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}{_PAGE_STYLE}</style></head>\n"
        f"<body>{_card(found)}</body></html>\n"
    )


def notebook(message: Shown) -> str:
    """The same as a piece of HTML that stands within a notebook and leaves the rest of it alone."""
    return f"<style>{_STYLE}</style>{_card(_message(message))}"


def open_in_browser(message: Shown) -> str:
    """Show `message` in the web browser; gives the path of the page.

    The page is a temporary file that only its owner may read; it stays until the system clears such files, for
    nobody can tell when the browser has read it. Raises `ConfigError` if there is no browser.
    """
    import webbrowser
    from pathlib import Path
    from tempfile import NamedTemporaryFile

    shown = page(message)
    with NamedTemporaryFile(
        "w", encoding="utf-8", errors="replace", prefix="mailwright-", suffix=".html", delete=False
    ) as file:
        file.write(shown)
    if not webbrowser.open(Path(file.name).as_uri()):
        raise ConfigError("There is no web browser to show the message.", f"The page is {file.name}.")
    return file.name


def _message(given: Shown) -> Message:
    if isinstance(given, Message):
        return given
    return Message.parse(given if isinstance(given, (bytes, bytearray, str)) else given.as_bytes())


def _card(message: Message) -> str:
    return f'<div class="mailwright">{"".join(_sections(message))}</div>'


def _sections(message: Message) -> Iterator[str]:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{shown}</td></tr>" for name, shown in _headers(message))
    yield f"<table>{rows}</table>"
    if message.html is not None:
        yield (
            '<iframe sandbox="" referrerpolicy="no-referrer" title="The message as HTML" '
            f'srcdoc="{escape(_framed(message.html, message.inline))}"></iframe>'
        )
    text = message.text
    if text is None and message.html is not None:
        from mailwright.message.markup.text import text_from_html

        text = text_from_html(message.html)
    if text and message.html is not None:
        yield f"<details><summary>Plain text</summary><pre>{_escaped_text(text)}</pre></details>"
    elif message.html is None:
        yield f"<pre>{_escaped_text(text or '')}</pre>"
    if message.attachments:
        rows = "".join(_attachment_row(one) for one in message.attachments)
        yield f"<table><tr><th>Attachments</th><th></th><th></th></tr>{rows}</table>"


def _headers(message: Message) -> Iterator[tuple[str, str]]:
    """Names and escaped values, in the order in which they are read."""
    if message.sender is not None:
        yield "From", _people((message.sender,))
    for name, people in (("To", message.to), ("Cc", message.cc), ("Reply-To", message.reply_to)):
        if people:
            yield name, _people(people)
    yield "Subject", _isolated(message.subject)
    if message.date:
        yield "Date", _isolated(message.date)
    for name, value in message.headers:
        yield name, _isolated(value)


def _people(people: tuple[Address, ...]) -> str:
    # A name in a script that runs to the left must not turn the address behind it around.
    return ", ".join(
        f"{_isolated(one.name)} &lt;{_exact(one.spec)}&gt;" if one.name else _exact(one.spec) for one in people
    )


def _isolated(text: str) -> str:
    """Words that people read: joiners of scripts and emoji work, and no direction reaches out of it."""
    return f"<bdi>{escape(_plain(text))}</bdi>"


def _exact(text: str) -> str:
    """Something to be compared letter by letter: nothing in it is invisible or turned around."""
    return f"<bdi>{escape(visible(text, HEADER_LIMIT))}</bdi>"


def _plain(text: str) -> str:
    return text if len(text) <= HEADER_LIMIT else text[: HEADER_LIMIT - 1] + "…"  # a message has no controls in it


def _escaped_text(text: str) -> str:
    return escape(text.replace("\0", "\ufffd"), quote=False)


def _attachment_row(attachment: Attachment) -> str:
    name, kind = attachment.name or "", attachment.type or ""
    size = readable_size(attachment.size)
    return f"<tr><td>{_exact(name)}</td><td>{_exact(kind)}</td><td>{size}</td></tr>"


def readable_size(octets: int) -> str:
    """A size as people read it, in powers of 1000: ``"512 bytes"``, ``"20.3 kB"``, ``"1.5 MB"``."""
    if octets < 1000:
        return f"{octets} bytes"
    size = octets / 1000
    for unit in ("kB", "MB"):
        if size < 999.95:
            return f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _framed(html: str, inline: tuple[Attachment, ...]) -> str:
    """The document in the frame: the guards first, so that nothing in the message comes before them."""
    html = _CONNECTING.sub("<x-", html)
    if inline:
        pictures = _Pictures(inline)
        html = _CID.sub(pictures.written, html)
    return _FRAME_HEAD + html


class _Pictures:
    """The inline parts as ``data:`` URLs (RFC 2397), each encoded when it is first needed."""

    def __init__(self, inline: tuple[Attachment, ...]) -> None:
        self._parts = {part.cid or part.name: part for part in inline}
        self._written: dict[str, str] = {}
        self._left = PICTURES_LIMIT

    def written(self, found: re.Match[str]) -> str:
        """What stands in place of a ``cid:`` reference; the reference itself if there is no such picture."""
        from urllib.parse import unquote

        part = self._parts.get(unquote(found[2]))
        url = self._url(part) if part is not None else ""
        if not url or len(url) > self._left:
            return found[0]
        self._left -= len(url)
        return found[1] + url

    def _url(self, part: Attachment) -> str:
        kind = (part.type or "").partition(";")[0].strip().lower()
        name = str(part.cid or part.name)
        if name not in self._written:
            self._written[name] = ""
            if kind.startswith("image/") and kind[6:].replace("+", "").replace("-", "").replace(".", "").isalnum():
                self._written[name] = self._encoded(part, kind)
        return self._written[name]

    def _encoded(self, part: Attachment, kind: str) -> str:
        from binascii import b2a_base64

        if part.size > self._left:
            return ""
        try:
            return f"data:{kind};base64,{b2a_base64(part.read(), newline=False).decode()}"
        except MessageError:  # the file is gone; the message will not be sent either, and says so then
            return ""
