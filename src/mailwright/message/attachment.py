"""`Attachment`: a file that goes along, or a picture that the HTML shows."""

from __future__ import annotations

import io
import os

from mailwright.message.headers import refuse_controls
from mailwright.message.media_types import ending_of_type, type_of_name, type_of_octets
from mailwright.message.parameters import file_name, parse_media_type
from mailwright.message.source import Octets, OpenFile, StoredFile, spooled
from mailwright.words.errors import HeaderError, MessageError
from mailwright.words.value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Protocol, TypeAlias

    from mailwright.message.source import Readable

    class Figure(Protocol):
        """A picture that can save itself, such as those of matplotlib."""

        def savefig(self, target: Any, /, *, format: str) -> object:
            """Write the picture into a file object."""
            ...

    Source: TypeAlias = Octets | StoredFile | OpenFile
    Raw: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable | io.StringIO | Figure
    Attachable: TypeAlias = "Raw | Source | Attachment"
    Attachables: TypeAlias = "Attachable | Iterable[Attachable] | Mapping[str, Attachable]"

_CID_LIMIT = 200  # characters
_SINGLE = (str, bytes, bytearray, memoryview)
_HOW = "Give a path, bytes, or a file object opened in binary mode."


@value
class Attachment:
    """A file that goes along, or a picture that the HTML shows.

    ``source``
        A path: streamed from the disk when the message is sent; if the file changed or vanished by then,
        nothing is sent. Bytes. A file object in binary mode: a seekable one is read when the message is
        sent, from where it stands now, so keep it open; any other is read once, now. A `StringIO`, taken as
        UTF-8. A figure with ``savefig``, taken as PNG.
    ``name``
        What the recipient sees; by default the name of the file. Of a path, only the last component.
    ``type``
        A media type such as ``"text/csv"`` or ``"text/csv; charset=utf-8"``; by default what the name's
        ending stands for.
    ``cid``
        For an inline part: the name by which the HTML shows it, ``<img src="cid:logo">`` (RFC 2392).
    ``binary``
        It may go as it is, a quarter shorter than in base64, where the server takes that (BINARYMIME, RFC 3030). Few
        do, and yours must encode it for the next that does not: for servers of your own.

    Raises `MessageError` when there is no such file or no name, `HeaderError` for a name, type or cid that
    can't stand in a header.
    """

    source: Raw | Source
    name: str | None = None
    type: str | None = None
    cid: str | None = None
    binary: bool = False

    def __post_init__(self) -> None:
        source, found_name, found_type = _opened(self.source)
        if self.cid is not None:
            _check_cid(self.cid)
        name = self.name if self.name is not None else found_name or _name_of_cid(self.cid)
        if name is None:
            raise MessageError(
                "An attachment from bytes or a stream needs a name.",
                'Write Attachment(data, "report.pdf") or attachments={"report.pdf": data}.',
            )
        name = file_name(name)
        if self.type is not None:
            found_type = _checked_type(self.type)
        elif not found_type:
            beginning = source.data[:16] if isinstance(source, Octets) else b""
            found_type = type_of_name(name) or type_of_octets(beginning)
        if "." not in name and self.cid is not None:
            name += ending_of_type(found_type)
        put = object.__setattr__
        put(self, "source", source)
        put(self, "name", name)
        put(self, "type", found_type)

    @classmethod
    def glob(cls, pattern: str) -> tuple[Attachment, ...]:
        """Every file that matches a pattern such as ``"reports/*.pdf"`` or ``"**/*.pdf"``, sorted by name.

        Raises `MessageError` when there is none: mail without its attachments is worse than no mail.
        """
        from glob import glob

        found = tuple(cls(path) for path in sorted(glob(pattern, recursive=True)) if not os.path.isdir(path))
        if not found:
            raise MessageError(f"No file matches {pattern!r}.", "Check the pattern and the working directory.")
        return found

    @property
    def size(self) -> int:
        """Number of octets, before they are encoded for the mail."""
        return self.opened.size

    @property
    def opened(self) -> Source:
        """Where the octets come from."""
        source: Any = self.source
        found: Source = source
        return found

    def read(self) -> bytes:
        """All octets. Raises `MessageError` if the file changed or vanished."""
        if isinstance(self.source, Octets):
            return self.source.data
        return b"".join(self.opened.blocks(1 << 16))

    def __repr__(self) -> str:
        shown = f", cid={self.cid!r}" if self.cid is not None else ""
        return f"<Attachment {self.name!r}, {self.type}, {self.size:,} octets{shown}>"


def attachments(given: Attachables | None) -> tuple[Attachment, ...]:
    """The attachments in whatever a caller gave: one, several, or a mapping of names."""
    if isinstance(given, Attachment):
        return (given,)
    return tuple(
        (replace(one, name=name) if name is not None else one) if isinstance(one, Attachment) else Attachment(one, name)
        for name, one in _listed(given)
    )


def inline_parts(given: Attachables | None) -> tuple[Attachment, ...]:
    """The inline parts in whatever a caller gave: a mapping of the names used in ``cid:name``, or parts.

    One that has no `cid` is shown by its file name: ``cid:logo.png``.
    """
    found: dict[str, Attachment] = {}
    for cid, one in _listed(given):
        part = one if isinstance(one, Attachment) else Attachment(one, cid=cid)
        if cid is None:
            cid = part.cid or part.name
        if part.cid != cid:
            part = replace(part, cid=cid)
        if cid in found:
            raise MessageError(f"Two inline parts are called {cid!r}.", "Give each a name of its own.")
        found[str(cid)] = part
    return tuple(found.values())


def _listed(given: Any) -> Iterable[tuple[str | None, Any]]:
    """Pairs of a name, if one was given, and the thing to attach."""
    if isinstance(given, Attachment):
        return ((None, given),)
    if given is None:
        return ()
    if isinstance(given, dict):
        return given.items()
    if (
        isinstance(given, _SINGLE)
        or isinstance(given, os.PathLike)
        or hasattr(given, "read")
        or hasattr(given, "savefig")
    ):
        return ((None, given),)  # one could loop over some of these, but nobody means that
    if hasattr(given, "items"):
        found: Iterable[tuple[str, Any]] = given.items()
        return found
    if hasattr(given, "__iter__"):
        return [(None, one) for one in given]
    raise MessageError(f"{type(given).__name__} can't be attached.", _HOW)


def _check_cid(cid: str) -> None:
    refuse_controls(cid, "cid")
    if not cid or len(cid) > _CID_LIMIT or not cid.isascii() or set(cid) & set(' "<>\\'):
        raise HeaderError(
            f"“{cid[:80]}” can't be the name of an inline part.",
            "Use letters, digits, dots and hyphens, as in cid:logo.",
            field="cid",
        )


def _name_of_cid(cid: str | None) -> str | None:
    """A file name for an inline part that has none: readers offer to save it under that."""
    return cid and (cid.partition("@")[0].rpartition("/")[2].strip(".") or "inline")


def _checked_type(given: str) -> str:
    main, _ = parse_media_type(given)
    if main.startswith("multipart/"):
        raise HeaderError(
            f"An attachment can't have the type {main}.",
            "Attach a whole message as message/rfc822.",
            field="type",
        )
    return given


def _opened(given: Any) -> tuple[Source, str, str]:
    """``(source, name, type)`` of anything that can be attached; name and type may be empty."""
    if isinstance(given, bytes):
        return Octets(bytes(given)), "", ""
    if isinstance(given, (str, os.PathLike)):
        path = os.fspath(given)
        if isinstance(path, str):
            if "://" in path[:12]:
                raise MessageError(f"{path!r} is a URL; nothing is fetched from the network.", _HOW)
            return StoredFile(path), os.path.basename(path), ""
    if isinstance(given, (bytes, bytearray, memoryview)):
        return Octets(bytes(given)), "", ""
    if isinstance(given, (Octets, StoredFile, OpenFile)):
        return given, os.path.basename(given.path) if isinstance(given, StoredFile) else "", ""
    if hasattr(given, "savefig"):
        target = io.BytesIO()
        given.savefig(target, format="png")
        return Octets(target.getvalue()), "", "image/png"
    if hasattr(given, "read"):
        return _opened_file(given)
    raise MessageError(f"{type(given).__name__} can't be attached.", _HOW)


def _opened_file(file: Any) -> tuple[Octets | OpenFile, str, str]:
    if isinstance(file, io.StringIO):
        return Octets(file.getvalue()[file.tell() :].encode()), "", ""
    if isinstance(file, io.TextIOBase):
        raise MessageError("A file opened in text mode can't be attached.", "Open it in binary mode ('rb').")
    name = getattr(file, "name", "")
    name = os.path.basename(name) if isinstance(name, str) else ""
    try:
        if isinstance(file, io.BytesIO):  # may be written to later, and is in memory anyway
            return Octets(bytes(file.getbuffer()[file.tell() :])), name, ""
        if hasattr(file, "seekable") and file.seekable():
            return OpenFile(file), name, ""
        return spooled(file), name, ""
    except (OSError, ValueError) as problem:
        if isinstance(problem, MessageError):
            raise
        raise MessageError(f"An attached file object can't be read: {problem}.", _HOW) from problem
