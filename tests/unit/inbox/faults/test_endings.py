"""How a connection ends, in every driver: with an end, with a reset, or not at all."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from mailwright import Inbox
from mailwright.drivers import aio, memory, sync
from mailwright.drivers import trio as trio_driver
from mailwright.inbox.faults import Faults
from mailwright.smtp.receiving import Rules, receive
from mailwright.steps import Close, Read, Sleep, Write

# One plan that ends its connection, in each driver.


def ending(how: Any) -> Any:
    async def plan() -> bytes:
        await Write(b"hello\r\n", 5)
        await Read(5)
        await Close(how)
        heard = b""
        try:
            while data := await Read(5):
                heard += data
        except ConnectionError:
            heard += b"(closed)"
        return heard

    return plan()


def _sync(plan: Any, sock: socket.socket) -> Any:
    link = sync.Link(sock)
    try:
        return sync.run(plan, link)
    finally:
        link.close()


def _aio(plan: Any, sock: socket.socket) -> Any:
    async def task() -> Any:
        link = aio.Link()
        sock.setblocking(False)
        await asyncio.get_running_loop().create_connection(lambda: link, sock=sock)
        try:
            return await aio.run(plan, link)
        finally:
            link.close()
            await asyncio.sleep(0)

    return asyncio.run(task())


def _trio(plan: Any, sock: socket.socket) -> Any:
    async def task() -> Any:
        link = trio_driver.Link(sock)
        try:
            return await trio_driver.run(plan, link)
        finally:
            link.close()

    return trio.run(task)


DRIVERS = {"sync": _sync, "aio": _aio, "trio": _trio}


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        client.settimeout(20)
        server, _ = listener.accept()
    with client:
        yield client, server


@pytest.mark.parametrize("driver", sorted(DRIVERS))
@pytest.mark.parametrize("how", ["close", "end", "reset"])
def test_the_other_side_sees_it(driver: str, how: str) -> None:
    with pair() as (client, server):
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(DRIVERS[driver](ending(how), server)))
        thread.start()
        assert client.recv(100) == b"hello\r\n"
        client.sendall(b"x")
        if how == "reset":
            with pytest.raises(ConnectionResetError):
                client.recv(100)
        else:
            assert client.recv(100) == b""
        if how == "end":  # it still listens
            client.sendall(b"still here")
            client.shutdown(socket.SHUT_WR)
        thread.join(20)
        assert found == [b"still here"] if how == "end" else [b"(closed)"]


@pytest.mark.parametrize("how", ["close", "end", "reset"])
def test_the_other_side_sees_it_in_memory(how: str) -> None:
    async def client() -> str:
        assert await Read(5) == b"hello\r\n"
        await Write(b"x", 5)
        try:
            return "end" if await Read(5) == b"" else "more"
        except ConnectionResetError:
            return "reset"

    time = memory.Time()
    here, there = memory.pair(time)
    seen, _ = memory.converse((client(), here), (ending(how), there), time=time)
    assert seen == ("reset" if how == "reset" else "end")


# The faults, seen from a bare socket.

STAGES = ["connect", "greeting", "ehlo", "mail", "rcpt", "data", "content", "dot", "rset", "noop", "quit"]
TALK = {
    "ehlo": b"EHLO x\r\n",
    "rset": b"RSET\r\n",
    "noop": b"NOOP\r\n",
    "mail": b"MAIL FROM:<a@example.org>\r\n",
    "rcpt": b"RCPT TO:<b@example.org>\r\n",
    "data": b"DATA\r\n",
    "content": b"Subject: x\r\n\r\n",
    "dot": b"Text\r\n.\r\n",
    "quit": b"QUIT\r\n",
}


def hear(client: socket.socket, stage: str) -> bytes:
    """One reply, or what ends the connection. Raises `ConnectionResetError` and `TimeoutError`."""
    heard = b""
    while not heard.endswith(b"\r\n") or heard.rpartition(b"\r\n")[0].rpartition(b"\n")[2][3:4] == b"-":
        data = client.recv(4096)
        if not data:
            return heard
        heard += data
    return heard


def talk(client: socket.socket, until: str = "") -> str:
    """Speak until the connection ends; gives the stage at which that was. Waits at the stage `until`."""
    stage = "greeting"
    try:
        if not hear(client, stage):
            return stage
        for stage, line in TALK.items():
            client.sendall(line)
            if stage == "content" != until:
                continue
            if not hear(client, stage):
                return stage
    except ConnectionError as problem:
        return f"{stage}, {type(problem).__name__}"
    return "none"


@pytest.fixture(scope="module")
def inbox() -> Iterator[Inbox]:
    with Inbox(tls=False) as opened:
        yield opened


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_connection_is_dropped_at_each_stage(inbox: Inbox, stage: str, how: str) -> None:
    with inbox.faults.drop(stage, how) as fault, socket.create_connection(("127.0.0.1", inbox.server.port)) as client:
        client.settimeout(20)
        seen = talk(client, stage)
    at = "greeting" if stage == "connect" else stage
    # Whoever writes before it has heard of the reset is told of a broken pipe.
    assert seen == at if how == "end" else seen in {f"{at}, ConnectionResetError", f"{at}, BrokenPipeError"}
    assert len(fault.fired) == 1


def test_silence_holds_nobody_else_up(inbox: Inbox) -> None:
    with inbox.faults.drop("mail", "silence", times=1):
        with socket.create_connection(("127.0.0.1", inbox.server.port)) as first:
            first.settimeout(0.3)
            hear(first, "greeting")
            first.sendall(b"EHLO x\r\n")
            hear(first, "ehlo")
            first.sendall(b"MAIL FROM:<>\r\n")
            with pytest.raises(TimeoutError):
                first.recv(10)
            with socket.create_connection(("127.0.0.1", inbox.server.port)) as second:
                second.settimeout(20)
                assert talk(second) == "none"


def test_an_inbox_closes_in_spite_of_silence() -> None:
    with Inbox(tls=False) as inbox:
        inbox.faults.no_greeting()
        client = socket.create_connection(("127.0.0.1", inbox.server.port))
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(10)
    with client:
        client.settimeout(20)
        try:
            assert client.recv(10) == b""
        except ConnectionResetError:
            pass


# How a reply is said, told by a clock that jumps.


def replies(*faults: str, said: bytes = b"EHLO x\r\nNOOP\r\nQUIT\r\n") -> tuple[list[tuple[float, bytes]], float]:
    """The pieces that come for these commands, each with its second, and the second of the end."""

    async def client() -> list[tuple[float, bytes]]:
        await Write(said, 5)
        pieces = []
        try:
            while data := await Read(10_000):
                pieces.append((time.now, data))
        except ConnectionError:
            pass
        return pieces

    time = memory.Time()
    here, there = memory.pair(time)
    script = Faults()
    for fault in faults:
        script.add(fault)
    plan = receive(Rules(extensions=()), lambda _: None, "", None, script, time)
    pieces, end = memory.converse((client(), here), (plan, there), time=time)
    assert end is None
    return pieces, time.now


def test_nothing_is_changed_without_faults() -> None:
    pieces, _ = replies()
    assert b"".join(octets for _, octets in pieces).split(b"\r\n")[1:-1] == [
        b"250 localhost",
        b"250 OK",
        b"221 Goodbye",
    ]


def test_a_slow_greeting() -> None:
    pieces, _ = replies("slow_greeting 7")
    assert pieces[0][0] == 7 and pieces[0][1].startswith(b"220")


def test_who_leaves_while_it_waits_takes_up_no_place() -> None:
    async def client() -> None:
        await Read(5)
        await Write(b"NOOP\r\nNOOP\r\n", 5)

    time = memory.Time()
    here, there = memory.pair(time)
    script = Faults()
    script.add("noop delay=5000")
    _, end = memory.converse((client(), here), (receive(Rules(), lambda _: None, "", None, script), there), time=time)
    assert end is None and time.now < 10


def test_what_comes_while_it_waits_is_not_lost() -> None:
    pieces, end = replies("noop delay=5", said=b"NOOP\r\nNOOP\r\nQUIT\r\n")
    assert b"".join(octets for _, octets in pieces).count(b"250 OK") == 2 and end >= 10


def test_a_reply_in_pieces() -> None:
    pieces, _ = replies("dribble noop 2 seconds=1")
    assert [(at, octets) for at, octets in pieces if octets in (b"25", b"0 ", b"OK", b"\r\n")] == [
        (0, b"25"), (1, b"0 "), (2, b"OK"), (3, b"\r\n"),
    ]  # fmt: skip
    pieces, _ = replies("split noop 3 seconds=2")
    assert (0, b"250") in pieces and (2, b" OK\r\n") in pieces


def test_a_reply_twice_never_or_something_else() -> None:
    def heard(*faults: str) -> bytes:
        return b"".join(octets for _, octets in replies(*faults)[0])

    assert heard("double noop").count(b"250 OK\r\n") == 2
    assert heard("omit noop").count(b"250 OK\r\n") == 0
    assert b"oops\n221" in heard("noop garbage='oops\\n'")
    assert b"421 4.3.2 Service not available\r\n" == heard("greeting")


def test_bandwidth() -> None:
    pieces, end = replies("bandwidth 10")
    assert max(len(octets) for _, octets in pieces) <= 10 and end >= sum(len(octets) for _, octets in pieces) / 10 - 4


def test_a_slow_reader() -> None:
    talk = b"EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
    assert replies("bandwidth 1000 content", said=talk + b"x" * 5000 + b"\r\n.\r\nQUIT\r\n")[1] < 5
    kept: list[Callable[[], None]] = []

    async def client() -> None:
        await Read(10)
        await Write(talk, 5)
        heard = b""
        while b"354" not in heard:
            heard += await Read(10)
        await Sleep(0)
        await Write(b"x" * 5000 + b"\r\n.\r\nQUIT\r\n", 60)
        while await Read(1000):
            pass

    time = memory.Time()
    here, there = memory.pair(time)
    script = Faults()
    script.add("bandwidth 1000 content")
    plan = receive(Rules(), lambda received: kept.append(lambda: None), "", None, script, time)
    memory.converse((client(), here), (plan, there), time=time)
    assert time.now >= 5 and len(kept) == 1
