"""While an asynchronous source has nothing, receipts come out, and the server is heard."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailwright import AsyncMailer, Inbox, Message, Server
from mailwright.options import Limits
from tests.unit.drivers.driving import each_library, pause, run_in, serving

ONE_CONNECTION = Limits(size=1)


def letter(number: int) -> Message:
    return Message("ada@example.org", f"r{number}@example.net", f"Number {number}", "Hi!\n")


@each_library
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_receipts_come_out_while_the_source_waits_for_them(library: str, tls: bool) -> None:
    """The source gives the next message only when the receipt of the one before is out."""
    out: list[int] = []

    async def source() -> AsyncIterator[Message]:
        for number in range(5):
            while len(out) < number:
                await pause(library, 0.005)
            yield letter(number)

    async def main() -> None:
        with Inbox(tls=tls) as inbox:
            async with AsyncMailer(inbox.server) as mailer:
                async for receipt in mailer.send_many(source()):
                    assert receipt.complete
                    out.append(receipt.number)
            assert len(inbox.messages) == 5

    run_in(library, main)
    assert out == list(range(5))


class Impatient:
    """A mail server that takes one message on each connection. Then it says `goodbye`, and waits until the client
    has hung up; `left` is set when it has, and `heard` is what it said before.
    """

    def __init__(self, goodbye: bytes, ends: bool) -> None:
        self.goodbye, self.ends = goodbye, ends
        self.left = threading.Event()
        self.heard: list[bytes] = []
        self.connections = 0

    def serve(self, sock: socket.socket) -> None:
        self.connections += 1
        sock.sendall(b"220 mail.example.org\r\n")
        while data := sock.recv(65536):
            if data.startswith(b"DATA"):
                sock.sendall(b"354 go\r\n")
                while not data.endswith(b"\r\n.\r\n"):
                    data += sock.recv(65536)
                sock.sendall(b"250 taken\r\n")
                break
            sock.sendall(b"250 fine\r\n")
        if self.goodbye:
            sock.sendall(self.goodbye)
        if self.ends:
            sock.shutdown(socket.SHUT_WR)
        while data := sock.recv(65536):
            self.heard.append(data)
        self.left.set()


@each_library
@pytest.mark.parametrize(
    ("goodbye", "ends"),
    [(b"421 4.4.2 idle for too long\r\n", True), (b"421 4.4.2 idle for too long\r\n", False), (b"", True)],
    ids=["421 and end", "421", "end"],
)
def test_a_server_that_leaves_is_noticed_at_once(library: str, goodbye: bytes, ends: bool) -> None:
    server = Impatient(goodbye, ends)

    async def source() -> AsyncIterator[Message]:
        for number in range(3):
            yield letter(number)
            while not server.left.is_set():  # we have hung up, although there is nothing to send
                await pause(library, 0.005)
            server.left.clear()

    async def main() -> list[Any]:
        async with AsyncMailer(Server("127.0.0.1", port, "none"), limits=ONE_CONNECTION) as mailer:
            return [receipt async for receipt in mailer.send_many(source())]

    with serving(server.serve) as port:
        receipts = run_in(library, main)
    assert [receipt.complete and receipt.error for receipt in receipts] == [None] * 3
    assert server.connections == 3
    assert server.heard == []  # nobody says QUIT to who has left


@each_library
def test_a_connection_that_nobody_needs_is_given_up(library: str) -> None:
    server = Impatient(b"", ends=False)

    async def source() -> AsyncIterator[Message]:
        for number in range(2):
            yield letter(number)
            while not server.left.is_set():
                await pause(library, 0.005)
            server.left.clear()

    async def main() -> list[Any]:
        from mailwright.options import Timeouts

        there = Server("127.0.0.1", port, "none", timeouts=Timeouts(quit=0.1))
        async with AsyncMailer(there, limits=Limits(size=1, idle=0.1)) as mailer:
            return [receipt async for receipt in mailer.send_many(source())]

    with serving(server.serve) as port:
        receipts = run_in(library, main)
    assert [receipt.complete and receipt.error for receipt in receipts] == [None] * 2
    assert server.heard == [b"QUIT\r\n"] * 2


@each_library
def test_a_message_that_comes_late_goes_over_the_connection_that_is_there(library: str) -> None:
    async def source() -> AsyncIterator[Message]:
        for number in range(4):
            yield letter(number)
            await pause(library, 0.05)

    async def main() -> list[Any]:
        with Inbox(tls=False) as inbox:
            async with AsyncMailer(inbox.server, limits=ONE_CONNECTION) as mailer:
                receipts = [receipt async for receipt in mailer.send_many(source())]
            return [len(receipts), len(inbox.messages), all(receipt.complete for receipt in receipts)]

    assert run_in(library, main) == [4, 4, True]
