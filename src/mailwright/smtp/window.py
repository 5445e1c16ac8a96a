"""How much may be under way on one connection, and how that grows and shrinks with what the server answers."""

from __future__ import annotations


class Window:
    """How much may be under way: `size` messages, and `octets` of content unless one message alone has more.

    Begins with `first`, grows fourfold with each whole window answered without a temporary refusal up to `most`, and
    halves at each: a server that says 4yz has enough to do, and from then on it only doubles. It halves as well at the
    second message in a row that nobody was to get, and at each behind it: many servers count those and hang up after
    some ten (Postfix: 421 after 20 errors), and the fewer are in flight then, the fewer are in doubt.
    """

    __slots__ = ("_clean", "_growth", "_vain", "most", "octets", "settled", "size")

    def __init__(self, most: int = 64, first: int = 4, octets: int = 4 << 20) -> None:
        self.most, self.octets = most, octets
        self.size = min(first, most)
        self._clean = self._vain = 0
        self._growth = 4
        self.settled = False  # it is as large as it may be, and one more clean answer tells it nothing

    def answered(self, temporary: bool, vain: bool = False) -> None:
        """One message was answered; `vain`: nobody gets it."""
        self._vain = self._vain + 1 if vain else 0
        self.settled = self.size == self.most and not (vain or temporary)
        if temporary or self._vain > 1:
            self.size, self._clean, self._growth = max(1, self.size // 2), 0, 2
            return
        self._clean += 1
        if self._clean >= self.size < self.most:
            self.size, self._clean = min(self.most, self.size * self._growth), 0
