"""Remembering what was worked out before, within a bound."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    K = TypeVar("K")
    V = TypeVar("V")


def remember(known: dict[K, V], most: int, key: K, made: V) -> V:
    """Put `made` into `known` under `key`, and give it back.

    When there are `most` things in it, `known` begins anew: that costs each of them one more making, and needs neither
    a lock nor an order of age.
    """
    if len(known) >= most:
        known.clear()
    known[key] = made
    return made
