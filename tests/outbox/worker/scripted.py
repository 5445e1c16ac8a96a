"""A mail server of a few lines in the test's own event loop, which asks the test before each answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Hook = Callable[[str, bytes], Awaitable[bytes | None]]
CLOSE = b""  # in place of an answer
LOST = b"\0"  # likewise, behind a content that was taken


class Scripted:
    """`hook` takes a verb and its line (``HERE`` and nothing for the greeting, ``END`` and the content behind that), and
    gives an answer or `None` for an ordinary one; behind a 421 it hangs up. It listens at the Unix socket `path`, or at
    `url`.

    `taken` has the recipients of each message, in the order in which they were taken; `tries` the recipients offered.
    `took` is called with the recipients and the content of each that is taken, before the answer.
    """

    def __init__(self, hook: Hook, *features: str, path: str = "") -> None:
        self._hook, self._features, self._path = hook, features, path
        self.taken: list[list[str]] = []
        self.tries: list[str] = []
        self.took: Callable[[list[str], bytes], object] = lambda _to, _content: None

    async def __aenter__(self) -> Scripted:
        if self._path:
            self._server: Any = await asyncio.start_unix_server(self._talk, self._path, limit=1 << 22)
            return self
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0, limit=1 << 22)
        self.url = f"smtp+plain://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: Any) -> None:
        self._server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun, to, content = False, list[str](), b""

        async def answer(verb: str, line: bytes, ordinary: bytes) -> bytes:
            given = await self._hook(verb, line)
            said = ordinary if given is None else given
            if said == CLOSE:
                raise ConnectionResetError
            if verb == "END" and (said == LOST or said[:1] == b"2"):
                self.taken.append(list(to))
                self.took(list(to), line)
            if said == LOST:
                raise ConnectionResetError
            if verb in ("END", "RSET", "REST"):
                over()
            writer.write(said + b"\r\n")
            await writer.drain()
            if said[:3] == b"421":
                raise ConnectionResetError
            return said

        def over() -> None:
            nonlocal begun, to, content
            begun, to, content = False, [], b""

        try:
            await answer("HERE", b"", b"220 here")
            while line := await reader.readline():
                verb = line.split()[0].upper().decode()
                if verb == "EHLO":
                    offered = b"".join(b"250-%b\r\n" % one.encode() for one in ("here", *self._features))
                    await answer(verb, line, offered + b"250 8BITMIME")
                elif verb == "RCPT":
                    recipient = line.split(b"<")[1].split(b">")[0].decode()
                    self.tries.append(recipient)
                    if (await answer(verb, line, b"250 ok" if begun else b"503 MAIL first"))[:1] == b"2" and begun:
                        to.append(recipient)
                elif verb == "DATA":
                    if (await answer(verb, line, b"354 go" if to else b"503 no recipients"))[:3] == b"354":
                        octets = await reader.readuntil(b"\r\n.\r\n")
                        await answer("END", octets[:-3], b"250 taken")
                elif verb == "BDAT":
                    await self._hook(verb, line)
                    content += await reader.readexactly(int(line.split()[1]))
                    if not to:
                        await answer("REST", line, b"503 no recipients")
                    elif line.split()[-1].upper() != b"LAST":
                        await answer("PART", line, b"250 ok")
                    else:
                        await answer("END", content, b"250 taken")
                elif verb == "MAIL":
                    over()
                    begun = (await answer(verb, line, b"250 ok"))[:1] == b"2"
                else:
                    await answer(verb, line, b"221 bye" if verb == "QUIT" else b"250 ok")
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
