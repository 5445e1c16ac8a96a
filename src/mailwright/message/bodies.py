"""What a reader sees in a MIME structure: text, HTML, pictures in it, attachments (RFC 2045, 2046, 2183)."""

from __future__ import annotations

from mailwright.message.attachment import Attachment
from mailwright.message.decode import body_octets, one_line, parameter, text_of
from mailwright.message.entities import NESTING_LIMIT, frame
from mailwright.message.fields import Field, body_start, first, media_type, parameters, read_fields
from mailwright.message.parameters import NAME_LIMIT, file_name
from mailwright.words.errors import HeaderError, MessageError

_ENDINGS = {
    "application/pdf": ".pdf",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "message/rfc822": ".eml",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/plain": ".txt",
}
_ENDS = dict.fromkeys(map(ord, "\"'<>)&;\t\n"), " ")  # what ends a URL in an attribute or a style


class Bodies:
    """Collects the leaves of one message. Every octet is looked at once for each level around it, at most 50.

    `texts`: the plain texts in their order. `html`: the first HTML.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.html: str | None = None
        self._parts: list[tuple[Attachment, str, bool]] = []  # with its Content-ID, and whether it is shown inline

    def read(
        self,
        data: bytes,
        start: int,
        end: int,
        default: str = "text/plain",
        depth: int = 0,
        related: bool = False,
    ) -> None:
        """Take in the entity ``data[start:end]``; `related` when it stands below a ``multipart/related``."""
        body = body_start(data, start, end)
        fields = read_fields(data[start:body], lenient=True)
        kind, found = media_type(fields, default)
        if kind.startswith("multipart/"):
            parts = frame(data, body, end, found.get("boundary", "")) if depth < NESTING_LIMIT else None
            if parts is not None:
                default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
                related = related or kind == "multipart/related"
                for part_start, part_end in parts.parts:
                    if part_start < part_end:
                        self.read(data, part_start, part_end, default, depth + 1, related)
                return
            kind = "text/plain" if depth < NESTING_LIMIT else "application/octet-stream"
        self._leaf(fields, kind, found, data[body:end], depth, related)

    def inline_and_attached(self) -> tuple[tuple[Attachment, ...], tuple[Attachment, ...]]:
        """The parts that the HTML shows, and the others."""
        shown = _references(self.html or "")
        inline: dict[str, Attachment] = {}
        attached: list[Attachment] = []
        for part, cid, meant_inline in self._parts:
            if cid and cid not in inline and self.html is not None and (meant_inline or cid in shown):
                try:
                    inline[cid] = Attachment(part.source, part.name, part.type, cid)
                    continue
                except MessageError:  # a Content-ID that ours can't be
                    pass
            attached.append(part)
        return tuple(inline.values()), tuple(attached)

    def _leaf(
        self, fields: list[Field], kind: str, found: dict[str, str], body: bytes, depth: int, related: bool
    ) -> None:
        encoding = parameters(_text(fields, "content-transfer-encoding"))[0]
        octets = body_octets(body, encoding)
        disposition, named = parameters(_text(fields, "content-disposition"))
        name = parameter(named, "filename") or parameter(found, "name")
        if kind in ("text/plain", "text/html") and disposition != "attachment" and not name:
            text = text_of(octets, found.get("charset", "")).replace("\r\n", "\n")
            if not depth and encoding != "base64":
                text = text.removesuffix("\n")  # the line end is the message's, not the text's
            if kind == "text/plain":
                self.texts.append(text)
                return
            if self.html is None:
                self.html = text
                return
        cid = one_line(_text(fields, "content-id")).strip(" <>")
        meant_inline = disposition == "inline" or (related and disposition != "attachment")
        self._parts.append((self._attachment(octets, name, kind, found), cid, meant_inline))

    def _attachment(self, octets: bytes, name: str, kind: str, found: dict[str, str]) -> Attachment:
        name = one_line(name).replace("\\", "/").rpartition("/")[2].strip()
        if len(name) > NAME_LIMIT:
            stem, dot, ending = name.rpartition(".")
            ending = dot + ending if stem and len(ending) <= 10 else ""
            name = name[: NAME_LIMIT - len(ending)] + ending
        try:
            name = file_name(name)
        except HeaderError:
            name = f"part-{len(self._parts) + 1}{_ENDINGS.get(kind, '.bin')}"
        charset = found.get("charset", "")
        kinds = [f"{kind}; charset={charset}"] if kind.startswith("text/") and charset else []
        for one in (*kinds, kind):
            try:
                return Attachment(octets, name, one)
            except MessageError:  # a type or charset outside the grammar
                continue
        return Attachment(octets, name, "application/octet-stream")


def _text(fields: list[Field], key: str) -> str:
    field = first(fields, key)
    return field.text if field is not None else ""


def _references(html: str) -> set[str]:
    """The names in ``cid:name`` (RFC 2392) wherever they stand in the HTML."""
    if "cid:" not in html:
        return set()
    from urllib.parse import unquote

    return {unquote(piece[:300].translate(_ENDS).partition(" ")[0]) for piece in html.split("cid:")[1:]}
