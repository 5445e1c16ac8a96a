"""A mail server of a few lines in the test's own event loop, which asks the test before each answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Hook = Callable[[str, bytes], Awaitable[bytes | None]]
CLOSE = b""  # in place of an answer


class Scripted:
    """`hook` takes a verb (``END`` behind a content) and its line, and gives an answer or `None` for an ordinary one.

    `taken` has the recipients of each message, in the order in which they were taken; `tries` the recipients offered.
    """

    def __init__(self, hook: Hook, *features: str) -> None:
        self._hook, self._features = hook, features
        self.taken: list[list[str]] = []
        self.tries: list[str] = []

    async def __aenter__(self) -> Scripted:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0, limit=1 << 22)
        self.url = f"smtp+plain://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: Any) -> None:
        self._server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to: list[str] = []

        async def answer(verb: str, line: bytes, ordinary: bytes) -> bytes:
            given = await self._hook(verb, line)
            said = ordinary if given is None else given
            if said == CLOSE:
                raise ConnectionResetError
            if said[:1] == b"2" and verb == "END":
                self.taken.append(list(to))
            writer.write(said + b"\r\n")
            await writer.drain()
            return said

        try:
            writer.write(b"220 here\r\n")
            while line := await reader.readline():
                verb = line.split()[0].upper().decode()
                if verb == "EHLO":
                    writer.write(b"".join(b"250-%b\r\n" % one.encode() for one in ("here", *self._features)))
                    await answer(verb, line, b"250 8BITMIME")
                elif verb == "RCPT":
                    to.append(line.split(b"<")[1].split(b">")[0].decode())
                    self.tries.append(to[-1])
                    await answer(verb, line, b"250 ok")
                elif verb == "DATA":
                    if (await answer(verb, line, b"354 go"))[:3] == b"354":
                        await reader.readuntil(b"\r\n.\r\n")
                        await answer("END", line, b"250 taken")
                elif verb == "BDAT":
                    await self._hook(verb, line)
                    await reader.readexactly(int(line.split()[1]))
                    await answer("END", line, b"250 taken")
                else:
                    if verb == "MAIL":
                        to = []
                    await answer(verb, line, b"221 bye" if verb == "QUIT" else b"250 ok")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
