"""Columns of values as PostgreSQL's binary arrays: what a statement takes apart again with ``unnest``.

psycopg writes arrays as text, value by value, which for 1,000 messages of 4 kB takes 2.4 seconds. Their binary form is
simple (PostgreSQL's ``array_recv``): dimensions, whether there are NULLs, the type, then each value behind its length,
-1 for NULL.
"""

from __future__ import annotations

import struct
from typing import Generic, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

V = TypeVar("V")

_HEAD = struct.Struct("!iiIii")
_LENGTH = struct.Struct("!i").pack
_NULL = _LENGTH(-1)


def octets_of(text: str) -> bytes:
    """A text for PostgreSQL. What it can't keep, half a surrogate pair and U+0000, becomes a question mark: a text from
    outside must not keep others from being written.
    """
    return text.encode("utf-8", "replace").replace(b"\0", b"?")


class Array(Generic[V]):
    """A column in its binary form. `element` and `kind` are the numbers by which PostgreSQL knows the types."""

    __slots__ = ("packed",)
    element = 0
    kind = 0

    def __init__(self, packed: bytes) -> None:
        self.packed = packed

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {len(self.packed)} octets>"

    @classmethod
    def of(cls, values: Sequence[V]) -> Self:
        """From values. Of many columns all are the same one, which is packed once."""
        many = len(values)
        if many > 1 and values.count(values[0]) == many:
            return cls(cls._head(many, values[0] is None) + cls._elements(values[:1]) * many)
        return cls(cls._head(many, None in values) + cls._elements(values))

    @classmethod
    def _head(cls, count: int, nulls: bool) -> bytes:
        return _HEAD.pack(1, nulls, cls.element, count, 1) if count else _HEAD.pack(0, 0, cls.element, 0, 1)[:12]

    @classmethod
    def _elements(cls, values: Sequence[V]) -> bytes:
        raise NotImplementedError


class Octets(Array["bytes | None"]):
    """A column of bytea, of values of any length."""

    __slots__ = ()
    element, kind = 17, 1001

    @classmethod
    def _elements(cls, values: Sequence[bytes | None]) -> bytes:
        parts = []
        for value in values:
            if value is None:
                parts.append(_NULL)
            else:
                parts += _LENGTH(len(value)), value
        return b"".join(parts)

    @classmethod
    def alike(cls, values: Sequence[bytes]) -> Octets:
        """From values of one length, such as ids."""
        return cls(
            _LENGTH(len(values[0])).join([cls._head(len(values), False), *values]) if values else cls._head(0, False)
        )


class Texts(Array["str | None"]):
    """A column of text, see `octets_of`."""

    __slots__ = ()
    element, kind = 25, 1009

    @classmethod
    def _elements(cls, values: Sequence[str | None]) -> bytes:
        parts = []
        for value in values:
            if value is None:
                parts.append(_NULL)
            else:
                octets = octets_of(value)
                parts += _LENGTH(len(octets)), octets
        return b"".join(parts)


class Integers(Array[int]):
    """A column of int, of 32 bits."""

    __slots__ = ()
    element, kind = 23, 1007

    @classmethod
    def _elements(cls, values: Sequence[int]) -> bytes:
        given = [4] * (2 * len(values))
        given[1::2] = values
        return struct.pack(f"!{len(given)}i", *given)


class Bigints(Array["int | None"]):
    """A column of bigint, of 64 bits."""

    __slots__ = ()
    element, kind = 20, 1016

    @classmethod
    def _elements(cls, values: Sequence[int | None]) -> bytes:
        if None in values:
            return b"".join([_NULL if value is None else struct.pack("!iq", 8, value) for value in values])
        given: list[int] = [8] * (2 * len(values))
        given[1::2] = values  # type: ignore[assignment]
        return struct.pack("!" + "iq" * len(values), *given)


ARRAYS = (Octets, Texts, Integers, Bigints)
