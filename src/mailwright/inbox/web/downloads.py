"""Octets of a message as an answer: always a download of a type that nothing opens, under a name that can't harm.

A picture may be shown instead, if its own octets say that it is one (`mailwright.inbox.reading.pictures`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from mailwright.inbox.web.security import OCTETS_POLICY

if TYPE_CHECKING:
    from collections.abc import Iterator

NEUTRAL = "application/octet-stream"
NAME_LIMIT = 150  # characters; file systems allow 255 octets
#: Names that mean a device to Windows, with any ending.
_DEVICES = frozenset(("con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))))
_TOKEN = "!#$&+-.^_`|~"  # RFC 8187 §3.2.1 attr-char, beside letters and digits


def safe_name(given: str, instead: str) -> str:
    """A file name without a folder, control characters, or anything else that a file system takes amiss; `instead`
    where nothing is left of it.
    """
    name = given.replace("\\", "/").rpartition("/")[2]
    name = "".join(c if c.isprintable() and c not in '<>:"|?*' else "_" for c in name).strip(" .")
    if len(name) > NAME_LIMIT:
        stem, dot, ending = name.rpartition(".")
        ending = dot + ending if stem and len(ending) <= 10 else ""
        name = name[: NAME_LIMIT - len(ending)] + ending
    if name.partition(".")[0].strip().lower() in _DEVICES:
        name = f"_{name}"
    return name or instead


def disposition(kind: str, name: str) -> str:
    """The Content-Disposition for a `safe_name` (RFC 6266, RFC 8187): plain ASCII, and the exact name beside it."""
    ascii_name = "".join(c if c.isascii() and c not in "\\%" else "_" for c in name)
    exact = quote(name.encode("utf-8", "replace"), safe=_TOKEN)
    return f"{kind}; filename=\"{ascii_name}\"; filename*=UTF-8''{exact}"


def streamed(chunks: Iterator[bytes], name: str, size: int | None = None) -> Response:
    """Octets as a download that is never whole in memory; `size`, if it is known."""
    fields = _fields("attachment", name)
    if size is not None:
        fields["content-length"] = str(size)
    return StreamingResponse(chunks, headers=fields, media_type=NEUTRAL)


def shown(octets: bytes, kind: str, name: str) -> Response:
    """A picture of a type that was found in its own octets."""
    return Response(octets, headers=_fields("inline", name), media_type=kind)


def _fields(kind: str, name: str) -> dict[str, str]:
    return {"content-disposition": disposition(kind, name), "content-security-policy": OCTETS_POLICY}
