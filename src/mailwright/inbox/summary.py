"""What a list and a search need to know of a message, read from its octets once, when it arrives.

Nothing here raises, however odd the mail. The work is bounded: of a large message the beginning is read, and of the
rest only where its parts begin.
"""

from __future__ import annotations

import re

from mailwright.inbox.kept import PREVIEW
from mailwright.message.bodies import Bodies
from mailwright.message.decode import body_octets, decoded_words, one_line, text_of
from mailwright.message.fields import body_start, parameters
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

READ = 1 << 20  # octets at the beginning of a message that are read; texts are in front of files
HEAD = 1 << 16  # octets of header fields of which the list shows something
LINE = 998  # characters of one header field
TEXT = 100_000  # characters of text that can be searched
_HTML = 300_000  # characters of HTML that a text is derived from
_NAMES = 4000  # characters of all file names together
# The fields that count here, folded or not; the others are passed over. All lines end in CRLF.
_FIELD = re.compile(
    rb"^(from|to|cc|subject|date|content-(?:type|disposition|transfer-encoding)):([^\r]*(?:\r\n[ \t][^\r]*)*)",
    re.IGNORECASE | re.MULTILINE,
)
_SEVERAL = 10  # fields of one name that are read


@value
class Summary:
    """`subject`, `from_header`, `to_header`, `date`: decoded, on one line. `to_and_cc`: all who are named there.
    `text`: the text, or that of the HTML. `attachments` and `names`: how many files, and what they are called.
    """

    subject: str
    from_header: str
    to_header: str
    to_and_cc: str
    date: str
    text: str
    attachments: int
    names: str

    @property
    def preview(self) -> str:
        """The beginning of the text on one line."""
        return " ".join(self.text[: 4 * PREVIEW].split())[:PREVIEW]


def summary(beginning: bytes, rest: Iterable[bytes] = ()) -> Summary:
    """The summary of a message whose first octets are `beginning`, at least `READ` of them if it has so many."""
    octets = _with_crlf(beginning)
    body = body_start(octets)
    first: dict[str, str] = {}
    named: dict[str, list[str]] = {"to": [], "cc": []}
    for found in _FIELD.finditer(octets, 0, min(body, HEAD)):
        key = found[1].decode("ascii").lower()
        text = found[2].replace(b"\r\n", b"").replace(b"\t", b" ").strip(b" ").decode("utf-8", "replace")
        first.setdefault(key, text)
        if key in named and len(named[key]) < _SEVERAL:
            named[key].append(_line(text))
    text, attachments, names = _plain_text(first, octets, body) or _bodies(octets)
    if rest:
        attachments += sum(1 for _ in _delimiters(first, octets, rest))
    subject, author, date = [_line(first.get(key, "")) for key in ("subject", "from", "date")]
    to = ", ".join(named["to"])
    return Summary(subject, author, to[:LINE], ", ".join([to, *named["cc"]])[:TEXT], date, text, attachments, names)


def _media_type(first: dict[str, str]) -> tuple[str, dict[str, str]]:
    kind, found = parameters(first.get("content-type", "text/plain"))
    main, slash, sub = kind.partition("/")
    return (kind, found) if main and slash and sub else ("text/plain", {})


def _with_crlf(octets: bytes) -> bytes:
    if octets.count(b"\r\n") == octets.count(b"\n") == octets.count(b"\r"):
        return octets
    return octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def _line(text: str) -> str:
    text = one_line(decoded_words(text))[:LINE]
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _plain_text(first: dict[str, str], octets: bytes, body: int) -> tuple[str, int, str] | None:
    """The text of a message that is nothing but a plain text, as most that programs send are; else `None`."""
    kind, found = _media_type(first)
    if kind != "text/plain" or "name" in found or "content-disposition" in first or len(octets) >= READ:
        return None
    encoding = first.get("content-transfer-encoding", "").lower()
    text = text_of(body_octets(octets[body:], encoding), found.get("charset", "")).replace("\r\n", "\n")
    return _plain(text[:TEXT]), 0, ""


def _bodies(octets: bytes) -> tuple[str, int, str]:
    bodies = Bodies()
    bodies.read(octets, 0, len(octets))
    inline, attached = bodies.inline_and_attached()
    text = "\n".join(bodies.texts)
    if not text.strip() and bodies.html is not None:
        from mailwright.message.markup.text import text_from_html

        text = text_from_html(bodies.html[:_HTML])
    names = "\n".join([part.name or "" for part in (*attached, *inline)])[:_NAMES]
    return _plain(text[:TEXT]), len(attached), _plain(names)


def _plain(text: str) -> str:
    text = text.replace("\0", " ")  # where SQLite would end some of its work
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _delimiters(first: dict[str, str], beginning: bytes, rest: Iterable[bytes]) -> Iterator[int]:
    """The places in what follows where a part of the outermost multipart begins."""
    kind, found = _media_type(first)
    boundary = found.get("boundary", "")
    if kind != "multipart/mixed" or not boundary or not boundary.isascii():
        return
    mark = b"\r\n--" + boundary.encode("ascii")
    if mark + b"--" in beginning:
        return  # the last part ended there
    held, at = beginning[1 - len(mark) :], 0
    for block in rest:
        octets = held + block
        place = octets.find(mark)
        while 0 <= place <= len(octets) - len(mark) - 2:
            behind = place + len(mark)
            if octets.startswith(b"--", behind):
                return
            yield at + place
            place = octets.find(mark, behind)
        # A mark may be half there, or be there without the two octets that say whether it is the last.
        held = octets[place if place >= 0 else 1 - len(mark) :]
        at += len(octets) - len(held)
