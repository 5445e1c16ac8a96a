"""Clients that take their time, say too much, or come in crowds."""

from __future__ import annotations

import http.client
import socket

import pytest

from mailwright.inbox.web.serving import HEAD_LIMIT, Patience
from tests.unit.inbox.web.asking import Client, heard, opened

HURRY = Patience(connections=5, request=0.3, answer=0.3)


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"", b"408"),
        (b"G", b"408"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"408"),
        (b"POST /delete HTTP/1.1\r\nHost: localhost:%d\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ncsrf", b""),
    ],
    ids=["silence", "one octet", "half a head", "half a body"],
)  # fmt: skip
def test_a_request_that_does_not_come_is_not_waited_for(octets: bytes, status: bytes) -> None:
    with opened(patience=HURRY) as client:
        answer = client.raw(octets % client.port if b"%d" in octets else octets)
        assert answer[9:12] == status
        assert client.ask("/api/v1/about").status == 200


def test_octets_one_by_one_do_not_prolong_it() -> None:
    with opened(patience=HURRY) as client, client.connect() as connection:
        with pytest.raises(OSError):
            while True:  # as long as the server listens
                connection.sendall(b"X")
                connection.settimeout(0.01)
                try:
                    if not connection.recv(1):
                        raise ConnectionResetError
                except TimeoutError:
                    continue


def test_whoever_does_not_take_the_answer_is_left() -> None:
    with opened(patience=HURRY) as client:
        client.deliver(b"Subject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * 250_000)
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", client.port))
            connection.sendall(b"GET /m/1/raw HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % client.port)
            # Its place is free again while it still sleeps.
            others = [client.connect() for _ in range(HURRY.connections - 1)]
            for other in others:
                with other:
                    assert heard(other).startswith(b"HTTP/1.1 408")
            connection.settimeout(20)
            assert len(heard(connection)) < 19_500_000
        assert client.ask("/api/v1/about").status == 200


def test_a_crowd_is_told_so() -> None:
    with opened(patience=Patience(connections=3)) as client:
        crowd = [client.connect() for _ in range(3)]
        for one in crowd:
            one.sendall(b"GET /api/v1/wait?timeout=60 HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % client.port)
        # They are let in in the order in which they came.
        with client.connect() as late:
            assert heard(late).startswith(b"HTTP/1.1 503 ")
        client.deliver()
        for one in crowd:
            with one:
                assert one.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * HEAD_LIMIT * 2,
        b"GET / HTTP/1.1\r\nHost: localhost:%d\r\nX: " + b"x" * HEAD_LIMIT * 2,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000,
        b"GET / HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost:%d\r\nTransfer-Encoding: gzip\r\n\r\n",
    ],
    ids=["line", "field", "fields", "no length", "two lengths", "unknown coding"],
)
def test_heads_have_a_limit(head: bytes, shared: Client) -> None:
    answer = shared.raw(head % shared.port if b"%d" in head else head)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")) or answer == b""
    assert shared.ask("/api/v1/about").status == 200


def test_a_body_without_end_is_cut_off(shared: Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=20)
    head = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}

    def endless():  # type: ignore[no-untyped-def]
        for _ in range(10_000):
            yield b" " * 65_536

    try:
        with pytest.raises(OSError):
            connection.request("PATCH", "/api/v1/messages/1", endless(), head, encode_chunked=True)
            connection.getresponse().read()
            connection.sock.recv(1)
            raise ConnectionResetError
    finally:
        connection.close()
    assert shared.ask("/api/v1/about").status == 200


def test_one_connection_serves_many_requests(shared: Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=20)
    connection.connect()
    first = connection.sock
    try:
        for path, said in (("/", b"<!doctype html>"), ("/api/v1/messages", b"{"), ("/m/1/raw", b"Subject: ")) * 5:
            connection.request("GET", path)
            answer = connection.getresponse()
            assert (answer.status, answer.getheader("connection")) == (200, None)
            assert said in answer.read()
            assert connection.sock is first
        connection.request("GET", "/nothing")
        answer = connection.getresponse()
        answer.read()
        # Whoever is refused has to come anew: what of his request is still under way is not waited for.
        assert (answer.status, answer.getheader("connection"), connection.sock) == (404, "close", None)
    finally:
        connection.close()


def test_requests_in_a_row_are_answered_in_order(shared: Client) -> None:
    one = b"GET /api/v1/about HTTP/1.1\r\nHost: localhost:%d\r\n" % shared.port
    answers = shared.raw((one + b"\r\n") * 4 + one + b"Connection: close\r\n\r\n")
    assert answers.count(b"HTTP/1.1 200 OK") == 5


def test_websockets_are_not_spoken(shared: Client) -> None:
    answer = shared.ask(
        "/events", Upgrade="websocket", Connection="Upgrade", Sec_WebSocket_Key="x", Sec_WebSocket_Version="13"
    )
    assert answer.status == 403
