"""Finished messages that need nothing, told at a glance: most of what programs hand over is sound and complete.

Anything that is not, or only might not be, is left to the thorough look of `mailwright.message.foreign`, which comes to
the same result for those that are; it takes five times as long.
"""

from __future__ import annotations

from mailwright.message.fields import BLIND, NAME_OCTETS, ONCE, SIGNATURE_FIELDS, Field
from mailwright.message.transfer import ends_in_crlf, lines_fit
from mailwright.words.remember import remember

TYPE_CHECKING = False
if TYPE_CHECKING:
    Shape = tuple[int, int, int, tuple[int, ...]] | tuple[()]

_HEAD = bytes(range(32, 127)) + b"\t\r\n"
_PEOPLE = ("from:", "sender:", "to:", "cc:")
_SHAPES = 100  # sequences of field names that are remembered: one program writes few
_SHORT = 8000  # octets of the header fields of such a message

_shapes: dict[tuple[bytes, ...], Shape] = {}


class Sound:
    """A message that may be sent as it is, and its `message_id`."""

    __slots__ = ("_lines", "_people", "message_id")

    def __init__(self, message_id: str, lines: list[bytes], people: tuple[int, ...]) -> None:
        self.message_id = message_id
        self._lines = lines
        self._people = people

    @property
    def fields(self) -> list[Field]:
        """The fields that an envelope is read from, unfolded."""
        lines = [self._lines[index] for index in self._people]
        return [Field(line[: line.find(b":")].decode("ascii"), line + b"\r\n") for line in lines]


def glance(octets: bytes) -> Sound | None:
    """What is to be known of a message if nothing in it has to be changed, refused or kept as signed; else `None`."""
    if not octets.endswith(b"\r\n") or not ends_in_crlf(octets) or not lines_fit(octets) or b"\0" in octets:
        return None
    end = octets.find(b"\r\n\r\n")
    head = octets[: end + 2]
    if end < 0 or not head.isascii() or head.translate(None, _HEAD):
        return None
    low = head.lower()
    if b"signed" in low or b"encrypted" in low or b"pkcs7" in low:  # as the media types of what is signed or sealed
        return None
    lines = head[:end].split(b"\r\n")
    if b"\r\n " in head or b"\r\n\t" in head:
        if not all(map(bytes.strip, lines)):
            return None
        lines = head[:end].replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t").split(b"\r\n")
    keys = tuple([line[: line.find(b":") + 1].lower() for line in lines])
    shape = _shapes.get(keys)
    if shape is None:
        shape = _shape(keys)
        if end <= _SHORT:
            remember(_shapes, _SHAPES, keys, shape)
    if not shape:
        return None
    date, author, identifier, people = shape
    if not (lines[date][5:].strip() and lines[author][5:].strip() and lines[identifier][11:].strip()):
        return None
    return Sound(lines[identifier][11:].replace(b"\t", b" ").strip(b" ").decode("ascii"), lines, people)


def _shape(keys: tuple[bytes, ...]) -> Shape:
    """Where the fields stand that one has to look at, if these are the names of a whole message, with their colons."""
    names = [key.decode("ascii") for key in keys]
    if not all(len(key) > 1 and not key[:-1].translate(None, NAME_OCTETS) for key in keys):
        return ()
    bare = [name[:-1] for name in names]
    single = [name for name in bare if name in ONCE]
    if len(single) != len(set(single)) or BLIND & set(bare) or SIGNATURE_FIELDS & set(bare):
        return ()
    if not {"date", "from", "message-id"} <= set(bare):
        return ()
    people = [i for i, name in enumerate(names) if name in _PEOPLE or name.startswith("resent-")]
    return bare.index("date"), bare.index("from"), bare.index("message-id"), tuple(people)
