"""aiosmtpd as a program; `program` says how it is spoken to."""

from __future__ import annotations

import asyncio
import functools
import hmac
import json
import ssl
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Box:
    """Stores what arrives. The names of the methods are those that aiosmtpd calls."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.count = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith(self.settings["rejected"]):
            return "550 5.1.1 there is no such mailbox"
        if address.startswith(self.settings["deferred"]):
            return "450 4.2.1 the mailbox is busy, try later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert envelope.original_content is not None
        self.count += 1
        name = f"{self.count:06}"
        unfinished = Path(self.settings["folder"], name)
        unfinished.write_bytes(envelope.original_content)
        unfinished.rename(unfinished.parent / "new" / name)
        return f"250 2.0.0 stored as {name}"

    def check(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        known = (
            isinstance(data, LoginPassword)
            and data.login == self.settings["user"].encode()
            and hmac.compare_digest(data.password, self.settings["password"].encode())
        )
        return AuthResult(success=known, handled=False)


async def serve(settings: dict[str, Any]) -> None:
    """Listen on both ports until standard input ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings["certificate"], settings["key"])
    box = Box(settings)
    smtp = functools.partial(
        SMTP,
        box,
        hostname="mail.test",
        data_size_limit=settings["size"],
        enable_SMTPUTF8=True,
        authenticator=box.check,
    )
    loop = asyncio.get_running_loop()
    # It knows only of TLS that STARTTLS began, so where TLS comes first it must not ask for it.
    wrapped = functools.partial(smtp, auth_require_tls=False)
    await loop.create_server(wrapped, settings["host"], settings["tls_port"], ssl=context)
    clear = functools.partial(smtp, tls_context=context)
    await loop.create_server(clear, settings["host"], settings["port"])
    await asyncio.to_thread(sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
