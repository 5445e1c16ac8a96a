"""The bodies of finished octets, looked at by leaps and left where they are: sound lines, frames of multiparts."""

from __future__ import annotations

from mailwright.message.transfer import lines_fit
from mailwright.words.value import value

NESTING_LIMIT = 50  # levels; real mail has less than ten, and each level means another walk over the octets


def is_sound(body: bytes) -> bool:
    """True when no line is over 998 octets and there is no NUL: what even an 8-bit body must be (RFC 2045 §2.8)."""
    return b"\x00" not in body and lines_fit(body)


@value
class Frame:
    """Where the parts of a multipart body stand, as pairs ``(start, end)``.

    The preamble ends at `preamble_end`, where the first delimiter begins. The epilogue starts at
    `epilogue_start`, with the line end of the closing delimiter; that is the end of the body when there is
    no closing delimiter.
    """

    parts: tuple[tuple[int, int], ...]
    preamble_end: int
    epilogue_start: int


def frame(data: bytes, start: int, end: int, boundary: str) -> Frame | None:
    """The frame of the multipart body ``data[start:end]`` (RFC 2046 §5.1.1); `None` if its boundary does not occur."""
    if not boundary or not boundary.isascii():
        return None
    mark = b"\r\n--" + boundary.encode("ascii")
    at = start - 2 if data.startswith(mark[2:], start, end) else data.find(mark, start, end)
    parts: list[tuple[int, int]] = []
    preamble_end, opened = end, -1
    while at >= 0:
        behind = at + len(mark)
        closing = data.startswith(b"--", behind, end)
        line_end = data.find(b"\r\n", behind, end)
        line_end = end if line_end < 0 else line_end
        # A longer boundary of another level may begin with this one: then something follows it in the line.
        if not data[behind + 2 * closing : line_end].strip(b" \t"):
            if opened >= 0:
                parts.append((opened, max(opened, at)))
            else:
                preamble_end = at + 2
            if closing:
                return Frame(tuple(parts), preamble_end, line_end)
            opened = min(line_end + 2, end)
        at = data.find(mark, line_end, end)
    return None if opened < 0 else Frame((*parts, (opened, end)), preamble_end, end)
