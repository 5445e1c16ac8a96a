"""Waiting for a message without blocking: under asyncio and under Trio alike."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing

from mailwright import AsyncMailer, Mailer, Message
from mailwright.inbox import Inbox
from mailwright.words.errors import Timeout

HELLO = Message("ada@example.org", "bob@example.org", "Hello", "Text")
LATER = Message("ada@example.org", "eve@example.org", "Later", "Text")

RUNNERS: dict[str, Callable[[Callable[[], Awaitable[Any]]], Any]] = {
    "asyncio": lambda main: asyncio.run(main()),  # type: ignore[arg-type]
    "trio": trio.run,
}


@pytest.fixture(params=RUNNERS)
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[Any]]], Any]:
    """Runs a coroutine function under one of the two libraries."""
    return RUNNERS[request.param]


def from_another_thread(inbox: Inbox, *messages: Message) -> threading.Thread:
    """A blocking mailer that sends these while the event loop does something else."""

    def send() -> None:
        with Mailer(inbox.server) as mailer:
            for message in messages:
                mailer.send(message)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_what_is_there_is_found_at_once(run: Any) -> None:
    async def main() -> str:
        async with Inbox(tls=False) as inbox, AsyncMailer(inbox.server) as mailer:
            await mailer.send(HELLO)
            return (await inbox.wait_async(to="bob@example.org", timeout=0)).subject

    assert run(main) == "Hello"


def test_what_comes_later_wakes_who_waits(run: Any) -> None:
    async def main() -> str:
        async with Inbox(tls=False) as inbox:
            thread = from_another_thread(inbox, HELLO, HELLO, LATER)
            found = await inbox.wait_async(subject="Later", timeout=60)
            thread.join()
            return found.subject

    assert run(main) == "Later"


def test_a_wait_in_vain_says_so(run: Any) -> None:
    async def main() -> None:
        async with Inbox(tls=False) as inbox, AsyncMailer(inbox.server) as mailer:
            await mailer.send(HELLO)
            with pytest.raises(Timeout, match=r"to bob@example\.org: 'Hello'"):
                await inbox.wait_async(to="eve@example.org", timeout=0.01)

    run(main)


def test_an_answer_that_failed_is_the_cause(run: Any) -> None:
    def answer(received: object) -> None:
        raise KeyError("a mistake in the test")

    async def main() -> None:
        async with Inbox(tls=False, answer=answer) as inbox, AsyncMailer(inbox.server) as mailer:
            with pytest.raises(Exception, match="451"):
                await mailer.send(HELLO)
            with pytest.raises(Timeout) as caught:
                await inbox.wait_async(timeout=0)
            assert isinstance(caught.value.__cause__, KeyError)

    run(main)


def test_other_tasks_go_on_in_asyncio() -> None:
    async def main() -> list[str]:
        async with Inbox(tls=False) as inbox, AsyncMailer(inbox.server) as mailer:
            waiting = [asyncio.create_task(inbox.wait_async(subject=s, timeout=60)) for s in ("Later", "Hello")]
            await asyncio.sleep(0)
            await mailer.send(HELLO)
            await mailer.send(LATER)
            return [(await one).subject for one in waiting]

    assert asyncio.run(main()) == ["Later", "Hello"]


def test_other_tasks_go_on_in_trio() -> None:
    found: list[str] = []

    async def main() -> None:
        async with Inbox(tls=False) as inbox, AsyncMailer(inbox.server) as mailer:

            async def wait(subject: str) -> None:
                found.append((await inbox.wait_async(subject=subject, timeout=60)).subject)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait, "Later")
                nursery.start_soon(wait, "Hello")
                await trio.testing.wait_all_tasks_blocked()
                await mailer.send(HELLO)
                await mailer.send(LATER)

    trio.run(main)
    assert sorted(found) == ["Hello", "Later"]


def test_a_cancelled_wait_ends_at_once_and_leaves_nothing() -> None:
    with Inbox(tls=False) as inbox:

        async def with_asyncio() -> None:
            waiting = asyncio.create_task(inbox.wait_async(timeout=3600))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

        async def with_trio() -> None:
            with trio.CancelScope() as scope:
                scope.cancel()
                await inbox.wait_async(timeout=3600)
            assert scope.cancelled_caught

        asyncio.run(with_asyncio())
        trio.run(with_trio)
        with Mailer(inbox.server) as mailer:  # what arrives now must not be told to loops that have ended
            mailer.send(HELLO)
        assert inbox.wait().subject == "Hello"
        assert inbox.problem is None
    gc.collect()


def test_a_loop_that_ended_while_it_waited_disturbs_nobody() -> None:
    with Inbox(tls=False) as inbox:
        loop = asyncio.new_event_loop()
        waiting = inbox.wait_async(timeout=3600)
        task = loop.create_task(waiting)
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        with Mailer(inbox.server) as mailer:
            mailer.send(HELLO)
        assert inbox.wait().subject == "Hello"
        assert inbox.problem is None
        task._log_destroy_pending = False  # type: ignore[attr-defined] - its loop was closed on purpose
        del task
        waiting.close()
