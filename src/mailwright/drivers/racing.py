"""Which address to try when (RFC 8305), and what to say when none answers: pure decisions, the same for all
drivers.
"""

from __future__ import annotations

from mailwright.drivers.sockets import socket
from mailwright.words.errors import ConnectError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from mailwright.steps import Connect

DELAY = 0.25  # seconds before the next address is tried beside the first, RFC 8305 §8
ADDRESSES_LIMIT = 20  # a name with more addresses than that is not a mail server
#: What a resolver says of a name that is none, or has no address. Their numbers differ between systems.
NO_SUCH_NAME = {getattr(socket, name, socket.EAI_NONAME) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")}


def in_turn(found: list[Any]) -> list[Any]:
    """Addresses of the two families in turn, the resolver's favourite first (RFC 8305 §4)."""
    first = [a for a in found if a[0] == found[0][0]]
    other = [a for a in found if a[0] != found[0][0]]
    mixed: list[Any] = []
    for number in range(max(len(first), len(other))):
        mixed += first[number : number + 1] + other[number : number + 1]
    return mixed[:ADDRESSES_LIMIT]


class Attempts:
    """The race: which address is next and when, and how the others failed."""

    __slots__ = ("_left", "failures", "next_due")

    def __init__(self, addresses: list[Any]) -> None:
        self._left = addresses
        self.next_due = 0.0
        self.failures: list[tuple[str, BaseException]] = []

    def due(self, now: float, waiting: bool) -> bool:
        """True when another address should be tried now; `waiting`: whether one is being tried."""
        return bool(self._left) and (not waiting or now >= self.next_due)

    def next(self, now: float) -> Any | None:
        """The next address; the one behind it gets its turn after the delay."""
        address = self._left.pop(0) if self._left else None
        self.next_due = now + DELAY if self._left else float("inf")
        return address

    def failed(self, address: Any, problem: BaseException) -> None:
        """Note a failure; the next address need not wait any longer."""
        self.failures.append((_place(address), problem))
        if self._left:
            self.next_due = 0.0

    def failed_with(self, problem: BaseException, addresses: Iterable[Any]) -> list[tuple[str, BaseException]]:
        """All failures, these addresses' among them."""
        return [*self.failures, *((_place(address), problem) for address in addresses)]


def _place(address: Any) -> str:
    return str(address[4][0])


def unreachable(step: Connect, failures: list[tuple[str, BaseException]]) -> ConnectError:
    """The error for a connection that was not made, with the reason for each address."""
    where = step.path or f"{step.host}:{step.port}"
    reasons = list(
        dict.fromkeys(
            f"{_reason(problem)} ({place})" if place != step.host else _reason(problem) for place, problem in failures
        )
    )
    kinds = {_kind(problem) for _, problem in failures}
    what = f"No connection to {where}: {'; '.join(reasons[:4]) or 'no address'}."
    # A name that does not exist will not exist the next time either; a resolver that is away may be back.
    wrong = bool(failures) and all(_is_wrong_name(problem) for _, problem in failures)
    return ConnectError(what, _advice(step, kinds), temporary=False if wrong else None)


def _is_wrong_name(problem: BaseException) -> bool:
    """Whether the name is at fault, and not the resolver."""
    return isinstance(problem, UnicodeError) or (isinstance(problem, socket.gaierror) and problem.errno in NO_SUCH_NAME)


def _kind(problem: BaseException) -> str:
    if isinstance(problem, TimeoutError):
        return "timeout"
    if isinstance(problem, ConnectionRefusedError):
        return "refused"
    if isinstance(problem, (UnicodeError, socket.gaierror)):
        return "name"
    return "other"


def _reason(problem: BaseException) -> str:
    kind = _kind(problem)
    if kind == "timeout":
        return "no answer in time"
    if kind == "refused":
        return "connection refused"
    if kind == "name":
        return "there is no such host name" if _is_wrong_name(problem) else "the name can't be looked up at the moment"
    return str(getattr(problem, "strerror", None) or problem).lower()


def _advice(step: Connect, kinds: set[str]) -> str:
    if step.path is not None:
        return "Check the path of the socket and whether the server runs."
    if kinds == {"name"}:
        return "Check the spelling of the host name, and this machine's network."
    if step.port == 25 and not step.host.startswith(("127.", "localhost", "::1")):
        return "Port 25 is blocked on most networks: use 465 with security 'tls' or 587 with 'starttls'."
    if "refused" in kinds:
        return "Nothing listens on that port: check it (465 for 'tls', 587 for 'starttls') and whether the server runs."
    if "timeout" in kinds:
        return (
            "A firewall may drop the port, or the server is down: check the network, or try the other port (465 "
            "or 587)."
        )
    return "Check this machine's network, then try again."
