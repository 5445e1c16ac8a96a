"""A wire that can be listened to, and cut: a relay between a client and a real server, both in clear."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.servers import HOST, RealServer

PIECE = 65536  # octets


class Cut(NamedTuple):
    """Where a connection ends: behind so many octets of the client's, or of the server's."""

    said: float = float("inf")
    answered: float = float("inf")


WHOLE = Cut()


class Tap:
    """Relays to a server. `talks` has what was said over each connection, in order: ``(">", octets)`` by the client,
    ``("<", octets)`` by the server. The first connections end as `cuts` say, the others when one side ends them.
    """

    def __init__(self, real: RealServer, cuts: Iterable[Cut] = ()) -> None:
        self.talks: list[list[tuple[str, bytes]]] = []
        self._to = (real.host, real.port)
        self._cuts = iter(cuts)
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)

    def __enter__(self) -> Tap:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()  # wake who accepts
        for thread in (self._accepting, *self._threads):
            thread.join()
        self._listener.close()

    def said(self) -> Iterator[bytes]:
        """What the client said between two words of the server, for each such turn of all connections."""
        for talk in self.talks:
            turn = b""
            for side, octets in talk:
                if side == ">":
                    turn += octets
                elif turn:
                    yield turn
                    turn = b""
            yield turn

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._over.is_set():
                client.close()
                return
            talk: list[tuple[str, bytes]] = []
            self.talks.append(talk)
            self._threads.append(threading.Thread(target=self._relay, args=(client, talk, next(self._cuts, WHOLE))))
            self._threads[-1].start()

    def _relay(self, client: socket.socket, talk: list[tuple[str, bytes]], cut: Cut) -> None:
        left = {">": cut.said, "<": cut.answered}
        with client, socket.create_connection(self._to) as server, contextlib.suppress(OSError):
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                for sock in select.select([client, server], [], [])[0]:
                    side, other = (">", server) if sock is client else ("<", client)
                    octets = sock.recv(PIECE)
                    if len(octets) > left[side]:
                        octets = octets[: int(left[side])]
                        other.sendall(octets)
                        talk.append((side, octets))
                        return
                    if not octets:
                        return
                    left[side] -= len(octets)
                    talk.append((side, octets))
                    other.sendall(octets)
