"""Encoded words: text outside ASCII in a header (RFC 2047)."""

from __future__ import annotations

from binascii import b2a_base64

WORD_LIMIT = 75  # characters of one encoded word, RFC 2047 §2
LINE_LIMIT = 76  # characters of a line that holds one, RFC 2047 §2

_FRAME = len("=?utf-8?q??=")
_LEAST_ROOM = _FRAME + 12  # less would cut a text into crumbs: rather begin a new line

# RFC 2047 §5 (3) allows no more than these unencoded in a phrase; they are right everywhere else too.
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!*+-/")
_Q = tuple(chr(octet) if octet in _PLAIN else f"={octet:02X}" for octet in range(256))
_Q = (*_Q[:32], "_", *_Q[33:])


def encoded_words(text: str, room: int) -> list[str]:
    """`text` as encoded words in UTF-8, each of at most 75 characters and of whole characters.

    The first one keeps to `room` characters if that is room enough to begin.
    """
    room = min(room, WORD_LIMIT) if room >= _LEAST_ROOM else WORD_LIMIT
    data = text.encode()
    quoted = "".join([_Q[octet] for octet in data])
    if 2 * len(quoted) <= 5 * len(data):  # Latin letters among them: a person can still read it
        if len(quoted) <= room - _FRAME:
            return [f"=?utf-8?q?{quoted}?="]
        return _cut_quoted(text, room - _FRAME)
    return _cut_base64(data, room - _FRAME)


def _cut_quoted(text: str, room: int) -> list[str]:
    words: list[str] = []
    held: list[str] = []
    used = 0
    for character in text:
        quoted = "".join([_Q[octet] for octet in character.encode()])
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
