"""`server_for`: the server for an address, asked by blocking and by asynchronous code."""

from __future__ import annotations

from mailwright.providers.lookup import find
from mailwright.words.address import Address
from mailwright.words.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.providers.found import Found
    from mailwright.providers.lookup import Confirm
    from mailwright.providers.lookups import Lookups
    from mailwright.steps import Plan

SECONDS = 10.0  # for everything that has to be looked up


def server_for(
    address: str | Address,
    *,
    timeout: float = SECONDS,
    confirm: Confirm | None = None,
    lookups: Lookups | None = None,
) -> Found:
    """The server for sending from `address`, and how it is known; print it to read all of it.

    The domains of known providers need no network. For a domain of your own its DNS and its web server are asked, for
    `timeout` seconds in all (extra ``dns``). A host that is found in this way is given a credential only if it lies in
    that domain, or if the provider data knows it; about any other `confirm` is asked, a function that takes the `Found`
    and gives true if a person agrees. `lookups` answers instead of the system's name servers.

    Raises `AddressError`, `ConfigError` when nothing is found, `ConnectError` when nobody answers, `MissingExtra`.
    """
    from mailwright.drivers.sync import Link, run

    return run(_plan(address, timeout, confirm, lookups), Link())


async def server_for_async(
    address: str | Address,
    *,
    timeout: float = SECONDS,
    confirm: Confirm | None = None,
    lookups: Lookups | None = None,
) -> Found:
    """The same as `server_for`, for asyncio and Trio; what is asked side by side then runs side by side. `confirm` may
    be asynchronous.
    """
    from mailwright.mailer.loops import running

    loop = running()
    return await loop.run(_plan(address, timeout, confirm, lookups), loop.Link())


def _plan(address: str | Address, timeout: float, confirm: Confirm | None, lookups: Lookups | None) -> Plan[Found]:
    if not timeout > 0:
        raise ConfigError(f"timeout={timeout!r} is not a positive number of seconds.", "Give seconds, such as 10.")
    return find(Address.of(address), lambda: lookups or _system(), timeout, confirm)


def _system() -> Lookups:
    from mailwright.drivers.lookups import SystemLookups  # 40 ms; a known provider needs none of it

    return SystemLookups()
