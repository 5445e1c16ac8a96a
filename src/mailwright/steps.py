"""Plans and steps: how everything here is said once for blocking code, asyncio, Trio and tests.

A **plan** is an ``async def`` that awaits only steps (or other plans). A **step** is a small frozen value
that says what is needed from outside. A **driver** (``mailwright.drivers``) is a loop that takes each step
from a plan, performs it, and sends back what came of it. The plan cannot tell which driver it has; it has no
socket, clock or lock of its own.

Failures come into the very line of the plan that waited: `TimeoutError` when the step's time is up,
`ConnectionError` when the connection broke, and errors of `mailwright.words.errors` where the driver knows
more (`Connect`, `StartTLS`).

Plans never clean up: no step stands in a ``finally``. A plan that dies leaves the values that were passed to
it exact, and its owner closes the link.
"""

from __future__ import annotations

from mailwright.words.server import TLS
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Iterator
    from typing import Any, Generic, Literal, TypeVar

    from mailwright.message.source import FilePiece
    from mailwright.words.receipt import TLSFacts  # noqa: F401 - named in the brackets of StartTLS

    T = TypeVar("T")
    R = TypeVar("R", covariant=True)
    Plan = Coroutine["Step[Any]", Any, T]

    class Step(Generic[R]):
        """Something that a plan needs from outside; awaiting it gives an `R`."""

        __slots__ = ()

        def __await__(self) -> Generator[Step[R], Any, R]: ...

else:

    class Step:
        """Something that a plan needs from outside; awaiting it gives what its class names in brackets."""

        __slots__ = ()

        def __await__(self):
            return (yield self)

        def __class_getitem__(cls, _):
            # `class Read(Step[bytes])` is for type checkers; typing.Generic would cost 8 ms of start-up.
            return cls


class DeadlinePassed(TimeoutError):
    """What a step raises when the deadline of its link passed, and not the time of the step."""


class NotResumed(ConnectionError):
    """What `StartTLS` raises when a handshake failed that was to resume an earlier session: over another connection,
    where nothing is resumed, it may succeed.
    """


@value
class Peer:
    """A connection that was made: the `address` reached and our own (`local`), as IP texts; empty for a Unix
    socket.
    """

    address: str
    local: str


@value
class Connect(Step[Peer]):
    """A connection to `host` and `port` (or to the Unix socket `path`), all addresses raced (RFC 8305),
    within `timeout` seconds.

    Whatever connection the link had is closed first. Raises `ConnectError`.
    """

    host: str
    port: int
    timeout: float
    path: str | None = None
    proxy: str | None = None
    source_address: str | None = None


@value
class Read(Step[bytes]):
    """Bytes from the other side, as they come; ``b""`` means that it closed.

    Waits `timeout` seconds at most; 0 looks without waiting, and `TimeoutError` then means that there is
    nothing.
    """

    timeout: float


@value
class Write(Step[None]):
    """Hand over all of `data` within `timeout` seconds.

    A secret is passed as a `memoryview`, whose ``repr`` shows no octets.
    """

    data: bytes | memoryview
    timeout: float


class Outgoing:
    """Octets on their way out, taken from an iterable of chunks piece by piece.

    Survives the step that carries it, so that a plan can stop to look at what arrived and go on. `handed`
    counts the octets that the operating system took, `pieces` the chunks that were begun. An error of the
    iterable (a file that vanished) is raised from the step. A chunk may be a piece of a file: that is read by and by
    unless the driver has the system send it.
    """

    __slots__ = ("_chunks", "_current", "_ended", "_file", "handed", "pieces")

    def __init__(self, chunks: Iterable[bytes | FilePiece]) -> None:
        self._chunks: Iterator[bytes | FilePiece] = iter(chunks)
        self._current: memoryview | None = None
        self._file: FilePiece | None = None
        self._ended = False
        self.handed = 0
        self.pieces = 0

    def peek(self) -> memoryview | None:
        """What is to go out next, or `None` when all was handed over."""
        if not self._current and (file := self.file) is not None:
            self._current = memoryview(file.read())
            self._file = file.took(len(self._current))
        return self._current or None

    @property
    def file(self) -> FilePiece | None:
        """The piece of a file that is to go out next, if it is one; who asks `peek` has it read."""
        while not self._current:
            if self._file is not None or self._ended:
                return self._file
            chunk = next(self._chunks, None)
            if chunk is None:
                self._ended = True
            elif isinstance(chunk, bytes):
                self._current = memoryview(chunk)
                self.pieces += 1
            else:
                self._file = chunk
                self.pieces += 1
        return None

    def took(self, count: int) -> None:
        """`count` octets of `peek()`, or of `file`, were handed over."""
        if self._current:
            self._current = self._current[count:]
        elif self._file is not None:
            self._file = self._file.took(count)
        self.handed += count

    def at_last(self) -> bool:
        """Whether what is on its way is the last of it. For who was stopped from outside: it takes the next chunk."""
        if self.pieces == 0 or self._file is not None:
            return False
        try:
            return self._ended or next(self._chunks, None) is None
        except Exception:
            return False  # it could never have been whole

    @property
    def done(self) -> bool:
        """True when the last octet was handed over."""
        return self.file is None and not self._current


@value
class Exchange(Step["bytes | None"]):
    """Write and read at once, so that full buffers on both sides can't lock up.

    Hands over from `outgoing` until something arrives, and gives that (``b""``: the other side closed), or
    until all is handed over, and gives `None`. Each chunk of `outgoing` must go within `timeout` seconds (RFC 5321
    §4.5.3.2.5): a trickle is no progress. When writing fails, what the other side said before is given first.
    """

    outgoing: Outgoing
    timeout: float


@value
class StartTLS(Step["TLSFacts"]):
    """A TLS handshake on the connection as it is, for STARTTLS and for TLS from the first byte alike. Raises
    `TLSError`.

    `host` is the name that the certificate must be for unless `tls.name` says another. As a server
    (`server_side`) `tls.context` holds the certificate. The last octets of a handshake may leave with the first words
    behind it. `meanwhile` may be done while the other side works out its answer, which takes longest of all it says: it
    never fails, and nothing depends on it.
    """

    tls: TLS
    host: str
    timeout: float
    server_side: bool = False
    meanwhile: Ask | None = None


@value
class PrepareTLS(Step[None]):
    """A hint that `start` will follow on this connection: what can be worked out for it beforehand is worked out while
    the other side is making up its words anyway. Nothing is said, and nothing fails; `StartTLS` has the errors.

    It is work for two such whiles: the first time what TLS needs is made, the second time our first words.
    """

    start: StartTLS


@value
class BindChannel(Step["bytes | None"]):
    """The data that binds a login to this TLS connection (RFC 5929, type `kind`), or `None` where there is
    none.
    """

    kind: str


@value
class Close(Step[None]):
    """Close the connection now, without a word. Never fails.

    `how` else: ``"end"`` says no more but goes on listening, and ``"reset"`` throws away what is on its way, so that
    the other side is told of an error (RFC 9293 §3.5.3) and not of an end.
    """

    how: Literal["close", "end", "reset"] = "close"


@value
class Clock(Step[float]):
    """Seconds of a clock that only goes forward."""


@value
class Sleep(Step[None]):
    """Wait `seconds`."""

    seconds: float


@value
class Ask(Step["Any"]):
    """The answer of something outside: a token source, a mailbox, a resolver.

    `act` is called by the driver; under an asynchronous driver it may return an awaitable. `blocking` says
    that a plain `act` may take long: asynchronous drivers then call it in a thread.
    """

    act: Callable[[], Any | Awaitable[Any]]
    blocking: bool = False


@value
class Attend(Step["bytes | None"]):
    """Wait for something outside and for the other side at once: `None` when `act` is done, else what arrived before
    that, ``b""`` if the other side closed. `TimeoutError` after `timeout` seconds.

    `act` gives an awaitable; it is cancelled when bytes came first, and may be called again. The blocking driver calls
    it and listens to nobody meanwhile.
    """

    act: Callable[[], Any | Awaitable[Any]]
    timeout: float


@value
class Together(Step["list[Any]"]):
    """Run plans side by side, each over a link of its own; gives their results in order, an exception in
    place of a result.
    """

    plans: tuple[Plan[Any], ...]
