"""Columns of values as PostgreSQL's binary arrays: what a statement takes apart again with ``unnest``.

psycopg writes arrays as text, value by value, which for 1,000 messages of 4 kB takes 2.4 seconds. Their binary form is
simple (PostgreSQL's ``array_recv``): dimensions, whether there are NULLs, the type, then each value behind its length,
-1 for NULL.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_HEAD = struct.Struct("!iiIii")
_LENGTH = struct.Struct("!i").pack
_NULL = _LENGTH(-1)


def octets_of(text: str) -> bytes:
    """A text for PostgreSQL. What it can't keep, half a surrogate pair and U+0000, becomes a question mark: a text from
    outside must not keep others from being written.
    """
    return text.encode("utf-8", "replace").replace(b"\0", b"?")


class Array:
    """A column in its binary form. `element` and `kind` are the numbers by which PostgreSQL knows the types."""

    __slots__ = ("packed",)
    element = 0
    kind = 0

    def __init__(self, packed: bytes) -> None:
        self.packed = packed

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {len(self.packed)} octets>"

    @classmethod
    def _head(cls, count: int, nulls: bool) -> bytes:
        return _HEAD.pack(1, nulls, cls.element, count, 1) if count else _HEAD.pack(0, 0, cls.element, 0, 1)[:12]


class Octets(Array):
    """A column of bytea."""

    __slots__ = ()
    element, kind = 17, 1001

    @classmethod
    def of(cls, values: Sequence[bytes | None]) -> Octets:
        """From values of any length."""
        parts = [cls._head(len(values), None in values)]
        for value in values:
            if value is None:
                parts.append(_NULL)
            else:
                parts += _LENGTH(len(value)), value
        return cls(b"".join(parts))

    @classmethod
    def alike(cls, values: Sequence[bytes]) -> Octets:
        """From values of one length, such as ids."""
        return cls(
            _LENGTH(len(values[0])).join([cls._head(len(values), False), *values]) if values else cls._head(0, False)
        )


class Texts(Array):
    """A column of text."""

    __slots__ = ()
    element, kind = 25, 1009

    @classmethod
    def of(cls, values: Sequence[str | None]) -> Texts:
        """From texts, see `octets_of`."""
        parts = [cls._head(len(values), None in values)]
        for value in values:
            if value is None:
                parts.append(_NULL)
            else:
                octets = octets_of(value)
                parts += _LENGTH(len(octets)), octets
        return cls(b"".join(parts))


class Integers(Array):
    """A column of int."""

    __slots__ = ()
    element, kind = 23, 1007

    @classmethod
    def of(cls, values: Sequence[int]) -> Integers:
        """From integers of 32 bits."""
        given = [4] * (2 * len(values))
        given[1::2] = values
        return cls(cls._head(len(values), False) + struct.pack(f"!{len(given)}i", *given))


class Bigints(Array):
    """A column of bigint."""

    __slots__ = ()
    element, kind = 20, 1016

    @classmethod
    def of(cls, values: Sequence[int | None]) -> Bigints:
        """From integers of 64 bits."""
        if None in values:
            parts = [_NULL if value is None else struct.pack("!iq", 8, value) for value in values]
            return cls(cls._head(len(values), True) + b"".join(parts))
        given: list[int] = [8] * (2 * len(values))
        given[1::2] = values  # type: ignore[assignment]
        return cls(cls._head(len(values), False) + struct.pack("!" + "iq" * len(values), *given))


ARRAYS = (Octets, Texts, Integers, Bigints)
