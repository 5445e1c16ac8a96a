"""`Attend`: something outside and the other side, whichever comes first, on every driver."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from mailwright.drivers import memory
from mailwright.steps import Attend, Clock, Connect, DeadlinePassed, Read, StartTLS, Write
from mailwright.words.server import TLS
from tests.unit.drivers.driving import LIBRARIES, drive, each_library, pause, run_in, serving


def echo(sock: socket.socket) -> None:
    """Answers what it hears in capitals; hangs up on BYE, and waits to be hung up on."""
    while data := sock.recv(65536):
        if data == b"bye":
            return
        sock.sendall(data.upper())


def never(library: str) -> Any:
    async def act() -> None:
        await pause(library, 60)

    return act


def soon(library: str) -> Any:
    async def act() -> str:
        await pause(library, 0.05)
        return "ignored"

    return act


@each_library
def test_whichever_comes_first(library: str) -> None:
    async def plan() -> list[Any]:
        await Connect("127.0.0.1", port, 5)
        nothing = await Attend(soon(library), 5)
        await Write(b"hello", 5)
        heard = await Attend(never(library), 5)
        await Write(b"again", 5)
        both = await Attend(soon(library), 5)
        await Write(b"bye", 5)
        return [nothing, heard, both, await Attend(never(library), 5), await Attend(never(library), 5)]

    with serving(echo) as port:
        assert drive(library, plan()) == [None, b"HELLO", b"AGAIN", b"", b""]


@each_library
def test_what_arrived_before_is_given_and_nothing_is_lost_for_others(library: str) -> None:
    async def plan() -> list[Any]:
        await Connect("127.0.0.1", port, 5)
        await Write(b"one", 5)
        first = await Read(5)
        await Write(b"two", 5)
        await pause_plan(0.1)
        second = await Attend(never(library), 5)
        none = await Attend(soon(library), 5)
        await Write(b"three", 5)
        return [first, second, none, await Read(5)]

    with serving(echo) as port:
        assert drive(library, plan()) == [b"ONE", b"TWO", None, b"THREE"]


async def pause_plan(seconds: float) -> None:
    from mailwright.steps import Sleep

    await Sleep(seconds)


@each_library
def test_neither_in_time(library: str) -> None:
    ended: list[str] = []

    async def act() -> None:
        try:
            await pause(library, 60)
        finally:
            ended.append("cancelled")

    async def plan() -> list[Any]:
        await Connect("127.0.0.1", port, 5)
        before = await Clock()
        with pytest.raises(TimeoutError):
            await Attend(act, 0.05)
        took = await Clock() - before
        await Write(b"still here", 5)
        return [took < 5, await Read(5)]

    with serving(echo) as port:
        assert drive(library, plan()) == [True, b"STILL HERE"]
    assert ended == ["cancelled"]


@each_library
def test_the_deadline_holds_here_too(library: str) -> None:
    async def main() -> None:
        link = LIBRARIES[library].Link()
        link.deadline = LIBRARIES[library].clock() + 0.3

        async def plan() -> None:
            await Connect("127.0.0.1", port, 5)
            await Attend(never(library), 60)

        try:
            with pytest.raises(DeadlinePassed):
                await LIBRARIES[library].run(plan(), link)
        finally:
            link.close()

    with serving(echo) as port:
        run_in(library, main)


@each_library
def test_what_the_act_raises_comes_out_and_a_cancellation_ends_it(library: str) -> None:
    ended: list[str] = []

    async def failing() -> None:
        raise KeyError("on purpose")

    async def act() -> None:
        try:
            await pause(library, 60)
        finally:
            ended.append("cancelled")

    async def main() -> None:
        link = LIBRARIES[library].Link()

        async def plan() -> None:
            await Connect("127.0.0.1", port, 5)
            with pytest.raises(KeyError, match="on purpose"):
                await Attend(failing, 5)
            await Attend(act, 60)

        try:
            if library == "asyncio":
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(LIBRARIES[library].run(plan(), link), 0.3)
                await asyncio.sleep(0)
            else:
                with trio.move_on_after(0.3) as scope:
                    await LIBRARIES[library].run(plan(), link)
                assert scope.cancelled_caught
        finally:
            link.close()

    with serving(echo) as port:
        run_in(library, main)
    assert ended == ["cancelled"]


@each_library
def test_without_a_connection_it_is_said(library: str) -> None:
    async def plan() -> None:
        await Attend(never(library), 5)

    with pytest.raises(ConnectionError):
        drive(library, plan())


@each_library
def test_a_connection_that_is_closed_meanwhile_ends_it(library: str) -> None:
    async def main() -> None:
        link = LIBRARIES[library].Link()

        async def plan() -> None:
            await Connect("127.0.0.1", port, 5)
            await Attend(closing, 60)

        async def closing() -> None:
            await pause(library, 0.05)
            link.close()
            await pause(library, 60)

        with pytest.raises(ConnectionAbortedError):
            await LIBRARIES[library].run(plan(), link)

    with serving(echo) as port:
        run_in(library, main)


def test_blocking_code_waits_for_the_act_alone() -> None:
    here: list[int] = []

    async def plan() -> Any:
        await Connect("127.0.0.1", port, 5)
        return await Attend(lambda: here.append(threading.get_ident()), 5)

    with serving(echo) as port:
        assert drive("sync", plan()) is None
    assert here == [threading.get_ident()]


@each_library
def test_under_tls_only_words_count(library: str, tmp_path: Path) -> None:
    """The tickets of TLS 1.3 arrive unasked, and are no words."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    def serve(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as talk:
            echo(talk)

    async def plan() -> list[Any]:
        await Connect("127.0.0.1", port, 5)
        await StartTLS(TLS(ca_file=str(tmp_path / "ca.pem")), "127.0.0.1", 5)
        nothing = await Attend(soon(library), 5)
        await Write(b"hello", 5)
        heard = await Attend(never(library), 5)
        await Write(b"bye", 5)
        return [nothing, heard, await Attend(never(library), 5)]

    with serving(serve) as port:
        assert drive(library, plan()) == [None, b"HELLO", b""]


def test_in_memory_the_act_is_over_at_once() -> None:
    time = memory.Time()

    async def plan() -> Any:
        return await Attend(lambda: None, 5)

    assert memory.alone(plan(), memory.pair(time)[0]) is None
