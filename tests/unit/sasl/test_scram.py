"""SCRAM against servers that lie, that are weak, or that want us to compute for ever; and its channel binding."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.sasl.channel_binding import ChannelBinding
from mailwright.sasl.scram import (
    MAX_ITERATIONS,
    MIN_ITERATIONS,
    Scram,
    ScramSHA1,
    ScramSHA1Plus,
    ScramSHA256,
    ScramSHA256Plus,
    derive,
)
from mailwright.sasl.verify import Verifier, verifier
from mailwright.words.errors import LoginError
from mailwright.words.secret import Secret
from mailwright.words.server import Login
from tests.unit.sasl.talk import talk

BINDING = ChannelBinding("tls-unique", b"\x00finished, with a comma\xff")
OTHER = ChannelBinding("tls-unique", b"somebody else's connection")
FAMILY = [ScramSHA1, ScramSHA256, ScramSHA1Plus, ScramSHA256Plus]


def client_of(scram: type[Scram] = ScramSHA256, **settings: object) -> Scram:
    settings = {"nonce": "clientnonce", "channel_binding": BINDING if scram.plus else None, **settings}
    return scram("user", Secret("pencil"), **settings)  # type: ignore[arg-type]


def server_of(scram: type[Scram] = ScramSHA256, **settings: object) -> Verifier:
    settings = {"nonce": "servernonce", "channel_binding": BINDING if scram.plus else None, **settings}
    made = verifier(scram.name, [Login("user", "pencil")], **settings)  # type: ignore[arg-type]
    assert made is not None
    return made


@pytest.mark.parametrize("scram", FAMILY)
def test_both_ends_agree(scram: type[Scram]):
    assert talk(client_of(scram), server_of(scram))
    assert talk(client_of(scram), server_of(scram), with_auth=False)


FIRSTS = {
    "nonce is somebody else's": b"r=othernonceservernonce,s=c2FsdA==,i=4096",
    "nonce is ours alone": b"r=clientnonce,s=c2FsdA==,i=4096",
    "nonce with a blank": b"r=clientnonce x,s=c2FsdA==,i=4096",
    "nonce with a high octet": b"r=clientnonce\xff,s=c2FsdA==,i=4096",
    "no salt": b"r=clientnonceX,s=,i=4096",
    "salt that is not base64": b"r=clientnonceX,s=c2F=sdA,i=4096",
    "salt with a line break": b"r=clientnonceX,s=c2Fs\ndA==,i=4096",
    "order": b"s=c2FsdA==,r=clientnonceX,i=4096",
    "a field is missing": b"r=clientnonceX,s=c2FsdA==",
    "nothing at all": b"",
    "extension that must be known": b"m=ext,r=clientnonceX,s=c2FsdA==,i=4096",
    "too few iterations": b"r=clientnonceX,s=c2FsdA==,i=%d" % (MIN_ITERATIONS - 1),
    "too many iterations": b"r=clientnonceX,s=c2FsdA==,i=%d" % (MAX_ITERATIONS + 1),
    "absurdly many iterations": b"r=clientnonceX,s=c2FsdA==,i=" + b"9" * 6000,
    "iterations below nought": b"r=clientnonceX,s=c2FsdA==,i=-4096",
    "iterations with a sign": b"r=clientnonceX,s=c2FsdA==,i=+4096",
    "iterations with a leading nought": b"r=clientnonceX,s=c2FsdA==,i=04096",
    "iterations in other digits": "r=clientnonceX,s=c2FsdA==,i=٤٠٩٦".encode(),
    "a success that came too early": b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
}


@pytest.mark.parametrize("message", FIRSTS.values(), ids=FIRSTS.keys())
def test_a_bad_first_message_is_refused(message: bytes):
    client = client_of()
    client.initial()
    with pytest.raises(LoginError) as refused:
        client.respond(message)
    assert refused.value.phase == "auth" and "SCRAM-SHA-256" in str(refused.value)
    with pytest.raises(LoginError):
        client.finish()


@pytest.mark.parametrize("count", [MIN_ITERATIONS, 10_000])
def test_the_iterations_in_between_are_fine(count: int):
    assert talk(client_of(), server_of(iterations=count))


def test_an_extension_that_must_be_known_is_named_as_the_reason():
    client = client_of()
    client.initial()
    with pytest.raises(LoginError, match="extension"):
        client.respond(FIRSTS["extension that must be known"])


def test_a_proof_for_another_nonce_is_refused():
    """A client that could choose the whole nonce could say again what it once heard."""
    server = server_of(salt=b"salt")
    server.step(b"n,,n=user,r=clientnonce")
    said = "c=biws,r=clientnonceother"
    exchange = f"n=user,r=clientnonce,r=clientnonceservernonce,s=c2FsdA==,i=4096,{said}".encode()
    proof = derive("sha256", b"pencil", b"salt", 4096).proof("sha256", exchange)
    assert server.step(f"{said},p={b64encode(proof).decode()}".encode()) == b"e=other-error"
    assert server.step(b"") is None and not server.ok


def test_unknown_extensions_of_the_first_message_are_ignored():
    client = client_of()
    client.initial()
    assert client.respond(b"r=clientnonceX,s=c2FsdA==,i=4096,x=whatever").startswith(b"c=biws,r=clientnonceX,p=")


FINALS = {
    "a wrong signature": b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    "no signature": b"v=",
    "a signature that is not base64": b"v=***",
    "nothing": b"",
    "something else": b"r=clientnonce",
}


@pytest.mark.parametrize("message", FINALS.values(), ids=FINALS.keys())
def test_a_bad_final_message_is_refused(message: bytes):
    def swapped(challenge: bytes) -> bytes:
        return message if challenge.startswith(b"v=") else challenge

    client = client_of()
    with pytest.raises(LoginError):
        talk(client, server_of(), on_the_way=swapped)
    with pytest.raises(LoginError):
        client.finish()


@given(st.data())
def test_no_change_on_the_way_goes_unseen(data: st.DataObject):
    """One changed octet in whatever the server says ends the login, on one side or the other."""

    def changed(challenge: bytes) -> bytes:
        place = data.draw(st.integers(0, len(challenge) - 1))
        octet = data.draw(st.integers(0, 255).filter(lambda value: value != challenge[place]))
        return challenge[:place] + bytes([octet]) + challenge[place + 1 :]

    try:
        assert not talk(client_of(), server_of(), on_the_way=changed)
    except LoginError as refused:
        assert "pencil" not in str(refused)


def test_success_without_proof_is_no_success():
    client = client_of()
    with pytest.raises(LoginError, match="without proving"):
        client.finish()  # a 235 right after AUTH
    client.initial()
    client.respond(b"r=clientnonceX,s=c2FsdA==,i=4096")
    with pytest.raises(LoginError, match="without proving"):
        client.finish()  # a 235 in the place of the signature


def test_a_wrong_password_leaves_the_word_to_the_server():
    client = ScramSHA256("user", Secret("pencils"), nonce="clientnonce")
    assert not talk(client, server_of())
    assert client.failure == "invalid-proof"
    with pytest.raises(LoginError):
        client.finish()


def test_the_end_is_the_end():
    client, server = client_of(), server_of()
    assert talk(client, server)
    with pytest.raises(LoginError):
        client.respond(b"")
    assert server.step(b"") is None and server.ok


def test_an_error_of_the_server_is_safe_to_print():
    client = client_of()
    client.initial()
    client.respond(b"r=clientnonceX,s=c2FsdA==,i=4096")
    assert client.respond(b"e=other-error\x1b[2J\xff" + b"x" * 1000) == b""
    assert client.failure.isprintable() and len(client.failure) < 150


class TestChannelBinding:
    def test_header(self):
        plain = client_of(ScramSHA256, authzid="a,b=c")
        assert plain.initial() == b"n,a=a=2Cb=3Dc,n=user,r=clientnonce"
        could = client_of(ScramSHA256, channel_binding=BINDING)
        assert could.initial() == b"y,,n=user,r=clientnonce"
        rather_not = client_of(ScramSHA256, channel_binding=BINDING, plus_offered=True)
        assert rather_not.initial() == b"n,,n=user,r=clientnonce"
        bound = client_of(ScramSHA256Plus, plus_offered=True)
        assert bound.initial() == b"p=tls-unique,,n=user,r=clientnonce"

    @pytest.mark.parametrize("scram", [ScramSHA1Plus, ScramSHA256Plus])
    def test_somebody_in_between_is_found_out(self, scram: type[Scram]):
        with pytest.raises(LoginError, match="channel-bindings-dont-match"):
            talk(client_of(scram, channel_binding=OTHER), server_of(scram))

    def test_an_offer_that_was_changed_is_found_out(self):
        """The server has -PLUS, somebody took it out of EHLO, and so the client says that it could."""
        assert not talk(client_of(ScramSHA256, channel_binding=BINDING), server_of(channel_binding=BINDING))

    def test_a_server_without_binding_takes_a_client_that_could(self):
        assert talk(client_of(ScramSHA256, channel_binding=BINDING), server_of())

    def test_a_client_without_binding_is_taken(self):
        assert talk(client_of(), server_of(channel_binding=BINDING))

    def test_another_type_is_refused(self):
        binding = ChannelBinding("tls-server-end-point", BINDING.data)
        assert not talk(client_of(ScramSHA256Plus, channel_binding=binding), server_of(ScramSHA256Plus))

    def test_plus_needs_something_to_bind_to(self):
        with pytest.raises(LoginError, match="nothing to bind it to"):
            client_of(ScramSHA256Plus, channel_binding=None)


@pytest.mark.parametrize("nonce", ["", "a,b", "a b", "a\n", "é"])
def test_a_nonce_that_would_break_the_message_is_refused(nonce: str):
    with pytest.raises(LoginError, match="nonce"):
        client_of(nonce=nonce)


def test_names_are_prepared_and_escaped():
    client = ScramSHA256("I\u00adX,=", Secret("p"), nonce="n")
    assert client.initial() == b"n,,n=IX=2C=3D,r=n"
    newer = ScramSHA256("😀", Secret("p"), nonce="n")  # unknown to Unicode 3.2, and fine in a name (RFC 5802 §5.1)
    assert newer.initial() == "n,,n=😀,r=n".encode()


@pytest.mark.parametrize("user", ["", "\u00ad", "\u0627\u0031", "a\x01", "\udcff"])
def test_a_user_name_that_can_t_be_prepared_is_refused(user: str):
    with pytest.raises(LoginError, match="user name"):
        ScramSHA256(user, Secret("p"), nonce="n")


@pytest.mark.parametrize("name", ["a=da", "a=2cda", "ada="])
def test_a_name_that_is_not_escaped_is_refused(name: str):
    """RFC 5802 §5.1: a server that finds a "=" before neither 2C nor 3D must fail the login."""
    server = verifier("SCRAM-SHA-256", [Login(name, "pencil")], nonce="servernonce")
    assert server is not None
    assert server.step(f"n,,n={name},r=clientnonce".encode()) is None and not server.ok
