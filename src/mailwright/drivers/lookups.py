"""Asking the name system (extra ``dns``) and the web, for `mailwright.providers.lookups`.

Every question ends in time, whatever the other side does: a name server that is silent, a web server that sends one
octet a second. A page is fetched over verified HTTPS alone, from the addresses that the same name servers give, without
a proxy; redirects are followed only to HTTPS.
"""

from __future__ import annotations

import random
import socket
from http import client
from io import BufferedReader, RawIOBase
from time import monotonic
from urllib.parse import urljoin, urlsplit

from mailwright.words.extras import extra

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence
    from typing import Any

HTTPS = 443
REDIRECTS = 3  # a page that moves more often is not meant to be found
RECORDS = 64  # of one kind that are looked at


class SystemLookups:
    """The name servers that this machine uses, or `nameservers` (IP addresses) on `port`.

    `https_port` and `ca_file` (PEM, instead of the system's trust store) are for who runs a web server of their own to
    try things with. Needs dnspython. One instance may be used by several threads.
    """

    def __init__(
        self, nameservers: Sequence[str] = (), port: int = 53, *, https_port: int = HTTPS, ca_file: str | None = None
    ) -> None:
        self._nameservers = list(nameservers)
        self._port = port
        self._https_port = https_port
        self._ca_file = ca_file

    def mx(self, domain: str, timeout: float) -> list[tuple[int, str]]:
        """Preference and host of each mail exchanger, best first."""
        return sorted((one.preference, _name(one.exchange)) for one in self._records(domain, "MX", timeout))

    def srv(self, name: str, timeout: float) -> list[tuple[int, int, int, str]]:
        """Priority, weight, port and target of each service record, in order of use (RFC 2782)."""
        records = self._records(name, "SRV", timeout)
        return in_order_of_use([(one.priority, one.weight, one.port, _name(one.target)) for one in records])

    def txt(self, name: str, timeout: float) -> list[str]:
        """The text records, the strings of each joined; what is not UTF-8 in them is replaced."""
        return [b"".join(one.strings).decode("utf-8", "replace") for one in self._records(name, "TXT", timeout)]

    def addresses(self, host: str, timeout: float) -> list[str]:
        """IPv6 and IPv4 addresses of a host, in this order."""
        until = monotonic() + timeout
        found, problem = [], None
        for kind in ("AAAA", "A"):
            try:
                found += [str(one.address) for one in self._records(host, kind, until - monotonic())]
            except OSError as failure:
                problem = failure
        if problem is not None and not found:
            raise problem
        return found

    def pointer(self, address: str, timeout: float) -> list[str]:
        """The names that a reverse lookup of an IP address gives."""
        reverse = extra("dns.reversename", "dns", "Looking up mail servers")
        try:
            name = reverse.from_address(address)
        except Exception as problem:  # dnspython has its own errors for what is no address
            raise OSError(f"{address!a} is not an IP address") from problem
        return [_name(one.target) for one in self._records(name, "PTR", timeout)]

    def page(self, url: str, timeout: float, limit: int) -> bytes:
        """The body found at an ``https://`` URL, at most `limit` octets of it (more is an `OSError`)."""
        until = monotonic() + timeout
        try:
            for _ in range(REDIRECTS + 1):
                status, place, body = self._get(url, until, limit)
                if status not in (301, 302, 303, 307, 308):
                    break
                url = urljoin(url, place)
        except (client.HTTPException, ValueError) as problem:
            if isinstance(problem, OSError):  # a certificate that does not fit is both
                raise
            raise OSError(f"the web server does not speak HTTP ({type(problem).__name__})") from problem
        if status != 200:
            raise OSError(f"the web server answers {status}")
        return body

    def _get(self, url: str, until: float, limit: int) -> tuple[int, str, bytes]:
        """Status, new place and body of one answer."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme != "https" or not host or parts.port not in (None, HTTPS):
            raise OSError("a page is fetched from https:// alone")
        sock = _connected(self.addresses(host, until - monotonic()), self._https_port, host, self._ca_file, until)
        with sock:
            connection = client.HTTPSConnection(host)
            connection.sock = _Timed(sock, until)
            target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
            connection.request("GET", target, headers={"Host": host, "Connection": "close"})
            answer = connection.getresponse()
            body = answer.read(limit + 1)
        if len(body) > limit:
            raise OSError(f"the page has more than {limit} octets")
        return answer.status, answer.headers.get("Location", ""), body

    def _records(self, name: Any, kind: str, timeout: float) -> list[Any]:
        """The records of one kind; none if there is no such name. Raises `OSError` when nobody answers."""
        resolver = extra("dns.resolver", "dns", "Looking up mail servers")
        if timeout <= 0:
            raise TimeoutError("the time for looking up is over")
        try:
            asked = resolver.Resolver(configure=not self._nameservers)
            if self._nameservers:
                asked.nameservers, asked.port = self._nameservers, self._port
            answer = asked.resolve(name, kind, lifetime=timeout, search=False, raise_on_no_answer=False)
        except resolver.NXDOMAIN:
            return []
        except Exception as problem:
            if isinstance(problem, resolver.dns.exception.Timeout):
                raise TimeoutError(f"no name server answered within {timeout:.0f} seconds") from None
            if isinstance(problem, (resolver.dns.exception.DNSException, OSError, EOFError, ValueError)):
                raise OSError(f"the name servers give no usable answer ({type(problem).__name__})") from None
            raise
        return list(answer.rrset or ())[:RECORDS]


def in_order_of_use(records: list[tuple[int, int, int, str]]) -> list[tuple[int, int, int, str]]:
    """SRV records by priority and, among equals, by chance as their weights say (RFC 2782)."""

    def turn(record: tuple[int, int, int, str]) -> tuple[int, float]:
        # The minimum of exponential times with rates w is each record's with probability w / sum(w).
        return record[0], random.expovariate(max(record[1], 0.001))

    return sorted(records, key=turn)


def _name(name: Any) -> str:
    text = str(name)
    return text if text == "." else text.rstrip(".")


def _connected(addresses: Sequence[str], port: int, host: str, ca_file: str | None, until: float) -> ssl.SSLSocket:
    """A connection to the first address that answers and proves to be `host`."""
    import ssl

    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    problem: OSError = OSError(f"{host} has no address")
    for number, address in enumerate(addresses):
        share = (until - monotonic()) / (len(addresses) - number)
        if share <= 0:
            raise TimeoutError(f"{host} did not answer in time")
        try:
            plain = socket.create_connection((address, port), share)
        except OSError as failure:
            problem = failure
            continue
        try:
            return context.wrap_socket(plain, server_hostname=host)
        except (OSError, ValueError) as failure:
            plain.close()
            problem = failure if isinstance(failure, OSError) else OSError(f"{host} can't be in a certificate")
    raise problem


class _Timed:
    """A socket as `http.client` wants it, on which everything together ends at a moment of `monotonic`."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._sock = sock
        self._until = until

    def in_time(self) -> socket.socket:
        """The socket, which now waits until the end at most."""
        left = self._until - monotonic()
        if left <= 0:
            raise TimeoutError("the page did not come in time")
        self._sock.settimeout(left)
        return self._sock

    def sendall(self, data: bytes) -> None:
        """Send all of `data`."""
        self.in_time().sendall(data)

    def makefile(self, mode: str) -> BufferedReader:
        """A file to read the answer from."""
        return BufferedReader(_Incoming(self))

    def close(self) -> None:
        """Nothing: `http.client` closes before it reads the body; whoever opened the socket closes it."""


class _Incoming(RawIOBase):
    """The octets that come in."""

    def __init__(self, timed: _Timed) -> None:
        self._timed = timed

    def readable(self) -> bool:
        """True: it is there to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Some octets, as soon as there are any."""
        return self._timed.in_time().recv_into(buffer)
