"""Connections are kept, shared, noticed when dead, and never used across a fork; over a real loopback server."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import trio

from mailwright import AsyncMailer, DeliveryError, Inbox, Mailer, Message, Server, send_async
from mailwright.drivers import sync
from mailwright.errors import ConfigError
from mailwright.mailer.loops import running
from mailwright.options import Limits, Timeouts
from mailwright.words.value import replace
from tests.dialogue import EHLO, C, Content, Drop, HangUp, S, Script, following

MESSAGE = Message("ada@example.org", "bob@example.org", "Hi", "there")


@contextmanager
def listening(*scripts: list[Any]) -> Iterator[Server]:
    """A loopback server: the nth connection gets the nth script."""
    with following(*map(Script, scripts)) as port:
        yield Server("127.0.0.1", port, "none")


HELLO = [S("220 a"), C(EHLO), S("250-a", "250 8BITMIME")]


def one_message() -> list[Any]:
    """The turns of one accepted message."""
    return [
        Something("MAIL FROM:<ada@example.org>"),
        S("250 ok"),
        C("RCPT TO:<bob@example.org>"),
        S("250 ok"),
        C("DATA"),
        S("354 go"),
        Content(),
        S("250 ok"),
    ]


def Something(line: str) -> C:
    """A readable name for the line that begins a message."""
    return C(line)


QUIT = [C("QUIT"), S("221 bye")]


def test_one_connection_for_several_messages() -> None:
    with listening([*HELLO, *one_message(), *one_message(), *QUIT]) as server, Mailer(server) as mailer:
        assert mailer.send(MESSAGE).complete and mailer.send(MESSAGE).complete


def test_messages_per_connection() -> None:
    script = [*HELLO, *one_message(), *QUIT]
    with listening(script, script) as server, Mailer(server, limits=Limits(messages=1)) as mailer:
        assert mailer.send(MESSAGE).complete and mailer.send(MESSAGE).complete


@pytest.mark.parametrize("ending", [[Drop()], [S("421 idle too long"), Drop()], [S("250 what?"), HangUp()]])
def test_a_stale_connection_is_noticed_before_it_is_used(ending: list[Any]) -> None:
    with (
        listening([*HELLO, *one_message(), *ending], [*HELLO, *one_message(), *QUIT]) as server,
        Mailer(server) as mailer,
    ):
        mailer.send(MESSAGE)
        threading.Event().wait(0.1)  # let the ending arrive
        receipt = mailer.send(MESSAGE)
        assert receipt.complete and "connecting to" in str(receipt.transcript)


def test_a_connection_that_dies_at_mail_is_replaced_once() -> None:
    dying = [*HELLO, *one_message(), C("MAIL FROM:<ada@example.org>"), Drop()]
    with listening(dying, [*HELLO, *one_message(), *QUIT]) as server, Mailer(server) as mailer:
        mailer.send(MESSAGE)
        receipt = mailer.send(MESSAGE)
        assert receipt.complete and "trying once on a new one" in str(receipt.transcript)


def test_a_new_connection_that_dies_at_mail_is_not_replaced() -> None:
    with listening([*HELLO, C("MAIL FROM:<ada@example.org>"), Drop()]) as server, Mailer(server) as mailer:
        with pytest.raises(DeliveryError) as caught:
            mailer.send(MESSAGE)
        assert caught.value.temporary and caught.value.phase == "mail"


def test_nothing_is_tried_again_behind_the_envelope() -> None:
    dying = [*HELLO, *one_message(), *one_message()[:-3], Drop()]
    with listening(dying) as server, Mailer(server) as mailer:
        mailer.send(MESSAGE)
        with pytest.raises(DeliveryError) as caught:
            mailer.send(MESSAGE)
        assert caught.value.temporary and not caught.value.in_doubt


def test_a_refused_message_leaves_the_connection_usable() -> None:
    refused = [C("MAIL FROM:<ada@example.org>"), S("550 no")]
    with listening([*HELLO, *refused, *one_message(), *QUIT]) as server, Mailer(server) as mailer:
        with pytest.raises(DeliveryError):
            mailer.send(MESSAGE)
        assert mailer.send(MESSAGE).complete


def test_threads_share_a_mailer() -> None:
    count = 6
    scripts = [[*HELLO, *one_message(), *QUIT] for _ in range(count)]
    results: list[Any] = []
    with listening(*scripts) as server, Mailer(server, limits=Limits(size=1, messages=1)) as mailer:
        threads = [threading.Thread(target=lambda: results.append(mailer.send(MESSAGE))) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert len(results) == count and all(receipt.complete for receipt in results)


LIBRARIES = ["asyncio", "trio"]


def run_in(library: str, main: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """Run a task with that library."""
    return asyncio.run(main(*arguments)) if library == "asyncio" else trio.run(main, *arguments)  # type: ignore[arg-type]


async def at_once(library: str, *acts: Callable[[], Awaitable[Any]]) -> list[Any]:
    """The results of several acts side by side, in no particular order."""
    if library == "asyncio":
        return await asyncio.gather(*(act() for act in acts))
    results: list[Any] = []

    async def one(act: Callable[[], Awaitable[Any]]) -> None:
        results.append(await act())

    async with trio.open_nursery() as nursery:
        for act in acts:
            nursery.start_soon(one, act)
    return results


@pytest.mark.parametrize("library", LIBRARIES)
def test_tasks_share_a_mailer(library: str) -> None:
    count = 6
    scripts = [[*HELLO, *one_message(), *QUIT] for _ in range(count)]

    async def main(server: Server) -> list[Any]:
        async with AsyncMailer(server, limits=Limits(size=1, messages=1)) as mailer:
            return await at_once(library, *[lambda: mailer.send(MESSAGE)] * count)

    with listening(*scripts) as server:
        assert all(receipt.complete for receipt in run_in(library, main, server))


@pytest.mark.parametrize("library", LIBRARIES)
def test_one_connection_for_several_messages_of_a_task(library: str) -> None:
    async def main(server: Server) -> None:
        async with AsyncMailer(server) as mailer:
            assert (await mailer.send(MESSAGE)).complete and (await mailer.send(MESSAGE)).complete
            assert "0 connections in use, 1 idle" in repr(mailer)

    with listening([*HELLO, *one_message(), *one_message(), *QUIT]) as server:
        run_in(library, main, server)


async def interrupted(library: str, act: Callable[[], Awaitable[Any]], ready: Callable[[], bool]) -> BaseException:
    """Cancel the act as soon as it is `ready`; gives the cancellation as the act raised it."""
    caught: list[BaseException] = []

    async def watched() -> None:
        try:
            await act()
        except BaseException as problem:
            caught.append(problem)
            raise

    if library == "asyncio":
        task = asyncio.create_task(watched())
        while not ready():
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.wait([task])
    else:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watched)
            while not ready():
                await trio.sleep(0.005)
            nursery.cancel_scope.cancel()
    (cancelled,) = caught
    assert type(cancelled) is {"asyncio": asyncio.CancelledError, "trio": trio.Cancelled}[library]
    return cancelled


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_cancelled_send_says_its_doubt_and_closes(library: str) -> None:
    content = Content()
    silent = [*HELLO, *one_message()[:-2], content, HangUp()]

    async def main(server: Server) -> Any:
        async with AsyncMailer(server, limits=Limits(size=1)) as mailer:
            cancelled = await interrupted(library, lambda: mailer.send(MESSAGE), lambda: bool(content.octets))
            assert "0 connections in use, 0 idle" in repr(mailer)
            assert (await mailer.send(MESSAGE)).complete  # its place is free again
            return cancelled.__cause__

    with listening(silent, [*HELLO, *one_message(), *QUIT]) as server:
        cause = run_in(library, main, server)
    assert isinstance(cause, DeliveryError) and cause.in_doubt and cause.phase == "final reply"
    assert cause.receipt is not None and cause.receipt.outcomes[0].fate == "in doubt"


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_send_that_is_cancelled_while_it_says_goodbye_knows_that_it_was_accepted(library: str) -> None:
    leaving = Heard("QUIT")

    async def main(server: Server) -> Any:
        async with AsyncMailer(server, limits=Limits(messages=1)) as mailer:
            cancelled = await interrupted(library, lambda: mailer.send(MESSAGE), lambda: leaving.heard)
            assert "0 connections in use, 0 idle" in repr(mailer)
            return cancelled.__cause__

    with listening([*HELLO, *one_message(), leaving, HangUp()]) as server:
        cause = run_in(library, main, server)
    assert isinstance(cause, DeliveryError) and not cause.in_doubt and not cause.temporary
    assert cause.receipt is not None and cause.receipt.complete
    assert "accepted" in str(cause)


class Heard(C):
    """A line that the client must say, and whether it did."""

    heard = False

    def __getattribute__(self, name: str) -> Any:
        if name == "line":
            object.__setattr__(self, "heard", True)
        return object.__getattribute__(self, name)


@pytest.mark.parametrize("library", LIBRARIES)
def test_who_waits_for_a_connection_may_give_up(library: str) -> None:
    content = Content()
    silent = [*HELLO, *one_message()[:-2], content, HangUp()]

    async def main(server: Server) -> None:
        async with AsyncMailer(server, limits=Limits(size=1)) as mailer:

            async def send(after: float, total: float) -> Any:
                await (asyncio.sleep if library == "asyncio" else trio.sleep)(after)
                mailer.server = replace(server, timeouts=Timeouts(total=total))
                try:
                    return await mailer.send(MESSAGE)
                except DeliveryError as error:
                    return error

            # The second comes later and has less time: the first holds the only place until long after.
            errors = await at_once(library, lambda: send(0.0, 2.0), lambda: send(0.3, 0.3))
        waiting = [error for error in errors if "were in use for the whole deadline" in str(error)]
        assert len(waiting) == 1 and {error.phase for error in errors} == {"connect", "final reply"}

    with listening(silent) as server:
        run_in(library, main, server)


@pytest.mark.parametrize("first", LIBRARIES)
@pytest.mark.parametrize("second", LIBRARIES)
@pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning")
def test_another_event_loop_gets_connections_of_its_own(first: str, second: str) -> None:
    async def main() -> bool:
        return bool((await mailer.send(MESSAGE)).complete)

    async def close() -> None:
        await mailer.close()
        with pytest.raises(ConfigError, match="closed"):
            await mailer.send(MESSAGE)

    with listening([*HELLO, *one_message(), HangUp()], [*HELLO, *one_message(), HangUp()]) as server:
        mailer = AsyncMailer(server)
        assert run_in(first, main)
        assert run_in(second, main)
        run_in(second, close)
    gc.collect()  # asyncio's own complaint about a loop that ended with a connection open belongs to this test


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_mailer_that_was_never_used_closes(library: str) -> None:
    async def main() -> None:
        async with AsyncMailer(Server("127.0.0.1", 9, "none")) as mailer:
            assert "0 connections" in repr(mailer)

    run_in(library, main)


@pytest.mark.parametrize("library", LIBRARIES)
def test_which_library_runs_is_known_without_sniffio_too(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> str:
        with_it = running().__name__
        monkeypatch.delitem(sys.modules, "sniffio", raising=False)
        assert running().__name__ == with_it
        return with_it

    assert (
        run_in(library, main)
        == {
            "asyncio": "mailwright.drivers.aio_loop",
            "trio": "mailwright.drivers.trio_loop",
        }[library]
    )


def test_another_library_is_refused_by_name() -> None:
    import sniffio

    async def main() -> None:
        sniffio.current_async_library_cvar.set("curio")
        async with AsyncMailer(Server("127.0.0.1", 9, "none")) as mailer:
            await mailer.send(MESSAGE)

    with pytest.raises(ConfigError, match=r"under curio.*asyncio or Trio"):
        asyncio.run(main())


def test_send_async_under_trio() -> None:
    with Inbox(login=("ada", "sesame")) as inbox:
        receipt = trio.run(
            partial(send_async, "bob@example.org", "Hi", "there", sender="a@b.example", server=inbox.server)
        )
        assert receipt.complete and receipt.tls is not None and receipt.login == "ada"
        assert inbox.messages[0].subject == "Hi"


def test_neither_library_is_imported_to_find_out_which_runs() -> None:
    code = (
        "import sys, {library}\nfrom mailwright import AsyncMailer, Server\n"
        "async def main():\n"
        "    async with AsyncMailer(Server('127.0.0.1', 9, 'none')): pass\n"
        "{run}\nprint([m for m in ('asyncio', 'trio', 'sniffio') if m in sys.modules])"
    )
    for library, run in (("asyncio", "asyncio.run(main())"), ("trio", "trio.run(main)")):
        done = subprocess.run(
            [sys.executable, "-c", code.format(library=library, run=run)],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert ("trio" if library == "asyncio" else "asyncio") not in done.stdout


def _in_a_child(mailer: Mailer, pipe: Any) -> None:
    try:
        pipe.send(str(mailer.send(MESSAGE)))
    except BaseException as problem:
        pipe.send(repr(problem))
    finally:
        mailer.close()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_never_touches_the_inherited_socket() -> None:
    first: list[Any] = [*HELLO, *one_message(), *one_message(), *QUIT]
    listeners = listening(first)
    with listeners as server, Mailer(server) as mailer:
        mailer.send(MESSAGE)
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
        with socket.create_server(("127.0.0.1", 0)) as other:
            mailer.server = Server("127.0.0.1", other.getsockname()[1], "none")
            child = context.Process(target=_in_a_child, args=(mailer, theirs))
            child.start()
            link = sync.Link(other.accept()[0])
            sync.run(Script([*HELLO, *one_message(), *QUIT]).play(), link)
            link.close()
        assert ours.recv() == "accepted by 127.0.0.1 for 1 of 1 recipients"
        child.join(10)
        mailer.server = server
        assert mailer.send(MESSAGE).complete  # the parent's connection heard nothing from the child


def test_a_closed_mailer_says_so() -> None:
    mailer = Mailer(Server("127.0.0.1", 9, "none"))
    mailer.close()
    mailer.close()
    with pytest.raises(ConfigError, match="closed"):
        mailer.send(MESSAGE)


def test_the_total_deadline_ends_a_send() -> None:
    with listening([*HELLO, C("MAIL FROM:<ada@example.org>"), HangUp()]) as server:
        patient = replace(server, timeouts=Timeouts(total=0.3))
        with Mailer(patient) as mailer, pytest.raises(DeliveryError) as caught:
            mailer.send(MESSAGE)
        assert caught.value.temporary and caught.value.phase == "mail"


def test_bad_arguments() -> None:
    with Mailer(Server("127.0.0.1", 9, "none")) as mailer, pytest.raises(ConfigError, match="on_refusal"):
        mailer.send(MESSAGE, on_refusal="explode")  # type: ignore[arg-type]
