"""Encoded words: text outside ASCII in a header (RFC 2047)."""

from __future__ import annotations

from binascii import b2a_base64

from mailwright.words.remember import remember

WORD_LIMIT = 75  # characters of one encoded word, RFC 2047 §2
LINE_LIMIT = 76  # characters of a line that holds one, RFC 2047 §2

_FRAME = len("=?utf-8?q??=")
_LEAST_ROOM = _FRAME + 12  # less would cut a text into crumbs: rather begin a new line

# RFC 2047 §5 (3) allows no more than these unencoded in a phrase; they are right everywhere else too.
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!*+-/")
_Q = tuple(chr(octet) if octet in _PLAIN else f"={octet:02X}" for octet in range(256))
_Q = (*_Q[:32], "_", *_Q[33:])
_SHORT = bytes(_PLAIN) + b" "  # what is one character in this form; anything else is three


_KEPT = (
    500  # texts whose encoded words are remembered: names, and the words that the subjects of a batch have in common
)
_KEPT_LENGTH = 200  # characters of such a text

_known: dict[tuple[str, int], list[str]] = {}


def encoded_words(text: str, room: int) -> list[str]:
    """`text` as encoded words in UTF-8, each of at most 75 characters and of whole characters.

    The first one keeps to `room` characters if that is room enough to begin. The list is not to be changed.
    """
    words = _known.get((text, room))
    if words is None:
        words = _encoded_words(text, room)
        if len(text) <= _KEPT_LENGTH:
            remember(_known, _KEPT, (text, room), words)
    return words


def _encoded_words(text: str, room: int) -> list[str]:
    room = min(room, WORD_LIMIT) if room >= _LEAST_ROOM else WORD_LIMIT
    data = text.encode()
    length = len(data) + 2 * len(data.translate(None, _SHORT))
    if 2 * length <= 5 * len(data):  # Latin letters among them: a person can still read it
        if length <= room - _FRAME:
            return [f"=?utf-8?q?{_quoted(data)}?="]
        return _cut_quoted(text, room - _FRAME)
    return _cut_base64(data, room - _FRAME)


def _quoted(data: bytes) -> str:
    return "".join([_Q[octet] for octet in data])


def _cut_quoted(text: str, room: int) -> list[str]:
    words: list[str] = []
    held: list[str] = []
    used = 0
    for character in text:
        quoted = _Q[ord(character)] if character < "\x80" else _quoted(character.encode())
        if used + len(quoted) > room:
            words.append(f"=?utf-8?q?{''.join(held)}?=")
            held, used, room = [], 0, WORD_LIMIT - _FRAME
        held.append(quoted)
        used += len(quoted)
    words.append(f"=?utf-8?q?{''.join(held)}?=")
    return words


def _cut_base64(data: bytes, room: int) -> list[str]:
    words: list[str] = []
    start = 0
    while start < len(data):
        end = start + room // 4 * 3
        while end < len(data) and data[end] & 0xC0 == 0x80:  # inside a character
            end -= 1
        words.append(f"=?utf-8?b?{b2a_base64(data[start:end], newline=False).decode()}?=")
        start, room = end, WORD_LIMIT - _FRAME
    return words
