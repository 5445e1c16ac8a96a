"""Joining reports to the messages they are about, and what follows: events, and entries of the suppression list.

A report is mail that anybody may have written. It counts only when it names a message that was sent, by its mark, its
ENVID or its Message-ID, and a recipient of that message; nothing it says is taken for a proof of who says it. Who got
the message knows as much, so a report about a message with several recipients is recorded, but puts nobody on the
suppression list: one of them could silence another. A name that the message's author chose, such as ``order-43``, may
be that of several messages, and a stranger may guess it: what is joined by that alone is recorded, and nothing follows.
Only the outbox's own id has 62 random bits, which nobody knows but who got the message. Nothing rewrites the outcome of
a delivery.
"""

from __future__ import annotations

from hashlib import sha256

from mailwright.outbox.asking import Query
from mailwright.outbox.bounces.marks import id_of_mark, id_of_words
from mailwright.outbox.suppressing import suppress_longer
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from mailwright.outbox.bounces.report import Report
    from mailwright.outbox.store import Store

    Candidate = tuple[str, bytes, bool]  # joined by what, the message's id, and whether that is sure

DAY = 86400.0  # seconds
EVENTS_LIMIT = 500  # of one message: who got it could write reports without end
NAMED = "named "  # begins the source of an event that was joined by nothing but a name that somebody may guess


@value
class Rules:
    """What puts an address on the suppression list: a hard bounce and a complaint at once, for ever; `soft` bounces
    of it within `days` for `pause` days. `None` in place of a number: never.
    """

    soft: int | None = 3
    days: float = 14.0
    pause: float = 30.0


@value
class Heard:
    """What became of a report. `id` and `n` are the message (16 octets) and the recipient that it was joined to, `by`
    ``verp``, ``envid`` or ``message-id``; `id` is `None` when it belongs to nothing that was sent from here. `sure`:
    joined by the outbox's own id, which nobody can guess, and not by an ENVID or Message-ID that the author gave; only
    then anything follows from it. `new`: it was not recorded before. `suppressed`: it put `address` on the suppression
    list.
    """

    report: Report
    id: bytes | None = None
    n: int = 0
    address: str = ""
    by: str = ""
    new: bool = False
    suppressed: bool = False
    sure: bool = False


def name_of(octets: bytes) -> str:
    """What tells one report from all others, however often it is read: a digest of it without what its way added."""
    head, blank, body = octets[: 4 << 20].replace(b"\r\n", b"\n").partition(b"\n\n")
    for line in head.split(b"\n"):
        if line[:11].lower() == b"message-id:":
            return sha256(line[11:].strip()).hexdigest()
    return sha256(body if blank else head).hexdigest()


async def record(store: Store, name: str, reports: Iterable[Report], rules: Rules) -> list[Heard]:
    """Join the reports of one message (`name`: see `name_of`), record what they say, and feed the suppression list."""
    lookups = _Lookups(store)
    return [await _record(lookups, name, report, rules) for report in reports]


class _Lookups:
    """What was looked up for the reports of one message: there may be hundreds about the same one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._candidates: dict[tuple[str, str, str], list[Candidate]] = {}
        self._rows: dict[bytes, list[tuple[Any, ...]]] = {}
        self._heard: dict[tuple[bytes, bool], int] = {}

    async def candidates(self, report: Report) -> list[Candidate]:
        """The messages that a report may be about, the surest first."""
        key = (report.verp, report.envelope_id, report.message_id)
        if key not in self._candidates:
            self._candidates[key] = await _candidates(self.store, report)
        return self._candidates[key]

    async def heard_of(self, id: bytes, sure: bool) -> int:
        """How many reports there are about a message. Guesses do not count against those that are sure."""
        if (id, sure) not in self._heard:
            ((every, named),) = await Query(self.store.sql["heard_of"], {"id": id})
            self._heard[id, sure] = every - named if sure else every
        self._heard[id, sure] += 1
        return self._heard[id, sure] - 1

    async def rows(self, id: bytes) -> list[tuple[Any, ...]]:
        """The recipients of a message."""
        if id not in self._rows:
            self._rows[id] = await Query(self.store.sql["consigned"], {"id": id})
        return self._rows[id]


async def _record(lookups: _Lookups, name: str, report: Report, rules: Rules) -> Heard:
    for candidate in await lookups.candidates(report):
        by, id, sure = candidate
        rows = await lookups.rows(id)
        found = _recipient(rows, report, by)
        if found is not None:
            n, address, exact = found
            break
    else:
        return Heard(report)
    if await lookups.heard_of(id, sure) >= EVENTS_LIMIT:
        return Heard(report, id, n, address, by, sure=sure)
    # With the recipient in it, so that a report that bears another's Message-ID can't keep that from being read.
    source = sha256(b"\0".join([name.encode(), id, str(n).encode(), report.kind.encode()])).hexdigest()
    source = source if sure else NAMED + source
    event = {"source": source, "id": id, "n": n, "address": address, "kind": report.kind, "detail": _detail(report)}
    if not await Query(lookups.store.sql["hear"], event):
        return Heard(report, id, n, address, by, sure=sure)
    suppressed = sure and len(rows) == 1 and await _suppressed(lookups.store, report, address, exact, rules)
    return Heard(report, id, n, address, by, True, suppressed, sure)


async def _candidates(store: Store, report: Report) -> list[Candidate]:
    own = {
        "verp": id_of_mark(report.verp),
        "envid": id_of_words(report.envelope_id),
        "message-id": id_of_words(report.message_id),
    }
    found = [(by, id, True) for by, id in own.items() if id is not None]
    if report.envelope_id and own["envid"] is None:
        from json import dumps

        given = {"envid": f'"envid": {dumps(report.envelope_id)}'}
        found += [("envid", id, False) for id in _newest_first(await Query(store.sql["ids_of_envid"], given))]
    if report.message_id:
        given = {"message_id": report.message_id}
        found += [("message-id", id, False) for id in _newest_first(await Query(store.sql["ids_named"], given))]
    return found


def _newest_first(rows: list[tuple[Any, ...]]) -> list[bytes]:
    return sorted([bytes(row[0]) for row in rows], reverse=True)


def _recipient(rows: list[tuple[Any, ...]], report: Report, by: str) -> tuple[int, str, bool] | None:
    """The recipient that a report is about, and whether it names just that address. Only who was tried can be."""
    named = {report.recipient.lower(), report.original.lower()} - {""}
    for n, address, claims in rows:
        if claims and address.lower() in named:
            return n, address, True
    if len(rows) == 1 and rows[0][2] and (not named or by == "verp"):
        # It names nobody, or whom the recipient's mail is forwarded to; and it came back to this message's own path.
        return rows[0][0], rows[0][1], not named
    return None


async def _suppressed(store: Store, report: Report, address: str, exact: bool, rules: Rules) -> bool:
    if report.kind == "complained":
        await suppress_longer(store, address, _detail(report), None)
        return True
    if report.kind != "bounced":
        return False
    if exact and report.hard:
        await suppress_longer(store, address, f"bounced: {_detail(report)}", None)
        return True
    if rules.soft is None:
        return False
    span = int(rules.days * DAY * 1000)
    ((count,),) = await Query(store.sql["bounced_since"], {"address": address, "span": span})
    if count < rules.soft:
        return False
    reason = f"bounced {count} times within {rules.days:g} days: {_detail(report)}"
    await suppress_longer(store, address, reason, rules.pause * DAY)
    return True


def _detail(report: Report) -> str:
    """The report in one line."""
    words = report.diagnostic
    return words if not report.status or report.status in words else f"{report.status} {words}".rstrip()
