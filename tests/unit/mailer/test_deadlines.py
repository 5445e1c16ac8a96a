"""The deadline of the whole call: what is said when it passes."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
import trio

from mailwright import Login, Message, Server
from mailwright.options import Timeouts
from mailwright.words.errors import Timeout
from tests.unit.drivers.driving import deliver, each_driver, each_library, serving

SOON = Timeouts(total=0.3)


def silent_after(*said: bytes) -> Callable[[socket.socket], None]:
    """A server that answers so many times and then listens only."""

    def serve(sock: socket.socket) -> None:
        for answer in said:
            sock.sendall(answer)
            sock.recv(65536)
        while sock.recv(65536):
            pass

    return serve


OPENED = (b"220 a\r\n", b"250 a\r\n")
WHERE: dict[str, tuple[tuple[bytes, ...], str, str]] = {
    "greeting": ((), "greeting", "before it greeted us"),
    "hello": (OPENED[:1], "ehlo", "while it introduced itself (EHLO)"),
    "sender": (OPENED, "mail", "when told the sender (MAIL). Nothing was delivered"),
    "final reply": ((*OPENED, b"250 a\r\n", b"250 b\r\n", b"354 go\r\n"), "final reply", "may or may not arrive"),
}


@each_driver
@pytest.mark.parametrize("case", WHERE)
def test_a_deadline_that_passed_is_called_by_its_name(driver: str, case: str) -> None:
    said, phase, words = WHERE[case]
    with serving(silent_after(*said)) as port:
        error: Any = deliver(driver, Server("127.0.0.1", port, "none", timeouts=SOON))
    assert isinstance(error, Timeout) and error.phase == phase
    assert "took longer than the whole deadline of 0.3 seconds, which passed " in str(error) and words in str(error)
    assert "60 seconds" not in str(error) and error.in_doubt is (phase == "final reply")


@each_driver
def test_a_deadline_that_passed_in_the_middle_of_the_content(driver: str) -> None:
    big = Message("ada@example.org", "bob@example.org", "Hi", "line\n" * 4_000_000)

    def serve(sock: socket.socket) -> None:
        for answer in (*OPENED, b"250 a\r\n", b"250 b\r\n"):
            sock.sendall(answer)
            sock.recv(65536)
        sock.sendall(b"354 go\r\n")
        sock.settimeout(20)
        done.wait(20)

    done = threading.Event()
    with serving(serve) as port:
        error: Any = deliver(driver, Server("127.0.0.1", port, "none", timeouts=Timeouts(total=2.0)), big)
        done.set()
    assert isinstance(error, Timeout) and not error.in_doubt and error.temporary
    assert "whole deadline of 2 seconds, which passed while we sent the content" in str(error)


@each_driver
def test_the_time_of_a_step_is_still_that_of_the_step(driver: str) -> None:
    with serving(silent_after()) as port:
        server = Server("127.0.0.1", port, "none", timeouts=Timeouts(reply=0.2, total=60))
        error: Any = deliver(driver, server)
    assert isinstance(error, Timeout) and "did not answer within 0.2 seconds before it greeted us" in str(error)


@each_library
@pytest.mark.parametrize("kind", ["async", "plain"])
def test_a_token_source_that_takes_for_ever_is_given_up(library: str, kind: str) -> None:
    """A blocking mailer can't do that: there nobody is left to look at the clock."""
    over = threading.Event()

    async def forever() -> str:
        await (asyncio.sleep(3600) if library == "asyncio" else trio.sleep(3600))
        return "token"

    def stuck() -> str:
        over.wait(20)
        return "token"

    def serve(sock: socket.socket) -> None:
        for answer in (b"220 a\r\n", b"250-a\r\n250 AUTH XOAUTH2\r\n"):
            sock.sendall(answer)
            if not sock.recv(65536):
                break
        while sock.recv(65536):
            pass
        over.set()  # the client has left: let asyncio end, which waits for its threads

    login = Login("ada", token=forever if kind == "async" else stuck)
    with serving(serve) as port:
        error: Any = deliver(library, Server("127.0.0.1", port, "none", login, timeouts=SOON))
    assert isinstance(error, Timeout) and error.phase == "auth" and error.temporary
    assert "The token source took longer than the whole deadline" in str(error)
