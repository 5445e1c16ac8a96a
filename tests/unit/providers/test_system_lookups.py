"""The real resolver and HTTPS, against a name server and a web server on loopback, well-behaved and not."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from mailwright.drivers.lookups import SystemLookups, in_order_of_use
from mailwright.mailer.finding import server_for
from mailwright.words.errors import ConfigError, ConnectError
from tests.unit.providers.names import LOOPBACK, NameServer, WebServer, config_xml, name_server, page

DOMAIN = "analytical-engine.org"
ZONE: dict[str, dict[str, list[str]]] = {
    DOMAIN: {"MX": ["20 b.example.", "10 A.example."], "TXT": ['"v=spf1 " "-all"', '"\\200x"'], "A": [LOOPBACK]},
    f"_submissions._tcp.{DOMAIN}": {"SRV": [f"20 1 465 b.{DOMAIN}.", f"10 5 465 a.{DOMAIN}."]},
    f"autoconfig.{DOMAIN}": {"A": [LOOPBACK]},
    "null.example": {"MX": ["0 ."]},
    "both.example": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
    "1.2.0.192.in-addr.arpa": {"PTR": ["mail.example."]},
}


@pytest.fixture
def names() -> Iterator[NameServer]:
    with name_server({name: dict(records) for name, records in ZONE.items()}) as server:
        yield server


def lookups_of(names: NameServer, **options: Any) -> SystemLookups:
    return SystemLookups([LOOPBACK], names.port, **options)


# Names


def test_records(names: NameServer) -> None:
    lookups = lookups_of(names)
    assert lookups.mx(DOMAIN, 5) == [(10, "A.example"), (20, "b.example")]
    assert lookups.mx("null.example", 5) == [(0, ".")]
    assert lookups.srv(f"_submissions._tcp.{DOMAIN}", 5) == [(10, 5, 465, f"a.{DOMAIN}"), (20, 1, 465, f"b.{DOMAIN}")]
    assert sorted(lookups.txt(DOMAIN, 5)) == ["v=spf1 -all", "\ufffdx"]
    assert lookups.addresses("both.example", 5) == ["2001:db8::1", "192.0.2.1"]
    assert lookups.pointer("192.0.2.1", 5) == ["mail.example"]


def test_no_such_name_and_no_such_record(names: NameServer) -> None:
    lookups = lookups_of(names)
    assert lookups.mx("missing.example", 5) == [] and lookups.srv(DOMAIN, 5) == []
    assert lookups.addresses("missing.example", 5) == [] and lookups.pointer("192.0.2.9", 5) == []
    with pytest.raises(OSError, match="not an IP address"):
        lookups.pointer("mail.example", 5)


def test_a_name_is_asked_as_it_is(names: NameServer) -> None:
    lookups_of(names).mx("missing.example", 5)
    assert names.asked == [("missing.example", "MX")]  # no search list of this machine


@pytest.mark.parametrize("name", ["a..example", "x" * 64 + ".example", "\x00", "b\u00fccher.example" * 30])
def test_what_is_no_name(names: NameServer, name: str) -> None:
    try:
        assert lookups_of(names).mx(name, 5) == []
    except OSError as problem:
        assert "no usable answer" in str(problem)


def test_silence_ends_in_time(names: NameServer) -> None:
    names.silent = True
    for act in (lambda: lookups_of(names).mx(DOMAIN, 0.3), lambda: lookups_of(names).addresses(DOMAIN, 0.3)):
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            act()
        assert time.monotonic() - began < 5
    with pytest.raises(TimeoutError, match="is over"):
        lookups_of(names).mx(DOMAIN, 0.0)


def test_a_name_server_that_fails_is_not_one_that_says_no(names: NameServer) -> None:
    names.broken = True
    with pytest.raises(OSError, match="no usable answer"):
        lookups_of(names).srv(DOMAIN, 5)


def test_the_weight_of_equals_decides_by_chance() -> None:
    records = [(0, 90, 465, "often"), (0, 10, 465, "seldom"), (0, 0, 465, "never"), (1, 99, 465, "last")]
    first = [in_order_of_use(records)[0][3] for _ in range(400)]
    assert set(first) <= {"often", "seldom", "never"} and first.count("often") > first.count("seldom") > 0
    assert all(in_order_of_use(records)[3][3] == "last" for _ in range(50))


# Pages


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


Serve = Callable[..., WebServer]


@pytest.fixture
def serve(authority: trustme.CA) -> Iterator[Serve]:
    opened: list[WebServer] = []

    def start(answer: Callable[[ssl.SSLSocket, bytes], None], *hosts: str) -> WebServer:
        opened.append(WebServer(authority, list(hosts) or [f"autoconfig.{DOMAIN}", DOMAIN], answer))
        return opened[-1]

    yield start
    for server in opened:
        server.close()


URL = f"https://autoconfig.{DOMAIN}/mail/config-v1.1.xml?emailaddress=ada@{DOMAIN}"


def test_a_page(names: NameServer, serve: Serve, ca_file: str) -> None:
    web = serve(page(b"hello"))
    assert lookups_of(names, https_port=web.port, ca_file=ca_file).page(URL, 10, 100) == b"hello"
    lines = web.requests[0].decode().split("\r\n")
    assert lines[0] == f"GET /mail/config-v1.1.xml?emailaddress=ada@{DOMAIN} HTTP/1.1"
    assert f"Host: autoconfig.{DOMAIN}" in lines and not any(line.startswith(("Cookie", "Auth")) for line in lines)


def chunked(sock: ssl.SSLSocket, request: bytes) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")


def test_a_page_in_pieces(names: NameServer, serve: Serve, ca_file: str) -> None:
    web = serve(chunked)
    assert lookups_of(names, https_port=web.port, ca_file=ca_file).page(URL, 10, 100) == b"abcde"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (page(b"x", "404 Not Found"), "answers 404"),
        (page(b"x", "500 No"), "answers 500"),
        (page(b"x" * 101), "more than 100 octets"),
        (page(b"", "302 Found", f"Location: http://{DOMAIN}/"), "https:// alone"),
        (page(b"", "302 Found", "Location: file:///etc/hostname"), "https:// alone"),
        (page(b"", "302 Found", f"Location: https://{DOMAIN}:8443/"), "https:// alone"),
        (page(b"", "302 Found", "Location: https://[bad/"), "does not speak HTTP"),
        (page(b"", "302 Found", "Location: /a b"), "does not speak HTTP"),
        (page(b"", "302 Found", "Location: /again"), "answers 302"),
        (page(b"", "302 Found", "Location: https://unknown.example/"), "has no address"),
        (lambda sock, request: sock.sendall(b"220 mail.example ESMTP\r\n"), "does not speak HTTP"),
        (lambda sock, request: sock.sendall(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n"), "speak HTTP"),
        (lambda sock, request: None, "closed connection|violation of protocol"),
    ],
)
def test_a_page_that_is_none(names: NameServer, serve: Serve, ca_file: str, answer: Any, reason: str) -> None:
    web = serve(answer)
    with pytest.raises(OSError, match=reason):
        lookups_of(names, https_port=web.port, ca_file=ca_file).page(URL, 10, 100)


def test_a_page_that_moved(names: NameServer, serve: Serve, ca_file: str) -> None:
    def answer(sock: ssl.SSLSocket, request: bytes) -> None:
        moved = page(b"", "301 Moved", f"Location: https://{DOMAIN}/new?a=b")
        (page(b"found") if b"GET /new?a=b " in request else moved)(sock, request)

    web = serve(answer)
    assert lookups_of(names, https_port=web.port, ca_file=ca_file).page(URL, 10, 100) == b"found"


def test_the_certificate_must_be_right(names: NameServer, serve: Serve, ca_file: str) -> None:
    web = serve(page(b"hello"), "another.example")
    with pytest.raises(OSError, match=r"(?i)certificate|hostname"):
        lookups_of(names, https_port=web.port, ca_file=ca_file).page(URL, 10, 100)
    web = serve(page(b"hello"))
    with pytest.raises(OSError, match="(?i)certificate"):
        lookups_of(names, https_port=web.port).page(URL, 10, 100)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: "])
def test_a_trickle_ends_in_time(names: NameServer, serve: Serve, ca_file: str, head: bytes) -> None:
    def trickle(sock: ssl.SSLSocket, request: bytes) -> None:
        sock.sendall(head)
        for _ in range(200):
            sock.sendall(b"x")
            time.sleep(0.05)

    web = serve(trickle)
    with pytest.raises(TimeoutError):
        lookups_of(names, https_port=web.port, ca_file=ca_file).page(URL, 0.5, 1000)


@pytest.mark.parametrize("url", ["http://x.example/", "ftp://x.example/", "https://", "x", "https://x.example:80/"])
def test_only_https_is_fetched(names: NameServer, url: str) -> None:
    with pytest.raises(OSError, match="https:// alone"):
        lookups_of(names).page(url, 5, 100)
    assert names.asked == []


# All together: whoever answers for the name servers gets no password


def find(names: NameServer, **options: Any) -> Any:
    return server_for(f"ada@{DOMAIN}", lookups=lookups_of(names, **options))


def test_the_domains_own_records(names: NameServer) -> None:
    found = find(names)
    assert found.server.host == f"a.{DOMAIN}" and found.how == "srv" and found.trusted


@pytest.mark.parametrize(
    "service", [("_submissions._tcp", "0 1 465 mail.evil.example."), ("_submission._tcp", "0 1 587 mail.evil.example.")]
)
def test_a_hostile_service_record(names: NameServer, service: tuple[str, str]) -> None:
    names.zone = {f"{service[0]}.{DOMAIN}": {"SRV": [service[1]]}, DOMAIN: {"MX": ["0 aspmx.l.google.com."]}}
    with pytest.raises(ConfigError, match=r"mail\.evil\.example.* lies outside"):
        find(names).with_login("correct horse")


def test_a_hostile_exchanger(names: NameServer) -> None:
    names.zone = {DOMAIN: {"MX": ["0 mx.evil.example."]}}
    with pytest.raises(ConfigError, match=r"received by mx\.evil\.example, which is not known"):
        find(names)
    names.zone = {DOMAIN: {"MX": ["0 aspmx.l.google.com.evil.example."]}}
    with pytest.raises(ConfigError, match="not known"):
        find(names)


def test_a_file_that_names_a_foreign_host(names: NameServer, serve: Serve, ca_file: str) -> None:
    del names.zone[f"_submissions._tcp.{DOMAIN}"]
    web = serve(page(config_xml("mail.evil.example")))
    found = find(names, https_port=web.port, ca_file=ca_file)
    assert found.how == "autoconfig" and not found.trusted
    with pytest.raises(ConfigError, match="lies outside"):
        found.with_login("correct horse")
    own = serve(page(config_xml(f"mail.{DOMAIN}")))
    assert find(names, https_port=own.port, ca_file=ca_file).server.host == f"mail.{DOMAIN}"


def test_a_file_from_who_can_not_prove_to_be_the_domain_is_not_read(
    names: NameServer, serve: Serve, ca_file: str
) -> None:
    del names.zone[f"_submissions._tcp.{DOMAIN}"]
    web = serve(page(config_xml(f"mail.{DOMAIN}")), "evil.example")
    with pytest.raises(ConfigError, match="names no server"):
        find(names, https_port=web.port, ca_file=ca_file)
    assert web.requests == []


def test_no_name_server_at_all(names: NameServer) -> None:
    names.silent = True
    with pytest.raises(ConnectError, match="can't be looked up") as caught:
        server_for(f"ada@{DOMAIN}", lookups=lookups_of(names), timeout=1.0)
    assert caught.value.temporary
