"""What a list and a search need to know of a message, read from its octets once, when it arrives.

Nothing here raises, however odd the mail. The work is bounded: of a large message the beginning is read, and of the
rest only where its parts begin.
"""

from __future__ import annotations

from mailwright.inbox.kept import PREVIEW
from mailwright.message.bodies import Bodies
from mailwright.message.decode import body_octets, decoded_words, one_line, text_of
from mailwright.message.fields import Field, body_start, media_type, read_fields
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
    fields = read_fields(octets[: min(body, HEAD)], lenient=True)
    first: dict[str, Field] = {}
    to: list[str] = []
    cc: list[str] = []
    for field in fields:
        key = field.key
        first.setdefault(key, field)
        if key == "to" and len(to) < 10:
            to.append(_line(field))
        elif key == "cc" and len(cc) < 10:
            cc.append(_line(field))
    text, attachments, names = _plain_text(first, octets, body) or _bodies(octets)
    if rest:
        attachments += sum(1 for _ in _delimiters(fields, octets, rest))
    subject, author, date = [_line(first[key]) if key in first else "" for key in ("subject", "from", "date")]
    to_header = ", ".join(to)
    return Summary(
        subject, author, to_header[:LINE], ", ".join([to_header, *cc])[:TEXT], date, text, attachments, names
    )


def _with_crlf(octets: bytes) -> bytes:
    if octets.count(b"\r\n") == octets.count(b"\n") == octets.count(b"\r"):
        return octets
    return octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def _line(field: Field) -> str:
    text = one_line(decoded_words(field.text))[:LINE]
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _plain_text(first: dict[str, Field], octets: bytes, body: int) -> tuple[str, int, str] | None:
    """The text of a message that is nothing but a plain text, as most that programs send are; else `None`."""
    kind, found = media_type([first["content-type"]] if "content-type" in first else [], "text/plain")
    if kind != "text/plain" or "name" in found or "content-disposition" in first or len(octets) >= READ:
        return None
    encoding = first["content-transfer-encoding"].text.lower() if "content-transfer-encoding" in first else ""
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


def _delimiters(fields: list[Field], beginning: bytes, rest: Iterable[bytes]) -> Iterator[int]:
    """The places in what follows where a part of the outermost multipart begins."""
    kind, found = media_type(fields, "text/plain")
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
