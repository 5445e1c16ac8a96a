"""The hash of the server's certificate, against certificates with every kind of signature."""

from __future__ import annotations

import datetime
import hashlib
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from mailwright.sasl.channel_binding import obtainable_kind, server_end_point

RSA = rsa.generate_private_key(65537, 2048)
ELLIPTIC = ec.generate_private_key(ec.SECP256R1())


def certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
    algorithm: hashes.SHA224 | hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None,
    pss: bool = False,
) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example.org")])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(4711)
        .not_valid_before(day)
        .not_valid_after(day + datetime.timedelta(days=90))
    )
    how = padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH) if pss and algorithm else None
    return builder.sign(key, algorithm, rsa_padding=how).public_bytes(Encoding.DER)


@pytest.mark.parametrize("pss", [False, True], ids=["PKCS 1 v1.5", "PSS"])
@pytest.mark.parametrize("algorithm", [hashes.SHA224(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_rsa(algorithm: hashes.SHA256, pss: bool):
    made = certificate(RSA, algorithm, pss)
    binding = server_end_point(made)
    assert binding is not None
    assert binding.kind == "tls-server-end-point"
    assert binding.data == hashlib.new(algorithm.name, made).digest()


@pytest.mark.parametrize("algorithm", [hashes.SHA224(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_elliptic_curves(algorithm: hashes.SHA256):
    made = certificate(ELLIPTIC, algorithm)
    binding = server_end_point(made)
    assert binding is not None
    assert binding.data == hashlib.new(algorithm.name, made).digest()


@pytest.mark.parametrize("old", ["2a864886f70d010104", "2a864886f70d010105"], ids=["MD5", "SHA-1"])
def test_old_hashes_become_sha_256(old: str):
    """RFC 5929 §4.1. Nobody signs like that any more, so the algorithm's name is put into a certificate."""
    made = certificate(RSA, hashes.SHA256()).replace(bytes.fromhex("2a864886f70d01010b"), bytes.fromhex(old))
    binding = server_end_point(made)
    assert binding is not None
    assert binding.data == hashlib.sha256(made).digest()


def test_pss_that_leaves_its_hash_to_the_default_means_sha_1_and_so_sha_256():
    """RFC 8017 A.2.3. Only the frame of a certificate, since nobody makes one like that any more."""
    made = bytes.fromhex("30113000300d06092a864886f70d01010a3000")
    binding = server_end_point(made)
    assert binding is not None
    assert binding.data == hashlib.sha256(made).digest()


def test_a_signature_without_a_hash_has_no_binding():
    assert server_end_point(certificate(ed25519.Ed25519PrivateKey.generate(), None)) is None


@given(st.integers(min_value=0))
def test_a_certificate_that_is_cut_off_has_no_binding(place: int):
    made = certificate(ELLIPTIC, hashes.SHA256())
    assert server_end_point(made[: place % len(made)]) is None


@given(st.binary(max_size=200))
def test_nonsense_has_no_binding(nonsense: bytes):
    assert server_end_point(nonsense) is None
    assert server_end_point(b"\x30\x82" + nonsense) is None


def test_which_kind_can_be_had():
    assert obtainable_kind("TLSv1.2") == "tls-unique"
    assert obtainable_kind("TLSv1.3") == "tls-server-end-point"
    assert {"tls-unique"} >= set(ssl.CHANNEL_BINDING_TYPES), "Python can do more now: tls-exporter?"
