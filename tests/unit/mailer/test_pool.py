"""Connections are kept, shared, noticed when dead, and never used across a fork; over a real loopback server."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mailwright import AsyncMailer, ConfigError, DeliveryError, Limits, Mailer, Message, Server
from mailwright.drivers import sync
from tests.dialogue import EHLO, C, Content, Drop, HangUp, S, Script

MESSAGE = Message("ada@example.org", "bob@example.org", "Hi", "there")


@contextmanager
def listening(*scripts: list[Any]) -> Iterator[Server]:
    """A loopback server: the nth connection gets the nth script."""
    problems: list[BaseException] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve() -> None:
            for turns in scripts:
                link = sync.Link(listener.accept()[0])
                link.deadline = sync.monotonic() + 10
                try:
                    sync.run(Script(turns).play(), link)
                except BaseException as problem:
                    problems.append(problem)
                finally:
                    link.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Server("127.0.0.1", listener.getsockname()[1], "none")
        thread.join(15)
        assert not thread.is_alive(), "fewer connections came than there are scripts"
    assert not problems, problems


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


def test_tasks_share_a_mailer() -> None:
    count = 6
    scripts = [[*HELLO, *one_message(), *QUIT] for _ in range(count)]

    async def main(server: Server) -> list[Any]:
        async with AsyncMailer(server, limits=Limits(size=1, messages=1)) as mailer:
            return await asyncio.gather(*(mailer.send(MESSAGE) for _ in range(count)))

    with listening(*scripts) as server:
        assert all(receipt.complete for receipt in asyncio.run(main(server)))


def test_a_cancelled_send_says_its_doubt_and_closes() -> None:
    async def main(server: Server) -> Any:
        async with AsyncMailer(server) as mailer:
            task = asyncio.create_task(mailer.send(MESSAGE))
            await asyncio.sleep(0.3)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError as cancelled:
                return cancelled.__cause__
        return None

    with listening([*HELLO, *one_message()[:-1], HangUp()]) as server:
        cause = asyncio.run(main(server))
    assert isinstance(cause, DeliveryError) and cause.in_doubt and cause.phase == "final reply"


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
        assert mailer.send(MESSAGE).complete  # the parent's connection heard nothing from the child


def test_a_closed_mailer_says_so() -> None:
    mailer = Mailer(Server("127.0.0.1", 9, "none"))
    mailer.close()
    mailer.close()
    with pytest.raises(ConfigError, match="closed"):
        mailer.send(MESSAGE)


def test_the_total_deadline_ends_a_send() -> None:
    from mailwright import Timeouts
    from mailwright.words.value import replace

    with listening([*HELLO, C("MAIL FROM:<ada@example.org>"), HangUp()]) as server:
        patient = replace(server, timeouts=Timeouts(total=0.3))
        with Mailer(patient) as mailer, pytest.raises(DeliveryError) as caught:
            mailer.send(MESSAGE)
        assert caught.value.temporary and caught.value.phase == "mail"


def test_bad_arguments() -> None:
    with Mailer(Server("127.0.0.1", 9, "none")) as mailer, pytest.raises(ConfigError, match="on_refusal"):
        mailer.send(MESSAGE, on_refusal="explode")  # type: ignore[arg-type]
