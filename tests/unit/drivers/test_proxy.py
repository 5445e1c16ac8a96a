"""Through SOCKS 5 and HTTP CONNECT, by every door: what the proxy hears, what it may answer, what must not be shown."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import trio

from mailwright import AsyncMailer, Inbox, Login, Server
from mailwright.drivers import memory
from mailwright.errors import ConfigError, MessageError
from mailwright.options import Timeouts
from mailwright.smtp.opening import open_session
from mailwright.steps import Connect, Exchange, Outgoing, Read
from mailwright.words.errors import ConnectError, DeliveryError, ProtocolError
from mailwright.words.value import replace
from tests.dialogue import EHLO, C, Content, Drop, HangUp, Raw, S, Script, following, hello, play
from tests.unit.drivers.driving import DRIVERS, MESSAGE, deliver, serving
from tests.unit.test_house import everything_about, forms

SECRET = "kanarienvogel-7f3a-Zwitschern"
LOGIN = f"ada:{SECRET}@"
each_door = pytest.mark.parametrize("door", DRIVERS)
each_kind = pytest.mark.parametrize("kind", ["socks5", "http"])


class Proxy:
    """What a proxy on loopback knows: its `port`, where its `target` listens, and what it `heard` from clients."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.heard: list[Any] = []

    def join(self, client: socket.socket, server: socket.socket) -> None:
        """Carry octets in both directions until one side closes."""

        def carry(source: socket.socket, sink: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    sink.sendall(data)
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

        back = threading.Thread(target=carry, args=(server, client), daemon=True)
        back.start()
        carry(client, server)
        back.join(20)
        server.close()

    def reach(self) -> socket.socket:
        """The mail server, wherever the client believes it to be."""
        return socket.create_connection(("127.0.0.1", self.target), 20)


@contextmanager
def running(behave: Callable[[Proxy, socket.socket], None], target: int) -> Iterator[Proxy]:
    """A proxy that does `behave` with each client."""
    proxy = Proxy(target)
    with serving(partial(behave, proxy)) as proxy.port:
        yield proxy


@contextmanager
def proxied(behave: Callable[[Proxy, socket.socket], None], *turns: Any) -> Iterator[Proxy]:
    """That proxy in front of a mail server which follows the turns."""
    scripts = [Script(list(turns))] if turns else []
    with following(*scripts) as port, running(behave, port) as proxy:
        yield proxy


def octets(client: socket.socket, count: int) -> bytes:
    """Exactly so many."""
    found = b""
    while len(found) < count:
        data = client.recv(count - len(found))
        if not data:
            raise ConnectionError("the client closed")
        found += data
    return found


def socks(code: int = 0, login: tuple[str, str] | None = None, method: int | None = None) -> Any:
    """A SOCKS 5 proxy (RFC 1928, RFC 1929) that answers with that code, and lets in who has that login."""

    def behave(proxy: Proxy, client: socket.socket) -> None:
        version, count = octets(client, 2)
        methods = octets(client, count)
        assert version == 5
        chosen = method if method is not None else (2 if login else 0)
        client.sendall(bytes((5, chosen if chosen in methods else 255)))
        if login and chosen in methods:
            _, size = octets(client, 2)
            user = octets(client, size).decode()
            proxy.heard.append((user, octets(client, octets(client, 1)[0]).decode()))
            client.sendall(bytes((1, proxy.heard[-1] != login)))
        _, command, _, kind = octets(client, 4)
        host = octets(client, octets(client, 1)[0] if kind == 3 else {1: 4, 4: 16}[kind])
        proxy.heard.append((command, kind, host, int.from_bytes(octets(client, 2), "big")))
        client.sendall(bytes((5, code, 0, 1)) + bytes(6))
        if code == 0:
            proxy.join(client, proxy.reach())

    return behave


def request(client: socket.socket) -> list[str]:
    """The lines of an HTTP request."""
    found = b""
    while not found.endswith(b"\r\n\r\n"):
        found += octets(client, 1)
    return found.decode("latin-1").split("\r\n")[:-2]


def http(answer: bytes = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n", pieces: bool = False) -> Any:
    """An HTTP proxy that answers so, at once or octet by octet, and joins both sides if that was a yes."""

    def behave(proxy: Proxy, client: socket.socket) -> None:
        proxy.heard.append(request(client))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in [bytes((octet,)) for octet in answer] if pieces else [answer]:
            client.sendall(piece)
        if answer[9:10] == b"2":
            proxy.join(client, proxy.reach())

    return behave


PLAIN = [
    *[S("220 mx.example.org"), C(EHLO), S("250 mx.example.org"), C("MAIL FROM:<ada@example.org>"), S("250 ok")],
    *[C("RCPT TO:<bob@example.org>"), S("250 ok"), C("DATA"), S("354 go"), Content(), S("250 ok"), C("QUIT")],
    S("221 bye"),
]


def through(proxy: Proxy, kind: str, login: str = "", host: str = "mx.example.org", **settings: Any) -> Server:
    """A server behind that proxy, which no resolver here knows."""
    return Server(host, 2525, "none", proxy=f"{kind}://{login}127.0.0.1:{proxy.port}", **settings)


@each_door
def test_socks(door: str) -> None:
    """The proxy looks up the name; our own address, which the server does not see, is not told (the turns check EHLO)."""
    with proxied(socks(), *PLAIN) as proxy:
        assert deliver(door, through(proxy, "socks5")).complete
    assert proxy.heard == [(1, 3, b"mx.example.org", 2525)]


@each_door
def test_socks_with_a_login(door: str) -> None:
    with proxied(socks(login=("ada", SECRET)), *PLAIN) as proxy:
        assert deliver(door, through(proxy, "socks5h", LOGIN, "192.0.2.7")).complete
    assert proxy.heard == [("ada", SECRET), (1, 1, socket.inet_aton("192.0.2.7"), 2525)]


@each_door
@pytest.mark.parametrize("pieces", [False, True])
def test_http(door: str, pieces: bool) -> None:
    with proxied(http(pieces=pieces), *PLAIN) as proxy:
        assert deliver(door, through(proxy, "http")).complete
    assert proxy.heard == [["CONNECT mx.example.org:2525 HTTP/1.1", "Host: mx.example.org:2525"]]


@each_door
def test_http_with_a_login(door: str) -> None:
    with proxied(http(b"HTTP/1.0 200\r\n\r\n"), *PLAIN) as proxy:
        assert deliver(door, through(proxy, "http", "ada%40example.org:s%C3%A9same:x@", "2001:db8::1")).complete
    basic = base64.b64encode("ada@example.org:sésame:x".encode()).decode()
    assert proxy.heard == [
        ["CONNECT [2001:db8::1]:2525 HTTP/1.1", "Host: [2001:db8::1]:2525", f"Proxy-Authorization: Basic {basic}"]
    ]


@each_door
def test_a_greeting_that_comes_with_the_proxy_s_answer_is_not_lost(door: str) -> None:
    """Mail servers speak first; a proxy may pass on their greeting in one piece with its own last words."""

    def behave(proxy: Proxy, client: socket.socket) -> None:
        request(client)
        server = proxy.reach()
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + server.recv(100))
        proxy.join(client, server)

    with proxied(behave, *PLAIN) as proxy:
        assert deliver(door, through(proxy, "http")).complete


@each_door
@each_kind
def test_tls_and_login_go_through_to_the_server(door: str, kind: str) -> None:
    with Inbox(login=("ada", "sesame")) as inbox:
        with running(socks() if kind == "socks5" else http(), inbox.server.port) as proxy:
            receipt = deliver(door, replace(inbox.server, proxy=f"{kind}://127.0.0.1:{proxy.port}"))
        assert receipt.complete and receipt.tls is not None and receipt.tls.verified and receipt.login == "ada"
        assert len(inbox.messages) == 1 and len(proxy.heard) == 1


def nothing(proxy: Proxy, client: socket.socket) -> None:
    """Hear everything and say nothing."""
    while client.recv(65536):
        pass


def hang_up(proxy: Proxy, client: socket.socket) -> None:
    """Close when the client has spoken."""
    client.recv(65536)


def says(answer: bytes) -> Any:
    """Answer so whatever the client said."""

    def behave(proxy: Proxy, client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(answer)
        nothing(proxy, client)

    return behave


HTML = b"<html><body>Please log in to the hotel\x1b[2J</body></html>"
REFUSALS = {
    "socks: not allowed": ("socks5", socks(2), "not allowed by ruleset"),
    "socks: host unreachable": ("socks5", socks(4), "Host unreachable"),
    "socks: no such code": ("socks5", socks(77), "through the socks5 proxy"),
    "socks: another login": ("socks5", socks(login=("ada", "x")), "it refused the login"),
    "socks: another method": ("socks5", socks(method=1), "takes no login by user name and password"),
    "socks: hangs up": ("socks5", hang_up, "through the socks5 proxy"),
    "socks: says nothing": ("socks5", nothing, "no answer in time"),
    "socks: is HTTP": ("socks5", says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "its answer is not SOCKS 5"),
    "http: 403": (
        "http",
        http(b"HTTP/1.1 403 Forbidden\r\n\r\n" + HTML),
        "it answered 403 Forbidden. The proxy forbids",
    ),
    "http: 407": ("http", http(b"HTTP/1.1 407 Who?\r\n\r\n"), "The proxy wants a login"),
    "http: 405": ("http", http(b"HTTP/1.1 405 No\r\n\r\n"), "forbids CONNECT"),
    "http: 502": ("http", http(b"HTTP/1.1 502 \x1b[2J\xe9\r\n\r\n"), "it answered 502 \\x1b[2J"),
    "http: only HTML": ("http", http(HTML), "is not HTTP: <html><body>Please log in"),
    "http: another protocol": ("http", http(b"SSH-2.0-x\r\n"), "is not HTTP: SSH-2.0-x"),
    "http: a code of other digits": ("http", http("HTTP/1.1 ²00 OK\r\n\r\n".encode()), "is not HTTP"),
    "http: endless": ("http", http(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000), "no end within 16384 octets"),
    "http: cut off": ("http", http(b"HTTP/1.1 403 For"), "cut off"),
    "http: hangs up": ("http", hang_up, "closed the connection without an answer"),
    "http: says nothing": ("http", nothing, "no answer in time"),
}


@each_door
@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_named_and_nothing_is_shown(door: str, case: str) -> None:
    kind, behave, words = REFUSALS[case]
    with proxied(behave) as proxy:
        server = through(proxy, kind, LOGIN, timeouts=Timeouts(connect=0.3 if "nothing" in case else 20))
        error = deliver(door, server)
        shown = everything_about(error) + repr(server)
    assert isinstance(error, ConnectError) and error.temporary and error.phase == "connect"
    assert str(error).startswith(f"No connection to mx.example.org:2525 through the {kind} proxy: ")
    assert words in str(error) and "\x1b" not in str(error)
    for form in (*forms(SECRET), *forms(f"ada:{SECRET}")):
        assert form not in shown, shown[max(0, shown.find(form) - 300) : shown.find(form) + 40]


@each_door
@each_kind
def test_no_proxy_at_all(door: str, kind: str) -> None:
    error = deliver(door, Server("mx.example.org", 25, "none", proxy=f"{kind}://{LOGIN}127.0.0.1:1"))
    assert isinstance(error, ConnectError) and "onnection refused" in str(error)
    assert f"through the {kind} proxy: " in str(error) and "Check that the proxy runs" in str(error)


@each_door
def test_a_page_in_place_of_the_tunnel_is_no_mail_server(door: str) -> None:
    with proxied(http(b"HTTP/1.1 200 OK\r\n\r\n" + HTML + b"\r\n"), S("220 x"), HangUp()) as proxy:
        error = deliver(door, through(proxy, "http"))
    assert isinstance(error, ProtocolError) and "a web server" in str(error)


@pytest.mark.parametrize("door", ["asyncio", "trio"])
@each_kind
def test_a_cancellation_shows_nothing_either(door: str, kind: str) -> None:
    caught: list[BaseException] = []
    waiting = threading.Event()

    def behave(proxy: Proxy, client: socket.socket) -> None:
        if kind == "socks5":
            octets(client, 2 + 2)
            client.sendall(b"\5\2")
        client.recv(100)
        waiting.set()
        nothing(proxy, client)

    async def task(server: Server) -> None:
        async with AsyncMailer(server) as mailer:
            try:
                await mailer.send(MESSAGE)
            except BaseException as problem:
                caught.append(problem)
                raise

    async def with_asyncio(server: Server) -> None:
        running = asyncio.create_task(task(server))
        await asyncio.to_thread(waiting.wait, 20)
        running.cancel()
        await asyncio.wait([running])

    async def with_trio(server: Server) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task, server)
            await trio.to_thread.run_sync(waiting.wait, 20)
            nursery.cancel_scope.cancel()

    with proxied(behave) as proxy:
        server = through(proxy, kind, LOGIN)
        asyncio.run(with_asyncio(server)) if door == "asyncio" else trio.run(with_trio, server)
    (cancelled,) = caught
    shown = everything_about(cancelled)
    assert isinstance(cancelled.__cause__, DeliveryError) and cancelled.__cause__.phase == "connect"
    for form in (*forms(SECRET), *forms(f"ada:{SECRET}")):
        assert form not in shown, shown[max(0, shown.find(form) - 300) : shown.find(form) + 40]


@pytest.mark.parametrize("host", ["mx.example.org\r\nX: y", "mx.example.org\n", "a b", "mx\0", "mx\x7f"])
def test_a_host_that_would_end_the_line_is_refused(host: str) -> None:
    """Twice: where the server is described, and where the request is written."""
    with pytest.raises(ConfigError, match="is not a host name"):
        Server(host, 25, proxy="http://127.0.0.1:3128")
    near, far = memory.pair(memory.Time())

    async def connect() -> None:
        await Connect(host, 25, 5, proxy="http://127.0.0.1:3128")

    if " " not in host:
        with pytest.raises(MessageError):
            memory.alone(connect(), near)
        assert not far.incoming.pieces


UNUSABLE = [
    f"http://{LOGIN}127.0.0.1",  # no port
    f"socks5://{LOGIN}:1080",
    f"socks4://{LOGIN}127.0.0.1:1080",
    f"https://{LOGIN}127.0.0.1:1080",
    f"{LOGIN}127.0.0.1:1080",
    f"http://{LOGIN}127.0.0.1:99999",
    f"http://{LOGIN}127.0.0.1:0",
    f"http://{LOGIN}127.0.0.1:port",
    f"http://{LOGIN}[127.0.0.1:1080",
    f"http://{LOGIN}127.0.0.1:1080/path",
    f"http://{LOGIN}127.0.0.1:1080?x",
    f"http://{LOGIN}127.0.0.1:1080\r\nX: y",
    f"http://ada:{SECRET}%ff@127.0.0.1:1080",
    f"socks5://ada:{SECRET * 9}@127.0.0.1:1080",
    "socks5://",
    "",
]


@each_door
@pytest.mark.parametrize("url", UNUSABLE)
def test_a_url_that_can_not_be_used_is_refused_and_not_shown(door: str, url: str) -> None:
    server = Server("mx.example.org", 25, "none", proxy=url)
    del url
    error = deliver(door, server)
    shown = everything_about(error) + repr(server)
    assert isinstance(error, ConfigError) and "roxy" in str(error)
    for form in forms(SECRET):
        assert form not in shown, shown[max(0, shown.find(form) - 300) : shown.find(form) + 40]


def test_the_password_of_the_proxy_is_masked() -> None:
    server = Server("mx.example.org", 465, "tls", Login("ada", "x"), proxy=f"socks5://{LOGIN}proxy.example.org:1080")
    assert "proxy='socks5://***@proxy.example.org:1080'" in repr(server)
    assert SECRET not in repr(replace(server, port=587)) + str(server) + ascii(server)
    assert replace(server, port=587).proxy == f"socks5://{LOGIN}proxy.example.org:1080"


# In memory, in whatever pieces the answer comes.

ASKED = [C("CONNECT mx.example.org:2525 HTTP/1.1"), C("Host: mx.example.org:2525"), C("")]
BEHIND = Server("mx.example.org", 2525, "none", proxy="http://proxy.example.org:3128")


@pytest.mark.parametrize("stage", ["memory", "bytes", "sevens"])
def test_the_tunnel_in_pieces(stage: str) -> None:
    opened = Raw(b"HTTP/1.1 299 fine\r\nVia: x\r\n\r\n")
    played = play([*ASKED, opened, *hello("SIZE 10")], open_session, stage, BEHIND)
    assert played.result is None and played.session.features.size == 10
    together = Raw(opened.data + b"220 mx\r\n")
    assert play([*ASKED, together, *hello()[1:]], open_session, stage, BEHIND).result is None


@pytest.mark.parametrize("stage", ["memory", "bytes"])
def test_a_broken_connection_to_the_proxy(stage: str) -> None:
    error = play([*ASKED[:1], Drop()], open_session, stage, BEHIND).error
    assert isinstance(error, ConnectError) and "through the http proxy: it closed the connection" in str(error)


def test_what_came_early_is_there_for_an_exchange_too_and_gone_after_another_connect() -> None:
    time = memory.Time()
    near, far = memory.pair(time)

    async def client() -> list[Any]:
        await Connect("mx.example.org", 2525, 5, proxy="http://proxy.example.org:3128")
        outgoing = Outgoing([b"hello"])
        first = await Exchange(outgoing, 5)
        await Connect("mx.example.org", 2525, 5, proxy="http://proxy.example.org:3128")
        await Connect("mx.example.org", 2525, 5)
        with pytest.raises(TimeoutError):
            await Read(0)
        return [first, outgoing.handed]

    script = Script(
        [*ASKED, Raw(b"HTTP/1.1 200 OK\r\n\r\n220 a"), *ASKED, Raw(b"HTTP/1.1 200 OK\r\n\r\n220 b"), HangUp()]
    )
    (result, _) = memory.converse((client(), near), (script.play(), far), time=time)
    assert result == [b"220 a", 0]
