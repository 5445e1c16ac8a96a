"""EHLO: the name that we give, and what is made of the answer, however it is written. The fault catalogue, B."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.smtp.features import Features, features_of
from mailwright.smtp.opening import open_session, own_name
from mailwright.smtp.session import Session, say_hello
from mailwright.steps import Peer
from mailwright.words.errors import ConfigError, ProtocolError, Timeout
from mailwright.words.reply import Reply
from mailwright.words.server import Server
from tests.dialogue import EHLO, STAGES, C, HangUp, Pause, Raw, S, hello, patient, play, send

each_stage = pytest.mark.parametrize("stage", STAGES)
MAIL = C("MAIL FROM:<ada@example.org>")


# B24. Keywords as servers write them


def offered(*lines: str) -> Features:
    return features_of(Reply(250, ("mx.example.org at your service", *lines)))


@pytest.mark.parametrize(
    ("lines", "keywords"),
    [
        (["PIPELINING"], {"PIPELINING": ()}),
        (["pipelining", "StartTLS", "8bitmime"], {"PIPELINING": (), "STARTTLS": (), "8BITMIME": ()}),
        (["  PIPELINING", "SIZE  1000 ", "\tDSN"], {"PIPELINING": (), "SIZE": ("1000",), "DSN": ()}),
        (["AUTH PLAIN LOGIN"], {"AUTH": ("PLAIN", "LOGIN")}),
        (["AUTH=PLAIN LOGIN"], {"AUTH": ("PLAIN", "LOGIN")}),
        (["auth=login"], {"AUTH": ("login",)}),
        (["SIZE"], {"SIZE": ()}),
        (["", "  "], {}),
        (["X=1 2"], {"X=1": ("2",)}),
    ],
)
def test_b24_keywords(lines: list[str], keywords: dict[str, tuple[str, ...]]) -> None:
    found = offered(*lines)
    assert dict(found.keywords) == keywords
    assert found.name == "mx.example.org"


@pytest.mark.parametrize(
    ("lines", "mechanisms"),
    [
        (["AUTH PLAIN LOGIN", "AUTH=PLAIN LOGIN"], ("PLAIN", "LOGIN")),
        (["AUTH=LOGIN", "AUTH XOAUTH2 login"], ("LOGIN", "XOAUTH2")),
        (["AUTH"], ()),
        ([], ()),
    ],
)
def test_b24_mechanisms_of_both_forms_are_one_list(lines: list[str], mechanisms: tuple[str, ...]) -> None:
    assert offered(*lines).mechanisms == mechanisms


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("SIZE 1000", 1000),
        ("SIZE", None),
        ("SIZE 0", None),
        ("SIZE -1", None),
        ("SIZE many", None),
        ("SIZE ²", None),
        ("SIZE ١٠", None),
        ("SIZE 1e3", None),
        ("SIZE " + "9" * 19, 9999999999999999999),
        ("SIZE " + "9" * 20, None),
    ],
)
def test_b24_a_size_is_a_number_or_no_limit(line: str, size: int | None) -> None:
    assert offered(line).size == size


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("LIMITS RCPTMAX=50", 50),
        ("limits mailmax=3 rcptmax=7", 7),
        ("LIMITS RCPTMAX=0", None),
        ("LIMITS RCPTMAX=-1", None),
        ("LIMITS RCPTMAX=x", None),
        ("LIMITS RCPTMAX", None),
        ("LIMITS", None),
    ],
)
def test_b24_a_number_of_recipients(line: str, count: int | None) -> None:
    assert offered(line).recipients == count


@given(st.lists(st.text(max_size=30), max_size=10))
def test_b24_no_answer_breaks_the_reading(lines: list[str]) -> None:
    found = offered(*lines)
    assert all(name == name.upper() and name.strip() == name for name, _ in found.keywords)
    assert found.size is None or found.size > 0
    assert found.recipients is None or found.recipients > 0


# B25. More than any server has to say


@pytest.mark.parametrize("stage", ["memory", "sync", "aio", "trio"])
@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"250-mx\r\n" + b"250-X-CAPABILITY\r\n" * 10_000 + b"250 END\r\n", "does not end after"),
        (b"250-mx\r\n" + (b"250-" + b"x" * 4000 + b"\r\n") * 300, "does not end after"),
        (b"250-mx\r\n250 SIZE " + b"9" * 1_000_000 + b"\r\n", "a line of more than"),
    ],
    ids=["10,000 capabilities", "a megabyte of lines", "a megabyte in a line"],
)
def test_b25_a_flood_of_capabilities(stage: str, said: bytes, words: str) -> None:
    error = send([S("220 mx"), C(EHLO), Raw(said), HangUp()], stage=stage).error
    assert isinstance(error, ProtocolError) and error.phase == "ehlo" and words in str(error)
    assert len(str(error.transcript)) < 20_000


@each_stage
def test_b25_a_long_list_is_no_flood(stage: str) -> None:
    played = play(hello(*(f"X-{number} a b c" for number in range(300))), open_session, stage)
    assert played.result is None and len(played.session.features.keywords) == 300


# B28. What ends a line


@each_stage
def test_b28_lf_alone_ends_a_line_of_theirs(stage: str) -> None:
    turns = [Raw(b"220 mx\n"), C(EHLO), Raw(b"250-mx\n250-SIZE 10\r\n250 DSN\n")]
    played = play(turns, open_session, stage)
    assert played.result is None and dict(played.session.features.keywords) == {"SIZE": ("10",), "DSN": ()}


@pytest.mark.parametrize("stage", ["memory", "bytes", "sevens"])
def test_b28_cr_alone_does_not(stage: str) -> None:
    error = send([Raw(b"220 mx\r"), Pause(3600)], stage=stage).error
    assert isinstance(error, Timeout) and error.phase == "greeting"


@each_stage
def test_b28_nor_does_it_hide_a_second_reply_in_the_first(stage: str) -> None:
    turns = [*hello(), MAIL, Raw(b"250 ok\r550 no\r250 ok\r\n"), C("RCPT TO:<bob@example.org>"), S("550 no")]
    error = send([*turns, C("RSET"), S("250 ok")], stage=stage).error
    assert error.receipt.refused[0].reply.code == 550
    assert "250 ok\\x0d550 no" in str(error.transcript)


# B31. Who we say we are


@pytest.mark.parametrize(
    ("server", "local", "name"),
    [
        (patient(), "192.0.2.7", "[192.0.2.7]"),
        (patient(), "2001:db8::7", "[IPv6:2001:db8::7]"),
        (patient(), "fe80::1%eth0", "[IPv6:fe80::1]"),
        (patient(), "", "[127.0.0.1]"),
        (patient(proxy="socks5://127.0.0.1:1080"), "10.0.0.7", "[127.0.0.1]"),
        (Server("localhost", 25, "none", path="smtp.sock"), "", "[127.0.0.1]"),
    ],
    ids=["IPv4", "IPv6", "zone", "none", "proxy", "path"],
)
def test_b31_the_address_of_our_end(server: Server, local: str, name: str) -> None:
    session = Session(server)
    session.peer = Peer("192.0.2.1", local)
    assert own_name(session) == name


@each_stage
def test_b31_a_name_that_was_given_is_said(stage: str) -> None:
    turns = [S("220 mx"), C("EHLO mail_1.example.org"), S("250 mx")]
    assert play(turns, open_session, stage, patient(hello="mail_1.example.org")).result is None


@pytest.mark.parametrize("name", ["a\r\nMAIL FROM:<eve@example.org>", "a\nb", "a\0b", "a b", "rechner-ü", "a\x7f", ""])
def test_b31_a_name_that_is_none_is_refused_before_anything_is_connected(name: str) -> None:
    with pytest.raises(ConfigError, match="can't be said in EHLO"):
        patient(hello=name)


def test_b31_the_name_of_this_machine_is_never_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold anything (an underscore, a blank, letters outside ASCII), and asking for it may take long."""

    def asked(*_: Any) -> str:
        raise AssertionError("nobody may ask")

    for function in ("gethostname", "getfqdn", "gethostbyaddr", "gethostbyname"):
        monkeypatch.setattr(socket, function, asked)
    for stage in ("sync", "aio", "trio"):
        assert play(hello(), open_session, stage).result is None


# B32. Another answer


@each_stage
def test_b32_the_newest_answer_counts(stage: str) -> None:
    async def twice(session: Session) -> list[Any]:
        await open_session(session)
        before = session.features
        await say_hello(session, "[127.0.0.1]")
        return [before, session.features]

    turns = [*hello("SIZE 10", "PIPELINING", "AUTH PLAIN"), C(EHLO), S("250-mx.example.org", "250 SIZE 20")]
    before, after = play(turns, twice, stage).result
    assert before.size == 10 and "PIPELINING" in before and before.mechanisms == ("PLAIN",)
    assert after.size == 20 and "PIPELINING" not in after and after.mechanisms == ()


@each_stage
def test_b32_after_helo_nothing_is_offered(stage: str) -> None:
    async def twice(session: Session) -> Features:
        await open_session(session)
        await say_hello(session, "[127.0.0.1]")
        return session.features

    helo = [C(EHLO), S("502 not again"), C("HELO [127.0.0.1]"), S("250 mx")]
    assert play([*hello("SIZE 10", "PIPELINING"), *helo], twice, stage).result.keywords == ()
