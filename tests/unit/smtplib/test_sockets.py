"""The socket is the caller's: another one may take its place, a module may, a file may, and ours is as it was made."""

from __future__ import annotations

import gc
import io
import socket
import sys
import threading
import warnings
from types import SimpleNamespace
from typing import Any

import pytest

from mailwright import smtplib
from tests.unit.smtplib.conftest import Trust
from tests.unit.smtplib.scripted import Client, mail_server, scripted

ADA, BOB = "ada@example.org", "bob@example.net"


@pytest.mark.parametrize("timeout", [None, 3, 7.5])
def test_the_socket_keeps_its_timeout(timeout: Any) -> None:
    with scripted(mail_server()) as there, smtplib.SMTP("127.0.0.1", there.port, "c", timeout=timeout) as client:
        client.sendmail(ADA, BOB, "x")
        assert client.sock is not None and type(client.sock) is socket.socket
        assert client.sock.gettimeout() == timeout
        assert client.sock.getpeername() == ("127.0.0.1", there.port)
        client.sock.settimeout(11)
        assert client.noop() == (250, b"ok") and client.sock.gettimeout() == 11


def test_the_timeout_may_be_changed_on_the_socket() -> None:
    def act(client: Client) -> None:
        client.say("220 mx")
        client.line()
        client.line()

    with scripted(act) as there:
        client = smtplib.SMTP("127.0.0.1", there.port, "c")
        assert client.sock is not None
        client.sock.settimeout(0.2)
        with pytest.raises(smtplib.SMTPServerDisconnected, match="Connection unexpectedly closed: timed out") as caught:
            client.noop()
        assert isinstance(caught.value.__cause__, TimeoutError) and client.sock is None


def test_reading_and_writing_beside_the_methods() -> None:
    with scripted(mail_server()) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        assert client.sock is not None
        client.sock.sendall(b"NOOP\r\n")
        assert client.sock.recv(100) == b"250 ok\r\n"
        client.putcmd("noop")
        with client.sock.makefile("rb") as file:
            assert file.readline() == b"250 ok\r\n"
        assert client.noop() == (250, b"ok")


def test_a_socket_of_the_callers() -> None:
    with scripted(mail_server()) as there:
        client = smtplib.SMTP(local_hostname="c")
        client.sock = socket.create_connection(("127.0.0.1", there.port))
        assert client.getreply() == (220, b"mx.example ESMTP")
        assert client.sendmail(ADA, BOB, "x") == {}
        with pytest.raises(smtplib.SMTPNotSupportedError):
            client.login("ada", "secret")
        assert client.quit() == (221, b"bye")


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets on this system")
def test_a_pair_of_sockets() -> None:
    ours, theirs = socket.socketpair()
    server = Client(theirs)
    thread = threading.Thread(target=mail_server({"auth": "235 in"}, ("mx", "AUTH PLAIN")), args=(server,))
    thread.start()
    client = smtplib.SMTP(local_hostname="c")
    client.sock = ours
    assert client.getreply()[0] == 220
    assert client.login("ada", "secret") == (235, b"in")  # it does not leave this machine
    client.quit()
    thread.join()
    theirs.close()


class OnlyWhatTheOriginalUses:
    """What test doubles for the original have: `sendall`, `makefile` and `close`."""

    def __init__(self, replies: bytes) -> None:
        self.replies = replies
        self.said: list[bytes] = []
        self.closed = 0

    def sendall(self, data: bytes) -> None:
        assert type(data) is bytes
        self.said.append(data)

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self.replies)

    def close(self) -> None:
        self.closed += 1


def test_a_double_with_three_methods() -> None:
    client: Any = smtplib.SMTP(local_hostname="c")
    client.sock = double = OnlyWhatTheOriginalUses(b"220 hello\r\n250-mx\r\n250 HELP\r\n250 ok\r\n221 bye\r\n")
    assert client.getreply() == (220, b"hello")
    assert client.ehlo() == (250, b"mx\nHELP") and client.esmtp_features == {"help": ""}
    assert client.noop() == (250, b"ok")
    client.close()
    assert double.said == [b"ehlo c\r\n", b"noop\r\n"] and double.closed == 1


def test_a_file_of_the_callers() -> None:
    client: Any = smtplib.SMTP()
    client.sock, client.file = OnlyWhatTheOriginalUses(b""), io.BytesIO(b"250-one\r\n250 two\r\n250 three\r\n")
    assert client.getreply() == (250, b"one\ntwo") and client.getreply() == (250, b"three")
    with pytest.raises(smtplib.SMTPServerDisconnected, match="Connection unexpectedly closed"):
        client.getreply()
    assert client.sock is None and client.file is None


def test_a_double_whose_sendall_fails() -> None:
    client: Any = smtplib.SMTP()
    client.sock = double = OnlyWhatTheOriginalUses(b"")
    double.sendall = lambda data: (_ for _ in ()).throw(OSError("gone"))  # type: ignore[method-assign]
    with pytest.raises(smtplib.SMTPServerDisconnected, match="Server not connected"):
        client.noop()
    assert client.sock is None and double.closed == 1


# The module in the place of socket.


def test_another_socket_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """What users of PySocks do."""
    asked: list[Any] = []

    def create_connection(address: Any, timeout: Any = None, source: Any = None) -> socket.socket:
        asked.append((address, timeout, source))
        return socket.create_connection(("127.0.0.1", there.port))

    other = SimpleNamespace(
        create_connection=create_connection, getfqdn=lambda: "client.example", getdefaulttimeout=lambda: None
    )
    monkeypatch.setattr(smtplib, "socket", other)
    with scripted(mail_server()) as there:
        with smtplib.SMTP("mail.example.org", 2525, timeout=9, source_address=("127.0.0.1", 0)) as client:
            assert client.local_hostname == "client.example"
            assert client.noop() == (250, b"ok")
    assert asked == [(("mail.example.org", 2525), 9, ("127.0.0.1", 0))]


def test_a_subclass_with_its_own_get_socket() -> None:
    class Tunnelled(smtplib.SMTP):
        def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
            seen.append((host, port))
            return socket.create_connection(("127.0.0.1", there.port))

    seen: list[Any] = []
    with scripted(mail_server()) as there, Tunnelled("mail.example.org") as client:
        assert client.sendmail(ADA, BOB, "x") == {}
    assert seen == [("mail.example.org", 25)]


@pytest.mark.parametrize("name", ["putcmd", "getreply", "send", "docmd", "mail", "rcpt", "data", "ehlo", "has_extn"])
def test_what_a_subclass_overrides_is_asked(name: str) -> None:
    count = 0

    def counting(self: Any, *args: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        return getattr(smtplib.SMTP, name)(self, *args, **options)

    made: Any = type("Own", (smtplib.SMTP,), {name: counting})
    with scripted(mail_server()) as there, made("127.0.0.1", there.port, "c") as client:
        client.sendmail(ADA, [BOB], "x")
    assert count > 0


# What is seen from outside.


def test_audit_events() -> None:
    seen: list[Any] = []
    active = [True]

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if active and event.startswith("smtplib."):
            seen.append((event, *args[1:]))

    sys.addaudithook(hook)
    with scripted(mail_server()) as there:
        client = smtplib.SMTP("127.0.0.1", there.port, "c")
        client.noop()
        client.quit()
    active.clear()
    assert seen == [
        ("smtplib.connect", "127.0.0.1", there.port),
        ("smtplib.send", b"noop\r\n"),
        ("smtplib.send", b"quit\r\n"),
    ]


@pytest.mark.parametrize("level", [1, 2])
def test_debugging_output_is_that_of_the_original(level: int, capsys: pytest.CaptureFixture[str]) -> None:
    import re
    import smtplib as original

    texts = []
    for module in (original, smtplib):
        with scripted(mail_server({"noop": ("250-one", "250 two")})) as there:
            client = module.SMTP(local_hostname="c")
            client.set_debuglevel(level)
            client.connect("127.0.0.1", there.port)
            client.noop()
            client.sendmail(ADA, BOB, "Subject: x\n\n.hi")
            client.quit()
            text = (
                capsys.readouterr().err.replace(str(there.port), "PORT").replace("FROM:", "from:").replace("TO:", "to:")
            )
        texts.append(re.sub(r"(?m)^\d\d:\d\d:\d\d\.\d+", "TIME", text))
    assert texts[0] == texts[1]
    assert ("TIME connect: to" in texts[1]) == (level == 2)


LIVES: dict[str, Any] = {
    "noop": lambda c, trust: c.noop(),
    "sendmail": lambda c, trust: c.sendmail(ADA, BOB, "x"),
    "starttls": lambda c, trust: c.starttls(context=trust.client),
    "a refusal": lambda c, trust: c.sendmail("no", BOB, "x"),
    "a login that is refused": lambda c, trust: (c.starttls(context=trust.client), c.login("ada", "secret")),
}


@pytest.mark.parametrize("life", LIVES)
def test_no_cycle_keeps_a_socket_open(life: str, trust: Trust) -> None:
    replies = {"mail": "550 no" if life == "a refusal" else "250 ok", "auth": "535 no"}
    with scripted(mail_server(replies, ("mx", "STARTTLS", "AUTH PLAIN"), context=trust.server)) as there:
        gc.collect()
        gc.disable()
        try:
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                client = smtplib.SMTP("127.0.0.1", there.port, "c")
                try:
                    LIVES[life](client, trust)
                except smtplib.SMTPException:
                    pass
                del client
        finally:
            gc.enable()
    assert [warning.category for warning in seen] == [ResourceWarning]  # as with the original: nobody closed it


@pytest.mark.parametrize("greeting", ["554 no", "close", "hm"])
def test_a_constructor_that_fails_closes_its_socket(greeting: str) -> None:
    with scripted(mail_server(greeting=greeting)) as there:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(smtplib.SMTPException):
                smtplib.SMTP("127.0.0.1", there.port, "c")
            gc.collect()


def test_connecting_again() -> None:
    with scripted(mail_server()) as there:
        client = smtplib.SMTP("127.0.0.1", there.port, "c")
        for _ in range(3):
            assert client.sendmail(ADA, BOB, "x") == {}
            client.quit()
            assert (client.ehlo_resp, client.esmtp_features, client.does_esmtp) == (None, {}, False)
            assert client.connect("127.0.0.1", there.port)[0] == 220
        client.close()
