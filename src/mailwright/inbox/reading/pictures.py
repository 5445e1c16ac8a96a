"""Pictures that may be shown: raster formats that every browser draws and that can't hold a script.

What a picture is, its first octets say, not the message. SVG is a document, with scripts and links, and is never
shown. A small file may unfold to gigabytes of points, so that the size is read before a browser is asked to.
"""

from __future__ import annotations

from mailwright.message.media_types import type_of_octets
from mailwright.words.value import value

#: Points of a picture that is shown, 40 million: 160 MB in the browser.
POINTS_LIMIT = 40_000_000
#: Octets of a picture that is shown.
OCTETS_LIMIT = 20_000_000
#: The formats that are shown.
RASTER = ("image/gif", "image/jpeg", "image/png", "image/webp")

_JPEG_SCAN_LIMIT = 2000  # segments of a JPEG that are passed over


@value
class Picture:
    """A raster picture: its media type as its octets tell, and its size in points."""

    kind: str
    width: int
    height: int


def picture(data: bytes) -> Picture | None:
    """The picture in these octets; `None` if it is none, is too large, or its size can't be told."""
    if len(data) > OCTETS_LIMIT:
        return None
    kind = type_of_octets(data[:16])
    if kind not in RASTER:
        return None
    width, height = _SIZES[kind](data)
    if width < 1 or height < 1 or width * height > POINTS_LIMIT:
        return None
    return Picture(kind, width, height)


def _png(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        return 0, 0
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _gif(data: bytes) -> tuple[int, int]:
    return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")


def _jpeg(data: bytes) -> tuple[int, int]:
    place = 2
    for _ in range(_JPEG_SCAN_LIMIT):
        if data[place : place + 1] != b"\xff" or place + 9 > len(data):
            break
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
        elif marker in (0x01, *range(0xD0, 0xD9)):
            place += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[place + 7 : place + 9], "big"), int.from_bytes(
                data[place + 5 : place + 7], "big"
            )
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return 0, 0


def _webp(data: bytes) -> tuple[int, int]:
    form = data[12:16]
    if form == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if form == b"VP8L" and data[20:21] == b"\x2f":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if form == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = (int.from_bytes(data[place : place + 2], "little") & 0x3FFF for place in (26, 28))
        return width, height
    return 0, 0


_SIZES = {"image/gif": _gif, "image/jpeg": _jpeg, "image/png": _png, "image/webp": _webp}
