"""Names that are not ASCII: the host that is asked for, connected to and verified is one and the same."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from mailwright import AsyncMailer, Mailer, Server, smtplib
from mailwright.errors import ConnectError, TLSError
from mailwright.options import TLS
from tests.unit.smtplib.scripted import mail_server, scripted

SHARP = "fa\u00df.example"  # by the rules of 2003 fass.example
MESSAGE = b"From: ada@example.org\r\nTo: bob@example.org\r\n\r\nhi\r\n"


def send(door: str, server: Server) -> None:
    """Send a message through one of the doors."""

    async def task() -> None:
        async with AsyncMailer(server) as mailer:
            await mailer.send(MESSAGE)

    if door == "Mailer":
        with Mailer(server) as mailer:
            mailer.send(MESSAGE)
    elif door == "asyncio":
        asyncio.run(task())
    else:
        trio.run(task)


@pytest.mark.parametrize("door", ["Mailer", "asyncio", "trio", "smtplib"])
@pytest.mark.parametrize(
    ("host", "asked"),
    [
        (SHARP, "xn--fa-hia.example"),
        ("B\u00dcCHER.example", "xn--bcher-kva.example"),
        ("mail\u3002example", "mail.example"),
    ],
)
def test_who_is_looked_up(door: str, host: str, asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    def nobody(name: Any, *_: Any, **__: Any) -> Any:
        names.append(name.decode() if isinstance(name, bytes) else name)
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    with pytest.raises(OSError) as caught:
        if door == "smtplib":
            smtplib.SMTP(host, 25)
        else:
            send(door, Server(host, 25, "none"))
    assert set(names) == {asked} and isinstance(caught.value, (ConnectError, socket.gaierror))


@pytest.mark.parametrize("door", ["Mailer", "asyncio", "trio"])
@pytest.mark.parametrize("host", ["a\u2100b.example", "\u200dx.example", "\u00e9" * 80 + ".example"])
def test_what_can_be_no_name(door: str, host: str) -> None:
    """The first would hold a slash, once mapped."""
    with pytest.raises(ConnectError, match="there is no such host name"):
        send(door, Server(host, 25, "none"))


@pytest.mark.parametrize("door", ["Mailer", "asyncio", "trio", "smtplib"])
def test_whose_certificate_is_good(door: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = TLS(ca_file=str(tmp_path / "ca.pem"), name=SHARP)

    def connect(port: int) -> None:
        if door == "smtplib":
            smtplib.SMTP_SSL("127.0.0.1", port, "c", context=tls).quit()
        else:
            send(door, Server("127.0.0.1", port, "tls", tls=tls))

    for name, good in (("xn--fa-hia.example", True), ("fass.example", False)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        with scripted(mail_server(context=context, at_once=True)) as there:
            if good:
                connect(there.port)
            else:
                with pytest.raises((TLSError, ssl.SSLCertVerificationError), match="not for|mismatch"):
                    connect(there.port)
