"""A mail server whose every answer a test decides, on loopback, and a record of all that it was sent."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

LIMIT = 10.0  # seconds after which a client that waits for ever fails the test
CLOSE = "close"  # instead of a reply: the server leaves


class Client:
    """The server's end of one connection; `heard` is every octet that came."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.heard = b""
        self._unread = b""

    def line(self) -> bytes | None:
        """The next line without its end; `None` when the client has left."""
        while b"\n" not in self._unread:
            data = self.sock.recv(65536)
            if not data:
                return None
            self.heard += data
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line.rstrip(b"\r")

    def say(self, *lines: str | bytes) -> None:
        """Say these lines, in one piece."""
        self.sock.sendall(b"".join((line.encode() if isinstance(line, str) else line) + b"\r\n" for line in lines))

    def content(self) -> list[bytes | None]:
        """The lines up to the final dot."""
        lines = []
        while (line := self.line()) not in (b".", None):
            lines.append(line)
        return lines

    def encrypt(self, context: ssl.SSLContext) -> None:
        """TLS from here on."""
        self.sock = context.wrap_socket(self.sock, server_side=True)


class Scripted:
    """A listener that runs `act` with each client, in a thread of its own; `clients` are those that came."""

    def __init__(self, act: Callable[[Client], None]) -> None:
        self.act = act
        self.clients: list[Client] = []
        self.problems: list[BaseException] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()

    @property
    def heard(self) -> bytes:
        """What the last client said."""
        return self.clients[-1].heard

    def _listen(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(LIMIT)
            self.clients.append(Client(sock))
            self._threads.append(threading.Thread(target=self._serve, args=(self.clients[-1],), daemon=True))
            self._threads[-1].start()

    def _serve(self, client: Client) -> None:
        try:
            self.act(client)
        except OSError as problem:
            self.problems.append(problem)
        finally:
            client.sock.close()

    def close(self) -> None:
        """Listen no more, and wait until the last client was served."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(LIMIT)
            assert not thread.is_alive()


@contextmanager
def scripted(act: Callable[[Client], None]) -> Iterator[Scripted]:
    """A `Scripted` for the time of the block."""
    server = Scripted(act)
    try:
        yield server
    finally:
        server.close()


FEATURES = ("mx.example", "SIZE 1000000", "8BITMIME", "PIPELINING")


def mail_server(
    replies: Mapping[str, Any] | None = None,
    features: tuple[str, ...] = FEATURES,
    greeting: str | None = "220 mx.example ESMTP",
    context: ssl.SSLContext | None = None,
    at_once: bool = False,
) -> Callable[[Client], None]:
    """What a `Scripted` does as a plain mail server.

    `replies` has, by verb in lower case, a reply or a list of them, of which the last one stays; ``"."`` is the one on
    the content. A reply is a line, several lines (a tuple), or `CLOSE`. With a `context` it knows TLS, `at_once` or
    after STARTTLS.
    """
    given = dict(replies or {})

    def act(client: Client) -> None:
        waiting = {verb: list(one) if isinstance(one, list) else [one] for verb, one in given.items()}

        def answer(verb: str, usual: Any) -> bool:
            queue = waiting.get(verb)
            reply = usual if queue is None else queue.pop(0) if len(queue) > 1 else queue[0]
            if reply != CLOSE:
                client.say(*(reply if isinstance(reply, tuple) else (reply,)))
            return bool(reply != CLOSE)

        def hello(verb: str) -> bool:
            lines = tuple(f"250{'-' if n < len(features) else ' '}{line}" for n, line in enumerate(features, 1))
            return answer(verb, lines)

        if context is not None and at_once:
            client.encrypt(context)
        if greeting is None or not answer("greeting", greeting):
            return
        while (line := client.line()) is not None:
            verb = line[:4].lower().decode("latin-1").strip()
            if verb in ("ehlo", "lhlo"):
                goes_on = hello(verb)
            elif verb == "data":
                goes_on = answer("data", "354 go on")
                if goes_on and str(waiting.get("data", ["354"])[0]).startswith("354"):
                    client.content()
                    goes_on = answer(".", "250 taken")
            elif verb == "star" and context is not None:
                goes_on = answer("starttls", "220 go ahead")
                client.encrypt(context)
            elif verb == "quit":
                answer("quit", "221 bye")
                return
            else:
                goes_on = answer(verb, "250 ok")
            if not goes_on:
                return

    return act
