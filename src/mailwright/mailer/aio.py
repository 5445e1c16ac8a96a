"""`AsyncMailer`: the same names and results as `Mailer`, for asyncio. Its decisions are the pool's, its
dialogue the plans'.
"""

from __future__ import annotations

import asyncio
import os
from time import monotonic

from mailwright.drivers.aio import Link, run
from mailwright.mailer.delivering import deliver, interrupted
from mailwright.mailer.outgoing import outgoing_mail
from mailwright.mailer.pool import Lease, Limits, Pool, check_policy
from mailwright.mailer.sync import _between_messages, _no_lease
from mailwright.smtp.session import Session, quit_session
from mailwright.smtp.transaction import Ledger
from mailwright.words.errors import ConfigError
from mailwright.words.server import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from mailwright.mailer.outgoing import Sendable
    from mailwright.mailer.pool import OnRefusal
    from mailwright.words.address import Address
    from mailwright.words.receipt import Receipt


class AsyncMailer:
    """Sends messages through one `server` and reuses connections; safe to share between the tasks of one
    event loop.

    See `Mailer` for the parameters. A cancelled send closes its connection; the `CancelledError` has the
    delivery error, with its doubt, as its cause.
    """

    def __init__(self, server: Server | str, *, limits: Limits | None = None, sender: str | None = None) -> None:
        self.server = Server.from_url(server) if isinstance(server, str) else server
        self.sender = sender
        self._pool = Pool(limits or Limits())
        self._freed = asyncio.Condition()
        self._process = os.getpid()

    async def send(
        self,
        message: Sendable,
        *,
        sender: str | Address | None = None,
        to: Iterable[str | Address] | str | Address | None = None,
        on_refusal: OnRefusal = "raise",
    ) -> Receipt:
        """Send one message and give its receipt; as `Mailer.send`."""
        check_policy(on_refusal)
        mail = outgoing_mail(message, sender or None, to, default_sender=self.sender)
        ledger = Ledger(mail.envelope.recipients)
        lease = await self._take()
        total = self.server.timeouts.total
        try:
            lease.link.deadline = asyncio.get_running_loop().time() + total if total else None
            lease.messages += 1
            probe = monotonic() - lease.used > self._pool.limits.probe
            return await run(deliver(lease.session, mail, ledger, on_refusal, probe), lease.link)
        except asyncio.CancelledError as cancelled:
            error = interrupted(lease.session, mail, ledger)
            lease.session.open = False
            lease.link.close()
            raise cancelled from error
        except BaseException:
            if not _between_messages(lease):
                lease.session.open = False
            raise
        finally:
            await self._give_back(lease)

    async def _take(self) -> Lease:
        self._notice_fork()
        async with self._freed:
            if self._pool.closed:
                raise ConfigError("This AsyncMailer was closed.", "Make a new one.")
            try:
                async with asyncio.timeout(self.server.timeouts.total):
                    await self._freed.wait_for(lambda: not self._pool.full)
            except TimeoutError:
                raise _no_lease(self.server, self._pool.limits.size) from None
            now = monotonic()
            old = self._pool.expired(now)
            lease = self._pool.take()
        await _say_goodbye(old)
        if lease is None:
            lease = Lease(Link(), Session(self.server, monotonic), now)
        else:
            lease.session.begin_transcript()
        return lease

    async def _give_back(self, lease: Lease) -> None:
        # No await before the pool knows: a cancellation in between would lose the place for ever.
        kept = self._pool.give_back(lease, monotonic())
        async with self._freed:
            self._freed.notify()
        if not kept:
            await _say_goodbye([lease])

    def _notice_fork(self) -> None:
        if os.getpid() != self._process:
            self._process = os.getpid()
            self._freed = asyncio.Condition()
            for lease in self._pool.forget():
                lease.link.abandon()

    async def close(self) -> None:
        """Say goodbye on every idle connection and close it; those in use are closed after their message.
        Never fails.
        """
        self._notice_fork()
        await _say_goodbye(self._pool.drain())

    async def __aenter__(self) -> AsyncMailer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncMailer for {self.server}, {self._pool.out} connections in use, {len(self._pool.idle)} idle>"


async def _say_goodbye(leases: list[Lease]) -> None:
    for lease in leases:
        lease.link.deadline = None
        try:
            await run(quit_session(lease.session), lease.link)
        finally:
            lease.link.close()
