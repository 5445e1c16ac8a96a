"""One SMTP reply (RFC 5321 §4.2) with its enhanced status code (RFC 3463), as a value."""

from __future__ import annotations

from mailwright.words.value import value


@value
class Reply:
    """What the server answered: `code`, and its `lines` without code and line ends.

    The lines were decoded as UTF-8, undecodable bytes kept as backslash escapes; control characters are still
    in them. Use `text` for showing: it is one bounded line with control characters made visible.
    """

    code: int
    lines: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """2yz: done (RFC 5321 §4.2.1)."""
        return 200 <= self.code < 300

    @property
    def intermediate(self) -> bool:
        """3yz: go on and send the rest."""
        return 300 <= self.code < 400

    @property
    def temporary(self) -> bool:
        """4yz: not now; the same again later may work."""
        return 400 <= self.code < 500

    @property
    def permanent(self) -> bool:
        """5yz: no; the same again will be refused again."""
        return self.code >= 500

    @property
    def said(self) -> list[str]:
        """The lines with their codes, as the server said them."""
        last = len(self.lines) - 1
        return [f"{self.code}{'-' if at < last else ' '}{line}".rstrip() for at, line in enumerate(self.lines)]

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code such as ``"5.7.8"``, or `None`.

        One whose class does not agree with the first digit of the reply is ignored (RFC 2034 §4, and
        what Postfix does).
        """
        if not self.lines:
            return None
        code = self.lines[0].split(" ", 1)[0]
        parts = code.split(".")
        if len(parts) != 3 or not all(p.isascii() and p.isdigit() and 1 <= len(p) <= 3 for p in parts):
            return None
        return code if parts[0] == str(self.code)[0] and parts[0] in "245" else None

    @property
    def text(self) -> str:
        """The reply as one line that is safe to print, at most 300 characters: ``"535 5.7.8 Bad
        credentials"``.

        An enhanced code that every line repeats is shown once.
        """
        code = self.enhanced
        lines = list(self.lines)
        if code:
            lines = [line.removeprefix(code) if f"{line} ".startswith(f"{code} ") else line for line in lines]
            lines[0] = self.lines[0]
        return visible(" ".join([str(self.code), *(line.strip() for line in lines if line.strip())]), 300)

    def __str__(self) -> str:
        return self.text


def visible(text: str, limit: int) -> str:
    """`text` with everything that could steer a terminal or a reader's eye made visible, at most `limit`
    characters.

    Escapes C0, C1, DEL, and the bidirectional and zero-width controls: server text is hostile input.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    pieces = [c if c.isprintable() and c not in _MISLEADING else _escaped(c) for c in text[: limit + 1]]
    if sum(map(len, pieces)) <= limit:
        return "".join(pieces)
    length, kept = 0, 0
    while (length := length + len(pieces[kept])) < limit:
        kept += 1
    return "".join(pieces[:kept]) + "…"


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"


_MISLEADING = frozenset("\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
