"""The id of a message: a UUID of version 7 (RFC 9562 §5.7), made here and not by the database, so that a put needs no
answer to know it, and a put whose answer was lost can be looked up.
"""

from __future__ import annotations

import os
from time import time, time_ns

from mailwright.words.errors import OutboxError

_VERSION, _VARIANT = 7 << 76, 2 << 62
_LOT = 512  # ids whose random octets are asked for at once: the system takes longer for a question than for its answer

_random: list[bytes] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.clear)  # or a parent and its child would give the same ids


def new_id() -> bytes:
    """16 octets: the milliseconds since 1970, what is left of the time as far as 12 bits hold it (§6.2, method 3), so
    that the ids of one process follow each other in the store's trees, and 62 random bits.
    """
    milliseconds, rest = divmod(time_ns(), 1_000_000)
    random = int.from_bytes(_octets(), "big") >> 2
    return (milliseconds << 80 | _VERSION | (rest << 12) // 1_000_000 << 64 | _VARIANT | random).to_bytes(16, "big")


def _octets() -> bytes:
    """8 random ones that nobody else gets."""
    try:
        return _random.pop()  # in one step, for any number of threads
    except IndexError:
        lot = os.urandom(8 * _LOT)
        _random.extend([lot[at : at + 8] for at in range(8, len(lot), 8)])
        return lot[:8]


def text_of(id: bytes) -> str:
    """The id as people see it: ``01939a7e-….``."""
    digits = id.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def id_of(text: str) -> bytes:
    """The octets of an id in the form of `text_of`, or in hexadecimal digits alone. Raises `OutboxError`."""
    try:
        octets = bytes.fromhex(text.strip().replace("-", ""))
    except (AttributeError, ValueError):
        octets = b""
    if len(octets) != 16:
        raise OutboxError(f"{text!r:.80} is no id of a message.", "Give what put() gave.")
    return octets


def moment() -> float:
    """Seconds since 1970 by this machine's clock, for spans that somebody gives from now on."""
    return time()
