"""What many messages share is made once: the encoded form of a file that goes to a thousand people, or of a newsletter.

It is found again by the identity of what it was made from, so that looking for it costs nothing, and only octets and
text are taken, which never change. It is kept from the second message on: what only one message has is not held in
memory any longer than that message.
"""

from __future__ import annotations

from mailwright.words.remember import remember

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import TypeVar

    T = TypeVar("T")
    Key = tuple[int, tuple[Hashable, ...]]

LARGEST = 1 << 18  # octets or characters of something from which a form is kept
LIMIT = 1 << 22  # octets of everything kept, and of what it was made from
MOST = 256  # things kept

_held: dict[Key, tuple[bytes | str, object]] = {}
_octets = 0
_seen: dict[Key, tuple[int, bytes | str]] = {}  # the length and the end of what was seen once


def kept(origin: bytes | str, form: tuple[Hashable, ...], kind: type[T]) -> T | None:
    """The `form` of `origin` that was kept, or `None`; it is of the `kind` that was kept under that form."""
    found = _held.get((id(origin), form))
    if found is None or found[0] is not origin:
        return None
    made: T = found[1]  # type: ignore[assignment]
    return made


def keep(origin: bytes | str, form: tuple[Hashable, ...], made: T, octets: int) -> T:
    """`made` itself, the `form` of `origin`, which has `octets`; kept at the second time, within the limits above."""
    global _octets
    key, look = (id(origin), form), (len(origin), origin[-32:])
    if len(origin) > LARGEST:
        return made
    if _seen.get(key) != look:  # the number of an object comes again when the object is gone
        remember(_seen, MOST, key, look)
        return made
    octets += len(origin)
    if _octets + octets > LIMIT or len(_held) >= MOST:
        # To begin anew costs each shared thing one more encoding, and needs neither a lock nor an order of age.
        _held.clear()
        _octets = 0
    _octets += octets
    _held[key] = (origin, made)
    return made
