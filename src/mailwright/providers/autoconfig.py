"""Reading a Mozilla autoconfig file (``config-v1.1.xml``), which a domain may publish over HTTPS.

The file comes from outside and is read with suspicion: no document type, so that there are no entities; a bounded depth
and size; nothing but host, port, security and the form of the user name is taken from it.
"""

from __future__ import annotations

from mailwright.providers.provider import Endpoint
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from mailwright.words.address import Address

PAGE_LIMIT = 64 * 1024  # octets; real files have a few thousand
_DEPTH = 16  # real files need four levels
_USER_LIMIT = 320  # characters; an address has no more (RFC 5321 §4.5.3.1)
_OFFERS = 8  # servers that are read; more is not somebody's mail set-up
_SECURITY: dict[str, Any] = {"SSL": "tls", "STARTTLS": "starttls"}  # "plain" is no offer: a login needs encryption
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")
_LDH = _LETTERS | frozenset("0123456789-")


@value
class Offer:
    """One server that a domain names for itself, with the user name for it."""

    endpoint: Endpoint
    user: str


def offers_in(page: bytes, address: Address) -> tuple[Offer, ...]:
    """The encrypted servers for sending that a file names for `address`, in its order; empty if it is none."""
    found = []
    for given in _outgoing(page):
        host = host_name(_filled(given.get("hostname", ""), address))
        port, security = given.get("port", ""), _SECURITY.get(given.get("socketType", ""))
        if host and security and port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536:
            user = _filled(given.get("username") or "%EMAILADDRESS%", address)
            right = user.isprintable() and len(user) <= _USER_LIMIT
            found.append(Offer(Endpoint(host, int(port), security), user if right else address.spec))
    return tuple(found)


def host_name(text: str) -> str:
    """`text` as a host name in lower case without a dot at its end; empty if it is none (an IP address is none)."""
    name = text.strip().rstrip(".").lower()
    labels = name.split(".")
    right = all(0 < len(label) < 64 and _LDH.issuperset(label) and label.strip("-") == label for label in labels)
    return name if right and len(labels) > 1 and len(name) < 254 and not _LETTERS.isdisjoint(labels[-1]) else ""


def _filled(text: str, address: Address) -> str:
    for mark, meant in (
        ("%EMAILADDRESS%", address.spec),
        ("%EMAILLOCALPART%", address.local),
        ("%EMAILDOMAIN%", address.domain),
    ):
        text = text.replace(mark, meant)
    return text.strip()


def _outgoing(page: bytes) -> Iterator[dict[str, str]]:
    """The fields of each outgoing SMTP server."""
    from xml.parsers.expat import ExpatError

    reader = _Reader()
    if len(page) > PAGE_LIMIT:
        return
    try:
        reader.read(page)
    except (ExpatError, _NotThis, ValueError, LookupError):  # the last two: encodings that expat can't read
        return
    yield from reader.servers


class _NotThis(Exception):
    """The file is not what it should be."""


class _Reader:
    """Collects the texts below each ``<outgoingServer type="smtp">``."""

    def __init__(self) -> None:
        self.servers: list[dict[str, str]] = []
        self._path: list[str] = []
        self._server: dict[str, str] | None = None

    def read(self, page: bytes) -> None:
        """Read a whole file. Raises `_NotThis` or expat's error."""
        from xml.parsers import expat

        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.Parse(page, True)

    def _refuse(self, *declaration: object) -> None:
        raise _NotThis

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= _DEPTH or (not self._path and name != "clientConfig"):
            raise _NotThis
        self._path.append(name)
        if name == "outgoingServer" and attributes.get("type") == "smtp" and len(self.servers) < _OFFERS:
            self._server = {}
            self.servers.append(self._server)

    def _end(self, name: str) -> None:
        self._path.pop()
        if name == "outgoingServer":
            self._server = None

    def _text(self, text: str) -> None:
        if self._server is not None and self._path[-2:-1] == ["outgoingServer"]:
            self._server[self._path[-1]] = self._server.get(self._path[-1], "") + text
