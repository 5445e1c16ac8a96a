"""What may befall those who share connections: interrupted, cancelled, overtaken by `close`, lied to while idle."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from mailwright import AsyncMailer, DeliveryError, Mailer, Message
from mailwright.errors import ConfigError
from mailwright.options import Limits, Timeouts
from mailwright.words.value import replace
from tests.dialogue import EHLO, C, Do, Drop, HangUp, S
from tests.unit.mailer.test_pool import HELLO, MESSAGE, QUIT, listening, one_message

LIBRARIES = ["asyncio", "trio"]
each_library = pytest.mark.parametrize("library", LIBRARIES)


def run_in(library: str, main: Any) -> Any:
    """Run a task with that library."""
    return asyncio.run(main()) if library == "asyncio" else trio.run(main)


@contextmanager
def interrupting() -> Iterator[Any]:
    """A way to send Ctrl-C to the main thread."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, stop)
    main = threading.main_thread().ident
    assert main is not None
    try:
        yield lambda: signal.pthread_kill(main, signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("limits", [{"size": 0}, {"size": -1}, {"messages": 0}])
def test_limits_that_would_wait_for_ever_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="1 or more"):
        Limits(**limits)


def test_ctrl_c_during_a_goodbye_loses_no_place() -> None:
    """The connection has carried all that it may: while its QUIT waits for an answer, Ctrl-C comes."""
    with interrupting() as ctrl_c:
        first = [*HELLO, *one_message(), C("QUIT"), Do(ctrl_c), HangUp()]
        second = [*HELLO, *one_message(), *QUIT]
        with listening(first, second) as server:
            patient = replace(server, timeouts=Timeouts(quit=20.0, total=20.0))
            mailer = Mailer(patient, limits=Limits(size=1, messages=1))
            with pytest.raises(KeyboardInterrupt):
                mailer.send(MESSAGE)
            assert "0 connections in use, 0 idle" in repr(mailer)
            assert mailer.send(MESSAGE).complete
            mailer.close()


def test_ctrl_c_in_a_message_closes_its_connection() -> None:
    with interrupting() as ctrl_c, listening([*HELLO, *one_message()[:-1], Do(ctrl_c), HangUp()]) as server:
        with Mailer(server) as mailer:
            with pytest.raises(KeyboardInterrupt):
                mailer.send(MESSAGE)
            assert "0 connections in use, 0 idle" in repr(mailer)


def test_who_waits_while_the_mailer_is_closed_is_told() -> None:
    taken, release = threading.Event(), threading.Event()
    results: list[Any] = []
    turns = [*HELLO, *one_message()[:-1], Do(taken.set), Do(lambda: release.wait(20)), S("250 ok"), *QUIT]

    def send() -> None:
        try:
            results.append(mailer.send(MESSAGE))
        except ConfigError as error:
            results.append(error)

    with listening(turns) as server:
        mailer = Mailer(server, limits=Limits(size=1))
        threads = [threading.Thread(target=send) for _ in range(2)]
        threads[0].start()
        assert taken.wait(20)
        threads[1].start()
        while not mailer._freed._waiters:  # type: ignore[attr-defined]
            pass
        mailer.close()
        threads[1].join(20)
        assert len(results) == 1 and "closed" in str(results[0])
        release.set()
        threads[0].join(20)
    assert results[1].complete


@each_library
def test_a_task_that_waits_while_the_mailer_is_closed_is_told(library: str) -> None:
    """It gets no connection of its own, however long it waited."""

    async def main() -> list[Any]:
        mailer = AsyncMailer(server, limits=Limits(size=1))
        results: list[Any] = []

        async def send() -> None:
            try:
                results.append(await mailer.send(MESSAGE))
            except ConfigError as error:
                results.append(error)

        async def close() -> None:
            while not taken.is_set():
                await (asyncio.sleep(0.01) if library == "asyncio" else trio.sleep(0.01))
            await mailer.close()
            release.set()

        if library == "asyncio":
            await asyncio.gather(send(), send(), close())
        else:
            async with trio.open_nursery() as nursery:
                for act in (send, send, close):
                    nursery.start_soon(act)
        return results

    taken, release = threading.Event(), threading.Event()
    turns = [*HELLO, *one_message()[:-1], Do(taken.set), Do(lambda: release.wait(20)), S("250 ok"), *QUIT]
    with listening(turns) as server:
        results = run_in(library, main)
    assert sorted(type(result).__name__ for result in results) == ["ConfigError", "Receipt"]


@each_library
@pytest.mark.parametrize("ending", [[Drop()], [S("421 bye"), Drop()], [S("250 what?"), HangUp()]])
def test_an_idle_connection_that_ended_is_replaced(library: str, ending: list[Any]) -> None:
    """The end of the old connection must not be taken for that of the new one."""
    said = threading.Event()

    async def main() -> None:
        async with AsyncMailer(server) as mailer:
            assert (await mailer.send(MESSAGE)).complete
            said.wait(20)
            await (asyncio.sleep(0.1) if library == "asyncio" else trio.sleep(0.1))
            assert (await mailer.send(MESSAGE)).complete

    with listening([*HELLO, *one_message(), *ending[:1], Do(said.set), *ending[1:]] if len(ending) > 1 else
                   [*HELLO, *one_message(), Do(said.set), *ending], [*HELLO, *one_message(), *QUIT]) as server:  # fmt: skip
        run_in(library, main)


@each_library
def test_a_word_too_many_behind_a_message_ends_that_connection(library: str) -> None:
    async def main() -> None:
        async with AsyncMailer(server) as mailer:
            assert (await mailer.send(MESSAGE)).complete
            assert (await mailer.send(MESSAGE)).complete

    twice = [*HELLO, *one_message()[:-1], S("250 ok", "250 ok again"), HangUp()]
    with listening(twice, [*HELLO, *one_message(), *QUIT]) as server:
        run_in(library, main)


def test_the_wait_for_a_connection_is_part_of_the_whole() -> None:
    """Whoever waited for the whole deadline does not begin to talk after it."""
    errors: list[Any] = []
    message = Message("ada@example.org", "bob@example.org", "Hi", "there")

    def send() -> None:
        try:
            mailer.send(message)
        except DeliveryError as error:
            errors.append(error)

    with listening([S("220 a"), C(EHLO), HangUp()]) as server:
        patient = replace(server, timeouts=Timeouts(total=0.5))
        with Mailer(patient, limits=Limits(size=1)) as mailer:
            threads = [threading.Thread(target=send) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
    late, first = sorted(errors, key=lambda error: error.phase == "ehlo")
    assert first.phase == "ehlo" and "EHLO" not in str(late.transcript)
    assert late.phase in ("connect", "greeting")  # the latter if a millisecond was left to it
