"""LMTP: a Unix socket as well as TCP, LHLO, and one reply for each recipient."""

from __future__ import annotations

import shutil
import smtplib as original
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailwright import Inbox, smtplib
from mailwright.smtp.receiving import Rules
from mailwright.words.reply import Reply
from tests.unit.smtplib.scripted import Client, scripted

ADA, BOB, EVE, DAN = "ada@example.org", "bob@example.net", "eve@example.net", "dan@example.net"


def store(verdicts: list[str], rcpt: list[str] | None = None) -> Callable[[Client], None]:
    """A mail store whose verdicts on the content are these, in the order of the recipients it took."""

    def act(client: Client) -> None:
        offers = list(rcpt or [])
        client.say("220 store LMTP")
        while (line := client.line()) is not None:
            verb = line[:4].lower()
            if verb == b"lhlo":
                client.say("250-store", "250 PIPELINING")
            elif verb == b"rcpt":
                client.say(offers.pop(0) if offers else "250 ok")
            elif verb == b"data":
                client.say("354 go on")
                client.content()
                client.say(*verdicts)
            elif verb == b"quit":
                client.say("221 bye")
                return
            else:
                client.say("250 ok")

    return act


def test_everybody_gets_it() -> None:
    with scripted(store(["250 one", "250 two"])) as there, smtplib.LMTP("127.0.0.1", there.port, "c") as client:
        assert client.sendmail(ADA, [BOB, EVE], "x") == {}
        assert client.noop() == (250, b"ok")
    assert there.heard.startswith(b"lhlo c\r\n")


def test_the_original_takes_a_verdict_for_the_answer_to_what_comes_next() -> None:
    with scripted(store(["250 one", "550 two"])) as there, original.LMTP("127.0.0.1", there.port, "c") as client:
        assert client.sendmail(ADA, [BOB, EVE], "x") == {}
        assert client.noop() == (550, b"two")
        client.getreply()


def test_some_do_not_get_it() -> None:
    with scripted(store(["250 one", "550 two"], ["250 ok", "551 gone", "250 ok"])) as there:
        with smtplib.LMTP("127.0.0.1", there.port, "c") as client:
            refused = client.sendmail(ADA, [BOB, DAN, EVE], "x")
            assert refused == {DAN: (551, b"gone"), EVE: (550, b"two")}
            assert client.noop() == (250, b"ok")


@pytest.mark.parametrize("verdicts", [["550 one", "452 two"], ["452 one", "550 two"]])
def test_nobody_gets_it(verdicts: list[str]) -> None:
    with scripted(store(verdicts)) as there, smtplib.LMTP("127.0.0.1", there.port, "c") as client:
        with pytest.raises(smtplib.SMTPDataError) as caught:
            client.sendmail(ADA, [BOB, EVE], "x")
        assert caught.value.smtp_code == 550
        assert client.noop() == (250, b"ok")
    assert b"rset" in there.heard


def test_by_hand() -> None:
    with (
        scripted(store(["250 one", "450 two", "250 three"])) as there,
        smtplib.LMTP("127.0.0.1", there.port, "c") as client,
    ):
        client.ehlo()
        client.mail(ADA)
        for recipient in (BOB, EVE, DAN):
            client.rcpt(recipient)
        assert client.data("x") == (450, b"two")
        client.mail(ADA)
        client.rset()
        client.mail(ADA)
        client.rcpt(BOB)
        assert client.noop() == (250, b"ok")


def test_a_store_that_leaves_between_two_verdicts() -> None:
    def act(client: Client) -> None:
        client.say("220 store")
        for reply in ("250 store", "250 ok", "250 ok", "250 ok", "354 go on"):
            client.line()
            client.say(reply)
        client.content()
        client.say("250 one")

    with scripted(act) as there:
        client = smtplib.LMTP("127.0.0.1", there.port, "c")
        with pytest.raises(smtplib.SMTPServerDisconnected) as caught:
            client.sendmail(ADA, [BOB, EVE], "x")
        assert caught.value.phase == "final reply" and caught.value.__cause__.in_doubt  # type: ignore[union-attr]


def test_the_inbox() -> None:
    def answer(received: Any) -> Any:
        return tuple(Reply(550, ("5.2.2 full",)) if r.spec == EVE else None for r in received.recipients)

    with Inbox(tls=False, rules=Rules(protocol="lmtp"), answer=answer) as inbox:
        with smtplib.LMTP("127.0.0.1", inbox.server.port, "c") as client:
            assert client.sendmail(ADA, [BOB, EVE], "Subject: x\n\nhi") == {EVE: (550, b"5.2.2 full")}
        assert inbox.wait(subject="x")


@pytest.fixture
def path() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="lmtp"))  # a path of pytest's may be too long for a socket
    yield folder / "socket"
    shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets on this system")
def test_a_unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                store(["250 one", "550 two"])(Client(sock))

        thread = threading.Thread(target=serve)
        thread.start()
        with smtplib.LMTP(str(path), timeout=7) as client:
            assert client.sock is not None and client.sock.gettimeout() == 7
            assert client.sendmail(ADA, [BOB, EVE], "x") == {EVE: (550, b"two")}
        thread.join()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets on this system")
def test_a_unix_socket_that_is_not_there(path: Path) -> None:
    client = smtplib.LMTP()
    with pytest.raises(FileNotFoundError) as caught:
        client.connect(str(path))
    assert str(path) in caught.value.__notes__[0] and client.sock is None


@pytest.mark.parametrize("host", ["localhost", "/some/where"])
def test_a_timeout_of_zero(host: str) -> None:
    with pytest.raises(ValueError, match="Non-blocking socket"):
        smtplib.LMTP(host, timeout=0)


def test_the_usual_port() -> None:
    assert smtplib.LMTP_PORT == original.LMTP_PORT == 2003
