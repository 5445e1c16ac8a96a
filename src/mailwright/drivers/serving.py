"""A listening socket under asyncio: each connection is served by a plan of its own.

A server's plan mostly reads, thinks and writes. So it is stepped where the event loop says that something arrived, not
in a task that must be woken for it: half the turns of the loop, and no future, task or timer for each read. What a
plan seldom asks for is done in a task as under `mailwright.drivers.aio`.
"""

from __future__ import annotations

import asyncio

from mailwright.drivers.aio import Link, _perform, clock
from mailwright.drivers.conduct import conducted
from mailwright.steps import Ask, Clock, Close, Read, Write
from mailwright.words.errors import MailError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, Literal

    from mailwright.steps import Plan, Step

__all__ = ["clock", "serve"]


async def serve(plan_for: Callable[[Link, str], Plan[Any]], host: str, port: int) -> asyncio.Server:
    """Listen on `host` and `port`; for each connection run the plan that ``plan_for(link, address)`` gives. Raises
    `OSError` when the port can't be had.
    """
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: _Guest(plan_for, loop), host, port, reuse_address=True)


class _Guest(Link):
    """A connection that was accepted, and the plan that serves it."""

    def __init__(self, plan_for: Callable[[Link, str], Plan[Any]], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._plan_for = plan_for
        self._loop = loop
        self._needs: Generator[Step[Any], Any, Any] | None = None
        self._waits_for = ""  # "octets" to read, or the "kernel" to take what was written; nothing while it is stepped
        self._until = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._errand: asyncio.Future[Any] | None = None
        self._stepping = False
        self._answer: Any = None  # what the last step gave that needed no waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands: its plan begins."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._needs = conducted(self._plan_for(self, peer[0] if peer else ""), self.secured)
        self._go_on(None)

    def _wake(self) -> None:
        super()._wake()
        if self._waits_for == "octets":
            if self._arrived or self._ended:
                try:
                    octets = self._take()
                except OSError as problem:
                    self._go_on(None, problem)
                else:
                    self._go_on(octets)
        elif self._waits_for == "kernel":
            if self._failure is not None:
                self._go_on(None, ConnectionResetError("the client left"))
            elif not self._full:
                self._go_on(None)

    def close(self, how: Literal["close", "end", "reset"] = "close") -> None:
        """Close the connection now, and end its plan; never fails."""
        super().close(how)
        self._end()

    def _go_on(self, answer: Any, problem: BaseException | None = None) -> None:
        """Step the plan until it has to wait."""
        self._waits_for = ""
        needs = self._needs
        while needs is not None:
            self._stepping = True
            try:
                step = needs.send(answer) if problem is None else needs.throw(problem)
            except StopIteration:
                return self.close()
            except (OSError, MailError):
                return self.close()  # a client that leaves or misbehaves ends its own connection, nothing else
            except BaseException as mistake:
                self.close()
                if not isinstance(mistake, Exception):
                    raise
                told = {"message": "the plan of a connection failed", "exception": mistake}
                return self._loop.call_exception_handler(told)
            finally:
                self._stepping = False
            answer = problem = None
            try:
                if self._has_to_wait(step):
                    return None
                answer, self._answer = self._answer, None
            except Exception as error:
                problem = error
            needs = self._needs
        return None

    def _has_to_wait(self, step: Step[Any]) -> bool:
        """Perform the step, or begin to; an error that it raises is the plan's."""
        kind = type(step)
        if kind is Read:
            if not self._arrived and not self._ended:
                return self._wait("octets", step.timeout)  # type: ignore[attr-defined]
            self._answer = self._take()
        elif kind is Write:
            transport = self._usable()
            transport.write(step.data)  # type: ignore[attr-defined]
            if transport.is_closing():  # it failed just now, and drops silently what it is given
                raise ConnectionResetError("the client left")
            if self._full:
                return self._wait("kernel", step.timeout)  # type: ignore[attr-defined]
        elif kind is Clock:
            self._answer = self._loop.time()
        elif kind is Close:
            super().close(step.how)  # type: ignore[attr-defined]
        elif kind is Ask and not step.blocking:  # type: ignore[attr-defined]
            answer = step.act()  # type: ignore[attr-defined]
            if hasattr(answer, "__await__"):
                return self._wait_for(asyncio.ensure_future(answer))
            self._answer = answer
        else:
            return self._wait_for(self._loop.create_task(_perform(step, self)))
        return False

    def _wait(self, what: str, timeout: float) -> bool:
        self._waits_for = what
        self._until = until = self._loop.time() + timeout
        # One alarm for many waits: it is set anew only when it would come too late.
        alarm = self._alarm
        if alarm is None or alarm.when() > until:
            if alarm is not None:
                alarm.cancel()
            self._alarm = self._loop.call_at(until, self._too_late)
        return True

    def _too_late(self) -> None:
        self._alarm = None
        if not self._waits_for:
            return
        if self._loop.time() < self._until:
            self._alarm = self._loop.call_at(self._until, self._too_late)
            return
        if self._full and self._transport is not None:
            self._transport.abort()  # the plan is told that these octets did not leave: now they can't
        self._go_on(None, TimeoutError())

    def _wait_for(self, errand: asyncio.Future[Any]) -> bool:
        self._errand = errand
        errand.add_done_callback(self._done)
        return True

    def _done(self, errand: asyncio.Future[Any]) -> None:
        if errand is not self._errand:
            return  # the connection was closed meanwhile
        self._errand = None
        if errand.cancelled():
            return self.close()  # the event loop ends
        problem = errand.exception()
        if problem is None:
            self._go_on(errand.result())
        elif isinstance(problem, StopIteration):
            self._go_on(None, RuntimeError("StopIteration was raised"))
        else:
            self._go_on(None, problem)
        return None

    def _end(self) -> None:
        needs, self._needs, self._waits_for = self._needs, None, ""
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            alarm.cancel()
        errand, self._errand = self._errand, None
        if errand is not None:
            errand.cancel()
        if needs is not None and not self._stepping:
            needs.close()
