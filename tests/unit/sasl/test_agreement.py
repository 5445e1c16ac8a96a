"""Every client against the verifier of its own name: they agree on the right credential, and on no other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mailwright.sasl.channel_binding import ChannelBinding
from mailwright.sasl.choose import choose
from mailwright.sasl.mechanism import Mechanism
from mailwright.sasl.saslprep import prepared
from mailwright.sasl.verify import VERIFIABLE, Verifier, verifier
from mailwright.words.errors import LoginError
from mailwright.words.server import Login
from tests.unit.sasl.talk import talk

BINDING = ChannelBinding("tls-unique", b"finished")
BY_PASSWORD = [name for name in VERIFIABLE if "OAUTH" not in name and "PLUS" not in name]
BY_TOKEN = [name for name in VERIFIABLE if "OAUTH" in name]

control = st.characters(exclude_categories=["Cs", "Cc"])
users = st.text(control, min_size=1, max_size=20)
passwords = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
tokens = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=20, max_size=60)


def client_for(name: str, user: str, secret: str, authzid: str = "") -> Mechanism:
    by_token = name in BY_TOKEN
    login = Login(
        user,
        None if by_token else secret,
        token=secret if by_token else None,
        mechanism=name,
        authzid=authzid,
    )
    return choose(
        login,
        VERIFIABLE,
        secure=True,
        nonce="clientnonce",
        token=secret if by_token else None,
        host="localhost",
        port=465,
        channel_binding=BINDING if name.endswith("PLUS") else None,
    )


def server_for(name: str, *accounts: Login) -> Verifier:
    made = verifier(name, accounts, nonce="servernonce", channel_binding=BINDING if name.endswith("PLUS") else None)
    assert made is not None
    return made


@pytest.mark.parametrize("name", BY_PASSWORD)
@settings(max_examples=30)
@given(user=users, password=passwords)
def test_the_right_password(name: str, user: str, password: str):
    try:
        client = client_for(name, user, password)
    except LoginError as refused:
        assert name.startswith("SCRAM") and "user name" in str(refused)  # RFC 5802 §5.1 on SASLprep
        assume(False)
    server = server_for(name, Login("somebody else", "x"), Login(user, password))
    assert talk(client, server)
    assert server.user == user


@pytest.mark.parametrize("name", BY_PASSWORD)
@settings(max_examples=30)
@given(password=passwords, other=passwords)
def test_another_password(name: str, password: str, other: str):
    assume(prepared(password) != prepared(other))
    server = server_for(name, Login("ada", password))
    assert not talk(client_for(name, "ada", other), server)
    assert server.user is None


@pytest.mark.parametrize("name", BY_TOKEN)
@given(user=users, token=tokens, other=tokens)
def test_tokens(name: str, user: str, token: str, other: str):
    assume(token != other)
    account = Login(user, token=token)
    assert talk(client_for(name, user, token), server_for(name, account))
    assert talk(client_for(name, user, token), server_for(name, account), with_auth=False)
    refused = client_for(name, user, other)
    assert not talk(refused, server_for(name, account))
    assert refused.failure.startswith("status ")
    assert not talk(client_for(name, f"{user}x", token), server_for(name, account))


@pytest.mark.parametrize("name", VERIFIABLE)
def test_another_user(name: str):
    account = Login("ada", token="secret") if name in BY_TOKEN else Login("ada", "secret")
    assert talk(client_for(name, "ada", "secret"), server_for(name, account))
    assert not talk(client_for(name, "eve", "secret"), server_for(name, account))
    assert not talk(client_for(name, "ada", "secret"), server_for(name))


@pytest.mark.parametrize("name", [name for name in VERIFIABLE if name not in ("LOGIN", "CRAM-MD5")])
def test_acting_as_somebody_else_needs_leave(name: str):
    credential: dict[str, str] = {"token" if name in BY_TOKEN else "password": "secret"}
    allowed, alone = Login("ada", authzid="office", **credential), Login("ada", **credential)
    server = server_for(name, allowed)
    assert talk(client_for(name, "ada", "secret", authzid="office"), server)
    assert server.user == "ada"
    assert not talk(client_for(name, "ada", "secret", authzid="office"), server_for(name, alone))


def initial_first(server: Verifier, answer: Callable[[bytes], bytes]) -> None:
    challenge = server.step(None)
    for _ in range(5):
        if challenge is None:
            return
        challenge = server.step(answer(challenge))
    raise AssertionError("the exchange does not end")


@pytest.mark.parametrize("name", VERIFIABLE)
@given(responses=st.lists(st.binary(max_size=60), min_size=1, max_size=4))
def test_no_nonsense_lets_anybody_in_or_breaks_the_server(name: str, responses: list[bytes]):
    account = Login("ada", token="secret") if name in BY_TOKEN else Login("ada", "secret")
    server = server_for(name, account)
    for response in responses:
        server.step(response)
    assert not server.ok


SKELETONS = [
    b"\0\0",
    b"\0ada\0",
    b"ada\0ada\0secre",
    b"n,,n=ada,r=x",
    b"q,,n=ada,r=x",
    b"n,b=ada,n=ada,r=x",
    b"n,,n=ada,r=",
    b"n,,n=a=da,r=x",
    b"n,,m=x,n=ada,r=x",
    b"p=,,n=ada,r=x",
    b"n,a=,n=ada,r=x",
    b"user=ada\x01auth=Bearer \x01\x01",
    b"user=ada\x01auth=Basic secret\x01\x01",
    b"user=ada\x01auth=Bearer secret\x01",
    b"n,a=ada,\x01auth=Bearer \x01\x01",
    b"n,a=ada,\x01auth=Bearer secret\x01auth=Bearer secret\x01\x01",
    b"p=tls-unique,a=ada,\x01auth=Bearer secret\x01\x01",
    b"\x01",
    b"ada ",
    b" ",
]


@pytest.mark.parametrize("name", VERIFIABLE)
@pytest.mark.parametrize("response", SKELETONS)
def test_almost_right_is_wrong(name: str, response: bytes):
    account = Login("ada", token="secret") if name in BY_TOKEN else Login("ada", "secret")
    server = server_for(name, account)
    initial_first(server, lambda challenge: response)
    assert not server.ok


def test_login_may_begin_with_the_name():
    server = server_for("LOGIN", Login("ada", "secret"))
    assert server.step(b"ada") == b"Password:"
    assert server.step(b"secret") is None and server.ok


def test_there_is_no_verifier_for_what_we_do_not_know():
    assert verifier("NTLM", [], nonce="n") is None
    assert verifier("plain", [], nonce="n") is not None
