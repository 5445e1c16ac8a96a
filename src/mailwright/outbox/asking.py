"""Questions to a database as steps, so that every statement is used once for blocking code and for asyncio.

A plan over these steps says nothing of transactions: whoever performs it begins one before and commits it after, or
rolls it back when the plan raised. What takes several transactions is a plan over `Transaction`, for `conduct`.
"""

from __future__ import annotations

from contextlib import suppress

from mailwright.steps import Sleep, Step
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
    from typing import Any, Protocol, TypeVar

    from mailwright.steps import Plan

    T = TypeVar("T")
    Row = tuple[Any, ...]

    class Session(Protocol):
        """A connection to a database for `perform`: blocking."""

        def query(self, sql: str, given: Any) -> list[Row]: ...
        def each(self, sql: str, rows: Sequence[Any]) -> int: ...

    class AsyncSession(Protocol):
        """A connection to a database for `perform_async`."""

        async def query(self, sql: str, given: Any) -> list[Row]: ...
        async def each(self, sql: str, rows: Sequence[Any]) -> int: ...

    class Transacts(Protocol):
        """What `conduct` needs of a database."""

        def write(self, make: Callable[[], Plan[T]]) -> T: ...
        def read(self, make: Callable[[], Plan[T]]) -> T: ...

    class AsyncTransacts(Protocol):
        """The same for `conduct_async`."""

        async def write(self, make: Callable[[], Plan[T]]) -> T: ...
        async def read(self, make: Callable[[], Plan[T]]) -> T: ...


@value
class Query(Step["list[Row]"]):
    """The rows that one statement gives, `[]` for one that gives none."""

    sql: str
    given: Mapping[str, Any] | Iterable[Any]


@value
class Each(Step[int]):
    """The statement once for each of `rows`; gives how many rows of the table it changed in all."""

    sql: str
    rows: Sequence[Mapping[str, Any] | Sequence[Any]]


@value
class Transaction(Step["Any"]):
    """Perform the plan that `make` gives in a transaction of its own; `writes`: it does more than look."""

    make: Callable[[], Plan[Any]]
    writes: bool = True


def perform(plan: Plan[T], session: Session) -> T:
    """Perform a plan over a blocking connection. What the database raises is raised into the plan, and so is Ctrl-C or
    whatever else ends the wait for it: a plan that had begun something asks for its undoing then, and gets it.
    """
    problem: BaseException | None = None
    while True:
        try:
            step = plan.send(None) if problem is None else plan.throw(problem)
            while True:
                step = plan.send(_asked(session, step))
        except StopIteration as end:
            result: T = end.value
            return result
        except BaseException as raised:
            if _ended(plan):
                raise
            problem = raised


def _asked(session: Session, step: Step[Any]) -> Any:
    return session.query(step.sql, step.given) if isinstance(step, Query) else session.each(*_each(step))


async def perform_async(plan: Plan[T], session: AsyncSession) -> T:
    """The same over an asynchronous connection. Who is cancelled waits until the plan has undone what it had begun,
    however often that is done.
    """
    problem: BaseException | None = None
    undoing = False
    while True:
        try:
            step = plan.send(None) if problem is None else plan.throw(problem)
            while True:
                asked = _asked_async(session, step)
                step = plan.send(await (uninterrupted(asked) if undoing else asked))
        except StopIteration as end:
            result: T = end.value
            return result
        except GeneratorExit:  # the loop is gone, and nobody is left who could wait
            raise
        except BaseException as raised:
            if _ended(plan):
                raise
            problem = raised
            undoing = undoing or not isinstance(raised, Exception)


def _asked_async(session: AsyncSession, step: Step[Any]) -> Coroutine[Any, Any, Any]:
    return session.query(step.sql, step.given) if isinstance(step, Query) else session.each(*_each(step))


def _ended(plan: Any) -> bool:
    """Whether the plan has come to its end, and what it raised is its own."""
    return plan.cr_frame is None


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives; it is waited for to its end by whoever is cancelled meanwhile, too."""
    import asyncio

    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait((task,))
    return task.result()


def _each(step: Step[Any]) -> tuple[str, Sequence[Any]]:
    if not isinstance(step, Each):
        raise TypeError(f"{step!r} is no question to a database")
    return step.sql, step.rows


def conduct(plan: Plan[T], database: Transacts, pause: Callable[[float], None]) -> T:
    """Perform a plan of several transactions on a blocking database; `pause` sleeps for so many seconds."""
    answer: Any = None
    while True:
        try:
            step = plan.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        if isinstance(step, Sleep):
            answer = None
            pause(step.seconds)
        else:
            assert isinstance(step, Transaction)
            answer = (database.write if step.writes else database.read)(step.make)


async def conduct_async(plan: Plan[T], database: AsyncTransacts, pause: Callable[[float], Awaitable[None]]) -> T:
    """The same on an asynchronous one."""
    answer: Any = None
    while True:
        try:
            step = plan.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        if isinstance(step, Sleep):
            answer = None
            await pause(step.seconds)
        else:
            assert isinstance(step, Transaction)
            answer = await (database.write if step.writes else database.read)(step.make)
