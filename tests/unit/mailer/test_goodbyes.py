"""QUIT is said where a connection has served its number of messages, or has grown too old: at a cost that the whole
deadline bounds.
"""

from __future__ import annotations

import socket
import threading
from typing import Any

from mailwright import AsyncMailer, Mailer, Server
from mailwright.options import Limits, Timeouts
from tests.unit.drivers.driving import MESSAGE, each_driver, pause, run_in, serving

ANSWERS = {b"EHLO": b"250 a\r\n", b"MAIL": b"250 a\r\n", b"RCPT": b"250 b\r\n", b"DATA": b"354 go\r\n"}


class Deaf:
    """A server that does not answer the first QUIT; `left_early` tells whether that client went away before the
    server lost its patience.
    """

    def __init__(self) -> None:
        self.left_early: list[bool] = []
        self.ended = threading.Event()
        self._connections = 0

    def serve(self, sock: socket.socket) -> None:
        """One connection."""
        self._connections += 1
        first = self._connections == 1
        sock.sendall(b"220 a\r\n")
        with sock.makefile("rb") as lines:
            while (line := lines.readline()) and line != b"QUIT\r\n":
                sock.sendall(ANSWERS[line[:4]])
                while line[:4] == b"DATA" and lines.readline() != b".\r\n":
                    pass
                if line[:4] == b"DATA":
                    sock.sendall(b"250 taken\r\n")
        if not first:
            sock.sendall(b"221 bye\r\n")
            return
        sock.settimeout(15)
        try:
            self.left_early.append(sock.recv(10) == b"")
        except TimeoutError:
            self.left_early.append(False)
        self.ended.set()


def send(driver: str, server: Server, limits: Limits, count: int) -> list[Any]:
    """So many messages over one mailer, with a moment between them."""

    async def main() -> list[Any]:
        receipts = []
        async with AsyncMailer(server, limits=limits) as mailer:
            for _ in range(count):
                receipts.append(await mailer.send(MESSAGE))
                await pause(driver, 0.05)
        return receipts

    if driver != "sync":
        return list(run_in(driver, main))
    receipts = []
    with Mailer(server, limits=limits) as mailer:
        for _ in range(count):
            receipts.append(mailer.send(MESSAGE))
            threading.Event().wait(0.05)
    return receipts


@each_driver
def test_the_goodbye_after_the_last_message_ends_with_the_deadline(driver: str) -> None:
    deaf = Deaf()
    with serving(deaf.serve) as port:
        server = Server("127.0.0.1", port, "none", timeouts=Timeouts(quit=60.0, total=1.0))
        (receipt,) = send(driver, server, Limits(messages=1), 1)
        deaf.ended.wait(20)
    assert receipt.complete and deaf.left_early == [True]


@each_driver
def test_a_message_does_not_wait_for_the_goodbye_to_an_old_connection(driver: str) -> None:
    deaf = Deaf()
    with serving(deaf.serve) as port:
        server = Server("127.0.0.1", port, "none", timeouts=Timeouts(quit=60.0))
        receipts = send(driver, server, Limits(idle=0.01), 2)
        deaf.ended.wait(20)
    assert all(receipt.complete for receipt in receipts) and deaf.left_early == [True]


def test_goodbye_is_said_to_all_at_once() -> None:
    """This server takes no message, and no goodbye, before both connections have said theirs."""
    sending, leaving = threading.Barrier(2), threading.Barrier(2)
    answers = {**ANSWERS, b"QUIT": b"221 bye\r\n"}

    def serve(sock: socket.socket) -> None:
        sock.sendall(b"220 a\r\n")
        with sock.makefile("rb") as lines:
            while line := lines.readline():
                verb = line[:4].strip()
                if verb == b"DATA":
                    sock.sendall(b"354 go\r\n")
                    while lines.readline() != b".\r\n":
                        pass
                    sending.wait(20)
                    sock.sendall(b"250 taken\r\n")
                    continue
                if verb == b"QUIT":
                    leaving.wait(20)
                sock.sendall(answers[verb])

    with serving(serve) as port:
        server = Server("127.0.0.1", port, "none", timeouts=Timeouts(quit=60.0))
        with Mailer(server) as mailer:
            threads = [threading.Thread(target=mailer.send, args=(MESSAGE,)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert not leaving.broken and not sending.broken
