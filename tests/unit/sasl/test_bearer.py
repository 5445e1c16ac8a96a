"""Tokens: what may be in them, and what a refusal in the middle of the exchange comes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.sasl.bearer import Bearer
from mailwright.sasl.oauthbearer import OAuthBearer
from mailwright.sasl.xoauth2 import XOAuth2
from mailwright.words.errors import LoginError
from mailwright.words.secret import Secret

BOTH = pytest.mark.parametrize("mechanism", [OAuthBearer, XOAuth2])
TOKEN = "ya29.c4n4ry-t0k3n"


@BOTH
@pytest.mark.parametrize("token", ["", "two words", "token\n", "a\x01auth=Bearer b", "a\0b", "tokén", "\ud800"])
def test_what_is_no_token_is_refused(mechanism: type[Bearer], token: str):
    with pytest.raises(LoginError, match="token") as refused:
        mechanism("ada", Secret(token))
    assert not token or token not in str(refused.value)


@BOTH
def test_a_name_can_t_break_out_of_its_field(mechanism: type[Bearer]):
    with pytest.raises(LoginError, match="user name"):
        mechanism("ada\x01auth=Bearer other", Secret(TOKEN))


def test_oauthbearer_leaves_out_what_has_no_place():
    assert OAuthBearer("a,b", Secret("t")).initial() == b"n,a=a=2Cb,\x01auth=Bearer t\x01\x01"
    assert OAuthBearer("", Secret("t")).initial() == b"n,,\x01auth=Bearer t\x01\x01"
    somewhere = OAuthBearer("ada", Secret("t"), host="bücher.example", port=587)
    assert somewhere.initial() == b"n,a=ada,\x01port=587\x01auth=Bearer t\x01\x01"


@BOTH
def test_one_refusal_is_acknowledged_and_no_more(mechanism: type[Bearer]):
    client = mechanism("ada", Secret(TOKEN))
    assert client.failure == ""
    assert client.respond(b'{"status":"401"}') == client.acknowledgement
    with pytest.raises(LoginError, match="refused twice"):
        client.respond(b'{"status":"401"}')


@pytest.mark.parametrize(
    ("challenge", "shown"),
    [
        (b'{"status":"invalid_token","scope":"mail"}', "status invalid_token, scope mail"),
        (b'{"status":401, "secret":"no business of ours"}', "status 401"),
        (b"", "no reason given"),
        (b"temporarily out of order", "temporarily out of order"),
        (b'["status"]', '["status"]'),
        (b'{"status":null}', '{"status":null}'),
        (b"{" * 5000, "{" * 299 + "…"),
        (b"[" * 5000, "[" * 299 + "…"),
    ],
)
def test_a_refusal_becomes_one_line(challenge: bytes, shown: str):
    client = XOAuth2("ada", Secret(TOKEN))
    client.respond(challenge)
    assert client.failure == shown


@pytest.mark.parametrize(
    "challenge",
    [
        f'{{"status":"{TOKEN}"}}',
        f'{{"status":"bad {TOKEN.replace("y", chr(92) + "u0079")}"}}',
        f"what is {TOKEN}?",
    ],
)
def test_a_token_that_is_repeated_is_not_shown(challenge: str):
    client = OAuthBearer("ada", Secret(TOKEN))
    client.respond(challenge.encode())
    assert TOKEN not in client.failure and "***" in client.failure


@given(st.binary(max_size=400))
def test_any_refusal_is_safe_to_print(challenge: bytes):
    client = XOAuth2("ada", Secret(TOKEN))
    assert client.respond(challenge) == b""
    assert client.failure and client.failure.isprintable() and len(client.failure) <= 1200
