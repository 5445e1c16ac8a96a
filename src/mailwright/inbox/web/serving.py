"""The web server: uvicorn, in a thread of its own, with limits for clients that take their time.

The thread is not that of the SMTP listener, so that a message of 100 MB which somebody opens keeps no mail waiting.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from mailwright.inbox.web.doors import LOCAL_NAMES, Doors, check_address
from mailwright.inbox.web.resources import Resources
from mailwright.words.errors import ConfigError
from mailwright.words.extras import extra
from mailwright.words.secret import Secret
from mailwright.words.value import value

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Self

    import uvicorn

    from mailwright.inbox.faults import Faults
    from mailwright.inbox.store import Store
    from mailwright.inbox.web.release import Release
    from mailwright.inbox.web.spamd import Spamd
    from mailwright.words.server import Server

PORT = 8025
HEAD_LIMIT = 16_384  # octets of a request line with its header fields
#: Addresses that mean all of this machine's and are none of a server's, and by which this machine reaches it then.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
_GRACE = 1.0  # seconds for answers that are under way when the server ends
_STOP_TIMEOUT = 10.0  # seconds to wait for the thread


class PortTaken(ConfigError):
    """The page can't listen there."""


@value
class Patience:
    """`connections`: how many at once. `request`: seconds in which a request must have come in whole. `answer`:
    seconds in which a client must take the next 64 kB of what it asked for.
    """

    connections: int = 100
    request: float = 15.0
    answer: float = 30.0


class Site:
    """The page and the API of one inbox, between `open` and `close` or in a ``with`` block.

    `store`: the messages. `faults`: what the inbox breaks on request. `smtp` and `smtp_url`: the inbox's `server` and
    `url`, to be told to those who ask. `address` and `port`: where the page listens, port 0 for a free one; another
    address than the loopback interface needs a `password`, which a browser then asks for. `hosts`: further names under
    which it is reached. `release` and `spamd`: whom to send released messages to, and where SpamAssassin is asked;
    without them the server never connects to anything. `patience`: how long slow clients are waited for. Raises
    `MissingExtra` without the extra ``inbox``, and `ConfigError`.
    """

    def __init__(
        self,
        store: Store,
        faults: Faults | None = None,
        *,
        address: str = "127.0.0.1",
        port: int = PORT,
        hosts: tuple[str, ...] = (),
        password: str | Secret | None = None,
        release: Release | None = None,
        spamd: Spamd | None = None,
        smtp: Server | None = None,
        smtp_url: str = "",
        patience: Patience | None = None,
    ) -> None:
        for package in ("starlette", "uvicorn", "jinja2"):
            extra(package, "inbox", "The page of the inbox")
        secret = Secret(password) if isinstance(password, str) else password
        check_address(address, secret)
        Doors(port, hosts)  # a name that is none is told here already
        self._resources = Resources(store, faults, release, spamd, smtp, smtp_url)
        self._address = address
        self._port = port
        self._hosts = hosts
        self._password = secret
        self._patience = patience or Patience()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address of the page, as this machine reaches it."""
        if self._thread is None:
            raise ConfigError("The page is not open.", "Use it inside of: with Site(inbox.store) as site")
        return f"http://{_EVERYWHERE.get(self._name, self._name)}:{self._port}/"

    def open(self) -> Self:
        """Begin to listen. Takes some tens of milliseconds."""
        if self._thread is not None:
            return self
        sockets = self._listening()
        self._port = sockets[0].getsockname()[1]
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(sockets, ready), name="mailwright inbox page", daemon=True
        )
        self._thread.start()
        try:
            ready.result()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Listen no more, end all connections and the thread. May be called again."""
        loop, stopping, thread = self._loop, self._stopping, self._thread
        self._loop = self._stopping = self._thread = None
        if loop is not None and stopping is not None:
            try:
                loop.call_soon_threadsafe(stopping.set)
            except RuntimeError:
                pass  # it has ended by itself
        if thread is not None:
            thread.join(_STOP_TIMEOUT)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _listening(self) -> list[socket.socket]:
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        try:
            first = socket.create_server((self._address, self._port), family=family)
        except (OSError, OverflowError) as problem:
            why = getattr(problem, "strerror", None) or problem
            what = f"The page can't listen on port {self._port} of {self._address}: {why}."
            raise PortTaken(what, "Take another port; 0 takes a free one.") from None
        if self._address not in ("127.0.0.1", "localhost"):
            return [first]
        try:  # to many systems "localhost" means ::1 first
            return [first, socket.create_server(("::1", first.getsockname()[1]), family=socket.AF_INET6)]
        except OSError:
            return [first]

    def _run(self, sockets: list[socket.socket], ready: Future[None]) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._serve(sockets, ready))
        except Exception as problem:
            if ready.done():
                raise
            ready.set_exception(problem)
        finally:
            for sock in sockets:
                sock.close()

    async def _serve(self, sockets: list[socket.socket], ready: Future[None]) -> None:
        import uvicorn

        from mailwright.inbox.web.app import application
        from mailwright.inbox.web.live import Live

        self._stopping = stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        live = Live(self._loop)
        doors = Doors(self._port, (*self._hosts, *self._own_name()), self._password)
        server = uvicorn.Server(_config(application(self._resources, live, doors), self._patience))
        serving = asyncio.create_task(server.serve(sockets))
        with self._resources.store.watched(live.ring):
            ready.set_result(None)  # the sockets listen already: whoever comes before uvicorn has begun waits
            await stopping.wait()
        live.close()
        server.should_exit = True
        await _ended(server, serving)

    def _own_name(self) -> tuple[str, ...]:
        """The address itself, where it is one under which others can reach us."""
        return () if self._name in (*LOCAL_NAMES, *_EVERYWHERE) else (self._name,)

    @property
    def _name(self) -> str:
        """The address as it stands in a URL."""
        return f"[{self._address}]" if ":" in self._address else self._address


def _config(application: Any, patience: Patience) -> uvicorn.Config:
    import uvicorn

    from mailwright.inbox.web.patience import patient

    return uvicorn.Config(
        application,
        http=patient(patience),
        ws="none",
        loop="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # what a client says of its address is believed by nobody here
        h11_max_incomplete_event_size=HEAD_LIMIT,
        workers=1,
    )


async def _ended(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    """Wait until all answers are given, but not for long."""
    done, _ = await asyncio.wait({serving}, timeout=_GRACE)
    if not done:
        for connection in tuple(server.server_state.connections):
            connection.transport.abort()
        for task in tuple(server.server_state.tasks):
            task.cancel()
        await serving
