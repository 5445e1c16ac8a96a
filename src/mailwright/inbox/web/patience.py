"""HTTP with an end to patience: who sends or takes octets too slowly, or comes when the house is full, has to go."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

    from mailwright.inbox.web.serving import Patience

_UNDER_WAY = (h11.IDLE, h11.SEND_BODY)  # the client has not said everything yet
_QUIET = logging.getLogger("mailwright.inbox.web")  # what clients do wrong is no news for a terminal
_QUIET.addHandler(logging.NullHandler())


def patient(patience: Patience) -> type[H11Protocol]:
    """The protocol with these limits; uvicorn makes one of it for each connection."""
    return type("LimitedProtocol", (PatientProtocol,), {"patience": patience})


class PatientProtocol(H11Protocol):
    """uvicorn's protocol, with a limit for the time of a whole request, for that in which an answer is taken, and for
    the number of connections.
    """

    patience: Patience

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.logger = _QUIET
        self.access_log = False
        self._coming: asyncio.TimerHandle | None = None
        self._going: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self.transport.set_write_buffer_limits(high=0)  # with no slack "paused" means: not everything has left
        if len(self.connections) > self.patience.connections:
            self._dismiss(b"503 Service Unavailable", b"Too many connections at once; try again later.\n")
        else:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client left."""
        self._coming = _stopped(self._coming)
        self._going = _stopped(self._going)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Octets came. They do not prolong the time for the whole request."""
        super().data_received(data)
        if self.conn.their_state not in _UNDER_WAY:
            self._coming = _stopped(self._coming)

    def on_response_complete(self) -> None:
        """The next request has the whole time again."""
        super().on_response_complete()
        if self.conn.their_state in _UNDER_WAY:
            self._expect()

    def pause_writing(self) -> None:
        """The client has not taken everything yet."""
        super().pause_writing()
        if self._going is None:
            self._going = self.loop.call_later(self.patience.answer, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has taken everything."""
        super().resume_writing()
        self._going = _stopped(self._going)

    def _expect(self) -> None:
        if self._coming is None and not self.transport.is_closing():
            self._coming = self.loop.call_later(self.patience.request, self._too_late)

    def _too_late(self) -> None:
        self._coming = None
        if self.conn.their_state is h11.IDLE and self.conn.our_state is h11.IDLE:
            self._dismiss(b"408 Request Timeout", b"The request did not come in time.\n")
        else:
            self.transport.abort()

    def _dismiss(self, status: bytes, text: bytes) -> None:
        head = (
            b"HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head % (status, len(text)) + text)
        self.transport.close()


def _stopped(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """No timer any more."""
    if timer is not None:
        timer.cancel()
    return None
