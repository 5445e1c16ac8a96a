"""What a plan may ask of the name system and of the web, as an interface; `mailwright.drivers.lookups` answers it.

Whoever plans with it never imports a resolver: tests answer from a table, and a program may bring its own.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Lookups(Protocol):
        """Questions that take time. Each method blocks for at most `timeout` seconds: a plan calls it by
        ``await Ask(lambda: lookups.mx(domain, 5.0), blocking=True)``.

        An empty list means that there is no such record or name. `OSError` (`TimeoutError` among them) means that
        nobody answered, which is not the same. `MissingExtra` means that no resolver is installed. Names are ASCII
        (A-labels), with or without a dot at the end; those that come back are without one, except for ``"."``.
        """

        def mx(self, domain: str, timeout: float) -> list[tuple[int, str]]:
            """Preference and host of each mail exchanger, best first; (0, ".") is a null MX (RFC 7505)."""

        def srv(self, name: str, timeout: float) -> list[tuple[int, int, int, str]]:
            """Priority, weight, port and target of each service record, in order of use (RFC 2782)."""

        def txt(self, name: str, timeout: float) -> list[str]:
            """The text records, the strings of each joined."""

        def addresses(self, host: str, timeout: float) -> list[str]:
            """IPv6 and IPv4 addresses of a host."""

        def pointer(self, address: str, timeout: float) -> list[str]:
            """The names that a reverse lookup of an IP address gives."""

        def page(self, url: str, timeout: float, limit: int) -> bytes:
            """The body found at an ``https://`` URL, at most `limit` octets of it (more is an `OSError`)."""
