"""A small name server and a small web server on loopback, and a table that answers instead of either."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import trustme

LOOPBACK = "127.0.0.1"


class Table:
    """Answers from a table: ``("mx", "example.org")`` to what is found there; an exception is raised.

    `asked` keeps every question in its order.
    """

    def __init__(self, answers: dict[tuple[str, str], Any] | None = None) -> None:
        self.answers = answers or {}
        self.asked: list[tuple[str, str, float]] = []

    def _answer(self, kind: str, name: str, timeout: float) -> Any:
        self.asked.append((kind, name, timeout))
        found = self.answers.get((kind, name), [])
        if isinstance(found, Exception):
            raise found
        return found

    def mx(self, domain: str, timeout: float) -> Any:
        return self._answer("mx", domain, timeout)

    def srv(self, name: str, timeout: float) -> Any:
        return self._answer("srv", name, timeout)

    def txt(self, name: str, timeout: float) -> Any:
        return self._answer("txt", name, timeout)

    def addresses(self, host: str, timeout: float) -> Any:
        return self._answer("addresses", host, timeout)

    def pointer(self, address: str, timeout: float) -> Any:
        return self._answer("pointer", address, timeout)

    def page(self, url: str, timeout: float, limit: int) -> bytes:
        found = self._answer("page", url, timeout)
        if not found:
            raise OSError("there is no such page")
        assert isinstance(found, bytes)
        return found


class NameServer:
    """Answers questions over UDP from ``{"example.org": {"MX": ["10 mx.example.org."]}}``.

    A name that is missing does not exist; `silent` answers nothing, `broken` says that it failed.
    """

    def __init__(self, zone: dict[str, dict[str, list[str]]]) -> None:
        self.zone = zone
        self.silent = self.broken = False
        self.asked: list[tuple[str, str]] = []
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind((LOOPBACK, 0))
        self.port: int = self._sock.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            data, peer = self._sock.recvfrom(4096)
            if not data:
                return
            if not self.silent:
                self._sock.sendto(self._answer(dns.message.from_wire(data)).to_wire(), peer)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        (question,) = query.question
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        records = self.zone.get(name)
        if self.broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif records is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif records.get(kind):
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *records[kind]))
        return answer

    def close(self) -> None:
        """End it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (LOOPBACK, self.port))
        self._thread.join(10)
        self._sock.close()


@contextlib.contextmanager
def name_server(zone: dict[str, dict[str, list[str]]]) -> Iterator[NameServer]:
    """A name server for the block."""
    server = NameServer(zone)
    try:
        yield server
    finally:
        server.close()


class WebServer:
    """Speaks HTTPS with a certificate for `names`; what it says to each request is up to ``answer(sock, request)``."""

    def __init__(self, authority: trustme.CA, names: list[str], answer: Callable[[ssl.SSLSocket, bytes], None]) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(self._context)
        self._answer = answer
        self.requests: list[bytes] = []
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            plain, _ = self._listener.accept()
            if self._closing.is_set():
                plain.close()
                return
            plain.settimeout(10)
            try:
                with self._context.wrap_socket(plain, server_side=True) as sock:
                    request = sock.recv(4096)
                    self.requests.append(request)
                    self._answer(sock, request)
            except OSError:
                plain.close()

    def close(self) -> None:
        """End it."""
        self._closing.set()
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self.port), 5):
            pass
        self._thread.join(15)
        self._listener.close()


def page(body: bytes, status: str = "200 OK", *headers: str) -> Callable[[ssl.SSLSocket, bytes], None]:
    """An answer that is the same for everybody."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]).encode()
    return lambda sock, request: sock.sendall(head + body)


def config_xml(host: str, port: int = 465, kind: str = "SSL", user: str = "%EMAILADDRESS%") -> bytes:
    """An autoconfig file with one server for sending."""
    return (
        '<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="x"><domain>x</domain>'
        '<incomingServer type="imap"><hostname>imap.example.org</hostname><port>993</port></incomingServer>'
        f'<outgoingServer type="smtp"><hostname>{host}</hostname><port>{port}</port><socketType>{kind}</socketType>'
        f"<username>{user}</username><authentication>password-cleartext</authentication></outgoingServer>"
        "</emailProvider></clientConfig>"
    ).encode()
