"""Floor 6: the other side. A local mail server that keeps what it is sent, to try and test with.

::

    with Inbox() as inbox:
        with Mailer(inbox.server) as mailer:
            mailer.send(message)
        assert inbox.wait(to="ada@example.org").message.subject == "Hello"

`store` keeps what came, and finds it again (`search`); `waiting` says what a test waits for; `certificate` makes TLS
possible; `listening` is the socket and its thread, and `intake` the way from there into the store. What is said to a
client is in `mailwright.smtp.receiving`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from mailwright.drivers.serving import clock
from mailwright.inbox.certificate import issue
from mailwright.inbox.faults import Faults
from mailwright.inbox.intake import Intake
from mailwright.inbox.listening import LOOPBACK, Listener, PrivateFile
from mailwright.inbox.manners import hosts_of, rules_as
from mailwright.inbox.spool import Spool
from mailwright.inbox.store import Look, Store
from mailwright.inbox.waiting import Wanted, in_vain, unexpected
from mailwright.smtp.receiving import Received, Rules, Storage, receive
from mailwright.words.errors import ConfigError, MissingExtra
from mailwright.words.secret import Secret
from mailwright.words.server import TLS, Login, Server
from mailwright.words.value import replace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from os import PathLike
    from types import TracebackType
    from typing import Self

    from mailwright.smtp.receiving.visit import Decision
    from mailwright.steps import Plan
    from mailwright.words.address import Address
    from mailwright.words.reply import Reply

    Answer = Callable[[Received], Reply | tuple[Reply | None, ...] | None]

__all__ = ["Inbox", "Received", "Rules"]


class Inbox:
    """A mail server on a free port of this machine's loopback interface, which keeps all messages and
    passes none on.

    `login`: ``(user, password)`` or a `Login` that clients must log in with; without one nobody needs to.
    `tls`: true for TLS with a certificate made on the spot (extra ``inbox``), false for none, and `None`
    for TLS if the extra is installed; `notice` says so if it is not. `security`: ``"starttls"``, or
    ``"tls"`` from the first byte.

    `refuse`: replies to addresses, as in `Rules`: ``{"nobody@example.org": "550 5.1.1 No such mailbox"}``.
    `answer` is called with each message before its sender is told that it was taken, in the inbox's thread;
    a `Reply` of 4yz or 5yz from it refuses the message. `rules`: everything else that a server can offer or
    limit. `speaks_as`: a service whose offers, words and refusals it takes on, such as ``"gmail"`` (see
    `mailwright.inbox.manners`); it then lets in nobody but `login`. `port`: 0 for a free one. At most `limit`
    messages and `size_limit` octets are kept; the oldest make room. `save`: a file in which they are kept, across
    runs too; a sender is then told that a message was taken when it is in there.

    For use in a ``with`` or ``async with`` block, or between `open()` and `close()`. Raises `MissingExtra`
    and `ConfigError`.
    """

    def __init__(
        self,
        login: Login | tuple[str, str] | None = None,
        tls: bool | None = None,
        *,
        security: Literal["starttls", "tls"] = "starttls",
        refuse: Mapping[str, Reply | str] | None = None,
        answer: Answer | None = None,
        rules: Rules | None = None,
        speaks_as: str | None = None,
        port: int = 0,
        limit: int = 10_000,
        size_limit: int = 256 << 20,
        save: str | PathLike[str] | None = None,
    ) -> None:
        if security not in ("starttls", "tls"):
            raise ConfigError(f"security={security!r} is not known.", "Use starttls or tls; tls=False for none.")
        self.notice = ""
        self.faults = Faults()  # what goes wrong on request
        self._problem: Exception | None = None
        self._login = Login(*login) if isinstance(login, tuple) else login
        self._tls = tls
        self._security: Literal["starttls", "tls"] = security
        self._rules = rules or Rules()
        self._hosts: tuple[str, ...] = ()
        if speaks_as is not None:
            self._rules, self._hosts = rules_as(self._rules, speaks_as), hosts_of(speaks_as)
        if refuse is not None:
            self._rules = replace(self._rules, refuse=refuse)
        if self._login is not None:
            self._rules = replace(self._rules, accounts=(self._login,), login_required=True)
        self._answer = answer
        self._port = port
        self._limits = limit, size_limit
        self._save = None if save is None else str(save)
        self._store: Store | None = None
        self._intake: Intake | None = None
        self._storage = Storage(max(size_limit, self._rules.size), Spool)
        self._authority: PrivateFile | None = None
        self._listener: Listener | None = None
        self._server: Server | None = None

    # Beginning and end.

    def open(self) -> Self:
        """Begin to listen. Takes some milliseconds, with TLS some tens of them."""
        if self._listener is not None:
            return self
        store = self.store
        self._intake = Intake(store) if store.path is not None else None
        rules = self._with_tls()
        listener = Listener(lambda peer: self._plan(rules, peer))
        try:
            port = listener.start(self._port)
        except OSError as problem:
            self.close()
            what = f"The inbox can't listen on port {self._port} of {LOOPBACK}: {problem.strerror or problem}."
            raise ConfigError(what, "Leave port away to get a free one.") from None
        except BaseException:
            self.close()
            raise
        self._listener = listener
        tls = TLS(ca_file=self._authority.path) if self._authority else TLS()
        self._server = Server(LOOPBACK, port, rules.security, self._login, tls, protocol=rules.protocol)
        return self

    def close(self) -> None:
        """Stop listening and end the thread. What was received can still be read; where it was saved, from its file."""
        listener, self._listener, self._server = self._listener, None, None
        if listener is not None:
            listener.stop()
        authority, self._authority = self._authority, None
        if authority is not None:
            authority.remove()
        if self._store is not None and self._save is not None:
            self._store.close()
            self._store = self._intake = None

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Where it is.

    @property
    def server(self) -> Server:
        """The inbox as a `Server`, ready for a `Mailer`: port, security, CA and login. Raises `ConfigError`
        when it is not open.
        """
        if self._server is None:
            raise ConfigError("The inbox is not open.", "Use it inside of: with Inbox() as inbox")
        return self._server

    @property
    def url(self) -> str:
        """The same as a URL for a setting of the program under test, its password included (a token can't
        be in a URL).
        """
        server = self.server
        scheme = {"tls": "smtps", "starttls": "smtp", "none": "smtp+plain"}[server.security]
        options = {}
        if server.tls.ca_file:
            options["ca_file"] = quote(server.tls.ca_file)
        if server.protocol == "lmtp":
            scheme, options["security"] = "lmtp", server.security
        userinfo = ""
        if server.login is not None and isinstance(server.login.password, Secret):
            userinfo = f"{quote(server.login.user, safe='')}:{quote(server.login.password.reveal(), safe='')}@"
        query = "&".join(f"{name}={text}" for name, text in options.items())
        return f"{scheme}://{userinfo}{server.host}:{server.port}" + (f"?{query}" if query else "")

    # What came.

    @property
    def store(self) -> Store:
        """Where the messages are: to list, search, mark and delete them. With `save` it is there while the inbox is
        open, or until `close`.
        """
        if self._store is None:
            limit, size_limit = self._limits
            self._store = Store.open(self._save, limit=limit, size_limit=size_limit)
        return self._store

    @property
    def messages(self) -> tuple[Received, ...]:
        """All messages that are kept, the oldest first."""
        return tuple(self.store.messages())

    @property
    def dropped(self) -> int:
        """How many messages had to make room for newer ones."""
        return self.store.dropped

    @property
    def problem(self) -> Exception | None:
        """What `answer` raised last, or what kept a message out of the store."""
        return self._problem or (self._intake.problem if self._intake is not None else None)

    def clear(self) -> None:
        """Throw all messages away."""
        self.store.delete()

    def wait(
        self,
        to: str | Address | None = None,
        subject: str | None = None,
        sender: str | Address | None = None,
        timeout: float = 5.0,
        *,
        contains: str | None = None,
    ) -> Received:
        """The first message that fits, among those which are there and those which arrive within `timeout`
        seconds.

        `to`: one of the envelope's recipients; `subject`: a part of the subject; `sender`: the envelope's
        sender, ``""`` for the null one; `contains`: a part of the text, or of that of the HTML where there is no text
        (its first 100,000 characters). Raises `Timeout`, which shows what did arrive. Blocks the thread;
        `wait_async` does not.
        """
        wanted = Wanted(to, subject, sender, contains)
        return self._checked(self.store.wait_until(self._look(wanted), timeout), wanted, timeout)

    async def wait_async(
        self,
        to: str | Address | None = None,
        subject: str | None = None,
        sender: str | Address | None = None,
        timeout: float = 5.0,
        *,
        contains: str | None = None,
    ) -> Received:
        """The same as `wait` under asyncio and Trio: other tasks go on meanwhile."""
        wanted = Wanted(to, subject, sender, contains)
        return self._checked(await self.store.wait_until_async(self._look(wanted), timeout), wanted, timeout)

    def expect(
        self,
        count: int,
        timeout: float = 5.0,
        *,
        to: str | Address | None = None,
        subject: str | None = None,
        sender: str | Address | None = None,
        contains: str | None = None,
    ) -> tuple[Received, ...]:
        """The `count` messages that fit, the oldest first, as soon as so many are there. With 0 it waits for the whole
        `timeout`, to see that none comes.

        Raises `Timeout` when fewer came, and `UnexpectedMail` (an `AssertionError`) when more did; both show what is
        there.
        """
        wanted = Wanted(to, subject, sender, contains)
        query, store = wanted.query, self.store
        store.wait_until(lambda: store.count(query) >= max(count, 1) or None, timeout)
        rows = store.rows_after(0, query, limit=count + 1)
        if len(rows) < count:
            raise in_vain(store, wanted, timeout, count, self.faults.fired) from self.problem
        if len(rows) > count:
            raise unexpected(store, wanted, count, store.count(query))
        found = [store.received(row.id) for row in rows]
        return tuple([received for received in found if received is not None])

    def _look(self, wanted: Wanted) -> Callable[[], Received | None]:
        store = self.store
        look = Look(store, wanted.query)

        def received() -> Received | None:
            row = look()
            return None if row is None else store.received(row.id)

        return received

    def _checked(self, found: Received | None, wanted: Wanted, timeout: float) -> Received:
        if found is None:
            raise in_vain(self.store, wanted, timeout, fired=self.faults.fired) from self.problem
        return found

    def __repr__(self) -> str:
        where = str(self._server) if self._server else "not open"
        count = self._store.count() if self._store is not None else 0
        return f"<Inbox {where}, {count} messages>"

    def _plan(self, rules: Rules, peer: str) -> Plan[None]:
        return receive(rules, self._deliver, peer, self._storage, self.faults, clock)

    def _deliver(self, received: Received) -> Decision | Awaitable[Decision]:
        decision = None
        try:
            if self._answer is not None:
                decision = self._answer(received)
            if decision is not None and _refused(decision):
                return decision
            if self._intake is not None:
                return self._intake.keep(received, decision)
            self.store.add(received)
        except Exception as problem:
            self._problem = problem  # it is shown with what `wait` raises
            raise
        return decision

    def _with_tls(self) -> Rules:
        if self._tls is False:
            return self._rules
        try:
            certificate = issue("localhost", LOOPBACK, *self._hosts)
            self.faults.certify(certificate.broken)
        except MissingExtra:
            if self._tls:
                raise
            self.notice = "The inbox speaks no TLS; to add it: pip install 'mailwright[inbox]'"
            return self._rules
        self._authority = PrivateFile(certificate.authority, ".pem")
        # RFC 5802 §6.1 wants tls-unique of whoever offers -PLUS, and TLS 1.3 has none: only who asks is offered it.
        bound = self._login is not None and (self._login.mechanism or "").endswith("-PLUS")
        return replace(
            self._rules,
            security=self._security,
            tls=TLS(context=certificate.context),
            channel_binding=certificate.channel_binding if bound else None,
        )


def _refused(decision: Reply | tuple[Reply | None, ...]) -> bool:
    """True when nobody gets the message."""
    each = decision if isinstance(decision, tuple) else (decision,)
    return all(reply is not None and not reply.ok for reply in each)
