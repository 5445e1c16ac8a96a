"""Reading autoconfig files, which come from anybody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.providers.autoconfig import PAGE_LIMIT, Offer, host_name, offers_in
from mailwright.providers.provider import Endpoint
from mailwright.words.address import Address
from tests.unit.providers.names import config_xml

ADA = Address("ada@example.org")


def server(fields: str, attributes: str = 'type="smtp"') -> str:
    return f"<outgoingServer {attributes}>{fields}</outgoingServer>"


def document(*servers: str) -> bytes:
    return f"<clientConfig version='1.1'><emailProvider>{''.join(servers)}</emailProvider></clientConfig>".encode()


RIGHT = "<hostname>smtp.example.org</hostname><port>465</port><socketType>SSL</socketType>"


def test_a_whole_file() -> None:
    page = document(
        server(RIGHT + "<username>%EMAILLOCALPART%</username><authentication>OAuth2</authentication>"),
        server("<hostname>mx.%EMAILDOMAIN%</hostname><port>587</port><socketType>STARTTLS</socketType>"),
        server(RIGHT, 'type="exchange"'),
        server("<hostname>smtp.example.org</hostname><port>25</port><socketType>plain</socketType>"),
    )
    assert offers_in(page, ADA) == (
        Offer(Endpoint("smtp.example.org", 465, "tls"), "ada"),
        Offer(Endpoint("mx.example.org", 587, "starttls"), "ada@example.org"),
    )


@pytest.mark.parametrize(
    "fields",
    [
        "", "<hostname>smtp.example.org</hostname>", RIGHT.replace("465", "0"), RIGHT.replace("465", "65536"),
        RIGHT.replace("465", "999999999999999999999"), RIGHT.replace("465", "00465" + 5000 * "0"), RIGHT.replace("465", "-1"), RIGHT.replace("465", "４６５"),
        RIGHT.replace("465", "465x"), RIGHT.replace("SSL", "ssl3"), RIGHT.replace("smtp.example.org", "smtp..org"),
        RIGHT.replace("smtp.example.org", "192.0.2.1"), RIGHT.replace("smtp.example.org", "a&#10;b.example"),
        RIGHT.replace("smtp.example.org", "münchen.example"), RIGHT.replace("smtp.example.org", "localhost"),
        f"<deeper>{RIGHT}</deeper>", RIGHT + RIGHT,
    ],
)  # fmt: skip
def test_a_server_that_is_none(fields: str) -> None:
    assert offers_in(document(server(fields)), ADA) == ()


@pytest.mark.parametrize(
    "encoding", ["utf-7", "utf-32", "shift_jis", "gb18030", "euc-jp", "idna", "punycode", "zlib", "rot13", "x" * 1000]
)
@pytest.mark.parametrize("octets", [b"", b"\xff", b"+/v8-"])
def test_an_encoding_that_is_none_of_xml(encoding: str, octets: bytes) -> None:
    page = f'<?xml version="1.0" encoding="{encoding}"?>'.encode() + octets + document(server(RIGHT))
    assert {offer.endpoint.host for offer in offers_in(page, ADA)} <= {"smtp.example.org"}


@pytest.mark.parametrize("user", ["a\u200bb", "x" * 5000, "a&#10;b"])
def test_a_user_name_that_is_none(user: str) -> None:
    assert [one.user for one in offers_in(document(server(f"{RIGHT}<username>{user}</username>")), ADA)] == [ADA.spec]


BOMB = b'<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    "page",
    [
        b"", b"not XML", b"<html><body>404</body></html>", b"<clientConfig>", document(server(RIGHT))[:-5],
        BOMB + document(server(RIGHT.replace("smtp", "&b;"))), OUTSIDE + document(server(RIGHT.replace("smtp", "&e;"))),
        b"<!DOCTYPE clientConfig>" + document(server(RIGHT)),
        b'<!DOCTYPE x SYSTEM "https://evil.example/x.dtd">' + document(server(RIGHT)),
        BOMB.decode().encode("utf-16") + document(server(RIGHT)).decode().encode("utf-16-le"),
        b"<config>" + document(server(RIGHT)) + b"</config>", b"\x00\x01\x02", b"\xff\xfe<\x00",
        b'<?xml version="1.0" encoding="no-such"?>' + document(server(RIGHT)),
        document(server("<x>" * 50_000)), document(server("<x>" * 40 + "</x>" * 40 + RIGHT)),
        document(server(RIGHT)) + b" " * PAGE_LIMIT,
    ],
)  # fmt: skip
def test_a_file_that_is_none(page: bytes) -> None:
    assert offers_in(page, ADA) == ()


def test_other_encodings() -> None:
    page = document(server(RIGHT)).decode()
    assert offers_in(page.encode("utf-16"), ADA) == offers_in(page.encode("utf-8-sig"), ADA) != ()


def test_only_some_servers_are_read() -> None:
    assert len(offers_in(document(*[server(RIGHT)] * 100), ADA)) == 8


def test_a_name_to_log_in_with_that_is_none() -> None:
    page = document(server(RIGHT + "<username>a&#10;b</username>"))
    assert offers_in(page, ADA)[0].user == ADA.spec


@given(st.binary(max_size=300))
def test_whatever_arrives_is_survived(page: bytes) -> None:
    assert offers_in(page, ADA) == ()


@given(st.text(max_size=60), st.integers(-9, 99999), st.sampled_from(["SSL", "STARTTLS", "plain", "x"]))
def test_nothing_but_a_host_with_encryption_comes_out(host: str, port: int, kind: str) -> None:
    for offer in offers_in(config_xml(host, port, kind), ADA):
        assert offer.endpoint.security in ("tls", "starttls") and 0 < offer.endpoint.port < 65536
        assert host_name(offer.endpoint.host) == offer.endpoint.host


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Mail.Example.ORG.", "mail.example.org"), (" mail.example.org ", "mail.example.org"), ("xn--mnchen-3ya.de",) * 2,
        (".", ""), ("", ""), ("org", ""), ("a_b.example", ""), ("a.b.1", ""), ("1.2.3.4", ""), ("-a.example", ""),
        ("a.example-", ""), (f"{'a' * 64}.example", ""), ("a.\u0435xample", ""), ("a\n.example", ""),
    ],
)  # fmt: skip
def test_host_names(text: str, name: str) -> None:
    assert host_name(text) == name
