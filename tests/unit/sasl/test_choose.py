"""Which mechanism is taken, and what is said when none can be."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.sasl.channel_binding import ChannelBinding
from mailwright.sasl.choose import MECHANISMS, choose
from mailwright.sasl.mechanism import Mechanism
from mailwright.words.errors import LoginError
from mailwright.words.server import Login

UNIQUE = ChannelBinding("tls-unique", b"finished")
END_POINT = ChannelBinding("tls-server-end-point", b"hash")
PASSWORD = Login("ada", "secret")
EVERYTHING = "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS XOAUTH2"
KNOWN = [mechanism for kind in MECHANISMS.values() for mechanism in kind]


def chosen(
    login: Login,
    offered: str,
    *,
    secure: bool = True,
    binding: ChannelBinding | None = None,
    token: str | None = None,
    allowed: bool = False,
) -> Mechanism:
    return choose(
        login,
        tuple(offered.split()),
        secure=secure,
        nonce="nonce",
        token=token,
        channel_binding=binding,
        host="mail.example.org",
        port=465,
        cleartext_allowed=allowed,
    )


def refused(login: Login, offered: str, **settings: object) -> str:
    with pytest.raises(LoginError) as error:
        chosen(login, offered, **settings)  # type: ignore[arg-type]
    assert error.value.phase == "auth" and error.value.what and error.value.advice
    assert "secret" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        ("PLAIN LOGIN", "PLAIN"),
        ("LOGIN", "LOGIN"),
        ("CRAM-MD5 LOGIN PLAIN", "PLAIN"),
        ("CRAM-MD5 LOGIN", "LOGIN"),
        ("CRAM-MD5", "CRAM-MD5"),
        ("GSSAPI NTLM plain", "PLAIN"),
        ("PLAIN SCRAM-SHA-1", "SCRAM-SHA-1"),
        ("SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-512", "SCRAM-SHA-256"),
        (EVERYTHING, "SCRAM-SHA-256"),
    ],
)
def test_the_strongest_over_tls(offered: str, expected: str):
    assert chosen(PASSWORD, offered).name == expected


@pytest.mark.parametrize(
    ("offered", "expected"),
    [("PLAIN LOGIN CRAM-MD5", "CRAM-MD5"), ("PLAIN SCRAM-SHA-1 CRAM-MD5", "SCRAM-SHA-1")],
)
def test_without_tls_never_one_that_shows_the_password(offered: str, expected: str):
    assert chosen(PASSWORD, offered, secure=False).name == expected
    assert chosen(PASSWORD, offered, secure=False, allowed=True).name == expected


def test_clear_text_without_tls_is_refused_unless_allowed():
    said = refused(PASSWORD, "PLAIN LOGIN", secure=False)
    assert "not encrypted" in said and "PLAIN, LOGIN" in said and "starttls" in said and "cleartext_login" in said
    assert chosen(PASSWORD, "PLAIN LOGIN", secure=False, allowed=True).name == "PLAIN"
    assert "token" in refused(Login("ada", token="secret"), "XOAUTH2", secure=False, token="secret")
    assert "not encrypted" in refused(Login("ada", "secret", mechanism="PLAIN"), "PLAIN", secure=False)


@given(
    offered=st.sets(st.sampled_from([mechanism.name for mechanism in KNOWN] + ["NTLM", "GSSAPI"])),
    secure=st.booleans(),
    binding=st.sampled_from([None, UNIQUE, END_POINT]),
    authzid=st.sampled_from(["", "office"]),
    forced=st.sampled_from([None, *[mechanism.name for mechanism in KNOWN]]),
)
def test_whatever_is_offered(
    offered: set[str], secure: bool, binding: ChannelBinding | None, authzid: str, forced: str | None
):
    """What is taken is offered, fits the connection and the login, and nothing stronger would have fitted."""
    login = Login("ada", "secret", authzid=authzid, mechanism=forced)
    try:
        taken = chosen(login, " ".join(offered), secure=secure, binding=binding)
    except LoginError:
        return
    assert taken.name in offered
    assert secure or not taken.cleartext
    assert taken.carries_authzid or not authzid
    if forced:
        assert taken.name == forced
    elif secure and binding is not END_POINT:
        fitting = [
            mechanism
            for mechanism in MECHANISMS["a password"]
            if mechanism.name in offered
            and (mechanism.carries_authzid or not authzid)
            and (binding is not None or not mechanism.name.endswith("PLUS"))
        ]
        assert taken.strength == max(mechanism.strength for mechanism in fitting)


def test_the_order_of_strength():
    for ours in MECHANISMS.values():
        assert all(first.strength > second.strength for first, second in pairwise(ours))


class TestChannelBinding:
    def test_plus_is_taken_over_the_binding_that_every_server_must_know(self):
        assert chosen(PASSWORD, EVERYTHING, binding=UNIQUE).name == "SCRAM-SHA-256-PLUS"
        assert chosen(PASSWORD, "SCRAM-SHA-1-PLUS SCRAM-SHA-256", binding=UNIQUE).name == "SCRAM-SHA-1-PLUS"

    def test_the_other_binding_is_used_only_when_asked_for_or_without_a_choice(self):
        taken = chosen(PASSWORD, EVERYTHING, binding=END_POINT)
        assert taken.name == "SCRAM-SHA-256"
        assert (taken.initial() or b"").startswith(b"n,")  # not "y": the server does offer -PLUS
        asked_for = chosen(Login("ada", "secret", mechanism="SCRAM-SHA-256-PLUS"), EVERYTHING, binding=END_POINT)
        assert (asked_for.initial() or b"").startswith(b"p=tls-server-end-point,")
        assert chosen(PASSWORD, "SCRAM-SHA-1-PLUS", binding=END_POINT).name == "SCRAM-SHA-1-PLUS"

    def test_the_server_is_told_that_we_could_when_it_offers_none(self):
        assert (chosen(PASSWORD, "SCRAM-SHA-256", binding=END_POINT).initial() or b"").startswith(b"y,")
        assert (chosen(PASSWORD, "SCRAM-SHA-256").initial() or b"").startswith(b"n,")

    def test_plus_alone_without_a_binding(self):
        assert "-PLUS works only" in refused(PASSWORD, "SCRAM-SHA-256-PLUS", secure=False)


class TestTokens:
    def test_the_standard_comes_first(self):
        login = Login("ada", token="secret")
        assert chosen(login, "PLAIN XOAUTH2 OAUTHBEARER", token="secret").name == "OAUTHBEARER"
        assert chosen(login, "LOGIN XOAUTH2", token="secret").name == "XOAUTH2"

    def test_host_port_and_whom_to_act_as(self):
        login = Login("ada", token="secret", authzid="office@example.org")
        assert chosen(login, "OAUTHBEARER", token="fresh").initial() == (
            b"n,a=office@example.org,\x01host=mail.example.org\x01port=465\x01auth=Bearer fresh\x01\x01"
        )
        assert chosen(login, "XOAUTH2", token="fresh").initial() == (
            b"user=office@example.org\x01auth=Bearer fresh\x01\x01"
        )

    def test_a_source_that_gave_nothing(self):
        assert "token source gave no token" in refused(Login("ada", token=lambda: ""), "XOAUTH2")
        assert "token is empty" in refused(Login("ada", token=lambda: ""), "XOAUTH2", token="")


class TestCertificate:
    def test_external(self):
        assert chosen(Login("ada"), "PLAIN EXTERNAL").initial() == b"ada"
        assert chosen(Login(""), "EXTERNAL").initial() == b""
        assert chosen(Login("ada", authzid="office"), "EXTERNAL").initial() == b"office"

    def test_is_not_taken_instead_of_a_password_unless_asked_for(self):
        assert chosen(PASSWORD, "EXTERNAL PLAIN").name == "PLAIN"
        assert chosen(Login("ada", "secret", mechanism="external"), "EXTERNAL PLAIN").name == "EXTERNAL"

    def test_no_credential_at_all(self):
        assert "neither password nor token: give it a password" in refused(Login("ada"), "PLAIN LOGIN")


class TestNothingInCommon:
    def test_both_lists_are_shown(self):
        said = refused(PASSWORD, "NTLM GSSAPI")
        assert "NTLM, GSSAPI" in said and "SCRAM-SHA-256, SCRAM-SHA-1, PLAIN, LOGIN, CRAM-MD5" in said

    def test_the_server_wants_oauth(self):
        assert "wants OAuth 2: give Login(user, token=…)" in refused(PASSWORD, "XOAUTH2")

    def test_the_server_wants_a_password(self):
        said = refused(Login("ada", token="secret"), "PLAIN LOGIN", token="secret")
        assert "wants a password instead of a token" in said and "OAUTHBEARER, XOAUTH2" in said

    def test_the_server_wants_a_certificate(self):
        assert "client certificate" in refused(PASSWORD, "EXTERNAL")

    def test_the_server_offers_no_login(self):
        assert "only after encryption" in refused(PASSWORD, "", secure=False)
        assert "submission port" in refused(PASSWORD, "")

    def test_the_offer_of_a_hostile_server_is_safe_to_print(self):
        said = refused(PASSWORD, " ".join(["\x1b[2JX", "‮"] + ["Y" * 500] * 50))
        assert said.isprintable() and len(said) < 800


class TestForced:
    def test_it_is_taken(self):
        assert chosen(Login("ada", "secret", mechanism="login"), EVERYTHING).name == "LOGIN"
        assert chosen(Login("ada", "secret", mechanism="CRAM-MD5"), EVERYTHING, secure=False).name == "CRAM-MD5"

    def test_it_is_not_offered(self):
        said = refused(Login("ada", "secret", mechanism="CRAM-MD5"), "PLAIN LOGIN")
        assert "does not offer CRAM-MD5" in said and "PLAIN, LOGIN" in said

    def test_it_is_not_ours(self):
        said = refused(Login("ada", "secret", mechanism="NTLM\x1b"), "NTLM")
        assert "NTLM\\x1b" in said and "SCRAM-SHA-256-PLUS" in said and "EXTERNAL" in said

    def test_it_needs_another_credential(self):
        said = refused(Login("ada", "secret", mechanism="XOAUTH2"), "XOAUTH2 PLAIN")
        assert "XOAUTH2 needs a token, and the login has a password" in said

    def test_it_can_t_act_as_somebody_else(self):
        said = refused(Login("ada", "secret", mechanism="LOGIN", authzid="office"), "LOGIN PLAIN")
        assert "LOGIN can't act as somebody else" in said


def test_acting_as_somebody_else_leaves_out_what_can_t():
    login = Login("ada", "secret", authzid="office")
    assert chosen(login, "LOGIN CRAM-MD5 PLAIN").name == "PLAIN"
    assert chosen(login, "PLAIN").initial() == b"office\0ada\0secret"
    assert "act as somebody else" in refused(login, "LOGIN CRAM-MD5")
