"""Which asynchronous library runs the current task: asyncio or Trio. Neither is imported to find out."""

from __future__ import annotations

from sys import modules

from mailwright.words.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, Protocol, TypeVar

    from mailwright.steps import Plan

    T = TypeVar("T")

    class Errand(Protocol):
        """A plan that goes on by itself."""

        @property
        def ended(self) -> bool: ...
        def result(self) -> Any: ...
        async def stop(self) -> None: ...

    class Loop(Protocol):
        """What a pool of connections needs of the library: the names that both asynchronous drivers have.

        `Link` makes a connection for `run`; `places` a semaphore; `Bell` something that another thread may ring to
        wake a task; `Cancelled` is raised into a task that is cancelled.
        """

        @property
        def Link(self) -> Callable[[], Any]: ...
        @property
        def Cancelled(self) -> type[BaseException]: ...
        @property
        def Errand(self) -> Callable[[Plan[Any], Any, Callable[[], object]], Errand]: ...
        @property
        def places(self) -> Callable[[int], Any]: ...
        @property
        def Bell(self) -> Callable[[], Any]: ...
        def run(self, plan: Plan[T], link: Any) -> Awaitable[T]: ...
        def current(self) -> object: ...
        def clock(self) -> float: ...
        def in_time(self, act: Callable[[], Awaitable[object]], seconds: float | None) -> Awaitable[bool]: ...


def running() -> Loop:
    """The driver for the library that runs the current task. Raises `ConfigError` under any other library."""
    library = _library()
    if library == "trio":
        from mailwright.drivers import trio_loop

        return trio_loop
    if library == "asyncio":
        from mailwright.drivers import aio_loop

        return aio_loop
    raise ConfigError(
        f"Mail can't be sent under {library}.", "Use asyncio or Trio, or the blocking Mailer in a thread."
    )


def _library() -> str:
    # sniffio, where something has loaded it, knows best: one library may run inside the other.
    if (sniffio := modules.get("sniffio")) is not None:
        try:
            return str(sniffio.current_async_library())
        except sniffio.AsyncLibraryNotFoundError:
            return "asyncio"
    if (trio := modules.get("trio")) is not None:
        try:
            trio.lowlevel.current_task()
            return "trio"
        except RuntimeError:
            pass
    return "asyncio"
