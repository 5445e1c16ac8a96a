"""Questions to the name system, each of which ends in time, and all of them together too."""

from __future__ import annotations

from mailwright.steps import Ask, Clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from mailwright.providers.lookups import Lookups

    T = TypeVar("T")

TIMEOUT = 5.0  # seconds for one question
TOGETHER = 25.0  # seconds for all: a name server that is slow each time must not hold a report up for minutes


class Questions:
    """What a plan may ask, until `until` (a time of the step `Clock`). Each raises `TimeoutError` when the time is up,
    and what `mailwright.providers.lookups` says.
    """

    __slots__ = ("_lookups", "_until")

    def __init__(self, lookups: Lookups, until: float) -> None:
        self._lookups, self._until = lookups, until

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        """Preference and host of each mail exchanger."""
        return await self._ask(lambda left: self._lookups.mx(domain, left))

    async def txt(self, name: str) -> list[str]:
        """The text records."""
        return await self._ask(lambda left: self._lookups.txt(name, left))

    async def addresses(self, host: str) -> list[str]:
        """IPv6 and IPv4 addresses of a host."""
        return await self._ask(lambda left: self._lookups.addresses(host, left))

    async def pointer(self, address: str) -> list[str]:
        """The names of an address."""
        return await self._ask(lambda left: self._lookups.pointer(address, left))

    async def _ask(self, question: Callable[[float], T]) -> T:
        left = min(TIMEOUT, self._until - await Clock())
        if left <= 0:
            raise TimeoutError
        answer: T = await Ask(lambda: question(left), blocking=True)
        return answer


async def questions(lookups: Lookups) -> Questions:
    """Questions from now on."""
    return Questions(lookups, await Clock() + TOGETHER)
