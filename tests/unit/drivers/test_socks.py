"""SOCKS 5 octet by octet, in memory and beside other plans (RFC 1928, RFC 1929)."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from mailwright import Message, Server
from mailwright.drivers import memory
from mailwright.smtp.opening import open_session
from mailwright.steps import Connect, Read, Together, Write
from mailwright.words.errors import ConfigError, ConnectError
from tests.dialogue import C, Do, Drop, HangUp, Raw, Rest, Some, hello, play
from tests.unit.drivers.driving import DRIVERS, deliver, drive, serving

IN_MEMORY = pytest.mark.parametrize("stage", ["memory", "bytes", "sevens"])
EACH = pytest.mark.parametrize("driver", DRIVERS)
GREETED = Raw(b"\5\0")
OPENED = Raw(b"\5\0\0\1" + bytes(6))


def behind(login: str = "", host: str = "mx.example.org") -> Server:
    """A mail server behind a SOCKS proxy."""
    return Server(host, 2525, "none", proxy=f"socks5://{login}proxy.example.org:1080")


@IN_MEMORY
@pytest.mark.parametrize(
    "answer",
    [b"\5\0\0\1" + bytes(6), b"\5\0\0\4" + bytes(18), b"\5\0\0\3\5proxy\0\0", b"\5\0\0\3\0\0\0"],
    ids=["IPv4", "IPv6", "name", "empty name"],
)
def test_whatever_address_the_proxy_uses(stage: str, answer: bytes) -> None:
    turns = [Some(3), GREETED, Some(21), Raw(answer), *hello("SIZE 10")]
    played = play(turns, open_session, stage, behind())
    assert played.result is None and played.session.features.size == 10


def test_a_greeting_that_comes_with_the_proxy_s_answer_is_not_lost() -> None:
    turns = [Some(3), GREETED, Some(21), Raw(OPENED.data + b"220 mx\r\n"), *hello()[1:]]
    assert play(turns, open_session, "memory", behind()).result is None


@IN_MEMORY
@pytest.mark.parametrize(
    ("login", "host", "said"),
    [
        ("", "192.0.2.7", b"\5\1\0" + b"\5\1\0\1\xc0\0\2\7\x09\xdd"),
        ("", "2001:db8::1", b"\5\1\0" + b"\5\1\0\4" + socket.inet_pton(socket.AF_INET6, "2001:db8::1") + b"\x09\xdd"),
        ("", "straße.example", b"\5\1\0" + b"\5\1\0\3\x15xn--strae-oqa.example\x09\xdd"),
        ("ada:s%C3%A9same@", "mx", b"\5\2\0\2" + b"\1\3ada\7s\xc3\xa9same" + b"\5\1\0\3\2mx\x09\xdd"),
        ("ada@", "mx", b"\5\2\0\2" + b"\1\3ada\0" + b"\5\1\0\3\2mx\x09\xdd"),
    ],
    ids=["IPv4", "IPv6", "another script", "login", "no password"],
)
def test_what_is_said(stage: str, login: str, host: str, said: bytes) -> None:
    rest = Rest()
    answers = [Raw(b"\5\2"), Raw(b"\1\0")] if login else [GREETED]
    error = play([*answers, Raw(b"\5\1"), rest], open_session, stage, behind(login, host)).error
    assert isinstance(error, ConnectError) and "General failure" in str(error)
    assert rest.octets == said


REFUSALS: dict[str, tuple[list[Any], str]] = {
    "short refusal": ([Some(3), GREETED, Some(21), Raw(b"\5\2"), Drop()], "not allowed by ruleset"),
    "unknown code": ([Some(3), GREETED, Some(21), Raw(b"\5\x63\0\1")], "the unknown code 99"),
    "unknown kind of address": ([Some(3), GREETED, Some(21), Raw(b"\5\0\0\2\0\0\0\0")], "not SOCKS 5"),
    "another version": ([Some(3), Raw(b"\4\0")], "not SOCKS 5"),
    "another version, later": ([Some(3), GREETED, Some(21), Raw(b"\4\0")], "not SOCKS 5"),
    "wants a login": ([Some(3), Raw(b"\5\2")], "it wants a login. The proxy wants a login: put user and password"),
    "no method": ([Some(3), Raw(b"\5\xff")], "it wants a login"),
    "cut off": ([Some(3), GREETED, Some(21), Raw(b"\5\0\0\3\5pro"), Drop()], "its answer is cut off"),
    "silent end": ([Some(3), Drop()], "it closed the connection without an answer"),
}


@IN_MEMORY
@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_told_once(stage: str, case: str) -> None:
    turns, words = REFUSALS[case]
    error = play([*turns, *([] if isinstance(turns[-1], Drop) else [HangUp()])], open_session, stage, behind()).error
    assert isinstance(error, ConnectError) and words in str(error)
    assert str(error).count("through the socks5 proxy") == 1 and error.phase == "connect"


def test_an_http_proxy_s_refusal_is_told_once_too() -> None:
    server = Server("mx.example.org", 2525, "none", proxy="http://proxy.example.org:3128")
    error = play([C("CONNECT mx.example.org:2525 HTTP/1.1"), Raw(b"nonsense")], open_session, "memory", server).error
    assert str(error).count("through the http proxy") == 1


@pytest.mark.parametrize("login", ["a" * 256 + ":x@", "ada:" + "%C3%A9" * 128 + "@"])
def test_a_login_too_long_to_be_said_is_refused_before_anything_is_connected(login: str) -> None:
    reached: list[int] = []
    turns = [Do(lambda: reached.append(1)), Some(1)]
    time = memory.Time()
    near, far = memory.pair(time)
    near.refusal = AssertionError("connected")

    async def plan() -> None:
        await Connect("mx.example.org", 25, 5, proxy=behind(login).proxy)

    with pytest.raises(ConfigError, match="can't be said to a SOCKS proxy"):
        memory.alone(plan(), near)
    assert not far.incoming.pieces and turns and not reached


def test_a_name_too_long_to_be_said() -> None:
    near, _ = memory.pair(memory.Time())

    async def plan() -> None:
        await Connect("x." * 200 + "org", 25, 5, proxy="socks5://proxy.example.org:1080")

    with pytest.raises(ConnectError, match="no such host name") as caught:
        memory.alone(plan(), near)
    assert not caught.value.temporary


@EACH
def test_a_proxy_that_has_no_name_is_not_worth_another_try(driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = deliver(driver, Server("mx.example.org", 25, "none", proxy="socks5://no-such-proxy.invalid:1080"))
    assert isinstance(error, ConnectError) and not error.temporary and "there is no such host name" in str(error)


@EACH
def test_a_proxy_does_not_keep_other_plans_waiting(driver: str) -> None:
    """Two plans side by side: the proxy of one answers only when the other has spoken."""
    spoken = threading.Event()

    def proxy(client: socket.socket) -> None:
        client.recv(3)
        client.sendall(GREETED.data)
        client.recv(100)
        if spoken.wait(5):
            client.sendall(OPENED.data + b"220 behind")
            client.recv(1)

    def server(client: socket.socket) -> None:
        client.recv(5)
        spoken.set()
        client.recv(1)

    async def proxied(port: int) -> bytes:
        await Connect("mx.example.org", 25, 10, proxy=f"socks5://127.0.0.1:{port}")
        return await Read(5)

    async def plain(port: int) -> None:
        await Connect("127.0.0.1", port, 5)
        await Write(b"hello", 5)

    async def both(first: int, second: int) -> Any:
        return await Together((proxied(first), plain(second)))

    with serving(proxy) as one, serving(server) as two:
        assert drive(driver, both(one, two)) == [b"220 behind", None]


@EACH
def test_the_source_address_counts_on_the_way_to_the_proxy(driver: str) -> None:
    came: list[str] = []

    def proxy(client: socket.socket) -> None:
        came.append(client.getpeername()[0])
        client.recv(3)

    with serving(proxy) as port:
        server = Server("mx.example.org", 25, "none", proxy=f"socks5://127.0.0.1:{port}", source_address="127.0.0.9")
        error = deliver(driver, server, Message("ada@example.org", "bob@example.org", "Hi", "there"))
    assert isinstance(error, ConnectError) and came == ["127.0.0.9"]
