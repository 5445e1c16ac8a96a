"""From cells of the database to claimed rows. A file that was damaged, or written by somebody else, may hold
anything in any cell: a row that can't be read is set aside with its reason, so that it stops neither a worker nor the
other rows.
"""

from __future__ import annotations

from mailwright.outbox.rows import Claimed
from mailwright.outbox.states import HELD, state_of
from mailwright.words.reply import visible
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    Cells = tuple[Any, ...]

_INT, _TEXT, _OCTETS = frozenset({int}), frozenset({str}), frozenset({bytes})
_INT_OR_NONE = frozenset({int, type(None)})
_ANY: frozenset[type] = frozenset(
    {int, float, str, bytes, type(None)}
)  # what are no octets is found when the digest is looked at
#: What `claim` and `messages` give, and of which types each cell is.
_DELIVERY = (
    ("message_id", _OCTETS), ("n", _INT), ("rcpt", _TEXT), ("dest", _TEXT), ("lane", _INT), ("phase", _INT),
    ("claims", _INT), ("attempts", _INT), ("deaths", _INT), ("cancelled", _INT), ("hold", _INT),
    ("first_tried", _INT_OR_NONE),
)  # fmt: skip
_MESSAGE = (
    ("id", _OCTETS), ("sender", _TEXT), ("message_id", _TEXT), ("size", _INT), ("head", _ANY),
    ("digest", _ANY), ("needs", _INT), ("dsn", _TEXT | {type(None)}), ("created_at", _INT),
    ("expires_at", _INT_OR_NONE),
)  # fmt: skip
_DELIVERY_TYPES = tuple([types for _, types in _DELIVERY])
_MESSAGE_TYPES = tuple([types for _, types in _MESSAGE])
_ID = 16  # octets
_MOST_TRIES = 1 << 31  # more than any row can have had
#: In place of a message that is not there: with no octets and no digest of any it is one that nobody sends.
_MISSING = (b"", "", "", 0, b"", b"", 0, None, 0, None)


@value
class Strange:
    """A row that can't be read, by the cells of its key as they are, and why."""

    id: Any
    n: Any
    reason: str


def claimed_rows(rows: Sequence[Cells], messages: Mapping[Any, Cells]) -> tuple[list[Claimed], list[Strange]]:
    """The rows as values, and those of them to be set aside because they can't be read: these are HELD."""
    if _sound(rows, _DELIVERY_TYPES) and _sound(list(messages.values()), _MESSAGE_TYPES) and _likely(rows):
        return [_claimed(row, messages.get(row[0], _MISSING)) for row in rows], []
    found: list[Claimed] = []
    strange: list[Strange] = []
    for row in rows:
        message = messages.get(row[0], _MISSING)
        why = _trouble(row, message)
        if why:
            strange.append(Strange(row[0], row[1], why))
            found.append(_unreadable(row, why))
        else:
            found.append(_claimed(row, message))
    return found, strange


def _sound(rows: Sequence[Cells], types: Sequence[frozenset[Any]]) -> bool:
    """Whether all cells are of the types that they should be, column by column: some nanoseconds a cell."""
    columns = zip(*rows, strict=True)
    return all(allowed.issuperset(map(type, column)) for column, allowed in zip(columns, types, strict=False))


def _likely(rows: Sequence[Cells]) -> bool:
    return all(len(row[0]) == _ID and 0 <= row[7] < _MOST_TRIES and row[8] >= 0 for row in rows)


def _trouble(row: Cells, message: Cells) -> str:
    """Why a row can't be read; empty when it can."""
    for cells, columns in ((row, _DELIVERY), (message, _MESSAGE)):
        for cell, (name, types) in zip(cells, columns, strict=True):
            if type(cell) not in types:
                return f"Unreadable: {name} holds {visible(repr(cell)[:80], 80)}."
    if len(row[0]) != _ID:
        return "Unreadable: its message's id is none."
    return "" if _likely([row]) else "Unreadable: its number of tries can't be."


def _claimed(row: Cells, message: Cells) -> Claimed:
    id, n, address, domain, lane, phase, claims, attempts, deaths, cancelled, hold, first_tried = row
    _, sender, message_id, size, head, digest, needs, dsn, created, expires = message
    return Claimed(
        id, n, address, domain, lane, state_of(phase), claims, attempts, deaths, bool(cancelled), bool(hold),
        sender, message_id, size, _octets(head), _octets(digest), needs, dsn, created, expires, first_tried,
    )  # fmt: skip


def _octets(cell: object) -> bytes:
    return cell if isinstance(cell, bytes) else b""


def _unreadable(row: Cells, why: str) -> Claimed:
    """What can be told of it."""
    id, n, address, domain, lane = row[:5]
    return Claimed(
        id if isinstance(id, bytes) and len(id) == _ID else bytes(_ID), n if isinstance(n, int) else 0,
        address if isinstance(address, str) else visible(repr(address)[:80], 80),
        domain if isinstance(domain, str) else "", lane if isinstance(lane, int) else 0,
        HELD, 0, 0, 0, False, False, "", "", 0, b"", b"", 0, None, 0, None, None, why,
    )  # fmt: skip
