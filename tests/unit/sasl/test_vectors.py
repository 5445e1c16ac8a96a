"""The examples that the standards print, said by our client and believed by our server."""

from __future__ import annotations

from binascii import a2b_base64

import pytest

from mailwright.sasl.cram_md5 import CramMD5
from mailwright.sasl.external import External
from mailwright.sasl.login import LoginMechanism
from mailwright.sasl.oauthbearer import OAuthBearer
from mailwright.sasl.plain import Plain
from mailwright.sasl.scram import Scram, ScramSHA1, ScramSHA256
from mailwright.sasl.verify import verifier
from mailwright.sasl.xoauth2 import XOAuth2
from mailwright.words.errors import LoginError
from mailwright.words.secret import Secret
from mailwright.words.server import Login


def test_plain_of_rfc_4616():
    assert Plain("tim", Secret("tanstaaftanstaaf")).initial() == b"\0tim\0tanstaaftanstaaf"
    assert Plain("Kurt", Secret("xipj3plmq"), authzid="Ursel").initial() == b"Ursel\0Kurt\0xipj3plmq"


def test_plain_is_read_back():
    message = b"Ursel\0Kurt\0xipj3plmq"
    allowed = verifier("PLAIN", [Login("Kurt", "xipj3plmq", authzid="Ursel")], nonce="n")
    forbidden = verifier("PLAIN", [Login("Kurt", "xipj3plmq")], nonce="n")
    assert allowed is not None and forbidden is not None
    assert allowed.step(message) is None and allowed.user == "Kurt"
    assert forbidden.step(message) is None and not forbidden.ok


def test_login_answers_two_questions_in_their_order():
    client = LoginMechanism("tim", Secret("tanstaaftanstaaf"))
    assert client.initial() is None
    assert client.respond(b"Username:") == b"tim"
    assert client.respond(b"Password:") == b"tanstaaftanstaaf"
    with pytest.raises(LoginError):
        client.respond(b"Password:")


def test_cram_md5_of_rfc_2195():
    client = CramMD5("tim", Secret("tanstaaftanstaaf"))
    assert client.initial() is None
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    assert client.respond(challenge) == b"tim b913a602c7eda7a495b4e6e7334d3890"


def test_cram_md5_is_read_back():
    server = verifier(
        "CRAM-MD5",
        [Login("tim", "tanstaaftanstaaf")],
        nonce="1896.697170952",
        host="postoffice.reston.mci.net",
    )
    assert server is not None
    assert server.step(None) == b"<1896.697170952@postoffice.reston.mci.net>"
    assert server.step(b"tim b913a602c7eda7a495b4e6e7334d3890") is None
    assert server.user == "tim"


SCRAM_SHA_1 = (  # RFC 5802 §5
    ScramSHA1,
    "fyko+d2lbbFgONRv9qkxdawL",
    "3rfcNHYJY1ZVvWVs7j",
    "QSXCR+Q6sek8bf92",
    "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
)
SCRAM_SHA_256 = (  # RFC 7677 §3
    ScramSHA256,
    "rOprNGfwEbeRWgbNEkqO",
    "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    "W22ZaJ0SNY7soEsUEjb6gQ==",
    "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
)


@pytest.mark.parametrize("vector", [SCRAM_SHA_1, SCRAM_SHA_256], ids=["SHA-1", "SHA-256"])
def test_scram_of_rfc_5802_and_rfc_7677(vector: tuple[type[Scram], str, str, str, str, str]):
    scram, ours, theirs, salt, proof, signature = vector
    client_first = f"n,,n=user,r={ours}".encode()
    server_first = f"r={ours}{theirs},s={salt},i=4096".encode()
    client_final = f"c=biws,r={ours}{theirs},p={proof}".encode()
    server_final = f"v={signature}".encode()

    client = scram("user", Secret("pencil"), nonce=ours)
    assert client.initial() == client_first
    assert client.respond(server_first) == client_final
    assert client.respond(server_final) == b""
    client.finish()

    server = verifier(scram.name, [Login("user", "pencil")], nonce=theirs, salt=a2b_base64(salt))
    assert server is not None
    assert server.step(client_first) == server_first
    assert server.step(client_final) == server_final
    assert server.step(b"") is None
    assert server.user == "user"


TOKEN = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="


def test_oauthbearer_of_rfc_7628():
    client = OAuthBearer("user@example.com", Secret(TOKEN), host="server.example.com", port=143)
    # §4.1, in the base64 of the RFC
    assert client.initial() == a2b_base64(
        "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyI"
        "HZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
    )
    # §4.3: the refusal, and what lets the server go on
    refusal = (
        b'{"status":"invalid_token","scope":"example_scope",'
        b'"openid-configuration":"https://example.com/.well-known/openid-configuration"}'
    )
    assert client.respond(refusal) == b"\x01"
    assert client.failure == (
        "status invalid_token, scope example_scope, "
        "openid-configuration https://example.com/.well-known/openid-configuration"
    )


def test_xoauth2_of_google():
    client = XOAuth2("someuser@example.com", Secret("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"))
    assert client.initial() == a2b_base64(
        "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHR"
        "XVZMjl0Q2cBAQ=="
    )
    refusal = a2b_base64(
        "eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ=="
    )
    assert client.respond(refusal) == b""
    assert client.failure == "status 400, schemes Bearer, scope https://mail.google.com/"


def test_external_of_rfc_4422():
    assert External().initial() == b""  # appendix A: an empty response, which is not the same as none
    assert External("fred@example.com").initial() == b"fred@example.com"
