"""Questions to a database as steps, so that every statement is used once for blocking code and for asyncio.

A plan over these steps says nothing of transactions: whoever performs it begins one before and commits it after, or
rolls it back when the plan raised. What takes several transactions is a plan over `Transaction`, for `conduct`.
"""

from __future__ import annotations

from mailwright.steps import Sleep, Step
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
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
    given: Mapping[str, Any] | Sequence[Any]


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
    """Perform a plan over a blocking connection. What the database raises is raised into the plan."""
    answer: Any = None
    problem: BaseException | None = None
    while True:
        try:
            step = plan.send(answer) if problem is None else plan.throw(problem)
        except StopIteration as end:
            result: T = end.value
            return result
        answer, problem = None, None
        try:
            answer = session.query(step.sql, step.given) if isinstance(step, Query) else session.each(*_each(step))
        except Exception as raised:
            problem = raised


async def perform_async(plan: Plan[T], session: AsyncSession) -> T:
    """The same over an asynchronous connection."""
    answer: Any = None
    problem: BaseException | None = None
    while True:
        try:
            step = plan.send(answer) if problem is None else plan.throw(problem)
        except StopIteration as end:
            result: T = end.value
            return result
        answer, problem = None, None
        try:
            if isinstance(step, Query):
                answer = await session.query(step.sql, step.given)
            else:
                answer = await session.each(*_each(step))
        except Exception as raised:
            problem = raised


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
