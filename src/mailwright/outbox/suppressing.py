"""The suppression list: to whom nothing is sent, and until when.

An entry is an address, or a domain with a leading ``@`` (that domain alone, not those below it). It is looked at when a
message is put and again before it is sent. Entries are kept in lower case.
"""

from __future__ import annotations

from mailwright.outbox.asking import Each, Query
from mailwright.outbox.status import moment_of
from mailwright.words.address import Address
from mailwright.words.errors import AddressError
from mailwright.words.reply import visible
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mailwright.outbox.store import Store

REASON_LIMIT = 300  # characters
PAGE = 1000  # entries of one question


@value
class Suppression:
    """One entry of the list: an `address` or ``@domain``, the `reason`, since when (`created`) and `until` when; `None`
    for ever.
    """

    address: str
    reason: str
    created: datetime | None
    until: datetime | None = None


def name_on_list(text: str) -> str:
    """An address or ``@domain`` as the list keeps it. Raises `AddressError`."""
    text = text.strip()
    if text.startswith("@"):
        return "@" + Address(f"postmaster{text}").domain.lower()
    if "@" not in text:
        raise AddressError(
            f"“{visible(text, 80)}” is neither an address nor a domain.",
            "Write ada@example.org, or @example.org for the whole domain.",
            text=text,
        )
    return Address.parse(text).spec.lower()


def names_on_list(names: Iterable[str] | str) -> list[str]:
    """One or many of them, each once. Raises `AddressError`."""
    return list(dict.fromkeys(map(name_on_list, [names] if isinstance(names, str) else names)))


async def suppress(store: Store, names: Iterable[str], reason: str, until: int | None = None) -> int:
    """Put `names` (see `names_on_list`) on the list; what was there is replaced. Gives how many they are."""
    given = [{"address": name, "reason": visible(reason, REASON_LIMIT), "until": until} for name in names]
    if given:
        await Each(store.sql["suppress"], given)
    return len(given)


async def suppress_longer(store: Store, address: str, reason: str, seconds: float | None) -> None:
    """What a report does: put an address on the list for so long, `None` for ever; an entry that lasts longer stays."""
    span = None if seconds is None else int(seconds * 1000)
    given = {"address": name_on_list(address), "reason": visible(reason, REASON_LIMIT), "span": span}
    await Each(store.sql["suppress_longer"], [given])


async def unsuppress(store: Store, names: Iterable[str]) -> list[str]:
    """Take `names` off the list. Gives those that were on it."""
    gone: list[str] = []
    for name in names:
        gone += [row[0] for row in await Query(store.sql["unsuppress"], {"address": name})]
    return gone


async def suppressions(store: Store, after: str = "", most: int = PAGE) -> list[Suppression]:
    """Up to `most` entries that still hold, in the order of their addresses, from the one behind `after` on."""
    rows = await Query(store.sql["suppressions"], {"after": after, "most": most})
    return [
        Suppression(address, reason, moment_of(created), moment_of(until)) for address, reason, created, until in rows
    ]
